#include "proxy/audit/check.h"
#include "proxy/audit/checkpoints.h"
#include "proxy/audit/lines.h"
#include "proxy/audit/verify.h"
#include "tests/unit/proxy/audit/support.h"

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct text read_file(const char *path)
{
    struct text text = {0};
    FILE *stream = fopen(path, "r");
    char buffer[4096];
    size_t got;

    assert_non_null(stream);
    while ((got = fread(buffer, 1, sizeof buffer, stream)) > 0)
        text_add(&text, buffer, got);
    fclose(stream);
    return text;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *stream = fopen(path, "w");

    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, length, stream), length);
    assert_int_equal(fclose(stream), 0);
}

/* The one file in the directory whose name holds `part`; malloc'ed, NULL when there is none. */
static char *find_file(const char *path, const char *part)
{
    struct directory directory = {.path = (char *)(uintptr_t)path};
    DIR *handle = opendir(path);
    struct dirent *item;
    char *found = NULL;

    while ((item = readdir(handle)) != NULL)
        if (strstr(item->d_name, part) != NULL) {
            assert_null(found);
            found = directory_join(&directory, item->d_name);
        }
    closedir(handle);
    return found;
}

/* A directory as a crash leaves it: one segment with `count` intents and their outcomes, no `stop`. */
static char *crashed_journal(const char *scratch, int count)
{
    struct journal *journal = open_journal(scratch, &journal_io_system, 64, 0);
    struct end end = end_make(journal);
    char id[32];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        assert_true(append_and_wait(end, STAGE_INTENT, id));
        assert_true(append_and_wait(end, STAGE_OUTCOME, id));
    }
    char *copy = copy_directory(scratch);
    end_free(end);
    journal_close(journal);
    return copy;
}

/* Opens the journal, which must succeed, takes the intents that are open, and closes it again. */
static json_t *reopen_with_open(const char *directory, json_t **open)
{
    struct journal *journal = open_journal(directory, &journal_io_system, 8, 0);

    *open = journal_take_open(journal);
    assert_non_null(*open);
    assert_null(journal_take_open(journal));
    journal_close(journal);
    json_t *records = read_journal(directory);
    assert_gapless(records);
    return records;
}

static json_t *reopen(const char *directory)
{
    json_t *open, *records = reopen_with_open(directory, &open);

    json_decref(open);
    return records;
}

static size_t count_lines(const char *bytes, size_t length)
{
    size_t lines = 0;

    for (size_t i = 0; i < length; i++)
        lines += bytes[i] == '\n';
    return lines;
}

/* One row of the next test: the segment's first `length` bytes are what the crash left. */
static void check_truncation(const char *directory, const char *name, struct text whole, size_t length)
{
    char path[256], *side;
    size_t lines = count_lines(whole.data, length), kept = length;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    write_file(path, whole.data, length);
    while (kept > 0 && whole.data[kept - 1] != '\n')
        kept--;

    json_t *open, *records = reopen_with_open(directory, &open);
    json_t *recovered = find_record(records, "recovered", 0);
    side = find_file(directory, ".cut-");
    if (kept == length) {
        assert_null(recovered);
        assert_null(side);
    } else {
        struct text cut = read_file(side);

        assert_string_equal(text_of(recovered, "segment"), name);
        assert_non_null(strstr(text_of(recovered, "detail"), strrchr(side, '/') + 1));
        assert_int_equal(json_integer_value(json_object_get(recovered, "bytes")), length - kept);
        assert_int_equal(json_integer_value(json_object_get(recovered, "count")), 1);
        assert_int_equal(cut.length, length - kept);
        assert_memory_equal(cut.data, whole.data + kept, length - kept);
        text_free(&cut);
    }

    /* What was whole is there as it was; behind it come header, [recovered,] start, stop. */
    size_t intents = count_records(records, "intent", NULL),
           outcomes = count_records(records, "outcome", NULL);
    assert_int_equal(json_object_size(open), intents - outcomes);
    assert_int_equal(json_array_size(records), lines + 3 + (recovered != NULL));
    json_decref(open);
    if (kept > 0) {
        struct text now = read_file(path);

        assert_int_equal(now.length, kept);
        assert_memory_equal(now.data, whole.data, kept);
        text_free(&now);
    }
    json_decref(records);
    free(side);
}

/* And the journal that goes on behind the cut is good evidence, its checkpoints too. */
static void assert_verifies(const char *directory)
{
    struct verify_report report;
    char error[512];

    assert_true(verify_run(&(struct verify_options){.path = directory}, &report, error, sizeof error));
    assert_int_equal(report.damages, 0);
    assert_int_equal(report.covered, report.lines);
    verify_report_free(&report);
}

#define TAIL 4096

static void survives_truncation_anywhere(void **state)
{
    char *crashed = crashed_journal(*state, 9), *segment = newest_segment(crashed);
    const char *name = strrchr(segment, '/') + 1;
    struct text whole = read_file(segment);
    size_t from = whole.length > TAIL ? whole.length - TAIL : 0;

    assert_true(from > 0);
    for (size_t length = 0; length <= whole.length; length += length < from ? from / 7 + 1 : 1) {
        char directory[] = "/dev/shm/portcullis-cut-XXXXXX", tmp[] = "/tmp/portcullis-cut-XXXXXX";
        char *fresh = access("/dev/shm", W_OK) == 0 ? mkdtemp(directory) : mkdtemp(tmp);

        assert_non_null(fresh);
        check_truncation(fresh, name, whole, length);
        assert_verifies(fresh);
        scratch_remove(strdup(fresh));
    }
    text_free(&whole);
    free(segment);
    scratch_remove(crashed);
}

/* Damage, and where it must be seen. The segment has the lines: header, start, intent, outcome, intent,
 * outcome. */
static void refuses_damage_before_the_end(void **state)
{
    static const struct {
        unsigned line;    /* that is changed, from 1 */
        const char *with; /* NULL: the line is left out */
        unsigned seen;    /* line that the message must name */
        const char *says;
    } rows[] = {
        {3, "garbage", 3, "not a record"},
        {3, "", 3, "not a record"},
        {3, "[3]", 3, "not a record"},
        {3, "{\"seq\":3", 3, "not a record"},
        {3, "{\"stage\":\"intent\"}", 3, "without its number"},
        {3, "{\"seq\":\"3\"}", 3, "without its number"},
        {3, "{\"seq\":3.0}", 3, "without its number"},
        {3, "{\"seq\":2}", 3, "does not follow"},
        {3, "{\"seq\":-3}", 3, "does not follow"},
        {3, "{\"seq\":4}", 3, "does not follow"},
        {3, "{\"seq\":3}", 3, "`prev` is not that one's hash"},
        {3, "{\"prev\":3,\"seq\":3}", 3, "`prev` is not that one's hash"},
        {3, "{\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"seq\":3}", 3,
         "`prev` is not that one's hash"},
        {1, "{\"seq\":1}", 1, "not the header of a segment"},
        {1, "{\"format\":1,\"seq\":1,\"stage\":\"segment\"}", 1, "begin a new journal in another directory"},
        {1, "{\"format\":2,\"seq\":1,\"stage\":\"segment\"}", 1, "a header that lacks something"},
        {3, NULL, 3, "does not follow"},
        {1, "{\"seq\":9}", 1, "in the file's name"},
        {1, NULL, 1, "in the file's name"},
        {1, "x", 1, "not a record"},
        {5, "x", 5, "not a record"},
        {6, "{\"seq\":7}", 6, "does not follow"},
    };
    char *crashed = crashed_journal(*state, 2), *segment = newest_segment(crashed);
    struct text whole = read_file(segment);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text changed = {0};
        const char *at = whole.data;
        char error[512] = "", place[300];

        for (unsigned line = 1; *at != '\0'; line++) {
            size_t length = strcspn(at, "\n") + 1;

            if (line != rows[i].line)
                text_add(&changed, at, length);
            else if (rows[i].with != NULL)
                text_add_format(&changed, "%s\n", rows[i].with);
            at += length;
        }
        write_file(segment, changed.data, changed.length);
        assert_null(journal_open(settings_for(crashed), error, sizeof error));
        snprintf(place, sizeof place, "%s:%u: ", segment, rows[i].seen);
        if (strncmp(error, place, strlen(place)) != 0 || strstr(error, rows[i].says) == NULL)
            fail_msg("row %zu: %s", i, error);

        struct text now = read_file(segment); /* and nothing was touched */
        assert_int_equal(now.length, changed.length);
        assert_memory_equal(now.data, changed.data, changed.length);
        assert_int_equal(count_segments(crashed), 1);
        text_free(&now);
        text_free(&changed);
    }
    text_free(&whole);
    free(segment);
    scratch_remove(crashed);
}

/* A last line that ends with a newline but is no record is what a torn page leaves. */
static void cuts_a_torn_last_line(void **state)
{
    static const struct span tails[] = {
        {"garbage\n", 8}, {"\n", 1},          {"\0\0\0\0\0\0", 6},
        {"\0\0\0\n", 4},  {"{\"seq\":7}", 9}, {"{\"seq\":7,\n", 10},
    };

    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char *scratch = scratch_make(), *crashed = crashed_journal(scratch, 2),
             *segment = newest_segment(crashed);
        struct text whole = read_file(segment);

        text_add(&whole, tails[i].data, tails[i].length);
        write_file(segment, whole.data, whole.length);
        json_t *records = reopen(crashed);
        json_t *recovered = find_record(records, "recovered", 0);
        assert_int_equal(json_integer_value(json_object_get(recovered, "bytes")), tails[i].length);
        json_decref(records);
        text_free(&whole);
        free(segment);
        scratch_remove(crashed);
        scratch_remove(scratch);
    }
    (void)state;
}

/* Where the n-th line (from 1) begins. */
static size_t line_at(struct text text, size_t number)
{
    const char *at = text.data;

    for (; number > 1; number--)
        at = (const char *)memchr(at, '\n', text.length - (size_t)(at - text.data)) + 1;
    return (size_t)(at - text.data);
}

/* What verify says of the kind in the directory: how often. */
static size_t count_findings(const char *directory, enum verify_kind kind)
{
    struct verify_report report;
    char error[512];
    size_t count = 0;

    assert_true(verify_run(&(struct verify_options){.path = directory}, &report, error, sizeof error));
    for (size_t i = 0; i < report.count; i++)
        count += report.findings[i].kind == kind;
    verify_report_free(&report);
    return count;
}

/* A power cut in the middle of a group of many lines: any of its pages may be missing, which reads as zeros,
 * and any part of its length. All that was durable before it stays, and nothing of it that cannot be chained.
 */
static void cuts_a_torn_group(void **state)
{
    enum { PAGE = 200, DURABLE = 7 }; /* less than a line, so that lines are hit in all ways */
    char *crashed = crashed_journal(*state, 9), *segment = newest_segment(crashed);
    struct text whole = read_file(segment);
    size_t durable = line_at(whole, DURABLE + 1), cut = 0, behind = 0;
    unsigned seed = 7;

    for (int round = 0; round < 150; round++) {
        struct text torn = {0};
        char *fresh = copy_directory(crashed), *path = newest_segment(fresh);

        text_add(&torn, whole.data, whole.length);
        for (size_t page = durable; page < torn.length; page += PAGE)
            if (rand_r(&seed) % 3 == 0)
                memset(torn.data + page, 0, torn.length - page < PAGE ? torn.length - page : PAGE);
        if (rand_r(&seed) % 2 == 0)
            torn.length = durable + (size_t)rand_r(&seed) % (torn.length - durable);
        write_file(path, torn.data, torn.length);

        json_t *records = reopen(fresh); /* checks that the chain holds */
        json_t *recovered = find_record(records, "recovered", 0);
        struct text now = read_file(path);
        assert_true(now.length >= durable);
        assert_memory_equal(now.data, torn.data, now.length);
        if (recovered != NULL) {
            char *side = find_file(fresh, ".cut-");
            struct text rest = read_file(side);

            assert_int_equal(now.length + rest.length, torn.length);
            assert_memory_equal(rest.data, torn.data + now.length, rest.length);
            assert_int_equal(json_integer_value(json_object_get(recovered, "bytes")), rest.length);
            assert_int_equal(json_integer_value(json_object_get(recovered, "count")),
                             count_lines(rest.data, rest.length) + (rest.data[rest.length - 1] != '\n'));
            assert_int_equal(count_findings(fresh, VERIFY_CUT), 1);
            behind += memmem(rest.data, rest.length, "\n{\"", 3) != NULL;
            cut++;
            text_free(&rest);
            free(side);
        }
        assert_verifies(fresh);
        json_decref(records);
        text_free(&now);
        text_free(&torn);
        free(path);
        scratch_remove(fresh);
    }
    assert_true(cut > 100 && behind > 50); /* also with lines behind the damage */
    text_free(&whole);
    free(segment);
    scratch_remove(crashed);
}

/* How far zeros may be from the end, and that they alone are believed to be a crash's. */
static void cuts_no_more_than_a_group(void **state)
{
    static const struct {
        size_t behind; /* bytes of good-looking lines behind the damaged one */
        unsigned char with;
        bool one; /* in one line */
        bool cut;
    } rows[] = {
        {CHECK_GROUP - 4000, 0, false, true},
        {CHECK_GROUP + 1, 0, false, false},
        {3 * CHECK_GROUP, 0, true, true},
        {2000, 0, false, true},
        {2000, ' ', false, false},
        {2000, 'x', false, false},
        {2000, 1, false, false},
        {3 * CHECK_GROUP, 0, false, false},
    };
    char *crashed = crashed_journal(*state, 4);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *fresh = copy_directory(crashed), *path = newest_segment(fresh), error[512] = "";
        struct text text = read_file(path);
        size_t at = line_at(text, 6), room = text.length + rows[i].behind;

        memset(text.data + at + 10, rows[i].with, 20);
        while (text.length < room)
            text_add_string(&text, rows[i].one ? "0123456789" : "{\"seq\":12}\n");
        if (rows[i].one) /* as if the damaged line were that long */
            memset(text.data + at + 10, 'x', text.length - at - 11),
                text.data[at + 10] = '\0', text.data[text.length - 1] = '\n';
        write_file(path, text.data, text.length);
        struct journal *journal = journal_open(settings_for(fresh), error, sizeof error);
        if ((journal != NULL) != rows[i].cut)
            fail_msg("row %zu: %s", i, error);
        if (journal == NULL)
            assert_non_null(strstr(error, ".jsonl:6: the journal is damaged here"));
        journal_close(journal);
        assert_int_equal(count_findings(fresh, VERIFY_CUT), rows[i].cut);
        text_free(&text);
        free(path);
        scratch_remove(fresh);
    }
    scratch_remove(crashed);
}

/* A start that cut something off and came no further: the next one records it. A side file that somebody put
 * beside an older segment is not the log's to tell of. */
static void records_a_cut_of_an_earlier_start(void **state)
{
    char *crashed = crashed_journal(*state, 2), *segment = newest_segment(crashed), side[300];
    FILE *stream;

    snprintf(side, sizeof side, "%s.cut-20260131T235959Z.000001", segment);
    write_file(side, "{\"half\n{\"x", 10);
    assert_int_equal(count_findings(crashed, VERIFY_CUT), 1);
    for (int start = 0; start < 2; start++) {
        json_t *records = reopen(crashed);
        json_t *recovered = find_record(records, "recovered", 0);

        assert_int_equal(count_records(records, "recovered", NULL), 1);
        assert_int_equal(json_integer_value(json_object_get(recovered, "bytes")), 10);
        assert_int_equal(json_integer_value(json_object_get(recovered, "count")), 2);
        assert_string_equal(text_of(recovered, "segment"), strrchr(segment, '/') + 1);
        json_decref(records);
    }
    assert_int_equal(count_findings(crashed, VERIFY_CUT), 1);
    snprintf(side, sizeof side, "%s.cut-20260131T235959Z.000002", segment);
    stream = fopen(side, "w");
    assert_non_null(stream);
    fclose(stream);
    json_t *records = reopen(crashed);
    assert_int_equal(count_records(records, "recovered", NULL), 1);
    json_decref(records);
    assert_int_equal(count_findings(crashed, VERIFY_CUT), 2);
    free(segment);
    scratch_remove(crashed);
}

/* What the newest checkpoint was signed for must be there, line for line. */

/* A journal of several segments as a crash leaves it. The newest checkpoint is that of the last start; a line
 * of its segment and more segments follow. */
static char *checkpointed_journal(const char *scratch)
{
    for (int run = 0;; run++) {
        struct journal *journal = open_journal(scratch, &journal_io_system, 8, 1200);
        struct end end = end_make(journal);

        for (int i = 0; i < 4; i++)
            assert_true(append_and_wait(end, STAGE_REFUSED, "x"));
        char *crashed = run == 1 ? copy_directory(scratch) : NULL;
        end_free(end);
        journal_close(journal);
        if (crashed != NULL)
            return crashed;
    }
}

/* How many lines the newest checkpoint covers. */
static uint64_t covered_by(const char *directory)
{
    struct directory place = {.fd = open(directory, O_RDONLY | O_DIRECTORY)};
    uint64_t size;

    assert_true(checkpoints_newest(&place, &size));
    close(place.fd);
    return size;
}

static void refuse_to_open(const char *directory, const char *name, const char *says)
{
    char error[1024] = "";

    if (journal_open(settings_for(directory), error, sizeof error) != NULL ||
        strncmp(error, directory, strlen(directory)) != 0 || strstr(error, says) == NULL)
        fail_msg("%s: %s", name, error);
}

/* Changes one digit of a number in the middle of the n-th line (from 1), and the hashes behind it, as
 * somebody without the key can. */
static void rewrite_from(const char *path, unsigned changed)
{
    struct text whole = read_file(path), now = {0};
    struct chain chain = {0};
    bool begun = false;
    unsigned number = 1;

    for (const char *at = whole.data; at < whole.data + whole.length; number++) {
        size_t length = (size_t)(strchr(at, '\n') - at);
        json_t *record = json_loadb(at, length, 0, NULL);
        char prev[TREE_HEX];

        if (!begun) { /* the header says what was before */
            json_t *edge = json_object_get(record, "edge");
            chain.tree.size = (uint64_t)json_integer_value(json_object_get(record, "tree_size"));
            for (size_t i = 0; i < json_array_size(edge); i++)
                assert_true(
                    tree_hash_read(span_of(json_string_value(json_array_get(edge, i))), &chain.tree.edge[i]));
            assert_true(tree_hash_read(span_of(text_of(record, "prev")), &chain.last));
            begun = true;
        }
        tree_hash_write(&chain.last, prev);
        json_object_set_new(record, "prev", json_string(prev));
        if (number == changed)
            json_object_set_new(record, "client", json_string("forged"));
        char *line = json_dumps(record, JSON_SORT_KEYS | JSON_COMPACT);
        chain_add(&chain, span_of(line));
        text_add_format(&now, "%s\n", line);
        free(line);
        json_decref(record);
        at += length + 1;
    }
    write_file(path, now.data, now.length);
    text_free(&whole);
    text_free(&now);
}

static void cut_lines(const char *path, size_t count)
{
    struct text whole = read_file(path);
    size_t length = whole.length;

    for (; count > 0; count--)
        do
            length--;
        while (length > 0 && whole.data[length - 1] != '\n');
    write_file(path, whole.data, length);
    text_free(&whole);
}

/* What is done to the directory. */

static void nothing(const char *directory)
{
    (void)directory;
}

static void cut_behind(const char *directory)
{
    char *path = newest_segment(directory);

    cut_lines(path, 1);
    free(path);
}

static void remove_last_lines(const char *directory)
{
    uint64_t covered = covered_by(directory);
    struct segment_name name;
    char *path;

    for (;; free(path)) {
        path = newest_segment(directory);
        assert_true(segment_name_read(strrchr(path, '/') + 1, &name));
        if (name.first_seq <= covered)
            break;
        assert_int_equal(unlink(path), 0);
    }
    struct text whole = read_file(path);
    size_t lines = count_lines(whole.data, whole.length);
    text_free(&whole);
    cut_lines(path, (size_t)(name.first_seq + lines - covered)); /* one of them is covered */
    free(path);
}

static void remove_newest_segments(const char *directory)
{
    while (count_segments(directory) > 1) {
        char *path = newest_segment(directory);

        assert_int_equal(unlink(path), 0);
        free(path);
    }
}

static void remove_all_segments(const char *directory)
{
    remove_newest_segments(directory);
    char *path = newest_segment(directory);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* The segment that the checkpoint ends in; *line is the place of its last line there. */
static char *covered_segment(const char *directory, unsigned *line)
{
    struct directory place = {.path = (char *)(uintptr_t)directory};
    uint64_t covered = covered_by(directory);
    struct segment_name *names;
    size_t count, at = 0;

    assert_true(directory_list(&place, &names, &count));
    while (at + 1 < count && names[at + 1].first_seq <= covered)
        at++;
    assert_true(at > 0 && at + 1 < count);
    *line = (unsigned)(covered - names[at].first_seq + 1);
    char *path = directory_join(&place, names[at].text);
    free(names);
    return path;
}

static void rewrite_covered(const char *directory)
{
    unsigned line;
    char *path = covered_segment(directory, &line);

    rewrite_from(path, line);
    free(path);
}

static void remove_covered(const char *directory)
{
    unsigned line;
    char *path = covered_segment(directory, &line);

    assert_int_equal(unlink(path), 0);
    free(path);
}

static void forge_checkpoint(const char *directory)
{
    char path[300], name[CHECKPOINT_NAME];

    checkpoints_name(covered_by(directory), name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    struct text note = read_file(path);
    char *root = strchr(strchr(note.data, '\n') + 1, '\n') + 1;
    *root = *root == 'A' ? 'B' : 'A';
    write_file(path, note.data, note.length);
    text_free(&note);
}

static void future_checkpoint(const char *directory)
{
    char from[300], to[300], name[CHECKPOINT_NAME];

    checkpoints_name(covered_by(directory), name);
    snprintf(from, sizeof from, "%s/%s", directory, name);
    snprintf(to, sizeof to, "%s/checkpoints/0000000000000099.note", directory);
    assert_int_equal(rename(from, to), 0);
}

static void other_key(const char *directory)
{
    char path[300];

    snprintf(path, sizeof path, "%s/keys/journal-signing.key", directory);
    assert_int_equal(unlink(path), 0);
}

static void other_key_known(const char *directory)
{
    char from[300], to[300];

    other_key(directory);
    snprintf(from, sizeof from, "%s/verifier.vkey", directory);
    snprintf(to, sizeof to, "%s/verifier-old.vkey", directory);
    assert_int_equal(rename(from, to), 0);
}

static void exchanged_key(const char *directory)
{
    char keys[300], error[512];

    other_key(directory);
    snprintf(keys, sizeof keys, "%s/keys", directory);
    note_signer_free(note_signer_open(keys, NULL, true, "portcullis/test", error, sizeof error));
}

static void no_verifier(const char *directory)
{
    char path[300];

    snprintf(path, sizeof path, "%s/verifier.vkey", directory);
    assert_int_equal(unlink(path), 0);
}

static void other_key_unknown(const char *directory)
{
    other_key(directory);
    no_verifier(directory);
}

static void holds_the_log_against_its_checkpoint(void **state)
{
    static const struct {
        const char *name;
        void (*act)(const char *directory);
        const char *says;
    } rows[] = {
        {"nothing", nothing, NULL},
        {"a line that no checkpoint covers is gone", cut_behind, NULL},
        {"lines of the checkpoint are gone", remove_last_lines, "lines at the end are missing"},
        {"segments are gone", remove_newest_segments, "lines at the end are missing"},
        {"all segments are gone", remove_all_segments, "lines at the end are missing"},
        {"rewritten with right hashes", rewrite_covered,
         "the lines up to here are not those that the newest checkpoint was signed for"},
        {"the checkpoint's segment is gone", remove_covered, ""},
        {"checkpoint edited", forge_checkpoint, "its signature is wrong"},
        {"checkpoint renamed", future_checkpoint, "its size is not the one in its name"},
        {"the key is lost", other_key, "none is made in place of a lost one"},
        {"another key", exchanged_key, "the signing key is not the one of this journal"},
        {"another key, the old one known", other_key_known, NULL},
        {"another key, the old one not known", other_key_unknown, "not signed by the key of this journal"},
        {"the verifier's key is gone", no_verifier, NULL},
    };
    char *crashed = checkpointed_journal(*state);

    assert_true(count_segments(crashed) > 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *copy = copy_directory(crashed);

        rows[i].act(copy);
        if (rows[i].says != NULL) {
            size_t segments = count_segments(copy);
            refuse_to_open(copy, rows[i].name, rows[i].says);
            refuse_to_open(copy, rows[i].name, rows[i].says); /* and it stays so */
            assert_int_equal(count_segments(copy), segments);
        } else {
            json_decref(reopen(copy));
            json_decref(reopen(copy));
        }
        scratch_remove(copy);
    }
    scratch_remove(crashed);
}

/* Damage that a checkpoint makes evident is not made worse: an incomplete last line stays too. */
static void a_refusal_cuts_nothing(void **state)
{
    char *crashed = checkpointed_journal(*state);

    remove_last_lines(crashed);
    char *path = newest_segment(crashed);
    struct text whole = read_file(path);
    write_file(path, whole.data, whole.length - 5);
    refuse_to_open(crashed, "cut", "lines at the end are missing");
    struct text now = read_file(path);
    assert_int_equal(now.length, whole.length - 5);
    assert_null(find_file(crashed, ".cut-"));
    text_free(&whole);
    text_free(&now);
    free(path);
    scratch_remove(crashed);
}

/* A journal keeps its name, wherever it is opened. */
static void keeps_its_origin(void **state)
{
    struct journal_settings settings = *settings_for(*state);
    char error[512] = "";

    json_decref(reopen(*state));
    settings.origin = NULL;
    journal_close(open_with(&settings, &journal_io_system));
    settings.origin = "portcullis/elsewhere";
    assert_null(journal_open(&settings, error, sizeof error));
    assert_non_null(strstr(error, "this journal's origin is \"portcullis/test\""));
    json_t *records = read_journal(*state);
    assert_int_equal(count_records(records, "segment", NULL), 2);
    assert_string_equal(text_of(find_record(records, "segment", 1), "origin"), "portcullis/test");
    json_decref(records);

    char other[300], host[256], expected[300];
    snprintf(other, sizeof other, "%s/other", (char *)*state);
    settings = *settings_for(other);
    settings.origin = NULL;
    journal_close(open_with(&settings, &journal_io_system));
    records = read_journal(other);
    assert_int_equal(gethostname(host, sizeof host), 0);
    snprintf(expected, sizeof expected, "portcullis/%s", host);
    assert_string_equal(text_of(find_record(records, "segment", 0), "origin"), expected);
    json_decref(records);

    snprintf(other, sizeof other, "%s/bad", (char *)*state);
    settings = *settings_for(other);
    settings.origin = "a name";
    assert_null(journal_open(&settings, error, sizeof error));
    assert_non_null(strstr(error, "\"a name\" cannot name a key"));
}

/* An intent that was left open long ago is found through the headers, however many segments lie between; and
 * what lies before the first open one is not read. */
static void headers_say_how_far_back_to_look(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 64, 3000);
    struct end end = end_make(journal);
    char id[32];

    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        assert_true(append_and_wait(end, STAGE_INTENT, id));
        if (i != 20)
            assert_true(append_and_wait(end, STAGE_OUTCOME, id));
    }
    char *crashed = copy_directory(*state);
    end_free(end);
    journal_close(journal);

    json_t *records = read_journal(crashed);
    size_t headers = count_records(records, "segment", NULL);
    long long opened = 0;
    for (size_t i = 0; i < json_array_size(records); i++)
        if (strcmp(text_of(json_array_get(records, i), "request_id"), "request-20") == 0)
            opened = seq_of(json_array_get(records, i));
    assert_true(headers > 5);
    for (size_t i = 0; i < headers; i++) {
        json_t *header = find_record(records, "segment", i);
        long long from = json_integer_value(json_object_get(header, "open_from"));

        /* One may have been begun between an intent and its outcome. */
        if (seq_of(header) > opened)
            assert_int_equal(from, opened);
        else
            assert_true(from <= seq_of(header) && from >= seq_of(header) - 1);
    }
    json_decref(records);
    for (int start = 0; start < 2; start++) { /* the second one finds it through the first one's header */
        json_t *open;

        records = reopen_with_open(crashed, &open);
        assert_int_equal(json_object_size(open), 1);
        assert_non_null(json_object_get(open, "request-20"));
        headers = count_records(records, "segment", NULL);
        assert_int_equal(
            json_integer_value(json_object_get(find_record(records, "segment", headers - 1), "open_from")),
            opened);
        json_decref(open);
        json_decref(records);
    }
    scratch_remove(crashed);
}

/* Every intent without an end is handed over at each start, whole, until it has one; wherever the segments
 * changed. */
static void hands_over_open_intents(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 64, 700);
    struct end end = end_make(journal);
    char id[32];

    for (int i = 0; i < 20; i++) { /* every third one has no outcome */
        snprintf(id, sizeof id, "request-%d", i);
        assert_true(append_and_wait(end, STAGE_INTENT, id));
        snprintf(id, sizeof id, "request-%d", i - 3);
        if (i >= 3 && i % 3 != 0)
            assert_true(append_and_wait(end, STAGE_OUTCOME, id));
    }
    char *crashed = copy_directory(*state);
    end_free(end);
    journal_close(journal);
    assert_true(count_segments(crashed) > 5);

    for (int start = 0; start < 2; start++) {
        json_t *open, *records = reopen_with_open(crashed, &open);

        for (int i = 0; i < 20; i++) {
            snprintf(id, sizeof id, "request-%d", i);
            assert_int_equal(count_records(records, "outcome", id) + (json_object_get(open, id) != NULL), 1);
        }
        json_t *one = json_object_get(open, "request-0");
        assert_string_equal(text_of(one, "stage"), "intent");
        assert_string_equal(text_of(one, "principal"), "ci-bot");
        assert_string_equal(text_of(one, "operation"), "deleteIntegration");
        assert_string_equal(text_of(one, "organization"), "11111111-1111-4111-8111-111111111111");
        json_decref(open);
        json_decref(records);
    }

    journal = open_journal(crashed, &journal_io_system, 64, 0);
    end = end_make(journal);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        assert_true(append_and_wait(end, STAGE_RECONCILED, id));
    }
    end_free(end);
    journal_close(journal);
    json_t *open, *records = reopen_with_open(crashed, &open);
    size_t headers = count_records(records, "segment", NULL);
    json_t *newest = find_record(records, "segment", headers - 1);
    assert_int_equal(json_object_size(open), 0);
    assert_int_equal(json_integer_value(json_object_get(newest, "open_from")), seq_of(newest));
    json_decref(open);
    json_decref(records);
    scratch_remove(crashed);
}

/* A child that appends without end and says through the pipe what it was told is durable. Never returns. */
struct chatter {
    struct end end;
    int pipe, next;
};

static void on_chatter(void *arg, bool durable);

static void chatter_on(struct chatter *chatter)
{
    char id[32];

    snprintf(id, sizeof id, "%ld-%d", (long)getpid(), chatter->next);
    struct record record = make_record(STAGE_INTENT, id);
    if (!journal_append(chatter->end.port, &record, on_chatter, chatter))
        _exit(1);
}

static void on_chatter(void *arg, bool durable)
{
    struct chatter *chatter = arg;

    if (!durable || write(chatter->pipe, &chatter->next, sizeof chatter->next) != sizeof chatter->next)
        _exit(1);
    chatter->next++;
    chatter_on(chatter);
}

static pid_t start_chatter(const char *directory, int ends[2])
{
    pid_t pid = fork();

    if (pid != 0) {
        close(ends[1]);
        return pid;
    }
    struct journal *journal = open_journal(directory, &journal_io_system, 16, 3000);
    struct chatter chatter = {.end = end_make(journal), .pipe = ends[1]};

    chatter_on(&chatter);
    event_base_dispatch(chatter.end.base);
    _exit(1);
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    enum { ROUNDS = 6 };
    pid_t pids[ROUNDS];
    int acknowledged[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        int ends[2], status, number = -1;

        assert_int_equal(pipe(ends), 0);
        pids[round] = start_chatter(*state, ends);
        while (number < 20 + 7 * round)
            assert_int_equal(read(ends[0], &number, sizeof number), sizeof number);
        assert_int_equal(kill(pids[round], SIGKILL), 0);
        assert_int_equal(waitpid(pids[round], &status, 0), pids[round]);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &number, sizeof number) == sizeof number)
            ;
        close(ends[0]);
        acknowledged[round] = number;
    }

    json_t *open, *records = reopen_with_open(*state, &open);
    assert_int_equal(count_records(records, "intent", NULL), json_object_size(open));
    json_decref(open);
    for (int round = 0; round < ROUNDS; round++)
        for (int number = 0; number <= acknowledged[round]; number++) {
            char id[32];

            snprintf(id, sizeof id, "%ld-%d", (long)pids[round], number);
            assert_int_equal(count_records(records, "intent", id), 1);
        }
    json_decref(records);
}

/* What a client can put into a body says nothing about stages. */
static void a_body_is_not_an_intent(void **state)
{
    struct journal *journal = open_journal(*state, &journal_io_system, 64, 0);
    struct end end = end_make(journal);
    struct record record = {0};

    assert_true(record_build(
        &(struct record_fields){
            .stage = STAGE_REFUSED,
            .request_id = span_of("refused"),
            .body = span_of("{\"a\":\"\\u0000\",\"request_id\":\"evil\",\"seq\":1,\"stage\":\"intent\"}")},
        &record));
    assert_true(journal_append(end.port, &record, NULL, NULL));
    end_free(end);
    journal_close(journal);

    journal = open_journal(*state, &journal_io_system, 8, 0); /* a NUL in a string is no damage */
    json_t *open = journal_take_open(journal);
    assert_int_equal(json_object_size(open), 0);
    json_decref(open);
    journal_close(journal);
}

static void clears_away_what_never_became_a_segment(void **state)
{
    char path[256];
    json_t *records = reopen(*state);

    json_decref(records);
    snprintf(path, sizeof path, "%s/segment.new", (char *)*state);
    write_file(path, "half", 4);
    snprintf(path, sizeof path, "%s/0000000000000004-20200101T000000Z.jsonl", (char *)*state);
    write_file(path, "", 0);
    snprintf(path, sizeof path, "%s/notes.jsonl", (char *)*state); /* not ours */
    write_file(path, "notes", 5);

    records = reopen(*state);
    assert_int_equal(json_array_size(records), 6);
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/segment.new", (char *)*state);
    assert_int_not_equal(access(path, F_OK), 0);
    json_decref(records);
}

static void an_unreadable_segment_is_refused(void **state)
{
    char path[256], error[512] = "";

    snprintf(path, sizeof path, "%s/0000000000000004-20200101T000000Z.jsonl", (char *)*state);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_null(journal_open(settings_for(*state), error, sizeof error));
    assert_non_null(strstr(error, path));
}

/* The line reader. */

static int memory_file(const char *bytes, size_t length)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void reads_lines(void **state)
{
    (void)state;
    static const char bytes[] = "one\n\nth\0ree\npart";
    struct lines lines = {.fd = memory_file(bytes, sizeof bytes - 1)};
    static const struct {
        enum line_state state;
        struct span line;
        off_t offset;
    } rows[] = {{LINE_WHOLE, {"one", 3}, 0},
                {LINE_WHOLE, {"", 0}, 4},
                {LINE_WHOLE, {"th\0ree", 6}, 5},
                {LINE_PARTIAL, {0}, 12}};
    struct span line;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(lines_next(&lines, &line), rows[i].state);
        assert_int_equal(lines.offset, rows[i].offset);
        assert_int_equal(lines.number, i + 1);
        if (rows[i].state == LINE_WHOLE)
            assert_true(span_equal(line, rows[i].line));
    }
    close(lines.fd);
    lines_free(&lines);
}

static void bounds_a_line(void **state)
{
    (void)state;
    size_t length = 2 * LINE_BYTES + 5;
    char *bytes = malloc(length);
    struct span line;

    memset(bytes, 'x', length);
    memcpy(bytes + length - 9, "\nend\nrest", 9);
    struct lines lines = {.fd = memory_file(bytes, length)};
    assert_int_equal(lines_next(&lines, &line), LINE_TOO_LONG);
    assert_int_equal(lines.offset, 0);
    assert_true(lines.buffer.capacity < 2 * LINE_BYTES + (1 << 20));
    assert_int_equal(lines_next(&lines, &line), LINE_WHOLE);
    assert_true(span_is(line, "end"));
    assert_int_equal(lines.offset, length - 8);
    assert_int_equal(lines_next(&lines, &line), LINE_PARTIAL);
    assert_int_equal(lines.offset, length - 4);
    close(lines.fd);
    lines_free(&lines);

    bytes[length - 9] = 'x'; /* and without an end */
    bytes[length - 5] = 'x';
    lines = (struct lines){.fd = memory_file(bytes, length)};
    assert_int_equal(lines_next(&lines, &line), LINE_PARTIAL);
    assert_int_equal(lines.offset, 0);
    close(lines.fd);
    lines_free(&lines);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(survives_truncation_anywhere),
        SCRATCH_TEST(refuses_damage_before_the_end),
        cmocka_unit_test(cuts_a_torn_last_line),
        SCRATCH_TEST(holds_the_log_against_its_checkpoint),
        SCRATCH_TEST(a_refusal_cuts_nothing),
        SCRATCH_TEST(keeps_its_origin),
        SCRATCH_TEST(headers_say_how_far_back_to_look),
        SCRATCH_TEST(cuts_a_torn_group),
        SCRATCH_TEST(cuts_no_more_than_a_group),
        SCRATCH_TEST(records_a_cut_of_an_earlier_start),
        SCRATCH_TEST(hands_over_open_intents),
        SCRATCH_TEST(what_was_acknowledged_survives_a_kill),
        SCRATCH_TEST(a_body_is_not_an_intent),
        SCRATCH_TEST(clears_away_what_never_became_a_segment),
        SCRATCH_TEST(an_unreadable_segment_is_refused),
        cmocka_unit_test(reads_lines),
        cmocka_unit_test(bounds_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
