#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/config/value.h"

#include <stdlib.h>

static void reads_origins(void **state)
{
    static const struct {
        const char *text, *host, *authority;
        uint16_t port;
        bool tls;
    } rows[] = {
        {"https://api.snyk.io", "api.snyk.io", "api.snyk.io", 443, true},
        {"https://api.snyk.io/", "api.snyk.io", "api.snyk.io", 443, true},
        {"HTTPS://API.Snyk.IO:443", "api.snyk.io", "api.snyk.io", 443, true},
        {"https://api.snyk.io:8443", "api.snyk.io", "api.snyk.io:8443", 8443, true},
        {"http://localhost", "localhost", "localhost", 80, false},
        {"http://127.0.0.1:443", "127.0.0.1", "127.0.0.1:443", 443, false},
        {"http://[::1]:80", "::1", "[::1]", 80, false},
        {"https://[2001:DB8::1]:65535", "2001:db8::1", "[2001:db8::1]:65535", 65535, true},
        {"http://a-b.1c.example9", "a-b.1c.example9", "a-b.1c.example9", 80, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct origin origin;
        assert_null(origin_parse(rows[i].text, &origin));
        assert_string_equal(origin.host, rows[i].host);
        assert_string_equal(origin.authority, rows[i].authority);
        assert_int_equal(origin.port, rows[i].port);
        assert_int_equal(origin.tls, rows[i].tls);
        origin_free(&origin);
    }
}

static void refuses_origins(void **state)
{
    static const char *const rows[] = {
        "",
        "api.snyk.io",
        "ftp://api.snyk.io",
        "https:/api.snyk.io",
        "https://",
        "https:///",
        "http://:80",
        "https://user@api.snyk.io",
        "https://user:secret@api.snyk.io",
        "https://api.snyk.io/rest",
        "https://api.snyk.io//",
        "https://api.snyk.io?x",
        "https://api.snyk.io/#",
        "https://api.snyk.io\\x",
        "https://api.snyk.io:",
        "https://api.snyk.io:0",
        "https://api.snyk.io:65536",
        "https://api.snyk.io:080",
        "https://api.snyk.io:+1",
        "https://api.snyk.io:1:2",
        "https://api snyk.io",
        "https://api_snyk.io",
        "https://-api.snyk.io",
        "https://api-.snyk.io",
        "https://api..snyk.io",
        "https://.snyk.io",
        "https://api.snyk.io.",
        "https://127.1",
        "https://256.1.1.1",
        "https://0x7f.1",
        "https://2130706433",
        "https://[::1",
        "https://::1",
        "https://[::1]x",
        "https://[127.0.0.1]",
        "https://[::1%25lo]",
        "https://[]",
        "https://api.snyk.io\n",
        " https://api.snyk.io",
        "https://\xc3\xa4.example",
        "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct origin origin;
        if (origin_parse(rows[i], &origin) == NULL)
            fail_msg("\"%s\" was taken", rows[i]);
        assert_null(origin.host);
        assert_null(origin.authority);
    }
}

static void reads_addresses(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"0.0.0.0:0", "0.0.0.0", 0},
        {"[::1]:65535", "::1", 65535},
        {"[FE80::1]:1", "fe80::1", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config_address address;
        assert_null(address_parse(rows[i].text, &address));
        assert_string_equal(address.text, rows[i].text);
        assert_string_equal(address.host, rows[i].host);
        assert_int_equal(address.port, rows[i].port);
        free(address.text);
        free(address.host);
    }
}

static void refuses_addresses(void **state)
{
    static const char *const rows[] = {
        "",
        "8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:08",
        "localhost:8080",
        "*:80",
        "127.1:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "[127.0.0.1]:80",
        "127.0.0.1:80 ",
        "127.0.0.1:-1",
        "127.0.0.1:99999999999",
        "[fe80::1%lo]:80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config_address address;
        if (address_parse(rows[i], &address) == NULL)
            fail_msg("\"%s\" was taken", rows[i]);
        assert_null(address.text);
        assert_null(address.host);
    }
}

static void knows_loopback(void **state)
{
    (void)state;
    assert_true(host_is_loopback("127.0.0.1"));
    assert_true(host_is_loopback("127.255.0.9"));
    assert_true(host_is_loopback("::1"));
    assert_true(host_is_loopback("localhost"));
    assert_false(host_is_loopback("0.0.0.0"));
    assert_false(host_is_loopback("::"));
    assert_false(host_is_loopback("128.0.0.1"));
    assert_false(host_is_loopback("localhost.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_origins),   cmocka_unit_test(refuses_origins),
        cmocka_unit_test(reads_addresses), cmocka_unit_test(refuses_addresses),
        cmocka_unit_test(knows_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
