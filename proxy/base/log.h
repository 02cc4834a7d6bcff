/* The operational log: what happens to the gate itself (start, stop, reload, upstream and journal trouble).
 * JSON lines on stderr. Requests are in the access log instead. Never give it a secret. Safe from any thread;
 * one write(2) a line. */
#ifndef PROXY_BASE_LOG_H
#define PROXY_BASE_LOG_H

#include "policies/problems.h"

#include <stdbool.h>

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR };

/* {"time":"…Z","level":"error","event":"upstream-tls","detail":"…"}; event is a stable word, detail printf
 * output. */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One event for each problem, with its place. */
void log_problems(const char *event, const struct problems *problems);

/* A gate on repetition: lets the first one of a kind through, then one each `seconds`. A zeroed struct is
 * ready; it may be used from several threads. When it lets one through, *suppressed is how many it held back
 * since the last. */
struct log_limit {
    _Atomic long last;
    _Atomic unsigned long held;
};
bool log_allow(struct log_limit *limit, long seconds, unsigned long *suppressed);

#endif
