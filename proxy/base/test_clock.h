/* Time that tests move: in a build with -DFAULT_POINTS (`make FAULTS=1`) the gate's clock is ahead of the
 * system's by what stands in the file that the environment variable PORTCULLIS_TEST_CLOCK names, so that what
 * holds for hours or a day can be seen to end without waiting. The file is mapped at the first look at the
 * clock, which is before the process confines itself: eight bytes, microseconds in the machine's order. Tests
 * only ever move it ahead. In every other build it is 0. */
#ifndef PROXY_BASE_TEST_CLOCK_H
#define PROXY_BASE_TEST_CLOCK_H

#ifdef FAULT_POINTS

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic int64_t *test_clock;

/* A clock that was asked for and cannot be had would make tests say what is not so: the process ends. */
static void test_clock_map(void)
{
    const char *path = getenv("PORTCULLIS_TEST_CLOCK");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (path == NULL)
        return;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(*test_clock), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        abort();
    (void)close(file);
    test_clock = mapped;
}

static inline int64_t test_clock_ahead_us(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, test_clock_map);
    return test_clock == NULL ? 0 : atomic_load_explicit(test_clock, memory_order_relaxed);
}

#else

#define test_clock_ahead_us() INT64_C(0)

#endif

#endif
