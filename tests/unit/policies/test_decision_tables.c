/* Decision tables (tests/tables/decisions_*.tsv): a request a line, and the verdict expected. What the
 * columns mean stands in the first of them, decisions_operations.tsv. Every case that fails is shown with its
 * file and line. */
#include "policies/decide.h"
#include "policies/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum column { WHO, METHOD, TARGET, FIELDS, BODY, VERDICT, WHERE, RULE, COLUMNS };

#define FIELDS_MAX 32

/* What stands for the long texts that every line would repeat. The longer names stand before those that they
 * begin with. */
static const struct {
    const char *name, *text;
} shorts[] = {
    {"$PAYMENTS", "11111111-2222-4333-8444-555555555555"},
    {"$SANDBOX", "22222222-3333-4444-8555-66666666abcd"},
    {"$UPPER", "22222222-3333-4444-8555-66666666ABCD"},
    {"$ELSEWHERE", "33333333-4444-4555-8666-777777777777"},
    {"$ID", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
    {"$BIG", "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE"},
    {"$V", "version=2024-10-15"},
    {"$ECR", "{\"region\":\"eu-west-1\",\"role_arn\":\"arn:aws:iam::123456789012:role/reader\"}"},
};

struct world {
    int64_t now;
    struct contract *contract;
    struct policy *policy;
    struct pattern_scratch *scratch;
};

static void read_whole(const char *path, struct text *text)
{
    char piece[4096];
    FILE *file = fopen(path, "r");

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    for (size_t length; (length = fread(piece, 1, sizeof piece, file)) > 0;)
        text_add(text, piece, length);
    (void)fclose(file);
}

/* Shows what is wrong with a file of the tests, and gives up. */
static void give_up(const struct problems *problems)
{
    struct text said = {0};

    problems_write(problems, &said);
    (void)fprintf(stderr, "%s", said.data ? said.data : "");
    exit(1);
}

static struct world world_make(const char *policy_path)
{
    struct world world = {.scratch = pattern_scratch_new()};
    struct problems problems = {0};
    struct document contract, policy;
    struct text contract_text = {0}, policy_text = {0};

    read_whole("conf/integrations.openapi.json", &contract_text);
    read_whole(policy_path, &policy_text);
    if (document_read(&contract, "contract", (struct span){contract_text.data, contract_text.length},
                      &problems))
        world.contract = contract_compile(&contract, &problems);
    if (document_read(&policy, policy_path, (struct span){policy_text.data, policy_text.length}, &problems))
        world.policy = policy_compile(&policy, &problems);
    if (world.contract == NULL || world.policy == NULL || world.scratch == NULL ||
        !policy_link(world.policy, world.contract, &policy, &problems))
        give_up(&problems);
    problems_free(&problems);
    document_free(&contract);
    document_free(&policy);
    text_free(&contract_text);
    text_free(&policy_text);
    return world;
}

static void world_free(struct world *world)
{
    contract_free(world->contract);
    policy_free(world->policy);
    pattern_scratch_free(world->scratch);
}

/* "-" is the empty text, "$ID" and the like stand for more, \xNN is a byte. */
static void expand(const char *from, struct text *out)
{
    text_add(out, "", 0);
    if (strcmp(from, "-") == 0)
        return;
    while (*from != '\0') {
        size_t i = 0, count = sizeof shorts / sizeof *shorts;
        while (i < count && strncmp(from, shorts[i].name, strlen(shorts[i].name)) != 0)
            i++;
        if (i < count) {
            text_add_string(out, shorts[i].text);
            from += strlen(shorts[i].name);
        } else if (strncmp(from, "\\x", 2) == 0) {
            char hex[3] = {from[2], from[3], '\0'}, byte = (char)strtol(hex, NULL, 16);
            text_add(out, &byte, 1);
            from += 4;
        } else {
            text_add(out, from++, 1);
        }
    }
}

/* What a request comes with besides its fields. */
struct around {
    struct span client;
    int64_t now;
    struct facts facts;
    bool asked; /* for facts */
};

static json_t *read_json(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);

    if (value == NULL) {
        (void)fprintf(stderr, "not JSON: %s\n", text);
        exit(1);
    }
    return value;
}

static struct fact_number read_number(const char *text)
{
    if (strcmp(text, "unknown") == 0)
        return (struct fact_number){0};
    return (struct fact_number){FACT_NUMBER_KNOWN, strtoull(text, NULL, 10)};
}

/* "@client", "@time", "@attributes", "@settings", "@targets", "@projects"; the facts may be "unknown". */
static void set_around(struct around *around, const char *name, const char *text)
{
    bool failed = strcmp(text, "unknown") == 0;

    if (strncmp(name, "@client", 7) == 0) {
        around->client = span_of(text);
    } else if (strncmp(name, "@time", 5) == 0) {
        if (!moment_read(span_of(text), &around->now)) {
            (void)fprintf(stderr, "no moment: %s\n", text);
            exit(1);
        }
    } else {
        unsigned fact = strncmp(name, "@attributes", 11) == 0 ? FACT_INTEGRATION
                        : strncmp(name, "@settings", 9) == 0  ? FACT_SETTINGS
                                                              : FACT_RADIUS;
        around->asked = true;
        if (failed && fact != FACT_RADIUS)
            around->facts.failed |= fact;
        else
            around->facts.had |= fact;
        if (!failed && fact == FACT_INTEGRATION)
            around->facts.attributes = read_json(text);
        else if (!failed && fact == FACT_SETTINGS)
            around->facts.settings = read_json(text);
        else if (strncmp(name, "@targets", 8) == 0)
            around->facts.targets = read_number(text);
        else if (strncmp(name, "@projects", 9) == 0)
            around->facts.projects = read_number(text);
    }
}

/* The fields of a line: "Name: value | Name: value". Names with "@" before them are of what is around. */
static size_t split_fields(char *line, struct field *fields, struct around *around)
{
    size_t count = 0;

    for (char *piece; (piece = strsep(&line, "|")) != NULL;) {
        char *colon = strchr(piece, ':');
        if (colon == NULL)
            continue;
        char *name = piece + strspn(piece, " "), *value = colon + 1 + strspn(colon + 1, " ");
        size_t length = strlen(value);
        while (length > 0 && value[length - 1] == ' ')
            length--;
        if (name[0] == '@') {
            value[length] = '\0';
            set_around(around, name, value);
            continue;
        }
        fields[count++] = (struct field){{name, (size_t)(colon - name)}, {value, length}};
    }
    return count;
}

static void write_dues(const char *what, const struct rule_due *due, struct text *out)
{
    for (; due != NULL; due = due->next) {
        text_add_format(out, " %s:%s", what, due->rule->id);
        if (due->rule->effect == RULE_BUDGET)
            text_add_format(out, "(%.*s)", (int)due->key.length, due->key.data);
    }
}

/* "400 gate code"; or "pass", what is to be done besides the journal, and "would 403 gate code rule" for what
 * is only observed; or "need" and the facts. */
static void write_verdict(const struct decision *decision, struct text *out)
{
    static const char *const facts[] = {" integration", " settings", " radius"};

    if (decision->verdict == VERDICT_REFUSE) {
        text_add_format(out, "%d %s %s", decision->refusal.status, decision->gate,
                        decision->refusal.code + strlen("portcullis-"));
        return;
    }
    text_add_string(out, decision->verdict == VERDICT_PASS ? "pass" : "need");
    for (unsigned i = 0; i < 3 && decision->verdict == VERDICT_NEED; i++)
        text_add_string(out, (decision->needs >> i & 1) != 0 ? facts[i] : "");
    if (decision->verdict == VERDICT_NEED)
        return;
    if ((decision->obligations & OBLIGE_BREAK_GLASS) != 0)
        text_add_string(out, " break-glass");
    write_dues("approval", decision->approvals, out);
    write_dues("budget", decision->budgets, out);
    if (decision->observed.gate != NULL)
        text_add_format(out, " would %d %s %s %s", decision->observed.refusal.status, decision->observed.gate,
                        decision->observed.refusal.code + strlen("portcullis-"), decision->observed.rule);
}

/* What is forwarded, or the sources of the errors: pointers as they are ("#" before them), names of
 * parameters behind "?". */
static void write_where(const struct decision *decision, struct text *out)
{
    const char *separator = "";

    text_add(out, "", 0);
    if (decision->verdict != VERDICT_REFUSE) {
        text_add(out, decision->forward.data, decision->forward.length);
        return;
    }
    for (const struct refusal_error *error = decision->refusal.errors; error != NULL; error = error->next) {
        if (error->pointer == NULL && error->parameter == NULL)
            continue;
        text_add_format(out, "%s%s%s", separator, error->pointer ? "#" : "?",
                        error->pointer ? error->pointer : error->parameter);
        separator = " ";
    }
}

/* What holds for every decision, whatever the line says. */
static bool is_sound(const struct decision *decision, const struct request *request, const char **why)
{
    bool passed = decision->verdict != VERDICT_REFUSE;
    bool changes = passed && decision->operation->effect != EFFECT_READ;

    *why = NULL;
    if (decision->gate == NULL || decision->rule == NULL || decision->rule[0] == '\0')
        *why = "no gate or no rule is named";
    else if (passed != (decision->refusal.code == NULL) || passed != (decision->refusal.errors == NULL))
        *why = "a refusal has an error, and nothing else has one";
    else if (passed != (decision->forward.data != NULL))
        *why = "what passes is forwarded, and nothing else";
    else if (((decision->obligations & OBLIGE_JOURNAL) != 0) != changes)
        *why = "a change that passes is to be recorded, and nothing else";
    else if (passed && (decision->content.data != NULL) != (request->body.length > 0))
        *why = "content is forwarded where there was a body";
    else if (((decision->obligations & OBLIGE_APPROVAL) != 0) != (passed && decision->approvals != NULL) &&
             decision->verdict == VERDICT_PASS)
        *why = "approvals and their obligation come together";
    else if (((decision->obligations & OBLIGE_BUDGET) != 0) != (decision->budgets != NULL) &&
             decision->verdict == VERDICT_PASS)
        *why = "budgets and their obligation come together";
    else if ((decision->verdict == VERDICT_NEED) != (decision->needs != 0))
        *why = "facts are needed where that is the verdict, and nowhere else";
    else if (decision->observed.gate != NULL && !decision->observing)
        *why = "observed where the policy is enforced";
    else if (decision->refusal.status == 401 && decision->principal != NULL)
        *why = "401 for a known principal";
    else if (passed && decision->principal == NULL)
        *why = "passed without a principal";
    return *why == NULL;
}

/* Nothing that is said may show a secret: those of the tables all have "hush" in them. */
static bool is_discreet(const struct decision *decision)
{
    for (const struct refusal_error *error = decision->refusal.errors; error != NULL; error = error->next)
        if (error->detail == NULL || strstr(error->detail, "hush") != NULL)
            return false;
    return true;
}

static bool same(const char *what, const char *place, const struct text *expected, const struct text *found)
{
    if (strcmp(expected->data, found->data) == 0)
        return true;
    (void)fprintf(stderr, "%s: %s is\n    %s\n  and should be\n    %s\n", place, what, found->data,
                  expected->data);
    return false;
}

static bool compare(const char *place, const struct text *columns, const struct request *request,
                    const struct decision *decision)
{
    struct text verdict = {0}, where = {0}, rule = {0};
    const char *why;

    write_verdict(decision, &verdict);
    write_where(decision, &where);
    text_add_string(&rule, decision->rule ? decision->rule : "(none)");
    bool right = same("the verdict", place, &columns[VERDICT], &verdict);
    right = same("the place", place, &columns[WHERE], &where) && right;
    right = same("the rule", place, &columns[RULE], &rule) && right;
    if (!is_sound(decision, request, &why)) {
        (void)fprintf(stderr, "%s: %s\n", place, why);
        right = false;
    }
    if (!is_discreet(decision)) {
        (void)fprintf(stderr, "%s: an error without a detail, or a detail that quotes a secret\n", place);
        right = false;
    }
    for (const struct refusal_error *error = right ? NULL : decision->refusal.errors; error;
         error = error->next)
        (void)fprintf(stderr, "    %s\n", error->detail ? error->detail : "(no detail)");
    text_free(&verdict);
    text_free(&where);
    text_free(&rule);
    return right;
}

/* Takes the names of a client certificate off a "who": "editor & dns:ci & email:ci@example". */
static size_t split_certificate(struct text *who, struct span *names)
{
    size_t count = 0, length = 0;

    char *behind = who->data + who->length;
    for (char *at = who->data; (at = memmem(at, (size_t)(behind - at), " & ", 3)) != NULL;) {
        if (count == 0)
            length = (size_t)(at - who->data);
        at += 3;
        char *end = memmem(at, (size_t)(behind - at), " & ", 3); /* a name may hold a NUL */
        names[count++] = (struct span){at, (size_t)((end ? end : behind) - at)};
    }
    if (count == 0)
        return 0;
    who->data[length] = '\0';
    who->length = strcmp(who->data, "-") == 0 ? 0 : length;
    return count;
}

/* Adds the token of a principal ("ann": its token is "ann-hush"), or the value as it stands where it holds a
 * space. */
static size_t add_authorization(const struct text *who, struct text *room, struct field *fields, size_t count)
{
    if (who->length == 0)
        return count;
    text_add_format(room, strchr(who->data, ' ') ? "%s" : "Token %s-hush", who->data);
    fields[count] = (struct field){span_of("Authorization"), {room->data, room->length}};
    return count + 1;
}

static bool run_case(const struct world *world, const char *place, struct text *columns)
{
    const struct decide_input input = {
        .contract = world->contract, .policy = world->policy, .scratch = world->scratch};
    struct field fields[FIELDS_MAX] = {{span_of("Host"), span_of("gate")}};
    struct text authorization = {0};
    struct arena arena;
    struct decision decision;
    struct around around = {.now = world->now != 0 ? world->now : 1793016000}; /* a Monday at noon */
    size_t count = 1 + split_fields(columns[FIELDS].data, fields + 1, &around);

    struct span names[FIELDS_MAX];
    size_t name_count = split_certificate(&columns[WHO], names);
    count = add_authorization(&columns[WHO], &authorization, fields, count);
    const struct request request = {
        .method = {columns[METHOD].data, columns[METHOD].length},
        .target = {columns[TARGET].data, columns[TARGET].length},
        .fields = fields,
        .field_count = count,
        .body = {columns[BODY].data, columns[BODY].length},
        .has_content = columns[BODY].length > 0,
        .certificate_names = names,
        .certificate_name_count = name_count,
        .client = around.client,
        .now = around.now,
        .facts = around.asked ? &around.facts : NULL,
    };
    arena_init(&arena);
    decide(&input, &request, &arena, &decision);
    bool right = compare(place, columns, &request, &decision);
    decision_free(&decision);
    arena_reset(&arena);
    json_decref(around.facts.attributes);
    json_decref(around.facts.settings);
    text_free(&authorization);
    return right;
}

/* Splits a line at its runs of tabs; how many columns it has. */
static size_t split_line(char *line, struct text *columns)
{
    size_t count = 0;

    for (char *column; (column = strsep(&line, "\t")) != NULL;) {
        if (*column == '\0')
            continue;
        if (count < COLUMNS) {
            text_clear(&columns[count]);
            expand(column, &columns[count]);
        }
        count++;
    }
    return count;
}

static void run_table(const char *table, const char *policy)
{
    struct world world = world_make(policy);
    struct text columns[COLUMNS] = {0};
    unsigned number = 0, cases = 0, failed = 0;
    char *line = NULL, place[128];
    size_t room = 0;
    FILE *file = fopen(table, "r");

    assert_non_null(file);
    while (getline(&line, &room, file) >= 0) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (line[0] == '@') { /* the moment of the requests below */
            assert_true(moment_read(span_of(line + 2), &world.now));
            continue;
        }
        cases++;
        (void)snprintf(place, sizeof place, "%s:%u", table, number);
        size_t count = split_line(line, columns);
        if (count != COLUMNS)
            (void)fprintf(stderr, "%s: %zu columns, not %d\n", place, count, COLUMNS);
        if (count != COLUMNS || !run_case(&world, place, columns))
            failed++;
    }
    (void)fclose(file);
    free(line);
    for (size_t i = 0; i < COLUMNS; i++)
        text_free(&columns[i]);
    world_free(&world);
    print_message("%s: %u cases\n", table, cases);
    assert_true(cases > 0);
    assert_int_equal(failed, 0);
}

#define POLICY "tests/tables/decisions.policy.json"

#define TABLE(name, policy)                                                                                  \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        (void)state;                                                                                         \
        run_table("tests/tables/decisions_" #name ".tsv", policy);                                           \
    }

TABLE(operations, POLICY)
TABLE(spelling, POLICY)
TABLE(identity, POLICY)
TABLE(certificates, "tests/tables/decisions_certificates.policy.json")
TABLE(versions, POLICY)
TABLE(loose_versions, "tests/tables/decisions_loose_versions.policy.json")
TABLE(parameters, POLICY)
TABLE(permissions, POLICY)
TABLE(terms, "tests/tables/decisions_terms.policy.json")
TABLE(bodies, POLICY)
TABLE(rules, "tests/tables/decisions_rules.policy.json")
TABLE(rules_facts, "tests/tables/decisions_rules.policy.json")
TABLE(observed, "tests/tables/decisions_observed.policy.json")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations),   cmocka_unit_test(spelling),    cmocka_unit_test(identity),
        cmocka_unit_test(certificates), cmocka_unit_test(versions),    cmocka_unit_test(loose_versions),
        cmocka_unit_test(parameters),   cmocka_unit_test(permissions), cmocka_unit_test(bodies),
        cmocka_unit_test(terms),        cmocka_unit_test(rules),       cmocka_unit_test(rules_facts),
        cmocka_unit_test(observed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
