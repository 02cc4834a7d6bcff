#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/console/output.h"

#include "tests/unit/proxy/folder.h"

static void hides_control_characters(void **state)
{
    struct folder folder = folder_make();
    FILE *stream = fopen(folder_path(&folder, "out"), "we");
    struct text text = {0};

    (void)state;
    text_add(&text, "a\x1b[2Jb\r\0c\x7f\n\xc3\xa4\n", 14);
    output_text(stream, &text);
    assert_null(text.data);
    assert_int_equal(fclose(stream), 0);
    text = folder_read(&folder, "out");
    assert_string_equal(text.data, "a?[2Jb??c?\n\xc3\xa4\n");
    text_free(&text);
    folder_remove(&folder);
}

static void writes_problems_as_json(void **state)
{
    struct problems problems = {0};
    struct text text = {0};

    (void)state;
    problems_write_json(&problems, &text);
    assert_string_equal(text.data, "[]");
    text_clear(&text);
    problems_add_at(&problems, "a \"file\"", 3, 9, "it\nis %s", "wrong");
    problems_add(&problems, SEVERITY_WARNING, NULL, "/x~1y", "so-so");
    problems_write_json(&problems, &text);
    assert_string_equal(
        text.data,
        "[{\"severity\":\"error\",\"code\":null,\"file\":\"a "
        "\\\"file\\\"\",\"line\":3,\"column\":9,\"pointer\":\"\","
        "\"message\":\"it\\nis wrong\"},"
        "{\"severity\":\"warning\",\"code\":null,\"file\":\"\",\"line\":0,\"column\":0,\"pointer\":\"/x~1y\","
        "\"message\":\"so-so\"}]");
    text_free(&text);
    problems_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_control_characters),
        cmocka_unit_test(writes_problems_as_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
