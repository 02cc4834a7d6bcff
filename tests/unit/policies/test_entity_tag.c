/* If-Match: the list's grammar, and strong comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policies/entity_tag.h"

#define TAG "\"tag\""

static void judges_one_field(void **state)
{
    static const struct {
        const char *value;
        enum if_match answer;
    } rows[] = {
        {"*", IF_MATCH_TRUE},
        {TAG, IF_MATCH_TRUE},
        {"\"other\", " TAG, IF_MATCH_TRUE},
        {TAG ",\"other\"", IF_MATCH_TRUE},
        {", ,\t" TAG " ,", IF_MATCH_TRUE},
        {"\"a,b\"," TAG, IF_MATCH_TRUE},
        {"\"\x80\xff\"," TAG, IF_MATCH_TRUE},
        {"\"other\"", IF_MATCH_FALSE},
        {"\"\"", IF_MATCH_FALSE},
        {"\"*\"", IF_MATCH_FALSE},
        {"\"TAG\"", IF_MATCH_FALSE},
        {"\"tag \"", IF_MATCH_MALFORMED},
        {"W/" TAG, IF_MATCH_FALSE},
        {"W/\"other\", W/" TAG, IF_MATCH_FALSE},
        {"W/" TAG ", " TAG, IF_MATCH_TRUE},
        {"", IF_MATCH_MALFORMED},
        {" , ,", IF_MATCH_MALFORMED},
        {"tag", IF_MATCH_MALFORMED},
        {"\"tag", IF_MATCH_MALFORMED},
        {"\"", IF_MATCH_MALFORMED},
        {"w/" TAG, IF_MATCH_MALFORMED},
        {"W/", IF_MATCH_MALFORMED},
        {"W /" TAG, IF_MATCH_MALFORMED},
        {TAG TAG, IF_MATCH_MALFORMED},
        {TAG " " TAG, IF_MATCH_MALFORMED},
        {TAG ";" TAG, IF_MATCH_MALFORMED},
        {TAG ", tag", IF_MATCH_MALFORMED},
        {"*, " TAG, IF_MATCH_MALFORMED},
        {TAG ", *", IF_MATCH_MALFORMED},
        {"\"a\x7f\"", IF_MATCH_MALFORMED},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct field fields[] = {{span_of("If_Match"), span_of(rows[i].value)}};
        const struct request request = {.fields = fields, .field_count = 1};
        if (if_match_judge(&request, span_of(TAG)) != rows[i].answer)
            fail_msg("%s", rows[i].value);
    }
}

static void judges_several_fields(void **state)
{
    static const struct {
        const char *first, *second;
        enum if_match answer;
    } rows[] = {
        {"\"other\"", TAG, IF_MATCH_TRUE},        {TAG, "\"other\"", IF_MATCH_TRUE},
        {"\"other\"", "\"one\"", IF_MATCH_FALSE}, {"", TAG, IF_MATCH_TRUE},
        {"*", "*", IF_MATCH_MALFORMED},           {"*", TAG, IF_MATCH_MALFORMED},
        {TAG, "tag", IF_MATCH_MALFORMED},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct field fields[] = {{span_of("if-match"), span_of(rows[i].first)},
                                       {span_of("If-None-Match"), span_of("*")},
                                       {span_of("IF-MATCH"), span_of(rows[i].second)}};
        const struct request request = {.fields = fields, .field_count = 3};
        if (if_match_judge(&request, span_of(TAG)) != rows[i].answer)
            fail_msg("%s and %s", rows[i].first, rows[i].second);
    }
}

static void without_a_tag_only_the_star_is_true(void **state)
{
    const struct field fields[] = {{span_of("If-Match"), span_of(TAG)}};
    const struct field star[] = {{span_of("If-Match"), span_of("*")}};
    struct request request = {.fields = fields, .field_count = 1};
    (void)state;

    assert_int_equal(if_match_judge(&request, (struct span){NULL, 0}), IF_MATCH_FALSE);
    request.fields = star;
    assert_int_equal(if_match_judge(&request, (struct span){NULL, 0}), IF_MATCH_TRUE);
    request.field_count = 0;
    assert_int_equal(if_match_judge(&request, span_of(TAG)), IF_MATCH_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_one_field),
        cmocka_unit_test(judges_several_fields),
        cmocka_unit_test(without_a_tag_only_the_star_is_true),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
