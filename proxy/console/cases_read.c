/* Files of cases, read as strictly as a policy: a misspelt expectation that nobody looks at would pass for
 * one that holds. */
#include "policies/place.h"
#include "proxy/audit/when.h"
#include "proxy/console/cases.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_LIMIT  (1024ul * 1024 * 1024)
#define NOTES_SHOWN 100
#define PIECE       200 /* bytes of a name that a message shows */

struct reader {
    struct suite *suite;
    const struct suite_defaults *defaults;
    struct problems *problems;
    size_t noted;
};

__attribute__((format(printf, 3, 4))) static void note(struct reader *reader, const struct place *place,
                                                       const char *format, ...)
{
    struct text pointer = place_pointer(place);
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (reader->noted++ < NOTES_SHOWN && !pointer.failed)
        problems_add(reader->problems, SEVERITY_ERROR, &reader->suite->document, pointer.data, "%s", message);
    else
        reader->problems->errors++;
    text_free(&pointer);
}

static void note_memory(struct reader *reader)
{
    note(reader, NULL, "memory is out");
}

static void members_check(struct reader *reader, const struct place *place, json_t *object,
                          const char *const *known)
{
    const char *name;
    json_t *value;
    char room[96];

    json_object_foreach (object, name, value) {
        const struct place here = {.above = place, .member = name};
        const char *const *at = known;
        while (*at != NULL && strcmp(*at, name) != 0)
            at++;
        if (*at == NULL)
            note(reader, &here, "unknown member \"%.*s\"%s", PIECE, name,
                 suggestion(name, known, room, sizeof room));
    }
}

/* Is it an object without members that are not known? */
static bool object_is(struct reader *reader, const struct place *place, json_t *value,
                      const char *const *known)
{
    if (!json_is_object(value)) {
        note(reader, place, "must be an object");
        return false;
    }
    members_check(reader, place, value, known);
    return true;
}

/* A member that is a string; NULL without one. */
static const char *string_read(struct reader *reader, const struct place *above, json_t *object,
                               const char *member)
{
    const struct place place = {.above = above, .member = member};
    json_t *value = json_object_get(object, member);

    if (value != NULL && !json_is_string(value))
        note(reader, &place, "must be a string");
    return json_string_value(value);
}

static const char *string_demand(struct reader *reader, const struct place *above, json_t *object,
                                 const char *member)
{
    if (json_object_get(object, member) == NULL)
        note(reader, above, "%s is missing", member);
    return string_read(reader, above, object, member);
}

/* An array of strings; each one goes to take(). */
static size_t strings_read(struct reader *reader, const struct place *place, json_t *list,
                           void (*take)(struct reader *reader, const struct place *place, const char *string,
                                        size_t index, void *to),
                           void *to)
{
    if (!json_is_array(list)) {
        note(reader, place, "must be an array");
        return 0;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = place, .element = i};
        if (json_is_string(json_array_get(list, i)))
            take(reader, &here, json_string_value(json_array_get(list, i)), i, to);
        else
            note(reader, &here, "must be a string");
    }
    return json_array_size(list);
}

/* ---- the request ---- */

static void header_read(struct reader *reader, const struct place *place, const char *name, json_t *value,
                        struct field *field)
{
    if (!json_is_string(value)) {
        note(reader, place, "must be a string");
        return;
    }
    *field = (struct field){span_of(name), span_trim(span_of(json_string_value(value)))};
    const char *fault = made_field_fault(field->name, field->value);
    if (fault != NULL)
        note(reader, place, "the header field %s", fault);
    else if (span_equal_nocase(field->name, SPAN("authorization")))
        note(reader, place, "say who asks by `principal`, `token` or `certificate` of the case");
}

static void headers_read(struct reader *reader, const struct place *above, json_t *object,
                         struct request_description *request)
{
    const struct place place = {.above = above, .member = "headers"};
    size_t count = json_object_size(object);
    const char *name;
    json_t *value;

    if (object != NULL && !json_is_object(object))
        note(reader, &place, "must be an object: name and value of each header field");
    if (count > MADE_FIELDS)
        note(reader, &place, "has more than %d fields", MADE_FIELDS);
    if (count == 0 || count > MADE_FIELDS)
        return;
    struct field *fields = arena_take(&reader->suite->arena, count * sizeof *fields);
    if (fields == NULL) {
        note_memory(reader);
        return;
    }
    request->fields = fields;
    json_object_foreach (object, name, value) {
        const struct place here = {.above = &place, .member = name};
        header_read(reader, &here, name, value, &fields[request->field_count++]);
    }
}

static void body_read(struct reader *reader, json_t *body, struct request_description *request)
{
    char *written = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    if (body == NULL)
        return;
    if (written != NULL)
        request->body = arena_copy(&reader->suite->arena, span_of(written));
    if (request->body.data == NULL)
        note_memory(reader);
    free(written);
}

static void client_read(struct reader *reader, const struct place *above, json_t *object,
                        struct request_description *request)
{
    const struct place place = {.above = above, .member = "client"};
    const char *client = string_read(reader, above, object, "client");
    unsigned char address[sizeof(struct in6_addr)];

    request->client = client ? span_of(client) : SPAN("127.0.0.1");
    if (client != NULL && inet_pton(AF_INET, client, address) != 1 &&
        inet_pton(AF_INET6, client, address) != 1)
        note(reader, &place, "is no IPv4 or IPv6 address");
}

static void request_read(struct reader *reader, const struct place *above, json_t *value,
                         struct request_description *request)
{
    static const char *const known[] = {"method", "target", "headers", "body", "client", NULL};
    const struct place place = {.above = above, .member = "request"};

    if (value == NULL)
        note(reader, above, "request is missing");
    if (value == NULL || !object_is(reader, &place, value, known))
        return;
    request->method = span_of(string_demand(reader, &place, value, "method"));
    request->target = span_of(string_demand(reader, &place, value, "target"));
    headers_read(reader, &place, json_object_get(value, "headers"), request);
    body_read(reader, json_object_get(value, "body"), request);
    client_read(reader, &place, value, request);
}

/* ---- who asks, and when ---- */

static void certificate_take(struct reader *reader, const struct place *place, const char *string,
                             size_t index, void *to)
{
    const char *fault = made_certificate(span_of(string), &reader->suite->arena, (struct span *)to + index);

    if (fault != NULL)
        note(reader, place, "%s", fault);
}

static void certificates_read(struct reader *reader, const struct place *above, json_t *list,
                              struct request_description *request)
{
    const struct place place = {.above = above, .member = "certificate"};
    size_t count = json_array_size(list);

    if (list == NULL)
        return;
    struct span *names = arena_take(&reader->suite->arena, (count + 1) * sizeof *names);
    if (names == NULL) {
        note_memory(reader);
        return;
    }
    if (count > MADE_CERTIFICATES)
        note(reader, &place, "has more than %d names", MADE_CERTIFICATES);
    request->certificates = names;
    request->certificate_count = strings_read(reader, &place, list, certificate_take, names);
}

static void token_read(struct reader *reader, const struct place *above, json_t *value,
                       struct request_description *request)
{
    const struct place place = {.above = above, .member = "token"};
    const char *token = string_read(reader, above, value, "token");
    const char *fault = token ? secret_fault(span_of(token)) : NULL;

    if (fault != NULL)
        note(reader, &place, "the token %s", fault);
    else
        request->token = span_of(token);
}

static void identity_read(struct reader *reader, const struct place *place, json_t *value,
                          struct test_case *test)
{
    const struct place named = {.above = place, .member = "principal"};
    json_t *principal = json_object_get(value, "principal");
    bool shown = json_object_get(value, "token") != NULL || json_object_get(value, "certificate") != NULL;

    if ((principal != NULL) == shown)
        note(reader, place,
             "needs a `principal` (null: nobody whom the policy knows), or else a `token`, a `certificate` "
             "or both");
    if (principal != NULL && !json_is_string(principal) && !json_is_null(principal))
        note(reader, &named, "must be the name of a principal, or null");
    test->principal = json_string_value(principal);
    token_read(reader, place, value, &test->request);
    certificates_read(reader, place, json_object_get(value, "certificate"), &test->request);
}

static void time_read(struct reader *reader, const struct place *above, json_t *value, int64_t *now)
{
    const struct place place = {.above = above, .member = "time"};
    const char *text = string_read(reader, above, value, "time");
    int64_t epoch_us;

    if (text == NULL)
        return;
    /* how long ago is for people who ask now; a case says the same for ever */
    if (strlen(text) < strlen("2026-01-31T23:59:59Z") || text[strlen(text) - 1] != 'Z' ||
        !when_read(span_of(text), 0, &epoch_us))
        note(reader, &place, "must be a moment in UTC, such as \"2026-01-31T23:59:59Z\"");
    else
        *now = epoch_us / 1000000;
}

/* ---- what is expected ---- */

static void obligation_take(struct reader *reader, const struct place *place, const char *string,
                            size_t index, void *to)
{
    (void)reader;
    (void)place;
    ((const char **)to)[index] = string;
}

static void obligations_read(struct reader *reader, const struct place *above, json_t *list,
                             struct case_expectation *expect)
{
    const struct place place = {.above = above, .member = "obligations"};

    if (list == NULL)
        return;
    expect->obligations =
        arena_take(&reader->suite->arena, (json_array_size(list) + 1) * sizeof *expect->obligations);
    if (expect->obligations == NULL)
        note_memory(reader);
    else
        expect->obligation_count = strings_read(reader, &place, list, obligation_take, expect->obligations);
}

static void verdict_read(struct reader *reader, const struct place *above, json_t *value,
                         struct case_expectation *expect)
{
    static const char *const known[] = {"allow", "refuse", NULL};
    const struct place place = {.above = above, .member = "verdict"};
    const char *verdict = string_demand(reader, above, value, "verdict");
    char room[96];

    if (verdict == NULL)
        return;
    expect->verdict = strcmp(verdict, "allow") == 0    ? CASE_ALLOW
                      : strcmp(verdict, "refuse") == 0 ? CASE_REFUSE
                                                       : CASE_UNSAID;
    if (expect->verdict == CASE_UNSAID)
        note(reader, &place, "must be \"allow\" or \"refuse\"%s",
             suggestion(verdict, known, room, sizeof room));
}

/* What only one verdict can have is an error beside the other: it could never hold. */
static void sides_check(struct reader *reader, const struct place *above, json_t *value,
                        enum case_verdict verdict)
{
    static const struct {
        const char *member;
        enum case_verdict beside;
    } sides[] = {{"status", CASE_REFUSE},
                 {"code", CASE_REFUSE},
                 {"obligations", CASE_ALLOW},
                 {"would_refuse", CASE_ALLOW}};

    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const struct place place = {.above = above, .member = sides[i].member};
        if (verdict != CASE_UNSAID && verdict != sides[i].beside &&
            json_object_get(value, sides[i].member) != NULL)
            note(reader, &place, "stands beside \"verdict\": \"%s\" only",
                 case_verdict_name(sides[i].beside));
    }
}

static void expect_read(struct reader *reader, const struct place *above, json_t *value,
                        struct case_expectation *expect)
{
    static const char *const known[] = {"verdict", "gate",        "rule",         "status",
                                        "code",    "obligations", "would_refuse", NULL};
    const struct place place = {.above = above, .member = "expect"};
    const struct place status = {.above = &place, .member = "status"};

    if (value == NULL && reader->defaults->expectations)
        note(reader, above, "expect is missing");
    if (value == NULL || !object_is(reader, &place, value, known))
        return;
    verdict_read(reader, &place, value, expect);
    sides_check(reader, &place, value, expect->verdict);
    expect->gate = string_read(reader, &place, value, "gate");
    expect->rule = string_read(reader, &place, value, "rule");
    expect->code = string_read(reader, &place, value, "code");
    expect->would_refuse = string_read(reader, &place, value, "would_refuse");
    obligations_read(reader, &place, json_object_get(value, "obligations"), expect);
    json_t *number = json_object_get(value, "status");
    if (number != NULL &&
        (!json_is_integer(number) || json_integer_value(number) < 400 || json_integer_value(number) > 599))
        note(reader, &status, "must be a status of a refusal, 400 to 599");
    else if (number != NULL)
        expect->status = (int)json_integer_value(number);
}

/* ---- the file ---- */

static void case_read(struct reader *reader, const struct place *place, json_t *value, struct test_case *test)
{
    static const char *const known[] = {"name",    "description", "principal", "token", "certificate",
                                        "request", "time",        "expect",    NULL};

    if (!object_is(reader, place, value, known))
        return;
    test->name = string_read(reader, place, value, "name");
    (void)string_read(reader, place, value, "description");
    test->request.host = reader->defaults->host;
    test->request.now = reader->defaults->now;
    identity_read(reader, place, value, test);
    request_read(reader, place, json_object_get(value, "request"), &test->request);
    time_read(reader, place, value, &test->request.now);
    expect_read(reader, place, json_object_get(value, "expect"), &test->expect);
}

static void cases_read(struct reader *reader, const struct place *root, json_t *list)
{
    const struct place place = {.above = root, .member = "cases"};
    struct suite *suite = reader->suite;

    if (!json_is_array(list)) {
        note(reader, list ? &place : root, list ? "must be an array" : "cases is missing");
        return;
    }
    suite->cases = calloc(json_array_size(list) + 1, sizeof *suite->cases);
    if (suite->cases == NULL) {
        note_memory(reader);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct place here = {.above = &place, .element = i};
        suite->cases[suite->case_count].index = i;
        case_read(reader, &here, json_array_get(list, i), &suite->cases[suite->case_count++]);
    }
}

/* A path that the file names, relative to it; NULL without one. */
static char *path_read(struct reader *reader, const struct place *root, json_t *value, const char *member)
{
    const char *path = string_read(reader, root, value, member);
    char *absolute = path ? path_beside(reader->suite->path, path) : NULL;

    if (path != NULL && absolute == NULL)
        note_memory(reader);
    return absolute;
}

static void suite_compile(struct reader *reader)
{
    static const char *const known[] = {"$schema", "description", "policy", "contract", "cases", NULL};
    const struct place root = {0};
    struct suite *suite = reader->suite;
    json_t *value = suite->document.root;

    members_check(reader, &root, value, known);
    (void)string_read(reader, &root, value, "$schema");
    (void)string_read(reader, &root, value, "description");
    suite->policy = path_read(reader, &root, value, "policy");
    suite->contract = path_read(reader, &root, value, "contract");
    cases_read(reader, &root, json_object_get(value, "cases"));
}

bool suite_read(struct suite *suite, const char *path, const struct suite_defaults *defaults,
                struct problems *problems)
{
    struct reader reader = {.suite = suite, .defaults = defaults, .problems = problems};
    size_t errors = problems->errors;
    struct text text = {0};
    const char *fault;

    *suite = (struct suite){.path = path};
    arena_init(&suite->arena);
    if (!file_read(path, FILE_LIMIT, &text, &fault))
        problems_add_at(problems, path_shown(path), 0, 0, "cannot read it: %s", fault);
    else if (document_read(&suite->document, path_shown(path), (struct span){text.data, text.length},
                           problems))
        suite_compile(&reader);
    text_free(&text);
    return problems->errors == errors;
}

void suite_free(struct suite *suite)
{
    free(suite->cases);
    free(suite->policy);
    free(suite->contract);
    arena_reset(&suite->arena);
    document_free(&suite->document);
}
