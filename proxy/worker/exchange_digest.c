#include "proxy/worker/exchange_digest.h"

#include "proxy/audit/keys.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

#define FORM_USUAL 400 /* bytes of what is digested, but for the body */

/* The digest of the form, which is freed. */
static struct span digest(struct exchange *exchange, struct text *form)
{
    struct text mac = {0};
    struct span kept = {NULL, 0};

    audit_key_mask(exchange->worker->service->key, (struct span){form->data, form->length}, &mac);
    if (!form->failed && !mac.failed)
        kept = arena_copy(&exchange->arena, (struct span){mac.data, mac.length});
    text_free(form);
    text_free(&mac);
    return kept;
}

/* A part with its length before it: no two lists of parts make the same form. */
static void add_part(struct text *form, struct span part)
{
    text_add_number(form, part.length);
    text_add(form, ":", 1);
    text_add(form, part.data, part.length);
}

struct span exchange_digest_request(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    struct text form = {0};
    struct span body;

    if (exchange->request_digest.data != NULL || decision->principal == NULL || decision->operation == NULL)
        return exchange->request_digest;
    if (!exchange_mask_body(exchange, &body))
        return exchange->request_digest;
    (void)text_reserve(&form, FORM_USUAL + body.length);
    text_add_string(&form, "request\n");
    add_part(&form, span_of(decision->principal->name));
    add_part(&form, span_of(decision->operation->id));
    add_part(&form, decision->organization);
    add_part(&form, decision->resource);
    add_part(&form, span_of(decision->operation->method));
    add_part(&form, decision->forward);
    text_add(&form, body.data, body.length); /* equal secrets have equal masks */
    exchange->request_digest = digest(exchange, &form);
    return exchange->request_digest;
}

struct span exchange_digest_key(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    struct text form = {0};

    text_add_string(&form, "key\n");
    add_part(&form, span_of(decision->principal->name));
    add_part(&form, decision->orders.key);
    return digest(exchange, &form);
}

struct span exchange_digest_facts(struct exchange *exchange)
{
    struct text form = {0};

    text_add_string(&form, "facts\n");
    if (exchange->survey != NULL)
        survey_write_before(exchange->survey, audit_key_mask, exchange->worker->service->key, &form);
    return digest(exchange, &form);
}
