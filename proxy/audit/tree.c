/* The low-level calls of OpenSSL are marked deprecated since 3.0, but only they work without an allocation,
 * and a log is hashed line by line. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "proxy/audit/tree.h"

#include "policies/digest.h"

#include <openssl/sha.h>

_Static_assert(TREE_HASH == SHA256_DIGEST_LENGTH && TREE_HASH == DIGEST_SIZE, "SHA-256");

struct tree_hash tree_leaf(struct span line)
{
    static const unsigned char prefix = 0x00;
    struct tree_hash hash;
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, &prefix, 1);
    SHA256_Update(&context, line.data, line.length);
    SHA256_Final(hash.bytes, &context);
    return hash;
}

struct tree_hash tree_node(const struct tree_hash *left, const struct tree_hash *right)
{
    static const unsigned char prefix = 0x01;
    struct tree_hash hash;
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, &prefix, 1);
    SHA256_Update(&context, left->bytes, TREE_HASH);
    SHA256_Update(&context, right->bytes, TREE_HASH);
    SHA256_Final(hash.bytes, &context);
    return hash;
}

unsigned tree_edge_count(uint64_t size)
{
    return (unsigned)__builtin_popcountll(size);
}

/* A whole subtree joins each one of its own size to its left, as one is carried when numbers are added. */
void tree_add(struct tree *tree, const struct tree_hash *leaf)
{
    unsigned count = tree_edge_count(tree->size);
    struct tree_hash hash = *leaf;

    for (uint64_t carry = tree->size; (carry & 1) != 0; carry >>= 1)
        hash = tree_node(&tree->edge[--count], &hash);
    tree->edge[count] = hash;
    tree->size++;
}

struct tree_hash tree_root(const struct tree *tree)
{
    unsigned count = tree_edge_count(tree->size);
    struct tree_hash hash;

    if (count == 0) {
        SHA256((const unsigned char *)"", 0, hash.bytes);
        return hash;
    }
    hash = tree->edge[--count];
    while (count > 0)
        hash = tree_node(&tree->edge[--count], &hash);
    return hash;
}

/* A proof on its way: down from the root to leaf `target`, past one subtree on each level. */
struct prover {
    tree_leaf_at *leaf_at;
    void *arg;
    uint64_t target;
    uint64_t old_size; /* of a consistency proof: the way ends at the subtree that ends there; else 0 */
    struct tree_hash *proof;
    size_t count;
};

/* The root of the leaves from `start` to before `end`. */
static bool subtree(const struct prover *prover, uint64_t start, uint64_t end, struct tree_hash *root)
{
    struct tree tree = {.size = 0};
    struct tree_hash leaf;

    for (uint64_t index = start; index < end; index++) {
        if (!prover->leaf_at(prover->arg, index, &leaf))
            return false;
        tree_add(&tree, &leaf);
    }
    *root = tree_root(&tree);
    return true;
}

/* Where the tree of `size` leaves (two or more) splits: the largest power of two below it. */
static uint64_t left_size(uint64_t size)
{
    return (uint64_t)1 << (63 - __builtin_clzll(size - 1));
}

/* PATH and SUBPROOF of RFC 6962 §2.1.1 and §2.1.2. Reads the leaves in order; no deeper than the tree. */
static bool prove(struct prover *prover, uint64_t start, uint64_t end)
{
    struct tree_hash hash;

    if (end - start == 1 || end == prover->old_size) {
        if (!subtree(prover, start, end, &hash))
            return false;
        if (prover->old_size > 0 && start > 0) /* else the verifier has it: it is the leaf, or the old root */
            prover->proof[prover->count++] = hash;
        return true;
    }

    uint64_t split = start + left_size(end - start);
    bool read = prover->target < split ? prove(prover, start, split) && subtree(prover, split, end, &hash)
                                       : subtree(prover, start, split, &hash) && prove(prover, split, end);
    if (read)
        prover->proof[prover->count++] = hash;
    return read;
}

bool tree_prove_inclusion(tree_leaf_at *leaf_at, void *arg, uint64_t index, uint64_t size,
                          struct tree_hash proof[static TREE_LEVELS], size_t *count)
{
    struct prover prover = {.leaf_at = leaf_at, .arg = arg, .target = index, .proof = proof};

    if (index >= size || !prove(&prover, 0, size))
        return false;
    *count = prover.count;
    return true;
}

bool tree_prove_consistency(tree_leaf_at *leaf_at, void *arg, uint64_t old_size, uint64_t size,
                            struct tree_hash proof[static TREE_LEVELS], size_t *count)
{
    struct prover prover = {
        .leaf_at = leaf_at, .arg = arg, .target = old_size - 1, .old_size = old_size, .proof = proof};

    if (old_size == 0 || old_size > size || !prove(&prover, 0, size))
        return false;
    *count = prover.count;
    return true;
}

static bool same(const struct tree_hash *a, const struct tree_hash *b)
{
    return memcmp(a->bytes, b->bytes, TREE_HASH) == 0;
}

/* Where a verifier is on its way up: the node's place on its level, and that of the level's last node. */
struct place {
    uint64_t node, last;
};

static void go_up(struct place *place)
{
    place->node >>= 1;
    place->last >>= 1;
}

/* Has the node a left sibling, on this level or on the next one where it has any? It then goes up to there:
 * a last node without a sibling is its own parent. */
static bool on_the_right(struct place *place)
{
    if ((place->node & 1) == 0 && place->node != place->last)
        return false;
    while ((place->node & 1) == 0 && place->node != 0)
        go_up(place);
    return true;
}

bool tree_check_inclusion(const struct tree_hash *leaf, uint64_t index, uint64_t size,
                          const struct tree_hash *proof, size_t count, const struct tree_hash *root)
{
    struct place place = {index, size - 1};
    struct tree_hash hash = *leaf;

    if (index >= size)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (place.last == 0)
            return false;
        hash = on_the_right(&place) ? tree_node(&proof[i], &hash) : tree_node(&hash, &proof[i]);
        go_up(&place);
    }
    return place.last == 0 && same(&hash, root);
}

bool tree_check_consistency(uint64_t old_size, const struct tree_hash *old_root, uint64_t size,
                            const struct tree_hash *root, const struct tree_hash *proof, size_t count)
{
    struct place place = {old_size - 1, size - 1};
    struct tree_hash old_hash, hash;
    size_t used = 0;

    if (old_size == 0 || old_size > size)
        return false;
    if (old_size == size)
        return count == 0 && same(old_root, root);
    while ((place.node & 1) != 0)
        go_up(&place);
    if (place.node != 0 && count == 0)
        return false;
    /* The old tree is a whole subtree of the new one when its size is a power of two. */
    hash = old_hash = place.node == 0 ? *old_root : proof[used++];
    for (; used < count; used++) {
        if (place.last == 0)
            return false;
        if (on_the_right(&place)) {
            old_hash = tree_node(&proof[used], &old_hash);
            hash = tree_node(&proof[used], &hash);
        } else {
            hash = tree_node(&hash, &proof[used]);
        }
        go_up(&place);
    }
    return place.last == 0 && same(&old_hash, old_root) && same(&hash, root);
}

void tree_hash_write(const struct tree_hash *hash, char text[static TREE_HEX])
{
    char digest[DIGEST_TEXT_SIZE];

    digest_write(hash->bytes, digest);
    memcpy(text, digest + sizeof "sha256:" - 1, TREE_HEX);
}

/* Without a branch on what a digit is: whoever reads a log reads one hash a line. */
static unsigned hex_value(char c)
{
    return ((unsigned char)c & 0xfu) + ((unsigned char)c >> 6) * 9u;
}

static unsigned is_hex(char c)
{
    return (unsigned)((unsigned)(c - '0') < 10) | (unsigned)((unsigned)(c - 'a') < 6);
}

bool tree_hash_read(struct span text, struct tree_hash *hash)
{
    unsigned good = 1;

    if (text.length != TREE_HEX - 1)
        return false;
    for (size_t i = 0; i < TREE_HASH; i++) {
        char high = text.data[2 * i], low = text.data[2 * i + 1];

        good &= is_hex(high) & is_hex(low);
        hash->bytes[i] = (unsigned char)(hex_value(high) << 4 | hex_value(low));
    }
    return good != 0;
}
