#include "proxy/upstream/collect.h"

#include "policies/text.h"
#include "proxy/base/log.h"
#include "proxy/http/reply.h"

#include <stdlib.h>

#define RETRY_AFTER 40 /* a date has 29 bytes */

struct collect_call {
    struct upstream_call *call;
    collect_done *done;
    void *arg;
    size_t bound;
    struct text body;
    int status;
    char retry_after[RETRY_AFTER];
    size_t retry_after_length;
};

static void release(struct collect_call *call)
{
    if (call->body.data != NULL)
        explicit_bzero(call->body.data, call->body.length);
    text_free(&call->body);
    free(call);
}

/* Tells the owner, and is gone. */
static void finish(struct collect_call *call, const char *failure, enum upstream_failure kind)
{
    const struct collect_answer answer = {
        .status = failure == NULL ? call->status : 0,
        .body = {call->body.data, call->body.length},
        .retry_after = {call->retry_after_length > 0 ? call->retry_after : NULL, call->retry_after_length},
        .failure = failure,
        .kind = kind,
    };

    call->done(call->arg, &answer);
    release(call);
}

/* The answer is of no use: the rest of it is not waited for. */
static void reject(struct collect_call *call, const char *failure)
{
    upstream_cancel(call->call);
    finish(call, failure, UPSTREAM_INVALID);
}

static void note_retry_after(struct collect_call *call, struct span value)
{
    if (value.length > sizeof call->retry_after)
        return; /* it is no number and no date */
    memcpy(call->retry_after, value.data, value.length);
    call->retry_after_length = value.length;
}

static void on_head(void *arg, const struct upstream_answer *answer)
{
    struct collect_call *call = arg;
    bool json = false, coded = false;

    call->status = answer->status;
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct field *field = &answer->fields[i];
        if (span_equal_nocase(field->name, span_of("content-type")))
            json = reply_is_json(field->value);
        else if (span_equal_nocase(field->name, span_of("content-encoding")))
            coded = coded || !span_equal_nocase(field->value, span_of("identity"));
        else if (span_equal_nocase(field->name, span_of("retry-after")))
            note_retry_after(call, field->value);
    }
    if (answer->status != 200)
        return;
    if (!json || coded)
        reject(call, "the answer is not JSON, or has a content coding");
    else if (answer->length > (int64_t)call->bound)
        reject(call, "the answer is larger than the gate may hold (upstream.json_bytes)");
}

static void on_body(void *arg, struct span piece)
{
    struct collect_call *call = arg;

    if (call->status != 200)
        return;
    if (piece.length > call->bound - call->body.length) {
        reject(call, "the answer is larger than the gate may hold (upstream.json_bytes)");
        return;
    }
    text_add(&call->body, piece.data, piece.length);
    if (call->body.failed)
        reject(call, "memory is out");
}

static void on_end(void *arg)
{
    finish(arg, NULL, UPSTREAM_INVALID);
}

/* The record says of which kind it was, the operational log what it was. */
static void on_fail(void *arg, enum upstream_failure failure, const char *detail, bool sent)
{
    static const char *const kinds[] = {
        [UPSTREAM_UNREACHABLE] = "the API cannot be reached",
        [UPSTREAM_UNTRUSTED] = "the API's TLS certificate or protocol is not trusted",
        [UPSTREAM_CLOSED] = "the API closed the connection before its answer was whole",
        [UPSTREAM_INVALID] = "the API's answer breaks HTTP's grammar",
        [UPSTREAM_TIMEOUT] = "the API did not answer in time",
        [UPSTREAM_OVERLOADED] = "there was no connection to the API to be had",
    };
    static struct log_limit limit;
    unsigned long suppressed = 0;
    (void)sent;

    if (log_allow(&limit, 1, &suppressed))
        log_event(LOG_WARNING, "upstream-asked", "%s (%lu more such events not shown)", detail, suppressed);
    finish(arg, kinds[failure], failure);
}

struct collect_call *collect_start(struct upstream *upstream, const struct collect_request *asked,
                                   collect_done *done, void *arg)
{
    static const struct upstream_events events = {
        .head = on_head, .body = on_body, .end = on_end, .fail = on_fail};
    struct field fields[4 + COLLECT_FIELDS] = {
        {span_of("Authorization"), asked->credential},
        {span_of("Accept"), span_of("application/vnd.api+json")},
        {span_of("Accept-Encoding"), span_of("identity")},
        {span_of("User-Agent"), span_of("portcullis/" PORTCULLIS_VERSION)},
    };
    size_t more = asked->field_count < COLLECT_FIELDS ? asked->field_count : COLLECT_FIELDS;
    const struct upstream_request request = {
        .method = "GET",
        .target = asked->target,
        .fields = fields,
        .field_count = 4 + more,
        .due_us = asked->due_us,
        .idempotent = true,
        .owner = asked->owner,
    };
    struct collect_call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    if (more > 0)
        memcpy(fields + 4, asked->fields, more * sizeof *fields);
    *call = (struct collect_call){.done = done, .arg = arg, .bound = asked->bound};
    call->call = upstream_start(upstream, &request, &events, call);
    if (call->call == NULL) {
        free(call);
        return NULL;
    }
    return call;
}

void collect_cancel(struct collect_call *call)
{
    if (call == NULL)
        return;
    upstream_cancel(call->call);
    release(call);
}
