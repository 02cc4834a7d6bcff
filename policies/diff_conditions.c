/* When does one condition of a rule hold wherever another one does? What cannot be shown is not so. */
#include "policies/diff_internal.h"

static bool same_scalar(const struct scalar *one, const struct scalar *other)
{
    if (one->kind != other->kind)
        return false;
    switch (one->kind) {
    case SCALAR_BOOLEAN:
        return one->truth == other->truth;
    case SCALAR_INTEGER:
        return one->integer == other->integer;
    case SCALAR_REAL:
        return one->real >= other->real && one->real <= other->real;
    case SCALAR_STRING:
        return span_equal(one->string, other->string);
    case SCALAR_NULL:
    default:
        return true;
    }
}

/* Is one item of the other condition wider than this one? */
typedef bool item_within(const struct condition *one, uint32_t item, const struct condition *other,
                         uint32_t other_item);

static bool value_within(const struct condition *one, uint32_t item, const struct condition *other,
                         uint32_t other_item)
{
    return same_scalar(&one->values[item], &other->values[other_item]);
}

static bool network_within(const struct condition *one, uint32_t item, const struct condition *other,
                           uint32_t other_item)
{
    const struct network *inner = &one->networks[item], *outer = &other->networks[other_item];
    struct networks networks = {.items = (struct network *)(uintptr_t)outer, .count = 1}; /* only read */

    return inner->bits >= outer->bits && networks_contain(&networks, &inner->base);
}

static bool window_within(const struct condition *one, uint32_t item, const struct condition *other,
                          uint32_t other_item)
{
    const struct window *inner = &one->windows[item], *outer = &other->windows[other_item];
    bool same_times = inner->timed == outer->timed && inner->from == outer->from && inner->to == outer->to;

    return (inner->days & ~outer->days) == 0 && (same_times || !outer->timed) &&
           !(!outer->timed && inner->timed && inner->to <= inner->from) && inner->after >= outer->after &&
           inner->before <= outer->before;
}

/* Is each item of the first within some item of the second? */
static bool all_within(const struct condition *one, const struct condition *other, item_within *within)
{
    for (uint32_t item = 0; item < one->count; item++) {
        uint32_t at = 0;

        while (at < other->count && !within(one, item, other, at))
            at++;
        if (at == other->count)
            return false;
    }
    return true;
}

/* Does the condition hold only for something that is there? */
static bool needs_presence(const struct condition *condition)
{
    return condition->test != TEST_EXISTS || condition->exists;
}

bool condition_implies(const struct condition *one, const struct condition *other)
{
    if (strcmp(one->at, other->at) != 0)
        return false;
    if (other->test == TEST_EXISTS)
        return one->test == TEST_EXISTS ? one->exists == other->exists : other->exists && needs_presence(one);
    if (one->test != other->test)
        return false;
    switch (one->test) {
    case TEST_IN:
        return all_within(one, other, value_within);
    case TEST_MATCHES:
        return strcmp(pattern_source(one->pattern), pattern_source(other->pattern)) == 0;
    case TEST_ABOVE:
        return one->above >= other->above;
    case TEST_WITHIN:
        return all_within(one, other, network_within);
    case TEST_DURING:
        return all_within(one, other, window_within);
    case TEST_EXISTS:
    default:
        return false;
    }
}
