#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/net/forwarded.h"

/* 10.0.0.0/8 and fd00::/8 are trusted. */
static void finds_the_client(void **state)
{
    static const struct {
        const char *first, *second; /* two fields; NULL: not there */
        const char *client;         /* NULL: none */
    } rows[] = {
        {NULL, NULL, NULL},
        {"192.0.2.1", NULL, "192.0.2.1"},
        {"192.0.2.1, 10.0.0.1", NULL, "192.0.2.1"},
        {"192.0.2.9,192.0.2.1,10.0.0.1,10.0.0.2", NULL, "192.0.2.1"},
        {"192.0.2.9", "192.0.2.1", "192.0.2.1"},
        {"192.0.2.9", "10.0.0.1", "192.0.2.9"},
        {"10.0.0.1, 10.0.0.2", NULL, "10.0.0.1"},
        {"fd00::1", "10.0.0.2", "fd00::1"},
        {"2001:db8::1, fd00::1", NULL, "2001:db8::1"},
        {"192.0.2.1:8080", NULL, "192.0.2.1"},
        {"[2001:db8::1]:8080, [fd00::1]", NULL, "2001:db8::1"},
        {"::ffff:192.0.2.1", NULL, "192.0.2.1"},
        {" \t192.0.2.1 \t", NULL, "192.0.2.1"},
        {"", NULL, NULL},
        {"unknown", NULL, NULL},
        {"192.0.2.1, unknown", NULL, NULL},
        {"unknown, 10.0.0.2", NULL, "10.0.0.2"},
        {"192.0.2.1, , 10.0.0.2", NULL, "10.0.0.2"},
        {"192.0.2.1,", NULL, NULL},
        {"[192.0.2.1]", NULL, NULL},
        {"[2001:db8::1", NULL, NULL},
        {"[2001:db8::1]80", NULL, NULL},
        {"192.0.2.1;10.0.0.1", NULL, NULL},
        {"192.0.2.1 10.0.0.1", NULL, NULL},
    };
    struct network items[2];
    const struct networks trusted = {.items = items, .count = 2};

    (void)state;
    assert_null(network_parse("10.0.0.0/8", &items[0]));
    assert_null(network_parse("fd00::/8", &items[1]));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct field fields[4] = {{SPAN("Host"), SPAN("198.51.100.1")}};
        struct ip_address client = {{0}};
        char text[IP_ADDRESS_TEXT] = "";
        size_t count = 1;

        if (rows[i].first != NULL)
            fields[count++] = (struct field){SPAN("x-forwarded-FOR"), span_of(rows[i].first)};
        if (rows[i].second != NULL)
            fields[count++] = (struct field){SPAN("X-Forwarded-For"), span_of(rows[i].second)};
        fields[count++] = (struct field){SPAN("X_Forwarded_For"), SPAN("198.51.100.2")};
        bool found = forwarded_client(fields, count, &trusted, &client);
        if (found != (rows[i].client != NULL))
            fail_msg("row %zu", i);
        if (found) {
            ip_address_write(&client, text);
            assert_string_equal(text, rows[i].client);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_client)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
