#include "proxy/audit/reconcile_case.h"

#include "proxy/upstream/reading.h"

#include <stdlib.h>

#define MASKED "hmac-sha256:" /* what stands in for a secret begins with this */

/* What is copied of an intent. */
static const struct {
    const char *name;
    size_t from, to; /* in struct record_fields, in struct reconcile_case */
} copied[] = {
#define COPIED(member)                                                                                       \
    {                                                                                                        \
#member, offsetof(struct record_fields, member), offsetof(struct reconcile_case, member)             \
    }
    COPIED(operation),  COPIED(organization), COPIED(principal),
    COPIED(request_id), COPIED(resource),     COPIED(version),
#undef COPIED
};

#define COPIED_COUNT (sizeof copied / sizeof *copied)

static const struct span *source(const struct record_fields *intent, size_t row)
{
    return (const struct span *)(const void *)((const char *)intent + copied[row].from);
}

/* May the value be compared with what the API shows? */
static bool is_plain(const json_t *value)
{
    const char *text = json_string_value(value);

    return !json_is_object(value) && !json_is_array(value) &&
           (text == NULL || strncmp(text, MASKED, sizeof MASKED - 1) != 0);
}

/* What the body asks for; false when memory is out. */
static bool read_wish(struct reconcile_case *subject, json_t *body)
{
    json_t *attributes = json_object_get(json_object_get(body, "data"), "attributes"), *value;
    const char *name;

    json_object_foreach (attributes, name, value) {
        if (strcmp(name, "credentials") == 0 || !is_plain(value))
            subject->hidden = true;
        else if (json_object_set_new(subject->wish, name, json_deep_copy(value)) != 0)
            return false;
    }
    return true;
}

struct reconcile_case *reconcile_case_make(const struct record_fields *intent, json_t *body)
{
    size_t room = 0;

    for (size_t i = 0; i < COPIED_COUNT; i++)
        room += source(intent, i)->length;
    struct reconcile_case *subject = calloc(1, sizeof *subject + room + 1);
    if (subject == NULL)
        return NULL;

    char *to = subject->texts;
    for (size_t i = 0; i < COPIED_COUNT; i++) {
        const struct span *from = source(intent, i);
        if (from->data == NULL)
            continue;
        memcpy(to, from->data, from->length);
        *(struct span *)(void *)((char *)subject + copied[i].to) = (struct span){to, from->length};
        to += from->length;
    }
    subject->intent_us = intent->time_us;
    subject->wish = json_object();
    if (subject->wish == NULL || !read_wish(subject, body)) {
        reconcile_case_free(subject);
        return NULL;
    }
    return subject;
}

struct reconcile_case *reconcile_case_read(json_t *intent)
{
    json_t *time = json_object_get(intent, "time");
    struct record_fields fields = {0};

    for (size_t i = 0; i < COPIED_COUNT; i++) {
        json_t *value = json_object_get(intent, copied[i].name);
        struct span *to = (struct span *)(void *)((char *)&fields + copied[i].from);
        *to = (struct span){json_string_value(value), json_string_length(value)};
    }
    if (!reading_time((struct span){json_string_value(time), json_string_length(time)}, &fields.time_us))
        fields.time_us = 0;
    return reconcile_case_make(&fields, json_object_get(intent, "body"));
}

void reconcile_case_free(struct reconcile_case *subject)
{
    if (subject == NULL)
        return;
    json_decref(subject->wish);
    free(subject);
}
