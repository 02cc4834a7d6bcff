#include "proxy/audit/trail.h"

#include "proxy/audit/lines.h"
#include "tests/unit/proxy/audit/scratch.h"

#include <fcntl.h>

#define FIRST  "0000000000000001-20260101T000000Z.jsonl"
#define SECOND "0000000000000004-20260101T000100Z.jsonl"
#define THIRD  "0000000000000009-20260101T000200Z.jsonl"

static char *path_of(const char *directory, const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void append_bytes(const char *directory, const char *name, const char *bytes, size_t length)
{
    int fd = open(path_of(directory, name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void append(const char *directory, const char *name, const char *text)
{
    append_bytes(directory, name, text, strlen(text));
}

static struct trail *open_trail(const char *path)
{
    char error[512] = "";
    struct trail *trail = trail_open(path, error, sizeof error);

    assert_string_equal(error, "");
    assert_non_null(trail);
    return trail;
}

/* What the next call must give; of a line also its file, number, offset and text. */
static void expect(struct trail *trail, enum trail_state state)
{
    struct trail_line line;

    assert_int_equal(trail_next(trail, &line), state);
}

static void expect_line(struct trail *trail, const char *file, uint64_t number, uint64_t offset,
                        const char *text)
{
    struct trail_line line;

    assert_int_equal(trail_next(trail, &line), TRAIL_LINE);
    assert_string_equal(line.file, file);
    assert_int_equal(line.number, number);
    assert_int_equal(line.offset, offset);
    assert_true(span_is(line.text, text));
}

static void expect_partial(struct trail *trail, const char *file, uint64_t number, uint64_t offset)
{
    struct trail_line line;

    assert_int_equal(trail_next(trail, &line), TRAIL_PARTIAL);
    assert_string_equal(line.file, file);
    assert_int_equal(line.number, number);
    assert_int_equal(line.offset, offset);
    assert_int_equal(line.text.length, 0);
}

static void expect_error(struct trail *trail, const char *says)
{
    expect(trail, TRAIL_ERROR);
    if (strstr(trail_error(trail), says) == NULL)
        fail_msg("not about \"%s\": %s", says, trail_error(trail));
}

static void reads_every_line_of_every_segment(void **state)
{
    append(*state, SECOND, "d\n\nee\n");
    append(*state, FIRST, "a\nbb\nccc\n");
    append(*state, "journal.lock", "1234\n");
    append(*state, "0000000000000001-20260101T000000Z.jsonl.cut", "no\n");
    append(*state, THIRD, "");

    struct trail *trail = open_trail(*state);
    expect_line(trail, FIRST, 1, 0, "a");
    expect_line(trail, FIRST, 2, 2, "bb");
    expect_line(trail, FIRST, 3, 5, "ccc");
    expect_line(trail, SECOND, 1, 0, "d");
    expect_line(trail, SECOND, 2, 2, "");
    expect_line(trail, SECOND, 3, 3, "ee");
    expect(trail, TRAIL_END);
    expect(trail, TRAIL_END);
    trail_free(trail);
    trail_free(NULL);
}

static void follows_lines_and_segments(void **state)
{
    struct trail *trail = open_trail(*state);

    expect(trail, TRAIL_END); /* an empty directory is no error */
    append(*state, FIRST, "a\n");
    expect_line(trail, FIRST, 1, 0, "a");
    expect(trail, TRAIL_END);
    append(*state, FIRST, "b\n");
    expect_line(trail, FIRST, 2, 2, "b");
    expect(trail, TRAIL_END);

    append(*state, FIRST, "c\n"); /* the last line before the rotation is not lost */
    append(*state, SECOND, "d\n");
    expect_line(trail, FIRST, 3, 4, "c");
    expect_line(trail, SECOND, 1, 0, "d");
    expect(trail, TRAIL_END);
    append(*state, SECOND, "e\n");
    append(*state, THIRD, "");
    expect_line(trail, SECOND, 2, 2, "e");
    expect(trail, TRAIL_END);
    append(*state, THIRD, "f\n");
    expect_line(trail, THIRD, 1, 0, "f");
    expect(trail, TRAIL_END);
    trail_free(trail);
}

static void a_partial_line_becomes_one(void **state)
{
    append(*state, FIRST, "a\nhal");

    struct trail *trail = open_trail(*state);
    expect_line(trail, FIRST, 1, 0, "a");
    expect_partial(trail, FIRST, 2, 2);
    expect(trail, TRAIL_END);
    append(*state, FIRST, "f a");
    expect(trail, TRAIL_END);
    append(*state, FIRST, " line\nb\nr");
    expect_line(trail, FIRST, 2, 2, "half a line");
    expect_line(trail, FIRST, 3, 14, "b");
    expect_partial(trail, FIRST, 4, 16);
    expect(trail, TRAIL_END);
    trail_free(trail);
}

static void a_partial_line_before_a_newer_segment_is_told(void **state)
{
    append(*state, FIRST, "a\nhal");
    append(*state, SECOND, "d\ne");

    struct trail *trail = open_trail(*state);
    expect_line(trail, FIRST, 1, 0, "a");
    expect_partial(trail, FIRST, 2, 2);
    expect_line(trail, SECOND, 1, 0, "d");
    expect_partial(trail, SECOND, 2, 2);
    expect(trail, TRAIL_END);
    append(*state, THIRD, "f\n"); /* and once more when it is known to stay so */
    expect_partial(trail, SECOND, 2, 2);
    expect_line(trail, THIRD, 1, 0, "f");
    expect(trail, TRAIL_END);
    trail_free(trail);
}

static void a_tail_that_is_cut_off_was_never_there(void **state)
{
    append(*state, FIRST, "a\nb\ntorn");

    struct trail *trail = open_trail(*state);
    expect_line(trail, FIRST, 1, 0, "a");
    expect_line(trail, FIRST, 2, 2, "b");
    expect_partial(trail, FIRST, 3, 4);
    assert_int_equal(truncate(path_of(*state, FIRST), 4), 0);
    append(*state, SECOND, "d\n");
    expect_line(trail, SECOND, 1, 0, "d");
    expect(trail, TRAIL_END);
    trail_free(trail);
}

static void lines_that_are_cut_off_are_told(void **state)
{
    append(*state, FIRST, "a\nb\nc\n");

    struct trail *trail = open_trail(*state);
    expect_line(trail, FIRST, 1, 0, "a");
    expect_line(trail, FIRST, 2, 2, "b");
    expect_line(trail, FIRST, 3, 4, "c");
    assert_int_equal(truncate(path_of(*state, FIRST), 4), 0);
    expect_error(trail, FIRST ": lines were cut off");
    expect(trail, TRAIL_END);
    append(*state, SECOND, "d\n");
    expect_line(trail, SECOND, 1, 0, "d");
    expect(trail, TRAIL_END);
    trail_free(trail);
}

static void segments_that_are_removed_are_passed(void **state)
{
    append(*state, FIRST, "a\n");
    append(*state, SECOND, "d\n");
    append(*state, THIRD, "f\n");

    struct trail *trail = open_trail(*state);
    expect_line(trail, FIRST, 1, 0, "a");
    assert_int_equal(unlink(path_of(*state, FIRST)), 0);
    assert_int_equal(unlink(path_of(*state, SECOND)), 0);
    expect_line(trail, THIRD, 1, 0, "f");
    assert_int_equal(unlink(path_of(*state, THIRD)), 0);
    expect(trail, TRAIL_END);
    append(*state, THIRD, "what was begun anew\n"); /* under a name that was read */
    expect(trail, TRAIL_END);
    trail_free(trail);
}

static void only_regular_files_are_read(void **state)
{
    static const char *const kinds[] = {"fifo", "link", "loose", "directory"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        append(*state, FIRST, "a\n");
        append(*state, "elsewhere", "e\n");
        const char *path = path_of(*state, SECOND);
        switch (i) {
        case 0:
            assert_int_equal(mkfifo(path, 0600), 0);
            break;
        case 1:
            assert_int_equal(symlink("elsewhere", path), 0);
            break;
        case 2:
            assert_int_equal(symlink("nowhere", path), 0);
            break;
        default:
            assert_int_equal(mkdir(path, 0700), 0);
        }
        struct trail *trail = open_trail(*state);
        expect(trail, TRAIL_LINE);
        expect_error(trail, SECOND ": ");
        expect_error(trail, SECOND ": ");
        trail_free(trail);
        assert_int_equal(remove(path_of(*state, SECOND)), 0);
        assert_int_equal(unlink(path_of(*state, FIRST)), 0);
    }
}

static void one_segment_can_be_read_alone(void **state)
{
    append(*state, FIRST, "a\nb\npart");
    append(*state, SECOND, "d\n");

    struct trail *trail = open_trail(path_of(*state, FIRST));
    for (int round = 0; round < 2; round++) {
        expect_line(trail, FIRST, 1, 0, "a");
        expect_line(trail, FIRST, 2, 2, "b");
        expect_partial(trail, FIRST, 3, 4);
        expect(trail, TRAIL_END);
        assert_true(trail_seek(trail, 77));
    }
    trail_free(trail);

    append(*state, "copy of a segment", "x\n");
    trail = open_trail(path_of(*state, "copy of a segment"));
    expect_line(trail, "copy of a segment", 1, 0, "x");
    expect(trail, TRAIL_END);
    trail_free(trail);
}

static void what_cannot_be_opened_is_told(void **state)
{
    char error[512] = "";

    assert_null(trail_open(path_of(*state, "nothing"), error, sizeof error));
    assert_non_null(strstr(error, "/nothing: No such file or directory"));
    assert_int_equal(mkfifo(path_of(*state, "fifo"), 0600), 0);
    assert_null(trail_open(path_of(*state, "fifo"), error, sizeof error));
    assert_non_null(strstr(error, "/fifo: not a regular file"));
}

static void seeking_goes_by_names(void **state)
{
    static const struct {
        uint64_t seq;
        const char *file;
    } rows[] = {{0, FIRST},  {1, FIRST}, {3, FIRST},       {4, SECOND},
                {8, SECOND}, {9, THIRD}, {1000000, THIRD}, {2, FIRST}};
    struct trail_line line;

    append(*state, FIRST, "a\nb\nc\n");
    append(*state, SECOND, "d\nd\nd\nd\nd\n");
    append(*state, THIRD, "f\n");
    struct trail *trail = open_trail(*state);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(trail_seek(trail, rows[i].seq));
        assert_int_equal(trail_next(trail, &line), TRAIL_LINE);
        assert_string_equal(line.file, rows[i].file);
        assert_int_equal(line.number, 1);
    }
    expect_line(trail, FIRST, 2, 2, "b"); /* and goes on from there */
    assert_true(trail_seek(trail, 6));
    for (uint64_t i = 0; i < 5; i++)
        expect_line(trail, SECOND, i + 1, 2 * i, "d");
    expect_line(trail, THIRD, 1, 0, "f");
    expect(trail, TRAIL_END);

    /* The oldest ones are gone: the first behind. */
    assert_int_equal(unlink(path_of(*state, FIRST)), 0);
    assert_true(trail_seek(trail, 2));
    expect_line(trail, SECOND, 1, 0, "d");
    /* Two that begin with the same number: none is passed over. */
    append(*state, "0000000000000009-20260101T000159Z.jsonl", "e\n");
    assert_true(trail_seek(trail, 10));
    expect_line(trail, "0000000000000009-20260101T000159Z.jsonl", 1, 0, "e");
    expect_line(trail, THIRD, 1, 0, "f");
    trail_free(trail);
}

static void expect_progress(const struct trail *trail, uint64_t done, uint64_t all)
{
    uint64_t is_done, is_all;

    trail_progress(trail, &is_done, &is_all);
    assert_int_equal(is_done, done);
    assert_int_equal(is_all, all);
}

static void progress_is_told_in_bytes(void **state)
{
    append(*state, FIRST, "a\nb\nc\n");
    append(*state, SECOND, "dd\n");
    struct trail *trail = open_trail(*state);

    expect_progress(trail, 0, 9);
    expect(trail, TRAIL_LINE);
    expect_progress(trail, 2, 9);
    expect(trail, TRAIL_LINE);
    expect(trail, TRAIL_LINE);
    expect_progress(trail, 6, 9);
    expect(trail, TRAIL_LINE);
    expect_progress(trail, 9, 9);
    append(*state, SECOND, "e\n");
    expect(trail, TRAIL_LINE);
    expect_progress(trail, 11, 11);
    assert_true(trail_seek(trail, 4));
    expect_progress(trail, 0, 5);
    trail_free(trail);

    trail = open_trail(path_of(*state, FIRST));
    expect(trail, TRAIL_LINE);
    expect_progress(trail, 2, 6);
    trail_free(trail);
}

static void long_lines_are_read_and_longer_ones_told(void **state)
{
    size_t length = LINE_BYTES + 1;
    char *bytes = malloc(length + 1);
    struct trail_line line;

    memset(bytes, 'x', length);
    bytes[length] = '\n';
    append(*state, FIRST, "a\n");
    append_bytes(*state, FIRST, bytes + 1, length);
    append_bytes(*state, FIRST, bytes, length + 1);
    append(*state, FIRST, "b\n");
    append_bytes(*state, SECOND, bytes, length / 2);

    struct trail *trail = open_trail(*state);
    expect_line(trail, FIRST, 1, 0, "a");
    assert_int_equal(trail_next(trail, &line), TRAIL_LINE);
    assert_int_equal(line.text.length, LINE_BYTES);
    assert_int_equal(trail_next(trail, &line), TRAIL_TOO_LONG);
    assert_int_equal(line.number, 3);
    assert_int_equal(line.offset, 2 + length);
    assert_int_equal(line.text.length, 0);
    expect_line(trail, FIRST, 4, 2 + length + length + 1, "b");
    expect_partial(trail, SECOND, 1, 0);
    expect(trail, TRAIL_END);
    append_bytes(*state, SECOND, bytes, length);
    expect(trail, TRAIL_END); /* its beginning is not kept any more */
    append(*state, SECOND, "\nc\n");
    assert_int_equal(trail_next(trail, &line), TRAIL_TOO_LONG);
    assert_int_equal(line.number, 1);
    assert_int_equal(line.offset, 0);
    expect_line(trail, SECOND, 2, length / 2 + length + 1, "c");
    trail_free(trail);
    free(bytes);
}

/* A writer that appends pieces of any size and begins new segments, a reader that looks at any time. */
static void whatever_is_written_is_read_once_and_in_order(void **state)
{
    unsigned seed = 7;
    struct text written = {0}, read_back = {0};
    struct trail *trail = open_trail(*state);
    struct trail_line line;
    enum trail_state got;
    char name[64] = FIRST;
    size_t unwritten = 0;
    unsigned segments = 0;

    for (unsigned turn = 0; turn < 3000; turn++) {
        unsigned choice = (unsigned)rand_r(&seed) % 8;

        if (choice == 0 && unwritten == written.length) {
            snprintf(name, sizeof name, "%016u-20260101T000000Z.jsonl", turn + 2);
            segments++;
        } else if (choice < 4) {
            size_t length = (unsigned)rand_r(&seed) % 50 == 0 ? 300000 : (unsigned)rand_r(&seed) % 700;

            for (size_t i = 0; i < length; i++)
                text_add(&written, &"0123456789abcdef"[(unsigned)rand_r(&seed) % 16], 1);
            text_add(&written, "\n", 1);
        }
        size_t left = written.length - unwritten;
        size_t piece = choice < 6 ? left : left > 0 ? (unsigned)rand_r(&seed) % left : 0;
        if (piece > 0)
            append_bytes(*state, name, written.data + unwritten, piece);
        unwritten += piece;
        if (choice % 2 == 0)
            continue;
        while ((got = trail_next(trail, &line)) != TRAIL_END) {
            if (got == TRAIL_PARTIAL)
                continue;
            assert_int_equal(got, TRAIL_LINE);
            text_add(&read_back, line.text.data, line.text.length);
            text_add(&read_back, "\n", 1);
        }
        if (unwritten == written.length)
            assert_true(span_equal((struct span){read_back.data, read_back.length},
                                   (struct span){written.data, written.length}));
    }
    assert_true(read_back.length > 1000000);
    assert_true(segments > 100);
    trail_free(trail);
    text_free(&written);
    text_free(&read_back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(reads_every_line_of_every_segment),
        SCRATCH_TEST(follows_lines_and_segments),
        SCRATCH_TEST(a_partial_line_becomes_one),
        SCRATCH_TEST(a_partial_line_before_a_newer_segment_is_told),
        SCRATCH_TEST(a_tail_that_is_cut_off_was_never_there),
        SCRATCH_TEST(lines_that_are_cut_off_are_told),
        SCRATCH_TEST(segments_that_are_removed_are_passed),
        SCRATCH_TEST(only_regular_files_are_read),
        SCRATCH_TEST(one_segment_can_be_read_alone),
        SCRATCH_TEST(what_cannot_be_opened_is_told),
        SCRATCH_TEST(seeking_goes_by_names),
        SCRATCH_TEST(progress_is_told_in_bytes),
        SCRATCH_TEST(long_lines_are_read_and_longer_ones_told),
        SCRATCH_TEST(whatever_is_written_is_read_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
