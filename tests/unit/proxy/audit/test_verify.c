#include "tests/unit/proxy/audit/scratch.h"

#include "proxy/audit/chain.h"
#include "proxy/audit/verify.h"
#include "proxy/audit/verify_growth.h"

#include <inttypes.h>

/* ---- what the joints between lines show ---- */

/* A log is written down as a line each: "number:name<name of the line before", in the order of the files. */
struct told {
    struct piece_finding findings[16];
    size_t count;
};

static struct tree_hash name_hash(char name)
{
    struct tree_hash hash = {{0}};

    hash.bytes[0] = (unsigned char)name;
    return hash;
}

static void on_told(void *arg, const struct piece_finding *finding)
{
    struct told *told = arg;

    assert_true(told->count < 16);
    told->findings[told->count++] = *finding;
}

/* Reads "1:a<. 2:b<a": the first line's `prev` is ".". Line numbers count from 1. */
static void judge(const char *log, uint64_t proven, struct told *told)
{
    struct pieces pieces;
    uint64_t number;
    char name, before;
    int used;

    told->count = 0;
    assert_true(pieces_init(&pieces));
    for (uint64_t line = 1; sscanf(log, " %" SCNu64 ":%c<%c%n", &number, &name, &before, &used) == 3;
         line++) {
        struct link link = {.place = {0, line},
                            .seq = number,
                            .leaf = name_hash(name),
                            .prev = name_hash(before),
                            .readable = true};

        (void)pieces_add(&pieces, &link);
        log += used;
    }
    pieces_judge(&pieces, proven > 0, proven, on_told, told);
    pieces_free(&pieces);
}

static const struct {
    const char *what, *log;
    uint64_t proven; /* numbers 1 to this are known to be unchanged */
    struct {
        enum piece_damage damage;
        uint64_t from, to;
    } expected[3];
    size_t count;
} joints[] = {
    {"whole", "1:a<. 2:b<a 3:c<b 4:d<c", 0, {{0}}, 0},
    {"one line", "1:a<.", 0, {{0}}, 0},
    {"changed", "1:a<. 2:B<a 3:c<b 4:d<c", 0, {{PIECE_CHANGED, 2, 2}}, 1},
    {"the first changed", "1:A<. 2:b<a 3:c<b", 0, {{PIECE_CHANGED, 1, 1}}, 1},
    {"two changed", "1:a<. 2:B<a 3:C<b 4:d<c", 0, {{PIECE_CHANGED, 3, 3}}, 1},
    {"two changed apart",
     "1:A<. 2:b<a 3:c<b 4:D<c 5:e<d",
     0,
     {{PIECE_CHANGED, 1, 1}, {PIECE_CHANGED, 4, 4}},
     2},
    {"three exchanged", "1:a<. 2:X<x 3:Y<y 4:Z<z 5:e<d 6:f<e", 0, {{PIECE_CHANGED, 2, 4}}, 1},
    {"`prev` changed", "1:a<. 2:b<a 3:C<x 4:d<c 5:e<d", 0, {{PIECE_CHANGED, 3, 3}}, 1},
    {"missing", "1:a<. 2:b<a 4:d<c 5:e<d", 0, {{PIECE_MISSING, 2, 3}}, 1},
    {"the last but one missing", "1:a<. 2:b<a 4:d<c", 0, {{PIECE_MISSING, 2, 3}}, 1},
    {"missing twice", "1:a<. 3:c<b 5:e<d", 0, {{PIECE_MISSING, 1, 2}, {PIECE_MISSING, 2, 3}}, 2},
    {"inserted by the rules", "1:a<. 2:b<a 3:X<b 3:c<b 4:d<c", 0, {{PIECE_INSERTED, 3, 3}}, 1},
    {"two inserted by the rules",
     "1:a<. 2:b<a 3:X<b 4:Y<X 3:c<b 4:d<c 5:e<d",
     0,
     {{PIECE_INSERTED, 3, 4}},
     1},
    {"inserted", "1:a<. 2:b<a 3:X<x 3:c<b 4:d<c", 0, {{PIECE_INSERTED, 3, 3}}, 1},
    {"inserted with a large number", "1:a<. 2:b<a 9:X<x 3:c<b 4:d<c", 0, {{PIECE_INSERTED, 3, 3}}, 1},
    {"inserted with a small number", "1:a<. 2:b<a 1:X<x 3:c<b 4:d<c", 0, {{PIECE_INSERTED, 3, 3}}, 1},
    {"doubled", "1:a<. 2:b<a 2:b<a 3:c<b", 0, {{PIECE_REPEATED, 3, 4}}, 1},
    {"doubled at the end", "1:a<. 2:b<a 2:b<a", 0, {{PIECE_REPEATED, 3, 3}}, 1},
    {"an old one at the end", "1:a<. 2:b<a 3:c<b 2:b<a", 0, {{PIECE_REPEATED, 4, 4}}, 1},
    {"swapped", "1:a<. 3:c<b 2:b<a 4:d<c", 0, {{PIECE_MOVED, 2, 2}}, 1},
    {"blocks swapped", "1:a<. 4:d<c 5:e<d 2:b<a 3:c<b 6:f<e", 0, {{PIECE_MOVED, 2, 3}}, 1},
    {"the first block swapped", "3:c<b 4:d<c 1:a<. 2:b<a 5:e<d", 0, {{PIECE_MOVED, 1, 2}}, 1},
    {"moved up", "1:a<. 4:d<c 2:b<a 3:c<b 5:e<d", 0, {{PIECE_MOVED, 2, 2}}, 1},
    {"its number changed", "1:a<. 2:b<a 9:C<b 4:d<c", 0, {{PIECE_CHANGED, 3, 3}}, 1},
    {"appended, nothing is known", "1:a<. 2:b<a 3:X<x", 0, {{PIECE_CHANGED, 2, 2}}, 1},
    {"appended behind what is known", "1:a<. 2:b<a 3:X<x", 2, {{PIECE_INSERTED, 3, 3}}, 1},
    {"appended with a gap", "1:a<. 2:b<a 7:X<x", 2, {{PIECE_MISSING, 2, 3}}, 1},
    {"appended with an old number", "1:a<. 2:b<a 1:X<x", 0, {{PIECE_INSERTED, 3, 3}}, 1},
};

static void test_joints(void **state)
{
    struct told told;

    (void)state;
    for (size_t i = 0; i < sizeof joints / sizeof *joints; i++) {
        judge(joints[i].log, joints[i].proven, &told);
        bool same = told.count == joints[i].count;
        for (size_t j = 0; same && j < told.count; j++)
            same = told.findings[j].damage == joints[i].expected[j].damage &&
                   told.findings[j].from.line == joints[i].expected[j].from &&
                   told.findings[j].to.line == joints[i].expected[j].to;
        if (same)
            continue;
        for (size_t j = 0; j < told.count; j++)
            print_error("  damage %d, lines %" PRIu64 " to %" PRIu64 "\n", (int)told.findings[j].damage,
                        told.findings[j].from.line, told.findings[j].to.line);
        fail_msg("%s: %zu findings", joints[i].what, told.count);
    }
}

/* More cuts than are told apart. */
static void test_many_cuts(void **state)
{
    struct pieces pieces;
    struct told told = {.count = 0};

    (void)state;
    assert_true(pieces_init(&pieces));
    for (uint64_t i = 1; i <= 5 * PIECES; i++) {
        struct link link = {.place = {0, i}, .seq = i, .readable = true};

        memcpy(link.leaf.bytes, &i, sizeof i);
        memset(link.prev.bytes, 0xff, TREE_HASH);
        (void)pieces_add(&pieces, &link);
    }
    assert_int_equal(pieces.count, PIECES);
    assert_int_equal(pieces.overflow, 4 * PIECES);
    assert_int_equal(pieces.last.seq, 5 * PIECES);
    pieces_judge(&pieces, 0, 0, on_told, &told);
    assert_int_equal(told.count, 1);
    pieces_free(&pieces);
}

/* ---- a log on disk ---- */

#define LINES    40
#define SEGMENTS 4 /* of ten lines, the first of which is the header */

struct fixture {
    void *scratch;
    char *directory;
    struct note_signer *signer;
    struct text lines[LINES];
};

static void write_file(const char *directory, const char *name, struct span content)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.length, file), content.length);
    assert_int_equal(fclose(file), 0);
}

static void write_checkpoint(const struct fixture *fixture, const struct tree *tree)
{
    struct text text = {0}, note = {0};
    struct tree_hash root = tree_root(tree);
    char name[64];

    checkpoint_write("log.example", tree->size, &root, &text);
    assert_true(note_sign(fixture->signer, (struct span){text.data, text.length}, &note));
    snprintf(name, sizeof name, "checkpoints/%016" PRIu64 ".note", tree->size);
    write_file(fixture->directory, name, (struct span){note.data, note.length});
    text_free(&text);
    text_free(&note);
}

static void make_line(const struct chain *chain, struct text *line)
{
    uint64_t seq = chain_next(chain);
    char hash[TREE_HEX], edge[CHAIN_EDGE];

    tree_hash_write(&chain->last, hash);
    if (chain->tree.size % (LINES / SEGMENTS) == 0) {
        chain_write_edge(&chain->tree, edge);
        text_add_format(line,
                        "{\"edge\":%s,\"first_seq\":%" PRIu64
                        ",\"format\":2,\"open_from\":1,\"origin\":\"log.example\",",
                        edge, seq);
        text_add_format(
            line,
            "\"prev\":\"%s\",\"run\":1,\"seq\":%" PRIu64
            ",\"stage\":\"segment\",\"time\":\"2026-01-01T00:00:00.000000Z\",\"tree_size\":%" PRIu64 "}",
            hash, seq, chain->tree.size);
        return;
    }
    text_add_format(line,
                    "{\"body\":{\"n\":%" PRIu64 "},\"prev\":\"%s\",\"seq\":%" PRIu64
                    ",\"stage\":\"%s\",\"time\":\"2026-01-01T00:00:%02" PRIu64 ".000000Z\"}",
                    seq * 7, hash, seq, seq == LINES ? "stop" : "intent", seq);
}

/* Writes the lines into segments: `count` of them from line `at`, for each segment. */
static void write_segment(const struct fixture *fixture, size_t segment, const struct text *const *lines,
                          size_t count)
{
    struct text content = {0};
    char name[64];

    for (size_t i = 0; i < count; i++) {
        text_add(&content, lines[i]->data, lines[i]->length);
        text_add(&content, "\n", 1);
    }
    snprintf(name, sizeof name, "%016zu-20260101T000000Z.jsonl", segment * (LINES / SEGMENTS) + 1);
    write_file(fixture->directory, name, (struct span){content.data, content.length});
    text_free(&content);
}

static void write_all(const struct fixture *fixture, const struct text *const *lines, size_t count)
{
    const size_t each = LINES / SEGMENTS;

    for (size_t i = 0; i < SEGMENTS; i++) {
        size_t from = i * each < count ? i * each : count;
        size_t to = i + 1 == SEGMENTS || from + each > count ? count : from + each;

        write_segment(fixture, i, lines + from, to - from);
    }
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    const struct text *lines[LINES];
    struct chain chain = {0};
    struct text vkey = {0};
    char error[256], path[512];

    assert_non_null(fixture);
    assert_int_equal(scratch_setup(&fixture->scratch), 0);
    assert_true(asprintf(&fixture->directory, "%s/log", (char *)fixture->scratch) > 0);
    assert_int_equal(mkdir(fixture->directory, 0700), 0);
    snprintf(path, sizeof path, "%s/checkpoints", fixture->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture->signer = note_signer_open(fixture->scratch, NULL, true, "log.example", error, sizeof error);
    assert_non_null(fixture->signer);
    note_key_write(note_signer_key(fixture->signer), &vkey);
    write_file(fixture->directory, "verifier.vkey", (struct span){vkey.data, vkey.length});
    text_free(&vkey);
    for (size_t i = 0; i < LINES; i++) {
        make_line(&chain, &fixture->lines[i]);
        lines[i] = &fixture->lines[i];
        chain_add(&chain, (struct span){lines[i]->data, lines[i]->length});
        if (chain.tree.size == 17 || chain.tree.size == LINES)
            write_checkpoint(fixture, &chain.tree);
    }
    write_all(fixture, lines, LINES);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < LINES; i++)
        text_free(&fixture->lines[i]);
    note_signer_free(fixture->signer);
    free(fixture->directory);
    int failed = scratch_teardown(&fixture->scratch);
    free(fixture);
    return failed;
}

static void verify(const struct fixture *fixture, struct verify_report *report)
{
    const struct verify_options options = {.path = fixture->directory, .uncovered_us = 1};
    char error[256];

    if (!verify_run(&options, report, error, sizeof error))
        fail_msg("%s", error);
}

static uint64_t damages(const struct fixture *fixture)
{
    struct verify_report report;

    verify(fixture, &report);
    uint64_t count = report.damages;
    assert_false(report.failed);
    verify_report_free(&report);
    return count;
}

static void test_whole(void **state)
{
    struct verify_report report;

    verify(*state, &report);
    assert_int_equal(report.count, 0);
    assert_int_equal(report.damages, 0);
    assert_int_equal(report.lines, LINES);
    assert_int_equal(report.segments, SEGMENTS);
    assert_int_equal(report.first_seq, 1);
    assert_int_equal(report.last_seq, LINES);
    assert_int_equal(report.covered, LINES);
    assert_int_equal(report.checkpoints, 2);
    assert_string_equal(report.origin, "log.example");
    verify_report_free(&report);
}

/* Each bit of a line, of a header and of the last line: none passes. */
static void test_any_bit_of_a_line(void **state)
{
    static const size_t changed[] = {0, 5, 20, LINES - 1};
    struct fixture *fixture = *state;
    const struct text *lines[LINES];

    for (size_t i = 0; i < LINES; i++)
        lines[i] = &fixture->lines[i];
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        struct text *line = &fixture->lines[changed[i]];

        for (size_t at = 0; at < line->length; at++) {
            unsigned bit = (unsigned)(at + i) % 8; /* all of them would take long */

            line->data[at] ^= (char)(1u << bit);
            write_all(fixture, lines, LINES);
            if (damages(fixture) == 0)
                fail_msg("line %zu, byte %zu, bit %u", changed[i] + 1, at, bit);
            line->data[at] ^= (char)(1u << bit);
        }
    }
    write_all(fixture, lines, LINES);
    assert_int_equal(damages(fixture), 0);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* One change of the list of lines; the new count. */
static size_t tamper(const struct text **lines, size_t count, uint32_t *seed)
{
    size_t at = next_random(seed) % count, other = next_random(seed) % count;
    const struct text *line = lines[at];

    switch (next_random(seed) % 4) {
    case 0: /* delete */
        memmove(lines + at, lines + at + 1, (count - at - 1) * sizeof *lines);
        return count - 1;
    case 1: /* double, elsewhere or here */
        memmove(lines + other + 1, lines + other, (count - other) * sizeof *lines);
        lines[other] = line;
        return count + 1;
    case 2: /* swap */
        lines[at] = lines[other];
        lines[other] = line;
        return count;
    default: /* overwrite */
        lines[at] = lines[other];
        return count;
    }
}

/* Up to four changes of a random kind, at random places: whatever differs from the log as it was is found,
 * nothing else, and nothing breaks. */
static void test_random_changes(void **state)
{
    struct fixture *fixture = *state;
    uint32_t seed = 88172645;
    unsigned whole = 0;

    for (int round = 0; round < 1500; round++) {
        const struct text *lines[LINES + 8];
        size_t count = LINES;
        bool same;

        for (size_t i = 0; i < LINES; i++)
            lines[i] = &fixture->lines[i];
        for (uint32_t changes = 1 + next_random(&seed) % 4; changes > 0; changes--)
            count = tamper(lines, count, &seed);
        same = count == LINES;
        for (size_t i = 0; same && i < LINES; i++)
            same = lines[i] == &fixture->lines[i];
        write_all(fixture, lines, count);
        if ((damages(fixture) == 0) != same)
            fail_msg("round %d: %s", round, same ? "damage in a whole log" : "passed");
        whole += same;
    }
    assert_in_range(whole, 1, 300);
}

/* Cut off at each byte of the last segment. */
static void test_any_truncation(void **state)
{
    struct fixture *fixture = *state;
    const char *name = "0000000000000031-20260101T000000Z.jsonl";
    struct text content = {0};

    for (size_t i = LINES - LINES / SEGMENTS; i < LINES; i++) {
        text_add(&content, fixture->lines[i].data, fixture->lines[i].length);
        text_add(&content, "\n", 1);
    }
    for (size_t length = 0; length < content.length; length += 3) {
        write_file(fixture->directory, name, (struct span){content.data, length});
        if (damages(fixture) == 0)
            fail_msg("%zu bytes left", length);
    }
    write_file(fixture->directory, name, (struct span){content.data, content.length});
    assert_int_equal(damages(fixture), 0);
    text_free(&content);
}

/* Where one line differs from what the next one says it was, later checkpoints still show that no other does.
 */
static void test_checkpoints_behind_a_change(void **state)
{
    struct fixture *fixture = *state;
    struct verify_report report;
    const struct text *lines[LINES];
    struct text changed = {0};

    for (size_t i = 0; i < LINES; i++)
        lines[i] = &fixture->lines[i];
    text_add(&changed, lines[12]->data, lines[12]->length);
    changed.data[13] = changed.data[13] == '9' ? '8' : '9'; /* in the body */
    lines[12] = &changed;
    write_all(fixture, lines, LINES);
    verify(fixture, &report);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.findings[0].kind, VERIFY_CHANGED);
    assert_string_equal(report.findings[0].file, "0000000000000011-20260101T000000Z.jsonl");
    assert_int_equal(report.findings[0].line, 3);
    assert_int_equal(report.checkpoints, 2);
    verify_report_free(&report);
    text_free(&changed);
}

static void test_nothing_to_judge(void **state)
{
    struct verify_report report;
    char error[256] = "";

    assert_false(
        verify_run(&(struct verify_options){.path = "/no/such/journal"}, &report, error, sizeof error));
    assert_string_not_equal(error, "");
    verify_report_free(&report);
    assert_false(verify_run(&(struct verify_options){.path = ((struct fixture *)*state)->scratch}, &report,
                            error, sizeof error));
    assert_non_null(strstr(error, "no journal"));
    verify_report_free(&report);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joints),
        cmocka_unit_test(test_many_cuts),
        LOG_TEST(test_whole),
        LOG_TEST(test_any_bit_of_a_line),
        LOG_TEST(test_random_changes),
        LOG_TEST(test_any_truncation),
        LOG_TEST(test_checkpoints_behind_a_change),
        LOG_TEST(test_nothing_to_judge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
