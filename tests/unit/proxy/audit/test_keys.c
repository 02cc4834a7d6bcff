#include "proxy/audit/keys.h"
#include "tests/unit/proxy/audit/support.h"

static char *mask(struct audit_key *key, const char *secret)
{
    struct text text = {0};

    audit_key_mask(key, span_of(secret), &text);
    assert_false(text.failed);
    return text.data;
}

static char *key_path(const char *directory)
{
    char *path;

    assert_true(asprintf(&path, "%s/journal-hmac.key", directory) > 0);
    return path;
}

static void write_key(const char *path, const char *bytes, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void first_start_makes_a_private_key(void **state)
{
    char directory[128], error[256] = "";
    struct stat status;

    snprintf(directory, sizeof directory, "%s/deep/keys", (char *)*state);
    struct audit_key *key = audit_key_open(directory, error, sizeof error);
    assert_string_equal(error, "");
    assert_non_null(key);

    char *path = key_path(directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_size, 32);
    assert_int_equal(status.st_nlink, 1);
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);

    /* The next start reads the same key. */
    struct audit_key *again = audit_key_open(directory, error, sizeof error);
    char *one = mask(key, "secret"), *other = mask(again, "secret"), *third = mask(key, "Secret");
    assert_string_equal(one, other);
    assert_string_not_equal(one, third);
    free(one);
    free(other);
    free(third);
    audit_key_free(again);
    audit_key_free(key);
    free(path);
}

/* HMAC-SHA256 with the key 0x00 … 0x1f, against python's hmac module. */
static void masks_as_hmac_sha256(void **state)
{
    static const struct {
        const char *secret, *masked;
    } rows[] = {
        {"", "hmac-sha256:630dcd29:d38b42096d80f45f826b44a9d5607de72496a415d3f4a1a8c88e3bb9da8dc1cb"},
        {"AKIAIOSFODNN7EXAMPLE",
         "hmac-sha256:630dcd29:65fbd4cdc580ad37d8c08c29a7f40e607851410c53e0dadbc0a09a3979435a2f"},
    };
    char error[256] = "", bytes[32], *path = key_path(*state);

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    write_key(path, bytes, sizeof bytes, 0600);
    struct audit_key *key = audit_key_open(*state, error, sizeof error);
    assert_string_equal(error, "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *masked = mask(key, rows[i].secret);

        assert_string_equal(masked, rows[i].masked);
        free(masked);
    }
    audit_key_free(key);
    free(path);
}

static void refuses_a_key_that_cannot_be_trusted(void **state)
{
    static const struct {
        size_t length;
        mode_t mode;
        const char *says;
    } rows[] = {
        {32, 0640, "chmod 600"}, {32, 0604, "chmod 600"}, {32, 0620, "chmod 600"},
        {31, 0600, "31 bytes"},  {33, 0600, "33 bytes"},  {0, 0600, "0 bytes"},
    };
    char *path = key_path(*state);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char error[256] = "";

        write_key(path, "0123456789abcdef0123456789abcdefg", rows[i].length, rows[i].mode);
        assert_null(audit_key_open(*state, error, sizeof error));
        assert_non_null(strstr(error, path));
        assert_non_null(strstr(error, rows[i].says));
        assert_null(strstr(error, "0123456789")); /* never the key */
    }
    free(path);
}

static void refuses_what_is_no_file(void **state)
{
    char error[256] = "", *path = key_path(*state);

    assert_int_equal(mkdir(path, 0700), 0);
    assert_null(audit_key_open(*state, error, sizeof error));
    assert_non_null(strstr(error, "not a regular file"));
    assert_int_equal(rmdir(path), 0);

    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer either */
    assert_null(audit_key_open(*state, error, sizeof error));
    assert_non_null(strstr(error, "not a regular file"));
    free(path);
}

static void refuses_somebody_elses_key(void **state)
{
    char error[256] = "", *path = key_path(*state);

    write_key(path, "0123456789abcdef0123456789abcdef", 32, 0600);
    if (geteuid() != 0 || chown(path, 12345, 12345) != 0)
        skip();
    assert_null(audit_key_open(*state, error, sizeof error));
    assert_non_null(strstr(error, "12345"));
    free(path);
}

/* ---- rotation ---- */

static char *kept_path(const char *directory, const char *id)
{
    char *path;

    assert_true(asprintf(&path, "%s/journal-hmac-%s.key", directory, id) > 0);
    return path;
}

static void rotation_keeps_the_old_key(void **state)
{
    char error[256] = "", old_id[AUDIT_KEY_ID], new_id[AUDIT_KEY_ID], id[AUDIT_KEY_ID];
    struct audit_key *key = audit_key_open(*state, error, sizeof error);
    char *before = mask(key, "secret");

    audit_key_id(key, id);
    assert_true(audit_key_rotate(*state, old_id, new_id, error, sizeof error));
    assert_string_equal(id, old_id);
    assert_string_not_equal(old_id, new_id);

    /* Not before it is told to. */
    char *meanwhile = mask(key, "secret");
    assert_string_equal(before, meanwhile);
    assert_int_equal(audit_key_renew(key, error, sizeof error), AUDIT_KEY_CHANGED);
    assert_int_equal(audit_key_renew(key, error, sizeof error), AUDIT_KEY_SAME);
    audit_key_id(key, id);
    assert_string_equal(id, new_id);
    char *after = mask(key, "secret");
    assert_string_not_equal(before, after);

    struct audit_key *old = audit_key_find(*state, old_id, error, sizeof error);
    struct audit_key *now = audit_key_find(*state, new_id, error, sizeof error);
    struct audit_key *any = audit_key_find(*state, NULL, error, sizeof error);
    char *old_mask = mask(old, "secret"), *new_mask = mask(now, "secret"), *any_mask = mask(any, "secret");
    assert_string_equal(old_mask, before);
    assert_string_equal(new_mask, after);
    assert_string_equal(any_mask, after);

    char *texts[] = {before, meanwhile, after, old_mask, new_mask, any_mask};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    audit_key_free(old);
    audit_key_free(now);
    audit_key_free(any);
    audit_key_free(key);
}

/* A rotation that died between its two steps: the key in use is kept already. */
static void rotation_goes_on_after_a_crash(void **state)
{
    char error[256] = "", old_id[AUDIT_KEY_ID], new_id[AUDIT_KEY_ID];
    struct audit_key *key = audit_key_open(*state, error, sizeof error);
    char *path = key_path(*state), id[AUDIT_KEY_ID];

    audit_key_id(key, id);
    char *kept = kept_path(*state, id);
    assert_int_equal(link(path, kept), 0);
    assert_true(audit_key_rotate(*state, old_id, new_id, error, sizeof error));
    assert_string_equal(old_id, id);
    audit_key_free(key);
    key = audit_key_find(*state, old_id, error, sizeof error);
    assert_non_null(key);
    audit_key_free(key);
    free(kept);
    free(path);
}

/* What stands under the old key's id is another key: rotating would lose the one in use. */
static void rotation_loses_no_key(void **state)
{
    char error[256] = "", old_id[AUDIT_KEY_ID], new_id[AUDIT_KEY_ID], id[AUDIT_KEY_ID];
    struct audit_key *key = audit_key_open(*state, error, sizeof error);

    audit_key_id(key, id);
    char *kept = kept_path(*state, id), *before = mask(key, "secret");
    write_key(kept, "0123456789abcdef0123456789abcdef", 32, 0600);
    assert_false(audit_key_rotate(*state, old_id, new_id, error, sizeof error));
    assert_non_null(strstr(error, "not the one its name says"));
    assert_int_equal(audit_key_renew(key, error, sizeof error), AUDIT_KEY_SAME);
    char *after = mask(key, "secret");
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(kept);
    audit_key_free(key);
}

static void renewal_keeps_what_it_has(void **state)
{
    char error[256] = "", *path = key_path(*state);
    struct audit_key *key = audit_key_open(*state, error, sizeof error);
    char *before = mask(key, "secret");

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(audit_key_renew(key, error, sizeof error), AUDIT_KEY_KEPT);
    assert_non_null(strstr(error, "chmod 600"));
    write_key(path, "short", 5, 0600);
    assert_int_equal(audit_key_renew(key, error, sizeof error), AUDIT_KEY_KEPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(audit_key_renew(key, error, sizeof error), AUDIT_KEY_KEPT);
    assert_int_equal(access(path, F_OK), -1); /* and makes none */
    char *after = mask(key, "secret");
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(path);
    audit_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(first_start_makes_a_private_key),
        SCRATCH_TEST(masks_as_hmac_sha256),
        SCRATCH_TEST(refuses_a_key_that_cannot_be_trusted),
        SCRATCH_TEST(refuses_what_is_no_file),
        SCRATCH_TEST(refuses_somebody_elses_key),
        SCRATCH_TEST(rotation_keeps_the_old_key),
        SCRATCH_TEST(rotation_goes_on_after_a_crash),
        SCRATCH_TEST(rotation_loses_no_key),
        SCRATCH_TEST(renewal_keeps_what_it_has),
    };

    audit_key_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
