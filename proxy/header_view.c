#include "proxy/header_view.h"

/* Cuts a line off the front; data NULL when there is no whole one. */
static struct span next_line(struct span *bytes)
{
    const char *end = bytes->length > 0 ? memmem(bytes->data, bytes->length, "\r\n", 2) : NULL;

    if (end == NULL)
        return (struct span){NULL, 0};
    struct span line = {bytes->data, (size_t)(end - bytes->data)};
    bytes->length -= line.length + 2;
    bytes->data = end + 2;
    return line;
}

/* Cuts at the first `mark`; false when there is none. */
static bool split(struct span text, char mark, struct span *before, struct span *after)
{
    const char *at = text.length > 0 ? memchr(text.data, mark, text.length) : NULL;

    if (at == NULL)
        return false;
    *before = (struct span){text.data, (size_t)(at - text.data)};
    *after = (struct span){at + 1, text.length - before->length - 1};
    return true;
}

static size_t count_lines(struct span bytes)
{
    size_t count = 0;

    for (struct span line = next_line(&bytes); line.length > 0; line = next_line(&bytes))
        count++;
    return count;
}

bool header_view(struct span bytes, struct arena *arena, struct request *request)
{
    struct span line = next_line(&bytes), rest;
    struct field *fields = arena_take(arena, (count_lines(bytes) + 1) * sizeof *fields);
    size_t count = 0;

    if (line.data == NULL || fields == NULL || !split(line, ' ', &request->method, &rest) ||
        !split(rest, ' ', &request->target, &rest))
        return false;
    for (line = next_line(&bytes); line.length > 0; line = next_line(&bytes)) {
        if (!split(line, ':', &fields[count].name, &fields[count].value))
            return false;
        fields[count].value = span_trim(fields[count].value);
        count++;
    }
    request->fields = fields;
    request->field_count = count;
    return line.data != NULL;
}
