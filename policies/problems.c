#include "policies/problems.h"

#include "policies/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void item_free(struct problem *item)
{
    free(item->file);
    free(item->pointer);
    free(item->message);
}

static bool make_room(struct problems *problems)
{
    if (problems->count < problems->capacity)
        return true;

    size_t capacity = problems->capacity ? 2 * problems->capacity : 16;
    struct problem *items = reallocarray(problems->items, capacity, sizeof *items);
    if (items == NULL)
        return false;
    problems->items = items;
    problems->capacity = capacity;
    return true;
}

/* Takes the item's texts over; one that is missing means that memory is out. */
static void take(struct problems *problems, struct problem item)
{
    bool whole = item.file != NULL && item.pointer != NULL && item.message != NULL;

    if (!whole || !make_room(problems)) {
        item_free(&item);
        problems->errors++; /* even a warning: what cannot be shown must not pass */
        return;
    }
    if (item.severity == SEVERITY_ERROR)
        problems->errors++;
    problems->items[problems->count++] = item;
}

static char *format_message(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static char *format_message(const char *format, va_list arguments)
{
    char *message = NULL;

    return vasprintf(&message, format, arguments) < 0 ? NULL : message;
}

/* At the pointer of the document; takes the message over. */
static void add(struct problems *problems, struct problem item, const struct document *document,
                const char *pointer)
{
    item.file = strdup(document && document->name ? document->name : "");
    item.pointer = strdup(pointer);
    if (document != NULL && document->root != NULL)
        json_locate((struct span){document->text, document->length}, pointer, &item.line, &item.column);
    take(problems, item);
}

void problems_add(struct problems *problems, enum severity severity, const struct document *document,
                  const char *pointer, const char *format, ...)
{
    struct problem item = {.severity = severity};
    va_list arguments;

    va_start(arguments, format);
    item.message = format_message(format, arguments);
    va_end(arguments);
    add(problems, item, document, pointer);
}

void problems_add_kind(struct problems *problems, enum severity severity, const struct document *document,
                       const char *pointer, const char *code, const char *format, ...)
{
    struct problem item = {.severity = severity, .code = code};
    va_list arguments;

    va_start(arguments, format);
    item.message = format_message(format, arguments);
    va_end(arguments);
    add(problems, item, document, pointer);
}

void problems_add_at(struct problems *problems, const char *file, unsigned line, unsigned column,
                     const char *format, ...)
{
    struct problem item = {.severity = SEVERITY_ERROR, .line = line, .column = column};
    va_list arguments;

    va_start(arguments, format);
    item.message = format_message(format, arguments);
    va_end(arguments);
    item.file = strdup(file);
    item.pointer = strdup("");
    take(problems, item);
}

void problems_write(const struct problems *problems, struct text *out)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *item = &problems->items[i];

        if (item->file[0] != '\0') {
            text_add_visible(out, item->file);
            if (item->line > 0)
                text_add_format(out, ":%u:%u", item->line, item->column);
            text_add_string(out, ": ");
        }
        text_add_string(out, item->severity == SEVERITY_ERROR ? "error: " : "warning: ");
        text_add_visible(out, item->message);
        if (item->code != NULL)
            text_add_format(out, " [%s]", item->code);
        if (item->pointer[0] != '\0') {
            text_add_string(out, " (");
            text_add_visible(out, item->pointer);
            text_add_string(out, ")");
        }
        text_add_string(out, "\n");
    }
}

void problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        item_free(&problems->items[i]);
    free(problems->items);
    *problems = (struct problems){0};
}
