/* The request grammar. However the bytes are cut, what comes of them is the same; what is accepted can be
 * looked at by header_view, and written anew in the plainest way it is accepted again, with the same content.
 */
#include "proxy/http/header_view.h"
#include "proxy/wire/wire.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>

static const struct wire_limits limits = {
    .header_bytes = 2000, .header_fields = 20, .target_bytes = 300, .body_bytes = 1000};

struct reading {
    struct wire wire;
    size_t used, header;
    struct text content;
};

static void read_in(struct span bytes, size_t most, struct fuzz_dice dice, struct reading *reading)
{
    *reading = (struct reading){.used = 0};
    wire_begin(&reading->wire, &limits);
    while (reading->used < bytes.length && reading->wire.state < WIRE_COMPLETE) {
        size_t length = fuzz_cut(&dice, most, bytes.length - reading->used);
        char *piece = fuzz_piece(bytes.data + reading->used, length);
        for (size_t taken = 0; taken < length && reading->wire.state < WIRE_COMPLETE;) {
            bool in_head = reading->wire.state < WIRE_BODY;
            struct span data;
            size_t step = wire_read(&reading->wire, (struct span){piece + taken, length - taken}, &data);
            FUZZ_CHECK(step > 0 && step <= length - taken);
            FUZZ_CHECK(data.length == 0 ||
                       (data.data >= piece + taken && data.data + data.length <= piece + taken + step));
            if (data.length > 0)
                text_add(&reading->content, data.data, data.length);
            taken += step;
            reading->used += step;
            if (in_head && wire_header_complete(&reading->wire) && reading->header == 0)
                reading->header = reading->used;
        }
        free(piece);
    }
}

static void compare(const struct reading *a, const struct reading *b)
{
    FUZZ_CHECK(a->wire.state == b->wire.state && a->wire.fault == b->wire.fault && a->used == b->used);
    FUZZ_CHECK(a->header == b->header && span_equal(fuzz_of(&a->content), fuzz_of(&b->content)));
    if (!wire_header_complete(&a->wire))
        return;
    FUZZ_CHECK(wire_http_minor(&a->wire) == wire_http_minor(&b->wire));
    FUZZ_CHECK(wire_keeps_connection(&a->wire) == wire_keeps_connection(&b->wire));
    FUZZ_CHECK(wire_is_chunked(&a->wire) == wire_is_chunked(&b->wire));
    FUZZ_CHECK(wire_expects_continue(&a->wire) == wire_expects_continue(&b->wire));
}

static void check_split(struct span bytes, const struct reading *whole)
{
    static const size_t pieces[] = {1, 3, 40};
    struct fuzz_dice dice = fuzz_dice(bytes);

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct reading again;
        read_in(bytes, pieces[i], dice, &again);
        compare(whole, &again);
        text_free(&again.content);
    }
}

static bool frames(struct span name)
{
    return span_equal_nocase(name, span_of("content-length")) ||
           span_equal_nocase(name, span_of("transfer-encoding"));
}

/* The plainest spelling of an accepted request. */
static void write_plainly(const struct reading *reading, const struct request *request, struct text *out)
{
    text_add(out, request->method.data, request->method.length);
    text_add_string(out, " ");
    text_add(out, request->target.data, request->target.length);
    text_add_format(out, " HTTP/1.%d\r\n", wire_http_minor(&reading->wire));
    for (size_t i = 0; i < request->field_count; i++) {
        const struct field *field = &request->fields[i];
        if (frames(field->name))
            continue;
        text_add(out, field->name.data, field->name.length);
        text_add_string(out, ":");
        text_add(out, field->value.data, field->value.length);
        text_add_string(out, "\r\n");
    }
    if (wire_has_content(&reading->wire))
        text_add_format(out, "Content-Length:%zu\r\n", reading->content.length);
    text_add_string(out, "\r\n");
    text_add(out, reading->content.data, reading->content.length);
}

/* Where the request line begins: behind the empty lines. */
static struct span head_of(struct span bytes, size_t header)
{
    struct span head = {bytes.data, header};

    while (head.length >= 2 && head.data[0] == '\r' && head.data[1] == '\n')
        head = (struct span){head.data + 2, head.length - 2};
    return head;
}

static void check_accepted(struct span bytes, const struct reading *whole)
{
    struct arena arena;
    struct request request = {.has_content = false};
    struct text plain = {0};
    struct reading again;

    FUZZ_CHECK(whole->content.length == wire_content_read(&whole->wire));
    FUZZ_CHECK(whole->content.length <= limits.body_bytes);
    arena_init(&arena);
    FUZZ_CHECK(header_view(head_of(bytes, whole->header), wire_field_count(&whole->wire), &arena, &request));
    FUZZ_CHECK(request.target.length > 0 && request.target.length <= limits.target_bytes);
    FUZZ_CHECK(request.field_count <= limits.header_fields);
    write_plainly(whole, &request, &plain);
    /* What came in 1.1 with chunks may be longer with a length; nothing else grows. */
    if (plain.length - whole->content.length <= limits.header_bytes &&
        request.field_count < limits.header_fields) {
        read_in(fuzz_of(&plain), 0, fuzz_dice(bytes), &again);
        FUZZ_CHECK(again.wire.state == WIRE_COMPLETE && again.used == plain.length);
        FUZZ_CHECK(span_equal(fuzz_of(&again.content), fuzz_of(&whole->content)));
        FUZZ_CHECK(wire_keeps_connection(&again.wire) == wire_keeps_connection(&whole->wire));
        text_free(&again.content);
    }
    text_free(&plain);
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = fuzz_span(data, size);
    struct reading whole;

    read_in(bytes, 0, (struct fuzz_dice){0}, &whole);
    FUZZ_CHECK((whole.wire.state == WIRE_REFUSED) == (whole.wire.fault != WIRE_FAULT_NONE));
    FUZZ_CHECK(whole.wire.state >= WIRE_COMPLETE || whole.used == size);
    check_split(bytes, &whole);
    if (whole.wire.state == WIRE_COMPLETE)
        check_accepted(bytes, &whole);
    text_free(&whole.content);
    return 0;
}
