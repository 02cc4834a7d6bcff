#include "tests/unit/proxy/audit/scratch.h"

#include "policies/text.h"
#include "proxy/audit/scan.h"

#include <jansson.h>

static struct scan scan;

static bool read_text(const char *text)
{
    return scan_line(span_of(text), &scan);
}

static void test_members(void **state)
{
    uint64_t number;

    (void)state;
    assert_true(read_text("{\"a\":1,\"b\":\"x\\ny\",\"c\":{\"d\":[1,{\"e\":null}]},\"f\":[],\"g\":true}"));
    assert_null(scan.fault);
    assert_int_equal(scan.count, 5);
    assert_true(span_is(scan_find(&scan, "a"), "1"));
    assert_true(scan_number(scan_find(&scan, "a"), &number) && number == 1);
    assert_true(span_is(scan_text(scan_find(&scan, "b")), "x\\ny"));
    assert_true(span_is(scan_find(&scan, "c"), "{\"d\":[1,{\"e\":null}]}"));
    assert_null(scan_find(&scan, "d").data);
    assert_null(scan_text(scan_find(&scan, "a")).data);
    assert_null(scan_text(scan_find(&scan, "none")).data);
    assert_true(read_text("{}"));
    assert_int_equal(scan.count, 0);
}

/* `read`: it is JSON all the same. */
static const struct {
    const char *line, *fault;
    bool read;
} forms[] = {
    {"{\"a\":\"\\u0000\\u001f\\b\\t\\n\\f\\r\\\"\\\\\"}", NULL, true},
    {"{\"a\":-0.5e+3,\"b\":1E2,\"c\":0,\"d\":-1}", NULL, true},
    {"{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}", NULL, true},
    {"{\"a\":1,\"ab\":2,\"b\":3}", NULL, true},
    {"{\"\\t\":1,\"\\n\":2,\"\\u001f\":3,\"\\\"\":4,\"\\\"a\":5,\"\\\\\":6,\"a\":7}", NULL, true},
    {"{\"A\":1,\"a\":2,\"\xc3\xa9\":3}", NULL, true},
    {"{\"b\":1,\"a\":2}", "members not sorted by name, or one twice", true},
    {"{\"a\":1,\"a\":2}", "members not sorted by name, or one twice", true},
    {"{\"ab\":1,\"a\":2}", "members not sorted by name, or one twice", true},
    {"{\"a\":{\"y\":1,\"x\":2},\"b\":3}", "members not sorted by name, or one twice", true},
    {"{\"a\":[{\"y\":1,\"y\":2}]}", "members not sorted by name, or one twice", true},
    {"{\"\\n\":1,\"\\n\":2}", "members not sorted by name, or one twice", true},
    {"{\"\\n\":1,\"\\u0001\":2}", "members not sorted by name, or one twice", true},
    {"{\"a\":1,\"\\\"\":2}", "members not sorted by name, or one twice", true},
    {"{\"a\\\\\":1,\"a\":2}", "members not sorted by name, or one twice", true},
    {"{\"a\":\"\\u0041\"}", "an escape that need not be", true},
    {"{\"a\":\"\\u000a\"}", "an escape that need not be", true},
    {"{\"a\":\"\\u001F\"}", "an escape in capitals", true},
    {"{\"a\":\"\xff\"}", "bytes that are not UTF-8", true},
    {"{\"a\":\"\xed\xa0\x80\"}", "bytes that are not UTF-8", true},
    {"", "not a JSON object", false},
    {"[]", "not a JSON object", false},
    {"garbage", "not a JSON object", false},
    {" {}", "not a JSON object", false},
    {"{", "no string where one must be", false},
    {"{\"a\"}", "no colon behind a name", false},
    {"{\"a\":}", "no value where one must be", false},
    {"{\"a\":1", "no comma or end behind a member", false},
    {"{\"a\":1,}", "no string where one must be", false},
    {"{\"a\":1}}", "something behind the object's end", false},
    {"{\"a\":1} ", "something behind the object's end", false},
    {"{\"a\": 1}", "white space between members", false},
    {"{\"a\":1, \"b\":2}", "no string where one must be", false},
    {"{\"a\":01}", "no value where one must be", false},
    {"{\"a\":1.}", "a number without an end", false},
    {"{\"a\":1e}", "a number without an end", false},
    {"{\"a\":-}", "no value where one must be", false},
    {"{\"a\":+1}", "no value where one must be", false},
    {"{\"a\":tru}", "no value where one must be", false},
    {"{\"a\":truer}", "no comma or end behind a member", false},
    {"{\"a\":\"x}", "a string without an end", false},
    {"{\"a\":\"x\\", "a string without an end", false},
    {"{\"a\":\"\\x\"}", "an unknown escape in a string", false},
    {"{\"a\":\"\\u00g0\"}", "an unknown escape in a string", false},
    {"{\"a\":\"\\u00", "an unknown escape in a string", false},
    {"{\"a\":\"\t\"}", "a control character in a string", false},
    {"{\"a\":\"12345678\x1b\"}", "a control character in a string", false},
    {"{\"a\":[1,]}", "no value where one must be", false},
    {"{\"a\":[1", "no comma or end behind an element", false},
    {"{a:1}", "no string where one must be", false},
    {"{'a':1}", "no string where one must be", false},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        bool read = read_text(forms[i].line);
        const char *fault = scan.fault != NULL ? scan.fault : "(none)";
        const char *expected = forms[i].fault != NULL ? forms[i].fault : "(none)";

        if (read != forms[i].read || strcmp(fault, expected) != 0)
            fail_msg("%s: %s, \"%s\" instead of \"%s\"", forms[i].line, read ? "read" : "not read", fault,
                     expected);
    }
}

static void test_bounds(void **state)
{
    struct text line = {0};

    (void)state;
    text_add_string(&line, "{\"a\":");
    for (int i = 0; i < 100000; i++)
        text_add_string(&line, "[");
    assert_false(read_text(line.data));
    assert_string_equal(scan.fault, "nested too deep");

    text_clear(&line);
    for (int i = 0; i <= SCAN_MEMBERS; i++)
        text_add_format(&line, "%s\"%03d\":0", i > 0 ? "," : "{", i);
    text_add_string(&line, "}");
    assert_false(read_text(line.data));
    assert_string_equal(scan.fault, "more members than any record has");
    assert_int_equal(scan.count, SCAN_MEMBERS);
    text_free(&line);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},      {"9007199254740991", true, 9007199254740991},
        {"12", true, 12},    {"9007199254740992", false, 0},
        {"", false, 0},      {"99999999999999999", false, 0},
        {"-1", false, 0},    {"01", false, 0},
        {"1.0", false, 0},   {"1e3", false, 0},
        {"\"1\"", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value = 0;
        bool good = scan_number(span_of(rows[i].text), &value);

        if (good != rows[i].good || (good && value != rows[i].value))
            fail_msg("%s", rows[i].text);
    }
}

static void test_elements(void **state)
{
    static const char *const expected[] = {"\"a,]\"", "[1,2]", "{\"b\":[]}", "3"};
    struct span element, array = span_of("[\"a,]\",[1,2],{\"b\":[]},3]");
    size_t at = 0, count = 0;

    (void)state;
    for (; scan_element(array, &at, &element); count++)
        assert_true(count < 4 && span_is(element, expected[count]));
    assert_int_equal(count, 4);
    at = 0;
    assert_false(scan_element(span_of("[]"), &at, &element));
    assert_false(scan_element(span_of("{}"), &at, &element));
    assert_false(scan_element((struct span){NULL, 0}, &at, &element));
}

/* A generator that gives the same numbers everywhere. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Of a line with some bytes changed: what the scanner calls canonical, a JSON parser reads; and what it reads
 * at all is JSON. The line lies at the end of a block of its own, so that a sanitizer sees a byte too far. */
static void test_against_a_parser(void **state)
{
    static const char seed_line[] =
        "{\"body\":{\"a\":[1,-2.5e3,true,null],\"b\":{\"c\":\"\\u001b\\n\"}},\"prev\":\"00ff\",\"principal\":"
        "\"d\xc3\xa9j\xc3\xa0 \\\"vu\\\"\",\"seq\":17,\"stage\":\"intent\"}";
    static const char bytes[] = "\"\\{}[]:,0123456789eE+-.tfnu \x01\x1f\x7f\x80\xc3\xff/ab";
    const size_t length = sizeof seed_line - 1;
    uint32_t seed = 2463534242;
    unsigned canonical = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t keep = next_random(&seed) % 8 == 0 ? next_random(&seed) % (length + 1) : length;
        char *line = malloc(keep + 1);
        json_error_t error;

        memcpy(line + 1, seed_line, keep);
        for (uint32_t changes = next_random(&seed) % 3; keep > 0 && changes > 0; changes--)
            line[1 + next_random(&seed) % keep] = bytes[next_random(&seed) % (sizeof bytes - 1)];
        bool read = scan_line((struct span){line + 1, keep}, &scan);
        json_t *parsed = json_loadb(line + 1, keep, JSON_ALLOW_NUL, &error);
        if (read && scan.fault == NULL && parsed == NULL &&
            json_error_code(&error) != json_error_numeric_overflow)
            fail_msg("%.*s: canonical, but: %s", (int)keep, line + 1, error.text);
        canonical += read && scan.fault == NULL;
        json_decref(parsed);
        free(line);
    }
    assert_in_range(canonical, 1000, 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),  cmocka_unit_test(test_forms),
        cmocka_unit_test(test_bounds),   cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_elements), cmocka_unit_test(test_against_a_parser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
