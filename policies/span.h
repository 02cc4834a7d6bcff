/* A span: bytes that somebody else owns. Not NUL-terminated, may hold any byte. */
#ifndef POLICIES_SPAN_H
#define POLICIES_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const char *data;
    size_t length;
};

/* The span of a string literal, as an initializer: its length is known when it is compiled. */
#define SPAN_INIT(literal)                                                                                   \
    {                                                                                                        \
        "" literal, sizeof(literal) - 1                                                                      \
    }
#define SPAN(literal) ((struct span)SPAN_INIT(literal))

/* The bytes of a C string, without its NUL; NULL gives the empty span. */
static inline struct span span_of(const char *string)
{
    return (struct span){string, string ? strlen(string) : 0};
}

/* A copy with a NUL behind it, which the caller frees; NULL when memory is out. strndup() is for C strings:
 * it looks for a NUL, which a span need not have. */
char *span_copy(struct span span);

/* Same bytes? */
static inline bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Same bytes as the C string? */
static inline bool span_is(struct span a, const char *string)
{
    return span_equal(a, span_of(string));
}

/* ASCII lower case of one byte; every other byte stays as it is, whatever the locale. */
static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Same bytes, letters A to Z compared without case (field names, schemes, hosts)? */
static inline bool span_equal_nocase(struct span a, struct span b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (a.data[i] != b.data[i] && ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
            return false;
    return true;
}

/* Names in lower case, which others are looked up among, letters without case. Most are looked up in vain:
 * one look at the length then nearly always tells.
 *
 *     #define FRUIT(NAME) NAME("apple") NAME("pear")
 *     static const struct span_set fruit = SPAN_SET(FRUIT);  (outside of functions) */
struct span_set {
    const struct span *names;
    size_t count;
    uint64_t lengths; /* bit n: one of them is n bytes long; all are shorter than 64 */
};

#define SPAN_SET(NAMES)                                                                                      \
    {                                                                                                        \
        (const struct span[]){NAMES(SPAN_SET_NAME)}, 0 NAMES(SPAN_SET_ONE), 0 NAMES(SPAN_SET_LENGTH)         \
    }
#define SPAN_SET_NAME(name)   SPAN_INIT(name),
#define SPAN_SET_ONE(name)    +1
#define SPAN_SET_LENGTH(name) | UINT64_C(1) << (sizeof(name) - 1)

/* Which of the names it is; set->count when it is none. */
size_t span_set_search(const struct span_set *set, struct span name);
static inline size_t span_set_find(const struct span_set *set, struct span name)
{
    bool possible = name.length < 64 && (set->lengths >> name.length & 1) != 0;

    return possible ? span_set_search(set, name) : set->count;
}

/* Without the spaces and tabs at both ends: RFC 9110's optional white space. */
static inline struct span span_trim(struct span span)
{
    while (span.length > 0 && (span.data[0] == ' ' || span.data[0] == '\t'))
        span = (struct span){span.data + 1, span.length - 1};
    while (span.length > 0 && (span.data[span.length - 1] == ' ' || span.data[span.length - 1] == '\t'))
        span.length--;
    return span;
}

#endif
