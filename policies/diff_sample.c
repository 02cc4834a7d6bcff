/* A text that a pattern matches, made from the pattern in a simple way and held against it. */
#include "policies/ascii.h"
#include "policies/diff_internal.h"

#define SAMPLE_BYTES 256
#define REPEATED     32 /* a bound on what "{n}" asks for */

struct sampling {
    const char *at;
    char text[SAMPLE_BYTES];
    size_t length, last; /* last: where the item before began */
    bool failed;
};

static void put(struct sampling *sampling, char c)
{
    if (sampling->length + 1 >= sizeof sampling->text) {
        sampling->failed = true;
        return;
    }
    sampling->text[sampling->length++] = c;
}

static char class_sample(char c)
{
    switch (c) {
    case 'd':
        return '1';
    case 'w':
    case 'S':
    case 'D':
        return 'a';
    case 's':
        return ' ';
    case 'W':
        return '-';
    default:
        return c;
    }
}

/* Behind "[": the first of a set. One that is negated, or a named class, is not understood. */
static void take_set(struct sampling *sampling)
{
    const char *end = strchr(sampling->at + 1, ']');

    if (end == NULL || *sampling->at == '^' || *sampling->at == '[' || *sampling->at == ']') {
        sampling->failed = true;
        return;
    }
    put(sampling, *sampling->at == '\\' ? class_sample(sampling->at[1]) : *sampling->at);
    sampling->at = end + 1;
}

/* "{n}", "{n,}", "{n,m}" behind an item: the item so often. */
static void repeat(struct sampling *sampling)
{
    unsigned count = 0;
    size_t length = sampling->length - sampling->last;
    const char *end = strchr(sampling->at, '}');

    for (; ascii_is_digit(*sampling->at) && count <= REPEATED; sampling->at++)
        count = count * 10 + (unsigned)(*sampling->at - '0');
    if (end == NULL || count > REPEATED) {
        sampling->failed = true;
        return;
    }
    for (unsigned i = 1; i < count; i++)
        for (size_t at = 0; at < length; at++)
            put(sampling, sampling->text[sampling->last + at]);
    sampling->at = end + 1;
}

/* A group is not understood, nor are alternatives within one; of those outside, the first is taken. */
static void take_item(struct sampling *sampling)
{
    char c = *sampling->at++;

    if (c == '^' || c == '$' || c == '+' || c == '?' || c == '*')
        return; /* once is enough */
    if (c == '{') {
        repeat(sampling);
        return;
    }
    sampling->last = sampling->length;
    if (c == '[')
        take_set(sampling);
    else if (c == '(' || c == ')')
        sampling->failed = true;
    else if (c == '.')
        put(sampling, 'x');
    else if (c == '\\' && *sampling->at != '\0')
        put(sampling, class_sample(*sampling->at++));
    else
        put(sampling, c);
}

const char *diff_sample(struct diff *diff, const struct pattern *pattern)
{
    struct sampling sampling = {.at = pattern_source(pattern)};

    while (*sampling.at != '\0' && *sampling.at != '|' && !sampling.failed)
        take_item(&sampling);
    struct span sample = {sampling.text, sampling.length};
    if (sampling.failed || pattern_match(pattern, diff->scratch, sample) != MATCH_YES)
        return NULL;
    return diff_text(diff, "%.*s", (int)sample.length, sample.data);
}
