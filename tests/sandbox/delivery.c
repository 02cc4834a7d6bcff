#include "tests/sandbox/delivery.h"

#include "tests/sandbox/status.h"

#define CHUNKS 4u /* at most, in a chunked answer that is not streamed */

static const struct fault no_fault;

static void add_fields(struct text *out, json_t *fields)
{
    const char *name;
    json_t *value;

    json_object_foreach (fields, name, value) {
        text_add_string(out, name);
        text_add_string(out, ": ");
        text_add(out, json_string_value(value), json_string_length(value));
        text_add_string(out, "\r\n");
    }
}

static void add_status_line(struct text *out, int status)
{
    text_add_string(out, "HTTP/1.1 ");
    text_add_number(out, (uint64_t)status);
    text_add_string(out, " ");
    text_add_string(out, status_reason(status));
    text_add_string(out, "\r\n");
}

/* Spaces before the last byte, so that the JSON stays what it was. */
static void pad(struct text *body, uint64_t size)
{
    if (body->length == 0 || body->length >= size || !text_reserve(body, (size_t)size - body->length))
        return;
    char last = body->data[body->length - 1];
    memset(body->data + body->length - 1, ' ', (size_t)size - body->length);
    body->length = (size_t)size;
    body->data[size - 1] = last;
    body->data[size] = '\0';
}

static void change_answer(struct answer *answer, const struct fault *fault)
{
    if (fault->body.data != NULL) {
        text_clear(&answer->body);
        text_add(&answer->body, fault->body.data, fault->body.length);
    }
    if (fault->body.data != NULL && answer->content_type == NULL)
        answer->content_type = JSON_API_TYPE;
    if (fault->large_body > 0) {
        text_clear(&answer->body);
        answer->content_type = "text/plain";
    }
    if (fault->content_type != NULL)
        answer->content_type = fault->content_type;
    if (fault->oversize > 0)
        pad(&answer->body, fault->oversize);
}

static void add_framing(struct text *out, const struct answer *answer, const struct fault *fault)
{
    uint64_t length = fault->large_body > 0 ? fault->large_body : answer->body.length;

    if (fault->chunked) {
        text_add_string(out, "transfer-encoding: chunked\r\n");
    } else if (!fault->until_close) {
        length += fault->truncate;
        if (length == 0 && (answer->status == 204 || answer->status == 304))
            return;
        text_add_string(out, "content-length: ");
        text_add_number(out, length);
        text_add_string(out, "\r\n");
    }
}

static void add_head(struct text *out, const struct http_request *request, const struct answer *answer,
                     const struct fault *fault, const char *date)
{
    add_status_line(out, answer->status);
    text_add_string(out, "server: portcullis-sandbox (a stand-in for testing)\r\ndate: ");
    text_add_string(out, date);
    text_add_string(out, "\r\n");
    if (answer->content_type != NULL) {
        text_add_string(out, "content-type: ");
        text_add_string(out, answer->content_type);
        text_add_string(out, "\r\n");
    }
    if (fault->encoding != NULL) {
        text_add_string(out, "content-encoding: ");
        text_add_string(out, fault->encoding);
        text_add_string(out, "\r\n");
    }
    text_add(out, answer->fields.data, answer->fields.length);
    add_fields(out, fault->fields);
    add_framing(out, answer, fault);
    if (!request->keep_alive || fault->until_close)
        text_add_string(out, "connection: close\r\n");
    else if (request->minor == 0)
        text_add_string(out, "connection: keep-alive\r\n");
    text_add_string(out, "\r\n");
}

static void add_chunks(struct text *out, struct span body, const struct fault *fault)
{
    size_t piece = body.length / CHUNKS + 1;

    while (body.length > 0) {
        size_t length = body.length < piece ? body.length : piece;

        text_add_format(out, "%zx\r\n", length);
        text_add(out, body.data, length);
        text_add_string(out, "\r\n");
        body = (struct span){body.data + length, body.length - length};
    }
    if (fault->truncate > 0)
        return;
    text_add_string(out, "0\r\n");
    add_fields(out, fault->trailers);
    text_add_string(out, "\r\n");
}

static void add_body(struct delivery *delivery, const struct answer *answer, const struct fault *fault)
{
    if (fault->large_body > 0) {
        delivery->stream = fault->large_body;
        delivery->stream_chunked = fault->chunked;
        delivery->stream_tail = fault->chunked && fault->truncate == 0 ? "0\r\n\r\n" : "";
    } else if (fault->chunked) {
        add_chunks(&delivery->bytes, (struct span){answer->body.data, answer->body.length}, fault);
    } else {
        text_add(&delivery->bytes, answer->body.data, answer->body.length);
    }
}

/* Where a close in the middle falls. */
static void halve(struct delivery *delivery)
{
    if (delivery->stream > 0) {
        delivery->stream /= 2;
        delivery->stream_tail = "";
    } else {
        delivery->bytes.length /= 2;
    }
}

static enum delivery_end find_end(const struct http_request *request, const struct fault *fault)
{
    if (fault->reset)
        return END_RESET;
    if (fault->close != CLOSE_NEVER || fault->truncate > 0)
        return END_CUT;
    return request->keep_alive && !fault->until_close ? END_KEEP : END_FINISH;
}

void delivery_plan(struct delivery *delivery, const struct http_request *request, struct answer *answer,
                   const struct fault *fault, const char *date)
{
    if (fault == NULL)
        fault = &no_fault;
    delivery->delay_ms = fault->delay_ms;
    delivery->drip_ms = fault->drip_ms;
    delivery->end = find_end(request, fault);
    if (fault->interim > 0) {
        add_status_line(&delivery->interim, (int)fault->interim);
        text_add_string(&delivery->interim, "\r\n");
    }
    if (fault_is_silent(fault))
        return;
    if (fault->raw.data != NULL) {
        text_add(&delivery->bytes, fault->raw.data, fault->raw.length);
    } else {
        change_answer(answer, fault);
        add_head(&delivery->bytes, request, answer, fault, date);
        if (!span_is(request->method, "HEAD"))
            add_body(delivery, answer, fault);
        text_add(&delivery->bytes, fault->surplus.data, fault->surplus.length);
    }
    if (fault->close == CLOSE_MIDDLE)
        halve(delivery);
    if (delivery->bytes.failed || delivery->interim.failed || answer->body.failed)
        delivery->end = END_CUT;
}

void delivery_clear(struct delivery *delivery)
{
    const size_t keep = 65536;

    text_clear(&delivery->interim);
    if (delivery->bytes.capacity > keep)
        text_free(&delivery->bytes);
    else
        text_clear(&delivery->bytes);
    delivery->stream = 0;
    delivery->stream_chunked = false;
    delivery->stream_tail = "";
}

void delivery_free(struct delivery *delivery)
{
    text_free(&delivery->interim);
    text_free(&delivery->bytes);
}
