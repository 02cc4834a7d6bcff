#include "policies/text.h"

#include "policies/ascii.h"
#include "policies/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool text_reserve(struct text *text, size_t more)
{
    if (text->failed)
        return false;
    if (more < text->capacity - text->length)
        return true;

    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity - text->length <= more && capacity < SIZE_MAX / 4)
        capacity *= 2;
    char *data = capacity - text->length > more ? malloc(capacity) : NULL;
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    if (text->data != NULL) { /* not realloc: what is left behind may be a secret */
        memcpy(data, text->data, text->length + 1);
        explicit_bzero(text->data, text->length);
        free(text->data);
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add_slowly(struct text *text, const char *bytes, size_t length)
{
    if (!text_reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_add_visible(struct text *text, const char *string)
{
    for (const char *c = string; *c != '\0'; c++)
        text_add(text, (unsigned char)*c < ' ' || *c == 0x7f ? "?" : c, 1);
}

void text_add_number(struct text *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_add(text, digits + at, sizeof digits - at);
}

void text_add_format(struct text *text, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
    } else if (text_reserve(text, (size_t)length)) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

static void add_escape(struct text *text, unsigned char c)
{
    static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";

    for (const char *pair = shorts; *pair != '\0'; pair += 2)
        if ((unsigned char)pair[0] == c) {
            char escape[2] = {'\\', pair[1]};
            text_add(text, escape, sizeof escape);
            return;
        }
    text_add_format(text, "\\u%04x", c);
}

/* A string that begins with `at` bytes that need no change. */
static void add_json_slowly(struct text *text, struct span bytes, size_t at)
{
    size_t plain = 0; /* start of the run that needs no change */

    text_add(text, "\"", 1);
    while (at < bytes.length) {
        at += ascii_plain_run((struct span){bytes.data + at, bytes.length - at});
        if (at == bytes.length)
            break;
        unsigned char c = (unsigned char)bytes.data[at];
        size_t length = c < 0x80 ? 1 : utf8_sequence(bytes, at);

        if (length > 1) {
            at += length;
            continue;
        }
        text_add(text, bytes.data + plain, at - plain);
        if (length == 0)
            text_add(text, "\xef\xbf\xbd", 3);
        else
            add_escape(text, c);
        plain = ++at;
    }
    text_add(text, bytes.data + plain, bytes.length - plain);
    text_add(text, "\"", 1);
}

void text_add_json(struct text *text, struct span bytes)
{
    size_t plain = ascii_plain_run(bytes);

    if (!text_reserve(text, bytes.length + 2))
        return;
    if (plain < bytes.length) {
        add_json_slowly(text, bytes, plain);
        return;
    }
    char *at = text->data + text->length;
    *at++ = '"';
    if (bytes.length > 0)
        memcpy(at, bytes.data, bytes.length);
    memcpy(at + bytes.length, "\"", 2); /* and its NUL */
    text->length += bytes.length + 2;
}

void text_clear(struct text *text)
{
    text->length = 0;
    text->failed = false;
    if (text->data != NULL)
        text->data[0] = '\0';
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

void text_wipe(struct text *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->capacity);
    text_free(text);
}
