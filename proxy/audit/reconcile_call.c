#include "proxy/audit/reconcile_call.h"

#include "policies/text.h"
#include "proxy/audit/reconcile_reading.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/http/reply.h"

#include <stdlib.h>

struct reconcile_call {
    struct upstream_call *call;
    reconcile_call_done *done;
    void *arg;
    size_t bound;
    struct text body;
    int status;
    int64_t wait_s;
};

/* Tells the owner, and is gone. */
static void finish(struct reconcile_call *call, const char *failure)
{
    const struct reconcile_answer answer = {
        .status = failure == NULL ? call->status : 0,
        .body = {call->body.data, call->body.length},
        .wait_s = call->wait_s,
        .failure = failure,
    };

    call->done(call->arg, &answer);
    text_free(&call->body);
    free(call);
}

/* The answer is of no use: the rest of it is not waited for. */
static void reject(struct reconcile_call *call, const char *failure)
{
    upstream_cancel(call->call);
    finish(call, failure);
}

static void on_head(void *arg, const struct upstream_answer *answer)
{
    struct reconcile_call *call = arg;
    bool json = false, coded = false;

    call->status = answer->status;
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct field *field = &answer->fields[i];
        if (span_equal_nocase(field->name, span_of("content-type")))
            json = reply_is_json(field->value);
        else if (span_equal_nocase(field->name, span_of("content-encoding")))
            coded = coded || !span_equal_nocase(field->value, span_of("identity"));
        else if (span_equal_nocase(field->name, span_of("retry-after")))
            call->wait_s = reading_retry_after(field->value, clock_now_us() / 1000000);
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
    struct reconcile_call *call = arg;

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
    finish(arg, NULL);
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
        log_event(LOG_WARNING, "reconcile", "%s (%lu more such events not shown)", detail, suppressed);
    finish(arg, kinds[failure]);
}

struct reconcile_call *reconcile_call_start(struct upstream *upstream, struct span credential,
                                            struct span target, size_t bound, reconcile_call_done *done,
                                            void *arg)
{
    static const struct upstream_events events = {
        .head = on_head, .body = on_body, .end = on_end, .fail = on_fail};
    const struct field fields[] = {
        {span_of("Authorization"), credential},
        {span_of("Accept"), span_of("application/vnd.api+json")},
        {span_of("Accept-Encoding"), span_of("identity")},
        {span_of("User-Agent"), span_of("portcullis/" PORTCULLIS_VERSION)},
    };
    const struct upstream_request request = {
        .method = "GET",
        .target = target,
        .fields = fields,
        .field_count = sizeof fields / sizeof *fields,
        .idempotent = true,
    };
    struct reconcile_call *call = calloc(1, sizeof *call);

    if (call == NULL)
        return NULL;
    *call = (struct reconcile_call){.done = done, .arg = arg, .bound = bound, .wait_s = -1};
    call->call = upstream_start(upstream, &request, &events, call);
    if (call->call == NULL) {
        free(call);
        return NULL;
    }
    return call;
}

void reconcile_call_cancel(struct reconcile_call *call)
{
    if (call == NULL)
        return;
    upstream_cancel(call->call);
    text_free(&call->body);
    free(call);
}
