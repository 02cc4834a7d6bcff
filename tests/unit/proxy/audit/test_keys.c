#include "proxy/audit/keys.h"
#include "tests/unit/proxy/audit/support.h"

static int make_scratch(void **state)
{
    *state = scratch_make();
    return 0;
}

static int remove_scratch(void **state)
{
    scratch_remove(*state);
    return 0;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_start_makes_a_private_key, make_scratch, remove_scratch),
        cmocka_unit_test_setup_teardown(masks_as_hmac_sha256, make_scratch, remove_scratch),
        cmocka_unit_test_setup_teardown(refuses_a_key_that_cannot_be_trusted, make_scratch, remove_scratch),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_file, make_scratch, remove_scratch),
        cmocka_unit_test_setup_teardown(refuses_somebody_elses_key, make_scratch, remove_scratch),
    };

    audit_key_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
