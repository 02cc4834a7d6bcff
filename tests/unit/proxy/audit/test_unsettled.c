#include "proxy/audit/unsettled.h"
#include "tests/unit/proxy/audit/support.h"

static void knows_the_oldest(void **state)
{
    struct unsettled unsettled = {0};

    (void)state;
    unsettled_end(&unsettled, 7); /* one it never saw */
    assert_int_equal(unsettled_from(&unsettled, 99), 99);
    unsettled_begin(&unsettled, 7, 3);
    unsettled_begin(&unsettled, 8, 5);
    assert_int_equal(unsettled_from(&unsettled, 99), 3);
    unsettled_end(&unsettled, 7);
    assert_int_equal(unsettled_from(&unsettled, 99), 5);
    unsettled_end(&unsettled, 7);
    assert_int_equal(unsettled_from(&unsettled, 99), 5);
    unsettled_end(&unsettled, 8);
    assert_int_equal(unsettled_from(&unsettled, 99), 99);
    unsettled_free(&unsettled);
}

/* What memory was out for is never forgotten. */
static void keeps_its_floor(void **state)
{
    struct unsettled unsettled = {.floor = 4};

    (void)state;
    assert_int_equal(unsettled_from(&unsettled, 99), 4);
    unsettled_begin(&unsettled, 1, 2);
    assert_int_equal(unsettled_from(&unsettled, 99), 2);
    unsettled_end(&unsettled, 1);
    assert_int_equal(unsettled_from(&unsettled, 99), 4);
    unsettled_free(&unsettled);
}

/* Against a plain list, with numbers that meet in few places of the table, so that they push each other
 * about. */
static void agrees_with_a_list(void **state)
{
    enum { MOST = 1500, STEPS = 60000 };
    static struct {
        uint64_t mutation, seq;
    } list[MOST];
    struct unsettled unsettled = {0};
    size_t count = 0;
    unsigned long chance = 1;

    (void)state;
    for (uint64_t seq = 1; seq <= STEPS; seq++) {
        chance = chance * 6364136223846793005 + 1442695040888963407;
        bool add = count < MOST && (count == 0 || (chance >> 40) % 100 < (seq < STEPS / 2 ? 60u : 40u));

        if (add) {
            list[count].mutation = seq % 3 == 0 ? seq << 40 : seq;
            list[count].seq = seq;
            unsettled_begin(&unsettled, list[count].mutation, seq);
            count++;
        } else {
            size_t at = (chance >> 33) % count;
            unsettled_end(&unsettled, list[at].mutation);
            list[at] = list[--count];
        }
        assert_int_equal(unsettled.count, count);
        if (seq % 97 != 0)
            continue;
        uint64_t from = UINT64_MAX;
        for (size_t i = 0; i < count; i++)
            from = list[i].seq < from ? list[i].seq : from;
        assert_int_equal(unsettled_from(&unsettled, UINT64_MAX), from);
    }
    unsettled_free(&unsettled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_oldest),
        cmocka_unit_test(keeps_its_floor),
        cmocka_unit_test(agrees_with_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
