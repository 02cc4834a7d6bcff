#include "policies/policy_compiler.h"

#include <stdlib.h>

/* Indexes are 32 bits wide, and tables twice as large as what they hold. */
#define COUNT_MAX ((size_t)1 << 29)

struct counts {
    size_t principals, tokens, holders, subjects, roles, organizations, grants;
};

static struct counts count_parts(json_t *root)
{
    json_t *principals = json_object_get(root, "principals");
    json_t *organizations = json_object_get(root, "organizations");
    struct counts counts = {
        .principals = json_object_size(principals),
        .roles = json_object_size(json_object_get(root, "roles")),
        .organizations = json_object_size(organizations) + 1, /* "*" */
    };
    const char *name;
    json_t *value;

    json_object_foreach (principals, name, value) {
        counts.tokens += json_array_size(json_object_get(value, "tokens"));
        counts.holders += json_array_size(json_object_get(value, "certificates"));
        counts.subjects += json_array_size(json_object_get(value, "subjects"));
    }
    json_object_foreach (organizations, name, value) {
        counts.grants += json_array_size(json_object_get(value, "grants"));
    }
    return counts;
}

/* Room for all that the document can hold, so that nothing has to grow. */
static bool make_room(struct compiler *compiler, const struct counts *counts)
{
    struct policy *policy = compiler->policy;

    if (counts->principals + counts->tokens + counts->holders + counts->subjects + counts->roles +
            counts->organizations + counts->grants >
        COUNT_MAX)
        return false;
    policy->principals = calloc(counts->principals + 1, sizeof *policy->principals);
    policy->tokens = calloc(counts->tokens + 1, sizeof *policy->tokens);
    policy->holders = calloc(counts->holders + 1, sizeof *policy->holders);
    policy->subjects = calloc(counts->subjects + 1, sizeof *policy->subjects);
    policy->organizations = calloc(counts->organizations, sizeof *policy->organizations);
    policy->grants = calloc(counts->grants + 1, sizeof *policy->grants);
    policy->credentials = calloc(counts->principals + counts->organizations + 1, sizeof *policy->credentials);
    policy->terms = calloc(1, sizeof *policy->terms);
    compiler->roles = calloc(counts->roles + 1, sizeof *compiler->roles);
    compiler->granted = calloc(counts->principals + 1, sizeof *compiler->granted);
    return policy->principals && policy->tokens && policy->holders && policy->subjects &&
           policy->organizations && policy->grants && policy->credentials && policy->terms &&
           compiler->roles && compiler->granted && table_make(&policy->by_name, counts->principals) &&
           table_make(&policy->by_digest, counts->tokens) &&
           table_make(&policy->by_holder, counts->holders) &&
           table_make(&policy->by_subject, counts->subjects) &&
           table_make(&policy->by_id, counts->organizations) &&
           table_make(&policy->by_pair, counts->grants) &&
           table_make(&compiler->roles_by_name, counts->roles);
}

/* Gives back what the counts had room for and the document did not fill. */
static void shrink_credentials(struct policy *policy)
{
    size_t size = (policy->credential_count + 1u) * sizeof *policy->credentials;
    struct credential_source *less = realloc(policy->credentials, size);

    if (less != NULL)
        policy->credentials = less;
}

static void compile_members(struct compiler *compiler)
{
    static const char *const known[] = {"$schema",    "description",   "api_versions", "principals",
                                        "roles",      "organizations", "audit",        "reconcile",
                                        "rate_limit", "rules",         "enforcement",  "oauth",
                                        NULL};
    const struct place root = {0};
    const struct place schema = {.above = &root, .member = "$schema"};
    json_t *object = compiler->document->root;

    members_check(compiler, &root, object, known);
    (void)value_is(compiler, &schema, json_object_get(object, "$schema"), JSON_STRING);
    versions_compile(compiler, &root, json_object_get(object, "api_versions"));
    (void)rate_limit_compile(compiler, &root, object, &compiler->policy->rate_limit);
    oauth_compile(compiler, &root, json_object_get(object, "oauth"));
    principals_compile(compiler, &root, json_object_get(object, "principals"));
    owners_compile(compiler, &root, json_object_get(object, "principals"));
    roles_compile(compiler, &root, json_object_get(object, "roles"));
    compiler->policy->organizations[EVERYWHERE].credential = CREDENTIAL_OWN;
    compiler->policy->organization_count = 1;
    organizations_compile(compiler, &root, json_object_get(object, "organizations"));
    reconcile_compile(compiler, &root, json_object_get(object, "reconcile"));
    audit_compile(compiler, &root, json_object_get(object, "audit"));
    rules_compile(compiler, &root, json_object_get(object, "rules"));
    compiler->policy->enforcement = enforcement_compile(compiler, &root, object);
    unused_check(compiler, &root);
    oauth_check(compiler, &root);
    unheld_check(compiler, &root);
    note_rest(compiler);
}

static void write_digest(const struct document *document, char text[DIGEST_TEXT_SIZE])
{
    unsigned char digest[DIGEST_SIZE];

    digest_of((struct span){document->text, document->length}, digest);
    digest_write(digest, text);
}

struct policy *policy_compile(const struct document *document, struct problems *problems)
{
    const struct counts counts = count_parts(document->root);
    struct compiler compiler = {
        .document = document, .problems = problems, .policy = calloc(1, sizeof *compiler.policy)};
    size_t errors_before = problems->errors;
    struct policy *policy = compiler.policy;

    if (policy == NULL) {
        note_memory(&compiler);
        return NULL;
    }
    arena_init(&policy->texts);
    if (make_room(&compiler, &counts)) {
        write_digest(document, policy->digest);
        policy->terms[policy->term_count++] = (struct term){MOMENT_FIRST, MOMENT_LAST};
        compile_members(&compiler);
    } else {
        note_memory(&compiler);
    }
    free(compiler.roles);
    free(compiler.granted);
    table_free(&compiler.roles_by_name);
    table_free(&compiler.rules_by_id);
    if (problems->errors > errors_before) {
        policy_free(policy);
        return NULL;
    }
    grants_index(policy);
    shrink_credentials(policy);
    return policy;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    pattern_free(policy->pattern);
    rules_free(policy);
    rule_index_free(policy->rule_index);
    free(policy->principals);
    free(policy->tokens);
    free(policy->holders);
    free(policy->subjects);
    free(policy->organizations);
    free(policy->grants);
    free(policy->credentials);
    free(policy->terms);
    table_free(&policy->by_name);
    table_free(&policy->by_digest);
    table_free(&policy->by_holder);
    table_free(&policy->by_subject);
    table_free(&policy->by_id);
    table_free(&policy->by_pair);
    arena_reset(&policy->texts);
    free(policy);
}
