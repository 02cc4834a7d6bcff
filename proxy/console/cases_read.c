/* Files of cases, read as strictly as a policy: a misspelt expectation that nobody looks at would pass for
 * one that holds. */
#include "policies/moment.h"
#include "policies/network.h"
#include "proxy/console/cases.h"
#include "proxy/console/facts_said.h"

#include <stdlib.h>

#define FILE_LIMIT (1024ul * 1024 * 1024)

struct reader {
    struct strict strict;
    struct suite *suite;
    const struct suite_defaults *defaults;
};

static void note_memory(struct reader *reader)
{
    strict_note(&reader->strict, NULL, "memory is out");
}

/* ---- the request ---- */

static void header_read(struct reader *reader, const struct place *place, const char *name, json_t *value,
                        struct field *field)
{
    if (!json_is_string(value)) {
        strict_note(&reader->strict, place, "must be a string");
        return;
    }
    *field = (struct field){span_of(name), span_trim(span_of(json_string_value(value)))};
    const char *fault = made_field_fault(field->name, field->value);
    if (fault != NULL)
        strict_note(&reader->strict, place, "the header field %s", fault);
    else if (span_equal_nocase(field->name, SPAN("authorization")))
        strict_note(&reader->strict, place,
                    "say who asks by `principal`, `token` or `certificate` of the case");
}

static void headers_read(struct reader *reader, const struct place *above, json_t *object,
                         struct request_description *request)
{
    const struct place place = {.above = above, .member = "headers"};
    size_t count = json_object_size(object);
    const char *name;
    json_t *value;

    if (object != NULL && !json_is_object(object))
        strict_note(&reader->strict, &place, "must be an object: name and value of each header field");
    if (count > MADE_FIELDS)
        strict_note(&reader->strict, &place, "has more than %d fields", MADE_FIELDS);
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
    const char *client = strict_string(&reader->strict, above, object, "client");
    struct ip_address address;

    request->client = client ? span_of(client) : SPAN("127.0.0.1");
    if (client != NULL && !ip_address_parse(request->client, &address))
        strict_note(&reader->strict, &place, "is no IPv4 or IPv6 address");
}

static void request_read(struct reader *reader, const struct place *above, json_t *value,
                         struct request_description *request)
{
    static const char *const known[] = {"method", "target", "headers", "body", "client", NULL};
    const struct place place = {.above = above, .member = "request"};

    if (value == NULL)
        strict_note(&reader->strict, above, "request is missing");
    if (value == NULL || !strict_object(&reader->strict, &place, value, known))
        return;
    request->method = span_of(strict_demand(&reader->strict, &place, value, "method"));
    request->target = span_of(strict_demand(&reader->strict, &place, value, "target"));
    headers_read(reader, &place, json_object_get(value, "headers"), request);
    body_read(reader, json_object_get(value, "body"), request);
    client_read(reader, &place, value, request);
}

/* ---- who asks, and when ---- */

static void certificates_read(struct reader *reader, const struct place *above, json_t *list,
                              struct request_description *request)
{
    const struct place place = {.above = above, .member = "certificate"};
    size_t count = list ? strict_array(&reader->strict, &place, list) : 0;

    if (count == 0)
        return;
    struct span *names = arena_take(&reader->suite->arena, (count + 1) * sizeof *names);
    if (names == NULL) {
        note_memory(reader);
        return;
    }
    if (count > MADE_CERTIFICATES)
        strict_note(&reader->strict, &place, "has more than %d names", MADE_CERTIFICATES);
    request->certificates = names;
    request->certificate_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = &place, .element = i};
        const char *notation = strict_element(&reader->strict, &place, list, i);
        const char *fault =
            notation ? made_certificate(span_of(notation), &reader->suite->arena, &names[i]) : NULL;
        if (fault != NULL)
            strict_note(&reader->strict, &here, "%s", fault);
    }
}

static void token_read(struct reader *reader, const struct place *above, json_t *value,
                       struct request_description *request)
{
    const struct place place = {.above = above, .member = "token"};
    const char *token = strict_string(&reader->strict, above, value, "token");
    const char *fault = token ? secret_fault(span_of(token)) : NULL;

    if (fault != NULL)
        strict_note(&reader->strict, &place, "the token %s", fault);
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
        strict_note(
            &reader->strict, place,
            "needs a `principal` (null: nobody whom the policy knows), or else a `token`, a `certificate` "
            "or both");
    if (principal != NULL && !json_is_string(principal) && !json_is_null(principal))
        strict_note(&reader->strict, &named, "must be the name of a principal, or null");
    test->principal = json_string_value(principal);
    token_read(reader, place, value, &test->request);
    certificates_read(reader, place, json_object_get(value, "certificate"), &test->request);
}

static void time_read(struct reader *reader, const struct place *above, json_t *value, int64_t *now)
{
    const struct place place = {.above = above, .member = "time"};
    const char *text = strict_string(&reader->strict, above, value, "time");

    if (text != NULL && !moment_read(span_of(text), now))
        strict_note(&reader->strict, &place, "must be a moment, %s", MOMENT_FORM);
}

/* ---- what is expected ---- */

static void obligations_read(struct reader *reader, const struct place *above, json_t *list,
                             struct case_expectation *expect)
{
    const struct place place = {.above = above, .member = "obligations"};

    if (list == NULL)
        return;
    expect->obligation_count = strict_array(&reader->strict, &place, list);
    expect->obligations =
        arena_take(&reader->suite->arena, (expect->obligation_count + 1) * sizeof *expect->obligations);
    if (expect->obligations == NULL)
        note_memory(reader);
    for (size_t i = 0; expect->obligations != NULL && i < expect->obligation_count; i++)
        expect->obligations[i] = strict_element(&reader->strict, &place, list, i);
}

static void verdict_read(struct reader *reader, const struct place *above, json_t *value,
                         struct case_expectation *expect)
{
    static const char *const known[] = {"allow", "refuse", NULL};
    const struct place place = {.above = above, .member = "verdict"};
    const char *verdict = strict_demand(&reader->strict, above, value, "verdict");
    char room[96];

    if (verdict == NULL)
        return;
    expect->verdict = strcmp(verdict, "allow") == 0    ? CASE_ALLOW
                      : strcmp(verdict, "refuse") == 0 ? CASE_REFUSE
                                                       : CASE_UNSAID;
    if (expect->verdict == CASE_UNSAID)
        strict_note(&reader->strict, &place, "must be \"allow\" or \"refuse\"%s",
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
            strict_note(&reader->strict, &place, "stands beside \"verdict\": \"%s\" only",
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
        strict_note(&reader->strict, above, "expect is missing");
    if (value == NULL || !strict_object(&reader->strict, &place, value, known))
        return;
    verdict_read(reader, &place, value, expect);
    sides_check(reader, &place, value, expect->verdict);
    expect->gate = strict_string(&reader->strict, &place, value, "gate");
    expect->rule = strict_string(&reader->strict, &place, value, "rule");
    expect->code = strict_string(&reader->strict, &place, value, "code");
    expect->would_refuse = strict_string(&reader->strict, &place, value, "would_refuse");
    obligations_read(reader, &place, json_object_get(value, "obligations"), expect);
    json_t *number = json_object_get(value, "status");
    if (number != NULL &&
        (!json_is_integer(number) || json_integer_value(number) < 400 || json_integer_value(number) > 599))
        strict_note(&reader->strict, &status, "must be a status of a refusal, 400 to 599");
    else if (number != NULL)
        expect->status = (int)json_integer_value(number);
}

/* ---- the file ---- */

static void case_read(struct reader *reader, const struct place *place, json_t *value, struct test_case *test)
{
    static const char *const known[] = {"name",        "description", "principal", "token",
                                        "certificate", "request",     "time",      "integration",
                                        "radius",      "expect",      NULL};

    if (!strict_object(&reader->strict, place, value, known))
        return;
    test->name = strict_string(&reader->strict, place, value, "name");
    (void)strict_string(&reader->strict, place, value, "description");
    test->request.host = reader->defaults->host;
    test->request.now = reader->defaults->now;
    identity_read(reader, place, value, test);
    request_read(reader, place, json_object_get(value, "request"), &test->request);
    time_read(reader, place, value, &test->request.now);
    facts_said_read(&reader->strict, place, value, &test->request.facts);
    test->request.has_facts = true;
    expect_read(reader, place, json_object_get(value, "expect"), &test->expect);
}

static void cases_read(struct reader *reader, const struct place *root, json_t *list)
{
    const struct place place = {.above = root, .member = "cases"};
    struct suite *suite = reader->suite;

    if (!json_is_array(list)) {
        if (list != NULL || json_object_get(suite->document.root, "table") == NULL)
            strict_note(&reader->strict, list ? &place : root,
                        list ? "must be an array" : "cases is missing, and there is no table");
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
    const char *path = strict_string(&reader->strict, root, value, member);
    char *absolute = path ? path_beside(reader->suite->path, path) : NULL;

    if (path != NULL && absolute == NULL)
        note_memory(reader);
    return absolute;
}

static void suite_compile(struct reader *reader)
{
    static const char *const known[] = {"$schema", "description", "policy", "contract",
                                        "cases",   "table",       NULL};
    const struct place root = {0};
    struct suite *suite = reader->suite;
    json_t *value = suite->document.root;

    strict_members(&reader->strict, &root, value, known);
    (void)strict_string(&reader->strict, &root, value, "$schema");
    (void)strict_string(&reader->strict, &root, value, "description");
    suite->policy = path_read(reader, &root, value, "policy");
    suite->contract = path_read(reader, &root, value, "contract");
    cases_read(reader, &root, json_object_get(value, "cases"));
    cells_read(&reader->strict, &root, json_object_get(value, "table"), suite);
}

bool suite_read(struct suite *suite, const char *path, const struct suite_defaults *defaults,
                struct problems *problems)
{
    struct reader reader = {.strict = {&suite->document, problems, 0}, .suite = suite, .defaults = defaults};
    size_t errors = problems->errors;

    *suite = (struct suite){.path = path, .now = defaults->now};
    arena_init(&suite->arena);
    if (file_read_document(&suite->document, path, FILE_LIMIT, problems))
        suite_compile(&reader);
    strict_rest(&reader.strict);
    return problems->errors == errors;
}

void suite_free(struct suite *suite)
{
    free(suite->cases);
    free(suite->cells);
    free(suite->policy);
    free(suite->contract);
    arena_reset(&suite->arena);
    document_free(&suite->document);
}
