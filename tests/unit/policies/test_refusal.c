/* Refusals as JSON:API documents. */
#include "policies/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ID "0f0e0d0c-0b0a-4908-8706-050403020100"

static json_t *written(const struct refusal *refusal)
{
    struct text text = {0};
    struct json_fault fault;

    refusal_write(refusal, ID, &text);
    json_t *document = json_read_strict((struct span){text.data, text.length}, DOCUMENT_DEPTH, &fault);
    assert_non_null(document);
    text_free(&text);
    return document;
}

static const char *at(json_t *document, const char *pointer)
{
    return json_string_value(pointer_get(document, pointer));
}

/* The error schema of the API: no member but these, `status` a string of a 4xx or 5xx, `detail` there. */
static void check_shape(json_t *document)
{
    static const char *const known[] = {"id", "status", "code", "title", "detail", "source", "links", "meta"};
    json_t *errors = json_object_get(document, "errors"), *error, *value;
    const char *name;
    size_t index;

    assert_int_equal(json_object_size(document), 2);
    assert_string_equal(at(document, "/jsonapi/version"), "1.0");
    assert_true(json_array_size(errors) > 0);
    json_array_foreach (errors, index, error) {
        const char *status = json_string_value(json_object_get(error, "status"));
        assert_int_equal(strlen(status), 3);
        assert_true(status[0] == '4' || status[0] == '5');
        assert_true(json_string_length(json_object_get(error, "detail")) > 0);
        assert_string_equal(json_string_value(json_object_get(json_object_get(error, "meta"), "request_id")),
                            ID);
        json_object_foreach (error, name, value) {
            bool found = false;
            for (size_t i = 0; i < sizeof known / sizeof *known; i++)
                found = found || strcmp(name, known[i]) == 0;
            assert_true(found);
        }
    }
}

static void every_kind(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < REFUSE_KINDS; kind++) {
        struct refusal refusal;

        refusal_begin(&refusal, (enum refusal_kind)kind);
        assert_int_equal(strncmp(refusal.code, "portcullis-", 11), 0);
        json_t *document = written(&refusal);
        check_shape(document);
        assert_int_equal(strtol(at(document, "/errors/0/status"), NULL, 10), refusal.status);
        assert_string_equal(at(document, "/errors/0/code"), refusal.code);
        assert_string_equal(at(document, "/errors/0/title"), refusal.title);
        json_decref(document);
        for (unsigned other = 0; other < kind; other++) {
            struct refusal earlier;
            refusal_begin(&earlier, (enum refusal_kind)other);
            assert_string_not_equal(earlier.code, refusal.code);
        }
    }
}

static void several_errors(void **state)
{
    struct arena arena;
    struct refusal refusal;

    (void)state;
    arena_init(&arena);
    refusal_begin(&refusal, REFUSE_FORBIDDEN);
    refusal_add(&refusal, &arena, "first \"quoted\"\n", "/data/id", NULL);
    refusal_add(&refusal, &arena, "second", NULL, "version");
    refusal_add(&refusal, &arena, NULL, NULL, NULL);
    refusal_meta(&refusal, &arena, "permission", "org.integration.delete");
    refusal_meta(&refusal, &arena, "principal", "ann \xff");
    refusal_field(&refusal, &arena, "Allow", "GET");
    refusal_field(&refusal, &arena, "Retry-After", "1");

    json_t *document = written(&refusal);
    check_shape(document);
    assert_int_equal(json_array_size(json_object_get(document, "errors")), 3);
    assert_string_equal(at(document, "/errors/0/id"), ID);
    assert_null(at(document, "/errors/1/id"));
    assert_string_equal(at(document, "/errors/0/detail"), "first \"quoted\"\n");
    assert_string_equal(at(document, "/errors/0/source/pointer"), "/data/id");
    assert_null(at(document, "/errors/0/source/parameter"));
    assert_string_equal(at(document, "/errors/1/source/parameter"), "version");
    assert_null(pointer_get(document, "/errors/2/source"));
    assert_string_equal(at(document, "/errors/2/detail"), "The policy does not permit this operation.");
    assert_string_equal(at(document, "/errors/1/meta/permission"), "org.integration.delete");
    assert_string_equal(at(document, "/errors/1/meta/principal"), "ann \xef\xbf\xbd");
    assert_string_equal(refusal.fields->name, "Allow");
    assert_string_equal(refusal.fields->next->value, "1");
    assert_null(refusal.fields->next->next);
    json_decref(document);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind), cmocka_unit_test(several_errors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
