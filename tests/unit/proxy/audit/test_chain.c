#include "tests/unit/proxy/audit/support.h"

/* However a line is cut into parts, it is the same leaf. */
static void parts_are_one_line(void **state)
{
    static const char line[] = "{\"prev\":\"00\",\"seq\":1}\n";
    struct chain whole = {0}, parted = {0};

    (void)state;
    chain_add(&whole, (struct span){line, sizeof line - 2});
    for (size_t a = 0; a < sizeof line - 1; a++)
        for (size_t b = a; b < sizeof line - 2; b++) {
            char copy[sizeof line];
            memcpy(copy, line, sizeof line);
            const struct iovec parts[] = {{copy, a}, {copy + a, b - a}, {copy + b, sizeof line - 1 - b}};

            parted = (struct chain){0};
            chain_add_parts(&parted, parts, 3);
            assert_true(chain_equal(&whole, &parted));
        }
    struct tree_hash leaf = tree_leaf((struct span){line, sizeof line - 2});
    assert_memory_equal(leaf.bytes, whole.last.bytes, TREE_HASH);
}

static void counts_lines(void **state)
{
    struct chain chain = {0};

    (void)state;
    for (uint64_t seq = 1; seq < 40; seq++) {
        assert_int_equal(chain_next(&chain), seq);
        chain_add(&chain, span_of("x"));
    }
}

static void any_difference_counts(void **state)
{
    struct chain one = {0}, other;

    (void)state;
    for (int i = 0; i < 11; i++)
        chain_add(&one, span_of("x"));
    other = one;
    assert_true(chain_equal(&one, &other));
    other.last.bytes[31] ^= 1;
    assert_false(chain_equal(&one, &other));
    for (unsigned i = 0; i < 3; i++) {
        other = one;
        other.tree.edge[i].bytes[0] ^= 1;
        assert_false(chain_equal(&one, &other));
    }
    other = one;
    other.tree.edge[3].bytes[0] ^= 1; /* beyond the edge: of no meaning */
    assert_true(chain_equal(&one, &other));
    other.tree.size++;
    assert_false(chain_equal(&one, &other));
}

static void writes_the_edge(void **state)
{
    struct tree tree = {0};
    char text[CHAIN_EDGE], hex[TREE_HEX];

    (void)state;
    chain_write_edge(&tree, text);
    assert_string_equal(text, "[]");
    for (int i = 0; i < 3; i++) {
        struct tree_hash leaf = tree_leaf(span_of("x"));
        tree_add(&tree, &leaf);
    }
    chain_write_edge(&tree, text);
    json_t *edge = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(edge), 2);
    for (size_t i = 0; i < 2; i++) {
        tree_hash_write(&tree.edge[i], hex);
        assert_string_equal(json_string_value(json_array_get(edge, i)), hex);
    }
    json_decref(edge);

    tree.size = UINT64_MAX; /* the longest there can be */
    chain_write_edge(&tree, text);
    assert_int_equal(strlen(text), CHAIN_EDGE - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_one_line),
        cmocka_unit_test(counts_lines),
        cmocka_unit_test(any_difference_counts),
        cmocka_unit_test(writes_the_edge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
