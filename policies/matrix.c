#include "policies/matrix.h"

#include "policies/policy_internal.h"
#include "policies/rule_index.h"
#include "policies/uuid.h"

struct cell_place cell_place(const struct policy *policy, const struct principal *principal,
                             const unsigned char *id, int64_t now)
{
    uint32_t found = id != NULL ? find_organization(policy, id) : TABLE_NONE;
    uint32_t organization = found != TABLE_NONE ? found : EVERYWHERE;

    return (struct cell_place){
        .policy = policy,
        .principal = principal,
        .organization = organization,
        .id = id,
        .now = now,
        .access = policy_access(policy, principal, organization, now),
    };
}

/* A cell under way. */
struct making {
    const struct cell_place *place;
    const struct operation *operation;
    struct arena *arena;
    struct cell *cell;
    const struct cell_condition **last; /* where the next condition goes */
    bool failed;                        /* memory is out */
};

static void deny(struct making *making, const char *rule)
{
    making->cell->verdict = CELL_DENIED;
    making->cell->rule = rule;
    making->cell->conditions = NULL;
    making->last = &making->cell->conditions;
    making->failed = making->failed || rule == NULL;
}

static void add_condition(struct making *making, const char *what, const struct rule *of)
{
    struct cell_condition *condition = arena_take(making->arena, sizeof *condition);

    if (condition == NULL) {
        making->failed = true;
        return;
    }
    *condition = (struct cell_condition){.what = what, .rule = of != NULL ? of->pointer : "", .of = of};
    *making->last = condition;
    making->last = &condition->next;
    making->cell->verdict = CELL_CONDITIONAL;
}

/* As the gate of permission sees it. */
static void judge_permission(struct making *making)
{
    const struct cell_place *place = making->place;
    permission_set needed = making->operation->permission, lacking = needed & ~place->access.allowed;
    const struct policy *policy = place->policy;
    struct term term;

    if (needed == 0)
        deny(making, "not-granted");
    else if ((lacking & place->access.denied) != 0)
        deny(making, policy_grant_pointer(policy, place->principal, place->organization,
                                          lacking & place->access.denied, true, place->now, making->arena));
    else if ((lacking & place->access.lapsed) != 0)
        deny(making, policy_lapsed_grant(policy, place->principal, place->organization,
                                         lacking & place->access.lapsed, place->now, &term, making->arena));
    else if (lacking != 0)
        deny(making, place->access.granted ? "not-granted" : "no-grant");
    else
        making->cell->rule = policy_grant_pointer(policy, place->principal, place->organization, needed,
                                                  false, place->now, making->arena);
    making->failed = making->failed || making->cell->rule == NULL;
}

/* Where the policy only observes, all of that lets everything pass. */
static void observe(struct making *making)
{
    struct cell *cell = making->cell;

    cell->enforced = cell->verdict;
    if (policy_observes(making->place->policy, making->place->organization))
        cell->verdict = CELL_ALLOWED;
}

/* Who comes with a certificate alone has nothing to show to the API but what the gate holds. */
static void judge_credential(struct making *making)
{
    const struct cell_place *place = making->place;
    const struct principal *principal = place->principal;

    if (making->cell->verdict == CELL_DENIED || principal->credential != CREDENTIAL_OWN ||
        policy_organization_credential(place->policy, place->organization) != CREDENTIAL_OWN)
        return;
    if (principal->identity == IDENTITY_BY_CERTIFICATE)
        deny(making, "no-credential");
    else if (principal->identity == IDENTITY_BY_EITHER)
        add_condition(making, "token", NULL);
}

/* As the gate of rules sees it. What always denies is all that counts. */
static void judge_rules(struct making *making)
{
    const struct cell_place *place = making->place;
    char text[UUID_TEXT_SIZE] = "";
    const struct rule *rule;
    bool rename;

    if (policy_rule_count(place->policy) == 0)
        return;
    if (place->id != NULL)
        uuid_spell(place->id, text);
    struct rule_walk walk = rule_walk_begin(place->policy, making->operation, span_of(text));
    while ((rule = rule_walk_next(&walk, &rename)) != NULL) {
        if (!rule_names_principal(rule, place->principal))
            continue;
        if (rule->effect == RULE_DENY && !rename && rule->when.count == 0 && rule->unless.count == 0) {
            deny(making, rule->pointer);
            return;
        }
        add_condition(making, rule_effect_name(rule->effect), rule);
    }
}

bool cell_of(const struct cell_place *place, const struct operation *operation, struct arena *arena,
             struct cell *cell)
{
    struct cell_place outside;
    struct making making = {.place = place, .operation = operation, .arena = arena, .cell = cell};

    *cell = (struct cell){.verdict = CELL_ALLOWED};
    making.last = &cell->conditions;
    if (operation->organization < 0) { /* it is in none, whatever the place */
        outside = cell_place(place->policy, place->principal, NULL, place->now);
        making.place = &outside;
    }
    judge_permission(&making);
    if (cell->verdict != CELL_DENIED)
        judge_rules(&making);
    observe(&making);
    judge_credential(&making);
    return !making.failed;
}

const char *cell_verdict_name(enum cell_verdict verdict)
{
    static const char *const names[CELL_VERDICTS] = {"denied", "conditional", "allowed"};

    return names[verdict];
}
