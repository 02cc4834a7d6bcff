/* For builds with ThreadSanitizer: gcc 12's does not know pthread_clockjoin_np and takes everything behind it
 * for a race. It knows pthread_timedjoin_np, which waits by the wall clock; in a test that makes no
 * difference. */
#ifndef TESTS_SANITIZE_TSAN_H
#define TESTS_SANITIZE_TSAN_H

#include <pthread.h>
#include <time.h>

static inline int tsan_clockjoin(pthread_t thread, void **result, clockid_t clock,
                                 const struct timespec *until)
{
    struct timespec now, wall;

    clock_gettime(clock, &now);
    clock_gettime(CLOCK_REALTIME, &wall);
    wall.tv_sec += until->tv_sec - now.tv_sec + 1;
    return pthread_timedjoin_np(thread, result, &wall);
}

#define pthread_clockjoin_np tsan_clockjoin

#endif
