#include "proxy/audit/query.h"

#include "policies/ascii.h"
#include "proxy/audit/directory.h"
#include "proxy/audit/trail.h"
#include "proxy/audit/when.h"
#include "proxy/base/clock.h"
#include "proxy/console/audit.h"
#include "proxy/console/options.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FOLLOW_NS (200 * 1000000L)

struct options {
    const char *path;
    struct query query;
    uint64_t limit; /* 0: none */
    bool reverse, follow, json;
};

/* A search under way. */
struct search {
    const struct options *options;
    struct scan scan;
    struct text out;
    uint64_t found, unreadable;
    bool broken; /* stdout takes no more, or memory is out */
};

/* ---- options ---- */

static bool read_verdict(const char *word, enum query_verdict *verdict)
{
    *verdict = strcmp(word, "pass") == 0      ? QUERY_PASSED
               : strcmp(word, "refused") == 0 ? QUERY_REFUSED
                                              : QUERY_ANY;
    return *verdict != QUERY_ANY;
}

static bool read_limit(const char *word, uint64_t *limit)
{
    char *end;

    errno = 0;
    *limit = strtoull(word, &end, 10);
    return ascii_is_digit(word[0]) && *end == '\0' && errno == 0 && *limit > 0;
}

/* What an option's value becomes, beside a text or a flag. */
enum value { VALUE_SINCE, VALUE_UNTIL, VALUE_VERDICT, VALUE_STATUS, VALUE_LIMIT };

/* NULL, or what the value must be. */
static const char *read_value(enum value kind, const char *text, struct options *options)
{
    struct query *query = &options->query;

    switch (kind) {
    case VALUE_SINCE:
        query->has_since = true;
        return when_read(span_of(text), clock_now_us(), &query->since_us) ? NULL : "no time";
    case VALUE_UNTIL:
        query->has_until = true;
        return when_read(span_of(text), clock_now_us(), &query->until_us) ? NULL : "no time";
    case VALUE_VERDICT:
        return read_verdict(text, &query->verdict) ? NULL : "neither \"pass\" nor \"refused\"";
    case VALUE_STATUS:
        return query_set_status(query, text) ? NULL : "no status like \"404\" or \"4xx\"";
    default:
        return read_limit(text, &options->limit) ? NULL : "no number above 0";
    }
}

static int say(const struct option_row *row, const char *value, const char *wrong)
{
    if (wrong == NULL)
        return CONSOLE_DONE;
    output_fault("--%s %s: %s", row->name, value, wrong);
    return CONSOLE_BAD;
}

static int take_value(const struct option_row *row, const char *value)
{
    return say(row, value, read_value((enum value)row->number, value, row->arg));
}

static int take_member(const struct option_row *row, const char *value)
{
    struct options *options = row->arg;
    bool set = query_set(&options->query, (enum query_member)row->number, value);

    return say(row, value, set ? NULL : "memory is out");
}

static struct option_row of_value(struct options *options, const char *name, enum value value)
{
    return (struct option_row){name, .take = take_value, .arg = options, .number = (int)value};
}

static struct option_row of_member(struct options *options, const char *name, enum query_member member)
{
    return (struct option_row){name, .take = take_member, .arg = options, .number = (int)member};
}

static int read_options(int argc, char **argv, struct options *options)
{
    const char *text = NULL;
    const struct option_row rows[] = {of_member(options, "organization", QUERY_ORGANIZATION),
                                      of_member(options, "principal", QUERY_PRINCIPAL),
                                      of_member(options, "operation", QUERY_OPERATION),
                                      of_member(options, "resource", QUERY_RESOURCE),
                                      of_member(options, "stage", QUERY_STAGE),
                                      of_member(options, "rule", QUERY_RULE),
                                      of_member(options, "request-id", QUERY_REQUEST_ID),
                                      of_value(options, "since", VALUE_SINCE),
                                      of_value(options, "until", VALUE_UNTIL),
                                      of_value(options, "verdict", VALUE_VERDICT),
                                      of_value(options, "status", VALUE_STATUS),
                                      of_value(options, "limit", VALUE_LIMIT),
                                      {"text", .text = &text},
                                      {"reverse", .flag = &options->reverse},
                                      {"follow", .flag = &options->follow},
                                      {"json", .flag = &options->json},
                                      {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (operands.count != 1 || (options->reverse && options->follow))
        return CONSOLE_USAGE;
    options->query.text = span_of(text);
    options->path = operands.items[0];
    return CONSOLE_DONE;
}

/* ---- what is printed ---- */

static const struct {
    const char *title, *member;
    size_t width;
} columns[] = {
    {"TIME", "time", 27},           {"STAGE", "stage", 10},         {"STATUS", "status", 6},
    {"PRINCIPAL", "principal", 16}, {"OPERATION", "operation", 25}, {"ORGANIZATION", "organization", 36},
    {"RESOURCE", "resource", 36},
};

#define COLUMNS (sizeof columns / sizeof *columns)

static void pad(struct text *out, size_t from, size_t column)
{
    static const char spaces[] = "                                      ";
    size_t used = out->length - from, width = columns[column].width;

    if (column + 1 < COLUMNS)
        text_add(out, spaces, used < width ? width - used + 1 : 1);
}

static void write_titles(struct text *out)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        size_t from = out->length;

        text_add_string(out, columns[i].title);
        pad(out, from, i);
    }
    text_add(out, "\n", 1);
}

static void write_row(const struct scan *scan, struct text *out)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        struct span value = scan_find(scan, columns[i].member);
        size_t from = out->length;

        if (value.data != NULL)
            audit_add_value(out, value);
        else
            text_add(out, "-", 1);
        pad(out, from, i);
    }
    text_add(out, "\n", 1);
}

/* The record as a row or a line. */
static void print(struct search *search, struct span line)
{
    if (!search->options->json) {
        if (search->found == 0)
            write_titles(&search->out);
        write_row(&search->scan, &search->out);
    } else {
        audit_add_line(&search->out, line);
    }
    search->found++;
    search->broken = !audit_print(&search->out);
}

static bool is_full(const struct search *search)
{
    return search->broken || (search->options->limit > 0 && search->found >= search->options->limit);
}

/* ---- oldest first ---- */

/* Waits for more. */
static bool wait_for_more(const struct search *search)
{
    if (!search->options->follow || fflush(stdout) != 0)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = FOLLOW_NS}, NULL);
    return true;
}

static bool take_line(struct search *search, const struct trail_line *line)
{
    if (line->number == 1 && query_beyond(&search->options->query, line->file))
        return false;
    enum query_answer answer = query_match(&search->options->query, line->text, &search->scan);
    if (answer == QUERY_YES)
        print(search, line->text);
    search->unreadable += answer == QUERY_UNREADABLE;
    return !is_full(search);
}

/* False with a message when the journal cannot be read. */
static bool search_forward(struct search *search, char *error, size_t error_size)
{
    const struct options *options = search->options;
    struct trail *trail = trail_open(options->path, error, error_size);
    enum trail_state state = TRAIL_LINE;
    struct trail_line line;

    if (trail == NULL)
        return false;
    uint64_t first = query_first(&options->query, options->path);
    bool more = first == 0 || trail_seek(trail, first);
    if (!more)
        state = TRAIL_ERROR;
    while (more) {
        state = trail_next(trail, &line);
        if (state == TRAIL_LINE)
            more = take_line(search, &line);
        else
            more = state == TRAIL_PARTIAL || state == TRAIL_TOO_LONG ||
                   (state == TRAIL_END && wait_for_more(search));
        search->unreadable += state == TRAIL_TOO_LONG;
    }
    if (state == TRAIL_ERROR)
        snprintf(error, error_size, "%s", trail_error(trail));
    trail_free(trail);
    return state != TRAIL_ERROR;
}

/* ---- newest first ---- */

/* Where the lines that answer stand in a segment. */
struct hits {
    struct hit {
        uint64_t offset;
        size_t length;
    } * items;
    size_t count, room;
};

static bool add_hit(struct hits *hits, const struct trail_line *line)
{
    if (hits->count == hits->room) {
        size_t room = hits->room > 0 ? hits->room * 2 : 256;
        struct hit *items = reallocarray(hits->items, room, sizeof *items);

        if (items == NULL)
            return false;
        hits->items = items;
        hits->room = room;
    }
    hits->items[hits->count++] = (struct hit){line->offset, line->text.length};
    return true;
}

/* Finds them all, in the order of the file. */
static bool find_hits(struct search *search, const char *path, struct hits *hits, char *error,
                      size_t error_size)
{
    struct trail *trail = trail_open(path, error, error_size);
    enum trail_state state;
    struct trail_line line;

    if (trail == NULL)
        return false;
    while ((state = trail_next(trail, &line)) != TRAIL_END && state != TRAIL_ERROR) {
        enum query_answer answer = state == TRAIL_LINE
                                       ? query_match(&search->options->query, line.text, &search->scan)
                                   : state == TRAIL_TOO_LONG ? QUERY_UNREADABLE
                                                             : QUERY_NO;
        search->unreadable += answer == QUERY_UNREADABLE;
        if (answer == QUERY_YES && !add_hit(hits, &line)) {
            snprintf(error, error_size, "out of memory");
            break;
        }
    }
    if (state == TRAIL_ERROR)
        snprintf(error, error_size, "%s", trail_error(trail));
    trail_free(trail);
    return state == TRAIL_END;
}

/* Reads them again, the last first. */
static bool print_hits(struct search *search, int fd, const struct hits *hits)
{
    struct text line = {0};
    bool read = true;

    for (size_t i = hits->count; read && i > 0 && !is_full(search); i--) {
        const struct hit *hit = &hits->items[i - 1];

        text_clear(&line);
        read = text_reserve(&line, hit->length) &&
               pread(fd, line.data, hit->length, (off_t)hit->offset) == (ssize_t)hit->length &&
               scan_line((struct span){line.data, hit->length}, &search->scan);
        if (read)
            print(search, (struct span){line.data, hit->length});
    }
    text_free(&line);
    return read;
}

static bool search_segment(struct search *search, const char *path, char *error, size_t error_size)
{
    struct hits hits = {0};
    bool searched = find_hits(search, path, &hits, error, error_size);
    int fd = searched ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;

    if (searched && (fd < 0 || !print_hits(search, fd, &hits))) {
        snprintf(error, error_size, "%s: it changed while it was read", path);
        searched = false;
    }
    if (fd >= 0)
        close(fd);
    free(hits.items);
    return searched;
}

static bool search_backward(struct search *search, char *error, size_t error_size)
{
    const struct options *options = search->options;
    const struct directory directory = {.path = (char *)(uintptr_t)options->path};
    struct segment_name *names;
    bool searched = true;
    size_t count;

    if (!directory_list(&directory, &names, &count)) {
        if (errno == ENOTDIR)
            return search_segment(search, options->path, error, error_size);
        snprintf(error, error_size, "%s: %s", options->path, strerrordesc_np(errno));
        return false;
    }
    uint64_t first = query_first(&options->query, options->path);
    for (size_t i = count; searched && i > 0 && names[i - 1].first_seq >= first && !is_full(search); i--) {
        char *path = directory_join(&directory, names[i - 1].text);

        if (!query_beyond(&options->query, names[i - 1].text))
            searched = path != NULL && search_segment(search, path, error, error_size);
        free(path);
    }
    free(names);
    return searched;
}

static int search_all(const struct options *options)
{
    struct search *search = calloc(1, sizeof *search);
    char error[512] = "out of memory";

    if (search == NULL) {
        output_fault("%s", error);
        return CONSOLE_BAD;
    }
    *search = (struct search){.options = options};
    bool searched = options->reverse ? search_backward(search, error, sizeof error)
                                     : search_forward(search, error, sizeof error);
    int status = !searched || search->broken ? CONSOLE_BAD : search->found > 0 ? CONSOLE_DONE : CONSOLE_NO;

    if (!searched)
        output_fault("%s", error);
    if (search->unreadable > 0)
        output_fault("lines that are no records: %" PRIu64 "; look with: portcullis audit verify %s",
                     search->unreadable, options->path);
    text_free(&search->out);
    free(search);
    return status;
}

int audit_query(int argc, char **argv)
{
    struct options options = {0};
    int status = read_options(argc, argv, &options);

    if (status == CONSOLE_DONE)
        status = search_all(&options);
    query_free(&options.query);
    return status;
}
