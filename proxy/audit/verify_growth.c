#include "proxy/audit/verify_growth.h"

static bool same_root(const struct tree *tree, const struct tree_hash *root)
{
    struct tree_hash own = tree_root(tree);

    return memcmp(own.bytes, root->bytes, TREE_HASH) == 0;
}

static bool same_tree(const struct tree *one, const struct tree *other)
{
    return one->size == other->size &&
           memcmp(one->edge, other->edge, tree_edge_count(one->size) * sizeof *one->edge) == 0;
}

/* The first checkpoint of at least that size. */
static size_t find_point(const struct points *points, uint64_t size)
{
    size_t low = 0, high = points->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (points->items[middle].size < size)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The line before was what the one behind it says it was. */
static void take_other(struct growth *growth)
{
    growth->tree = growth->other;
    growth->two = false;
    growth->repaired = true;
    growth->sure_from = growth->tree.size + 1;
}

static void prove(struct growth *growth)
{
    if (growth->proven_to == 0 || growth->sure_from > growth->proven_to + 1)
        growth->proven_from = growth->sure_from;
    growth->proven_to = growth->tree.size;
}

static void compare_point(struct growth *growth, struct point *point)
{
    if (same_root(&growth->tree, &point->root)) {
        growth->two = false;
        point->state = POINT_FITS;
        prove(growth);
    } else if (growth->two && same_root(&growth->other, &point->root)) {
        take_other(growth);
        point->state = POINT_FITS;
    } else if (!growth->two && !growth->repaired) {
        point->state = POINT_DIFFERS;
    }
}

/* Holds the tree against the checkpoints of its size. */
static void look(struct growth *growth)
{
    struct points *points = growth->points;
    uint64_t size = growth->tree.size;

    for (size_t i = find_point(points, size); i < points->count && points->items[i].size == size; i++)
        if (points->items[i].wrong == NULL)
            compare_point(growth, &points->items[i]);
}

void growth_adopt(struct growth *growth, const struct tree *tree)
{
    growth->tree = *tree;
    growth->known = true;
    growth->two = growth->repaired = false;
    growth->run = 0;
    growth->sure_from = tree->size + 1;
    look(growth);
}

/* Puts the pending line into the tree; `link` follows it. */
static void settle(struct growth *growth, const struct link *link, enum joint joint)
{
    const struct tree_hash *own = &growth->pending.leaf;

    if (joint == JOINT_GOOD) {
        if (growth->two)
            take_other(growth);
        growth->run = 0;
        tree_add(&growth->tree, own);
    } else if (growth->run++ == 0) {
        growth->two = true;
        growth->other = growth->tree;
        tree_add(&growth->other, &link->prev);
        tree_add(&growth->tree, own);
    } else {
        growth->two = false;
        growth->repaired = true;
        tree_add(&growth->tree, &link->prev);
        growth->sure_from = growth->tree.size + 1;
    }
    look(growth);
}

void growth_add(struct growth *growth, const struct link *link, enum joint joint)
{
    if (joint == JOINT_BROKEN)
        growth->known = growth->two = false;
    else if (growth->known && growth->has_pending)
        settle(growth, link, joint);
    growth->pending = *link;
    growth->has_pending = true;
}

enum growth_answer growth_compare(struct growth *growth, const struct tree *tree)
{
    if (!growth->known)
        return GROWTH_UNKNOWN;
    if (same_tree(&growth->tree, tree))
        return GROWTH_AGREES;
    if (growth->two && same_tree(&growth->other, tree)) {
        take_other(growth);
        return GROWTH_AGREES;
    }
    return growth->repaired || growth->two ? GROWTH_UNKNOWN : GROWTH_DIFFERS;
}

void growth_end(struct growth *growth)
{
    if (growth->known && growth->has_pending) {
        if (growth->two) /* the last line is at odds with the one before, and nothing follows to tell which */
            tree_add(&growth->other, &growth->pending.leaf);
        tree_add(&growth->tree, &growth->pending.leaf);
        look(growth);
    }
    growth->has_pending = false;
}
