#include "proxy/audit/query.h"

#include "proxy/audit/trail.h"
#include "proxy/console/audit.h"
#include "proxy/console/audit_options.h"

#include <stdlib.h>

/* What is known of the mutation so far. */
struct story {
    const struct audit_options *options;
    struct scan scan;
    struct text first_line; /* the first record, and its members */
    struct scan first;
    struct text out;
    struct text request_id; /* found for a resource */
    size_t records;
    bool intent, outcome;
    bool broken;
};

/* What each stage means, for a person. */
static const char *describe(struct span stage)
{
    static const struct {
        const char *stage, *meaning;
    } rows[] = {
        {"intent", "the gate let it through and was about to send it"},
        {"outcome", "how it ended"},
        {"refused", "the gate did not let it through"},
        {"reconciled", "what was found out later about how it ended"},
        {"approval", "others had to agree to it"},
        {"breaker", "it overran a budget that stays shut now"},
        {"read", "it was read"},
        {"dry-run", "it was only tried"},
        {"replayed", "it was answered as the same request before it, and not sent"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (span_is(stage, rows[i].stage))
            return rows[i].meaning;
    return NULL;
}

/* "2026-01-31T23:59:59.123456Z intent (number 7): what that means", and the other members. What a later
 * record only repeats is left out. */
static void write_record(const struct scan *scan, const struct scan *first, struct text *out)
{
    static const char *const in_heading[] = {"prev", "seq", "stage", "time", NULL};
    struct span stage = scan_find(scan, "stage");
    const char *meaning = describe(scan_text(stage));

    audit_add_value(out, scan_find(scan, "time"));
    text_add_string(out, " ");
    audit_add_value(out, stage);
    text_add_string(out, " (number ");
    audit_add_value(out, scan_find(scan, "seq"));
    text_add_format(out, ")%s%s\n", meaning != NULL ? ": " : "", meaning != NULL ? meaning : "");
    audit_add_record(out, scan, in_heading, first);
}

static void keep_first(struct story *story, struct span line)
{
    text_add(&story->first_line, line.data, line.length);
    if (!story->first_line.failed)
        (void)scan_line((struct span){story->first_line.data, line.length}, &story->first);
}

/* One record of the story. */
static void tell(struct story *story, struct span line)
{
    struct span stage = scan_text(scan_find(&story->scan, "stage"));

    story->intent = story->intent || span_is(stage, "intent");
    story->outcome = story->outcome || span_is(stage, "outcome") || span_is(stage, "reconciled");
    if (story->options->json) {
        audit_add_line(&story->out, line);
    } else {
        text_add_string(&story->out, story->records > 0 ? "\n" : "");
        write_record(&story->scan, story->records > 0 ? &story->first : NULL, &story->out);
        if (story->records == 0)
            keep_first(story, line);
    }
    story->records++;
    story->broken = !audit_print(&story->out);
}

/* A mutation of the resource: remembers its request, the last one stays. */
static void remember(struct story *story, struct span line)
{
    struct span stage = scan_text(scan_find(&story->scan, "stage"));
    struct span id = scan_text(scan_find(&story->scan, "request_id"));

    (void)line;
    if (id.data == NULL || span_is(stage, "read"))
        return;
    text_clear(&story->request_id);
    text_add(&story->request_id, id.data, id.length);
}

/* Calls take() for each record whose member has the value. False with a message when that could not be. */
static bool search(struct story *story, enum query_member member, const char *value,
                   void (*take)(struct story *story, struct span line), char *error, size_t error_size)
{
    struct query query = {0};
    struct trail *trail = trail_open(story->options->path, error, error_size);
    enum trail_state state = TRAIL_ERROR;
    struct trail_line line;

    if (trail == NULL)
        return false;
    snprintf(error, error_size, "out of memory");
    if (query_set(&query, member, value)) {
        while (!story->broken && (state = trail_next(trail, &line)) != TRAIL_END && state != TRAIL_ERROR)
            if (state == TRAIL_LINE && query_match(&query, line.text, &story->scan) == QUERY_YES)
                take(story, line.text);
        if (state == TRAIL_ERROR)
            snprintf(error, error_size, "%s", trail_error(trail));
    }
    query_free(&query);
    trail_free(trail);
    return state != TRAIL_ERROR;
}

static int finish(const struct story *story)
{
    const char *id = story->options->id;

    if (story->records == 0) {
        output_fault("no change has this id as its request's or its resource's: %s", id);
        return CONSOLE_NO;
    }
    if (story->intent && !story->outcome && !story->options->json)
        (void)puts(
            "\nThere is no outcome yet: it is under way, or the gate was stopped and will find out when "
            "it starts.");
    return story->broken ? CONSOLE_BAD : CONSOLE_DONE;
}

/* By the request, or by the newest request that was about the resource. */
static int tell_all(struct story *story)
{
    const struct audit_options *options = story->options;
    char error[512];
    bool read = search(story, QUERY_REQUEST_ID, options->id, tell, error, sizeof error);

    if (read && story->records == 0)
        read = search(story, QUERY_RESOURCE, options->id, remember, error, sizeof error);
    if (read && story->request_id.length > 0)
        read = search(story, QUERY_REQUEST_ID, story->request_id.data, tell, error, sizeof error);
    if (read)
        return finish(story);
    output_fault("%s", error);
    return CONSOLE_BAD;
}

int audit_show(int argc, char **argv)
{
    struct audit_options options = {0};
    int status = audit_options_read(argc, argv, &options);

    if (status != CONSOLE_DONE)
        return status;
    struct story *story = calloc(1, sizeof *story);
    if (story == NULL) {
        output_fault("out of memory");
        return CONSOLE_BAD;
    }
    story->options = &options;
    status = tell_all(story);
    text_free(&story->out);
    text_free(&story->request_id);
    text_free(&story->first_line);
    free(story);
    return status;
}
