#include "tests/unit/proxy/audit/scratch.h"

#include "proxy/audit/proof.h"

#define LEAVES 70

static struct tree_hash leaves[LEAVES];

static void make_leaves(void)
{
    for (size_t i = 0; i < LEAVES; i++) {
        char line[32];

        snprintf(line, sizeof line, "line %zu", i);
        leaves[i] = tree_leaf(span_of(line));
    }
}

static bool leaf_at(void *arg, uint64_t index, struct tree_hash *leaf)
{
    (void)arg;
    *leaf = leaves[index];
    return true;
}

/* Of each leaf in each tree, begun at each place before it: the same proof as the one made from all leaves.
 */
static void test_prover(void **state)
{
    struct tree_hash expected[TREE_LEVELS];
    struct prover prover;
    size_t count;

    (void)state;
    make_leaves();
    for (uint64_t size = 1; size <= LEAVES; size += size < 34 ? 1 : 9)
        for (uint64_t index = 0; index < size; index++) {
            assert_true(tree_prove_inclusion(leaf_at, NULL, index, size, expected, &count));
            struct tree begin = {.size = 0};
            for (uint64_t from = 0; from <= index; from++) {
                prover_begin(&prover, &begin, index);
                for (uint64_t at = from; at < size; at++)
                    prover_add(&prover, &leaves[at]);
                prover_end(&prover);
                assert_int_equal(prover.count, count);
                assert_memory_equal(prover.hashes, expected, count * sizeof *expected);
                tree_add(&begin, &leaves[from]);
            }
        }
}

/* A log of eleven lines, signed; the proof of the fifth. */
struct fixture {
    void *scratch; /* its path */
    struct note_signer *signer;
    struct trust trust;
    struct text proof;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct tree tree = {.size = 0};
    struct prover prover;
    struct text text = {0}, note = {0}, vkey = {0};
    char error[256];

    fixture = (struct fixture){0};
    assert_int_equal(scratch_setup(&fixture.scratch), 0);
    fixture.signer = note_signer_open(fixture.scratch, NULL, true, "log.example", error, sizeof error);
    assert_non_null(fixture.signer);
    note_key_write(note_signer_key(fixture.signer), &vkey);
    assert_true(trust_add(&fixture.trust, vkey.data, error, sizeof error));

    make_leaves();
    prover_begin(&prover, &tree, 4);
    for (size_t i = 0; i < 11; i++)
        prover_add(&prover, &leaves[i]);
    struct tree_hash root = tree_root(&prover.tree);
    prover_end(&prover);
    checkpoint_write("log.example", 11, &root, &text);
    assert_true(note_sign(fixture.signer, (struct span){text.data, text.length}, &note));
    proof_write(span_of("line 4"), 4, prover.hashes, prover.count, (struct span){note.data, note.length},
                &fixture.proof);
    text_free(&text);
    text_free(&note);
    text_free(&vkey);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    text_free(&fixture->proof);
    trust_free(&fixture->trust);
    note_signer_free(fixture->signer);
    return scratch_teardown(&fixture->scratch);
}

static bool is_good(const struct fixture *fixture, struct span text)
{
    const char *fault = NULL;
    struct proof proof;
    bool good = proof_verify(text, &fixture->trust, &proof, &fault);

    assert_int_equal(good, fault == NULL);
    proof_free(&proof);
    return good;
}

static void test_good(void **state)
{
    struct fixture *fixture = *state;
    const char *fault;
    struct proof proof;

    assert_true(proof_verify((struct span){fixture->proof.data, fixture->proof.length}, &fixture->trust,
                             &proof, &fault));
    assert_string_equal(proof.record.data, "line 4");
    assert_string_equal(proof.origin.data, "log.example");
    assert_int_equal(proof.index, 4);
    assert_int_equal(proof.size, 11);
    proof_free(&proof);
}

/* Every bit of it counts. */
static void test_any_bit_changed(void **state)
{
    struct fixture *fixture = *state;
    struct text *text = &fixture->proof;

    for (size_t at = 0; at < text->length; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            text->data[at] ^= (char)(1u << bit);
            if (is_good(fixture, (struct span){text->data, text->length}))
                fail_msg("good with bit %u of byte %zu changed", bit, at);
            text->data[at] ^= (char)(1u << bit);
        }
    assert_true(is_good(fixture, (struct span){text->data, text->length}));
}

/* Cut at any byte; each cut text lies in a block of its own. */
static void test_cut(void **state)
{
    struct fixture *fixture = *state;

    for (size_t length = 0; length < fixture->proof.length; length++) {
        char *copy = malloc(length + 1);

        memcpy(copy + 1, fixture->proof.data, length);
        assert_false(is_good(fixture, (struct span){copy + 1, length}));
        free(copy);
    }
}

static void test_many_hashes(void **state)
{
    struct fixture *fixture = *state;
    struct tree_hash hashes[TREE_LEVELS] = {0};
    struct text text = {0};

    proof_write(span_of("line 4"), 4, hashes, TREE_LEVELS, span_of(""), &text);
    assert_false(is_good(fixture, (struct span){text.data, text.length}));
    text_free(&text);
    text_add_string(&text, "c2sp.org/tlog-proof@v1\nextra \nindex 0\n");
    for (int i = 0; i < 1000; i++)
        text_add_string(&text, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    text_add_string(&text, "\n");
    assert_false(is_good(fixture, (struct span){text.data, text.length}));
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prover),          cmocka_unit_test(test_good),
        cmocka_unit_test(test_any_bit_changed), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_many_hashes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
