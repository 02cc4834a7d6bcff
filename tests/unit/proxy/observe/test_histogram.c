#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/observe/histogram.h"

static const struct histogram_scale small = {.bounds = {10, 20, 50}, .unit = 10};

/* In which bucket a value alone is found. */
static size_t bucket_of(const struct histogram_scale *scale, uint64_t value)
{
    struct histogram histogram = {.sum = 0};
    size_t found = SIZE_MAX, counted = 0;

    histogram_add(&histogram, scale, value);
    assert_int_equal(figure_read(&histogram.sum), value);
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        if (figure_read(&histogram.buckets[i]) > 0) {
            counted += figure_read(&histogram.buckets[i]);
            found = i;
        }
    assert_int_equal(counted, 1);
    return found;
}

static void a_bound_belongs_below(void **state)
{
    static const struct {
        uint64_t value;
        size_t bucket;
    } rows[] = {{0, 0},
                {9, 0},
                {10, 0},
                {11, 1},
                {20, 1},
                {21, 2},
                {50, 2},
                {51, HISTOGRAM_BUCKETS}, /* beyond all bounds */
                {UINT64_MAX, HISTOGRAM_BUCKETS}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(bucket_of(&small, rows[i].value), rows[i].bucket);
}

static void scales_rise(void **state)
{
    const struct histogram_scale *scales[] = {&histogram_durations, &histogram_counts};
    (void)state;

    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < HISTOGRAM_BUCKETS && scales[s]->bounds[i] != 0; i++) {
            uint64_t bound = scales[s]->bounds[i];
            assert_true(i == 0 || bound > scales[s]->bounds[i - 1]);
            assert_int_equal(bucket_of(scales[s], bound), i);
            assert_true(bucket_of(scales[s], bound + 1) > i);
        }
    assert_int_equal(bucket_of(&histogram_durations, 60000000), 17);
    assert_int_equal(bucket_of(&histogram_durations, 60000001), HISTOGRAM_BUCKETS);
}

/* A scale that has as many bounds as there is room for. */
static void a_full_scale_overflows_too(void **state)
{
    struct histogram_scale full = {.unit = 1};
    (void)state;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        full.bounds[i] = i + 1;
    assert_int_equal(bucket_of(&full, HISTOGRAM_BUCKETS), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(bucket_of(&full, HISTOGRAM_BUCKETS + 1), HISTOGRAM_BUCKETS);
}

static void writes_cumulated(void **state)
{
    struct histogram one = {.sum = 0}, other = {.sum = 0}, total = {.sum = 0};
    struct text page = {0};
    (void)state;

    histogram_add(&one, &small, 10);
    histogram_add(&one, &small, 11);
    histogram_add(&other, &small, 60);
    histogram_add(&other, &small, 3);
    histogram_gather(&one, &total);
    histogram_gather(&other, &total);
    histogram_write(&total, &small, "h", NULL, NULL, &page);
    assert_string_equal(page.data, "portcullis_h_bucket{le=\"1\"} 2\nportcullis_h_bucket{le=\"2\"} 3\n"
                                   "portcullis_h_bucket{le=\"5\"} 3\nportcullis_h_bucket{le=\"+Inf\"} 4\n"
                                   "portcullis_h_sum 8.4\nportcullis_h_count 4\n");
    text_clear(&page);
    histogram_write(&total, &small, "h", "kind", "a\"b", &page);
    assert_non_null(strstr(page.data, "portcullis_h_bucket{kind=\"a\\\"b\",le=\"5\"} 3\n"));
    assert_non_null(strstr(page.data, "portcullis_h_sum{kind=\"a\\\"b\"} 8.4\n"));
    assert_non_null(strstr(page.data, "portcullis_h_count{kind=\"a\\\"b\"} 4\n"));
    text_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_belongs_below),
        cmocka_unit_test(scales_rise),
        cmocka_unit_test(a_full_scale_overflows_too),
        cmocka_unit_test(writes_cumulated),
    };

    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
