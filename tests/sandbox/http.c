#include "tests/sandbox/http.h"

#define LINE_LIMIT 4096u /* a chunk size or a trailer */

static bool is_token(struct span bytes)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < bytes.length; i++) {
        char c = bytes.data[i], lower = ascii_lower(c);

        if (!((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || (c != '\0' && strchr(marks, c))))
            return false;
    }
    return bytes.length > 0;
}

static bool is_visible(struct span bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.data[i] <= ' ' || bytes.data[i] > '~')
            return false;
    return bytes.length > 0;
}

/* Field content: tab, space, visible and any byte above 127. */
static bool is_value(struct span bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        if ((c < ' ' && c != '\t') || c == 127)
            return false;
    }
    return true;
}

static struct span trim(struct span bytes)
{
    while (bytes.length > 0 && (bytes.data[0] == ' ' || bytes.data[0] == '\t')) {
        bytes.data++;
        bytes.length--;
    }
    while (bytes.length > 0 && strchr(" \t", bytes.data[bytes.length - 1]) && bytes.data[bytes.length - 1])
        bytes.length--;
    return bytes;
}

struct span http_field(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (span_is(request->fields[i].name, name))
            return request->fields[i].value;
    return (struct span){NULL, 0};
}

static size_t field_copies(const struct http_request *request, const char *name)
{
    size_t copies = 0;

    for (size_t i = 0; i < request->field_count; i++)
        copies += span_is(request->fields[i].name, name);
    return copies;
}

/* Notes why the request is refused; says 0 as "no" to its caller's question whether to go on. */
static bool refuse(struct http_reader *reader, int status, const char *detail)
{
    reader->status = status;
    reader->detail = detail;
    reader->phase = HTTP_REFUSED;
    return false;
}

/* Keeps the parts of the request line even when they are wrong: the ledger shows them. */
static bool read_request_line(struct http_reader *reader, struct span line)
{
    struct http_request *request = &reader->request;
    const char *first = memchr(line.data, ' ', line.length);
    const char *last = memrchr(line.data, ' ', line.length);
    struct span version = {NULL, 0};

    request->method = (struct span){line.data, first ? (size_t)(first - line.data) : line.length};
    if (first != NULL) {
        const char *end = last > first ? last : line.data + line.length;
        request->target = (struct span){first + 1, (size_t)(end - first - 1)};
        version =
            (struct span){end + (last > first), (size_t)(line.data + line.length - end) - (last > first)};
    }
    if (!is_token(request->method))
        return refuse(reader, 400, "The method is no token.");
    if (!is_visible(request->target))
        return refuse(reader, 400, "The request target is missing or holds bytes that must be encoded.");
    if (!span_is(version, "HTTP/1.0") && !span_is(version, "HTTP/1.1")) {
        bool other = version.length == 8 && memcmp(version.data, "HTTP/", 5) == 0;
        return refuse(reader, other ? 505 : 400, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    }
    request->minor = (unsigned)(version.data[7] - '0');
    return true;
}

static bool read_field(struct http_reader *reader, struct span line)
{
    struct http_request *request = &reader->request;
    const char *colon = memchr(line.data, ':', line.length);

    if (request->field_count == HTTP_FIELD_LIMIT)
        return refuse(reader, 431, "There are too many header fields.");
    if (colon == NULL)
        return refuse(reader, 400, "A header line has no colon.");

    struct http_field *field = &request->fields[request->field_count++];
    field->name = (struct span){line.data, (size_t)(colon - line.data)};
    field->value = trim((struct span){colon + 1, (size_t)(line.data + line.length - colon - 1)});
    for (char *c = reader->head.data + (line.data - reader->head.data); c < colon; c++)
        *c = ascii_lower(*c);
    if (!is_token(field->name))
        return refuse(reader, 400, "The name of a header field is no token.");
    if (!is_value(field->value))
        return refuse(reader, 400, "The value of a header field holds a control character.");
    return true;
}

/* Reads the lines of the head, as many as there are; the last one may be unfinished. */
static bool parse_head(struct http_reader *reader)
{
    const char *at = reader->head.data, *end = at + reader->head.length;

    for (bool first = true; at < end; first = false) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct span line = {at, (size_t)((newline ? newline : end) - at)};

        at = newline ? newline + 1 : end;
        if (line.length > 0 && line.data[line.length - 1] == '\r')
            line.length--;
        if (line.length == 0)
            return true;
        if (first ? !read_request_line(reader, line) : !read_field(reader, line))
            return false;
    }
    return true;
}

/* Refuses before the head was parsed: what there is of it goes into the ledger. */
static void refuse_head(struct http_reader *reader, int status, const char *detail)
{
    parse_head(reader);
    refuse(reader, status, detail);
}

/* Does a list field hold the word? */
static bool lists_word(const struct http_request *request, const char *name, const char *word)
{
    for (size_t i = 0; i < request->field_count; i++) {
        struct span rest = request->fields[i].value;

        if (!span_is(request->fields[i].name, name))
            continue;
        while (rest.length > 0) {
            const char *comma = memchr(rest.data, ',', rest.length);
            size_t length = comma ? (size_t)(comma - rest.data) : rest.length;

            if (span_equal_nocase(trim((struct span){rest.data, length}), span_of(word)))
                return true;
            length += comma != NULL;
            rest = (struct span){rest.data + length, rest.length - length};
        }
    }
    return false;
}

static bool read_length(struct http_reader *reader, struct span digits)
{
    uint64_t length = 0;

    if (digits.length == 0 || digits.length > 18)
        return refuse(reader, 400, "Content-Length is no number.");
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return refuse(reader, 400, "Content-Length is no number.");
        length = length * 10 + (uint64_t)(digits.data[i] - '0');
    }
    if (length > HTTP_BODY_LIMIT)
        return refuse(reader, 413, "The body is larger than this stand-in takes.");
    reader->left = length;
    reader->phase = length > 0 ? HTTP_BODY : HTTP_DONE;
    return true;
}

/* Decides how the body is framed. Whatever two readers could see differently is refused. */
static bool read_framing(struct http_reader *reader)
{
    const struct http_request *request = &reader->request;
    size_t lengths = field_copies(request, "content-length");
    size_t codings = field_copies(request, "transfer-encoding");
    size_t hosts = field_copies(request, "host");

    if (hosts > 1 || (hosts == 0 && request->minor == 1))
        return refuse(reader, 400, "There must be one Host field.");
    if (lengths > 1 || (lengths > 0 && codings > 0))
        return refuse(reader, 400, "The length of the body is given twice.");
    if (codings > 0 && request->minor == 0)
        return refuse(reader, 400, "Transfer-Encoding has no meaning in HTTP/1.0.");
    if (codings > 1 ||
        (codings == 1 && !span_equal_nocase(http_field(request, "transfer-encoding"), span_of("chunked"))))
        return refuse(reader, 501, "The only transfer coding known here is chunked.");

    if (codings == 1)
        reader->phase = HTTP_CHUNK_SIZE;
    else if (lengths == 1)
        return read_length(reader, http_field(request, "content-length"));
    else
        reader->phase = HTTP_DONE;
    return true;
}

static void finish_head(struct http_reader *reader)
{
    struct http_request *request = &reader->request;

    if (!parse_head(reader) || !read_framing(reader))
        return;
    request->keep_alive = request->minor == 1 ? !lists_word(request, "connection", "close")
                                              : lists_word(request, "connection", "keep-alive");
    reader->wants_continue =
        request->minor == 1 && reader->phase != HTTP_DONE && lists_word(request, "expect", "100-continue");
}

/* Moves bytes up to and with the next line feed; true when the line is complete. */
static bool take_line(struct text *into, struct span *bytes)
{
    const char *newline = memchr(bytes->data, '\n', bytes->length);
    size_t length = newline ? (size_t)(newline - bytes->data) + 1 : bytes->length;

    text_add(into, bytes->data, length);
    bytes->data += length;
    bytes->length -= length;
    return newline != NULL;
}

static bool ends_with_crlf(const struct text *text)
{
    return text->length >= 2 && memcmp(text->data + text->length - 2, "\r\n", 2) == 0;
}

static void read_head(struct http_reader *reader, struct span *bytes)
{
    struct text *head = &reader->head;
    bool complete = take_line(head, bytes);

    if (head->length > HTTP_HEAD_LIMIT) {
        refuse_head(reader, 431, "The head of the request is too large.");
        return;
    }
    if (!complete)
        return;
    if (!ends_with_crlf(head)) {
        refuse_head(reader, 400, "A line of the head does not end with CRLF.");
        return;
    }
    if (head->length - reader->line_start > 2)
        reader->line_start = head->length;
    else if (head->length > 2)
        finish_head(reader);
    else
        text_clear(head); /* an empty line before the request is let pass (RFC 9112, 2.2) */
}

/* Takes what there is of the body or chunk; true when that part is complete. */
static bool take_data(struct http_reader *reader, struct span *bytes)
{
    size_t length = bytes->length < reader->left ? bytes->length : (size_t)reader->left;

    text_add(&reader->body, bytes->data, length);
    bytes->data += length;
    bytes->length -= length;
    reader->left -= length;
    return reader->left == 0;
}

static int hex_digit(char c)
{
    c = ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_chunk_size(struct http_reader *reader)
{
    const char *line = reader->line.data;
    size_t length = reader->line.length - 2, at = 0;
    uint64_t size = 0;

    for (; at < length && at < 8 && hex_digit(line[at]) >= 0; at++)
        size = size * 16 + (uint64_t)hex_digit(line[at]);
    if (at == 0 || (at < length && line[at] != ';') || !is_value((struct span){line, length}))
        return refuse(reader, 400, "The size of a chunk is no hexadecimal number.");
    if (reader->body.length + size > HTTP_BODY_LIMIT)
        return refuse(reader, 413, "The body is larger than this stand-in takes.");
    reader->left = size;
    reader->phase = size > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILERS;
    return true;
}

/* Trailers are checked for their form and dropped. */
static bool read_trailer(struct http_reader *reader)
{
    struct span line = {reader->line.data, reader->line.length - 2};
    const char *colon = line.length ? memchr(line.data, ':', line.length) : NULL;

    if (line.length == 0) {
        reader->phase = HTTP_DONE;
        return true;
    }
    if (colon == NULL || !is_token((struct span){line.data, (size_t)(colon - line.data)}) || !is_value(line))
        return refuse(reader, 400, "A trailer is no header field.");
    return true;
}

/* Reads the lines of the chunked coding: a size, the end of a chunk, a trailer. */
static void read_chunk_line(struct http_reader *reader, struct span *bytes)
{
    struct text *line = &reader->line;
    bool complete = take_line(line, bytes);

    if (line->length > LINE_LIMIT || (complete && !ends_with_crlf(line))) {
        refuse(reader, 400, "A line of the chunked coding is too long or does not end with CRLF.");
        return;
    }
    if (!complete)
        return;
    if (reader->phase == HTTP_CHUNK_SIZE)
        read_chunk_size(reader);
    else if (reader->phase == HTTP_TRAILERS)
        read_trailer(reader);
    else if (line->length == 2)
        reader->phase = HTTP_CHUNK_SIZE;
    else
        refuse(reader, 400, "A chunk is longer than its size says.");
    text_clear(line);
}

enum http_phase http_read(struct http_reader *reader, struct span *bytes)
{
    while (bytes->length > 0 && reader->phase != HTTP_DONE && reader->phase != HTTP_REFUSED) {
        if (reader->phase == HTTP_HEAD)
            read_head(reader, bytes);
        else if (reader->phase == HTTP_BODY && take_data(reader, bytes))
            reader->phase = HTTP_DONE;
        else if (reader->phase == HTTP_CHUNK_DATA && take_data(reader, bytes))
            reader->phase = HTTP_CHUNK_END;
        else if (reader->phase == HTTP_CHUNK_SIZE || reader->phase == HTTP_CHUNK_END ||
                 reader->phase == HTTP_TRAILERS)
            read_chunk_line(reader, bytes);
        if (reader->head.failed || reader->body.failed || reader->line.failed)
            refuse(reader, 503, "Memory is out.");
    }
    reader->request.body = (struct span){reader->body.data, reader->body.length};
    return reader->phase;
}

enum http_phase http_read_end(struct http_reader *reader)
{
    if (reader->phase == HTTP_HEAD && reader->head.length > 0)
        refuse_head(reader, 400, "The request ends in the middle of its head.");
    else if (http_reader_begun(reader))
        refuse(reader, 400, "The request ends in the middle of its body.");
    return reader->phase;
}

bool http_reader_begun(const struct http_reader *reader)
{
    return reader->phase != HTTP_DONE && reader->phase != HTTP_REFUSED &&
           (reader->phase != HTTP_HEAD || reader->head.length > 0);
}

static void forget(struct text *text)
{
    const size_t keep = 65536; /* a large body is not carried along */

    if (text->capacity > keep)
        text_free(text);
    else
        text_clear(text);
}

void http_reader_next(struct http_reader *reader)
{
    forget(&reader->head);
    forget(&reader->line);
    forget(&reader->body);
    reader->phase = HTTP_HEAD;
    reader->line_start = 0;
    reader->left = 0;
    reader->wants_continue = false;
    reader->request.method = reader->request.target = reader->request.body = (struct span){NULL, 0};
    reader->request.field_count = 0;
    reader->request.keep_alive = false;
    reader->status = 0;
    reader->detail = NULL;
}

void http_reader_free(struct http_reader *reader)
{
    text_free(&reader->head);
    text_free(&reader->line);
    text_free(&reader->body);
}
