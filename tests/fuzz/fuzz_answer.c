/* The grammar of upstream answers, to a GET and to a HEAD. However the bytes are cut, what comes of them is
 * the same; a body is as long as was announced; a connection is kept only behind a whole answer. */
#include "proxy/upstream/answer.h"
#include "tests/fuzz/fuzz.h"

struct reading {
    struct answer *answer;
    size_t used;
    enum answer_state state; /* before the connection ends */
    struct text body;
};

static void read_in(struct span bytes, bool head, size_t most, struct fuzz_dice dice, struct reading *reading)
{
    *reading = (struct reading){.answer = answer_new(1024)};
    FUZZ_CHECK(reading->answer != NULL);
    answer_begin(reading->answer, head);
    while (reading->used < bytes.length && answer_state(reading->answer) < ANSWER_DONE) {
        size_t length = fuzz_cut(&dice, most, bytes.length - reading->used);
        char *part = fuzz_piece(bytes.data + reading->used, length);
        for (size_t taken = 0; taken < length && answer_state(reading->answer) < ANSWER_DONE;) {
            struct span piece;
            size_t step = answer_read(reading->answer, (struct span){part + taken, length - taken}, &piece);
            FUZZ_CHECK(step <= length - taken);
            FUZZ_CHECK(step > 0 || answer_state(reading->answer) == ANSWER_INVALID);
            FUZZ_CHECK(piece.length == 0 ||
                       (piece.data >= part + taken && piece.data + piece.length <= part + taken + step));
            if (piece.length > 0)
                text_add(&reading->body, piece.data, piece.length);
            taken += step;
            reading->used += step;
        }
        free(part);
    }
    reading->state = answer_state(reading->answer);
    (void)answer_finish(reading->answer);
}

static void reading_free(struct reading *reading)
{
    answer_free(reading->answer);
    text_free(&reading->body);
}

static void compare(const struct reading *a, const struct reading *b)
{
    size_t count, other;

    FUZZ_CHECK(a->state == b->state && answer_state(a->answer) == answer_state(b->answer));
    if (answer_state(a->answer) == ANSWER_INVALID) {
        /* Which of two faults of one line is named may hang on where it was cut; that there is one may not.
         */
        FUZZ_CHECK(answer_fault(a->answer) != NULL && answer_fault(b->answer) != NULL);
        return;
    }
    const struct field *fields = answer_fields(a->answer, &count), *others = answer_fields(b->answer, &other);
    FUZZ_CHECK(a->used == b->used && count == other);
    FUZZ_CHECK(span_equal(fuzz_of(&a->body), fuzz_of(&b->body)));
    FUZZ_CHECK(answer_status(a->answer) == answer_status(b->answer));
    FUZZ_CHECK(answer_keeps_connection(a->answer) == answer_keeps_connection(b->answer));
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(span_equal(fields[i].name, others[i].name) &&
                   span_equal(fields[i].value, others[i].value));
}

static void check_whole(const struct reading *whole, bool head)
{
    const struct answer *answer = whole->answer;
    bool done = answer_state(answer) == ANSWER_DONE;

    FUZZ_CHECK(done || answer_state(answer) == ANSWER_INVALID);
    FUZZ_CHECK(done == (answer_fault(answer) == NULL));
    FUZZ_CHECK(done || !answer_keeps_connection(answer));
    FUZZ_CHECK(whole->state == ANSWER_DONE || !answer_keeps_connection(answer));
    if (!done)
        return;
    int status = answer_status(answer);
    bool bodiless = head || status == 204 || status == 304;
    FUZZ_CHECK(status >= 200 && status <= 599);
    if (bodiless)
        FUZZ_CHECK(whole->body.length == 0);
    else if (answer_length(answer) >= 0)
        FUZZ_CHECK(whole->body.length == (uint64_t)answer_length(answer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 3, 50};
    struct span bytes = fuzz_span(data, size);

    for (int head = 0; head < 2; head++) {
        struct reading whole, again;
        read_in(bytes, head == 1, 0, (struct fuzz_dice){0}, &whole);
        check_whole(&whole, head == 1);
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            read_in(bytes, head == 1, pieces[i], fuzz_dice(bytes), &again);
            compare(&whole, &again);
            reading_free(&again);
        }
        reading_free(&whole);
    }
    return 0;
}
