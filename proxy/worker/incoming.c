#include "proxy/worker/incoming.h"

#include "proxy/http/header_view.h"
#include "proxy/worker/worker.h"

#include <event2/buffer.h>
#include <stdlib.h>

#define HEADER_KEPT 4096 /* memory that an idle one keeps for the next header */

struct incoming *incoming_take(struct worker *worker)
{
    const struct config *config = worker->service->config;
    const struct wire_limits limits = {
        .header_bytes = config->limits.header_bytes,
        .header_fields = config->limits.header_fields,
        .target_bytes = config->limits.target_bytes,
        .body_bytes = config->limits.body_bytes,
    };
    struct incoming *incoming = SLIST_FIRST(&worker->idle_incoming);

    if (incoming != NULL)
        SLIST_REMOVE_HEAD(&worker->idle_incoming, idle);
    else if ((incoming = calloc(1, sizeof *incoming)) == NULL)
        return NULL;
    wire_begin(&incoming->wire, &limits);
    incoming->began_us = incoming->total_us = 0;
    incoming->fault = NULL;
    return incoming;
}

void incoming_give_back(struct worker *worker, struct incoming *incoming)
{
    if (incoming == NULL)
        return;
    incoming_drop_content(incoming);
    if (incoming->header.data != NULL)
        explicit_bzero(incoming->header.data, incoming->header.length);
    if (incoming->header.capacity > HEADER_KEPT)
        text_free(&incoming->header);
    else
        text_clear(&incoming->header);
    SLIST_INSERT_HEAD(&worker->idle_incoming, incoming, idle);
}

void incoming_drop_content(struct incoming *incoming)
{
    if (incoming->content != NULL)
        (void)evbuffer_drain(incoming->content, evbuffer_get_length(incoming->content));
}

void incoming_free_idle(struct worker *worker)
{
    struct incoming *incoming;

    while ((incoming = SLIST_FIRST(&worker->idle_incoming)) != NULL) {
        SLIST_REMOVE_HEAD(&worker->idle_incoming, idle);
        text_free(&incoming->header);
        if (incoming->content != NULL)
            evbuffer_free(incoming->content);
        free(incoming);
    }
}

/* Cuts a line with its end off the front. */
static struct span cut_line(struct span *rest)
{
    const char *end = memchr(rest->data, '\n', rest->length);
    struct span line = {rest->data, end != NULL ? (size_t)(end - rest->data) + 1 : rest->length};

    *rest = (struct span){line.data + line.length, rest->length - line.length};
    return line;
}

static bool frames_content(struct span line)
{
    static const struct span framing[] = {SPAN_INIT("content-length:"), SPAN_INIT("transfer-encoding:")};

    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
        if (line.length > framing[i].length &&
            span_equal_nocase((struct span){line.data, framing[i].length}, framing[i]))
            return true;
    return false;
}

bool incoming_show(const struct incoming *incoming, struct evbuffer *evhttp)
{
    struct span rest = {incoming->header.data, incoming->header.length}, line = cut_line(&rest);
    bool added = evbuffer_add(evhttp, line.data, line.length) == 0;

    while (added && wire_has_content(&incoming->wire) && rest.length > 0) {
        line = cut_line(&rest);
        added = !frames_content(line) || evbuffer_add(evhttp, line.data, line.length) == 0;
    }
    return added && evbuffer_add(evhttp, "\r\n", 2) == 0;
}

bool incoming_is(const struct incoming *incoming, const char *method, const char *target, size_t content)
{
    struct span our_method, our_target;

    return header_request_line((struct span){incoming->header.data, incoming->header.length}, &our_method,
                               &our_target) &&
           span_is(our_method, method) && span_is(our_target, target) &&
           content == wire_content_read(&incoming->wire);
}
