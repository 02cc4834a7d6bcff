/* CSV (RFC 4180) with a fixed list of columns; what has no column of its own stands in the last one as JSON.
 */
#include "proxy/audit/export_internal.h"

#include <stdlib.h>

static const char *const columns[] = {
    "time",
    "seq",
    "stage",
    "request_id",
    "principal",
    "client",
    "method",
    "operation",
    "effect",
    "organization",
    "resource",
    "version",
    "target",
    "status",
    "upstream_status",
    "result",
    "gate",
    "rule",
    "detail",
    "level",
    "credential",
    "sent",
    "duration_us",
    "count",
    "policy",
    "upstream_request_id",
    "body",
    "answer",
};

#define COLUMNS (sizeof columns / sizeof *columns)

void csv_add_cell(struct text *out, struct span cell)
{
    bool formula = cell.length > 0 && memchr("=+-@\t\r", cell.data[0], 6) != NULL;
    bool quoted = formula;

    for (size_t i = 0; i < cell.length && !quoted; i++)
        quoted = memchr(",\"\r\n", cell.data[i], 4) != NULL;
    text_add(out, "\"", quoted);
    text_add(out, "'", formula);
    for (size_t i = 0; i < cell.length; i++) {
        text_add(out, "\"", cell.data[i] == '"');
        text_add(out, &cell.data[i], 1);
    }
    text_add(out, "\"", quoted);
}

/* A string as it is, anything else as JSON. */
static enum export_result write_value(struct text *out, const json_t *value)
{
    if (value == NULL)
        return EXPORT_DONE;
    if (json_is_string(value)) {
        csv_add_cell(out, (struct span){json_string_value(value), json_string_length(value)});
        return EXPORT_DONE;
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (text == NULL)
        return EXPORT_FAILED;
    csv_add_cell(out, span_of(text));
    free(text);
    return EXPORT_DONE;
}

void csv_begin(struct text *out)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        text_add_string(out, columns[i]);
        text_add(out, ",", 1);
    }
    text_add_string(out, "more\r\n");
}

/* What no column shows; NULL when memory is out. */
static json_t *rest_of(const json_t *record)
{
    json_t *rest = json_copy((json_t *)(uintptr_t)record); /* read only, but jansson does not say so */

    for (size_t i = 0; rest != NULL && i < COLUMNS; i++)
        (void)json_object_del(rest, columns[i]);
    return rest;
}

enum export_result csv_write(const json_t *record, const char *origin, struct text *out)
{
    enum export_result result = EXPORT_DONE;
    json_t *rest = rest_of(record);
    (void)origin;

    if (rest == NULL)
        return EXPORT_FAILED;
    for (size_t i = 0; i < COLUMNS && result == EXPORT_DONE; i++) {
        result = write_value(out, json_object_get(record, columns[i]));
        text_add(out, ",", 1);
    }
    if (result == EXPORT_DONE && json_object_size(rest) > 0)
        result = write_value(out, rest);
    text_add(out, "\r\n", 2);
    json_decref(rest);
    return result;
}
