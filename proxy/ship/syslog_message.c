#include "proxy/ship/syslog_message.h"

#include <jansson.h>
#include <stdlib.h>

#define FACILITY    13 /* log audit */
#define ENTERPRISE  "portcullis@32473"
#define MSGID_BYTES 32
#define NAMES_BYTES 256 /* of members left out that are named */
#define PARAM_BYTES 128
#define SMALLEST    16 /* members are left out down to this length */

enum severity_code { CODE_ERROR = 3, CODE_WARNING = 4, CODE_NOTICE = 5, CODE_INFO = 6 };

/* The first row whose members all fit decides; NULL fits everything. */
static const struct {
    const char *stage, *effect, *result;
    enum severity_code code;
} severities[] = {
    {"outcome", NULL, "unknown", CODE_ERROR},
    {"reconciled", NULL, "unknown", CODE_ERROR},
    {"missed", NULL, NULL, CODE_ERROR},
    {"refused", NULL, NULL, CODE_WARNING},
    {"unauthenticated", NULL, NULL, CODE_WARNING},
    {"recovered", NULL, NULL, CODE_WARNING},
    {"breaker", NULL, "tripped", CODE_WARNING},
    {"breaker", NULL, NULL, CODE_NOTICE},
    {"approval", NULL, NULL, CODE_NOTICE},
    {"removed", NULL, NULL, CODE_NOTICE},
    {"policy", NULL, NULL, CODE_NOTICE},
    {"key", NULL, NULL, CODE_NOTICE},
    {"outcome", "hard-delete", NULL, CODE_WARNING},
    {NULL, "hard-delete", NULL, CODE_NOTICE},
    {NULL, NULL, NULL, CODE_INFO},
};

static const char *member(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));

    return text != NULL ? text : "";
}

static bool fits(const char *wanted, const char *value)
{
    return wanted == NULL || strcmp(wanted, value) == 0;
}

static enum severity_code severity_of(const json_t *record)
{
    const char *stage = member(record, "stage"), *effect = member(record, "effect"),
               *result = member(record, "result");

    if (!json_is_object(record))
        return CODE_ERROR;
    for (size_t i = 0;; i++)
        if (fits(severities[i].stage, stage) && fits(severities[i].effect, effect) &&
            fits(severities[i].result, result))
            return severities[i].code;
}

/* A field of the header: what is not visible ASCII has no place in it. */
static void add_field(struct text *out, const char *value, size_t limit)
{
    size_t length = 0;

    while (length < limit && value[length] > ' ' && value[length] <= '~')
        text_add(out, &value[length++], 1);
    text_add_string(out, length > 0 ? " " : "- ");
}

/* PARAM-VALUE (RFC 5424 §6.3.3), at most so many bytes of a text that jansson knows to be UTF-8. */
static void add_parameter(struct text *out, const char *name, const char *value)
{
    if (value[0] == '\0' || strlen(value) > PARAM_BYTES)
        return;
    text_add_format(out, " %s=\"", name);
    for (; *value != '\0'; value++) {
        if (strchr("\"\\]", *value) != NULL)
            text_add_string(out, "\\");
        text_add(out, value, 1);
    }
    text_add_string(out, "\"");
}

static void add_header(const struct syslog_sender *sender, const json_t *record, struct text *out)
{
    const json_t *seq = json_object_get(record, "seq");
    char number[24] = "";

    if (json_is_integer(seq))
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(seq));
    text_add_format(out, "<%d>1 ", FACILITY * 8 + (int)severity_of(record));
    add_field(out, member(record, "time"), 32);
    add_field(out, sender->host, 255);
    text_add_format(out, "portcullis %ld ", sender->process);
    add_field(out, member(record, "stage"), MSGID_BYTES);
    text_add_string(out, "[" ENTERPRISE);
    add_parameter(out, "seq", number);
    add_parameter(out, "request_id", member(record, "request_id"));
    text_add_string(out, "] ");
}

void syslog_message_write(const struct syslog_sender *sender, struct span line, struct text *out)
{
    json_t *record = json_loadb(line.data, line.length, 0, NULL);

    add_header(sender, record, out);
    text_add(out, line.data, line.length);
    json_decref(record);
}

static size_t length_of(const json_t *value)
{
    return json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Leaves out the members whose values are longer than `most`. */
static void leave_out(json_t *record, size_t most, struct text *names)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(record, next, name, value)
    {
        if (length_of(value) <= most)
            continue;
        if (names->length + strlen(name) < NAMES_BYTES)
            text_add_format(names, "%s%s", names->length > 0 ? " " : "", name);
        (void)json_object_del(record, name);
    }
}

/* The record as it is now, with `left_out`; NULL when that is longer than `room`. */
static char *dump(json_t *record, const struct text *names, size_t room)
{
    const char *said = names->failed || names->data == NULL ? "" : names->data;

    (void)json_object_set_new(record, "left_out", json_string(said));
    char *dumped = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
    (void)json_object_del(record, "left_out");
    if (dumped == NULL || strlen(dumped) <= room)
        return dumped;
    free(dumped);
    return NULL;
}

/* Appends the record, shortened to `room` bytes: ever smaller members go, until it fits. */
static void add_shortened(json_t *record, size_t room, struct text *out)
{
    struct text names = {0};
    char *dumped = NULL;

    for (size_t most = room / 2; dumped == NULL && most > SMALLEST / 2; most /= 2) {
        leave_out(record, most, &names);
        dumped = dump(record, &names, room);
    }
    text_add_string(out, dumped != NULL ? dumped : "{\"left_out\":\"all\"}");
    free(dumped);
    text_free(&names);
}

void syslog_message_write_short(const struct syslog_sender *sender, struct span line, size_t limit,
                                struct text *out)
{
    size_t before = out->length;

    syslog_message_write(sender, line, out);
    if (out->failed || out->length - before <= limit)
        return;
    json_t *record = json_loadb(line.data, line.length, 0, NULL);
    out->length = before;
    add_header(sender, record, out);
    if (json_is_object(record))
        add_shortened(record, limit - (out->length - before), out);
    else
        text_add_string(out, "{\"left_out\":\"all\"}");
    json_decref(record);
}
