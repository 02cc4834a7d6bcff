#include "policies/problems.h"
#include "tests/unit/policies/fixture.h"

static void lines_are_as_compilers_write_them(void **state)
{
    struct document document = fixture_document("{\n  'roles': {'a/b': [1,\n     2]}\n}");
    struct problems problems = {0};
    struct text out = {0};

    (void)state;
    problems_add(&problems, SEVERITY_ERROR, &document, "/roles/a~1b/1", "%d is too much", 2);
    problems_add(&problems, SEVERITY_WARNING, &document, "", "hm");
    problems_add(&problems, SEVERITY_ERROR, &document, "/roles/c/d", "nearest above");
    problems_add(&problems, SEVERITY_ERROR, NULL, "", "no file");
    problems_add_at(&problems, "f", 7, 3, "here");
    problems_add_at(&problems, "f", 0, 0, "a\nd: error: forged \x1b[1m");
    problems_write(&problems, &out);
    assert_string_equal(out.data, "d:3:6: error: 2 is too much (/roles/a~1b/1)\n"
                                  "d:1:1: warning: hm\n"
                                  "d:2:3: error: nearest above (/roles/c/d)\n"
                                  "error: no file\n"
                                  "f:7:3: error: here\n"
                                  "f: error: a?d: error: forged ?[1m\n");
    assert_int_equal(problems.count, 6);
    assert_int_equal(problems.errors, 5);
    text_free(&out);
    problems_free(&problems);
    assert_int_equal(problems.count, 0);
    problems_free(&problems);
    document_free(&document);
}

static void many_problems_fit(void **state)
{
    struct problems problems = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        problems_add_at(&problems, "f", i, 1, "problem %u", i);
    assert_int_equal(problems.errors, 1000);
    assert_string_equal(problems.items[999].message, "problem 999");
    problems_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_as_compilers_write_them),
        cmocka_unit_test(many_problems_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
