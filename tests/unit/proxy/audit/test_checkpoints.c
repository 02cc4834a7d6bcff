#include "proxy/audit/checkpoints.h"
#include "tests/unit/proxy/audit/support.h"

/* A directory with its folder of checkpoints, and two signers. */
struct place {
    struct directory directory;
    struct note_signer *signer, *other, *stranger;
};

static struct note_signer *make_signer(const char *path, const char *keys, const char *name)
{
    char folder[300], error[256] = "";

    snprintf(folder, sizeof folder, "%s/%s", path, keys);
    struct note_signer *signer = note_signer_open(folder, NULL, true, name, error, sizeof error);
    if (signer == NULL)
        fail_msg("%s", error);
    return signer;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    char *path = scratch_make(), error[256] = "";

    assert_true(directory_open(&place->directory, path, &(const char *){NULL}, error, sizeof error));
    assert_true(checkpoints_make(&place->directory));
    assert_true(checkpoints_make(&place->directory)); /* and when it is there */
    place->signer = make_signer(path, "keys", "portcullis/test");
    place->other = make_signer(path, "other", "portcullis/test");
    place->stranger = make_signer(path, "keys", "portcullis/stranger");
    free(path);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;

    note_signer_free(place->signer);
    note_signer_free(place->other);
    note_signer_free(place->stranger);
    scratch_remove(strdup(place->directory.path));
    directory_close(&place->directory);
    free(place);
    return 0;
}

/* A root that tells sizes apart. */
static struct tree_hash root_of(uint64_t size)
{
    return tree_leaf((struct span){(const char *)&size, sizeof size});
}

static struct text make_note(const struct note_signer *signer, const char *origin, uint64_t size)
{
    struct text text = {0}, note = {0};
    struct tree_hash root = root_of(size);

    checkpoint_write(origin, size, &root, &text);
    assert_true(note_sign(signer, (struct span){text.data, text.length}, &note));
    text_free(&text);
    return note;
}

static void put(struct place *place, uint64_t size, const char *bytes, size_t length)
{
    assert_null(checkpoints_write(&place->directory, &journal_io_system, size, (struct span){bytes, length}));
}

static void put_signed(struct place *place, const struct note_signer *signer, const char *origin,
                       uint64_t size)
{
    struct text note = make_note(signer, origin, size);

    put(place, size, note.data, note.length);
    text_free(&note);
}

static bool read_one(struct place *place, uint64_t size, char error[static 512])
{
    struct tree_hash root, expected = root_of(size);

    error[0] = '\0';
    if (!checkpoints_read(&place->directory, size, note_signer_key(place->signer), &root, error, 512))
        return false;
    assert_memory_equal(root.bytes, expected.bytes, TREE_HASH);
    return true;
}

static void names_are_of_one_length(void **state)
{
    char name[CHECKPOINT_NAME];

    (void)state;
    checkpoints_name(1000, name);
    assert_string_equal(name, "checkpoints/0000000000001000.note");
    checkpoints_name(UINT64_MAX, name); /* beyond all that can be: no overflow */
    assert_string_equal(name, "checkpoints/18446744073709551615.note");
}

static void reads_what_it_wrote(void **state)
{
    struct place *place = *state;
    char error[512], path[400];
    uint64_t size;

    assert_true(checkpoints_newest(&place->directory, &size));
    assert_int_equal(size, 0);
    put_signed(place, place->signer, "portcullis/test", 7);
    put_signed(place, place->signer, "portcullis/test", 100);
    put_signed(place, place->signer, "portcullis/test", 99);
    static const char *const others[] = {"101.note",
                                         "0000000000000200.note.new",
                                         "0000000000000300.not",
                                         "000000000000030x.note",
                                         "0000000000000000.note",
                                         "-000000000000400.note",
                                         "+000000000000400.note"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "%s/checkpoints/%s", place->directory.path, others[i]);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    assert_true(checkpoints_newest(&place->directory, &size));
    assert_int_equal(size, 100);
    assert_true(read_one(place, 100, error));
    assert_true(read_one(place, 7, error));

    checkpoints_forget(&place->directory, 99);
    assert_false(read_one(place, 7, error));
    assert_non_null(strstr(error, "No such file"));
    assert_true(read_one(place, 99, error));
    assert_true(read_one(place, 100, error));
}

static void is_private(void **state)
{
    struct place *place = *state;
    char path[400];
    struct stat status;

    put_signed(place, place->signer, "portcullis/test", 1);
    snprintf(path, sizeof path, "%s/checkpoints", place->directory.path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/checkpoints/0000000000000001.note", place->directory.path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* Ways in which a checkpoint is not one of this journal. */
static void judges_what_it_reads(void **state)
{
    struct place *place = *state;
    char error[512], path[400];
    struct text note;

    put_signed(place, place->other, "portcullis/test", 5);
    assert_false(read_one(place, 5, error));
    snprintf(path, sizeof path, "%s/checkpoints/0000000000000005.note: not signed by the key of this journal",
             place->directory.path);
    assert_string_equal(error, path);

    put_signed(place, place->signer, "portcullis/another", 5);
    assert_false(read_one(place, 5, error));
    assert_non_null(strstr(error, "of another log"));

    note = make_note(place->signer, "portcullis/test", 6);
    put(place, 5, note.data, note.length);
    assert_false(read_one(place, 5, error));
    assert_non_null(strstr(error, "not the one in its name"));

    note.data[strlen("portcullis/test\n")] = '5'; /* a size that was not signed */
    put(place, 5, note.data, note.length);
    assert_false(read_one(place, 5, error));
    assert_non_null(strstr(error, "signature is wrong"));
    put(place, 5, note.data, note.length - 3);
    assert_false(read_one(place, 5, error));
    put(place, 5, "", 0);
    assert_false(read_one(place, 5, error));
    text_free(&note);

    note = (struct text){0};
    for (int i = 0; i < NOTE_BYTES; i++)
        text_add(&note, "x\n", 2);
    put(place, 5, note.data, note.length);
    assert_false(read_one(place, 5, error));
    text_free(&note);

    snprintf(path, sizeof path, "%s/checkpoints/0000000000000009.note", place->directory.path);
    assert_int_equal(symlink("0000000000000005.note", path), 0);
    put_signed(place, place->signer, "portcullis/test", 5);
    assert_true(read_one(place, 5, error));
    assert_false(read_one(place, 9, error)); /* no symbolic links */
}

/* Keys that were replaced still count, under names that say so. */
static void earlier_keys_count(void **state)
{
    struct place *place = *state;
    char error[512], from[400], to[400];
    struct note_key key;
    bool found;

    assert_true(verifier_read(&place->directory, &key, &found, error, sizeof error));
    assert_false(found);
    assert_null(verifier_write(&place->directory, &journal_io_system, note_signer_key(place->other)));
    assert_true(verifier_read(&place->directory, &key, &found, error, sizeof error));
    assert_true(found);
    assert_memory_equal(&key, note_signer_key(place->other), sizeof key);

    put_signed(place, place->other, "portcullis/test", 5);
    assert_false(read_one(place, 5, error));
    snprintf(from, sizeof from, "%s/verifier.vkey", place->directory.path);
    snprintf(to, sizeof to, "%s/verifier-0a.vkey", place->directory.path);
    assert_int_equal(rename(from, to), 0);
    assert_true(read_one(place, 5, error));
    put_signed(place, place->stranger, "portcullis/test", 5);
    assert_false(read_one(place, 5, error));
}

static void a_wrong_verifier_is_told(void **state)
{
    struct place *place = *state;
    char error[512] = "", path[400];
    struct note_key key;
    bool found;

    snprintf(path, sizeof path, "%s/verifier.vkey", place->directory.path);
    FILE *file = fopen(path, "w");
    fputs("nonsense\n", file);
    fclose(file);
    assert_false(verifier_read(&place->directory, &key, &found, error, sizeof error));
    assert_int_equal(strncmp(error, path, strlen(path)), 0);
}

static ssize_t no_write(void *arg, int fd, const struct iovec *parts, int count)
{
    (void)arg, (void)fd, (void)parts, (void)count;
    errno = ENOSPC;
    return -1;
}

static int no_sync(void *arg, int fd, bool metadata)
{
    (void)arg, (void)fd, (void)metadata;
    errno = EIO;
    return -1;
}

/* A failure leaves what was there, and nothing else. */
static void a_failure_changes_nothing(void **state)
{
    struct place *place = *state;
    struct journal_io full = journal_io_system, bad = journal_io_system;
    char error[512], path[400];

    full.write = no_write;
    bad.sync = no_sync;
    put_signed(place, place->signer, "portcullis/test", 5);
    assert_string_equal(checkpoints_write(&place->directory, &full, 5, span_of("new")),
                        "No space left on device");
    assert_string_equal(checkpoints_write(&place->directory, &bad, 5, span_of("new")), "Input/output error");
    assert_true(read_one(place, 5, error));
    snprintf(path, sizeof path, "%s/checkpoints/0000000000000005.note.new", place->directory.path);
    assert_int_not_equal(access(path, F_OK), 0);

    int fd = open(path, O_CREAT | O_WRONLY, 0600); /* what a crash left does not stand in the way */
    assert_true(fd >= 0);
    close(fd);
    put_signed(place, place->signer, "portcullis/test", 5);
    assert_true(read_one(place, 5, error));
    assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_of_one_length),
        cmocka_unit_test_setup_teardown(reads_what_it_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(judges_what_it_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(earlier_keys_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_verifier_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_changes_nothing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
