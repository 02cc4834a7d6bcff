#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policies/network.h"

static void reads_and_writes_addresses(void **state)
{
    static const struct {
        const char *text, *written; /* NULL: none */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::", "::"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.01", NULL},
        {"192.0.2.256", NULL},
        {" 192.0.2.1", NULL},
        {"192.0.2.1:80", NULL},
        {"[::1]", NULL},
        {"fe80::1%lo", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"localhost", NULL},
        {"0000000000000000000000000000000000000000000000::1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ip_address address;
        char text[IP_ADDRESS_TEXT] = "";

        assert_int_equal(ip_address_parse(span_of(rows[i].text), &address), rows[i].written != NULL);
        if (rows[i].written == NULL)
            continue;
        ip_address_write(&address, text);
        assert_string_equal(text, rows[i].written);
    }
    struct ip_address address;
    assert_false(ip_address_parse((struct span){"::1\0", 4}, &address));
}

static void says_what_is_wrong_with_a_network(void **state)
{
    static const struct {
        const char *text, *fault;
    } rows[] = {
        {"10.0.0.0/8", NULL},
        {"0.0.0.0/0", NULL},
        {"::/0", NULL},
        {"192.0.2.1", NULL},
        {"192.0.2.1/32", NULL},
        {"2001:db8::/32", NULL},
        {"::1/128", NULL},
        {"::ffff:10.0.0.0/104", NULL},
        {"", "is no network such as \"10.0.0.0/8\" or \"2001:db8::/32\", and no address"},
        {"10/8", "is no network such as \"10.0.0.0/8\" or \"2001:db8::/32\", and no address"},
        {"10.0.0.0/", "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)"},
        {"10.0.0.0/33", "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)"},
        {"10.0.0.0/08", "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)"},
        {"10.0.0.0/-1", "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)"},
        {"10.0.0.0/8/8", "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)"},
        {"::/129", "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)"},
        {"::/4294967296", "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)"},
        {"10.0.0.1/31", "has bits behind its prefix that are not zero"},
        {"2001:db8::1/32", "has bits behind its prefix that are not zero"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct network network;
        const char *fault = network_parse(rows[i].text, &network);
        if (rows[i].fault == NULL)
            assert_null(fault);
        else
            assert_string_equal(fault, rows[i].fault);
    }
}

static void contains(void **state)
{
    static const struct {
        const char *network, *address;
        bool contained;
    } rows[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "a00::1", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.0", false},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "1.2.3.4", false},
        {"::/0", "::ffff:1.2.3.4", false},
        {"::/0", "2001:db8::1", true},
        {"::ffff:0:0/96", "1.2.3.4", true},
        {"::fffe:0:0/95", "1.2.3.4", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct network network;
        struct ip_address address;
        const struct networks networks = {.items = &network, .count = 1};

        assert_null(network_parse(rows[i].network, &network));
        assert_true(ip_address_parse(span_of(rows[i].address), &address));
        assert_int_equal(networks_contain(&networks, &address), rows[i].contained);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_addresses),
        cmocka_unit_test(says_what_is_wrong_with_a_network),
        cmocka_unit_test(contains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
