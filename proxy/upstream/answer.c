#include "proxy/upstream/answer.h"
#include "policies/ascii.h"
#include "proxy/upstream/octets.h"

#include <stdlib.h>

#define LENGTH_DIGITS   18  /* of a Content-Length: always fits int64_t */
#define CHUNK_DIGITS    15  /* of a chunk's size: always fits int64_t */
#define EXTENSION_BYTES 256 /* of one chunk's extensions, which mean nothing to us */

enum part {
    PART_STATUS, /* the line under way is the status line, */
    PART_FIELDS, /* a field or the empty line behind them, */
    PART_TRAILERS,
    PART_LENGTH, /* a body of known length */
    PART_CLOSE,  /* a body that ends with the connection */
    PART_SIZE,   /* chunked: digits of a size, */
    PART_EXTENSION,
    PART_SIZE_END, /* the LF behind them, */
    PART_CHUNK,
    PART_CHUNK_CR, /* the line end behind a chunk */
    PART_CHUNK_LF,
};

struct answer {
    enum answer_state state;
    enum part part;
    const char *fault;
    bool began, head_request, connect;

    int status;
    bool http_1_0;
    bool has_length, chunked, close;
    int64_t length; /* as announced */

    int64_t left; /* of the body or the chunk */
    unsigned digits, extension;

    struct field fields[ANSWER_FIELDS]; /* into `header` */
    size_t field_count, trailer_count;
    size_t line;           /* where the line under way begins in `header` */
    size_t used, capacity; /* of `header` */
    char header[];         /* status line and fields as received, then trailers */
};

struct answer *answer_new(size_t header_bytes)
{
    struct answer *answer = malloc(sizeof(*answer) + header_bytes);
    if (answer == NULL)
        return NULL;
    answer->capacity = header_bytes;
    answer_begin(answer, false);
    return answer;
}

void answer_free(struct answer *answer)
{
    free(answer);
}

void answer_begin(struct answer *answer, bool head_request)
{
    answer->state = ANSWER_HEAD;
    answer->part = PART_STATUS;
    answer->fault = NULL;
    answer->began = false;
    answer->head_request = head_request;
    answer->connect = false;
    answer->status = 0;
    answer->http_1_0 = answer->has_length = answer->chunked = answer->close = false;
    answer->length = -1;
    answer->left = 0;
    answer->field_count = answer->trailer_count = 0;
    answer->line = answer->used = 0;
}

void answer_begin_connect(struct answer *answer)
{
    answer_begin(answer, false);
    answer->connect = true;
}

static bool invalid(struct answer *answer, const char *fault)
{
    answer->state = ANSWER_INVALID;
    answer->fault = fault;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_status_line(struct answer *answer, struct span line)
{
    const char *at = line.data;
    if (line.length < 13 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') || at[8] != ' ' ||
        !is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11]) || at[12] != ' ' ||
        !octets_are_value(line))
        return invalid(answer, "status-line");

    answer->http_1_0 = at[7] == '0';
    answer->status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
    if (answer->status < 100 || answer->status > 599)
        return invalid(answer, "status-code");
    if (answer->status < 200)
        return invalid(answer, "interim-answer"); /* we ask for none, and none may be taken for the answer */
    return true;
}

/* Splits a line into name and value, by the letter. */
static bool split_field(struct answer *answer, struct span line, struct field *field)
{
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return invalid(answer, "folded-field");
    const char *colon = memchr(line.data, ':', line.length);
    if (colon == NULL)
        return invalid(answer, "no-colon");

    size_t length = (size_t)(colon - line.data);
    field->name = (struct span){line.data, length};
    field->value = span_trim((struct span){colon + 1, line.length - length - 1});
    if (span_trim(field->name).length != length)
        return invalid(answer, "space-before-colon");
    if (!octets_are_token(field->name))
        return invalid(answer, "field-name");
    if (!octets_are_value(field->value))
        return invalid(answer, "field-value");
    return true;
}

static bool read_length(struct answer *answer, struct span value)
{
    if (answer->has_length)
        return invalid(answer, "two-lengths");
    if (value.length == 0 || value.length > LENGTH_DIGITS)
        return invalid(answer, "length");

    int64_t length = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (!is_digit(value.data[i]))
            return invalid(answer, "length");
        length = length * 10 + (value.data[i] - '0');
    }
    answer->has_length = true;
    answer->length = length;
    return true;
}

static bool read_coding(struct answer *answer, struct span value)
{
    if (answer->chunked || !span_equal_nocase(value, span_of("chunked")))
        return invalid(answer, "transfer-coding");
    answer->chunked = true;
    return true;
}

static bool read_connection(struct answer *answer, struct span value)
{
    struct span item;
    while (octets_next_item(&value, &item)) {
        if (!octets_are_token(item))
            return invalid(answer, "connection-field");
        if (span_equal_nocase(item, span_of("close")))
            answer->close = true;
    }
    return true;
}

#define FRAMING(NAME) NAME("content-length") NAME("transfer-encoding") NAME("connection")
static const struct span_set framing = SPAN_SET(FRAMING);

static bool read_field(struct answer *answer, struct span line)
{
    static bool (*const read[])(struct answer * answer, struct span value) = {read_length, read_coding,
                                                                              read_connection};

    if (answer->field_count == ANSWER_FIELDS)
        return invalid(answer, "too-many-fields");
    struct field *field = &answer->fields[answer->field_count];
    if (!split_field(answer, line, field))
        return false;
    answer->field_count++;
    size_t at = span_set_find(&framing, field->name);
    return at == framing.count || read[at](answer, field->value);
}

/* Trailers are read and dropped. Those that would change what was read already are refused (RFC 9110 §6.5.1).
 */
static bool read_trailer(struct answer *answer, struct span line)
{
    static const char *const forbidden[] = {
        "connection",    "content-length", "content-encoding",  "content-range", "content-type",
        "cache-control", "host",           "keep-alive",        "location",      "proxy-authenticate",
        "set-cookie",    "trailer",        "transfer-encoding", "upgrade",       "www-authenticate",
    };

    struct field field;
    if (++answer->trailer_count > ANSWER_FIELDS)
        return invalid(answer, "too-many-fields");
    if (!split_field(answer, line, &field))
        return false;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (span_equal_nocase(field.name, span_of(forbidden[i])))
            return invalid(answer, "forbidden-trailer");
    return true;
}

/* The header is whole: how is the body framed (RFC 9112 §6.3)? */
static bool judge_framing(struct answer *answer)
{
    if (answer->connect) {
        answer->state = ANSWER_DONE;
        return true;
    }
    if (answer->chunked && answer->has_length)
        return invalid(answer, "length-beside-coding");
    if (answer->chunked && answer->http_1_0)
        return invalid(answer, "coding-on-1.0");
    if (answer->status == 204 && (answer->chunked || answer->length > 0))
        return invalid(answer, "body-on-204");
    if (answer->status == 205 && (answer->chunked || answer->length > 0))
        return invalid(answer, "body-on-205"); /* RFC 9110 §15.3.6 */

    if (answer->status == 204)
        answer->length = 0;
    bool bodiless = answer->head_request || answer->status == 204 || answer->status == 304;
    if (bodiless || answer->length == 0) {
        answer->state = ANSWER_DONE;
        return true;
    }
    if (!answer->chunked && !answer->has_length && !answer->http_1_0 && !answer->close)
        return invalid(answer,
                       "no-framing"); /* whoever lets the connection live must say where the body ends */

    answer->state = ANSWER_BODY;
    answer->part = answer->chunked ? PART_SIZE : answer->has_length ? PART_LENGTH : PART_CLOSE;
    answer->left = answer->length;
    answer->digits = 0;
    return true;
}

/* A line is whole; it lies in `header` without its CRLF. */
static bool read_line(struct answer *answer, struct span line)
{
    switch (answer->part) {
    case PART_STATUS:
        answer->part = PART_FIELDS;
        return read_status_line(answer, line);
    case PART_FIELDS:
        return line.length == 0 ? judge_framing(answer) : read_field(answer, line);
    default:
        if (line.length > 0)
            return read_trailer(answer, line);
        answer->state = ANSWER_DONE;
        return true;
    }
}

/* Collects the line under way, and reads it when its end has come. Returns how many bytes were taken. */
static size_t take_line(struct answer *answer, struct span bytes)
{
    const char *end = memchr(bytes.data, '\n', bytes.length);
    size_t length = end ? (size_t)(end - bytes.data) + 1 : bytes.length;
    if (length > answer->capacity - answer->used) {
        invalid(answer, "header-too-large");
        return 0;
    }
    memcpy(answer->header + answer->used, bytes.data, length);
    answer->used += length;
    if (end == NULL)
        return length;

    struct span line = {answer->header + answer->line, answer->used - answer->line - 1};
    answer->line = answer->used;
    if (line.length == 0 || line.data[line.length - 1] != '\r') {
        invalid(answer, "bare-lf");
    } else {
        line.length--;
        read_line(answer, line);
    }
    return length;
}

static bool read_size(struct answer *answer, char c)
{
    int digit = ascii_hex(c);
    if (digit >= 0) {
        if (answer->digits == 0)
            answer->left = 0;
        if (++answer->digits > CHUNK_DIGITS)
            return invalid(answer, "chunk-size");
        answer->left = answer->left * 16 + digit;
        return true;
    }
    if (answer->digits == 0 || (c != ';' && c != '\r'))
        return invalid(answer, "chunk-size");
    answer->extension = 0;
    answer->part = c == ';' ? PART_EXTENSION : PART_SIZE_END;
    return true;
}

static bool read_extension(struct answer *answer, char c)
{
    if (c == '\r') {
        answer->part = PART_SIZE_END;
        return true;
    }
    if (++answer->extension > EXTENSION_BYTES || !octets_are_value((struct span){&c, 1}))
        return invalid(answer, "chunk-extension");
    return true;
}

/* One byte of the framing between chunks. */
static bool read_chunk_framing(struct answer *answer, char c)
{
    switch (answer->part) {
    case PART_SIZE:
        return read_size(answer, c);
    case PART_EXTENSION:
        return read_extension(answer, c);
    case PART_SIZE_END:
        answer->part = answer->left > 0 ? PART_CHUNK : PART_TRAILERS;
        return c == '\n' || invalid(answer, "chunk-size");
    case PART_CHUNK_CR:
        answer->part = PART_CHUNK_LF;
        return c == '\r' || invalid(answer, "chunk-end");
    default:
        answer->part = PART_SIZE;
        answer->digits = 0;
        return c == '\n' || invalid(answer, "chunk-end");
    }
}

/* A piece of the body, at most what is left of it or of its chunk. */
static size_t take_piece(struct answer *answer, struct span bytes, struct span *piece)
{
    *piece = bytes;
    if (answer->part == PART_CLOSE)
        return bytes.length;

    if (bytes.length > (uint64_t)answer->left)
        piece->length = (size_t)answer->left;
    answer->left -= (int64_t)piece->length;
    if (answer->left == 0 && answer->part == PART_CHUNK)
        answer->part = PART_CHUNK_CR;
    else if (answer->left == 0)
        answer->state = ANSWER_DONE;
    return piece->length;
}

static bool is_body(enum part part)
{
    return part == PART_LENGTH || part == PART_CLOSE || part == PART_CHUNK;
}

static bool is_line(enum part part)
{
    return part == PART_STATUS || part == PART_FIELDS || part == PART_TRAILERS;
}

size_t answer_read(struct answer *answer, struct span bytes, struct span *piece)
{
    *piece = (struct span){NULL, 0};
    enum answer_state before = answer->state;
    size_t taken = 0;
    if (bytes.length > 0 && before == ANSWER_HEAD)
        answer->began = true;

    while (taken < bytes.length && answer->state == before && before < ANSWER_DONE) {
        struct span rest = {bytes.data + taken, bytes.length - taken};
        if (is_body(answer->part))
            return taken + take_piece(answer, rest, piece);
        if (is_line(answer->part)) {
            taken += take_line(answer, rest);
        } else {
            read_chunk_framing(answer, rest.data[0]);
            taken++;
        }
    }
    return taken;
}

enum answer_state answer_finish(struct answer *answer)
{
    if (answer->state == ANSWER_BODY && answer->part == PART_CLOSE)
        answer->state = ANSWER_DONE;
    else if (answer->state < ANSWER_DONE)
        invalid(answer, "truncated");
    return answer->state;
}

enum answer_state answer_state(const struct answer *answer)
{
    return answer->state;
}

const char *answer_fault(const struct answer *answer)
{
    return answer->fault;
}

int answer_status(const struct answer *answer)
{
    return answer->status;
}

const struct field *answer_fields(const struct answer *answer, size_t *count)
{
    *count = answer->field_count;
    return answer->fields;
}

int64_t answer_length(const struct answer *answer)
{
    return answer->length;
}

bool answer_keeps_connection(const struct answer *answer)
{
    return answer->state == ANSWER_DONE && !answer->http_1_0 && !answer->close;
}

bool answer_began(const struct answer *answer)
{
    return answer->began;
}
