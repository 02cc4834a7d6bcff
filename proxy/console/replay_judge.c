#include "proxy/console/replay.h"

#include "policies/ascii.h"
#include "policies/facts.h"
#include "policies/fields.h"
#include "proxy/audit/when.h"

#include <jansson.h>

static const struct {
    const char *name, *meaning;
} gaps[GAPS] = {
    [GAP_NONE] = {"none", ""},
    [GAP_UNAUTHENTICATED] = {"unauthenticated", "refused before it was known whose it is"},
    [GAP_EARLY] = {"not-as-it-came",
                   "refused for its spelling, version or parameters, and not recorded as it came"},
    [GAP_LIMITS] = {"not-by-policy", "refused by something else than the policy"},
    [GAP_BODY] = {"body", "its body is not recorded"},
    [GAP_MASKED] = {"masked", "the contract asks for secrets of its body, which are masked"},
    [GAP_FACTS] = {"facts", "a rule looks at what the API would have said, which is not recorded"},
    [GAP_HEADERS] = {"headers", "a rule asks for a header field, and those are not recorded"},
    [GAP_CLAIMS] = {"claims",
                    "it was refused by a budget or for want of an approval, and would come there again"},
    [GAP_CHANGE] = {"change-in-access-log",
                    "a change: the journal tells what was asked, an access log does not"},
    [GAP_RECORD] = {"incomplete", "the line lacks what every record has"},
};

const char *replay_gap_name(enum replay_gap gap)
{
    return gaps[gap].name;
}

const char *replay_gap_meaning(enum replay_gap gap)
{
    return gaps[gap].meaning;
}

const char *replay_answer_name(enum replay_answer answer)
{
    static const char *const names[REPLAY_ANSWERS] = {"", "", "same", "refused", "approval", "allowed"};

    return names[answer];
}

bool replay_judge_begin(struct replay_judge *judge, const struct contract *contract,
                        const struct policy *policy)
{
    *judge = (struct replay_judge){
        .input = {.contract = contract, .policy = policy, .scratch = pattern_scratch_new()},
        .fields = {{SPAN("Host"), SPAN("localhost")},
                   {SPAN("Content-Type"), SPAN("application/vnd.api+json")}},
    };
    for (size_t i = 0; i < sizeof judge->fields / sizeof *judge->fields; i++)
        judge->rows[i] = field_row(judge->fields[i].name);
    arena_init(&judge->arena);
    return judge->input.scratch != NULL;
}

void replay_judge_end(struct replay_judge *judge)
{
    arena_reset(&judge->arena);
    pattern_scratch_free(judge->input.scratch);
}

/* ---- what the line says ---- */

/* A line under judgement. */
struct record {
    const struct scan *line;
    struct request request;
    bool passed;       /* as it was judged then */
    bool is_access;    /* a line of an access log */
    struct span gate;  /* that refused, or the last one */
    struct span code;  /* of the refusal */
    struct span name;  /* of the principal */
    struct span level; /* of the audit; data NULL in an access log */
    struct span body;  /* as it is recorded */
};

/* A string member as it was before it was written as JSON; data NULL without one. */
static struct span string_of(struct replay_judge *judge, const struct scan *line, const char *name)
{
    struct span value = scan_find(line, name), text = scan_text(value), copy = {NULL, 0};

    if (text.data == NULL || memchr(text.data, '\\', text.length) == NULL)
        return text;
    json_t *string = json_loadb(value.data, value.length, JSON_DECODE_ANY, NULL);
    if (json_is_string(string))
        copy =
            arena_copy(&judge->arena, (struct span){json_string_value(string), json_string_length(string)});
    json_decref(string);
    return copy;
}

static bool is_one_of(struct span word, const char *const *words)
{
    while (*words != NULL && !span_is(word, *words))
        words++;
    return *words != NULL;
}

/* Is the line about a request that was judged? What it says of the verdict is read, too. */
static bool read_verdict(struct record *record)
{
    static const char *const judged[] = {"intent", "refused", "read", NULL};
    struct span stage = scan_text(scan_find(record->line, "stage"));
    struct span verdict = scan_text(scan_find(record->line, "verdict"));

    record->is_access = stage.data == NULL;
    record->gate = scan_text(scan_find(record->line, "gate"));
    record->code = scan_text(scan_find(record->line, record->is_access ? "code" : "detail"));
    if (record->is_access) {
        record->passed = span_is(verdict, "pass");
        return verdict.data != NULL;
    }
    record->passed = span_is(stage, "intent") ||
                     (span_is(stage, "read") && scan_find(record->line, "credential").data != NULL);
    return is_one_of(stage, judged);
}

/* The target with the version in its query, where it was refused before that was put together. */
static struct span target_of(struct replay_judge *judge, const struct record *record)
{
    struct span target = string_of(judge, record->line, "target");
    struct span version = string_of(judge, record->line, "version");

    if (target.data == NULL || version.data == NULL || memchr(target.data, '?', target.length) != NULL)
        return target;
    const char *whole = arena_format(&judge->arena, "%.*s?version=%.*s", (int)target.length, target.data,
                                     (int)version.length, version.data);
    return whole != NULL ? span_of(whole) : (struct span){NULL, 0};
}

static enum replay_gap read_request(struct replay_judge *judge, struct record *record)
{
    const struct scan *line = record->line;
    int64_t now_us;

    record->name = string_of(judge, line, "principal");
    record->level = scan_text(scan_find(line, "level"));
    record->body = scan_find(line, "body");
    record->request = (struct request){
        .method = string_of(judge, line, "method"),
        .target = target_of(judge, record),
        .fields = judge->fields,
        .rows = judge->rows,
        .field_count = record->body.data != NULL ? 2 : 1,
        .body = record->body,
        .has_content = record->body.length > 0,
        .client = string_of(judge, line, "client"),
    };
    if (record->request.method.data == NULL || record->request.target.data == NULL ||
        !when_read(scan_text(scan_find(line, "time")), 0, &now_us))
        return GAP_RECORD;
    record->request.now = now_us / 1000000;
    return GAP_NONE;
}

/* What stands against judging it again, by the record alone. */
static enum replay_gap gap_of_record(const struct record *record)
{
    static const char *const early[] = {"spelling", "operation", "version", "parameters", NULL};
    static const char *const policy[] = {"permission", "body", "rules", "budget", NULL};

    if (record->name.data == NULL)
        return GAP_UNAUTHENTICATED;
    if (record->is_access && !method_is_safe(record->request.method))
        return GAP_CHANGE;
    if (record->passed)
        return GAP_NONE;
    if (is_one_of(record->gate, early))
        return GAP_EARLY;
    return is_one_of(record->gate, policy) ? GAP_NONE : GAP_LIMITS;
}

/* ---- facts ---- */

static void take_number(struct span object, const char *name, struct fact_number *number)
{
    json_t *root = json_loadb(object.data, object.length, 0, NULL);
    json_t *value = json_object_get(root, name);
    if (json_is_true(json_object_get(root, "known")) && json_is_integer(value) &&
        json_integer_value(value) >= 0)
        *number = (struct fact_number){FACT_NUMBER_KNOWN, (uint64_t)json_integer_value(value)};
    json_decref(root);
}

/* What is recorded of the facts; `before` keeps what they point into. */
static void read_facts(const struct record *record, struct facts *facts, json_t **before)
{
    struct span seen = scan_find(record->line, "before"), radius = scan_find(record->line, "radius");

    *facts = (struct facts){0};
    *before = seen.data != NULL ? json_loadb(seen.data, seen.length, 0, NULL) : NULL;
    json_t *integration = json_object_get(*before, "integration"),
           *settings = json_object_get(*before, "settings");
    if (integration != NULL) {
        facts->had |= FACT_INTEGRATION;
        facts->attributes = json_object_get(integration, "attributes");
    }
    if (settings != NULL) {
        facts->had |= FACT_SETTINGS;
        facts->settings = json_object_get(settings, "attributes");
    }
    if (radius.data != NULL) {
        take_number(radius, "targets", &facts->targets);
        take_number(radius, "projects", &facts->projects);
        facts->had |= FACT_RADIUS;
    }
}

/* Judges; with what is recorded of the facts where they are asked for. */
static void judge_request(struct replay_judge *judge, struct record *record, struct decision *decision)
{
    struct facts facts;
    json_t *before = NULL;

    decide(&judge->input, &record->request, &judge->arena, decision);
    if (decision->verdict == VERDICT_NEED) {
        read_facts(record, &facts, &before);
        if ((decision->needs & ~facts.had) == 0) {
            decision_free(decision);
            record->request.facts = &facts;
            decide(&judge->input, &record->request, &judge->arena, decision);
            record->request.facts = NULL;
        }
    }
    decision_free(decision);
    json_decref(before);
}

/* ---- what it comes to ---- */

static bool has_masks(const struct record *record)
{
    static const char mask[] = "\"hmac-sha256:";

    return record->body.data != NULL &&
           memmem(record->body.data, record->body.length, mask, sizeof mask - 1) != NULL;
}

/* Is the gate the one of bodies, or does it come behind it? */
static bool reached_body(const struct decision *decision)
{
    return strcmp(decision->gate, "body") == 0 || strcmp(decision->gate, "rules") == 0;
}

/* Does the record show that the request came without the header field that is asked for by this code? */
static bool lacked_field(const struct record *record, const char *code)
{
    return !record->passed && !record->is_access && span_is(record->code, code) &&
           scan_find(record->line, "reason").data == NULL;
}

/* What stands against believing the new judgement. */
static enum replay_gap gap_of_decision(const struct record *record, const struct decision *decision)
{
    const char *code = decision->verdict == VERDICT_REFUSE ? decision->refusal.code : "";
    bool unsaid =
        record->body.data == NULL && (record->level.data == NULL || span_is(record->level, "metadata"));

    if (decision->operation != NULL && decision->operation->body != NULL && reached_body(decision) && unsaid)
        return GAP_BODY;
    if (decision->verdict == VERDICT_NEED)
        return GAP_FACTS;
    if (decision->verdict == VERDICT_REFUSE && strcmp(decision->gate, "body") == 0 &&
        !span_is(record->gate, "permission") && (has_masks(record) || !record->passed))
        return has_masks(record) ? GAP_MASKED : GAP_NONE;
    if (strcmp(code, "portcullis-reason-required") == 0 || strcmp(code, "portcullis-frozen") == 0)
        return lacked_field(record, code) ? GAP_NONE : GAP_HEADERS;
    if (decision->verdict == VERDICT_REFUSE && strcmp(decision->gate, "parameters") == 0 && !record->passed)
        return GAP_EARLY;
    return GAP_NONE;
}

/* Was it refused for what had been used by then, and would that be asked again? */
static bool is_claimed_again(const struct record *record, const struct decision *decision)
{
    static const char *const codes[] = {"portcullis-budget-spent", "portcullis-approval-required",
                                        "portcullis-approval-limit", NULL};

    return is_one_of(record->code, codes) && (decision->obligations & (OBLIGE_BUDGET | OBLIGE_APPROVAL)) != 0;
}

static bool had_approval(const struct record *record)
{
    static const char claim[] = "\"claim\":\"approval\"";
    struct span claims = scan_find(record->line, "claims");

    return claims.data != NULL && memmem(claims.data, claims.length, claim, sizeof claim - 1) != NULL;
}

static void compare(const struct record *record, const struct decision *decision,
                    struct replay_finding *finding)
{
    bool passes = decision->verdict == VERDICT_PASS;

    finding->gap = gap_of_decision(record, decision);
    if (finding->gap == GAP_NONE && !record->passed && passes && is_claimed_again(record, decision))
        finding->gap = GAP_CLAIMS;
    if (finding->gap != GAP_NONE)
        finding->answer = REPLAY_GAP;
    else if (record->passed && !passes)
        finding->answer = REPLAY_REFUSED;
    else if (!record->passed && passes)
        finding->answer = REPLAY_ALLOWED;
    else if (passes && (decision->obligations & OBLIGE_APPROVAL) != 0 && !had_approval(record))
        finding->answer = REPLAY_APPROVAL;
    else
        finding->answer = REPLAY_SAME;
    finding->rule = finding->answer == REPLAY_APPROVAL ? decision->approvals->rule->pointer : decision->rule;
    finding->code = passes ? "" : decision->refusal.code;
}

void replay_judge_line(struct replay_judge *judge, const struct scan *line, struct replay_finding *finding)
{
    struct record record = {.line = line};
    struct decision decision;

    arena_reset(&judge->arena);
    *finding = (struct replay_finding){.answer = REPLAY_NONE, .rule = "", .code = ""};
    if (!read_verdict(&record))
        return;
    finding->answer = REPLAY_GAP;
    finding->gap = read_request(judge, &record);
    if (finding->gap == GAP_NONE)
        finding->gap = gap_of_record(&record);
    if (finding->gap != GAP_NONE)
        return;
    judge->input.assume = policy_principal_named(judge->input.policy, record.name);
    if (judge->input.assume == NULL) {
        *finding = (struct replay_finding){.answer = record.passed ? REPLAY_REFUSED : REPLAY_SAME,
                                           .rule = "no-principal",
                                           .code = "portcullis-unauthenticated"};
        return;
    }
    judge_request(judge, &record, &decision);
    compare(&record, &decision, finding);
}
