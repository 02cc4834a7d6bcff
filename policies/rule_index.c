#include "policies/rule_index.h"

#include "policies/uuid.h"

#include <stdlib.h>

static bool place_matches(const void *items, uint32_t item, const void *key)
{
    return memcmp(((const struct rule_place *)items)[item].organization, key, UUID_BYTES) == 0;
}

static uint32_t find_place(const struct rule_index *index, const unsigned char id[UUID_BYTES])
{
    return table_find(&index->by_organization, hash_id(id), place_matches, index->places, id);
}

/* How many rules for every organisation are about each operation; `firsts` has the sums. */
static size_t count_rules(struct rule_index *index, const struct policy *policy,
                          const struct operation *operations, size_t count)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        index->firsts[i] = (uint32_t)sum;
        for (uint32_t j = 0; j < policy->rule_count; j++) {
            const struct rule *rule = &policy->rules[j];
            if (!rule_is_about(rule, &operations[i], NULL))
                continue;
            index->ruled[i / 64] |= UINT64_C(1) << i % 64;
            sum += rule->organization_count == 0;
        }
    }
    index->firsts[count] = (uint32_t)sum;
    return sum;
}

static void number_rules(const struct rule_index *index, const struct policy *policy,
                         const struct operation *operations, size_t count)
{
    uint32_t *to = index->numbers;

    for (size_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < policy->rule_count; j++)
            if (policy->rules[j].organization_count == 0 &&
                rule_is_about(&policy->rules[j], &operations[i], NULL))
                *to++ = j;
}

static size_t count_places(const struct policy *policy)
{
    size_t count = 0;

    for (uint32_t i = 0; i < policy->rule_count; i++)
        count += policy->rules[i].organization_count;
    return count;
}

static void add_place(struct rule_index *index, uint32_t at, const unsigned char id[UUID_BYTES],
                      uint32_t rule)
{
    struct rule_place *place = &index->places[at];
    uint32_t later = find_place(index, id);

    if (later != TABLE_NONE && index->places[later].rule == rule)
        return; /* the rule names it twice */
    memcpy(place->organization, id, UUID_BYTES);
    place->rule = rule;
    place->next = later;
    if (later == TABLE_NONE)
        table_add(&index->by_organization, hash_id(id), at);
    else
        table_replace(&index->by_organization, hash_id(id), later, at);
}

/* From the last to the first, so that a chain has the order of the file. */
static void place_rules(struct rule_index *index, const struct policy *policy)
{
    uint32_t at = 0;

    for (uint32_t i = policy->rule_count; i-- > 0;)
        for (uint32_t j = 0; j < policy->rules[i].organization_count; j++)
            add_place(index, at++, policy->rules[i].organizations[j], i);
}

struct rule_index *rule_index_new(const struct policy *policy, const struct contract *contract)
{
    struct rule_index *index = calloc(1, sizeof *index);
    size_t count, places = count_places(policy);
    const struct operation *operations = contract_operations(contract, &count);

    if (index == NULL)
        return NULL;
    index->contract = contract;
    index->ruled = calloc(count / 64 + 1, sizeof *index->ruled);
    index->firsts = calloc(count + 1, sizeof *index->firsts);
    index->places = calloc(places + 1, sizeof *index->places);
    if (index->ruled == NULL || index->firsts == NULL || index->places == NULL ||
        !table_make(&index->by_organization, places))
        goto failed;
    index->numbers = calloc(count_rules(index, policy, operations, count) + 1, sizeof *index->numbers);
    if (index->numbers == NULL)
        goto failed;
    number_rules(index, policy, operations, count);
    place_rules(index, policy);
    return index;

failed:
    rule_index_free(index);
    return NULL;
}

void rule_index_free(struct rule_index *index)
{
    if (index == NULL)
        return;
    free(index->ruled);
    free(index->firsts);
    free(index->numbers);
    free(index->places);
    table_free(&index->by_organization);
    free(index);
}

struct rule_walk rule_walk_begin(const struct policy *policy, const struct operation *operation,
                                 struct span organization)
{
    const struct rule_index *index = policy->rule_index;
    unsigned char id[UUID_BYTES];
    struct rule_walk walk = {
        .policy = policy,
        .operation = operation,
        .next = index->numbers + index->firsts[operation->index],
        .end = index->numbers + index->firsts[operation->index + 1],
        .place = TABLE_NONE,
    };

    if (organization.data != NULL && uuid_parse(organization, id))
        walk.place = find_place(index, id);
    return walk;
}

const struct rule *rule_walk_next(struct rule_walk *walk, bool *rename)
{
    const struct rule_place *places = walk->policy->rule_index->places;

    while (walk->next < walk->end || walk->place != TABLE_NONE) {
        uint32_t number;
        if (walk->place == TABLE_NONE || (walk->next < walk->end && *walk->next < places[walk->place].rule)) {
            number = *walk->next++;
        } else {
            number = places[walk->place].rule;
            walk->place = places[walk->place].next;
        }
        if (rule_is_about(&walk->policy->rules[number], walk->operation, rename))
            return &walk->policy->rules[number];
    }
    return NULL;
}
