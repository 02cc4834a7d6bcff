/* The log as its writer and its checkers know it while they go along: the tree of all lines so far, and the
 * hash that the next line's `prev` repeats. Internal to proxy/audit. Pure. */
#ifndef PROXY_AUDIT_CHAIN_H
#define PROXY_AUDIT_CHAIN_H

#include "proxy/audit/tree.h"

#include <sys/uio.h>

/* A zeroed struct is the empty log. */
struct chain {
    struct tree tree;
    struct tree_hash last; /* leaf hash of the last line; zeros before the first */
};

/* The number of the next line. */
static inline uint64_t chain_next(const struct chain *chain)
{
    return chain->tree.size + 1;
}

/* Appends a line, without its newline. */
void chain_add(struct chain *chain, struct span line);

/* The same for a line in parts, the last of which ends with its newline. */
void chain_add_parts(struct chain *chain, const struct iovec *parts, size_t count);

/* Is it the same log? */
bool chain_equal(const struct chain *one, const struct chain *other);

/* A tree's edge as JSON: ["<hex>",…], largest first. */
#define CHAIN_EDGE (TREE_LEVELS * (TREE_HEX + 2) + 3)
void chain_write_edge(const struct tree *tree, char text[static CHAIN_EDGE]);

#endif
