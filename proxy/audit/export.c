#include "proxy/audit/export.h"

#include "proxy/audit/export_internal.h"

#include <stdlib.h>

static const struct export_format formats[] = {
    {"ocsf", NULL, ocsf_write},
    {"cloudevents", NULL, cloudevents_write},
    {"csv", csv_begin, csv_write},
};

const struct export_format *export_format_named(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

void export_begin(const struct export_format *format, struct text *out)
{
    if (format->begin != NULL)
        format->begin(out);
}

enum export_result export_record(const struct export_format *format, const json_t *record, const char *origin,
                                 struct text *out)
{
    enum export_result result = format->write(record, origin, out);

    return out->failed ? EXPORT_FAILED : result;
}

enum export_result export_line(json_t *value, struct text *out)
{
    char *line = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(value);
    if (line == NULL)
        return EXPORT_FAILED;
    text_add_string(out, line);
    text_add(out, "\n", 1);
    free(line);
    return EXPORT_DONE;
}
