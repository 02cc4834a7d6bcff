#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/admin/token.h"

#define VARIABLE "PORTCULLIS_TEST_ADMIN_TOKEN"

static const struct config_secret source = {.env = (char[]){VARIABLE}};

static void shows_the_right_one(void **state)
{
    static const struct {
        const char *fields[2]; /* of Authorization */
        bool shown;
    } rows[] = {
        {{"Bearer secret"}, true},
        {{"bearer secret"}, true},
        {{NULL}, false},
        {{""}, false},
        {{"Bearer"}, false},
        {{"Bearer "}, false},
        {{"Bearer secreT"}, false},
        {{"Bearer secre"}, false},
        {{"Bearer secrets"}, false},
        {{"Bearer  secret"}, false},
        {{"Token secret"}, false},
        {{"Basic c2VjcmV0"}, false},
        {{"secret"}, false},
        {{"Bearer secret", "Bearer secret"}, false}, /* one field, not two */
        {{"Bearer wrong", "Bearer secret"}, false},
    };
    struct admin_token token = {.demanded = false};
    char error[256] = "";
    (void)state;

    assert_int_equal(setenv(VARIABLE, "secret\n", 1), 0);
    assert_true(admin_token_load(&token, &source, error, sizeof error));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct field fields[3] = {{span_of("Host"), span_of("x")}};
        struct request request = {.fields = fields, .field_count = 1};
        for (size_t f = 0; f < 2 && rows[i].fields[f] != NULL; f++)
            fields[request.field_count++] =
                (struct field){span_of("authorization"), span_of(rows[i].fields[f])};
        if (admin_token_shown(&token, &request) != rows[i].shown)
            fail_msg("row %zu", i);
    }
}

/* Without a setting nothing is demanded; a token that cannot be read leaves the one before in use. */
static void keeps_what_it_has(void **state)
{
    const struct config_secret none = {.env = NULL};
    const struct field fields[] = {{span_of("Authorization"), span_of("Bearer first")}};
    const struct request request = {.fields = fields, .field_count = 1}, empty = {.fields = NULL};
    struct admin_token token = {.demanded = false};
    char error[256] = "";
    (void)state;

    assert_true(admin_token_load(&token, &none, error, sizeof error));
    assert_true(admin_token_shown(&token, &empty));
    assert_int_equal(setenv(VARIABLE, "first", 1), 0);
    assert_true(admin_token_load(&token, &source, error, sizeof error));
    assert_false(admin_token_shown(&token, &empty));
    assert_int_equal(setenv(VARIABLE, "two words", 1), 0);
    assert_false(admin_token_load(&token, &source, error, sizeof error));
    assert_non_null(strstr(error, "admin.token: variable " VARIABLE));
    assert_null(strstr(error, "two words"));
    assert_true(admin_token_shown(&token, &request));
    assert_int_equal(unsetenv(VARIABLE), 0);
    assert_false(admin_token_load(&token, &source, error, sizeof error));
    assert_true(admin_token_shown(&token, &request));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_the_right_one),
        cmocka_unit_test(keeps_what_it_has),
    };

    return cmocka_run_group_tests_name("admin_token", tests, NULL, NULL);
}
