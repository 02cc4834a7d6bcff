#include "policies/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* A token is told from another by this: no bit of a digest may be without weight. */
static void every_bit_counts(void **state)
{
    unsigned char one[DIGEST_SIZE], other[DIGEST_SIZE];
    (void)state;

    digest_of(SPAN("a token"), one);
    digest_of(SPAN("a token"), other);
    assert_true(digest_equal(one, other));
    for (size_t bit = 0; bit < (size_t)8 * DIGEST_SIZE; bit++) {
        unsigned char mask = (unsigned char)(1u << bit % 8);
        other[bit / 8] ^= mask;
        assert_false(digest_equal(one, other));
        other[bit / 8] ^= mask;
    }
    assert_true(digest_equal(one, other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
