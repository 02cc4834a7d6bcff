/* The command that is given checkpoints: what it gets, and which of its answers are taken. */
#include "proxy/audit/witness.h"
#include "tests/unit/proxy/audit/support.h"

struct place {
    struct directory directory;
    struct note_signer *signer, *cosigner;
};

static struct note_signer *make_signer(const char *path, const char *keys, const char *name)
{
    char folder[300], error[256] = "";

    snprintf(folder, sizeof folder, "%s/%s", path, keys);
    struct note_signer *signer = note_signer_open(folder, NULL, true, name, error, sizeof error);
    assert_non_null(signer);
    return signer;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    char *path = scratch_make(), error[256] = "";

    assert_true(directory_open(&place->directory, path, &(const char *){NULL}, error, sizeof error));
    assert_true(checkpoints_make(&place->directory));
    place->signer = make_signer(path, "keys", "portcullis/test");
    place->cosigner = make_signer(path, "cosigner", "witness.example");
    free(path);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;

    note_signer_free(place->signer);
    note_signer_free(place->cosigner);
    scratch_remove(strdup(place->directory.path));
    directory_close(&place->directory);
    free(place);
    return 0;
}

static struct text make_note(const struct note_signer *signer, uint64_t size)
{
    struct tree_hash root = {{0}};
    struct text text = {0}, note = {0};

    checkpoint_write("portcullis/test", size, &root, &text);
    assert_true(note_sign(signer, (struct span){text.data, text.length}, &note));
    text_free(&text);
    return note;
}

static struct text read_name(struct place *place, const char *name)
{
    char *path = directory_join(&place->directory, name), buffer[4096];
    FILE *file = fopen(path, "r");
    struct text text = {0};

    if (file != NULL) {
        text_add(&text, buffer, fread(buffer, 1, sizeof buffer, file));
        fclose(file);
    }
    free(path);
    return text;
}

static void write_name(struct place *place, const char *name, struct span bytes)
{
    char *path = directory_join(&place->directory, name);
    FILE *file = fopen(path, "w");

    assert_int_equal(fwrite(bytes.data, 1, bytes.length, file), bytes.length);
    fclose(file);
    free(path);
}

/* Gives notes of the sizes to a shell's line, in which $0 is the directory and $1 the path. Returns the
 * failures. */
static unsigned long give(struct place *place, const char *line, const uint64_t *sizes, size_t count,
                          unsigned timeout_ms)
{
    const char *const command[] = {"sh", "-c", line, place->directory.path, NULL};
    const struct witness_settings settings = {&place->directory, &journal_io_system,
                                              note_signer_key(place->signer), command, timeout_ms};
    struct witness *witness = witness_start(&settings);
    unsigned long failures;

    assert_non_null(witness);
    for (size_t i = 0; i < count; i++) {
        struct text note = make_note(place->signer, sizes[i]);

        assert_null(checkpoints_write(&place->directory, &journal_io_system, sizes[i],
                                      (struct span){note.data, note.length}));
        witness_give(witness, sizes[i], &note);
        assert_null(note.data);
    }
    int64_t deadline = deadline_make();
    for (size_t i = 0; timeout_ms < 1000 && witness_failures(witness) == 0;
         i++) { /* it must fail by itself */
        assert_true(clock_monotonic_us() < deadline);
        usleep(1000);
    }
    failures = witness_failures(witness);
    witness_stop(witness);
    return failures;
}

static void gets_note_and_path(void **state)
{
    struct place *place = *state;
    static const uint64_t size = 7;

    (void)give(place, "cat >\"$0/got\"; printf %s \"$1\" >\"$0/path\"", &size, 1, 20000);
    struct text note = make_note(place->signer, size), got = read_name(place, "got"),
                path = read_name(place, "path"), kept = read_name(place, "checkpoints/0000000000000007.note");
    char *expected = directory_join(&place->directory, "checkpoints/0000000000000007.note");

    assert_string_equal(got.data, note.data);
    assert_string_equal(path.data, expected);
    assert_string_equal(kept.data, note.data); /* no answer changes nothing */
    free(expected);
    text_free(&note);
    text_free(&got);
    text_free(&path);
    text_free(&kept);
}

/* What the command prints, and whether it takes the file's place. */
static void takes_only_more_signatures(void **state)
{
    struct place *place = *state;
    static const uint64_t size = 7;
    struct text note = make_note(place->signer, size), other = make_note(place->cosigner, size),
                larger = make_note(place->signer, 8);
    struct span text, signatures, cosignatures;
    const char *fault;

    assert_true(note_split((struct span){note.data, note.length}, &text, &signatures, &fault));
    assert_true(note_split((struct span){other.data, other.length}, &text, &cosignatures, &fault));
    const struct {
        const char *name;
        struct span parts[3];
        bool taken;
    } rows[] = {
        {"cosigned", {{note.data, note.length}, cosignatures}, true},
        {"cosigned first", {text, span_of("\n"), cosignatures}, false},
        {"ours gone", {{other.data, other.length}}, false},
        {"another size", {{larger.data, larger.length}, cosignatures}, false},
        {"not a note", {span_of("thank you\n")}, false},
        {"its text changed", {span_of("x"), {note.data, note.length}, cosignatures}, false},
        {"both, ours last", {{other.data, other.length}, signatures}, true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text answer = {0};

        for (size_t part = 0; part < 3; part++)
            text_add(&answer, rows[i].parts[part].data ? rows[i].parts[part].data : "",
                     rows[i].parts[part].length);
        write_name(place, "answer", (struct span){answer.data, answer.length});
        (void)give(place, "cat \"$0/answer\"", &size, 1, 20000);
        struct text kept = read_name(place, "checkpoints/0000000000000007.note");
        if (strcmp(kept.data, rows[i].taken ? answer.data : note.data) != 0)
            fail_msg("%s: %s", rows[i].name, kept.data);
        text_free(&kept);
        text_free(&answer);
    }
    text_free(&note);
    text_free(&other);
    text_free(&larger);
}

static void failures_are_counted(void **state)
{
    struct place *place = *state;
    static const uint64_t size = 7;

    assert_int_equal(give(place, "exit 1", &size, 1, 999), 1);
    assert_int_equal(give(place, "echo nonsense", &size, 1, 999), 1);
    assert_int_equal(give(place, "sleep 60", &size, 1, 100), 1);
}

/* While it runs, later ones take each other's place; the last is never lost. */
static void the_newest_waits(void **state)
{
    struct place *place = *state;
    uint64_t sizes[40];
    char last[CHECKPOINT_NAME + 2] = "";

    for (size_t i = 0; i < 40; i++)
        sizes[i] = i + 1;
    (void)give(place, "sleep 0.05; basename \"$1\" >>\"$0/order\"", sizes, 40, 20000);
    struct text order = read_name(place, "order");
    size_t lines = 0;
    for (char *at = order.data; *at != '\0'; at = strchr(at, '\n') + 1, lines++) {
        char name[CHECKPOINT_NAME + 2] = "";

        memcpy(name, at, strcspn(at, "\n"));
        assert_true(strcmp(name, last) > 0);
        memcpy(last, name, sizeof last);
    }
    assert_string_equal(last, "0000000000000040.note");
    assert_true(lines < 40);
    text_free(&order);
}

/* The whole way: the journal's settings name it. */
static void a_journal_has_its_witness(void **state)
{
    struct place *place = *state;
    char path[300];
    const char *const command[] = {"sh", "-c", "cat >>\"$0.notes\"; exit 4", path, NULL};
    int64_t deadline = deadline_make();

    snprintf(path, sizeof path, "%s/journal", place->directory.path);
    struct journal_settings settings = *settings_for(path);
    settings.checkpoint_command = command;
    struct journal *journal = open_with(&settings, &journal_io_system);
    struct journal_status status = {0};
    while (status.witness_failures == 0) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(1000);
        journal_status(journal, &status);
    }
    journal_close(journal);
    struct text notes = read_name(place, "journal.notes");
    assert_non_null(strstr(notes.data, "portcullis/test\n2\n")); /* header, start */
    assert_non_null(strstr(notes.data, "portcullis/test\n3\n")); /* and stop */
    text_free(&notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gets_note_and_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_only_more_signatures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_has_its_witness, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
