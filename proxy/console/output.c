#include "proxy/console/output.h"

#include <stdarg.h>
#include <stdlib.h>

void output_text(FILE *stream, struct text *text)
{
    if (text->failed)
        output_fault("memory is out");
    for (size_t i = 0; !text->failed && i < text->length; i++) {
        unsigned char c = (unsigned char)text->data[i];
        (void)putc((c < 0x20 && c != '\n') || c == 0x7f ? '?' : c, stream);
    }
    text_free(text);
}

void output_fault(const char *format, ...)
{
    struct text line = {0};
    char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    text_add_format(&line, "portcullis: %s\n", message ? message : "memory is out");
    free(message);
    if (line.failed)
        (void)fputs("portcullis: memory is out\n", stderr);
    else
        output_text(stderr, &line);
}

void output_problems(const struct problems *problems)
{
    struct text lines = {0};

    problems_write(problems, &lines);
    output_text(stderr, &lines);
}

void problems_write_json(const struct problems *problems, struct text *out)
{
    text_add_string(out, "[");
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *item = &problems->items[i];

        text_add_format(out, "%s{\"severity\":\"%s\",\"code\":", i > 0 ? "," : "",
                        item->severity == SEVERITY_ERROR ? "error" : "warning");
        if (item->code == NULL)
            text_add_string(out, "null");
        else
            text_add_json(out, span_of(item->code));
        text_add_string(out, ",\"file\":");
        text_add_json(out, span_of(item->file));
        text_add_format(out, ",\"line\":%u,\"column\":%u,\"pointer\":", item->line, item->column);
        text_add_json(out, span_of(item->pointer));
        text_add_string(out, ",\"message\":");
        text_add_json(out, span_of(item->message));
        text_add_string(out, "}");
    }
    text_add_string(out, "]");
}
