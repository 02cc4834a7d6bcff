#include "policies/document.h"
#include "tests/unit/policies/fixture.h"

static void good_texts_are_read(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        " {\"a\" : [1, 2.5e3, -7, true, false, null]}\r\n\t",
        "\"text\"",
        "0",
        "null",
        "\"\\u00e9\\ud83d\\ude00\"",
        "\"\xf0\x9f\x98\x80\"",
        "[[[[]]]]",
        "\"]]]]]{{{{{\"",
        "\"\\\"[[[[[\"",
        "-9223372036854775808",
        "9223372036854775807",
        "{\"\":{\"\":1}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_fault fault;
        json_t *value = json_read_strict(span_of(texts[i]), 4, &fault);
        if (value == NULL)
            fail_msg("%s: %s", texts[i], fault.message);
        json_decref(value);
    }
}

static void bad_texts_are_refused_and_never_quoted(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *message;
    } cases[] = {
        {"", 1, 1, "empty"},
        {" ", 1, 1, "ends in the middle"},
        {"\xef\xbb\xbf{}", 1, 1, "byte order mark"},
        {"{\"hunter2\":1,\n \"hunter2\":2}", 2, 10, "twice"},
        {"{\"a\":1,\"\\u0061\":2}", 1, 15, "twice"},
        {"{} hunter2", 1, 9, "nothing may stand behind"},
        {"{}{}", 1, 3, "nothing may stand behind"},
        {"{\"a\":1,}", 1, 8, "a member name in quotes"},
        {"{hunter2:1}", 1, 7, "a member name in quotes"},
        {"{\"a\" 1}", 1, 6, "':' was expected"},
        {"{\"a\":1 \"b\"", 1, 10, "',' or '}'"},
        {"[1,]", 1, 4, "a JSON value was expected"},
        {"[1 2]", 1, 4, "',' or ']'"},
        {"[1", 1, 2, "ends in the middle"},
        {"hunter2", 1, 6, "a JSON value was expected"},
        {"'a'", 1, 1, "a JSON value was expected"},
        {"NaN", 1, 3, "a JSON value was expected"},
        {"Infinity", 1, 8, "a JSON value was expected"},
        {"01", 1, 1, "a JSON value was expected"},
        {"+1", 1, 1, "a JSON value was expected"},
        {".5", 1, 1, "a JSON value was expected"},
        {"1.", 1, 2, "a JSON value was expected"},
        {"1e999", 1, 5, "out of range"},
        {"9223372036854775808", 1, 19, "out of range"},
        {"// x\n1", 1, 1, "a JSON value was expected"},
        {"\"hunter2", 1, 8, "ends in the middle"},
        {"\"hun\nter2\"", 1, 4, "must end on the line"},
        {"\"hun\tter2\"", 1, 4, "control character"},
        {"\"hunter2\\x\"", 1, 10, "escape"},
        {"\"hunter2\\u12\"", 1, 13, "escape"},
        {"\"hunter2\\ud800\"", 1, 15, "surrogate"},
        {"\"hunter2\\udc00\"", 1, 15, "surrogate"},
        {"\"hunter2\\ud800\\u0041\"", 1, 21, "surrogate"},
        {"\"hunter2\\u0000\"", 1, 15, "NUL"},
        {"{\"hunter2\\u0000\":1}", 1, 16, "NUL"},
        {"\"\xc3\"", 1, 1, "UTF-8"},
        {"\"\xc0\x80\"", 1, 1, "UTF-8"},
        {"\"\xed\xa0\x80\"", 1, 1, "UTF-8"},
        {"\"\xf4\x90\x80\x80\"", 1, 1, "UTF-8"},
        {"[\n [[[[1]]]]]", 2, 5, "deep"},
        {"{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}", 1, 21, "deep"},
    };
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_fault fault;
        json_t *value = json_read_strict(span_of(cases[i].text), 4, &fault);
        if (value == NULL && fault.line == cases[i].line && fault.column == cases[i].column &&
            strstr(fault.message, cases[i].message) != NULL && strstr(fault.message, "hunter") == NULL)
            continue;
        (void)fprintf(stderr, "%s: %u:%u %s\n", cases[i].text, fault.line, fault.column, fault.message);
        json_decref(value);
        failed++;
    }
    assert_int_equal(failed, 0);
}

static void nul_bytes_are_refused(void **state)
{
    static const struct span texts[] = {{"{}\0", 3}, {"\0{}", 3}, {"\"a\0b\"", 5}, {"\"\\\0\"", 4}};
    struct json_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_null(json_read_strict(texts[i], 4, &fault));
}

static void great_depth_is_refused(void **state)
{
    struct text text = {0};
    struct json_fault fault;

    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        text_add_string(&text, "[");
    assert_null(json_read_strict((struct span){text.data, text.length}, DOCUMENT_DEPTH, &fault));
    assert_int_equal(fault.column, DOCUMENT_DEPTH + 1);
    text_free(&text);
}

static void documents_are_objects(void **state)
{
    struct problems problems = {0};
    struct document document;
    struct text out = {0};

    (void)state;
    assert_true(document_read(&document, "f", span_of("{}"), &problems));
    assert_string_equal(document.text, "{}");
    document_free(&document);
    assert_null(document.root);

    assert_false(document_read(&document, "f", span_of("\n []"), &problems));
    assert_null(document.root);
    document_free(&document);
    assert_false(document_read(&document, "f", span_of("{\n\"a\": x}"), &problems));
    document_free(&document);
    problems_write(&problems, &out);
    assert_string_equal(out.data, "f:2:2: error: the document must be an object\n"
                                  "f:2:6: error: a JSON value was expected\n");
    text_free(&out);
    problems_free(&problems);
}

static void places_are_found(void **state)
{
    static const char text[] = "{\n"
                               "  \"a\": [10, {\"x/y\": \"}\", \"m~n\" : {\"\": 1}}, [ ]],\n"
                               "  \"\\u0062\": {\"caf\xc3\xa9\": 1, \"c\": [\"\\\"]\", -1.5e3]},\n"
                               "\t\"\": {}\n"
                               "}";
    static const struct {
        const char *pointer;
        unsigned line, column;
    } cases[] = {
        {"", 1, 1},
        {"/a", 2, 3},
        {"/a/0", 2, 9},
        {"/a/1", 2, 13},
        {"/a/1/x~1y", 2, 14},
        {"/a/1/m~0n", 2, 26},
        {"/a/1/m~0n/", 2, 35},
        {"/a/2", 2, 44},
        {"/a/2/0", 2, 44},
        {"/a/3", 2, 3},
        {"/a/01", 2, 3},
        {"/a/-", 2, 3},
        {"/a/x", 2, 3},
        {"/b", 3, 3},
        {"/b/caf\xc3\xa9", 3, 14},
        {"/b/c", 3, 25},
        {"/b/c/1", 3, 38},
        {"/b/d/e/f", 3, 3},
        {"/nothing", 1, 1},
        {"/", 4, 2},
        {"//x", 4, 2},
        {"no pointer", 1, 1},
        {"/a/0/deeper", 2, 9},
        {"/a/99999999999999999999", 2, 3},
    };
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned line, column;
        json_locate(span_of(text), cases[i].pointer, &line, &column);
        if (line == cases[i].line && column == cases[i].column)
            continue;
        (void)fprintf(stderr, "%s: %u:%u\n", cases[i].pointer, line, column);
        failed++;
    }
    assert_int_equal(failed, 0);
}

/* json_locate is meant for valid texts, but must not run off the end of any. */
static void every_prefix_is_survived(void **state)
{
    static const char text[] =
        "{\"a\\\"\": [1, {\"b\\u0063\": [\"x\\\\\", null, -1.5]}], \"d\": {\"e\": \"\\ud83d\\ude00\"}}";
    static const char *const pointers[] = {"", "/a\"/1/bc/2", "/d/e", "/a\"/0/x", "/z"};

    (void)state;
    for (size_t length = 0; length < sizeof text; length++) {
        char *prefix = malloc(length > 0 ? length : 1); /* so that one byte too far is noticed */
        struct json_fault fault;
        unsigned line, column;
        assert_non_null(prefix);
        memcpy(prefix, text, length);
        struct span span = {prefix, length};
        json_t *value = json_read_strict(span, DOCUMENT_DEPTH, &fault);
        assert_true((value != NULL) == (length == sizeof text - 1));
        json_decref(value);
        for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
            json_locate(span, pointers[i], &line, &column);
        free(prefix);
    }
}

static void pointers_are_built_and_followed(void **state)
{
    json_t *root = fixture_value("{'a/b':[0,{'m~n':{'':7}}],'0':1}");
    struct text pointer = {0};

    (void)state;
    pointer_add(&pointer, "a/b");
    pointer_add(&pointer, "1");
    pointer_add(&pointer, "m~n");
    pointer_add(&pointer, "");
    assert_string_equal(pointer.data, "/a~1b/1/m~0n/");
    assert_int_equal(json_integer_value(pointer_get(root, pointer.data)), 7);
    assert_ptr_equal(pointer_get(root, ""), root);
    assert_int_equal(json_integer_value(pointer_get(root, "/0")), 1);
    assert_null(pointer_get(root, "/a~1b/2"));
    assert_null(pointer_get(root, "/a~1b/01"));
    assert_null(pointer_get(root, "/a~1b/-"));
    assert_null(pointer_get(root, "/0/0"));
    assert_null(pointer_get(root, "a"));
    text_free(&pointer);
    json_decref(root);
}

static void slips_of_the_keyboard_are_seen(void **state)
{
    static const char *const known[] = {"listen", "workers", "upstream", "audit", "token", "id", NULL};
    static const struct {
        const char *name, *nearest;
    } cases[] = {
        {"listne", "listen"},
        {"Workers", "workers"},
        {"worker", "workers"},
        {"upstraem", "upstream"},
        {"audti", "audit"},
        {"tokens", "token"},
        {"listens", "listen"},
        {"xyz", NULL},
        {"", NULL},
        {"x", NULL},
        {"policy", NULL},
        {"i", NULL},
        {"a-name-that-is-so-long-that-nobody-would-take-it-for-any-other", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *nearest = nearest_name(cases[i].name, known);
        if (cases[i].nearest == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest ? nearest : "nothing", cases[i].nearest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_are_read),
        cmocka_unit_test(bad_texts_are_refused_and_never_quoted),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(great_depth_is_refused),
        cmocka_unit_test(documents_are_objects),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(every_prefix_is_survived),
        cmocka_unit_test(pointers_are_built_and_followed),
        cmocka_unit_test(slips_of_the_keyboard_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
