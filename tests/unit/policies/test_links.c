#include "policies/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TO "http://127.0.0.1:8080"

static const struct links_origin snyk = {{"api.snyk.io", 11}, 443, true};
static const struct links_origin local = {{"127.0.0.1", 9}, 9000, false};
static const struct links_origin six = {{"::1", 3}, 9000, false};

/* Links alone; NULL: stays. */
static void single_links(void **state)
{
    static const struct {
        const struct links_origin *from;
        const char *link, *rest; /* rest: what follows TO */
    } cases[] = {
        {&snyk, "https://api.snyk.io/rest/orgs?version=1#x", "/rest/orgs?version=1#x"},
        {&snyk, "HTTPS://API.Snyk.IO/rest", "/rest"},
        {&snyk, "https://api.snyk.io", ""},
        {&snyk, "https://api.snyk.io?a=b", "?a=b"},
        {&snyk, "https://api.snyk.io#a", "#a"},
        {&snyk, "https://api.snyk.io:443/rest", "/rest"},
        {&snyk, "https://api.snyk.io:/rest", "/rest"},
        {&snyk, "https://api.snyk.io./rest", "/rest"},
        {&snyk, "http://api.snyk.io/rest", "/rest"},
        {&snyk, "http://api.snyk.io:80/rest", "/rest"},
        {&snyk, "http://api.snyk.io:443/rest", "/rest"},
        {&snyk, "//api.snyk.io/rest", "/rest"},
        {&snyk, "//api.snyk.io:443/rest", "/rest"},
        {&snyk, "https://user:secret@api.snyk.io/rest", "/rest"},
        {&snyk, "https://a@b@api.snyk.io/rest", "/rest"},
        {&snyk, "https://api.snyk.io//rest/../x%2f\xc3\xa9", "//rest/../x%2f\xc3\xa9"},
        {&snyk, "https:\\\\api.snyk.io\\rest", "\\rest"},
        {&snyk, "\\\\api.snyk.io/rest", "/rest"},
        {&snyk, "https:///api.snyk.io/rest", "/rest"},
        {&snyk, "https:/api.snyk.io/rest", "/rest"},
        {&snyk, " \thttps://api.snyk.io/rest", "/rest"},
        {&snyk, "https://api.snyk.io:8443/rest", NULL},
        {&snyk, "//api.snyk.io:80/rest", NULL},
        {&snyk, "https://api.snyk.io.evil.example/rest", NULL},
        {&snyk, "https://evil-api.snyk.io/rest", NULL},
        {&snyk, "https://api.snyk.io@evil.example/rest", NULL},
        {&snyk, "https://api.snyk.io:x/rest", NULL},
        {&snyk, "https://evil.example/https://api.snyk.io/", NULL},
        {&snyk, "https://evil.example?https://api.snyk.io/", NULL},
        {&snyk, "https://evil.example#@api.snyk.io/", NULL},
        {&snyk, "ftp://api.snyk.io/rest", NULL},
        {&snyk, "httpx://api.snyk.io/rest", NULL},
        {&snyk, "/rest/orgs", NULL},
        {&snyk, "/api.snyk.io/rest", NULL},
        {&snyk, "api.snyk.io/rest", NULL},
        {&snyk, "rest", NULL},
        {&snyk, "?a=https://api.snyk.io/", NULL},
        {&snyk, "#https://api.snyk.io/", NULL},
        {&snyk, "", NULL},
        {&snyk, "   ", NULL},
        {&snyk, "https:", NULL},
        {&snyk, "https://", NULL},
        {&snyk, "https:///", NULL},
        {&snyk, "//", NULL},
        {&snyk, "https://@/", NULL},
        {&snyk, "mailto:a@api.snyk.io", NULL},
        {&local, "http://127.0.0.1:9000/rest", "/rest"},
        {&local, "https://127.0.0.1:9000/rest", "/rest"},
        {&local, "//127.0.0.1:9000/rest", "/rest"},
        {&local, "http://127.0.0.1/rest", NULL},
        {&local, "//127.0.0.1/rest", NULL},
        {&local, "http://127.0.0.1:9001/rest", NULL},
        {&local, "http://localhost:9000/rest", NULL},
        {&six, "http://[::1]:9000/rest", "/rest"},
        {&six, "http://[::1]/rest", NULL},
        {&six, "http://[::2]:9000/rest", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text out = {0};
        bool rewritten = link_rewrite(span_of(cases[i].link), cases[i].from, TO, &out);
        char expected[128];
        (void)snprintf(expected, sizeof expected, TO "%s", cases[i].rest ? cases[i].rest : "");
        if (rewritten != (cases[i].rest != NULL))
            (void)fprintf(stderr, "link \"%s\"\n", cases[i].link);
        assert_int_equal(rewritten, cases[i].rest != NULL);
        if (rewritten)
            assert_string_equal(out.data, expected);
        else
            assert_int_equal(out.length, 0);
        text_free(&out);
    }
}

/* Answers: what becomes of them; NULL: nothing. */
static void answers(void **state)
{
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"{\"links\":{\"self\":\"https://api.snyk.io/rest/a?b=c\"}}",
         "{\"links\":{\"self\":\"" TO "/rest/a?b=c\"}}"},
        {"{ \"links\" :\t{\n\"next\" : \"https://api.snyk.io/x\" , \"prev\":\"/y\" } } \n",
         "{ \"links\" :\t{\n\"next\" : \"" TO "/x\" , \"prev\":\"/y\" } } \n"},
        {"{\"links\":{\"next\":{\"href\":\"https://api.snyk.io/x\",\"meta\":{\"href\":\"https://api.snyk.io/"
         "m\"}}}}",
         "{\"links\":{\"next\":{\"href\":\"" TO "/x\",\"meta\":{\"href\":\"https://api.snyk.io/m\"}}}}"},
        {"{\"links\":{\"next\":{\"href\":\"/x\",\"describedby\":{\"href\":\"https://api.snyk.io/d\"}}}}",
         "{\"links\":{\"next\":{\"href\":\"/x\",\"describedby\":{\"href\":\"" TO "/d\"}}}}"},
        {"{\"errors\":[{\"links\":{\"about\":\"https://api.snyk.io/e\"}},{\"links\":{\"about\":\"//"
         "api.snyk.io/f\"}}]}",
         "{\"errors\":[{\"links\":{\"about\":\"" TO "/e\"}},{\"links\":{\"about\":\"" TO "/f\"}}]}"},
        {"{\"data\":[{\"relationships\":{\"org\":{\"links\":{\"related\":{\"href\":\"HTTPS://API.SNYK.IO/"
         "o\"}}}}}]}",
         "{\"data\":[{\"relationships\":{\"org\":{\"links\":{\"related\":{\"href\":\"" TO "/o\"}}}}}]}"},
        {"{\"links\":{\"a\":\"https:\\/\\/api.snyk.io\\/rest\\/\\u00e9\"}}",
         "{\"links\":{\"a\":\"" TO "\\/rest\\/\\u00e9\"}}"},
        {"{\"links\":{\"a\":\"\\u0068ttps://\\u0061pi.snyk.io\\u002fx\\n\"}}",
         "{\"links\":{\"a\":\"" TO "\\u002fx\\n\"}}"},
        {"{\"l\\u0069nks\":{\"a\":\"https://api.snyk.io/x\"}}", "{\"l\\u0069nks\":{\"a\":\"" TO "/x\"}}"},
        {"{\"links\":{\"a\":\"/x\"},\"links\":{\"a\":\"https://api.snyk.io/y\",\"a\":\"https://api.snyk.io/"
         "z\"}}",
         "{\"links\":{\"a\":\"/x\"},\"links\":{\"a\":\"" TO "/y\",\"a\":\"" TO "/z\"}}"},
        {"{\"links\":[{\"rel\":\"next\",\"href\":\"https://api.snyk.io/x\"}]}",
         "{\"links\":[{\"rel\":\"next\",\"href\":\"" TO "/x\"}]}"},
        {"{\"links\":{\"links\":{\"a\":\"https://api.snyk.io/x\"}}}",
         "{\"links\":{\"links\":{\"a\":\"" TO "/x\"}}}"},
        {"[{\"links\":{\"a\":\"https://"
         "api.snyk.io\"}},1.50,-0,1e5,1E+5,0.10e-07,12345678901234567890,true,false,null,\"\\\"\"]",
         "[{\"links\":{\"a\":\"" TO
         "\"}},1.50,-0,1e5,1E+5,0.10e-07,12345678901234567890,true,false,null,\"\\\"\"]"},
        /* nothing to do */
        {"{\"links\":{\"a\":\"/"
         "x\",\"b\":null,\"c\":\"\",\"d\":1,\"e\":{},\"f\":[],\"g\":{\"href\":null}},\"x\":\"api.snyk.io\"}",
         NULL},
        {"{\"links\":\"https://api.snyk.io/x\"}", NULL},
        {"{\"links\":null,\"a\":\"https://api.snyk.io/x\"}", NULL},
        {"{\"href\":\"https://api.snyk.io/x\",\"Links\":{\"a\":\"https://api.snyk.io/x\"}}", NULL},
        {"{\"links\":{\"https://api.snyk.io/\":\"/x\"}}", NULL},
        {"{\"links\":{\"a\":\"https://app.snyk.io/x?u=https://api.snyk.io/\"}}", NULL},
        {"{\"links\":{\"a\":{\"url\":\"https://api.snyk.io/x\"}}}", NULL},
        {"{\"links\":{\"a\":\"https://api.snyk.io\\u00ad/x\"}}", NULL},
        {"{\"links\":{\"a\":\"https://api.snyk.io\\u0000/x\"}}", NULL},
        {"\"https://api.snyk.io/x\"", NULL},
        {"\"\\ud83d\\udd11 \\ud800\"", NULL},
        /* not read at all: such a link cannot be in it */
        {"", NULL},
        {"not JSON, and no upstream in it", NULL},
        {"{\"links\":{\"a\":\"https://app.snyk.io/\"}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text out = {0};
        bool changed = true;
        const char *fault = NULL;
        size_t length = strlen(cases[i].json);
        char *exact = malloc(length > 0 ? length : 1);
        assert_non_null(exact);
        memcpy(exact, cases[i].json, length);
        bool right = links_rewrite((struct span){exact, length}, &snyk, TO, &out, &changed, &fault);
        if (!right || changed != (cases[i].expected != NULL))
            (void)fprintf(stderr, "%s: %s\n", cases[i].json, right ? "changed or not" : fault);
        assert_true(right);
        assert_int_equal(changed, cases[i].expected != NULL);
        if (changed)
            assert_string_equal(out.data, cases[i].expected);
        else
            assert_int_equal(out.length, 0);
        text_free(&out);
        free(exact);
    }
}

static void what_is_no_json_is_refused(void **state)
{
    static const char *const tails[] = {
        "",
        "}",
        "}}}",
        "}} x",
        "}},",
        "}}\xef\xbb\xbf",
        ",}}",
        ",\"a\"}}",
        ",\"a\":}}",
        ",\"a\":01}}",
        ",\"a\":+1}}",
        ",\"a\":1.}}",
        ",\"a\":.5}}",
        ",\"a\":1e}}",
        ",\"a\":-}}",
        ",\"a\":0x1}}",
        ",\"a\":tru}}",
        ",\"a\":nul}}",
        ",\"a\":NaN}}",
        ",\"a\":'b'}}",
        ",\"a\":\"\\x\"}}",
        ",\"a\":\"\\u12g4\"}}",
        ",\"a\":\"\\u12\"}}",
        ",\"a\":\"\n\"}}",
        ",\"a\":\"b}}",
        ",\"a\":\"b\\",
        ",\"a\":[1,]}}",
        ",\"a\":[1 2]}}",
        ",\"a\":[}}",
        ",\"a\":{]}}",
        ",a:1}}",
        ",\"a\" 1}}",
        ",\"a\":\"\xff\"}}",
        ",\"a\":\"\xc0\xaf\"}}",
        ",\"a\":1}}/**/",
        ",/**/\"a\":1}}",
        ",\"a\":\xc2\xa0}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        struct text json = {0}, out = {0};
        bool changed = true;
        const char *fault = NULL;
        text_add_string(&json, "{\"links\":{\"x\":\"https://api.snyk.io/y\"");
        text_add_string(&json, tails[i]);
        text_add_string(&out, "before");
        if (links_rewrite((struct span){json.data, json.length}, &snyk, TO, &out, &changed, &fault))
            (void)fprintf(stderr, "taken for JSON: %s\n", json.data);
        assert_non_null(fault);
        assert_false(changed);
        assert_string_equal(out.data, "before");
        text_free(&json);
        text_free(&out);
    }
}

static void nul_ends_nothing(void **state)
{
    static const char json[] = "{\"links\":{\"x\":\"https://api.snyk.io/y\"}}\0";
    struct text out = {0};
    bool changed = true;
    const char *fault = NULL;

    (void)state;
    assert_false(links_rewrite((struct span){json, sizeof json - 1}, &snyk, TO, &out, &changed, &fault));
    assert_int_equal(out.length, 0);
    text_free(&out);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    for (size_t depth = LINKS_DEPTH - 1; depth <= LINKS_DEPTH + 1; depth++) {
        struct text json = {0}, out = {0};
        bool changed = false;
        const char *fault = NULL;
        for (size_t i = 0; i < depth - 2; i++)
            text_add_string(&json, "[");
        text_add_string(&json, "{\"links\":{\"x\":\"https://api.snyk.io/y\"}}");
        for (size_t i = 0; i < depth - 2; i++)
            text_add_string(&json, "]");
        bool right = links_rewrite((struct span){json.data, json.length}, &snyk, TO, &out, &changed, &fault);
        assert_int_equal(right, depth <= LINKS_DEPTH);
        assert_int_equal(changed, right);
        text_free(&json);
        text_free(&out);
    }
}

/* The search for the host must find it wherever it stands, in any case, and miss nothing near the ends. */
static void the_host_is_found_anywhere(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 40; pad++) {
        struct text json = {0}, out = {0};
        bool changed = false;
        const char *fault = NULL;
        text_add_string(&json, "{\"a\":\"");
        for (size_t i = 0; i < pad; i++)
            text_add(&json, &"apisnyk.io."[i % 11], 1);
        text_add_string(&json, pad % 2 == 0 ? "\",\"links\":{\"x\":\"//API.snyk.IO\"}}"
                                            : "\",\"links\":{\"x\":\"//api.SNYK.io\"}}");
        assert_true(links_rewrite((struct span){json.data, json.length}, &snyk, TO, &out, &changed, &fault));
        assert_true(changed);
        text_free(&json);
        text_free(&out);
    }
}

static void the_new_origin_is_escaped(void **state)
{
    struct text out = {0};
    bool changed = false;
    const char *fault = NULL;

    (void)state;
    assert_true(links_rewrite(span_of("{\"links\":{\"x\":\"//api.snyk.io/\"}}"), &snyk, "a\"b\\", &out,
                              &changed, &fault));
    assert_string_equal(out.data, "{\"links\":{\"x\":\"a\\\"b\\\\/\"}}");
    text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_links),
        cmocka_unit_test(answers),
        cmocka_unit_test(nul_ends_nothing),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(the_host_is_found_anywhere),
        cmocka_unit_test(the_new_origin_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
