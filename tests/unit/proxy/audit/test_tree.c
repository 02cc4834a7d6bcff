#include "proxy/audit/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SIZES 130

/* The tree of Certificate Transparency's own tests (RFC 6962): eight leaves, the root over each number of
 * them, and proofs. */
static const struct span vector_leaves[] = {
    {"", 0},         {"\x00", 1},
    {"\x10", 1},     {"\x20\x21", 2},
    {"\x30\x31", 2}, {"\x40\x41\x42\x43", 4},
    {"PQRSTUVW", 8}, {"`abcdefghijklmno", 16},
};

static const char *const vector_roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

struct vector_proof {
    uint64_t of, size; /* leaf index or old size */
    size_t count;
    const char *hashes[3];
};

static const struct vector_proof vector_inclusions[] = {
    {0, 1, 0, {0}},
    {0,
     8,
     3,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {5,
     8,
     3,
     {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2, 3, 1, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
    {1,
     5,
     3,
     {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};

static const struct vector_proof vector_consistencies[] = {
    {1, 1, 0, {0}},
    {1,
     8,
     3,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {6,
     8,
     3,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2,
     5,
     2,
     {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static struct tree_hash hash_of(const char *hex)
{
    struct tree_hash hash;

    assert_true(tree_hash_read(span_of(hex), &hash));
    return hash;
}

static void assert_hash(const struct tree_hash *hash, const struct tree_hash *expected)
{
    assert_memory_equal(hash->bytes, expected->bytes, TREE_HASH);
}

/* The leaves a test works with, and how its proofs read them. */
struct leaves {
    struct tree_hash hash[SIZES];
    uint64_t next;    /* proofs ask for each leaf once, in order */
    uint64_t missing; /* this one cannot be had */
};

static bool leaf_at(void *arg, uint64_t index, struct tree_hash *leaf)
{
    struct leaves *leaves = arg;

    assert_int_equal(index, leaves->next);
    leaves->next++;
    if (index == leaves->missing)
        return false;
    *leaf = leaves->hash[index];
    return true;
}

static struct leaves *rewind_leaves(struct leaves *leaves)
{
    leaves->next = 0;
    leaves->missing = UINT64_MAX;
    return leaves;
}

static void make_leaves(struct leaves *leaves)
{
    for (unsigned i = 0; i < SIZES; i++) {
        char text[8] = {(char)('a' + i % 26), (char)i, (char)(i >> 4)};

        leaves->hash[i] = tree_leaf((struct span){text, i % sizeof text});
    }
    rewind_leaves(leaves);
}

/* MTH, PATH and SUBPROOF as RFC 6962 §2.1 writes them: over an array, once more for each question. */
static size_t split_of(size_t count)
{
    size_t k = 1;

    while (k * 2 < count)
        k *= 2;
    return k;
}

static struct tree_hash naive_root(const struct tree_hash *leaves, size_t count)
{
    if (count == 1)
        return leaves[0];

    size_t k = split_of(count);
    struct tree_hash left = naive_root(leaves, k), right = naive_root(leaves + k, count - k);
    return tree_node(&left, &right);
}

static size_t naive_path(const struct tree_hash *leaves, size_t count, size_t index, struct tree_hash *proof)
{
    if (count == 1)
        return 0;

    size_t k = split_of(count), length;
    if (index < k) {
        length = naive_path(leaves, k, index, proof);
        proof[length] = naive_root(leaves + k, count - k);
    } else {
        length = naive_path(leaves + k, count - k, index - k, proof);
        proof[length] = naive_root(leaves, k);
    }
    return length + 1;
}

static size_t naive_subproof(const struct tree_hash *leaves, size_t count, size_t old, bool known,
                             struct tree_hash *proof)
{
    if (old == count) {
        if (!known)
            proof[0] = naive_root(leaves, count);
        return known ? 0 : 1;
    }

    size_t k = split_of(count), length;
    if (old <= k) {
        length = naive_subproof(leaves, k, old, known, proof);
        proof[length] = naive_root(leaves + k, count - k);
    } else {
        length = naive_subproof(leaves + k, count - k, old - k, false, proof);
        proof[length] = naive_root(leaves, k);
    }
    return length + 1;
}

static void roots_are_those_of_the_test_vectors(void **state)
{
    struct tree tree = {.size = 0};
    char hex[TREE_HEX];

    (void)state;
    for (size_t size = 0; size <= LENGTH(vector_leaves); size++) {
        struct tree_hash root = tree_root(&tree);

        tree_hash_write(&root, hex);
        assert_string_equal(hex, vector_roots[size]);
        assert_int_equal(tree.size, size);
        if (size < LENGTH(vector_leaves)) {
            struct tree_hash leaf = tree_leaf(vector_leaves[size]);
            tree_add(&tree, &leaf);
        }
    }
}

static void read_vector(struct leaves *leaves, const struct vector_proof *vector, struct tree_hash *proof)
{
    for (size_t i = 0; i < LENGTH(vector_leaves); i++)
        leaves->hash[i] = tree_leaf(vector_leaves[i]);
    for (size_t i = 0; i < vector->count; i++)
        proof[i] = hash_of(vector->hashes[i]);
    rewind_leaves(leaves);
}

static void proofs_are_those_of_the_test_vectors(void **state)
{
    struct leaves leaves;
    struct tree_hash proof[TREE_LEVELS], expected[3];
    size_t count;

    (void)state;
    for (size_t i = 0; i < LENGTH(vector_inclusions); i++) {
        const struct vector_proof *vector = &vector_inclusions[i];
        struct tree_hash root = hash_of(vector_roots[vector->size]);

        read_vector(&leaves, vector, expected);
        assert_true(tree_prove_inclusion(leaf_at, &leaves, vector->of, vector->size, proof, &count));
        assert_int_equal(count, vector->count);
        assert_memory_equal(proof, expected, count * sizeof *proof);
        assert_true(tree_check_inclusion(&leaves.hash[vector->of], vector->of, vector->size, expected,
                                         vector->count, &root));
    }
    for (size_t i = 0; i < LENGTH(vector_consistencies); i++) {
        const struct vector_proof *vector = &vector_consistencies[i];
        struct tree_hash old = hash_of(vector_roots[vector->of]), root = hash_of(vector_roots[vector->size]);

        read_vector(&leaves, vector, expected);
        assert_true(tree_prove_consistency(leaf_at, &leaves, vector->of, vector->size, proof, &count));
        assert_int_equal(count, vector->count);
        assert_memory_equal(proof, expected, count * sizeof *proof);
        assert_true(tree_check_consistency(vector->of, &old, vector->size, &root, expected, count));
    }
}

static void the_edge_has_a_root_for_each_bit(void **state)
{
    struct leaves leaves;
    struct tree tree = {.size = 0};

    (void)state;
    make_leaves(&leaves);
    for (unsigned size = 1; size <= SIZES; size++) {
        tree_add(&tree, &leaves.hash[size - 1]);
        struct tree_hash root = tree_root(&tree), naive = naive_root(leaves.hash, size);
        assert_hash(&root, &naive);

        unsigned at = 0, start = 0;
        for (unsigned bit = 128; bit > 0; bit >>= 1) {
            if ((size & bit) == 0)
                continue;
            naive = naive_root(leaves.hash + start, bit);
            assert_hash(&tree.edge[at++], &naive);
            start += bit;
        }
        assert_int_equal(at, tree_edge_count(size));
    }
    assert_int_equal(tree_edge_count(0), 0);
    assert_int_equal(tree_edge_count(UINT64_MAX), TREE_LEVELS);
}

/* No change of a bit, no hash more or less passes; nor another place or another size. */
static void assert_inclusion_exact(const struct leaves *leaves, uint64_t index, uint64_t size,
                                   struct tree_hash *proof, size_t count, const struct tree_hash *root)
{
    struct tree_hash leaf = leaves->hash[index], other = *root;

    assert_true(tree_check_inclusion(&leaf, index, size, proof, count, root));
    for (size_t bit = 0; bit < count * TREE_HASH * 8; bit++) {
        unsigned char *byte = &proof[bit / 8 / TREE_HASH].bytes[bit / 8 % TREE_HASH];

        *byte ^= (unsigned char)(1u << bit % 8);
        assert_false(tree_check_inclusion(&leaf, index, size, proof, count, root));
        *byte ^= (unsigned char)(1u << bit % 8);
    }
    leaf.bytes[index % TREE_HASH] ^= 1;
    assert_false(tree_check_inclusion(&leaf, index, size, proof, count, root));
    leaf = leaves->hash[index];
    other.bytes[size % TREE_HASH] ^= 0x80;
    assert_false(tree_check_inclusion(&leaf, index, size, proof, count, &other));
    if (count > 0)
        assert_false(tree_check_inclusion(&leaf, index, size, proof, count - 1, root));
    proof[count] = *root;
    assert_false(tree_check_inclusion(&leaf, index, size, proof, count + 1, root));
    for (uint64_t elsewhere = 0; elsewhere < size + 2; elsewhere++)
        if (elsewhere != index)
            assert_false(tree_check_inclusion(&leaf, elsewhere, size, proof, count, root));
    assert_false(tree_check_inclusion(&leaf, index, 0, proof, count, root));
}

static void inclusion_is_proved_for_every_leaf_of_every_tree(void **state)
{
    struct leaves leaves;
    struct tree_hash proof[TREE_LEVELS + 1], naive[TREE_LEVELS];
    size_t count;

    (void)state;
    make_leaves(&leaves);
    for (size_t size = 1; size <= SIZES; size++) {
        struct tree_hash root = naive_root(leaves.hash, size);

        for (size_t index = 0; index < size; index++) {
            rewind_leaves(&leaves);
            assert_true(tree_prove_inclusion(leaf_at, &leaves, index, size, proof, &count));
            assert_int_equal(leaves.next, size);
            assert_int_equal(count, naive_path(leaves.hash, size, index, naive));
            assert_memory_equal(proof, naive, count * sizeof *proof);
            assert_true(tree_check_inclusion(&leaves.hash[index], index, size, proof, count, &root));
            if (size <= 17 || size == 130)
                assert_inclusion_exact(&leaves, index, size, proof, count, &root);
        }
    }
}

static void assert_consistency_exact(uint64_t old_size, const struct tree_hash *old_root, uint64_t size,
                                     const struct tree_hash *root, struct tree_hash *proof, size_t count)
{
    struct tree_hash wrong;

    assert_true(tree_check_consistency(old_size, old_root, size, root, proof, count));
    for (size_t bit = 0; bit < count * TREE_HASH * 8; bit++) {
        unsigned char *byte = &proof[bit / 8 / TREE_HASH].bytes[bit / 8 % TREE_HASH];

        *byte ^= (unsigned char)(1u << bit % 8);
        assert_false(tree_check_consistency(old_size, old_root, size, root, proof, count));
        *byte ^= (unsigned char)(1u << bit % 8);
    }
    wrong = *old_root;
    wrong.bytes[0] ^= 1;
    assert_false(tree_check_consistency(old_size, &wrong, size, root, proof, count));
    wrong = *root;
    wrong.bytes[TREE_HASH - 1] ^= 1;
    assert_false(tree_check_consistency(old_size, old_root, size, &wrong, proof, count));
    if (count > 0)
        assert_false(tree_check_consistency(old_size, old_root, size, root, proof, count - 1));
    proof[count] = *root;
    assert_false(tree_check_consistency(old_size, old_root, size, root, proof, count + 1));
    assert_false(tree_check_consistency(0, old_root, size, root, proof, count));
    assert_false(tree_check_consistency(size + 1, old_root, size, root, proof, count));
}

static void consistency_is_proved_for_every_pair_of_sizes(void **state)
{
    struct leaves leaves;
    struct tree_hash proof[TREE_LEVELS + 1], naive[TREE_LEVELS];
    size_t count;

    (void)state;
    make_leaves(&leaves);
    for (size_t size = 1; size <= SIZES; size++) {
        struct tree_hash root = naive_root(leaves.hash, size);

        for (size_t old = 1; old <= size; old++) {
            struct tree_hash old_root = naive_root(leaves.hash, old);

            rewind_leaves(&leaves);
            assert_true(tree_prove_consistency(leaf_at, &leaves, old, size, proof, &count));
            assert_int_equal(leaves.next, size);
            assert_int_equal(count, naive_subproof(leaves.hash, size, old, true, naive));
            assert_memory_equal(proof, naive, count * sizeof *proof);
            assert_true(tree_check_consistency(old, &old_root, size, &root, proof, count));
            if (size <= 17 || size == 130)
                assert_consistency_exact(old, &old_root, size, &root, proof, count);
        }
    }
}

static void nothing_is_proved_of_what_is_not_there(void **state)
{
    struct leaves leaves;
    struct tree_hash proof[TREE_LEVELS];
    size_t count;

    (void)state;
    make_leaves(&leaves);
    assert_false(tree_prove_inclusion(leaf_at, rewind_leaves(&leaves), 0, 0, proof, &count));
    assert_false(tree_prove_inclusion(leaf_at, rewind_leaves(&leaves), 7, 7, proof, &count));
    assert_false(tree_prove_consistency(leaf_at, rewind_leaves(&leaves), 0, 7, proof, &count));
    assert_false(tree_prove_consistency(leaf_at, rewind_leaves(&leaves), 8, 7, proof, &count));
    assert_int_equal(leaves.next, 0);
    for (uint64_t missing = 0; missing < 11; missing++) {
        rewind_leaves(&leaves)->missing = missing;
        assert_false(tree_prove_inclusion(leaf_at, &leaves, 6, 11, proof, &count));
        rewind_leaves(&leaves)->missing = missing;
        assert_false(tree_prove_consistency(leaf_at, &leaves, 6, 11, proof, &count));
        assert_int_equal(leaves.next, missing + 1);
    }
}

/* Sizes and places at the far end of what fits in 64 bits do no harm. */
static void absurd_sizes_are_refused(void **state)
{
    struct tree_hash hash = hash_of(vector_roots[0]), proof[TREE_LEVELS] = {{{0}}};

    (void)state;
    assert_false(tree_check_inclusion(&hash, UINT64_MAX - 1, UINT64_MAX, proof, TREE_LEVELS, &hash));
    assert_false(tree_check_inclusion(&hash, UINT64_MAX, UINT64_MAX, proof, TREE_LEVELS, &hash));
    assert_false(tree_check_inclusion(&hash, 0, UINT64_MAX, proof, 0, &hash));
    assert_false(tree_check_consistency(1, &hash, UINT64_MAX, &hash, proof, TREE_LEVELS));
    assert_false(tree_check_consistency(UINT64_MAX, &hash, UINT64_MAX, &hash, proof, 1));
    assert_false(tree_check_consistency((uint64_t)1 << 63, &hash, UINT64_MAX, &hash, NULL, 0));
    assert_false(tree_check_consistency(UINT64_MAX - 1, &hash, UINT64_MAX, &hash, NULL, 0));
}

static void only_one_spelling_of_a_hash_is_read(void **state)
{
    static const struct span others[] = {
        {"", 0},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", 63},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555", 65},
        {"E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 64},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g", 64},
        {" 3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 64},
        {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85\0", 64},
    };
    struct tree_hash hash = hash_of(vector_roots[0]);
    char hex[TREE_HEX];

    (void)state;
    assert_int_equal(hash.bytes[0], 0xe3);
    assert_int_equal(hash.bytes[31], 0x55);
    tree_hash_write(&hash, hex);
    assert_string_equal(hex, vector_roots[0]);
    for (size_t i = 0; i < LENGTH(others); i++)
        assert_false(tree_hash_read(others[i], &hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_the_test_vectors),
        cmocka_unit_test(proofs_are_those_of_the_test_vectors),
        cmocka_unit_test(the_edge_has_a_root_for_each_bit),
        cmocka_unit_test(inclusion_is_proved_for_every_leaf_of_every_tree),
        cmocka_unit_test(consistency_is_proved_for_every_pair_of_sizes),
        cmocka_unit_test(nothing_is_proved_of_what_is_not_there),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(only_one_spelling_of_a_hash_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
