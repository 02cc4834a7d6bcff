#include "proxy/base/log.h"

#include "policies/text.h"
#include "proxy/base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define DETAIL_BYTES 2048 /* a longer detail is cut: a line is one write, and stays one line */

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_WARNING:
        return "warning";
    case LOG_ERROR:
        return "error";
    default:
        return "info";
    }
}

/* One write(2), so that lines of several threads never mix; tried again only when nothing was written. */
static void write_line(const struct text *line)
{
    while (write(STDERR_FILENO, line->data, line->length) < 0 && errno == EINTR)
        ;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    int saved_errno = errno;
    char detail[DETAIL_BYTES], time[CLOCK_TEXT];
    struct text line = {0};
    va_list arguments;

    va_start(arguments, format);
    if (vsnprintf(detail, sizeof detail, format, arguments) < 0)
        detail[0] = '\0';
    va_end(arguments);
    clock_format(clock_now_us(), time);

    text_add_format(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time, level_name(level));
    text_add_json(&line, span_of(event));
    text_add_string(&line, ",\"detail\":");
    text_add_json(&line, span_of(detail));
    text_add_string(&line, "}\n");
    if (!line.failed)
        write_line(&line);
    text_free(&line);
    errno = saved_errno;
}

void log_problems(const char *event, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        const enum log_level level = problem->severity == SEVERITY_ERROR ? LOG_ERROR : LOG_WARNING;
        if (problem->line > 0)
            log_event(level, event, "%s:%u:%u: %s (%s)", problem->file, problem->line, problem->column,
                      problem->message, problem->pointer);
        else
            log_event(level, event, "%s: %s", problem->file, problem->message);
    }
}

bool log_allow(struct log_limit *limit, long seconds, unsigned long *suppressed)
{
    /* One above the clock, so that 0 means "never yet". */
    long now = (long)(clock_monotonic_us() / 1000000) + 1;
    long last = atomic_load(&limit->last);

    *suppressed = 0;
    if ((last != 0 && now - last < seconds) || !atomic_compare_exchange_strong(&limit->last, &last, now)) {
        atomic_fetch_add(&limit->held, 1);
        return false;
    }
    *suppressed = atomic_exchange(&limit->held, 0);
    return true;
}
