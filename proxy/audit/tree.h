/* The Merkle tree of RFC 6962 §2.1 (SHA-256), as a growing log and as proofs. Pure.
 *
 * Leaf i of a journal is the line with seq i + 1, without its newline; every line is a leaf, segment headers
 * too. */
#ifndef PROXY_AUDIT_TREE_H
#define PROXY_AUDIT_TREE_H

#include "policies/span.h"

#include <stdint.h>

#define TREE_HASH   32
#define TREE_LEVELS 64

struct tree_hash {
    unsigned char bytes[TREE_HASH];
};

/* SHA-256(0x00 ‖ line). */
struct tree_hash tree_leaf(struct span line);

/* SHA-256(0x01 ‖ left ‖ right). */
struct tree_hash tree_node(const struct tree_hash *left, const struct tree_hash *right);

/* A tree known by its right edge: the roots of the largest whole subtrees that its leaves fall into, largest
 * first; one for each bit of `size`. A zeroed struct is the empty tree. */
struct tree {
    uint64_t size;
    struct tree_hash edge[TREE_LEVELS];
};

/* Number of hashes in the edge: the bits set in `size`. */
unsigned tree_edge_count(uint64_t size);

/* Appends a leaf. */
void tree_add(struct tree *tree, const struct tree_hash *leaf);

/* The root; SHA-256 of nothing for the empty tree. */
struct tree_hash tree_root(const struct tree *tree);

/* Where the hash of a whole subtree comes from while a proof is made: leaf `index` of the log. false when it
 * cannot be had. */
typedef bool tree_leaf_at(void *arg, uint64_t index, struct tree_hash *leaf);

/* The inclusion proof (RFC 6962 §2.1.1) of leaf `index` in the tree of the first `size` leaves: *count
 * hashes, at most TREE_LEVELS. Reads every leaf once, in order, here and below. */
bool tree_prove_inclusion(tree_leaf_at *leaf_at, void *arg, uint64_t index, uint64_t size,
                          struct tree_hash proof[static TREE_LEVELS], size_t *count);

/* The consistency proof (§2.1.2) between the first `old_size` and the first `size` leaves, 0 < old_size <=
 * size. */
bool tree_prove_consistency(tree_leaf_at *leaf_at, void *arg, uint64_t old_size, uint64_t size,
                            struct tree_hash proof[static TREE_LEVELS], size_t *count);

/* Verification (RFC 9162 §2.1.3.2 and §2.1.4.2, which are exact where RFC 6962 is not). */
bool tree_check_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size,
                          const struct tree_hash *proof, size_t count, const struct tree_hash *root);
bool tree_check_consistency(uint64_t old_size, const struct tree_hash *old_root, uint64_t size,
                            const struct tree_hash *root, const struct tree_hash *proof, size_t count);

/* 64 lower-case hex digits and a NUL; and back (false for another form). */
#define TREE_HEX (2 * TREE_HASH + 1)
void tree_hash_write(const struct tree_hash *hash, char text[static TREE_HEX]);
bool tree_hash_read(struct span text, struct tree_hash *hash);

#endif
