#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static void reads_to_the_limit(void **state)
{
    const char *path = folder_write(&folder, "file", "0123456789"), *problem = NULL;
    struct text text = {0};

    (void)state;
    assert_true(file_read(path, 10, &text, &problem));
    assert_string_equal(text.data, "0123456789");
    assert_true(file_read(path, 10, &text, &problem));
    assert_int_equal(text.length, 20);
    assert_false(file_read(path, 9, &text, &problem));
    assert_non_null(strstr(problem, "larger"));
    text_free(&text);
}

static void reads_an_empty_file(void **state)
{
    const char *problem;
    struct text text = {0};

    (void)state;
    assert_true(file_read(folder_write(&folder, "empty", ""), 0, &text, &problem));
    assert_int_equal(text.length, 0);
    text_free(&text);
}

static void says_why_not(void **state)
{
    struct text text = {0};
    const char *problem;

    (void)state;
    assert_false(file_read(folder_path(&folder, "missing"), 10, &text, &problem));
    assert_string_equal(problem, "No such file or directory");
    assert_false(file_read(folder.path, 10, &text, &problem));
    assert_string_equal(problem, "Is a directory");
    text_free(&text);
}

static void finds_paths_beside(void **state)
{
    char *working = realpath(".", NULL), expected[4096];
    static const struct {
        const char *beside, *path, *absolute;
        bool below; /* the working directory */
    } rows[] = {
        {"/etc/gate/portcullis.json", "policy.json", "/etc/gate/policy.json", false},
        {"/etc/gate/portcullis.json", "../policy.json", "/etc/gate/../policy.json", false},
        {"/portcullis.json", "policy.json", "/policy.json", false},
        {"/etc/gate/portcullis.json", "/srv/policy.json", "/srv/policy.json", false},
        {"portcullis.json", "/srv/policy.json", "/srv/policy.json", false},
        {"portcullis.json", "policy.json", "policy.json", true},
        {"conf/portcullis.json", "policy.json", "conf/policy.json", true},
        {"../conf/portcullis.json", "policy.json", "../conf/policy.json", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *path = path_beside(rows[i].beside, rows[i].path);
        (void)snprintf(expected, sizeof expected, "%s%s%s", rows[i].below ? working : "",
                       rows[i].below ? "/" : "", rows[i].absolute);
        assert_string_equal(path, expected);
        assert_string_equal(path_shown(path), rows[i].absolute);
        free(path);
    }
    free(working);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_to_the_limit),
        cmocka_unit_test(reads_an_empty_file),
        cmocka_unit_test(says_why_not),
        cmocka_unit_test(finds_paths_beside),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
