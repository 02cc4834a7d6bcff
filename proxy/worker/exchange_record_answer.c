/* The upstream's answer as the journal is told of it, where the policy asks for that. */
#include "proxy/audit/keys.h"
#include "proxy/audit/record.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

#define ANSWER_SHOWN (64 * 1024) /* of a longer one, only length and digest are recorded */

/* The answer with its secrets masked: by their names, since the contract describes no answers. false when it
 * cannot be shown. */
static bool mask_answer(const struct exchange *exchange, struct span body, struct text *masked)
{
    struct json_fault fault;

    if (!exchange->json || body.length > ANSWER_SHOWN)
        return false;
    json_t *value = json_read_strict(body, DOCUMENT_DEPTH, &fault);
    if (value == NULL)
        return false;
    schema_write_masked(NULL, value, audit_key_mask, exchange->worker->service->key, masked);
    json_decref(value);
    return !masked->failed && masked->length <= ANSWER_SHOWN;
}

void exchange_add_answer(const struct exchange *exchange, struct record_fields *fields,
                         struct answer_texts *texts)
{
    struct span body = {exchange->body.data, exchange->body.length};

    if (!exchange->answered)
        return;
    if (!exchange->holding) { /* it was passed on while it came: there is nothing left to look at */
        if (exchange->bytes > 0)
            fields->answer_bytes = record_number(exchange->bytes);
        return;
    }
    if (body.length == 0)
        return;
    if (mask_answer(exchange, body, &texts->masked)) {
        fields->answer = (struct span){texts->masked.data, texts->masked.length};
        return;
    }
    fields->answer_bytes = record_number(body.length);
    audit_key_mask(exchange->worker->service->key, body, &texts->digest);
    if (!texts->digest.failed)
        fields->answer_digest = (struct span){texts->digest.data, texts->digest.length};
}

void exchange_free_answer(struct answer_texts *texts)
{
    text_free(&texts->masked);
    text_free(&texts->digest);
}
