#include "proxy/upstream/message.h"
#include "proxy/upstream/octets.h"

#include <stdio.h>

#define OURS(NAME)                                                                                           \
    NAME("host")                                                                                             \
    NAME("content-length")                                                                                   \
    NAME("connection") NAME("transfer-encoding") NAME("expect") NAME("upgrade") NAME("te") NAME("trailer")
static const struct span_set ours = SPAN_SET(OURS);

#define HOP(NAME)                                                                                            \
    NAME("connection")                                                                                       \
    NAME("keep-alive")                                                                                       \
    NAME("proxy-authenticate")                                                                               \
    NAME("proxy-authentication-info")                                                                        \
    NAME("proxy-connection")                                                                                 \
    NAME("te") NAME("trailer") NAME("transfer-encoding") NAME("upgrade") NAME("content-length")
static const struct span_set hop = SPAN_SET(HOP);

#define WITH_CONTENT(NAME) NAME("post") NAME("put") NAME("patch")
static const struct span_set with_content = SPAN_SET(WITH_CONTENT);

static bool is_among(const struct span_set *set, struct span name)
{
    return span_set_find(set, name) < set->count;
}

static bool is_origin_form(struct span target)
{
    if (target.length == 0 || target.data[0] != '/')
        return false;
    for (size_t i = 0; i < target.length; i++)
        if (target.data[i] <= ' ' || target.data[i] > '~')
            return false;
    return true;
}

bool message_is_safe(const struct upstream_request *request)
{
    if (!octets_are_token(span_of(request->method)) || !is_origin_form(request->target))
        return false;
    for (size_t i = 0; i < request->field_count; i++) {
        const struct field *field = &request->fields[i];
        if (!octets_are_token(field->name) || !octets_are_value(field->value) || is_among(&ours, field->name))
            return false;
    }
    return true;
}

/* Writes, or only counts while `at` is NULL. */
struct pen {
    char *at;
    size_t written;
};

static void put(struct pen *pen, struct span bytes)
{
    if (pen->at != NULL && bytes.length > 0)
        memcpy(pen->at + pen->written, bytes.data, bytes.length);
    pen->written += bytes.length;
}

static inline void put_string(struct pen *pen, const char *string)
{
    put(pen, span_of(string));
}

/* Methods that mean something with content say so even when there is none (RFC 9110 §8.6). */
static bool wants_length(const struct upstream_request *request)
{
    if (request->body.data != NULL)
        return true;
    return is_among(&with_content, span_of(request->method));
}

size_t message_write(char *out, const struct upstream_request *request, const char *authority)
{
    struct pen pen = {out, 0};
    put_string(&pen, request->method);
    put_string(&pen, " ");
    put(&pen, request->target);
    put_string(&pen, " HTTP/1.1\r\nHost: ");
    put_string(&pen, authority);
    put_string(&pen, "\r\n");
    for (size_t i = 0; i < request->field_count; i++) {
        put(&pen, request->fields[i].name);
        put_string(&pen, ": ");
        put(&pen, request->fields[i].value);
        put_string(&pen, "\r\n");
    }
    if (wants_length(request)) {
        char line[48];
        snprintf(line, sizeof(line), "Content-Length: %zu\r\n", request->body.length);
        put_string(&pen, line);
    }
    put_string(&pen, "\r\n");
    put(&pen, request->body);
    return pen.written;
}

static bool is_connection_field(struct span name)
{
    return span_equal_nocase(name, SPAN("connection"));
}

static bool is_named_by_connection(struct span name, const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_connection_field(fields[i].name))
            continue;
        struct span list = fields[i].value, item;
        while (octets_next_item(&list, &item))
            if (span_equal_nocase(item, name))
                return true;
    }
    return false;
}

size_t message_end_to_end(const struct field *fields, size_t count, struct field *out)
{
    bool named = false;
    for (size_t i = 0; i < count; i++)
        named = named || is_connection_field(fields[i].name);

    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_among(&hop, fields[i].name) &&
            !(named && is_named_by_connection(fields[i].name, fields, count)))
            out[kept++] = fields[i];
    return kept;
}
