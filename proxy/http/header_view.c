#include "proxy/http/header_view.h"

#include "policies/fields.h"

/* Cuts a line off the front, without its end; data NULL when there is no whole one. */
static struct span next_line(struct span *bytes)
{
    const char *end = bytes->length > 0 ? memchr(bytes->data, '\n', bytes->length) : NULL;

    if (end == NULL || end == bytes->data || end[-1] != '\r')
        return (struct span){NULL, 0};
    struct span line = {bytes->data, (size_t)(end - bytes->data) - 1};
    bytes->length -= line.length + 2;
    bytes->data = end + 1;
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

static bool read_request_line(struct span *bytes, struct span *method, struct span *target)
{
    struct span rest;

    return split(next_line(bytes), ' ', method, &rest) && split(rest, ' ', target, &rest);
}

bool header_request_line(struct span bytes, struct span *method, struct span *target)
{
    return read_request_line(&bytes, method, target);
}

bool header_view(struct span bytes, size_t field_count, struct arena *arena, struct request *request)
{
    struct field *fields = arena_take(arena, (field_count + 1) * sizeof *fields);
    const struct field_row **rows = arena_take(arena, (field_count + 1) * sizeof(struct field_row *));

    if (fields == NULL || rows == NULL || !read_request_line(&bytes, &request->method, &request->target))
        return false;
    for (size_t i = 0; i < field_count; i++) {
        if (!split(next_line(&bytes), ':', &fields[i].name, &fields[i].value))
            return false;
        fields[i].value = span_trim(fields[i].value);
        rows[i] = field_row(fields[i].name);
    }
    struct span last = next_line(&bytes);
    if (last.data == NULL || last.length > 0)
        return false;
    request->fields = fields;
    request->rows = rows;
    request->field_count = field_count;
    return true;
}
