/* Entity tags of the gate's own making (RFC 9110 §8.8.3): an HMAC over the canonical form of a resource, so
 * that they say nothing of it, and cannot be made up. */
#include "policies/permission.h"
#include "proxy/audit/keys.h"
#include "proxy/http/reply.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

#define TAG_DIGITS 32 /* of the HMAC's 64 */

void exchange_add_tag(const struct exchange *exchange, json_t *resource, struct text *tag)
{
    struct audit_key *key = exchange->worker->service->key;
    struct text form = {0}, mac = {0};

    if (resource == NULL)
        return;
    text_add_string(&form, "entity-tag\n");
    schema_write_masked(NULL, resource, audit_key_mask, key, &form);
    audit_key_mask(key, (struct span){form.data, form.length}, &mac);
    if (!form.failed && !mac.failed && mac.length > TAG_DIGITS) {
        text_add(tag, "\"", 1);
        text_add(tag, mac.data + mac.length - TAG_DIGITS, TAG_DIGITS);
        text_add(tag, "\"", 1);
    }
    text_free(&form);
    text_free(&mac);
}

static permission_set allowed(const struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;

    return policy_access(ruleset_policy(exchange->ruleset), decision->principal, decision->listed,
                         exchange->request.now)
        .allowed;
}

bool exchange_may(const struct exchange *exchange, const char *permission)
{
    permission_set asked = permission_named(span_of(permission));

    return (allowed(exchange) & asked) == asked;
}

/* Only who may change an integration, in one way or another, can make use of its tag. */
static bool may_change(const struct exchange *exchange)
{
    return (allowed(exchange) & permission_named(SPAN("org.integration.edit"))) != 0;
}

void exchange_tag_answer(struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;
    struct json_fault fault;
    struct text tag = {0};

    if (!exchange->json || exchange->upstream_status != 200 || decision->resource.length == 0 ||
        decision->operation->effect != EFFECT_READ || !may_change(exchange))
        return;
    json_t *document =
        json_read_strict((struct span){exchange->body.data, exchange->body.length}, DOCUMENT_DEPTH, &fault);
    exchange_add_tag(exchange, json_object_get(document, "data"), &tag);
    if (!tag.failed && tag.length > 0)
        reply_field(&exchange->head, SPAN("etag"), (struct span){tag.data, tag.length});
    json_decref(document);
    text_free(&tag);
}
