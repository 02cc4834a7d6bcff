/* How the principals of a policy file show who they are: tokens (their own, or OAuth's), certificates, or
 * both. */
#include "policies/certificate_name.h"
#include "policies/policy_compiler.h"

#include <stdlib.h>

/* Reads a digest, or an object with one and its time. */
static bool token_read(struct compiler *compiler, const struct place *place, json_t *value,
                       struct token *token)
{
    static const char *const known[] = {"digest", "not_before", "not_after", "description", NULL};
    const struct place within = {.above = place, .member = "digest"};
    bool bounded = json_is_object(value);
    const struct place *at = bounded ? &within : place;
    json_t *digest = bounded ? json_object_get(value, "digest") : value;

    if (bounded) {
        members_check(compiler, place, value, known);
        token->term = term_compile(compiler, place, value);
    }
    if (digest == NULL)
        note_error(compiler, place, "lacks \"digest\"");
    if (!value_is(compiler, at, digest, JSON_STRING))
        return false;
    if (digest_read(string_span(digest), token->digest))
        return true;
    note_error(compiler, at, /* not quoted: it may be the secret itself */
               "is not \"sha256:\" and 64 hex digits; `portcullis token` prints the digest of a secret");
    return false;
}

static void token_compile(struct compiler *compiler, const struct place *place, json_t *value,
                          uint32_t principal)
{
    struct policy *policy = compiler->policy;
    struct token token = {.principal = principal, .term = ALWAYS};

    if (!token_read(compiler, place, value, &token))
        return;
    uint32_t known = find_token(policy, token.digest);
    if (known == TABLE_NONE) {
        table_add(&policy->by_digest, hash_digest(token.digest), policy->token_count);
        policy->tokens[policy->token_count++] = token;
        return;
    }
    char digest[DIGEST_TEXT_SIZE];
    digest_write(token.digest, digest);
    uint32_t owner = policy->tokens[known].principal;
    if (owner == principal && (token.term != ALWAYS || policy->tokens[known].term != ALWAYS))
        note_error(compiler, place, "the digest %.15s… stands here twice: one entry must say its time",
                   digest);
    else if (owner == principal)
        note_warning(compiler, place, "the digest %.15s… stands here twice", digest);
    else
        note_error(compiler, place, "the digest %.15s… names the principal \"%s\" already", digest,
                   policy->principals[owner].name);
}

static void tokens_compile(struct compiler *compiler, const struct place *above, json_t *value,
                           uint32_t principal)
{
    const struct place place = {.above = above, .member = "tokens"};

    if (value != NULL && !value_is(compiler, &place, value, JSON_ARRAY))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.above = &place, .element = i};
        token_compile(compiler, &here, json_array_get(value, i), principal);
    }
}

static void certificate_compile(struct compiler *compiler, const struct place *place, json_t *value,
                                uint32_t principal)
{
    struct policy *policy = compiler->policy;
    struct certificate_name name;

    if (!value_is(compiler, place, value, JSON_STRING))
        return;
    const char *fault = certificate_name_read(string_span(value), &name);
    if (fault != NULL) {
        note_error(compiler, place,
                   "%s; names are \"uri:spiffe://example/ci\", \"dns:ci.example\" or "
                   "\"email:ci@example\"",
                   fault);
        return;
    }
    const struct span text = {name.text, name.length};
    uint32_t known = find_holder(policy, text);
    if (known != TABLE_NONE) {
        uint32_t owner = policy->holders[known].principal;
        if (owner == principal)
            note_warning(compiler, place, "\"%s\" stands here twice", json_string_value(value));
        else
            note_error(compiler, place, "\"%s\" is a certificate of the principal \"%s\" already",
                       json_string_value(value), policy->principals[owner].name);
        return;
    }
    const char *copy = policy_copy(compiler, text);
    if (copy == NULL)
        return;
    table_add(&policy->by_holder, hash_bytes(text), policy->holder_count);
    policy->holders[policy->holder_count++] =
        (struct holder){.name = {copy, text.length}, .principal = principal};
}

static void certificates_compile(struct compiler *compiler, const struct place *above, json_t *value,
                                 uint32_t principal)
{
    const struct place place = {.above = above, .member = "certificates"};

    if (value != NULL && !value_is(compiler, &place, value, JSON_ARRAY))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.above = &place, .element = i};
        certificate_compile(compiler, &here, json_array_get(value, i), principal);
    }
}

/* Where a principal has tokens and certificates, nothing is taken for granted: the policy says whether one
 * will do. */
static enum identity_rule rule_compile(struct compiler *compiler, const struct place *above, json_t *value,
                                       bool tokens, bool certificates)
{
    const struct place place = {.above = above, .member = "identity"};
    const char *word = json_string_value(value);

    if (value != NULL && !value_is(compiler, &place, value, JSON_STRING))
        return IDENTITY_BY_BOTH;
    if (tokens && certificates && word == NULL)
        note_error(compiler, above,
                   "has tokens and certificates: \"identity\" must say whether \"both\" are "
                   "needed, or \"either\" will do");
    else if (word != NULL && strcmp(word, "both") != 0 && strcmp(word, "either") != 0)
        note_error(compiler, &place, "must be \"both\" or \"either\"");
    else if (word != NULL && (!tokens || !certificates))
        note_error(compiler, &place, "is for a principal with tokens and certificates; this one has no %s",
                   tokens ? "certificates" : "tokens");
    else if (word != NULL)
        return strcmp(word, "both") == 0 ? IDENTITY_BY_BOTH : IDENTITY_BY_EITHER;
    return certificates && !tokens ? IDENTITY_BY_CERTIFICATE : IDENTITY_BY_TOKEN;
}

void identity_compile(struct compiler *compiler, const struct place *place, json_t *value, uint32_t principal)
{
    json_t *tokens = json_object_get(value, "tokens"), *certificates = json_object_get(value, "certificates"),
           *subjects = json_object_get(value, "subjects");
    const struct place at_tokens = {.above = place, .member = "tokens"};

    tokens_compile(compiler, place, tokens, principal);
    subjects_compile(compiler, place, subjects, principal);
    certificates_compile(compiler, place, certificates, principal);
    bool has_tokens = json_array_size(tokens) + json_array_size(subjects) > 0;
    if (!has_tokens && (tokens == NULL || json_is_array(tokens)) && json_array_size(certificates) == 0)
        note_kind(compiler, tokens ? &at_tokens : place, "unreachable-principal",
                  "has no tokens: this principal can never come in");
    compiler->policy->principals[principal].identity = rule_compile(
        compiler, place, json_object_get(value, "identity"), has_tokens, json_array_size(certificates) > 0);
}

/* Is there a grant for the principal in an organisation where nothing can be presented for it? */
static bool is_unheld(const struct policy *policy, const struct principal *principal,
                      const struct grant *grant)
{
    return grant->principal == principal->index && principal->credential == CREDENTIAL_OWN &&
           policy->organizations[grant->organization].credential == CREDENTIAL_OWN &&
           policy->organizations[EVERYWHERE].credential == CREDENTIAL_OWN;
}

void unheld_check(struct compiler *compiler, const struct place *root)
{
    const struct place principals = {.above = root, .member = "principals"};
    const struct policy *policy = compiler->policy;
    bool *noted = calloc(policy->principal_count + 1, sizeof *noted);

    if (noted == NULL) {
        note_memory(compiler);
        return;
    }
    for (uint32_t i = 0; i < policy->grant_count; i++) {
        if (policy->grants[i].principal == TABLE_NONE)
            continue;
        const struct principal *principal = &policy->principals[policy->grants[i].principal];
        const struct place here = {.above = &principals, .member = principal->name};
        if (principal->identity == IDENTITY_BY_TOKEN || principal->identity == IDENTITY_BY_BOTH ||
            noted[principal->index] || !is_unheld(policy, principal, &policy->grants[i]))
            continue;
        noted[principal->index] = true;
        note_warning(
            compiler, &here,
            "may come in by a certificate alone, but the gate holds no upstream_token to present for it "
            "then: such requests will be refused");
    }
    free(noted);
}
