#include "policies/fields.h"

#include "tests/unit/table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const uses[] = {
    [FIELD_FORWARD] = "forward", [FIELD_HOP] = "hop",         [FIELD_CLAIM] = "claim",
    [FIELD_OURS] = "ours",       [FIELD_CONTROL] = "control", [FIELD_ORDER] = "order",
};

/* Two requests: `name` in Connection, and a field of that name in no Connection. */
static bool is_judged(struct span name)
{
    struct field connection = {span_of("Connection"), name};
    struct request request = {.fields = &connection, .field_count = 1};
    struct span fault = field_connection_fault(&request);

    return fault.data != NULL && span_equal(fault, name);
}

static bool run_row(const struct table_row *row, void *arg)
{
    struct span name = table_column(row, 0);
    const char *use = uses[field_use(name)];
    const char *single = field_is_single(name) ? "single" : "many";
    const char *judged = is_judged(name) ? "judged" : "free";

    (void)arg;
    if (span_is(table_column(row, 1), use) && span_is(table_column(row, 2), single) &&
        span_is(table_column(row, 3), judged))
        return true;
    (void)fprintf(stderr, "%s:%u: %.*s is %s, %s, %s\n", row->file, row->line, (int)name.length, name.data,
                  use, single, judged);
    return false;
}

static void table_of_fields(void **state)
{
    unsigned cases = 0;

    (void)state;
    assert_int_equal(table_run("tests/tables/fields.tsv", 4, run_row, NULL, &cases), 0);
    assert_true(cases >= 150);
}

static void names_are_equal_without_case_and_underscore(void **state)
{
    (void)state;
    assert_true(field_name_equal(span_of("Snyk-Version"), span_of("sNYK_vERSION")));
    assert_true(field_name_equal(span_of(""), span_of("")));
    assert_false(field_name_equal(span_of("Snyk-Version"), span_of("Snyk-Versio")));
    assert_false(field_name_equal(span_of("Snyk-Version"), span_of("SnykxVersion")));
    assert_false(field_name_equal((struct span){"Host\0", 5}, span_of("Host")));
}

static void the_first_of_a_name_is_found(void **state)
{
    const struct field fields[] = {
        {span_of("Accept"), span_of("a")},
        {span_of("content_TYPE"), span_of("b")},
        {span_of("Content-Type"), span_of("c")},
    };
    const struct request request = {.fields = fields, .field_count = 3};

    (void)state;
    assert_ptr_equal(field_find(&request, "Content-Type"), &fields[1]);
    assert_ptr_equal(field_find(&request, "accept"), &fields[0]);
    assert_null(field_find(&request, "Content"));
    assert_null(field_find(&request, ""));
    assert_null(field_find(&(struct request){0}, "Accept"));
}

static void names_in_connection(void **state)
{
    static const struct {
        const char *value, *named, *not_named;
    } cases[] = {
        {"close", "Close", "X-A"},     {"X-A, X-B", "x-b", "X-C"},           {"X-A,X-B", "X_A", "X"},
        {",, \t X-A \t,,", "X-A", ""}, {"keep-alive , x_a", "X-A", "alive"}, {"X-A;X-B", "X-A;X-B", "X-A"},
        {"\"X-A\"", "\"X-A\"", "X-A"}, {"X-A X-B", "X-A X-B", "X-B"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct field fields[] = {
            {span_of("X-C"), span_of("X-Nothing")},
            {span_of("CONNECTION"), span_of("")},
            {span_of("connection"), span_of(cases[i].value)},
        };
        const struct request request = {.fields = fields, .field_count = 3};
        assert_true(field_named_by_connection(&request, span_of(cases[i].named)));
        assert_false(field_named_by_connection(&request, span_of(cases[i].not_named)));
        assert_false(field_named_by_connection(&request, span_of("X-Nothing")));
    }
}

static void connection_must_not_name_what_is_judged(void **state)
{
    static const struct {
        const char *first, *second, *fault;
    } cases[] = {
        {"close", "keep-alive", NULL},
        {"Upgrade, HTTP2-Settings, TE", "X-Anything", NULL},
        {"transfer-encoding", "", NULL},
        {"close, authorization", "", "authorization"},
        {"close", "x, AUTHORIZATION ,host", "AUTHORIZATION"},
        {"Snyk_Version", "", "Snyk_Version"},
        {"close,Portcullis-Approval", "", "Portcullis-Approval"},
        {"if-match", "", "if-match"},
        {"", "", NULL},
        {" , ,", ",", NULL},
        {"authorization2", "xhost", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct field fields[] = {
            {span_of("X-Other"), span_of("Authorization")},
            {span_of("Connection"), span_of(cases[i].first)},
            {span_of("connection"), span_of(cases[i].second)},
        };
        const struct request request = {.fields = fields, .field_count = 3};
        struct span fault = field_connection_fault(&request);
        if (cases[i].fault == NULL)
            assert_null(fault.data);
        else
            assert_true(span_is(fault, cases[i].fault));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_fields),
        cmocka_unit_test(names_are_equal_without_case_and_underscore),
        cmocka_unit_test(names_in_connection),
        cmocka_unit_test(the_first_of_a_name_is_found),
        cmocka_unit_test(connection_must_not_name_what_is_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
