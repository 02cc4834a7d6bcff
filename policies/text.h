/* A growing text: what log lines, journal records, error documents and problem lists are written into.
 *
 * Appending never fails visibly: when memory is out the text is marked `failed` and stays as it was, and the
 * owner looks once, at the end. A zeroed struct is an empty text. */
#ifndef POLICIES_TEXT_H
#define POLICIES_TEXT_H

#include "policies/span.h"

#include <stdint.h>

struct text {
    char *data; /* NUL-terminated once anything was appended */
    size_t length;
    size_t capacity;
    bool failed;
};

/* text_add where there may be no room. */
void text_add_slowly(struct text *text, const char *bytes, size_t length);

/* Appends bytes as they are. */
static inline void text_add(struct text *text, const char *bytes, size_t length)
{
    if (text->failed || length == 0 || length >= text->capacity - text->length) {
        text_add_slowly(text, bytes, length);
        return;
    }
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

/* Appends a C string as it is. Inline, so that the length of a literal is known when it is compiled. */
static inline void text_add_string(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/* Appends a span as a JSON string in quotes: RFC 8785 escapes; bytes that are not UTF-8 become U+FFFD, so
 * that the result is always valid JSON and a log cannot be forged through it. */
void text_add_json(struct text *text, struct span bytes);

/* Appends a C string that may come from a file or from a stranger, with "?" for each control character of
 * ASCII, so that it forges no line and moves no terminal's cursor. */
void text_add_visible(struct text *text, const char *string);

/* Appends an unsigned decimal number. */
void text_add_number(struct text *text, uint64_t number);

/* Appends printf output. */
void text_add_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for `more` bytes behind the present end; false (and marked failed) when memory is out. */
bool text_reserve(struct text *text, size_t more);

/* Forgets the content, keeps the memory. */
void text_clear(struct text *text);

/* Gives the memory back and makes the text empty. Wipes nothing: call text_wipe for what held a secret. */
void text_free(struct text *text);

/* text_free for what held a secret. */
void text_wipe(struct text *text);

#endif
