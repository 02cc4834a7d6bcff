#include "policies/audit_level.h"
#include "policies/policy.h"
#include "tests/unit/policies/fixture.h"

/* One operation of each effect. */
static const char contract_text[] =
    "{'openapi':'3.0.3','info':{'title':'t','version':'1'},'servers':[{'url':'http://h'}],'paths':{'/a':{"
    "'get':{'operationId':'look','x-portcullis':{'permission':'org.integration.read','effect':'read'},"
    "'responses':{'200':{'description':'d'}}},"
    "'post':{'operationId':'make','x-portcullis':{'permission':'org.integration.create','effect':'create'},"
    "'responses':{'200':{'description':'d'}}},"
    "'patch':{'operationId':'alter','x-portcullis':{'permission':'org.integration.update','effect':'update'},"
    "'responses':{'200':{'description':'d'}}},"
    "'delete':{'operationId':'drop','x-portcullis':{'permission':'org.integration.delete','effect':"
    "'hard-delete'},'responses':{'200':{'description':'d'}}}}}}";

struct fixture {
    struct document contract_document, policy_document;
    struct contract *contract;
    struct policy *policy;
    struct problems problems;
};

static void fixture_open(struct fixture *fixture, const char *levels)
{
    char text[512];

    *fixture = (struct fixture){0};
    (void)snprintf(text, sizeof text, "{'principals':{},'roles':{},'organizations':{}%s}", levels);
    fixture->contract_document = fixture_document(contract_text);
    fixture->policy_document = fixture_document(text);
    fixture->contract = contract_compile(&fixture->contract_document, &fixture->problems);
    assert_int_equal(fixture->problems.errors, 0);
    assert_non_null(fixture->contract);
    fixture->policy = policy_compile(&fixture->policy_document, &fixture->problems);
    if (fixture->policy != NULL)
        audit_levels_check(fixture->policy, fixture->contract, &fixture->policy_document, &fixture->problems);
}

static void fixture_close(struct fixture *fixture)
{
    policy_free(fixture->policy);
    contract_free(fixture->contract);
    document_free(&fixture->contract_document);
    document_free(&fixture->policy_document);
    problems_free(&fixture->problems);
}

/* "look make alter drop": their levels. */
static void write_levels(const struct fixture *fixture, struct text *text)
{
    size_t count;
    const struct operation *operations = contract_operations(fixture->contract, &count);

    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        text_add_format(text, "%s%s=%s", i > 0 ? " " : "", operations[i].id,
                        audit_level_name(audit_level_of(fixture->policy, &operations[i])));
}

static void levels_that_fit(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *levels;
    } rows[] = {
        {"", "look=none make=request alter=request drop=request"},
        {",'audit':{}", "look=none make=request alter=request drop=request"},
        {",'audit':{'levels':{}}", "look=none make=request alter=request drop=request"},
        {",'audit':{'levels':{'look':'metadata','drop':'request-response'}}",
         "look=metadata make=request alter=request drop=request-response"},
        {",'audit':{'levels':{'*':'request-response'}}",
         "look=request-response make=request-response alter=request-response drop=request-response"},
        {",'audit':{'levels':{'*':'request','look':'none','make':'metadata'}}",
         "look=none make=metadata alter=request drop=request"},
        {",'audit':{'levels':{'drop':'request','*':'metadata'}}",
         "look=metadata make=metadata alter=metadata drop=request"},
    };
    unsigned failed = 0;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        struct text text = {0};

        fixture_open(&fixture, rows[i].policy);
        assert_int_equal(fixture.problems.errors, 0);
        write_levels(&fixture, &text);
        fixture_expect(&failed, rows[i].policy, text.data, rows[i].levels);
        text_free(&text);
        fixture_close(&fixture);
    }
    assert_int_equal(failed, 0);
}

static void levels_that_do_not(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        size_t errors;
        const char *first;
    } rows[] = {
        {",'audit':[]", 1, "must be an object"},
        {",'audit':{'level':{}}", 1, "did you mean \"levels\"?"},
        {",'audit':{'levels':[]}", 1, "must be an object"},
        {",'audit':{'levels':{'look':true}}", 1, "must be a string"},
        {",'audit':{'levels':{'look':'all'}}", 1,
         "must be \"none\", \"metadata\", \"request\" or \"request-response\""},
        {",'audit':{'levels':{'lok':'none'}}", 1, "no operation of the contract; did you mean \"look\"?"},
        {",'audit':{'levels':{'':'none'}}", 1, "no operation of the contract"},
        {",'audit':{'levels':{'make':'none'}}", 1, "too low for a change: \"metadata\" or higher"},
        {",'audit':{'levels':{'drop':'metadata'}}", 1, "too low for a hard delete: \"request\" or higher"},
        {",'audit':{'levels':{'*':'none'}}", 3, "\"none\" is too low for make, a change"},
        {",'audit':{'levels':{'*':'metadata'}}", 1, "\"drop\": \"request\" or higher"},
        {",'audit':{'levels':{'*':'none','drop':'none'}}", 3, "\"none\" is too low for make, a change"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;

        fixture_open(&fixture, rows[i].policy);
        if (fixture.problems.errors != rows[i].errors ||
            strstr(fixture.problems.items[0].message, rows[i].first) == NULL)
            fail_msg("%s: %zu errors: %s", rows[i].policy, fixture.problems.errors,
                     fixture.problems.count > 0 ? fixture.problems.items[0].message : "");
        assert_int_equal(fixture.problems.items[0].line, 1);
        fixture_close(&fixture);
    }
}

/* Even where nobody checked: what must be recorded is. */
static void never_below_the_bound(void **state)
{
    (void)state;
    struct fixture fixture;
    struct text text = {0};

    fixture_open(&fixture, ",'audit':{'levels':{'*':'none'}}");
    write_levels(&fixture, &text);
    assert_string_equal(text.data, "look=none make=metadata alter=metadata drop=request");
    text_free(&text);
    fixture_close(&fixture);
}

static void names(void **state)
{
    (void)state;
    enum audit_level level = AUDIT_LEVELS;

    for (int i = 0; i < AUDIT_LEVELS; i++) {
        assert_true(audit_level_named(span_of(audit_level_name((enum audit_level)i)), &level));
        assert_int_equal(level, i);
    }
    assert_false(audit_level_named(span_of("Request"), &level));
    assert_false(audit_level_named(span_of(""), &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_that_fit),
        cmocka_unit_test(levels_that_do_not),
        cmocka_unit_test(never_below_the_bound),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
