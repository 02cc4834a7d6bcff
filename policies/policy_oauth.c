/* The member oauth of a policy file, and the subjects of its principals: who comes in by OAuth tokens. */
#include "policies/ascii.h"
#include "policies/policy_compiler.h"

#define SUBJECT_LONGEST 255

static const char *text_compile(struct compiler *compiler, const struct place *above, json_t *object,
                                const char *name, const char *missing)
{
    const struct place place = {.above = above, .member = name};
    json_t *value = json_object_get(object, name);

    if (value == NULL && missing == NULL)
        note_error(compiler, above, "lacks \"%s\"", name);
    if (!value_is(compiler, &place, value, JSON_STRING))
        return missing;
    if (json_string_length(value) == 0)
        note_error(compiler, &place, "is empty");
    return policy_copy(compiler, string_span(value));
}

void oauth_compile(struct compiler *compiler, const struct place *root, json_t *value)
{
    static const char *const known[] = {"issuer", "audience", "keys", "claim", "description", NULL};
    const struct place place = {.above = root, .member = "oauth"};
    struct policy *policy = compiler->policy;

    policy->has_oauth = value != NULL;
    if (!value_is(compiler, &place, value, JSON_OBJECT))
        return;
    members_check(compiler, &place, value, known);
    policy->oauth = (struct oauth_rules){
        .jwt =
            {
                .issuer = text_compile(compiler, &place, value, "issuer", NULL),
                .audience = text_compile(compiler, &place, value, "audience", NULL),
                .claim = text_compile(compiler, &place, value, "claim", "sub"),
            },
        .keys = text_compile(compiler, &place, value, "keys", NULL),
    };
}

static bool is_fit(struct span subject)
{
    for (size_t i = 0; i < subject.length; i++)
        if (ascii_is_control(subject.data[i]))
            return false;
    return subject.length > 0 && subject.length <= SUBJECT_LONGEST;
}

static void subject_compile(struct compiler *compiler, const struct place *place, json_t *value,
                            uint32_t principal)
{
    struct policy *policy = compiler->policy;
    struct span text = string_span(value);

    if (!value_is(compiler, place, value, JSON_STRING))
        return;
    if (!is_fit(text)) {
        note_error(compiler, place, "a subject has 1 to %d bytes and no control characters", SUBJECT_LONGEST);
        return;
    }
    uint32_t known = find_subject(policy, text);
    if (known != TABLE_NONE) {
        uint32_t owner = policy->subjects[known].principal;
        if (owner == principal)
            note_warning(compiler, place, "\"%s\" stands here twice", text.data);
        else
            note_error(compiler, place, "\"%s\" is a subject of the principal \"%s\" already", text.data,
                       policy->principals[owner].name);
        return;
    }
    const char *copy = policy_copy(compiler, text);
    if (copy == NULL)
        return;
    table_add(&policy->by_subject, hash_bytes(text), policy->subject_count);
    policy->subjects[policy->subject_count++] =
        (struct holder){.name = {copy, text.length}, .principal = principal};
}

void subjects_compile(struct compiler *compiler, const struct place *above, json_t *value, uint32_t principal)
{
    const struct place place = {.above = above, .member = "subjects"};

    if (!value_is(compiler, &place, value, JSON_ARRAY))
        return;
    if (!compiler->policy->has_oauth)
        note_error(compiler, &place,
                   "are of OAuth tokens, and the policy says nowhere whose tokens are taken: add \"oauth\"");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.above = &place, .element = i};
        subject_compile(compiler, &here, json_array_get(value, i), principal);
    }
}

void oauth_check(struct compiler *compiler, const struct place *root)
{
    const struct place place = {.above = root, .member = "oauth"};

    if (compiler->policy->has_oauth && compiler->policy->subject_count == 0)
        note_warning(compiler, &place, "no principal has `subjects`: every OAuth token will be refused");
}

const struct oauth_rules *policy_oauth(const struct policy *policy)
{
    return policy->has_oauth ? &policy->oauth : NULL;
}
