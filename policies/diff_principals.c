/* Principals of two policies held against each other: who they are, how they show it, and what they may
 * besides sending requests. What they may send is told cell by cell. */
#include "policies/diff_internal.h"
#include "policies/moment.h"

static void tell(struct diff *diff, enum change_sense sense, const char *what, const char *subject,
                 const char *before, const char *after, const char *detail)
{
    diff_tell(diff, &(struct change){.sense = sense,
                                     .what = what,
                                     .subject = subject,
                                     .before = before,
                                     .after = after,
                                     .detail = detail});
}

/* ---- tokens and certificates ---- */

/* What is shown of a digest: enough to find it in the file. */
static const char *token_text(struct diff *diff, const struct token *token)
{
    char digest[DIGEST_TEXT_SIZE];

    digest_write(token->digest, digest);
    return diff_text(diff, "%.16s…", digest);
}

static const char *term_text(struct diff *diff, const struct term *term)
{
    char from[MOMENT_TEXT_SIZE], until[MOMENT_TEXT_SIZE];

    moment_write(term->not_before, from);
    moment_write(term->not_after, until);
    return diff_text(diff, "%s to %s", term->not_before == MOMENT_FIRST ? "any time" : from,
                     term->not_after == MOMENT_LAST ? "any time" : until);
}

/* When a token may be used: one that both policies have. */
static void compare_term(struct diff *diff, const char *name, const struct token *token,
                         const struct term *before, const struct term *now)
{
    bool longer = now->not_before < before->not_before || now->not_after > before->not_after;

    if (longer || now->not_before != before->not_before || now->not_after != before->not_after)
        tell(diff, longer ? CHANGE_GAINED : CHANGE_LOST, "token", name, term_text(diff, before),
             term_text(diff, now), token_text(diff, token));
}

static void compare_tokens(struct diff *diff)
{
    const struct policy *old = diff->old.policy, *new = diff->new.policy;

    for (uint32_t i = 0; i < new->token_count; i++) {
        const struct token *token = &new->tokens[i];
        const char *name = new->principals[token->principal].name;
        uint32_t before = find_token(old, token->digest);
        const char *owner = before != TABLE_NONE ? old->principals[old->tokens[before].principal].name : NULL;

        if (owner == NULL || strcmp(owner, name) != 0)
            tell(diff, CHANGE_GAINED, "token", name, owner, token_text(diff, token),
                 owner ? "another principal's until now" : "new");
        if (before != TABLE_NONE)
            compare_term(diff, name, token, &old->terms[old->tokens[before].term], &new->terms[token->term]);
    }
    for (uint32_t i = 0; i < old->token_count; i++)
        if (find_token(new, old->tokens[i].digest) == TABLE_NONE)
            tell(diff, CHANGE_LOST, "token", old->principals[old->tokens[i].principal].name,
                 token_text(diff, &old->tokens[i]), NULL, "removed");
}

/* Beside another principal's token or certificate, one that names nobody is passed over, where a known one
 * was a conflict. Can anybody else be shown by something in the new policy? */
static bool frees_others(const struct diff *diff, const char *name)
{
    const struct policy *new = diff->new.policy;
    uint32_t same = find_principal(new, span_of(name));

    for (uint32_t i = 0; i < new->token_count; i++)
        if (new->tokens[i].principal != same)
            return true;
    for (uint32_t i = 0; i < new->holder_count; i++)
        if (new->holders[i].principal != same)
            return true;
    for (uint32_t i = 0; i < new->subject_count; i++)
        if (new->subjects[i].principal != same)
            return true;
    return false;
}

/* What names a principal besides tokens: certificates and subjects, of the old policy and of the new one. */
struct names {
    const char *what;
    uint32_t (*find)(const struct policy *policy, struct span name);
    const struct holder *old, *new;
    uint32_t old_count, new_count;
    bool conflicts; /* one that is known is a conflict beside what is another's */
};

static const char *name_text(struct diff *diff, const struct holder *holder)
{
    return diff_text(diff, "%.*s", (int)holder->name.length, holder->name.data);
}

static void tell_new(struct diff *diff, const struct names *names, const struct holder *holder)
{
    const struct policy *old = diff->old.policy;
    const char *name = diff->new.policy->principals[holder->principal].name;
    uint32_t before = names->find(old, holder->name);
    const char *owner = before != TABLE_NONE ? old->principals[names->old[before].principal].name : NULL;

    if (owner == NULL || strcmp(owner, name) != 0)
        tell(diff, CHANGE_GAINED, names->what, name, owner, name_text(diff, holder),
             owner != NULL ? "another principal's until now" : "new");
}

static void tell_removed(struct diff *diff, const struct names *names, const struct holder *holder)
{
    const char *name = diff->old.policy->principals[holder->principal].name;
    bool frees = names->conflicts && frees_others(diff, name);

    if (names->find(diff->new.policy, holder->name) == TABLE_NONE)
        tell(diff, frees ? CHANGE_MAYBE : CHANGE_LOST, names->what, name, name_text(diff, holder), NULL,
             frees ? "removed; beside a token or certificate of another principal it was a conflict, and is "
                     "passed over now"
                   : "removed");
}

static void compare_names(struct diff *diff, const struct names *names)
{
    for (uint32_t i = 0; i < names->new_count; i++)
        tell_new(diff, names, &names->new[i]);
    for (uint32_t i = 0; i < names->old_count; i++)
        tell_removed(diff, names, &names->old[i]);
}

void diff_identities(struct diff *diff)
{
    const struct policy *old = diff->old.policy, *new = diff->new.policy;

    compare_tokens(diff);
    compare_names(diff, &(struct names){"certificate", find_holder, old->holders, new->holders,
                                        old->holder_count, new->holder_count, true});
    compare_names(diff, &(struct names){"subject", find_subject, old->subjects, new->subjects,
                                        old->subject_count, new->subject_count, false});
}

/* ---- each by itself ---- */

static const struct {
    const char *name;
    int width; /* the more, the less has to be shown */
} identity_rules[] = {
    [IDENTITY_BY_TOKEN] = {"a token", 1},
    [IDENTITY_BY_CERTIFICATE] = {"a certificate", 1},
    [IDENTITY_BY_BOTH] = {"a token and a certificate", 0},
    [IDENTITY_BY_EITHER] = {"a token or a certificate", 2},
};

static void compare_identity(struct diff *diff, const struct principal *before, const struct principal *now)
{
    int wider = identity_rules[now->identity].width - identity_rules[before->identity].width;

    if (now->identity != before->identity)
        tell(diff, wider > 0 ? CHANGE_GAINED : CHANGE_MAYBE, "identity", now->name,
             identity_rules[before->identity].name, identity_rules[now->identity].name, NULL);
}

static const char *credential_text(struct diff *diff, const struct policy *policy, int credential)
{
    if (credential == CREDENTIAL_OWN)
        return NULL;
    const struct credential_source *source = &policy->credentials[credential];
    return diff_text(diff, "%s %s", source->kind == CREDENTIAL_ENV ? "variable" : "file", source->name);
}

void diff_credential(struct diff *diff, const char *what, const char *subject, int before, int now)
{
    const char *before_text = credential_text(diff, diff->old.policy, before);
    const char *now_text = credential_text(diff, diff->new.policy, now);

    if (before_text == NULL && now_text == NULL)
        return;
    if (before_text != NULL && now_text != NULL && strcmp(before_text, now_text) == 0) {
        arena_reset(&diff->arena);
        return;
    }
    tell(diff, CHANGE_MAYBE, what, subject, before_text, now_text,
         "what the API lets this key do cannot be seen here");
}

/* The people behind a principal of one policy, by their names: are they also behind the one of the other? */
static bool people_kept(const struct policy *policy, const struct principal *principal,
                        const struct policy *other, const struct principal *same)
{
    size_t count, other_count;
    const uint32_t *people = policy_people(principal, &count), *others = policy_people(same, &other_count);

    for (size_t i = 0; i < count; i++) {
        const char *name = policy_principal_at(policy, people[i])->name;
        size_t at = 0;

        while (at < other_count && strcmp(policy_principal_at(other, others[at])->name, name) != 0)
            at++;
        if (at == other_count)
            return false;
    }
    return true;
}

static void add_owner(struct text *text, const char *name)
{
    text_add_string(text, text->length > 0 ? ", " : "");
    text_add_string(text, name);
}

static const char *people_text(struct diff *diff, const struct policy *policy,
                               const struct principal *principal)
{
    size_t count;
    const uint32_t *people = policy_people(principal, &count);
    struct text text = {0};

    for (size_t i = 0; i < count; i++)
        add_owner(&text, policy_principal_at(policy, people[i])->name);
    const char *made = diff_text(diff, "%s", text.data != NULL ? text.data : "");
    diff->failed = diff->failed || text.failed;
    text_free(&text);
    return made;
}

/* Nobody approves what somebody asks for who has a person in common with them: fewer people behind somebody
 * are more who may approve. */
static void compare_owners(struct diff *diff, const struct principal *before, const struct principal *now)
{
    const struct policy *old = diff->old.policy, *new = diff->new.policy;
    bool kept = people_kept(old, before, new, now);

    if (kept && people_kept(new, now, old, before))
        return;
    tell(diff, kept ? CHANGE_LOST : CHANGE_MAYBE, "owners", now->name, people_text(diff, old, before),
         people_text(diff, new, now),
         kept ? "more people cannot approve for it" : "somebody else may approve for it, or it for them");
}

static void compare_principal(struct diff *diff, const struct principal *before, const struct principal *now)
{
    compare_identity(diff, before, now);
    compare_owners(diff, before, now);
    diff_credential(diff, "credential", now->name, before->credential, now->credential);
    diff_limit(diff, "rate limit", now->name, before->rate_limit, now->rate_limit, true);
    diff_limit(diff, "break-glass", now->name, before->break_glass, now->break_glass, false);
}

void diff_principals(struct diff *diff)
{
    const struct policy *old = diff->old.policy, *new = diff->new.policy;

    for (uint32_t i = 0; i < old->principal_count; i++) {
        const struct principal *before = &old->principals[i];
        const struct principal *now = policy_principal_named(new, span_of(before->name));

        if (now != NULL)
            compare_principal(diff, before, now);
        else
            tell(diff, CHANGE_OTHER, "principal", before->name, "there", NULL,
                 "removed: its tokens, certificates and cells say what that comes to");
    }
    for (uint32_t i = 0; i < new->principal_count; i++) {
        const struct principal *now = &new->principals[i];

        if (policy_principal_named(old, span_of(now->name)) != NULL)
            continue;
        tell(diff, CHANGE_OTHER, "principal", now->name, NULL, "there",
             "added: its tokens, certificates and cells say what that comes to");
        diff_limit(diff, "break-glass", now->name, (struct rate_limit){0}, now->break_glass, false);
    }
}
