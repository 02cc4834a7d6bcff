#include "proxy/service/ruleset.h"

#include "proxy/base/clock.h"
#include "proxy/limits/rate.h"
#include "proxy/service/credentials.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FILE_LIMIT (64ul * 1024 * 1024) /* a policy may list many organisations */

struct ruleset {
    atomic_uint references;
    struct contract *contract;
    struct policy *policy;
    struct credentials *credentials;
    enum audit_level *levels; /* by operation, in the order of the contract */
    struct rates *rates;
    size_t organizations;
};

/* Reads a file as a document; false with the problem noted. document_free either way. */
static bool read_document(struct document *document, const char *path, struct problems *problems)
{
    const char *name = path_shown(path), *fault;
    struct text text = {0};
    bool right = file_read(path, FILE_LIMIT, &text, &fault);

    if (!right)
        problems_add_at(problems, name, 0, 0, "cannot read it: %s", fault);
    else
        right = document_read(document, name, (struct span){text.data, text.length}, problems);
    text_free(&text);
    return right;
}

static void load_contract(struct ruleset *ruleset, const struct config *config, struct problems *problems)
{
    struct document document = {0};

    if (config->contract != NULL && read_document(&document, config->contract, problems))
        ruleset->contract = contract_compile(&document, problems);
    document_free(&document);
}

/* Organisations that the policy names; "*" is none. */
static size_t count_organizations(const struct document *policy)
{
    const json_t *organizations = json_object_get(policy->root, "organizations");

    return json_object_size(organizations) - (json_object_get(organizations, "*") != NULL);
}

/* How much the journal is told of each operation; where contract and policy do not fit, the problem is noted
 * and there are no levels. */
static void load_levels(struct ruleset *ruleset, const struct document *policy, struct problems *problems)
{
    size_t count, errors = problems->errors;
    const struct operation *operations = contract_operations(ruleset->contract, &count);

    audit_levels_check(ruleset->policy, ruleset->contract, policy, problems);
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

static void load_policy(struct ruleset *ruleset, const struct config *config, bool need_credentials,
                        struct problems *problems)
{
    struct document document = {0};

    if (config->policy != NULL && read_document(&document, config->policy, problems))
        ruleset->policy = policy_compile(&document, problems);
    if (ruleset->policy != NULL) {
        ruleset->organizations = count_organizations(&document);
        policy_terms_check(ruleset->policy, &document, clock_now_us() / 1000000, problems);
        ruleset->credentials =
            credentials_load(ruleset->policy, &document, config->policy, need_credentials, problems);
        if (load_rates(ruleset, problems) && ruleset->contract != NULL)
            load_levels(ruleset, &document, problems);
    }
    document_free(&document);
}

static void ruleset_free(struct ruleset *ruleset)
{
    free(ruleset->levels);
    rates_free(ruleset->rates);
    credentials_free(ruleset->credentials);
    policy_free(ruleset->policy);
    contract_free(ruleset->contract);
    free(ruleset);
}

struct ruleset *ruleset_load(const struct config *config, bool need_credentials, struct problems *problems)
{
    struct ruleset *ruleset = calloc(1, sizeof *ruleset);

    if (ruleset == NULL) {
        problems_add_at(problems, "", 0, 0, "memory is out");
        return NULL;
    }
    atomic_init(&ruleset->references, 1);
    load_contract(ruleset, config, problems);
    load_policy(ruleset, config, need_credentials, problems);
    (void)malloc_trim(0); /* the parsed documents are many times as large as what is compiled of them */
    if (ruleset->contract != NULL && ruleset->policy != NULL && ruleset->credentials != NULL &&
        ruleset->levels != NULL)
        return ruleset;
    ruleset_free(ruleset);
    return NULL;
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

const struct contract *ruleset_contract(const struct ruleset *ruleset)
{
    return ruleset->contract;
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
