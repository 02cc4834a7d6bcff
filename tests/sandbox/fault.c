#include "tests/sandbox/fault.h"

#include <stdio.h>

enum kind { KIND_NUMBER, KIND_FLAG, KIND_TRUE, KIND_TEXT, KIND_LINE, KIND_FIELDS, KIND_CLOSE, KIND_LINKS };

/* The members in the order of the table. */
enum member {
    DELAY_MS,
    DRIP_MS,
    CLOSE,
    RESET,
    EFFECT,
    STATUS,
    FIELDS,
    CONTENT_TYPE,
    ENCODING,
    BODY,
    LARGE_BODY,
    OVERSIZE,
    TRUNCATE,
    CHUNKED,
    TRAILERS,
    UNTIL_CLOSE,
    INTERIM,
    ABSOLUTE_LINKS,
    SURPLUS,
    RAW,
    MEMBERS,
};

#define BIT(member) (UINT64_C(1) << (member))
#define ALWAYS_FINE (BIT(DELAY_MS) | BIT(EFFECT) | BIT(INTERIM))

#define PLACE(member) offsetof(struct fault, member)

struct row {
    const char *name;
    enum kind kind;
    uint64_t low, high; /* of a number */
    size_t place;       /* in struct fault */
    uint64_t excludes;  /* members that cannot be given too */
    const char *help;
};

/* clang-format off */
static const struct row rows[MEMBERS] = {
    [DELAY_MS] = {"delay_ms", KIND_NUMBER, 1, 3600000, PLACE(delay_ms), 0,
                  "N: wait before the answer, or before what comes instead of it"},
    [DRIP_MS] = {"drip_ms", KIND_NUMBER, 1, 60000, PLACE(drip_ms), BIT(LARGE_BODY),
                 "N: send a byte each N ms"},
    [CLOSE] = {"close", KIND_CLOSE, 0, 0, PLACE(close), BIT(RESET),
               "\"before\": close instead of answering, nothing is done; \"after-read\": the same, but it is done; "
               "\"middle\": close after half of the answer"},
    [RESET] = {"reset", KIND_TRUE, 0, 0, PLACE(reset), ~(ALWAYS_FINE | BIT(RESET)),
               "true: reset the connection instead of answering, nothing is done"},
    [EFFECT] = {"effect", KIND_FLAG, 0, 0, PLACE(effect), 0,
                "true or false: with close before or after-read, reset, status and raw, is the request carried out?"},
    [STATUS] = {"status", KIND_NUMBER, 200, 599, PLACE(status), BIT(OVERSIZE),
                "N: answer with that status and an error document (none below 400); nothing is done"},
    [FIELDS] = {"headers", KIND_FIELDS, 0, 0, PLACE(fields), 0,
                "{\"name\":\"value\"}: further header lines"},
    [CONTENT_TYPE] = {"content_type", KIND_LINE, 0, 0, PLACE(content_type), 0,
                      "\"…\": another content type"},
    [ENCODING] = {"encoding", KIND_LINE, 0, 0, PLACE(encoding), 0,
                  "\"…\": a Content-Encoding field (the body stays as it is)"},
    [BODY] = {"body", KIND_TEXT, 0, 0, PLACE(body), BIT(LARGE_BODY) | BIT(OVERSIZE),
              "\"…\": another body"},
    [LARGE_BODY] = {"large_body", KIND_NUMBER, 1, UINT64_C(1) << 40, PLACE(large_body),
                    BIT(BODY) | BIT(OVERSIZE) | BIT(SURPLUS) | BIT(TRAILERS),
                    "N: a text/plain body of N bytes"},
    [OVERSIZE] = {"oversize", KIND_NUMBER, 1, UINT64_C(1) << 30, PLACE(oversize), 0,
                  "N: pad the JSON of the answer to N bytes"},
    [TRUNCATE] = {"truncate", KIND_NUMBER, 1, UINT64_C(1) << 30, PLACE(truncate),
                  BIT(UNTIL_CLOSE) | BIT(SURPLUS) | BIT(TRAILERS),
                  "N: promise N bytes more than are sent (chunked: leave out the last chunk), then close"},
    [CHUNKED] = {"chunked", KIND_TRUE, 0, 0, PLACE(chunked), BIT(UNTIL_CLOSE),
                 "true: a chunked answer, in several chunks"},
    [TRAILERS] = {"trailers", KIND_FIELDS, 0, 0, PLACE(trailers), 0,
                  "{\"name\":\"value\"}: trailers, with chunked only"},
    [UNTIL_CLOSE] = {"until_close", KIND_TRUE, 0, 0, PLACE(until_close), BIT(SURPLUS),
                     "true: no length, the answer ends with the connection"},
    [INTERIM] = {"interim", KIND_NUMBER, 100, 199, PLACE(interim), 0,
                 "N: an interim answer of that status first (before any delay)"},
    [ABSOLUTE_LINKS] = {"absolute_links", KIND_LINKS, 0, 0, PLACE(link_base), 0,
                        "true or \"https://host:port\": links and location absolute, true takes the Host field"},
    [SURPLUS] = {"surplus", KIND_TEXT, 0, 0, PLACE(surplus), 0,
                 "\"…\": bytes after a complete answer"},
    [RAW] = {"raw", KIND_TEXT, 0, 0, PLACE(raw),
             ~(ALWAYS_FINE | BIT(RAW) | BIT(DRIP_MS) | BIT(CLOSE) | BIT(UNTIL_CLOSE)),
             "\"…\": these bytes instead of any answer; until_close closes behind them"},
};
/* clang-format on */

bool fault_wrong(struct fault_error *error, const char *parent, const char *member, const char *format, ...)
{
    va_list arguments;

    (void)snprintf(error->pointer, sizeof error->pointer, "%s%s%.40s", parent, *member ? "/" : "", member);
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_line(const char *string)
{
    return string != NULL && strpbrk(string, "\r\n") == NULL;
}

static bool are_fields(json_t *value)
{
    const char *name;
    json_t *field;

    json_object_foreach (value, name, field) {
        if (!is_line(name) || *name == '\0' || !is_line(json_string_value(field)))
            return false;
    }
    return json_is_object(value);
}

static bool read_close(json_t *value, enum fault_close *close)
{
    static const char *const words[] = {"", "before", "middle", "after-read"};

    for (unsigned i = CLOSE_BEFORE; json_is_string(value) && i <= CLOSE_AFTER_READ; i++)
        if (strcmp(json_string_value(value), words[i]) == 0)
            *close = (enum fault_close)i;
    return *close != CLOSE_NEVER;
}

static bool read_number(json_t *value, const struct row *row, uint64_t *number)
{
    json_int_t given = json_integer_value(value);

    *number = given > 0 ? (uint64_t)given : 0;
    return json_is_integer(value) && given >= 0 && *number >= row->low && *number <= row->high;
}

/* Puts the value into its place; NULL, or what it should have been. */
static const char *store_member(struct fault *fault, const struct row *row, json_t *value)
{
    void *place = (char *)fault + row->place;

    switch (row->kind) {
    case KIND_NUMBER:
        return read_number(value, row, place) ? NULL : "a whole number within its bounds";
    case KIND_FLAG:
        *(bool *)place = json_is_true(value);
        return json_is_boolean(value) ? NULL : "true or false";
    case KIND_TRUE:
        *(bool *)place = true;
        return json_is_true(value) ? NULL : "true, or not be there";
    case KIND_TEXT:
        *(struct span *)place = (struct span){json_string_value(value), json_string_length(value)};
        return json_is_string(value) ? NULL : "a string";
    case KIND_LINE:
        *(const char **)place = json_string_value(value);
        return is_line(json_string_value(value)) ? NULL : "a string of one line";
    case KIND_FIELDS:
        *(json_t **)place = value;
        return are_fields(value) ? NULL : "an object of strings of one line";
    case KIND_CLOSE:
        return read_close(value, place) ? NULL : "\"before\", \"middle\" or \"after-read\"";
    case KIND_LINKS:
        fault->absolute_links = true;
        *(const char **)place = json_string_value(value);
        return json_is_true(value) || is_line(json_string_value(value)) ? NULL : "true or a URL";
    }
    return "something else";
}

static bool check_together(const struct fault *fault, struct fault_error *error)
{
    for (unsigned a = 0; a < MEMBERS; a++)
        for (unsigned b = 0; b < MEMBERS && (fault->given & BIT(a)); b++)
            if ((fault->given & BIT(b)) && (rows[a].excludes & BIT(b)))
                return fault_wrong(error, "/fault", rows[a].name, "%s cannot go together with %s",
                                   rows[a].name, rows[b].name);
    if ((fault->given & BIT(TRAILERS)) && !fault->chunked)
        return fault_wrong(error, "/fault", "trailers", "trailers need chunked");
    if ((fault->given & BIT(EFFECT)) && fault_keeps_answer(fault))
        return fault_wrong(error, "/fault", "effect",
                           "effect needs close before or after-read, reset, status or raw");
    if ((fault->close == CLOSE_BEFORE || fault->close == CLOSE_AFTER_READ) &&
        (fault->given & ~(ALWAYS_FINE | BIT(CLOSE))))
        return fault_wrong(error, "/fault", "close",
                           "close before or after-read cannot go together with what is about an answer");
    return true;
}

bool fault_read(struct fault *fault, json_t *object, struct fault_error *error)
{
    const char *name, *should;
    json_t *value;

    *fault = (struct fault){0};
    if (!json_is_object(object) || json_object_size(object) == 0)
        return fault_wrong(error, "/fault", "", "fault must be an object with at least one member");
    json_object_foreach (object, name, value) {
        unsigned member = 0;
        while (member < MEMBERS && strcmp(rows[member].name, name) != 0)
            member++;
        if (member == MEMBERS)
            return fault_wrong(error, "/fault", name, "unknown member \"%.60s\"", name);
        should = store_member(fault, &rows[member], value);
        if (should != NULL)
            return fault_wrong(error, "/fault", name, "%s must be %s", name, should);
        fault->given |= BIT(member);
    }
    if (!(fault->given & BIT(EFFECT)))
        fault->effect = fault->close == CLOSE_AFTER_READ;
    return check_together(fault, error);
}

bool fault_is_silent(const struct fault *fault)
{
    return fault->reset || fault->close == CLOSE_BEFORE || fault->close == CLOSE_AFTER_READ;
}

bool fault_keeps_answer(const struct fault *fault)
{
    return !fault_is_silent(fault) && fault->status == 0 && fault->raw.data == NULL;
}

void fault_print_help(void)
{
    for (unsigned member = 0; member < MEMBERS; member++)
        printf("  %-15s %s\n", rows[member].name, rows[member].help);
}
