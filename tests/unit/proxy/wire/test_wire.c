/* Every case is read whole, byte by byte, and in random pieces: what comes of it must be the same. */
#include "proxy/wire/wire.h"

#include "tests/unit/table.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct wire_limits limits = {
    .header_bytes = 2000, .header_fields = 20, .target_bytes = 300, .body_bytes = 1024};

/* What came of reading one request. */
struct reading {
    struct wire wire;
    size_t left;
    struct text content;
};

/* How long the next piece is; 0 for all that is left. */
typedef size_t pieces(uint32_t *seed);

static size_t whole(uint32_t *seed)
{
    (void)seed;
    return 0;
}

static size_t one_byte(uint32_t *seed)
{
    (void)seed;
    return 1;
}

static size_t random_piece(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return 1 + (*seed >> 16) % 40;
}

/* Reads `bytes` in pieces, each in memory of its own, so that a sanitizer sees any look behind or ahead. */
static void read_in(struct span bytes, pieces *length_of, uint32_t seed, struct reading *reading)
{
    size_t used = 0;

    wire_begin(&reading->wire, &limits);
    text_clear(&reading->content);
    while (used < bytes.length && reading->wire.state < WIRE_COMPLETE) {
        size_t length = length_of(&seed), rest = bytes.length - used;
        if (length == 0 || length > rest)
            length = rest;
        char *piece = malloc(length);
        assert_non_null(piece);
        memcpy(piece, bytes.data + used, length);
        size_t taken = 0;
        while (taken < length && reading->wire.state < WIRE_COMPLETE) {
            struct span data;
            bool in_head = reading->wire.state < WIRE_BODY;
            size_t step = wire_read(&reading->wire, (struct span){piece + taken, length - taken}, &data);
            assert_in_range(step, 1, length - taken);
            assert_true(!in_head || data.length == 0);
            assert_true(data.length == 0 ||
                        (data.data >= piece + taken && data.data + data.length <= piece + taken + step));
            text_add(&reading->content, data.data ? data.data : "", data.length);
            taken += step;
        }
        used += taken;
        free(piece);
    }
    reading->left = bytes.length - used;
}

static const char *outcome_of(const struct wire *wire)
{
    static const char *const states[] = {
        [WIRE_IDLE] = "idle", [WIRE_HEAD] = "head", [WIRE_BODY] = "body", [WIRE_COMPLETE] = "complete"};

    return wire->state == WIRE_REFUSED ? wire_fault_name(wire->fault) : states[wire->state];
}

static void describe_header(const struct wire *wire, struct text *out)
{
    if (!wire_header_complete(wire)) {
        text_add_string(out, "-");
        return;
    }
    text_add_string(out, wire_http_minor(wire) == 1 ? "1.1" : "1.0");
    text_add_string(out, wire_keeps_connection(wire) ? " keep" : " close");
    text_add_string(out, wire_is_chunked(wire) ? " chunked" : "");
    text_add_string(out, wire_expects_continue(wire) ? " continue" : "");
}

/* One line that says all that is known. */
static void describe(const struct reading *reading, struct text *out)
{
    text_clear(out);
    text_add_format(out, "%s, %zu left, ", outcome_of(&reading->wire), reading->left);
    describe_header(&reading->wire, out);
    text_add_string(out, ", content ");
    text_add_json(out,
                  (struct span){reading->content.data ? reading->content.data : "", reading->content.length});
}

static void describe_expected(const struct table_row *row, struct text *out)
{
    struct span known = table_column(row, 4), content = table_column(row, 3);

    text_add_format(out, "%s, %s left, %s, content ", row->columns[1].data, row->columns[2].data,
                    known.length > 0 ? known.data : "-");
    text_add_json(out, content);
}

static bool load(const char *name, struct text *out)
{
    char path[300], buffer[4096];
    size_t length;

    (void)snprintf(path, sizeof path, "tests/wire/%s.http", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    while ((length = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_add(out, buffer, length);
    (void)fclose(file);
    return true;
}

static bool same(const struct table_row *row, const char *how, const struct text *found,
                 const struct text *expected)
{
    if (strcmp(found->data, expected->data) == 0)
        return true;
    (void)fprintf(stderr, "%s:%u: %s, %s\n  got      %s\n  expected %s\n", row->file, row->line,
                  row->columns[0].data, how, found->data, expected->data);
    return false;
}

static bool run_row(const struct table_row *row, void *arg)
{
    struct text raw = {0}, expected = {0}, found = {0};
    struct reading reading = {0};
    bool good = load(row->columns[0].data, &raw);
    const struct span bytes = {raw.data ? raw.data : "", raw.length};

    (void)arg;
    if (!good)
        (void)fprintf(stderr, "%s:%u: %s.http cannot be read\n", row->file, row->line, row->columns[0].data);
    describe_expected(row, &expected);
    read_in(bytes, whole, 0, &reading);
    describe(&reading, &found);
    good = good && same(row, "read whole", &found, &expected);
    read_in(bytes, one_byte, 0, &reading);
    describe(&reading, &found);
    good = good && same(row, "read byte by byte", &found, &expected);
    for (uint32_t seed = 1; good && seed <= 10; seed++) {
        read_in(bytes, random_piece, seed * 7919u + row->line, &reading);
        describe(&reading, &found);
        good = same(row, "read in pieces", &found, &expected);
    }
    text_free(&raw);
    text_free(&expected);
    text_free(&found);
    text_free(&reading.content);
    return good;
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *directory = opendir("tests/wire");

    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += strstr(entry->d_name, ".http") != NULL ? 1 : 0;
    (void)closedir(directory);
    return count;
}

static void raw_requests(void **state)
{
    unsigned cases = 0;

    (void)state;
    assert_int_equal(table_run("tests/wire/expect.tsv", 5, run_row, NULL, &cases), 0);
    assert_true(cases >= 150);
    assert_int_equal(cases, count_files());
}

/* Whatever the bytes: reading ends, in a state that is allowed, and a complete request is complete however it
 * was cut. */
static void random_bytes(void **state)
{
    static const char *const pieces_of_requests[] = {
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "3\r\nabc\r\n",
        "0\r\n",
        "X: y\r\n",
        "\n",
        "\r",
        " ",
        "abc",
        "1;a=\"b\"\r\n",
        "\x80",
        ":",
        "Connection: close\r\n",
    };
    struct text raw = {0}, first = {0}, second = {0};
    struct reading reading = {0};
    uint32_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        text_clear(&raw);
        text_add_string(&raw, round % 2 == 0 ? "POST / HTTP/1.1\r\nHost: a\r\n" : "");
        for (size_t count = random_piece(&seed) % 8; count > 0; count--)
            text_add_string(&raw, pieces_of_requests[random_piece(&seed) % (sizeof pieces_of_requests /
                                                                            sizeof *pieces_of_requests)]);
        struct span bytes = {raw.data ? raw.data : "", raw.length};
        read_in(bytes, whole, 0, &reading);
        describe(&reading, &first);
        read_in(bytes, random_piece, round, &reading);
        describe(&reading, &second);
        assert_string_equal(first.data, second.data);
    }
    text_free(&raw);
    text_free(&first);
    text_free(&second);
    text_free(&reading.content);
}

static void every_fault_is_described(void **state)
{
    (void)state;
    for (int fault = WIRE_FAULT_NONE + 1; fault < WIRE_FAULT_COUNT; fault++) {
        const char *name = wire_fault_name((enum wire_fault)fault),
                   *detail = wire_fault_detail((enum wire_fault)fault);
        assert_non_null(name);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-."), strlen(name));
        assert_in_range(wire_fault_status((enum wire_fault)fault), 400, 505);
        assert_int_equal(detail[strlen(detail) - 1], '.');
        for (int other = WIRE_FAULT_NONE; other < fault; other++)
            assert_string_not_equal(name, wire_fault_name((enum wire_fault)other));
    }
}

static void statuses(void **state)
{
    static const struct {
        enum wire_fault fault;
        int status;
    } cases[] = {
        {WIRE_FAULT_BARE_LF, 400}, {WIRE_FAULT_METHOD_UNKNOWN, 501}, {WIRE_FAULT_CODING_UNKNOWN, 501},
        {WIRE_FAULT_CONNECT, 400}, {WIRE_FAULT_TARGET_LONG, 414},    {WIRE_FAULT_HEADER_LARGE, 431},
        {WIRE_FAULT_FIELDS, 431},  {WIRE_FAULT_BODY_LARGE, 413},     {WIRE_FAULT_VERSION_UNKNOWN, 505},
        {WIRE_FAULT_VERSION, 400}, {WIRE_FAULT_EXPECTATION, 417},    {WIRE_FAULT_LENGTH_AND_CODING, 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(wire_fault_status(cases[i].fault), cases[i].status);
}

static void accessors(void **state)
{
    struct wire wire;
    struct span data, bytes = span_of("PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabc");

    (void)state;
    wire_begin(&wire, &limits);
    assert_int_equal(wire.state, WIRE_IDLE);
    assert_false(wire_header_complete(&wire));
    size_t taken = wire_read(&wire, bytes, &data);
    assert_int_equal(taken, bytes.length - 3);
    assert_int_equal(wire.state, WIRE_BODY);
    assert_true(wire_header_complete(&wire));
    assert_true(wire_has_content(&wire));
    assert_false(wire_is_chunked(&wire));
    assert_int_equal(wire_content_length(&wire), 7);
    assert_int_equal(wire_read(&wire, (struct span){bytes.data + taken, 3}, &data), 3);
    assert_true(span_is(data, "abc"));
    assert_int_equal(wire.state, WIRE_BODY);
    assert_int_equal(wire_read(&wire, span_of("defgGET"), &data), 4);
    assert_int_equal(wire.state, WIRE_COMPLETE);
    assert_int_equal(wire_read(&wire, span_of("GET"), &data), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_requests),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(every_fault_is_described),
        cmocka_unit_test(statuses),
        cmocka_unit_test(accessors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
