/* PCRE2 patterns as the gate uses them: compiled once, JIT where the machine has it, `$` only at the very end
 * (DOLLAR_ENDONLY), UTF-8, bounded in steps and heap, so that no pattern of a policy can stop a worker. */
#ifndef POLICIES_PATTERN_H
#define POLICIES_PATTERN_H

#include "policies/span.h"

struct pattern;
struct pattern_scratch;

/* Compiles; the pattern is found anywhere in a subject unless it has anchors. NULL with a message in error[]
 * (which names the offset) when it is wrong. Freed with pattern_free. */
struct pattern *pattern_compile(struct span expression, char *error, size_t error_size);
void pattern_free(struct pattern *pattern);

/* The source, as given. Borrowed. */
const char *pattern_source(const struct pattern *pattern);

/* What matching needs besides the pattern. One for each thread; NULL when memory is out. */
struct pattern_scratch *pattern_scratch_new(void);
void pattern_scratch_free(struct pattern_scratch *scratch);

enum match {
    MATCH_NO,
    MATCH_YES,
    MATCH_LIMIT /* a bound was hit or the subject is not UTF-8: treat as the stricter answer */
};

/* Does the pattern match the subject? Pure but for the scratch. */
enum match pattern_match(const struct pattern *pattern, struct pattern_scratch *scratch, struct span subject);

#endif
