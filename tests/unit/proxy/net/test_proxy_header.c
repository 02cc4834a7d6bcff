#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policies/text.h"
#include "proxy/net/proxy_header.h"

/* What a header comes to: "192.0.2.1:1234", "unix", "none", "more", or "refused: " and the fault. */
static void describe(const struct proxy_header *header, struct text *out)
{
    char address[IP_ADDRESS_TEXT];

    text_clear(out);
    if (header->state == PROXY_HEADER_MORE) {
        text_add_string(out, "more");
    } else if (header->state == PROXY_HEADER_REFUSED) {
        text_add_format(out, "refused: %s", header->fault);
    } else if (header->source == PROXY_SOURCE_IP) {
        ip_address_write(&header->address, address);
        text_add_format(out, "%s:%u", address, header->port);
    } else {
        text_add_string(out, header->source == PROXY_SOURCE_UNIX ? "unix" : "none");
    }
}

/* The bytes whole, and with more behind them, and one by one: each way comes to the same, and takes no byte
 * that is not the header's. */
static void expect(const char *name, struct span bytes, const char *expected)
{
    struct proxy_header whole = {0}, single = {0};
    struct text shown = {0}, more = {0};
    size_t used = proxy_header_read(&whole, bytes), at = 0;

    describe(&whole, &shown);
    if (strcmp(shown.data, expected) != 0)
        fail_msg("%s: %s, not %s", name, shown.data, expected);
    while (at < bytes.length && single.state == PROXY_HEADER_MORE)
        at += proxy_header_read(&single, (struct span){bytes.data + at, 1});
    describe(&single, &shown);
    if (strcmp(shown.data, expected) != 0 || at != used)
        fail_msg("%s, byte by byte: %s after %zu, not %s after %zu", name, shown.data, at, expected, used);
    if (whole.state == PROXY_HEADER_DONE) {
        struct proxy_header again = {0};
        assert_int_equal(used, bytes.length);
        text_add(&more, bytes.data, bytes.length);
        text_add_string(&more, "GET / HTTP/1.1\r\n");
        assert_int_equal(proxy_header_read(&again, (struct span){more.data, more.length}), used);
        assert_int_equal(again.state, PROXY_HEADER_DONE);
        assert_int_equal(proxy_header_read(&again, SPAN("more")), 0);
    }
    text_free(&shown);
    text_free(&more);
}

#define NONE     "refused: there is none"
#define ADDRESS  "refused: an address in the line is malformed, or of another family"
#define PORT     "refused: a port in the line is malformed"
#define PROTOCOL "refused: the line names another protocol than TCP4, TCP6 and UNKNOWN"
#define BYTE     "refused: the line holds a byte that is no visible ASCII"
#define SIX      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static void reads_lines(void **state)
{
    static const struct {
        const char *line, *expected;
    } rows[] = {
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", "192.0.2.1:1234"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535"},
        {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0"},
        {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1:1"},
        {"PROXY TCP6 " SIX " " SIX " 65535 65535\r\n", SIX ":65535"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1"},
        {"PROXY UNKNOWN\r\n", "none"},
        {"PROXY UNKNOWN \r\n", "none"},
        {"PROXY UNKNOWN " SIX " " SIX " 65535 65535\r\n", "none"},
        {"PROXY UNKNOWN and whatever it says\r\n", "none"},
        {"", "more"},
        {"PROXY ", "more"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443", "more"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r", "more"},
        {"GET / HTTP/1.1\r\n", NONE},
        {"P\r\n", NONE},
        {"PROXY\r\n", NONE},
        {"proxy TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", NONE},
        {" PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", NONE},
        {"PROXYTCP4 192.0.2.1 192.0.2.2 1234 443\r\n", NONE},
        {"PROXY \r\n", PROTOCOL},
        {"PROXY  TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", PROTOCOL},
        {"PROXY TCP5 192.0.2.1 192.0.2.2 1234 443\r\n", PROTOCOL},
        {"PROXY tcp4 192.0.2.1 192.0.2.2 1234 443\r\n", PROTOCOL},
        {"PROXY TCP 192.0.2.1 192.0.2.2 1234 443\r\n", PROTOCOL},
        {"PROXY UDP4 192.0.2.1 192.0.2.2 1234 443\r\n", PROTOCOL},
        {"PROXY UNKNOWN2\r\n", PROTOCOL},
        {"PROXY TCP4\r\n", ADDRESS},
        {"PROXY TCP4 \r\n", ADDRESS},
        {"PROXY TCP4 192.0.2.1\r\n", ADDRESS},
        {"PROXY TCP4 192.0.2.1  192.0.2.2 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 192.0.2.01 192.0.2.2 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 192.0.2.256 192.0.2.2 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 0x7f.0.0.1 192.0.2.2 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 2130706433 192.0.2.2 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 ::1 ::1 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 192.0.2.1 ::1 1234 443\r\n", ADDRESS},
        {"PROXY TCP6 192.0.2.1 192.0.2.2 1234 443\r\n", ADDRESS},
        {"PROXY TCP6 [::1] ::1 1234 443\r\n", ADDRESS},
        {"PROXY TCP6 fe80::1%lo ::1 1234 443\r\n", ADDRESS},
        {"PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 localhost 192.0.2.2 1234 443\r\n", ADDRESS},
        {"PROXY TCP4 192.0.2.1 192.0.2.2\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 \r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443 \r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443 1\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234  443\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 123456 443\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 01234 443\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 +1234 443\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 -1 443\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 12a4 443\r\n", PORT},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\n", BYTE},
        {"PROXY TCP4\t192.0.2.1 192.0.2.2 1234 443\r\n", BYTE},
        {"PROXY UNKNOWN \x7f\r\n", BYTE},
        {"PROXY UNKNOWN \xc3\xa9\r\n", BYTE},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\rX", "refused: the line holds a CR that no LF follows"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\r\n", "refused: the line holds a CR that no LF follows"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].line, span_of(rows[i].line), rows[i].expected);
    expect("NUL in a line", SPAN("PROXY UNKNOWN \0\r\n"), BYTE);
}

/* 107 bytes with the CRLF, and no more. */
static void bounds_the_line(void **state)
{
    struct text line = {0};

    (void)state;
    text_add_string(&line, "PROXY UNKNOWN ");
    while (line.length < 105)
        text_add_string(&line, "x");
    text_add_string(&line, "\r\n");
    assert_int_equal(line.length, 107);
    expect("107 bytes", (struct span){line.data, line.length}, "none");
    line.length -= 2;
    text_add_string(&line, "x\r\n");
    expect("108 bytes", (struct span){line.data, line.length}, "refused: the line is longer than 107 bytes");
    text_free(&line);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define FOUR      "\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\xd2\x01\xbb" /* 192.0.2.1:1234 to 192.0.2.2:443 */
#define SIXTEEN   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define VERSION   "refused: its version or command is not known"
#define FAMILY    "refused: its address family or protocol is none of TCP over IPv4, over IPv6, and UNIX stream"
#define SHORT     "refused: it is too short for its addresses"
#define BEYOND    "refused: a TLV reaches beyond it"
#define CHECKSUM  "refused: its checksum is malformed, or there twice"

static void reads_binary_headers(void **state)
{
    static const struct {
        const char *name;
        struct span bytes;
        const char *expected;
    } rows[] = {
        {"TCP4", SPAN_INIT(SIGNATURE "\x21\x11\0\x0c" FOUR), "192.0.2.1:1234"},
        {"TCP6", SPAN_INIT(SIGNATURE "\x21\x21\0\x24" SIXTEEN SIXTEEN "\0\x01\0\x02"), "2001:db8::1:1"},
        {"LOCAL without a block", SPAN_INIT(SIGNATURE "\x20\0\0\0"), "none"},
        {"LOCAL with addresses", SPAN_INIT(SIGNATURE "\x20\x11\0\x0c" FOUR), "none"},
        {"LOCAL of an unknown family", SPAN_INIT(SIGNATURE "\x20\xff\0\x03xyz"), "none"},
        {"no family", SPAN_INIT(SIGNATURE "\x21\0\0\0"), "none"},
        {"no family, with a block", SPAN_INIT(SIGNATURE "\x21\0\0\x03xyz"), "none"},
        {"a TLV", SPAN_INIT(SIGNATURE "\x21\x11\0\x11" FOUR "\x02\0\x02hi"), "192.0.2.1:1234"},
        {"an empty TLV", SPAN_INIT(SIGNATURE "\x21\x11\0\x0f" FOUR "\x04\0\0"), "192.0.2.1:1234"},
        {"two TLVs", SPAN_INIT(SIGNATURE "\x21\x11\0\x13" FOUR "\x04\0\0\xe0\0\x01!"), "192.0.2.1:1234"},
        {"checksum", SPAN_INIT(SIGNATURE "\x21\x11\0\x13" FOUR "\x03\0\x04\xc9\x1d\x66\x93"),
         "192.0.2.1:1234"},
        {"wrong checksum", SPAN_INIT(SIGNATURE "\x21\x11\0\x13" FOUR "\x03\0\x04\0\0\0\0"),
         "refused: its checksum is wrong"},
        {"cut in the signature", SPAN_INIT("\r\n\r\n\0\r\nQUI"), "more"},
        {"cut behind the length", SPAN_INIT(SIGNATURE "\x21\x11\0\x0c"), "more"},
        {"cut in the addresses", SPAN_INIT(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02"), "more"},
        {"cut in a TLV", SPAN_INIT(SIGNATURE "\x21\x11\0\x11" FOUR "\x02\0\x02h"), "more"},
        {"wrong signature", SPAN_INIT("\r\n\r\n\0\r\nQUIT\r"), NONE},
        {"blank lines", SPAN_INIT("\r\n\r\nGET / HTTP/1.1\r\n"), NONE},
        {"TLS", SPAN_INIT("\x16\x03\x01\x02\0"), NONE},
        {"version 1", SPAN_INIT(SIGNATURE "\x11\x11\0\x0c" FOUR), VERSION},
        {"version 3", SPAN_INIT(SIGNATURE "\x31\x11\0\x0c" FOUR), VERSION},
        {"command 2", SPAN_INIT(SIGNATURE "\x22\x11\0\x0c" FOUR), VERSION},
        {"UDP4", SPAN_INIT(SIGNATURE "\x21\x12\0\x0c" FOUR), FAMILY},
        {"UNIX datagram", SPAN_INIT(SIGNATURE "\x21\x32\0\xd8"), FAMILY},
        {"IPv4 without protocol", SPAN_INIT(SIGNATURE "\x21\x10\0\x0c" FOUR), FAMILY},
        {"family 4", SPAN_INIT(SIGNATURE "\x21\x41\0\x0c" FOUR), FAMILY},
        {"no address", SPAN_INIT(SIGNATURE "\x21\x11\0\0"), SHORT},
        {"short for IPv4", SPAN_INIT(SIGNATURE "\x21\x11\0\x0b"), SHORT},
        {"short for IPv6", SPAN_INIT(SIGNATURE "\x21\x21\0\x23"), SHORT},
        {"short for UNIX", SPAN_INIT(SIGNATURE "\x21\x31\0\xd7"), SHORT},
        {"too long", SPAN_INIT(SIGNATURE "\x21\x11\x0f\xf1"), "refused: it is longer than 4096 bytes"},
        {"LOCAL and too long", SPAN_INIT(SIGNATURE "\x20\x00\xff\xff"),
         "refused: it is longer than 4096 bytes"},
        {"TLV without length", SPAN_INIT(SIGNATURE "\x21\x11\0\x0d" FOUR "\x02"), BEYOND},
        {"TLV with half a length", SPAN_INIT(SIGNATURE "\x21\x11\0\x0e" FOUR "\x02\0"), BEYOND},
        {"TLV too long by one", SPAN_INIT(SIGNATURE "\x21\x11\0\x10" FOUR "\x02\0\x02h"), BEYOND},
        {"TLV of 65535", SPAN_INIT(SIGNATURE "\x21\x11\0\x10" FOUR "\x02\xff\xffh"), BEYOND},
        {"checksum of 3 bytes", SPAN_INIT(SIGNATURE "\x21\x11\0\x12" FOUR "\x03\0\x03xyz"), CHECKSUM},
        {"two checksums", SPAN_INIT(SIGNATURE "\x21\x11\0\x1a" FOUR "\x03\0\x04\0\0\0\0\x03\0\x04\0\0\0\0"),
         CHECKSUM},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proxy_header header = {0};
        (void)proxy_header_read(&header, rows[i].bytes);
        /* What is refused is refused no later than at the byte that makes it wrong. */
        struct span bytes = rows[i].bytes;
        if (header.state == PROXY_HEADER_REFUSED)
            bytes.length = header.taken;
        expect(rows[i].name, bytes, rows[i].expected);
    }
}

/* A header of `length` bytes behind the fixed part. */
static void begin(struct text *out, unsigned char family, size_t length)
{
    text_add(out, SIGNATURE, 12);
    text_add(out, (const char[]){0x21, (char)family, (char)(length >> 8), (char)length}, 4);
}

static void fill(struct text *out, size_t count)
{
    while (count-- > 0)
        text_add(out, "x", 1);
}

static void reads_long_ones(void **state)
{
    struct text local = {0}, largest = {0};

    (void)state;
    begin(&local, 0x31, 216);
    fill(&local, 216);
    expect("UNIX", (struct span){local.data, local.length}, "unix");

    begin(&largest, 0x11, PROXY_HEADER_MOST - 16);
    text_add(&largest, FOUR, 12);
    size_t value = PROXY_HEADER_MOST - 16 - 12 - 3;
    text_add(&largest, (const char[]){0x20, (char)(value >> 8), (char)value}, 3);
    fill(&largest, value);
    expect("4096 bytes", (struct span){largest.data, largest.length}, "192.0.2.1:1234");
    text_free(&local);
    text_free(&largest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines),
        cmocka_unit_test(bounds_the_line),
        cmocka_unit_test(reads_binary_headers),
        cmocka_unit_test(reads_long_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
