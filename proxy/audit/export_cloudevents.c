/* CloudEvents 1.0 in the JSON format: each record as the data of an event. */
#include "policies/ascii.h"
#include "proxy/audit/export_internal.h"

/* `source` is a URI reference: what may not stand in one is percent-encoded. */
static void write_source(struct text *out, const char *origin)
{
    static const char digits[] = "0123456789ABCDEF";
    bool absolute = strstr(origin, "://") != NULL;

    for (const char *at = origin; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (ascii_is_unreserved(*at) || c == '/' || (absolute && c == ':')) {
            text_add(out, at, 1);
        } else {
            const char encoded[] = {'%', digits[c >> 4], digits[c & 15]};
            text_add(out, encoded, sizeof encoded);
        }
    }
}

enum export_result cloudevents_write(const json_t *record, const char *origin, struct text *out)
{
    const char *stage = member_text(record, "stage"), *subject = member_text(record, "request_id");
    struct text source = {0};

    write_source(&source, origin);
    json_t *event =
        json_pack("{s:s, s:s#, s:o, s:o, s:s*, s:s*, s:s, s:O}", "specversion", "1.0", "source",
                  source.data ? source.data : "", (int)source.length, "id",
                  json_sprintf("%.*s/%lld", (int)source.length, source.data ? source.data : "",
                               (long long)member_number(record, "seq", 0)),
                  "type", json_sprintf("portcullis.audit.%s", stage ? stage : "unknown"), "subject", subject,
                  "time", member_text(record, "time"), "datacontenttype", "application/json", "data", record);
    text_free(&source);
    return export_line(event, out);
}
