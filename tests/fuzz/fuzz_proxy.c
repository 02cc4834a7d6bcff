/* What proxies before the gate say of their clients: the PROXY protocol's header, and X-Forwarded-For.
 *
 * However a header's bytes are cut, what comes of them is the same, and not one byte behind it is taken. Whom
 * it names can be written as a version 1 line, which names the same. Of X-Forwarded-For never an address is
 * believed that stands behind one that is not trusted. */
#include "proxy/net/forwarded.h"
#include "proxy/net/proxy_header.h"
#include "tests/fuzz/fuzz.h"

static struct networks trusted;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct network items[2];

    (void)argc, (void)argv;
    FUZZ_CHECK(network_parse("10.0.0.0/8", &items[0]) == NULL);
    FUZZ_CHECK(network_parse("2001:db8::/32", &items[1]) == NULL);
    trusted = (struct networks){.items = items, .count = 2};
    return 0;
}

static size_t read_in(struct span bytes, size_t most, struct fuzz_dice dice, struct proxy_header *header)
{
    size_t used = 0;

    *header = (struct proxy_header){.taken = 0};
    while (used < bytes.length && header->state == PROXY_HEADER_MORE) {
        size_t length = fuzz_cut(&dice, most, bytes.length - used);
        char *piece = fuzz_piece(bytes.data + used, length);
        size_t taken = proxy_header_read(header, (struct span){piece, length});
        FUZZ_CHECK(taken <= length && (taken == length || header->state != PROXY_HEADER_MORE));
        used += taken;
        free(piece);
    }
    return used;
}

static void compare(const struct proxy_header *a, const struct proxy_header *b)
{
    FUZZ_CHECK(a->state == b->state);
    if (a->state == PROXY_HEADER_REFUSED)
        FUZZ_CHECK(strcmp(a->fault, b->fault) == 0);
    if (a->state != PROXY_HEADER_DONE)
        return;
    FUZZ_CHECK(a->source == b->source);
    if (a->source == PROXY_SOURCE_IP)
        FUZZ_CHECK(memcmp(&a->address, &b->address, sizeof a->address) == 0 && a->port == b->port);
}

static void check_line(const struct proxy_header *header)
{
    bool four = ip_address_is_four(&header->address);
    struct proxy_header again;
    struct text line = {0};
    char address[IP_ADDRESS_TEXT];

    ip_address_write(&header->address, address);
    text_add_format(&line, "PROXY %s %s %s %u 1\r\n", four ? "TCP4" : "TCP6", address,
                    four ? "1.2.3.4" : "::1", header->port);
    FUZZ_CHECK(read_in(fuzz_of(&line), 0, (struct fuzz_dice){0}, &again) == line.length);
    compare(header, &again);
    text_free(&line);
}

static void check_header(struct span bytes)
{
    static const size_t pieces[] = {1, 7, 60};
    struct proxy_header whole, again;
    size_t used = read_in(bytes, 0, (struct fuzz_dice){0}, &whole);

    FUZZ_CHECK(used <= PROXY_HEADER_MOST && (whole.state == PROXY_HEADER_REFUSED) == (whole.fault != NULL));
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        FUZZ_CHECK(read_in(bytes, pieces[i], fuzz_dice(bytes), &again) == used);
        compare(&whole, &again);
    }
    if (whole.state == PROXY_HEADER_DONE && whole.source == PROXY_SOURCE_IP)
        check_line(&whole);
}

/* Each line of the input is a field's value. */
static void check_forwarded(struct span bytes)
{
    struct field fields[8];
    struct ip_address client, again;
    char text[IP_ADDRESS_TEXT];
    size_t count = 0;

    while (bytes.length > 0 && count < sizeof fields / sizeof *fields) {
        const char *end = memchr(bytes.data, '\n', bytes.length);
        size_t length = end != NULL ? (size_t)(end - bytes.data) : bytes.length,
               used = length + (end != NULL);
        fields[count++] =
            (struct field){SPAN("X-Forwarded-For"), span_trim((struct span){bytes.data, length})};
        bytes = (struct span){bytes.data + used, bytes.length - used};
    }
    if (!forwarded_client(fields, count, &trusted, &client))
        return;
    ip_address_write(&client, text);
    FUZZ_CHECK(ip_address_parse(span_of(text), &again) && memcmp(&client, &again, sizeof client) == 0);

    /* What anybody may have put before the list changes nothing once an entry that is not trusted was met. */
    if (!networks_contain(&trusted, &client) && count < sizeof fields / sizeof *fields) {
        memmove(fields + 1, fields, count * sizeof *fields);
        fields[0] = (struct field){SPAN("X-Forwarded-For"), SPAN("192.0.2.66, 10.0.0.1")};
        FUZZ_CHECK(forwarded_client(fields, count + 1, &trusted, &again) &&
                   memcmp(&client, &again, sizeof client) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = fuzz_span(data, size);

    check_header(bytes);
    check_forwarded(bytes);
    return 0;
}
