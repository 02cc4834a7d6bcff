#include "tests/sandbox/paging.h"

#include <openssl/evp.h>

#define CURSOR_PREFIX "v1."
#define CURSOR_SIZE   64

/* A cursor holds the number of a record as the API's do: v1. and the base64 of {"id":"30"} with a line feed.
 */
static void write_cursor(const struct record *record, char cursor[CURSOR_SIZE])
{
    char plain[40];
    int length = snprintf(plain, sizeof plain, "{\"id\":\"%llu\"}\n", (unsigned long long)record->number);

    memcpy(cursor, CURSOR_PREFIX, sizeof CURSOR_PREFIX);
    EVP_EncodeBlock((unsigned char *)cursor + sizeof CURSOR_PREFIX - 1, (unsigned char *)plain, length);
}

static bool read_cursor(struct span cursor, uint64_t *number)
{
    const size_t prefix = sizeof CURSOR_PREFIX - 1;
    unsigned char plain[CURSOR_SIZE + 1] = {0};
    unsigned long long value;
    char end = 0;

    if (cursor.length <= prefix || cursor.length > CURSOR_SIZE ||
        memcmp(cursor.data, CURSOR_PREFIX, prefix) != 0)
        return false;
    if (EVP_DecodeBlock(plain, (const unsigned char *)cursor.data + prefix, (int)(cursor.length - prefix)) <
        0)
        return false;
    if (sscanf((char *)plain, "{\"id\":\"%19llu\"%c", &value, &end) != 2 || end != '}')
        return false;
    *number = value;
    return true;
}

/* The place of the first record whose number is `number` or above. */
static size_t find_place(struct record *const *records, size_t total, uint64_t number)
{
    size_t low = 0, high = total;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (records[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool read_limit(struct call *call, size_t *limit)
{
    struct span value = call_parameter(call, "limit");
    size_t number = 0;

    *limit = 10;
    if (value.data == NULL)
        return true;
    for (size_t i = 0; i < value.length && i < 4; i++)
        number =
            value.data[i] >= '0' && value.data[i] <= '9' ? number * 10 + (size_t)(value.data[i] - '0') : 1000;
    if (value.length > 3 || number < 10 || number > 100 || number % 10 != 0) {
        call_refuse_parameter(call, "limit", "The limit must be 10 to 100, by tens.");
        return false;
    }
    *limit = number;
    return true;
}

static bool read_cursors(struct call *call, struct span *after, struct span *before, uint64_t *number)
{
    *after = call_parameter(call, "starting_after");
    *before = call_parameter(call, "ending_before");
    if (after->data != NULL && before->data != NULL) {
        call_refuse_parameter(call, "ending_before", "Only one of the two cursors can be given.");
        return false;
    }
    if (after->data != NULL && !read_cursor(*after, number)) {
        call_refuse_parameter(call, "starting_after", "The cursor is none of this API.");
        return false;
    }
    if (before->data != NULL && !read_cursor(*before, number)) {
        call_refuse_parameter(call, "ending_before", "The cursor is none of this API.");
        return false;
    }
    return true;
}

bool page_check(struct call *call)
{
    struct page page;

    return page_cut(call, NULL, 0, &page);
}

bool page_cut(struct call *call, struct record *const *records, size_t total, struct page *page)
{
    struct span after, before;
    uint64_t number = 0;

    *page = (struct page){.records = records, .total = total};
    if (!read_limit(call, &page->limit) || !read_cursors(call, &after, &before, &number))
        return false;
    if (before.data != NULL) {
        page->to = find_place(records, total, number);
        page->from = page->to > page->limit ? page->to - page->limit : 0;
        return true;
    }
    page->from = after.data ? find_place(records, total, number + 1) : 0;
    page->to = total - page->from > page->limit ? page->from + page->limit : total;
    return true;
}

static void add_encoded(struct text *out, struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i], lower = ascii_lower(c);

        if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~=,", c)))
            text_add(out, &c, 1);
        else
            text_add_format(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

static bool is_paging(struct span name)
{
    return span_is(name, "limit") || span_is(name, "starting_after") || span_is(name, "ending_before");
}

/* One link: the path, the parameters that do not page, the limit and a cursor (NULL: none). */
static void add_link(struct call *call, const struct page *page, const char *name, const char *cursor_name,
                     struct span cursor)
{
    struct text *body = &call->answer->body;
    const char *mark = "?";

    text_add_format(body, "%s\"%s\":\"", strcmp(name, "self") == 0 ? "" : ",", name);
    call_add_path(call, body);
    for (size_t i = 0; i < call->parameter_count; i++) {
        if (is_paging(call->parameters[i].name))
            continue;
        text_add_string(body, mark);
        add_encoded(body, call->parameters[i].name);
        text_add_string(body, "=");
        add_encoded(body, call->parameters[i].value);
        mark = "&";
    }
    text_add_format(body, "%slimit=%zu", mark, page->limit);
    if (cursor_name != NULL) {
        text_add_format(body, "&%s=", cursor_name);
        add_encoded(body, cursor);
    }
    text_add_string(body, "\"");
}

static void add_link_at(struct call *call, const struct page *page, const char *name, const char *cursor_name,
                        const struct record *record)
{
    char cursor[CURSOR_SIZE];

    write_cursor(record, cursor);
    add_link(call, page, name, cursor_name, span_of(cursor));
}

void page_add_links(struct call *call, const struct page *page)
{
    struct span none = {NULL, 0};
    struct span after = call_parameter(call, "starting_after"),
                before = call_parameter(call, "ending_before");
    size_t last = page->total > 0 ? (page->total - 1) / page->limit * page->limit : 0;

    text_add_string(&call->answer->body, ",\"links\":{");
    if (after.data != NULL)
        add_link(call, page, "self", "starting_after", after);
    else if (before.data != NULL)
        add_link(call, page, "self", "ending_before", before);
    else
        add_link(call, page, "self", NULL, none);
    add_link(call, page, "first", NULL, none);
    if (last > 0)
        add_link_at(call, page, "last", "starting_after", page->records[last - 1]);
    else
        add_link(call, page, "last", NULL, none);
    if (page->from > 0 && page->from < page->total)
        add_link_at(call, page, "prev", "ending_before", page->records[page->from]);
    if (page->to < page->total && page->to > 0)
        add_link_at(call, page, "next", "starting_after", page->records[page->to - 1]);
    text_add_string(&call->answer->body, "}");
}
