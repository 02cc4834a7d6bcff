#include "proxy/audit/recovery.h"

#include "proxy/clock.h"

bool intents_init(struct intents *intents)
{
    intents->open = json_object();
    return intents->open != NULL;
}

void intents_free(struct intents *intents)
{
    json_decref(intents->open);
    intents->open = NULL;
}

/* What a `reconciled` record repeats of its intent. */
static const struct {
    const char *name;
    size_t offset; /* in struct record_fields */
} repeated[] = {
    {"operation", offsetof(struct record_fields, operation)},
    {"organization", offsetof(struct record_fields, organization)},
    {"principal", offsetof(struct record_fields, principal)},
    {"resource", offsetof(struct record_fields, resource)},
};

#define REPEATED (sizeof repeated / sizeof *repeated)

static bool remember(struct intents *intents, const char *request_id, json_t *record)
{
    json_t *kept = json_object();

    if (kept == NULL)
        return false;
    for (size_t i = 0; i < REPEATED; i++) {
        json_t *value = json_object_get(record, repeated[i].name);

        if (value != NULL && json_object_set(kept, repeated[i].name, value) != 0) {
            json_decref(kept);
            return false;
        }
    }
    return json_object_set_new(intents->open, request_id, kept) == 0;
}

/* Does the record settle its mutation? An outcome that is not known does not. */
static bool ends(const char *stage, const json_t *record)
{
    const char *result = json_string_value(json_object_get(record, "result"));

    if (stage == NULL)
        return false;
    return strcmp(stage, "reconciled") == 0 ||
           (strcmp(stage, "outcome") == 0 && (result == NULL || strcmp(result, "unknown") != 0));
}

/* One line of the journal, parsed. *request_id is NULL for a record of another kind. */
static json_t *read_line(struct span line, const char **request_id, bool *begins)
{
    json_t *record = json_loadb(line.data, line.length, JSON_ALLOW_NUL, NULL);
    const char *stage = json_string_value(json_object_get(record, "stage"));

    *begins = stage != NULL && strcmp(stage, "intent") == 0;
    *request_id = NULL;
    if (*begins || ends(stage, record))
        *request_id = json_string_value(json_object_get(record, "request_id"));
    return record;
}

bool intents_note(struct intents *intents, struct span line)
{
    const char *request_id;
    bool begins, noted = true;
    json_t *record = read_line(line, &request_id, &begins);

    if (request_id != NULL && begins)
        noted = remember(intents, request_id, record);
    else if (request_id != NULL)
        json_object_del(intents->open, request_id);
    json_decref(record);
    return noted;
}

void intents_end(struct intents *intents, struct span line)
{
    const char *request_id;
    bool begins;
    json_t *record = read_line(line, &request_id, &begins);

    if (request_id != NULL && !begins)
        json_object_del(intents->open, request_id);
    json_decref(record);
}

bool intents_reconcile(const struct intents *intents, const char *result, struct entry_list *list)
{
    const char *request_id;
    json_t *kept;

    json_object_foreach (intents->open, request_id, kept) {
        struct record_fields fields = {
            .stage = STAGE_RECONCILED,
            .time_us = clock_now_us(),
            .request_id = span_of(request_id),
            .result = span_of(result),
        };

        for (size_t i = 0; i < REPEATED; i++) {
            json_t *value = json_object_get(kept, repeated[i].name);
            struct span *field = (struct span *)(void *)((char *)&fields + repeated[i].offset);

            if (json_is_string(value))
                *field = (struct span){json_string_value(value), json_string_length(value)};
        }
        if (!entry_add(list, &fields))
            return false;
    }
    return true;
}
