#include "policies/media_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void media_types(void **state)
{
    static const struct {
        const char *value;
        enum media_type type;
    } cases[] = {
        {"application/vnd.api+json", MEDIA_TYPE_JSON},
        {"application/json", MEDIA_TYPE_JSON},
        {"Application/JSON", MEDIA_TYPE_JSON},
        {"application/json;charset=utf-8", MEDIA_TYPE_JSON},
        {"application/json ; \tCharset=UTF-8", MEDIA_TYPE_JSON},
        {"application/json; charset=\"utf-8\"", MEDIA_TYPE_JSON},
        {"application/json; charset=\"ut\\f-8\"", MEDIA_TYPE_JSON},
        {"application/vnd.api+json; ext=\"https://example.com/a,b\"; profile=x", MEDIA_TYPE_JSON},
        {"application/json;", MEDIA_TYPE_JSON},
        {"application/json; ; charset=utf-8 ;", MEDIA_TYPE_JSON},
        {"application/json; charset=latin1", MEDIA_TYPE_CHARSET},
        {"application/json; charset=utf-16", MEDIA_TYPE_CHARSET},
        {"application/json; charset=utf-8; charset=utf-7", MEDIA_TYPE_CHARSET},
        {"application/json; charset=utf8", MEDIA_TYPE_CHARSET},
        {"application/json; charset=\"utf-8 \"", MEDIA_TYPE_CHARSET},
        {"application/json; charset=\"utf-8                                                            \"",
         MEDIA_TYPE_CHARSET},
        {"text/plain", MEDIA_TYPE_OTHER},
        {"application/x-www-form-urlencoded", MEDIA_TYPE_OTHER},
        {"application/vnd.api", MEDIA_TYPE_OTHER},
        {"application/jsonp", MEDIA_TYPE_OTHER},
        {"text/json; charset=latin1", MEDIA_TYPE_OTHER},
        {"", MEDIA_TYPE_MALFORMED},
        {"json", MEDIA_TYPE_MALFORMED},
        {"application/", MEDIA_TYPE_MALFORMED},
        {"/json", MEDIA_TYPE_MALFORMED},
        {"application /json", MEDIA_TYPE_MALFORMED},
        {"application/json, application/json", MEDIA_TYPE_MALFORMED},
        {"application/json charset=utf-8", MEDIA_TYPE_MALFORMED},
        {"application/json; charset", MEDIA_TYPE_MALFORMED},
        {"application/json; charset=", MEDIA_TYPE_MALFORMED},
        {"application/json; charset =utf-8", MEDIA_TYPE_MALFORMED},
        {"application/json; charset=\"utf-8", MEDIA_TYPE_MALFORMED},
        {"application/json; charset=\"utf-8\\", MEDIA_TYPE_MALFORMED},
        {"application/json; charset=\"utf-8\x01\"", MEDIA_TYPE_MALFORMED},
        {"application/json; charset=\"utf-8\"x", MEDIA_TYPE_MALFORMED},
        {"application/json/x", MEDIA_TYPE_MALFORMED},
    };
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum media_type type = media_type_read(span_of(cases[i].value));
        if (type != cases[i].type) {
            (void)fprintf(stderr, "%s: %d, not %d\n", cases[i].value, (int)type, (int)cases[i].type);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(media_types)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
