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
    text_free(&texts->replay);
}

static struct span span_of_text(const struct text *text)
{
    return text->failed ? (struct span){NULL, 0} : (struct span){text->data, text->length};
}

void exchange_add_survey(const struct exchange *exchange, struct record_fields *fields,
                         struct survey_texts *texts)
{
    const struct survey *survey = exchange->survey;

    if (survey == NULL)
        return;
    if (survey->integration != NULL) {
        survey_write_before(survey, audit_key_mask, exchange->worker->service->key, &texts->before);
        fields->before = span_of_text(&texts->before);
    }
    if (((survey->facts.had | survey->facts.failed) & FACT_RADIUS) != 0) {
        survey_write_radius(survey, &texts->radius);
        fields->radius = span_of_text(&texts->radius);
    }
}

void exchange_add_update(const struct exchange *exchange, struct record_fields *fields,
                         struct survey_texts *texts)
{
    const struct survey *survey = exchange->survey;
    struct json_fault fault;

    if (survey == NULL || survey->integration == NULL || !exchange->answered || !exchange->json ||
        exchange->upstream_status != 200 || exchange->decision.operation->effect != EFFECT_UPDATE)
        return;
    json_t *document =
        json_read_strict((struct span){exchange->body.data, exchange->body.length}, DOCUMENT_DEPTH, &fault);
    json_t *after = json_object_get(document, "data");
    const char *type = json_string_value(json_object_get(survey->integration, "type"));
    const char *type_after = json_string_value(json_object_get(after, "type"));
    /* An answer about the settings is compared with the settings. */
    bool same = type != NULL && type_after != NULL && strcmp(type, type_after) == 0;
    json_t *before = same ? survey->integration : survey->settings;

    if (json_is_object(after) && json_is_object(json_object_get(after, "attributes"))) {
        schema_write_masked(NULL, after, audit_key_mask, exchange->worker->service->key, &texts->after);
        survey_write_changed(json_object_get(before, "attributes"), json_object_get(after, "attributes"),
                             &texts->changed);
        fields->after = span_of_text(&texts->after);
        fields->changed = span_of_text(&texts->changed);
    }
    json_decref(document);
}

void exchange_free_survey(struct survey_texts *texts)
{
    text_free(&texts->before);
    text_free(&texts->radius);
    text_free(&texts->after);
    text_free(&texts->changed);
}
