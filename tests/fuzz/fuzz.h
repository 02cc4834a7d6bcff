/* What the fuzz targets share. A target is a file fuzz_NAME.c; what it says at its top is what must hold for
 * every input. NAME.dict beside it holds the words of the grammar, corpus/NAME what was found to reach far.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "policies/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A journal's public key, the one of the notes in corpus/note. Its private half was thrown away. */
#define FUZZ_KEY "fuzz.example/journal+a32c3c6f+AYvOO7F4dhcDl8pRT164XCstpnEw/OJwX242kOygfTax"

/* libFuzzer calls the first once before all inputs, and the second for each. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, which libFuzzer takes for a crash and keeps the input. */
#define FUZZ_CHECK(condition)                                                                                \
    ((condition)                                                                                             \
         ? (void)0                                                                                           \
         : ((void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition), abort()))

static inline struct span fuzz_span(const uint8_t *data, size_t size)
{
    return (struct span){size > 0 ? (const char *)data : "", size};
}

static inline struct span fuzz_of(const struct text *text)
{
    return (struct span){text->data ? text->data : "", text->length};
}

/* A copy with a NUL behind it; the caller frees it. */
static inline char *fuzz_string(struct span span)
{
    char *copy = calloc(1, span.length + 1);

    if (copy == NULL)
        abort();
    memcpy(copy, span.data, span.length);
    return copy;
}

/* Numbers that depend on the input alone, so that each input always does the same. */
struct fuzz_dice {
    uint32_t state;
};

static inline struct fuzz_dice fuzz_dice(struct span bytes)
{
    struct fuzz_dice dice = {2166136261u};

    for (size_t i = 0; i < bytes.length; i++)
        dice.state = (dice.state ^ (unsigned char)bytes.data[i]) * 16777619u;
    return dice;
}

/* From 1 to `most`. */
static inline size_t fuzz_throw(struct fuzz_dice *dice, size_t most)
{
    dice->state = dice->state * 1664525u + 1013904223u;
    return 1 + (dice->state >> 8) % most;
}

/* How long the next piece of what is left is: `most` at most, or with 0 all of it. */
static inline size_t fuzz_cut(struct fuzz_dice *dice, size_t most, size_t left)
{
    size_t length = most == 0 ? left : fuzz_throw(dice, most);

    return length > left ? left : length;
}

/* A copy in memory of its own, so that a sanitizer sees a look behind or ahead; the caller frees it. */
static inline char *fuzz_piece(const char *bytes, size_t length)
{
    FUZZ_CHECK(length > 0);
    char *piece = malloc(length);
    FUZZ_CHECK(piece != NULL);
    memcpy(piece, bytes, length);
    return piece;
}

/* A file of the tests, read whole. */
static inline struct text fuzz_file(const char *path)
{
    struct text text = {0};
    char part[4096];
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        perror(path);
        exit(2);
    }
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
        text_add(&text, part, got);
    (void)fclose(file);
    return text;
}

#endif
