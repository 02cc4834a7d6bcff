#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/config/place.h"

static void reads_syslog(void **state)
{
    static const struct {
        const char *text, *path, *host;
        unsigned port;
    } rows[] = {
        {"unix:/dev/log", "/dev/log", NULL, 0},
        {"tls://siem.example:6515", NULL, "siem.example", 6515},
        {"TLS://Siem.Example", NULL, "siem.example", 6514},
        {"tls://[::1]", NULL, "::1", 6514},
        {"tls://[::1]:7", NULL, "::1", 7},
        {"tls://siem.example:443", NULL, "siem.example", 443},
        /* wrong: */
        {"", NULL, NULL, 0},
        {"unix:", NULL, NULL, 0},
        {"unix:log", NULL, NULL, 0},
        {"tls://", NULL, NULL, 0},
        {"tls://a@b", NULL, NULL, 0},
        {"tls://siem.example/path", NULL, NULL, 0},
        {"tls://siem.example:0", NULL, NULL, 0},
        {"tls://siem.example:", NULL, NULL, 0},
        {"tcp://siem.example", NULL, NULL, 0},
        {"/dev/log", NULL, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct place_syslog place;
        const char *wrong = place_syslog_parse(rows[i].text, &place);
        bool right = rows[i].path != NULL || rows[i].host != NULL;

        if ((wrong == NULL) != right)
            fail_msg("%s: %s", rows[i].text, wrong ? wrong : "is taken");
        if (rows[i].path != NULL)
            assert_string_equal(place.path, rows[i].path);
        else
            assert_null(place.path);
        if (rows[i].host != NULL) {
            assert_string_equal(place.origin.host, rows[i].host);
            assert_int_equal(place.origin.port, rows[i].port);
        } else {
            assert_null(place.origin.host);
        }
        place_syslog_free(&place);
    }
}

static void holds_the_length_of_a_socket(void **state)
{
    char text[5 + 109] = "unix:/";
    struct place_syslog place;

    (void)state;
    memset(text + 6, 'x', 106);
    assert_null(place_syslog_parse(text, &place)); /* 107 bytes and the NUL */
    text[112] = 'x';
    assert_non_null(place_syslog_parse(text, &place));
}

static void reads_webhooks(void **state)
{
    static const struct {
        const char *text, *authority, *target;
        bool tls;
    } rows[] = {
        {"https://siem.example/a/b?c=d&e", "siem.example", "/a/b?c=d&e", true},
        {"HTTPS://Siem.Example:8443/A", "siem.example:8443", "/A", true},
        {"https://siem.example", "siem.example", "/", true},
        {"https://siem.example?x", "siem.example", "/?x", true},
        {"https://siem.example/a%20b:c@d", "siem.example", "/a%20b:c@d", true},
        {"http://127.0.0.1:80/x", "127.0.0.1", "/x", false},
        {"http://[::1]:8080/x", "[::1]:8080", "/x", false},
        {"http://localhost:8080/x", "localhost:8080", "/x", false},
        /* wrong: */
        {"http://siem.example/x", NULL, NULL, false},
        {"http://10.0.0.1/x", NULL, NULL, false},
        {"http://localhost.example/x", NULL, NULL, false},
        {"http://localhost@siem.example/x", NULL, NULL, false},
        {"http://localhost\\@siem.example/x", NULL, NULL, false},
        {"https://user:word@siem.example/x", NULL, NULL, false},
        {"https://siem.example/a b", NULL, NULL, false},
        {"https://siem.example/a\r\nX: y", NULL, NULL, false},
        {"https://siem.example/\xc3\xa4", NULL, NULL, false},
        {"https://siem.example/a#b", NULL, NULL, false},
        {"https:///x", NULL, NULL, false},
        {"ftp://siem.example/x", NULL, NULL, false},
        {"siem.example/x", NULL, NULL, false},
        {"", NULL, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct place_webhook place;
        const char *wrong = place_webhook_parse(rows[i].text, &place);

        if ((wrong == NULL) != (rows[i].target != NULL))
            fail_msg("%s: %s", rows[i].text, wrong ? wrong : "is taken");
        if (wrong == NULL) {
            assert_string_equal(place.origin.authority, rows[i].authority);
            assert_string_equal(place.target, rows[i].target);
            assert_true(place.origin.tls == rows[i].tls);
        } else {
            assert_null(place.target);
            assert_null(place.origin.host);
        }
        place_webhook_free(&place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_syslog),
        cmocka_unit_test(holds_the_length_of_a_socket),
        cmocka_unit_test(reads_webhooks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
