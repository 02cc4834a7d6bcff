#include "proxy/audit/vouched.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

void vouched_tell(const struct manifest *manifest, struct record_fields *fields)
{
    if (manifest->serial == 0)
        return;
    fields->serial = record_number(manifest->serial);
    fields->policy = span_of(manifest->policy);
    fields->contract = span_of(manifest->contract);
    if (manifest->oauth_keys[0] != '\0')
        fields->oauth_keys = span_of(manifest->oauth_keys);
}

static bool copy_digest(const json_t *record, const char *name, char digest[DIGEST_TEXT_SIZE])
{
    const char *text = json_string_value(json_object_get(record, name));

    if (text == NULL || strlen(text) != DIGEST_TEXT_SIZE - 1)
        return false;
    memcpy(digest, text, DIGEST_TEXT_SIZE);
    return true;
}

void vouched_note(struct manifest *newest, struct span line)
{
    static const char mark[] = "\"serial\":";
    struct manifest found;

    if (line.length == 0 || memmem(line.data, line.length, mark, sizeof mark - 1) == NULL)
        return; /* nearly every line */
    json_t *record = json_loadb(line.data, line.length, JSON_ALLOW_NUL, NULL);
    const char *stage = json_string_value(json_object_get(record, "stage"));
    json_int_t serial = json_integer_value(json_object_get(record, "serial"));

    if (stage != NULL && (strcmp(stage, "policy") == 0 || strcmp(stage, "segment") == 0) && serial > 0 &&
        (uint64_t)serial > newest->serial && copy_digest(record, "policy", found.policy) &&
        copy_digest(record, "contract", found.contract)) {
        if (!copy_digest(record, "oauth_keys", found.oauth_keys))
            found.oauth_keys[0] = '\0';
        found.serial = (uint64_t)serial;
        *newest = found;
    }
    json_decref(record);
}

bool vouched_may_follow(const struct manifest *newest, const struct manifest *next, char *error,
                        size_t error_size)
{
    if (next->serial > newest->serial)
        return true;
    if (next->serial == newest->serial && strcmp(next->policy, newest->policy) == 0 &&
        strcmp(next->contract, newest->contract) == 0 && strcmp(next->oauth_keys, newest->oauth_keys) == 0)
        return true;
    (void)snprintf(
        error, error_size,
        next->serial < newest->serial
            ? "the manifest's serial is %" PRIu64 ", and %" PRIu64
              " was in force already (the journal says so): an older set is not put back. Sign the one "
              "that is wanted with a higher serial"
            : "the manifest's serial %" PRIu64
              " was in force already for another policy, contract or key set "
              "(the journal has %" PRIu64 "): sign each set with a serial of its own, higher than before",
        next->serial, newest->serial);
    return false;
}
