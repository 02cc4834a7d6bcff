#include "proxy/audit/retention.h"
#include "tests/unit/proxy/audit/support.h"

#define NOW INT64_C(4000000000000000) /* some time after every segment of these tests was begun */

/* The directory as retention sees it. */
struct view {
    struct directory directory;
    struct note_key key;
    struct segment_name *names;
    size_t count;
};

static struct view view_open(const char *path)
{
    struct view view = {
        .directory = {.path = (char *)(uintptr_t)path, .fd = open(path, O_RDONLY | O_DIRECTORY)}};
    char error[256];
    bool found;

    assert_true(verifier_read(&view.directory, &view.key, &found, error, sizeof error) && found);
    assert_true(directory_list(&view.directory, &view.names, &view.count));
    return view;
}

static void view_close(struct view *view)
{
    free(view->names);
    close(view->directory.fd);
}

/* A journal of several segments, closed. Each intent but one has its outcome, some in the next segment. */
static void make_journal(const char *path, const char *open_intent)
{
    struct journal *journal = open_journal(path, &journal_io_system, 64, 2500);
    struct end end = end_make(journal);
    char id[32];

    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "request-%d", i);
        assert_true(append_and_wait(end, STAGE_INTENT, id));
        snprintf(id, sizeof id, "request-%d", i - 1);
        if (i > 0 && strcmp(id, open_intent) != 0)
            assert_true(append_and_wait(end, STAGE_OUTCOME, id));
    }
    if (strcmp(open_intent, "request-19") != 0)
        assert_true(append_and_wait(end, STAGE_OUTCOME, "request-19"));
    end_free(end);
    journal_close(journal);
    assert_true(count_segments(path) >= 4);
}

static enum retention_answer look(struct view *view, int64_t before, struct removal *removal, char *why)
{
    return retention_look(&view->directory, &view->key, before, removal, why);
}

static void finds_the_oldest(void **state)
{
    char why[RETENTION_WHY];
    struct removal removal;

    make_journal(*state, "");
    struct view view = view_open(*state);
    assert_int_equal(look(&view, NOW, &removal, why), RETENTION_REMOVE);
    assert_string_equal(why, "");
    assert_string_equal(removal.name.text, view.names[0].text);
    assert_int_equal(removal.last_seq, view.names[1].first_seq - 1);

    /* The root is that of its lines. */
    json_t *records = read_journal(*state);
    struct chain chain = {0};
    char *path = directory_join(&view.directory, view.names[0].text), *line = NULL;
    FILE *file = fopen(path, "r");
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, file)) > 0)
        chain_add(&chain, (struct span){line, (size_t)length - 1});
    struct tree_hash root = tree_root(&chain.tree);
    assert_memory_equal(root.bytes, removal.root.bytes, TREE_HASH);
    assert_int_equal(chain.tree.size, removal.last_seq);
    free(line);
    fclose(file);
    free(path);
    json_decref(records);

    assert_int_equal(look(&view, 0, &removal, why), RETENTION_NOTHING); /* not yet */
    assert_string_equal(why, "");
    view_close(&view);
}

static void never_takes_the_newest(void **state)
{
    char why[RETENTION_WHY];
    struct removal removal;

    journal_close(open_journal(*state, &journal_io_system, 8, 0));
    struct view view = view_open(*state);
    assert_int_equal(view.count, 1);
    assert_int_equal(look(&view, NOW, &removal, why), RETENTION_NOTHING);
    assert_string_equal(why, "");
    view_close(&view);
}

static void an_open_intent_holds_it_back(void **state)
{
    static const struct {
        const char *open;
        bool held;
    } rows[] = {{"request-0", true}, {"request-1", true}, {"request-19", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *scratch = scratch_make(), why[RETENTION_WHY];
        struct removal removal;

        make_journal(scratch, rows[i].open);
        struct view view = view_open(scratch);
        assert_int_equal(look(&view, NOW, &removal, why),
                         rows[i].held ? RETENTION_NOTHING : RETENTION_REMOVE);
        assert_int_equal(strstr(why, "an intent in it has no end yet") != NULL, rows[i].held);
        view_close(&view);
        scratch_remove(scratch);
    }
}

/* Without a checkpoint that covers it, or with one that is not ours, it stays. */
static void a_checkpoint_must_cover_it(void **state)
{
    char why[RETENTION_WHY], name[CHECKPOINT_NAME];
    struct removal removal;
    uint64_t newest;

    make_journal(*state, "");
    struct view view = view_open(*state);
    assert_true(checkpoints_newest(&view.directory, &newest));
    checkpoints_name(newest, name);
    assert_int_equal(unlinkat(view.directory.fd, name, 0), 0);
    assert_int_equal(look(&view, NOW, &removal, why), RETENTION_NOTHING);
    assert_non_null(strstr(why, "no checkpoint covers it yet"));

    assert_null(checkpoints_write(&view.directory, &journal_io_system, newest, span_of("forged")));
    assert_int_equal(look(&view, NOW, &removal, why), RETENTION_NOTHING);
    assert_non_null(strstr(why, name));
    view_close(&view);
}

/* Evidence of damage is not removed. */
static void what_is_damaged_stays(void **state)
{
    char why[RETENTION_WHY];
    struct removal removal;

    make_journal(*state, "");
    struct view view = view_open(*state);
    for (size_t i = 0; i < 2; i++) { /* the oldest; then the header of the one behind it */
        char *path = directory_join(&view.directory, view.names[i].text), byte;
        int fd = open(path, O_RDWR);
        off_t at = i == 0 ? lseek(fd, 0, SEEK_END) / 2 : 14; /* a digit of a hash of its edge */

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        char changed = byte == '1' ? '2' : '1';
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        assert_int_equal(look(&view, NOW, &removal, why), RETENTION_NOTHING);
        assert_non_null(strstr(why, view.names[i].text));
        assert_non_null(strstr(why, "damaged"));
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        free(path);
    }
    assert_int_equal(look(&view, NOW, &removal, why), RETENTION_REMOVE);
    view_close(&view);
}

static void removes_what_belongs_to_it(void **state)
{
    char why[RETENTION_WHY], name[300], *cut, *other;
    struct removal removal;

    make_journal(*state, "");
    struct view view = view_open(*state);
    assert_true(asprintf(&cut, "%s.cut-20200101T000000Z.000001", view.names[0].text) > 0);
    assert_true(asprintf(&other, "%s.cut-20200101T000000Z.000001", view.names[1].text) > 0);
    close(openat(view.directory.fd, cut, O_CREAT | O_WRONLY, 0600));
    close(openat(view.directory.fd, other, O_CREAT | O_WRONLY, 0600));
    assert_null(checkpoints_write(&view.directory, &journal_io_system, 1, span_of("old")));
    assert_int_equal(look(&view, NOW, &removal, why), RETENTION_REMOVE);
    assert_null(retention_remove(&view.directory, &removal));
    assert_int_not_equal(faccessat(view.directory.fd, view.names[0].text, F_OK, 0), 0);
    assert_int_not_equal(faccessat(view.directory.fd, cut, F_OK, 0), 0);
    assert_int_equal(faccessat(view.directory.fd, other, F_OK, 0), 0);
    checkpoints_name(1, name);
    assert_int_not_equal(faccessat(view.directory.fd, name, F_OK, 0), 0);
    assert_non_null(retention_remove(&view.directory, &removal)); /* twice is an error */
    free(cut);
    free(other);
    view_close(&view);
}

/* The whole way: an old segment goes when the gate starts, its removal recorded, and the journal goes on. */
static void the_keeper_removes_and_records(void **state)
{
    struct journal_settings settings = *settings_for(*state);
    struct journal_status status = {0};
    int64_t deadline = deadline_make();

    make_journal(*state, "");
    struct view view = view_open(*state);
    for (size_t i = 1; i < 3; i++) { /* the second and third were begun long ago: two have ended */
        char old[SEGMENT_NAME];

        snprintf(old, sizeof old, "%016llu-20200101T00000%zuZ.jsonl",
                 (unsigned long long)view.names[i].first_seq, i);
        assert_int_equal(renameat(view.directory.fd, view.names[i].text, view.directory.fd, old), 0);
    }
    char first[SEGMENT_NAME];
    memcpy(first, view.names[0].text, sizeof first);
    uint64_t third = view.names[2].first_seq;
    view_close(&view);

    settings.keep_days = 30;
    struct journal *journal = open_with(&settings, &journal_io_system);
    while (status.segments_removed < 2) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(1000);
        journal_status(journal, &status);
    }
    assert_true(journal_usable(journal, NULL));
    journal_close(journal);
    json_t *records = read_journal(*state);
    json_t *one = find_record(records, "removed", 0), *two = find_record(records, "removed", 1);
    assert_int_equal(seq_of(json_array_get(records, 0)), third);
    assert_string_equal(text_of(one, "segment"), first);
    assert_int_equal(json_integer_value(json_object_get(one, "first_seq")), 1);
    assert_int_equal(json_integer_value(json_object_get(one, "last_seq")),
                     json_integer_value(json_object_get(two, "first_seq")) - 1);
    assert_int_equal(json_integer_value(json_object_get(two, "last_seq")), third - 1);
    assert_int_equal(json_integer_value(json_object_get(one, "count")),
                     json_integer_value(json_object_get(one, "last_seq")));
    assert_int_equal(strlen(text_of(two, "root")), 64);
    assert_null(find_record(records, "removed", 2));
    json_decref(records);

    settings.keep_days = 0; /* and it starts again, without its beginning */
    journal_close(open_with(&settings, &journal_io_system));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(finds_the_oldest),
        SCRATCH_TEST(never_takes_the_newest),
        cmocka_unit_test(an_open_intent_holds_it_back),
        SCRATCH_TEST(a_checkpoint_must_cover_it),
        SCRATCH_TEST(what_is_damaged_stays),
        SCRATCH_TEST(removes_what_belongs_to_it),
        SCRATCH_TEST(the_keeper_removes_and_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
