#include "tests/sandbox/call.h"

static int hex_value(char c)
{
    c = ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes into the arena; data is NULL when an escape is broken or memory is out. */
static struct span decode(struct call *call, struct span bytes, bool plus_is_space)
{
    char *out = arena_take(&call->arena, bytes.length + 1);
    size_t length = 0;

    for (size_t at = 0; out != NULL && at < bytes.length; at++) {
        char c = bytes.data[at];

        if (c == '%') {
            int high = at + 2 < bytes.length ? hex_value(bytes.data[at + 1]) : -1;
            int low = at + 2 < bytes.length ? hex_value(bytes.data[at + 2]) : -1;

            if (high < 0 || low < 0)
                return (struct span){NULL, 0};
            c = (char)(high * 16 + low);
            at += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[length++] = c;
    }
    if (out != NULL)
        out[length] = '\0';
    return (struct span){out, length};
}

/* Cuts off what stands before the mark and steps over it. */
static struct span cut(struct span *rest, char mark)
{
    const char *at = rest->length ? memchr(rest->data, mark, rest->length) : NULL;
    size_t length = at ? (size_t)(at - rest->data) : rest->length;
    size_t step = length + (at != NULL);
    struct span part = {rest->data, length};

    rest->data = rest->length ? rest->data + step : rest->data;
    rest->length -= step;
    return part;
}

static bool read_path(struct call *call, struct span path)
{
    if (path.length == 0 || path.data[0] != '/')
        return false;
    path.data++;
    path.length--;
    for (bool more = true; more;) {
        more = path.length > 0 && memchr(path.data, '/', path.length) != NULL;
        struct span segment = cut(&path, '/');

        /* More segments than any path of the API has: it is none of them. */
        if (call->segment_count == CALL_SEGMENTS)
            return true;
        if (memchr(segment.data, '%', segment.length) != NULL)
            segment = decode(call, segment, false);
        if (segment.data == NULL)
            return false;
        call->segments[call->segment_count++] = segment;
    }
    return true;
}

static bool read_query(struct call *call, struct span query)
{
    while (query.length > 0) {
        struct span value = cut(&query, '&');
        struct span name = cut(&value, '=');
        struct parameter *parameter = &call->parameters[call->parameter_count];

        if (call->parameter_count == CALL_PARAMETERS)
            return false;
        parameter->name = decode(call, name, true);
        parameter->value = decode(call, value, true);
        if (parameter->name.data == NULL || parameter->value.data == NULL)
            return false;
        call->parameter_count++;
    }
    return true;
}

bool call_read(struct call *call)
{
    struct span query = call->request->target;
    struct span path = cut(&query, '?');

    arena_init(&call->arena);
    if (read_path(call, path) && read_query(call, query))
        return true;
    answer_error(call->answer, 400, "The request target cannot be read.");
    return false;
}

void call_free(struct call *call)
{
    arena_reset(&call->arena);
}

struct span call_parameter(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->parameter_count; i++)
        if (span_is(call->parameters[i].name, name))
            return call->parameters[i].value;
    return (struct span){NULL, 0};
}

void call_refuse_parameter(struct call *call, const char *name, const char *detail)
{
    answer_problem(call->answer, 400, "parameter", span_of(name), detail);
}

void call_refuse_pointer(struct call *call, const char *pointer, const char *member, const char *detail)
{
    struct text full = {0};

    text_add_string(&full, pointer);
    text_add_string(&full, member ? "/" : "");
    for (; member != NULL && *member != '\0'; member++) /* RFC 6901 */
        if (*member == '~' || *member == '/')
            text_add_string(&full, *member == '~' ? "~0" : "~1");
        else
            text_add(&full, member, 1);
    answer_problem(call->answer, 400, "pointer", (struct span){full.data, full.length}, detail);
    text_free(&full);
}

void *call_find(struct call *call, const struct shelf *shelf)
{
    void *record = shelf_find(shelf, call->id);

    if (record == NULL)
        answer_error(call->answer, 404, "There is no such resource in the organization.");
    return record;
}

void call_add_member(struct call *call, const char *member, const char *value)
{
    struct text *body = &call->answer->body;

    text_add_string(body, member);
    if (value == NULL || *value == '\0')
        text_add_string(body, "null");
    else
        text_add_json(body, span_of(value));
}

/* The media type without its parameters. */
static bool is_json(struct span type)
{
    const char *end = type.length ? memchr(type.data, ';', type.length) : NULL;
    struct span name = {type.data, end ? (size_t)(end - type.data) : type.length};

    while (name.length > 0 && name.data[name.length - 1] == ' ')
        name.length--;
    return span_equal_nocase(name, span_of(JSON_API_TYPE)) ||
           span_equal_nocase(name, span_of("application/json"));
}

json_t *call_body(struct call *call, void check(struct call *, json_t *body))
{
    struct span bytes = call->request->body;
    json_error_t error;

    if (!is_json(http_field(call->request, "content-type"))) {
        answer_error(call->answer, 400, "The content type must be " JSON_API_TYPE ".");
        return NULL;
    }
    json_t *body = json_loadb(bytes.data ? bytes.data : "", bytes.length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(body)) {
        answer_error(call->answer, 400, "The body is no JSON object.");
        json_decref(body);
        return NULL;
    }
    check(call, body);
    if (call->answer->problems == 0)
        return body;
    json_decref(body);
    return NULL;
}

void call_add_path(const struct call *call, struct text *out)
{
    text_add_string(out, call->link_base);
    for (size_t i = 0; i < call->segment_count; i++) {
        text_add_string(out, "/");
        text_add(out, call->segments[i].data, call->segments[i].length);
    }
}

void call_add_version(const struct call *call, struct text *out)
{
    struct span version = call_parameter(call, "version");

    text_add_string(out, "?version=");
    text_add(out, version.data, version.length);
}

void call_add_self(struct call *call, const char *id)
{
    struct text *body = &call->answer->body;

    text_add_string(body, ",\"links\":{\"self\":\"");
    call_add_path(call, body);
    text_add_string(body, id ? "/" : "");
    text_add_string(body, id ? id : "");
    call_add_version(call, body);
    text_add_string(body, "\"}");
}
