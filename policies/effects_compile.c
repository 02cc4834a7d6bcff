/* What a policy's rules do: their members deny, require and budget. */
#include "policies/rules_compiler.h"

#define PEOPLE_MOST     10
#define APPROVAL_LEAST  60     /* seconds */
#define APPROVAL_MOST   604800 /* a week */
#define BUDGET_REQUESTS 10000
#define BUDGET_SECONDS  2678400 /* 31 days */

static bool is_true(struct compiler *compiler, const struct place *place, const json_t *value)
{
    if (!json_is_true(value))
        note_error(compiler, place, "must be true; without it there is no such rule");
    return json_is_true(value);
}

static void deny_compile(struct compiler *compiler, const struct place *place, json_t *value,
                         struct rule *rule)
{
    rule->effect = RULE_DENY;
    (void)is_true(compiler, place, value);
}

static void break_glass_demand(struct compiler *compiler, const struct place *place, json_t *value,
                               struct rule *rule)
{
    rule->effect = RULE_BREAK_GLASS;
    (void)is_true(compiler, place, value);
}

static void reason_demand(struct compiler *compiler, const struct place *place, json_t *value,
                          struct rule *rule)
{
    char error[256];

    rule->effect = RULE_REASON;
    if (!value_is(compiler, place, value, JSON_STRING))
        return;
    rule->form = pattern_compile(string_span(value), error, sizeof error);
    if (rule->form == NULL)
        note_error(compiler, place, "the pattern does not compile: %s", error);
}

static void approval_demand(struct compiler *compiler, const struct place *place, json_t *value,
                            struct rule *rule)
{
    static const char *const known[] = {"people", "seconds", "description", NULL};

    rule->effect = RULE_APPROVAL;
    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    rule->approval = (struct approval){
        .people = number_compile(compiler, place, value, "people", 1, PEOPLE_MOST),
        .seconds = number_compile(compiler, place, value, "seconds", APPROVAL_LEAST, APPROVAL_MOST),
    };
}

typedef void compile_effect(struct compiler *compiler, const struct place *place, json_t *value,
                            struct rule *rule);

struct effect_row {
    const char *member;
    compile_effect *compile;
};

/* Reads the one member of the object that is in the rows, which end with a NULL. */
static void one_of_compile(struct compiler *compiler, const struct place *place, json_t *object,
                           const struct effect_row *rows, const char *names, struct rule *rule)
{
    const struct effect_row *found = NULL;
    size_t count = 0;

    for (; rows->member != NULL; rows++) {
        if (json_object_get(object, rows->member) == NULL)
            continue;
        found = rows;
        count++;
    }
    if (count != 1) {
        note_error(compiler, place, "needs one of %s, and not more", names);
        return;
    }
    const struct place here = {.above = place, .member = found->member};
    found->compile(compiler, &here, json_object_get(object, found->member), rule);
}

static void require_compile(struct compiler *compiler, const struct place *place, json_t *value,
                            struct rule *rule)
{
    static const char *const known[] = {"approval", "reason", "break_glass", "description", NULL};
    static const struct effect_row demands[] = {{"approval", approval_demand},
                                                {"reason", reason_demand},
                                                {"break_glass", break_glass_demand},
                                                {NULL, NULL}};

    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    one_of_compile(compiler, place, value, demands, "approval, reason and break_glass", rule);
}

/* The word at the place as its number in the list, which ends with a NULL; noted when it is none of them. */
static size_t word_compile(struct compiler *compiler, const struct place *above, json_t *object,
                           const char *member, const char *const *words)
{
    const struct place place = {.above = above, .member = member};
    json_t *value = json_object_get(object, member);
    char room[64];
    size_t at = 0;

    if (!value_is(compiler, &place, value, JSON_STRING))
        return 0;
    while (words[at] != NULL && !span_is(string_span(value), words[at]))
        at++;
    if (words[at] != NULL)
        return at;
    note_error(compiler, &place, "is no word that can stand here%s%s%s",
               words[1] == NULL ? "; it can be \"" : "", words[1] == NULL ? words[0] : "",
               words[1] == NULL ? "\"" : suggestion(json_string_value(value), words, room, sizeof room));
    return 0;
}

static void budget_compile(struct compiler *compiler, const struct place *place, json_t *value,
                           struct rule *rule)
{
    static const char *const known[] = {"requests", "seconds", "each", "until", "description", NULL};
    static const char *const holders[] = {"principal", "organization", "gate", NULL};
    static const char *const ends[] = {"reset", NULL};

    rule->effect = RULE_BUDGET;
    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    if (json_object_get(value, "each") == NULL)
        note_error(compiler, place, "lacks \"each\": \"principal\", \"organization\" or \"gate\"");
    (void)word_compile(compiler, place, value, "until", ends);
    rule->budget = (struct budget){
        .requests = number_compile(compiler, place, value, "requests", 1, BUDGET_REQUESTS),
        .seconds = number_compile(compiler, place, value, "seconds", 1, BUDGET_SECONDS),
        .each = (enum budget_each)word_compile(compiler, place, value, "each", holders),
        .until_reset = json_object_get(value, "until") != NULL,
    };
}

void effect_compile(struct compiler *compiler, const struct place *place, json_t *value, struct rule *rule)
{
    static const struct effect_row effects[] = {
        {"deny", deny_compile}, {"require", require_compile}, {"budget", budget_compile}, {NULL, NULL}};

    one_of_compile(compiler, place, value, effects, "deny, require and budget", rule);
}
