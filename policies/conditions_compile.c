/* The members `when` and `unless` of a policy's rules: what each condition looks at. */
#include "policies/document_internal.h"
#include "policies/rules_compiler.h"

#define CONDITIONS_MOST 32
#define SEGMENTS_MOST   DOCUMENT_DEPTH

/* What pointers may begin with. */
static const struct {
    const char *first, *second; /* second NULL: there is none */
    enum subject subject;
    bool deeper; /* more segments may follow */
} subjects[] = {
    {"version", NULL, SUBJECT_VERSION, false},
    {"stability", NULL, SUBJECT_STABILITY, false},
    {"client", NULL, SUBJECT_CLIENT, false},
    {"time", NULL, SUBJECT_TIME, false},
    {"body", NULL, SUBJECT_BODY, true},
    {"integration", "id", SUBJECT_ID, false},
    {"integration", "attributes", SUBJECT_ATTRIBUTES, true},
    {"integration", "settings", SUBJECT_SETTINGS, true},
    {"radius", "targets", SUBJECT_TARGETS, false},
    {"radius", "projects", SUBJECT_PROJECTS, false},
};

#define ROWS (sizeof subjects / sizeof *subjects)

/* Is it an RFC 6901 pointer: nothing, or segments behind slashes, in which "~" stands before 0 and 1 only? */
static bool is_pointer(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '~' &&
            (i + 1 == text.length || (text.data[i + 1] != '0' && text.data[i + 1] != '1')))
            return false;
    return text.length == 0 || text.data[0] == '/';
}

/* Splits a pointer into its decoded segments, NULL-terminated. NULL, and noted, when it cannot be. */
static const char *const *split(struct compiler *compiler, const struct place *place, const char *pointer)
{
    size_t count = 0, at = 0;
    struct text token = {0};

    for (const char *slash = pointer; *slash != '\0'; slash++)
        count += *slash == '/';
    if (count > SEGMENTS_MOST) {
        note_error(compiler, place, "leads deeper than any document that the gate reads");
        return NULL;
    }
    const char **segments = policy_take(compiler, count + 1, sizeof *segments);
    while (segments != NULL && pointer_next(&pointer, &token))
        segments[at++] = policy_copy(compiler, (struct span){token.data, token.length});
    if (token.failed)
        note_memory(compiler);
    text_free(&token);
    return segments;
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Notes that nothing begins like that, and what comes nearest. */
static void note_subject(struct compiler *compiler, const struct place *place, const char *const *segments)
{
    const char *known[ROWS + 1] = {NULL}, *wrong = segments[0];
    char room[64];
    size_t count = 0;

    for (size_t i = 0; i < ROWS; i++)
        if (same(subjects[i].first, segments[0]) && subjects[i].second != NULL)
            wrong = segments[1] ? segments[1] : "";
    for (size_t i = 0; i < ROWS; i++) {
        if (wrong == segments[0])
            known[count++] = subjects[i].first;
        else if (same(subjects[i].first, segments[0]))
            known[count++] = subjects[i].second;
    }
    note_error(compiler, place,
               "leads to nothing that a rule can look at (/version, /stability, /client, /time, /body/…, "
               "/integration/id, /integration/attributes/…, /integration/settings/…, /radius/targets, "
               "/radius/projects)%s",
               suggestion(wrong, known, room, sizeof room));
}

static bool at_compile(struct compiler *compiler, const struct place *above, json_t *object,
                       struct condition *condition)
{
    const struct place place = {.above = above, .member = "at"};
    json_t *value = json_object_get(object, "at");

    if (value == NULL)
        note_error(compiler, above, "lacks \"at\": what it looks at, as a JSON pointer");
    if (!value_is(compiler, &place, value, JSON_STRING))
        return false;
    if (!is_pointer(string_span(value)) || json_string_length(value) == 0) {
        note_error(compiler, &place,
                   "is no JSON pointer (RFC 6901) such as \"/integration/attributes/profile_name\"");
        return false;
    }
    const char *const *segments = split(compiler, &place, json_string_value(value));
    condition->at = policy_copy(compiler, string_span(value));
    if (segments == NULL || segments[0] == NULL || condition->at == NULL)
        return false;
    for (size_t i = 0; i < ROWS; i++) {
        size_t own = subjects[i].second != NULL ? 2 : 1;
        if (!same(subjects[i].first, segments[0]) || (own == 2 && !same(subjects[i].second, segments[1])))
            continue;
        condition->subject = subjects[i].subject;
        condition->below = segments + own;
        if (segments[own] != NULL && !subjects[i].deeper)
            note_error(compiler, &place, "leads on behind a value that has no members");
        return true;
    }
    note_subject(compiler, &place, segments);
    return false;
}

static void condition_compile(struct compiler *compiler, const struct place *place, json_t *value,
                              struct condition *condition)
{
    static const char *const known[] = {"at",    "equals", "in",     "matches",     "exists",
                                        "above", "within", "during", "description", NULL};

    if (!value_is(compiler, place, value, JSON_OBJECT))
        return;
    members_check(compiler, place, value, known);
    if (at_compile(compiler, place, value, condition))
        test_compile(compiler, place, value, condition);
}

struct conditions conditions_compile(struct compiler *compiler, const struct place *above, json_t *rule,
                                     const char *member)
{
    const struct place place = {.above = above, .member = member};
    json_t *list = json_object_get(rule, member);
    size_t count = json_array_size(list);
    struct condition *items;

    if (!list_is(compiler, &place, list, CONDITIONS_MOST) ||
        (items = policy_take(compiler, count, sizeof *items)) == NULL)
        return (struct conditions){NULL, 0};
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.above = &place, .element = i};
        condition_compile(compiler, &here, json_array_get(list, i), &items[i]);
    }
    return (struct conditions){items, (uint32_t)count};
}
