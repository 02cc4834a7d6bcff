/* Holds two readings of a gate's journal against each other: what is claimed as a start reads it, from the
 * newest segment, whose head says what was claimed before; and as all lines say it that are there, no such
 * head believed but the first. For tests; the gate must be stopped.
 *
 *   claims DIRECTORY
 *
 * Prints how much is held; ends with 1, and both readings, where they differ. */
#include "proxy/audit/claims_state.h"
#include "proxy/audit/directory.h"
#include "proxy/audit/lines.h"
#include "proxy/audit/scan.h"
#include "proxy/audit/when.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reading {
    struct claims_state state;
    bool heads; /* believes the `state` records */
    int64_t now_us;
};

static _Noreturn void fail(const char *name, const char *what)
{
    fprintf(stderr, "claims: %s: %s\n", name, what);
    exit(2);
}

static void read_line(struct reading *reading, const char *name, struct span line)
{
    struct scan scan;
    int64_t time_us;

    if (!scan_line(line, &scan) || !when_read(scan_text(scan_find(&scan, "time")), 0, &time_us))
        fail(name, "a line that is no record");
    if (time_us > reading->now_us)
        reading->now_us = time_us;
    if (!reading->heads && span_is(scan_text(scan_find(&scan, "stage")), "state"))
        return;
    const char *wrong = claims_state_read(&reading->state, line);
    if (wrong != NULL)
        fail(name, wrong);
}

static void read_segment(struct reading *reading, const struct directory *directory, const char *name)
{
    struct lines lines = {.fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC)};
    struct span line;

    if (lines.fd < 0)
        fail(name, "cannot open it");
    while (lines_next(&lines, &line) == LINE_WHOLE)
        read_line(reading, name, line);
    lines_free(&lines);
    close(lines.fd);
}

static bool add_part(void *arg, struct span part)
{
    text_add(arg, part.data, part.length);
    text_add(arg, "\n", 1);
    return true;
}

static struct text dump(struct reading *reading, int64_t now_us)
{
    struct text text = {0};

    text_add_string(&text, ""); /* nothing held is an empty text, too */
    claims_state_sweep(&reading->state, now_us);
    if (!claims_state_write(&reading->state, add_part, &text) || text.failed)
        fail("state", "out of memory");
    return text;
}

static void count(const struct claims_state *state)
{
    static const char *const names[HELD_KINDS] = {
        [HELD_KEY] = "keys",       [HELD_TWIN] = "twins",     [HELD_APPROVAL] = "approvals",
        [HELD_BUDGET] = "budgets", [HELD_FLIGHT] = "flights",
    };

    for (enum held_kind kind = 0; kind < HELD_KINDS; kind++)
        printf("%zu %s%s", state->book.shelves[kind].count, names[kind], kind + 1 < HELD_KINDS ? ", " : "\n");
}

int main(int argc, char **argv)
{
    struct reading start = {.heads = true}, whole = {.heads = true};
    struct directory directory = {.path = argc == 2 ? argv[1] : NULL};
    struct segment_name *names;
    size_t segments;

    if (argc != 2) {
        fputs("claims DIRECTORY\n", stderr);
        return 2;
    }
    directory.fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory.fd < 0 || !directory_list(&directory, &names, &segments) || segments == 0)
        fail(argv[1], "no journal");
    for (size_t i = 0; i < segments; i++, whole.heads = false)
        read_segment(&whole, &directory, names[i].text);
    read_segment(&start, &directory, names[segments - 1].text);

    struct text one = dump(&start, whole.now_us), other = dump(&whole, whole.now_us);
    bool same =
        one.length == other.length && (one.length == 0 || memcmp(one.data, other.data, one.length) == 0);
    count(&start.state);
    if (!same)
        printf("as a start reads it:\n%.*s\nas all lines say it:\n%.*s\n", (int)one.length, one.data,
               (int)other.length, other.data);
    text_free(&one);
    text_free(&other);
    claims_state_free(&start.state);
    claims_state_free(&whole.state);
    free(names);
    close(directory.fd);
    return same ? 0 : 1;
}
