#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/log.h"
#include "tests/unit/proxy/folder.h"

#include <errno.h>
#include <jansson.h>

/* stderr, caught in a file while a test runs. */
static struct folder folder;
static int real_stderr;

static void catch_stderr(void)
{
    int file =
        open(folder_path(&folder, "stderr"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

    real_stderr = dup(STDERR_FILENO);
    assert_true(file >= 0 && real_stderr >= 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    close(file);
}

static struct text let_stderr_go(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    return folder_read(&folder, "stderr");
}

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

static const char *member(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));

    assert_non_null(text);
    return text;
}

static void writes_a_json_line(void **state)
{
    (void)state;
    catch_stderr();
    errno = EDOM;
    log_event(LOG_ERROR, "upstream-tls", "no \"%s\"\n{\"level\":\"forged\"}\x1b", "trust");
    int after = errno;
    struct text text = let_stderr_go();

    assert_int_equal(after, EDOM);
    assert_int_equal(text.data[text.length - 1], '\n');
    assert_ptr_equal(strchr(text.data, '\n'), text.data + text.length - 1);
    json_t *line = json_loads(text.data, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    assert_int_equal(json_object_size(line), 4);
    assert_string_equal(member(line, "level"), "error");
    assert_string_equal(member(line, "event"), "upstream-tls");
    assert_string_equal(member(line, "detail"), "no \"trust\"\n{\"level\":\"forged\"}\x1b");
    assert_int_equal(strlen(member(line, "time")), strlen("2026-01-31T23:59:59.123456Z"));
    json_decref(line);
    text_free(&text);
}

static void cuts_a_long_detail(void **state)
{
    char detail[10000];

    (void)state;
    memset(detail, 'x', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    catch_stderr();
    log_event(LOG_INFO, "long", "%s", detail);
    struct text text = let_stderr_go();
    json_t *line = json_loads(text.data, 0, NULL);
    assert_string_equal(member(line, "level"), "info");
    assert_int_equal(strlen(member(line, "detail")), 2047);
    json_decref(line);
    text_free(&text);
}

static void limits_repetition(void **state)
{
    struct log_limit limit = {0};
    unsigned long suppressed;

    (void)state;
    assert_true(log_allow(&limit, 60, &suppressed));
    assert_int_equal(suppressed, 0);
    for (int i = 0; i < 5; i++)
        assert_false(log_allow(&limit, 60, &suppressed));
    limit.last -= 60; /* a minute later */
    assert_true(log_allow(&limit, 60, &suppressed));
    assert_int_equal(suppressed, 5);
    assert_false(log_allow(&limit, 60, &suppressed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_json_line),
        cmocka_unit_test(cuts_a_long_detail),
        cmocka_unit_test(limits_repetition),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
