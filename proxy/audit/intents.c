#include "proxy/audit/recovery.h"

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
        noted = json_object_set(intents->open, request_id, record) == 0;
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
