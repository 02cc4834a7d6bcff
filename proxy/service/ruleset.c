#include "proxy/service/ruleset.h"

#include "proxy/base/clock.h"
#include "proxy/limits/rate.h"
#include "proxy/service/credentials.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

struct ruleset {
    atomic_uint references;
    struct watched_files files; /* that it was read from; marks from before that */
    char contract_digest[DIGEST_TEXT_SIZE], policy_digest[DIGEST_TEXT_SIZE];
    char keys_digest[DIGEST_TEXT_SIZE]; /* of the file of `keys`; "" where it was not read */
    struct manifest manifest;           /* serial 0: none is demanded */
    struct policy *shadow;              /* NULL: none */
    struct contract *contract;
    struct policy *policy;
    struct credentials *credentials;
    struct jwks *keys;        /* NULL where the policy takes no OAuth tokens */
    enum audit_level *levels; /* by operation, in the order of the contract */
    struct rates *rates;
    size_t organizations;
};

/* Takes note of a file before it is read. */
static void note_file(struct ruleset *ruleset, const char *path, struct problems *problems)
{
    if (!watched_files_add(&ruleset->files, path))
        problems_add_at(problems, "", 0, 0, "memory is out");
}

static bool read_text(struct ruleset *ruleset, const char *path, struct text *text, struct problems *problems)
{
    const char *fault;

    note_file(ruleset, path, problems);
    if (file_read(path, RULESET_FILE_LIMIT, text, &fault))
        return true;
    problems_add_at(problems, path_shown(path), 0, 0, "cannot read it: %s", fault);
    return false;
}

/* Reads a file as a document, and its digest; false with the problem noted. document_free either way. */
static bool read_document(struct ruleset *ruleset, struct document *document, const char *path,
                          char digest[DIGEST_TEXT_SIZE], struct problems *problems)
{
    struct text text = {0};
    bool right = read_text(ruleset, path, &text, problems);

    if (right) {
        const struct span bytes = {text.data, text.length};
        manifest_digest(bytes, digest);
        right = document_read(document, path_shown(path), bytes, problems);
    }
    text_free(&text);
    return right;
}

static void load_contract(struct ruleset *ruleset, const struct config *config, struct problems *problems)
{
    struct document document = {0};

    if (config->contract != NULL &&
        read_document(ruleset, &document, config->contract, ruleset->contract_digest, problems))
        ruleset->contract = contract_compile(&document, problems);
    document_free(&document);
}

/* Organisations that the policy names; "*" is none. */
static size_t count_organizations(const struct document *policy)
{
    const json_t *organizations = json_object_get(policy->root, "organizations");

    return json_object_size(organizations) - (json_object_get(organizations, "*") != NULL);
}

/* Ties the policy to the contract: its rules, and how much the journal is told of each operation. Where the
 * two do not fit, the problem is noted and there are no levels. */
static void link_policy(struct ruleset *ruleset, const struct document *policy, struct problems *problems)
{
    size_t count, errors = problems->errors;
    const struct operation *operations = contract_operations(ruleset->contract, &count);

    audit_levels_check(ruleset->policy, ruleset->contract, policy, problems);
    (void)policy_link(ruleset->policy, ruleset->contract, policy, problems);
    if (problems->errors > errors)
        return;
    ruleset->levels = calloc(count + 1, sizeof *ruleset->levels);
    if (ruleset->levels == NULL) {
        problems_add_at(problems, "", 0, 0, "memory is out");
        return;
    }
    for (size_t i = 0; i < count; i++)
        ruleset->levels[i] = audit_level_of(ruleset->policy, &operations[i]);
}

static bool load_rates(struct ruleset *ruleset, struct problems *problems)
{
    bool right;

    ruleset->rates = rates_new(ruleset->policy, &right);
    if (!right)
        problems_add_at(problems, "", 0, 0, "memory is out");
    return right;
}

/* The files of credentials, which may change without the policy. */
static void note_credentials(struct ruleset *ruleset, const struct config *config, struct problems *problems)
{
    size_t count;
    const struct credential_source *sources = policy_credentials(ruleset->policy, &count);

    for (size_t i = 0; i < count; i++) {
        char *path = sources[i].kind == CREDENTIAL_FILE ? path_beside(config->policy, sources[i].name) : NULL;
        if (path != NULL)
            note_file(ruleset, path, problems);
        free(path);
    }
}

/* The public keys of the issuer whose OAuth tokens are taken, from a file beside the policy. */
static void load_keys(struct ruleset *ruleset, const struct config *config, const struct document *policy,
                      bool needed, struct problems *problems)
{
    const struct oauth_rules *oauth = policy_oauth(ruleset->policy);
    char *path = oauth != NULL ? path_beside(config->policy, oauth->keys) : NULL;
    const char *fault = "memory is out";
    struct document document = {0};
    struct text text = {0};

    if (path != NULL)
        note_file(ruleset, path, problems);
    bool read = path != NULL && file_read(path, JWKS_BYTES, &text, &fault);
    if (oauth != NULL && !read)
        problems_add(problems, needed ? SEVERITY_ERROR : SEVERITY_WARNING, policy, "/oauth/keys",
                     "cannot read the keys of OAuth tokens (%s): %s", oauth->keys, fault);
    if (read)
        manifest_digest((struct span){text.data, text.length}, ruleset->keys_digest);
    if (read && document_read(&document, path_shown(path), (struct span){text.data, text.length}, problems))
        ruleset->keys = jwks_read(&document, problems);
    document_free(&document);
    text_free(&text);
    free(path);
}

/* The first rule that waits for people, who have nowhere to go. */
static void note_people(const struct ruleset *ruleset, const struct config *config,
                        const struct document *policy, struct problems *problems)
{
    for (size_t i = 0; i < policy_rule_count(ruleset->policy) && config->approvals.listen.text == NULL; i++) {
        const struct rule *rule = policy_rule_at(ruleset->policy, i);
        bool opened = rule->effect == RULE_BUDGET && rule->budget.until_reset;
        if (rule->effect != RULE_APPROVAL && !opened)
            continue;
        problems_add(problems, SEVERITY_WARNING, policy, rule->pointer,
                     "nobody can %s: the configuration has no approvals.listen, where people do that",
                     opened ? "open it again once it has tripped" : "give the approval that it demands");
        return;
    }
}

static void load_policy(struct ruleset *ruleset, const struct config *config, bool need_credentials,
                        struct problems *problems)
{
    struct document document = {0};

    if (config->policy != NULL &&
        read_document(ruleset, &document, config->policy, ruleset->policy_digest, problems))
        ruleset->policy = policy_compile(&document, problems);
    if (ruleset->policy != NULL) {
        ruleset->organizations = count_organizations(&document);
        policy_terms_check(ruleset->policy, &document, clock_now_us() / 1000000, problems);
        note_credentials(ruleset, config, problems);
        note_people(ruleset, config, &document, problems);
        ruleset->credentials =
            credentials_load(ruleset->policy, &document, config->policy, need_credentials, problems);
        load_keys(ruleset, config, &document, need_credentials, problems);
        if (load_rates(ruleset, problems) && ruleset->contract != NULL)
            link_policy(ruleset, &document, problems);
    }
    document_free(&document);
}

/* What the manifest says of the files, against what they are; NULL when it is right. */
static const char *manifest_fault(const struct ruleset *ruleset, const struct manifest *manifest)
{
    if (strcmp(manifest->policy, ruleset->policy_digest) != 0)
        return "it is of another policy: the set was copied by half, or changed after it was signed";
    if (strcmp(manifest->contract, ruleset->contract_digest) != 0)
        return "it is of another contract: the set was copied by half, or changed after it was signed";
    if (strcmp(manifest->oauth_keys, ruleset->keys_digest) != 0)
        return manifest->oauth_keys[0] == '\0'
                   ? "it says nothing of the keys that OAuth tokens are verified with: sign the set anew"
                   : "it is of other keys of OAuth tokens: the set was copied by half, or changed after it "
                     "was "
                     "signed";
    return NULL;
}

/* Holds what was read against the manifest. What does not fit is an error, or a warning where it is not
 * `needed`: a set must be complete before it can be signed. */
static void load_manifest(struct ruleset *ruleset, const struct config *config, bool needed,
                          struct problems *problems)
{
    const struct document named = {.name = (char *)(uintptr_t)path_shown(config->manifest.file)}; /* read */
    struct text text = {0};
    struct manifest manifest;
    struct note_key key;
    const char *fault = NULL;

    note_file(ruleset, config->manifest.file, problems);
    if (file_read(config->manifest.file, NOTE_BYTES, &text, &fault) &&
        note_key_read(span_of(config->manifest.key), &key, &fault) &&
        manifest_verify((struct span){text.data, text.length}, &key, &manifest, &fault))
        fault = manifest_fault(ruleset, &manifest);
    if (fault == NULL)
        ruleset->manifest = manifest;
    else
        problems_add(problems, needed ? SEVERITY_ERROR : SEVERITY_WARNING, &named, "",
                     "the manifest does not vouch for the set: %s", fault);
    text_free(&text);
}

/* The candidate. What is wrong with it is noted, and there is none then; the policy does not suffer by it. */
static void load_shadow(struct ruleset *ruleset, const struct config *config, struct problems *problems)
{
    struct document document = {0};
    char digest[DIGEST_TEXT_SIZE];
    size_t errors = problems->errors;

    if (read_document(ruleset, &document, config->policy_shadow, digest, problems))
        ruleset->shadow = policy_compile(&document, problems);
    if (ruleset->shadow != NULL) {
        audit_levels_check(ruleset->shadow, ruleset->contract, &document, problems);
        (void)policy_link(ruleset->shadow, ruleset->contract, &document, problems);
    }
    if (problems->errors > errors) {
        policy_free(ruleset->shadow);
        ruleset->shadow = NULL;
    }
    document_free(&document);
}

static void ruleset_free(struct ruleset *ruleset)
{
    watched_files_free(&ruleset->files);
    policy_free(ruleset->shadow);
    free(ruleset->levels);
    rates_free(ruleset->rates);
    credentials_free(ruleset->credentials);
    jwks_free(ruleset->keys);
    policy_free(ruleset->policy);
    contract_free(ruleset->contract);
    free(ruleset);
}

struct ruleset *ruleset_load_noting(const struct config *config, bool need_credentials,
                                    struct watched_files *files, struct problems *problems)
{
    struct ruleset *ruleset = calloc(1, sizeof *ruleset);
    size_t errors = problems->errors;

    if (ruleset == NULL) {
        problems_add_at(problems, "", 0, 0, "memory is out");
        return NULL;
    }
    atomic_init(&ruleset->references, 1);
    load_contract(ruleset, config, problems);
    load_policy(ruleset, config, need_credentials, problems);
    if (config->manifest.file != NULL && config->manifest.key != NULL)
        load_manifest(ruleset, config, need_credentials, problems);
    if (ruleset->contract != NULL && ruleset->policy != NULL && ruleset->credentials != NULL &&
        ruleset->levels != NULL && problems->errors == errors) {
        if (config->policy_shadow != NULL)
            load_shadow(ruleset, config, problems);
        (void)malloc_trim(0); /* the parsed documents are many times as large as what is compiled of them */
        return ruleset;
    }
    ruleset_take_files(ruleset, files);
    ruleset_free(ruleset);
    return NULL;
}

struct ruleset *ruleset_load(const struct config *config, bool need_credentials, struct problems *problems)
{
    struct watched_files files = {0};
    struct ruleset *ruleset = ruleset_load_noting(config, need_credentials, &files, problems);

    watched_files_free(&files);
    return ruleset;
}

struct ruleset *ruleset_hold(struct ruleset *ruleset)
{
    atomic_fetch_add_explicit(&ruleset->references, 1, memory_order_relaxed);
    return ruleset;
}

void ruleset_release(struct ruleset *ruleset)
{
    if (ruleset != NULL && atomic_fetch_sub_explicit(&ruleset->references, 1, memory_order_acq_rel) == 1)
        ruleset_free(ruleset);
}

bool ruleset_is_last(const struct ruleset *ruleset)
{
    return atomic_load_explicit(&ruleset->references, memory_order_acquire) == 1;
}

void ruleset_take_files(struct ruleset *ruleset, struct watched_files *files)
{
    *files = ruleset->files;
    ruleset->files = (struct watched_files){0};
}

const struct manifest *ruleset_manifest(const struct ruleset *ruleset)
{
    return &ruleset->manifest;
}

const char *ruleset_contract_digest(const struct ruleset *ruleset)
{
    return ruleset->contract_digest;
}

const char *ruleset_keys_digest(const struct ruleset *ruleset)
{
    return ruleset->keys_digest;
}

const struct policy *ruleset_shadow(const struct ruleset *ruleset)
{
    return ruleset->shadow;
}

const struct contract *ruleset_contract(const struct ruleset *ruleset)
{
    return ruleset->contract;
}

const struct jwks *ruleset_keys(const struct ruleset *ruleset)
{
    return ruleset->keys;
}

const struct policy *ruleset_policy(const struct ruleset *ruleset)
{
    return ruleset->policy;
}

enum audit_level ruleset_audit_level(const struct ruleset *ruleset, const struct operation *operation)
{
    size_t count;

    return ruleset->levels[operation - contract_operations(ruleset->contract, &count)];
}

struct rates *ruleset_rates(const struct ruleset *ruleset)
{
    return ruleset->rates;
}

void ruleset_inherit(struct ruleset *next, const struct ruleset *before)
{
    rates_inherit(next->rates, next->policy, before->rates, before->policy);
}

size_t ruleset_organization_count(const struct ruleset *ruleset)
{
    return ruleset->organizations;
}

struct span ruleset_credential(const struct ruleset *ruleset, int index)
{
    return index < 0 ? (struct span){NULL, 0} : credentials_get(ruleset->credentials, (size_t)index);
}
