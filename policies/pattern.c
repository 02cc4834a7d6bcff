#define PCRE2_CODE_UNIT_WIDTH 8
#include "policies/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define MATCH_STEPS    100000u
#define MATCH_HEAP_KIB 1024u

struct pattern {
    pcre2_code *code;
    char *source;
};

struct pattern_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static char *copy_source(struct span expression)
{
    char *copy = malloc(expression.length + 1);

    if (copy == NULL)
        return NULL;
    if (expression.length > 0)
        memcpy(copy, expression.data, expression.length);
    copy[expression.length] = '\0';
    return copy;
}

struct pattern *pattern_compile(struct span expression, char *error, size_t error_size)
{
    const uint32_t options =
        PCRE2_DOLLAR_ENDONLY | PCRE2_UTF | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C;
    int code = 0;
    PCRE2_SIZE offset = 0;
    struct pattern *pattern = calloc(1, sizeof *pattern);

    if (pattern != NULL)
        pattern->source = copy_source(expression);
    if (pattern == NULL || pattern->source == NULL) {
        (void)snprintf(error, error_size, "out of memory");
        pattern_free(pattern);
        return NULL;
    }
    pattern->code =
        pcre2_compile((PCRE2_SPTR)pattern->source, expression.length, options, &code, &offset, NULL);
    if (pattern->code == NULL) {
        PCRE2_UCHAR reason[128];
        (void)pcre2_get_error_message(code, reason, sizeof reason);
        (void)snprintf(error, error_size, "%s at offset %zu of the pattern", (const char *)reason,
                       (size_t)offset);
        pattern_free(pattern);
        return NULL;
    }
    (void)pcre2_jit_compile(
        pattern->code, PCRE2_JIT_COMPLETE); /* without JIT the interpreter serves, with the same limits */
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_code_free(pattern->code);
    free(pattern->source);
    free(pattern);
}

const char *pattern_source(const struct pattern *pattern)
{
    return pattern->source;
}

struct pattern_scratch *pattern_scratch_new(void)
{
    struct pattern_scratch *scratch = calloc(1, sizeof *scratch);

    if (scratch == NULL)
        return NULL;
    scratch->data = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    if (scratch->data == NULL || scratch->context == NULL) {
        pattern_scratch_free(scratch);
        return NULL;
    }
    (void)pcre2_set_match_limit(scratch->context, MATCH_STEPS);
    (void)pcre2_set_heap_limit(scratch->context, MATCH_HEAP_KIB);
    return scratch;
}

void pattern_scratch_free(struct pattern_scratch *scratch)
{
    if (scratch == NULL)
        return;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    free(scratch);
}

enum match pattern_match(const struct pattern *pattern, struct pattern_scratch *scratch, struct span subject)
{
    const char *bytes = subject.data ? subject.data : "";
    int found =
        pcre2_match(pattern->code, (PCRE2_SPTR)bytes, subject.length, 0, 0, scratch->data, scratch->context);

    if (found >= 0)
        return MATCH_YES;
    return found == PCRE2_ERROR_NOMATCH ? MATCH_NO : MATCH_LIMIT;
}
