#include "proxy/base/progress.h"

#include "proxy/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIDTH       30
#define FIRST_US    500000
#define INTERVAL_US 200000

void progress_start(struct progress *progress)
{
    *progress = (struct progress){.shown = isatty(STDERR_FILENO) == 1, .start_us = clock_monotonic_us()};
    progress->next_us = progress->start_us + FIRST_US;
}

static double megabytes(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

void progress_update(struct progress *progress, uint64_t done, uint64_t all)
{
    int64_t now = progress->shown ? clock_monotonic_us() : 0;
    char bar[WIDTH + 1];

    if (!progress->shown || now < progress->next_us)
        return;
    double part = all > 0 && done < all ? (double)done / (double)all : 1;
    size_t filled = (size_t)(part * WIDTH);

    memset(bar, ' ', WIDTH);
    memset(bar, '#', filled);
    bar[WIDTH] = '\0';
    (void)fprintf(stderr, "\r[%s] %3d %%  %.0f of %.0f MB  %.0f MB/s ", bar, (int)(part * 100),
                  megabytes(done), megabytes(all),
                  megabytes(done) * 1e6 / (double)(now - progress->start_us));
    (void)fflush(stderr);
    progress->drawn = true;
    progress->next_us = now + INTERVAL_US;
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    progress->drawn = false;
}
