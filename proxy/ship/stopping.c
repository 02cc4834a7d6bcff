#include "proxy/ship/stopping.h"

#include "proxy/base/clock.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool stopping_open(struct stopping *stopping)
{
    stopping->deadline = INT64_MAX;
    stopping->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return stopping->fd >= 0;
}

void stopping_close(struct stopping *stopping)
{
    if (stopping->fd >= 0)
        close(stopping->fd);
    stopping->fd = -1;
}

void stopping_begin(struct stopping *stopping, int64_t within_us)
{
    stopping->deadline = clock_monotonic_us() + within_us;
    (void)eventfd_write(stopping->fd, 1);
}

bool stopping_over(const struct stopping *stopping)
{
    return clock_monotonic_us() >= stopping->deadline;
}

/* Polls `fd`, and the stop as long as that has not come; -1 is no descriptor. True when `fd` is ready. */
static bool wait_once(const struct stopping *stopping, int fd, short events, int64_t until)
{
    bool begun = stopping_begun(stopping);
    int64_t deadline = stopping->deadline,
            left = (deadline < until ? deadline : until) - clock_monotonic_us();
    struct pollfd polled[] = {{fd, events, 0}, {begun ? -1 : stopping->fd, POLLIN, 0}};

    if (left < 0)
        left = 0;
    int timeout = left > 60000000 ? 60000 : (int)((left + 999) / 1000);
    return poll(polled, 2, timeout) > 0 && polled[0].revents != 0;
}

bool stopping_wait(const struct stopping *stopping, int fd, short events, int64_t until)
{
    do {
        if (wait_once(stopping, fd, events, until))
            return true;
    } while (!stopping_over(stopping) && clock_monotonic_us() < until);
    return false;
}

void stopping_sleep(const struct stopping *stopping, int64_t until)
{
    while (!stopping_begun(stopping) && clock_monotonic_us() < until)
        (void)wait_once(stopping, -1, 0, until);
}
