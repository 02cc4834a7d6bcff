/* Approvals that nobody can give: for each organisation, whoever may ask for what the rule is about, and the
 * people who may approve there and do not stand behind whoever asks. And breakers that nobody can open. */
#include "policies/lint_internal.h"
#include "policies/uuid.h"

#include <stdlib.h>

/* The people who may approve in one organisation. */
struct crowd {
    bool *is_in; /* by principal */
    uint32_t *people;
    size_t count;
};

struct search {
    struct lint *lint;
    const struct rule *rule;
    permission_set approve;
    struct crowd crowd;
    const char *where; /* the organisation that is looked at */
};

static void crowd_add(struct crowd *crowd, const struct principal *approver)
{
    size_t count;
    const uint32_t *people = policy_people(approver, &count);

    for (size_t i = 0; i < count; i++) {
        if (crowd->is_in[people[i]])
            continue;
        crowd->is_in[people[i]] = true;
        crowd->people[crowd->count++] = people[i];
    }
}

static void crowd_clear(struct crowd *crowd)
{
    while (crowd->count > 0)
        crowd->is_in[crowd->people[--crowd->count]] = false;
}

/* Calls visit() with each principal that has a grant for the organisation, and with what it may do there;
 * until it returns false. One with several grants is visited as often. */
static bool each_granted(struct search *search, uint32_t organization,
                         bool (*visit)(struct search *search, const struct principal *principal,
                                       permission_set allowed))
{
    struct lint *lint = search->lint;
    const struct policy *policy = lint->policy;
    const uint32_t owners[] = {organization, EVERYWHERE};

    for (size_t i = 0; i < (organization == EVERYWHERE ? 1u : 2u); i++) {
        for (uint32_t at = policy->organizations[owners[i]].first_grant;
             at < policy->grant_count && policy->grants[at].organization == owners[i]; at++) {
            const struct principal *principal = &policy->principals[policy->grants[at].principal];
            if (!lint_step(lint))
                return false;
            struct access access = policy_access(policy, principal, organization, lint->now);
            if (!visit(search, principal, access.allowed | access.lapsed))
                return false;
        }
    }
    return true;
}

static bool collect_approver(struct search *search, const struct principal *principal, permission_set allowed)
{
    if ((allowed & search->approve) != 0)
        crowd_add(&search->crowd, principal);
    return true;
}

/* How many of the crowd do not stand behind the principal? */
static size_t others(const struct crowd *crowd, const struct principal *principal)
{
    size_t count, own = 0;
    const uint32_t *people = policy_people(principal, &count);

    for (size_t i = 0; i < count; i++)
        own += crowd->is_in[people[i]];
    return crowd->count - own;
}

static bool may_ask(const struct search *search, const struct principal *principal, permission_set allowed)
{
    const struct lint *lint = search->lint;

    if (!rule_names_principal(search->rule, principal))
        return false;
    for (size_t i = 0; i < lint->operation_count; i++) {
        const struct operation *operation = &lint->operations[i];
        if (lint_rule_about(search->rule, operation) && operation->permission != 0 &&
            (operation->permission & ~allowed) == 0)
            return true;
    }
    return false;
}

/* false at the first one who cannot get enough approvals, after a note. */
static bool check_asker(struct search *search, const struct principal *principal, permission_set allowed)
{
    unsigned needed = search->rule->approval.people;
    size_t there = others(&search->crowd, principal);

    if (!may_ask(search, principal, allowed) || there >= needed)
        return true;
    lint_warn(search->lint, search->rule->pointer,
              "nobody can give it to \"%s\" in %s: it demands %u people with portcullis.approve who do not "
              "stand behind "
              "it, and there %s %zu",
              principal->name, search->where, needed, there == 1 ? "is" : "are", there);
    return false;
}

/* Does the rule look at an organisation that the policy does not name? */
static bool is_about_unnamed(const struct search *search)
{
    for (uint32_t i = 0; i < search->rule->organization_count; i++)
        if (find_organization(search->lint->policy, search->rule->organizations[i]) == TABLE_NONE)
            return true;
    return search->rule->organization_count == 0;
}

static bool lacks_approvers(struct search *search, uint32_t organization)
{
    return !each_granted(search, organization, check_asker);
}

static bool may_not_ask(struct search *search, const struct principal *principal, permission_set allowed)
{
    return !may_ask(search, principal, allowed);
}

/* A breaker of an organisation is opened by whoever may approve there. */
static bool lacks_openers(struct search *search, uint32_t organization)
{
    if (search->crowd.count > 0 || each_granted(search, organization, may_not_ask))
        return false;
    lint_warn(search->lint, search->rule->pointer,
              "nobody can open it again in %s once it has tripped: nobody has portcullis.approve there",
              search->where);
    return true;
}

/* Looks at each organisation until one is found where it is so. */
static void search_rule(struct search *search, bool lacks(struct search *search, uint32_t organization))
{
    const struct policy *policy = search->lint->policy;
    char id[UUID_TEXT_SIZE];
    bool found = false;

    for (uint32_t i = 0; i < policy->organization_count && !found; i++) {
        uuid_spell(policy->organizations[i].id, id);
        if (i == EVERYWHERE ? !is_about_unnamed(search) : !rule_names_organization(search->rule, span_of(id)))
            continue;
        search->where = i == EVERYWHERE ? "an organization that the policy does not name" : id;
        crowd_clear(&search->crowd);
        found = !each_granted(search, i, collect_approver) || lacks(search, i);
    }
    crowd_clear(&search->crowd);
}

/* Other breakers are opened by whoever may approve everywhere; one's own budget by somebody else. */
static void search_breaker(struct search *search)
{
    const struct policy *policy = search->lint->policy;
    bool owned = search->rule->budget.each == BUDGET_PRINCIPAL;
    const char *whose = NULL;

    if (!each_granted(search, EVERYWHERE, collect_approver))
        return;
    for (size_t i = 0; owned && whose == NULL && i < policy->principal_count && lint_step(search->lint); i++)
        if (rule_names_principal(search->rule, &policy->principals[i]) &&
            others(&search->crowd, &policy->principals[i]) == 0)
            whose = policy->principals[i].name;
    if (whose != NULL)
        lint_warn(search->lint, search->rule->pointer,
                  "nobody can open it again for \"%s\" once it has tripped: that takes portcullis.approve "
                  "under \"*\", and another person",
                  whose);
    else if (!owned && search->crowd.count == 0)
        lint_warn(search->lint, search->rule->pointer,
                  "nobody can open it again once it has tripped: nobody has portcullis.approve under \"*\"");
    crowd_clear(&search->crowd);
}

static void search_all(struct lint *lint, void look(struct search *search))
{
    const struct policy *policy = lint->policy;
    struct search search = {.lint = lint,
                            .approve = permission_named(SPAN("portcullis.approve")),
                            .crowd = {.is_in = calloc(policy->principal_count + 1u, sizeof(bool)),
                                      .people = calloc(policy->principal_count + 1u, sizeof(uint32_t))}};

    if (search.crowd.is_in == NULL || search.crowd.people == NULL)
        lint->exhausted = true;
    for (size_t i = 0; i < policy_rule_count(policy) && !lint->exhausted; i++) {
        search.rule = policy_rule_at(policy, i);
        look(&search);
    }
    free(search.crowd.is_in);
    free(search.crowd.people);
}

static void look_at_approval(struct search *search)
{
    if (search->rule->effect == RULE_APPROVAL)
        search_rule(search, lacks_approvers);
}

void lint_approvals(struct lint *lint)
{
    search_all(lint, look_at_approval);
}

static void look_at_breaker(struct search *search)
{
    if (search->rule->effect != RULE_BUDGET || !search->rule->budget.until_reset)
        return;
    if (search->rule->budget.each == BUDGET_ORGANIZATION)
        search_rule(search, lacks_openers);
    else
        search_breaker(search);
}

void lint_breakers(struct lint *lint)
{
    search_all(lint, look_at_breaker);
}
