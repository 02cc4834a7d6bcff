/* What the files export*.c share. */
#ifndef PROXY_AUDIT_EXPORT_INTERNAL_H
#define PROXY_AUDIT_EXPORT_INTERNAL_H

#include "proxy/audit/export.h"

struct export_format {
    const char *name;
    void (*begin)(struct text *out); /* NULL: nothing */
    enum export_result (*write)(const json_t *record, const char *origin, struct text *out);
};

enum export_result ocsf_write(const json_t *record, const char *origin, struct text *out);
enum export_result cloudevents_write(const json_t *record, const char *origin, struct text *out);
void csv_begin(struct text *out);
enum export_result csv_write(const json_t *record, const char *origin, struct text *out);

/* A string member's text; NULL without one. */
static inline const char *member_text(const json_t *record, const char *name)
{
    return json_string_value(json_object_get(record, name));
}

/* A whole number's value; `none` without one. */
static inline json_int_t member_number(const json_t *record, const char *name, json_int_t none)
{
    const json_t *value = json_object_get(record, name);

    return json_is_integer(value) ? json_integer_value(value) : none;
}

/* Appends the value as one line of compact JSON, members sorted, and drops it. NULL: memory was out. */
enum export_result export_line(json_t *value, struct text *out);

#endif
