#include "proxy/upstream/balance.h"

#include <limits.h>

/* One of the addresses, as it was when the plan was made: they change at any time. */
struct candidate {
    unsigned char index;
    enum address_state state;
    unsigned outstanding;
};

static bool goes_before(const struct candidate *one, const struct candidate *other)
{
    if (one->state != other->state)
        return one->state < other->state;
    return one->outstanding < other->outstanding;
}

/* Puts `candidate` where it belongs among the `count` before it, behind its equals. */
static void insert(struct candidate *candidates, size_t count, struct candidate candidate)
{
    while (count > 0 && goes_before(&candidate, &candidates[count - 1])) {
        candidates[count] = candidates[count - 1];
        count--;
    }
    candidates[count] = candidate;
}

/* The one that can be had for a probe moves to the front. */
static bool claim_probe(const struct addresses *addresses, struct candidate *candidates)
{
    for (size_t i = 0; i < addresses->count; i++) {
        struct candidate one = candidates[i];
        if (one.state != ADDRESS_RETURNING || !address_claim_probe(addresses->list[one.index]))
            continue;
        for (; i > 0; i--)
            candidates[i] = candidates[i - 1];
        candidates[0] = one;
        return true;
    }
    return false;
}

struct balance_plan balance_plan(const struct addresses *addresses, bool may_probe, size_t turn, int64_t now)
{
    struct candidate candidates[ADDRESSES_MOST];
    struct balance_plan plan = {.probe = false};
    for (size_t i = 0; i < addresses->count; i++) {
        size_t index = (turn + i) % addresses->count;
        const struct address *address = addresses->list[index];
        insert(candidates, i,
               (struct candidate){(unsigned char)index, address_state(address, now), address->outstanding});
    }
    plan.probe = may_probe && claim_probe(addresses, candidates);
    for (size_t i = 0; i < addresses->count; i++)
        plan.order[i] = candidates[i].index;
    return plan;
}

bool balance_all_up(const struct addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (addresses->list[i]->ejected_until != 0)
            return false;
    return true;
}

bool balance_wants_probe(const struct addresses *addresses, int64_t now)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (!addresses->list[i]->probed && address_state(addresses->list[i], now) == ADDRESS_RETURNING)
            return true;
    return false;
}

unsigned balance_least(const struct addresses *addresses)
{
    unsigned least = UINT_MAX;
    for (size_t i = 0; i < addresses->count; i++) {
        const struct address *address = addresses->list[i];
        if (address->ejected_until == 0 && address->outstanding < least)
            least = address->outstanding;
    }
    return least;
}
