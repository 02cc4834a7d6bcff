/* Prometheus' text format, version 0.0.4: what every writer of the metrics page is made of. Names get the
 * prefix portcullis_. */
#ifndef PROXY_OBSERVE_EXPOSITION_H
#define PROXY_OBSERVE_EXPOSITION_H

#include "policies/text.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Begins a family: its HELP and TYPE lines. `help` is a sentence without its full stop, and holds no
 * backslash and no line end. */
void exposition_family(struct text *page, const char *name, const char *type, const char *help);

/* A sample: its name, then its labels, then its value. */
void exposition_name(struct text *page, const char *name);

/* One label; the first of a sample opens the braces. The value may be any bytes: what the format cannot hold
 * is escaped, or replaced by U+FFFD. */
void exposition_label(struct text *page, bool first, const char *name, struct span value);

/* Ends the sample; `labelled`: it has labels. The value is shown divided by `unit`, exactly: 1, or a power of
 * ten (1000000 for microseconds that are shown as seconds). */
void exposition_value(struct text *page, bool labelled, uint64_t value, uint64_t unit);

/* A family of one sample without labels. */
void exposition_single(struct text *page, const char *name, const char *type, const char *help,
                       uint64_t value, uint64_t unit);

/* `value` divided by `unit`, as a decimal fraction without trailing zeros. */
void exposition_number(struct text *page, uint64_t value, uint64_t unit);

#endif
