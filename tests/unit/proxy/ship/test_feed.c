#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/ship/backoff.h"
#include "proxy/ship/batch.h"
#include "proxy/ship/feed.h"
#include "tests/unit/proxy/folder.h"

static struct folder folder;

static int set_up(void **state)
{
    (void)state;
    folder = folder_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* The path of the segment that begins with line `first`. */
static const char *segment(uint64_t first)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%016llu-20260131T235959Z.jsonl", (unsigned long long)first);
    return folder_path(&folder, name);
}

/* Appends lines `from` to `to`, as "<word> <number>". */
static void append(uint64_t first, uint64_t from, uint64_t to, const char *word)
{
    FILE *file = fopen(segment(first), "a");

    assert_non_null(file);
    for (uint64_t i = from; i <= to; i++)
        fprintf(file, "%s %llu\n", word, (unsigned long long)i);
    fclose(file);
}

static struct feed *open_after(const struct position *after)
{
    char error[512] = "";
    struct feed *feed = feed_open(folder.path, after, error, sizeof error);

    assert_string_equal(error, "");
    assert_non_null(feed);
    return feed;
}

static void expect(struct feed *feed, uint64_t durable, uint64_t seq, const char *word, uint64_t missing)
{
    struct feed_line line;
    char text[64];

    assert_int_equal(feed_next(feed, durable, &line), FEED_LINE);
    (void)snprintf(text, sizeof text, "%s %llu", word, (unsigned long long)seq);
    assert_int_equal(line.seq, seq);
    assert_int_equal(line.missing, missing);
    assert_int_equal(line.text.length, strlen(text));
    assert_memory_equal(line.text.data, text, line.text.length);
}

static void expect_wait(struct feed *feed, uint64_t durable)
{
    struct feed_line line;

    assert_int_equal(feed_next(feed, durable, &line), FEED_WAIT);
}

static const struct position start;

static void hands_out_what_is_durable(void **state)
{
    (void)state;
    append(1, 1, 4, "a");
    struct feed *feed = open_after(&start);
    expect_wait(feed, 0);
    expect(feed, 2, 1, "a", 0);
    expect(feed, 2, 2, "a", 0);
    expect_wait(feed, 2);
    append(5, 5, 6, "b");
    for (uint64_t seq = 3; seq <= 6; seq++)
        expect(feed, 6, seq, seq < 5 ? "a" : "b", 0);
    expect_wait(feed, 6);
    expect_wait(feed, 9); /* said to be durable, and not there yet */
    append(5, 7, 7, "b");
    expect(feed, 9, 7, "b", 0);
    feed_free(feed);
}

/* Lines that were read ahead and cut off, their numbers used again in the next segment. */
static void forgets_what_was_cut_off(void **state)
{
    (void)state;
    append(1, 1, 5, "lost");
    struct feed *feed = open_after(&start);
    expect(feed, 2, 1, "lost", 0); /* all five are in its buffer now */
    expect(feed, 2, 2, "lost", 0);
    expect_wait(feed, 2);
    assert_int_equal(truncate(segment(1), 2 * strlen("lost 1\n")), 0);
    append(3, 3, 4, "kept");
    expect(feed, 4, 3, "kept", 0);
    expect(feed, 4, 4, "kept", 0);
    expect_wait(feed, 4);
    feed_free(feed);
}

static void tells_what_is_missing(void **state)
{
    (void)state;
    append(1, 1, 2, "a");
    append(3, 3, 4, "a");
    append(8, 8, 9, "a");
    struct feed *feed = open_after(&(struct position){.seq = 1, .hash = tree_leaf(SPAN("a 1"))});
    expect(feed, 9, 2, "a", 0);
    expect(feed, 9, 3, "a", 0);
    expect(feed, 9, 4, "a", 0);
    expect(feed, 9, 8, "a", 3);
    expect(feed, 9, 9, "a", 0);
    feed_free(feed);
    assert_int_equal(unlink(segment(1)), 0);
    assert_int_equal(unlink(segment(3)), 0);
    feed = open_after(&(struct position){.seq = 1, .hash = tree_leaf(SPAN("a 1"))});
    expect(feed, 9, 8, "a", 6);
    feed_free(feed);
}

static void begins_anew_in_another_journal(void **state)
{
    const struct position rows[] = {
        {.seq = 2, .hash = tree_leaf(SPAN("another 2"))}, /* another line */
        {.seq = 70, .hash = tree_leaf(SPAN("a 70"))},     /* it does not even go so far */
    };
    struct feed_line line;

    (void)state;
    append(1, 1, 3, "a");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct feed *feed = open_after(&rows[i]);
        assert_int_equal(feed_next(feed, 3, &line), FEED_OTHER);
        expect(feed, 3, 1, "a", 0);
        expect(feed, 3, 2, "a", 0);
        feed_free(feed);
    }
}

static void keeps_positions(void **state)
{
    const char *path = folder_path(&folder, "x.position");
    struct position position = {.seq = 9007199254740993,
                                .segment = "s\"egment",
                                .hash = tree_leaf(SPAN("x"))},
                    read;
    static const char *const wrong[] = {"", "{}", "[]", "{\"seq\":1",
                                        "{\"hash\":\"00\",\"segment\":\"s\",\"seq\":1}"};
    char error[512] = "";

    (void)state;
    assert_true(position_read(path, &read, error, sizeof error));
    assert_int_equal(read.seq, 0);
    assert_true(position_write(path, &position));
    assert_true(position_write(path, &position));
    assert_true(position_read(path, &read, error, sizeof error));
    assert_string_equal(error, "");
    assert_true(read.seq == position.seq);
    assert_string_equal(read.segment, position.segment);
    assert_memory_equal(&read.hash, &position.hash, sizeof read.hash);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        folder_write(&folder, "x.position", wrong[i]);
        assert_false(position_read(path, &read, error, sizeof error));
        assert_memory_equal(error, path, strlen(path));
        assert_int_equal(read.seq, 0);
    }
    assert_false(position_write(folder_path(&folder, "absent/x"), &position));
}

static void bounds_batches(void **state)
{
    struct batch batch = {0};

    (void)state;
    assert_false(batch_is_full(&batch, 2 * BATCH_BYTES)); /* alone it may be that long */
    for (uint64_t i = 0; i < BATCH_LINES; i++) {
        assert_false(batch_is_full(&batch, 4));
        assert_true(batch_add(&batch, 7 + i, SPAN("line")));
    }
    assert_true(batch_is_full(&batch, 0));
    assert_false(batch_add(&batch, 1, SPAN("x")));
    assert_int_equal(batch.first_seq, 7);
    assert_true(span_is(batch_line(&batch, BATCH_LINES - 1), "line"));
    batch.taken = BATCH_LINES - 2;
    assert_true(span_is(batch_rest(&batch), "line\nline\n"));
    batch_clear(&batch);
    assert_true(batch_add(&batch, 1, SPAN("a")));
    assert_false(batch_is_full(&batch, BATCH_BYTES - 3));
    assert_true(batch_is_full(&batch, BATCH_BYTES - 2));
    batch_free(&batch);
}

static void backs_off(void **state)
{
    static const unsigned due[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    struct backoff low = {0}, high = {0};

    (void)state;
    for (size_t i = 0; i < sizeof due / sizeof *due; i++) {
        assert_int_equal(backoff_next(&low, 0), due[i] / 2);
        assert_int_equal(backoff_next(&high, due[i] - due[i] / 2), due[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hands_out_what_is_durable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_what_was_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_what_is_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(begins_anew_in_another_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_positions, set_up, tear_down),
        cmocka_unit_test(bounds_batches),
        cmocka_unit_test(backs_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
