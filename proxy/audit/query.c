#include "proxy/audit/query.h"

#include "policies/ascii.h"
#include "proxy/audit/directory.h"
#include "proxy/audit/when.h"

#include <stdio.h>
#include <stdlib.h>

#define ALLOWANCE_US (INT64_C(3600) * 1000000)
#define UUID_LENGTH  36

static const char *const member_names[] = {
    [QUERY_ORGANIZATION] = "organization", [QUERY_PRINCIPAL] = "principal", [QUERY_OPERATION] = "operation",
    [QUERY_RESOURCE] = "resource",         [QUERY_STAGE] = "stage",         [QUERY_RULE] = "rule",
    [QUERY_REQUEST_ID] = "request_id",
};

_Static_assert(sizeof member_names / sizeof *member_names == QUERY_MEMBERS, "a name for each member");

/* Records spell UUIDs in lower case. */
static void lower_uuid(char *value)
{
    if (strlen(value) == UUID_LENGTH && strspn(value, "0123456789abcdefABCDEF-") == UUID_LENGTH)
        for (; *value != '\0'; value++)
            *value = ascii_lower(*value);
}

bool query_set(struct query *query, enum query_member member, const char *value)
{
    struct text *text = &query->members[member];
    char *copy = strdup(value);

    text_free(text);
    if (copy == NULL)
        return false;
    lower_uuid(copy);
    text_add_json(text, span_of(member_names[member]));
    text_add(text, ":", 1);
    text_add_json(text, span_of(copy));
    free(copy);
    return !text->failed;
}

bool query_set_status(struct query *query, const char *status)
{
    if (strlen(status) != 3 || status[0] < '1' || status[0] > '9')
        return false;
    if (strcmp(status + 1, "xx") == 0) {
        query->status_from = (unsigned)(status[0] - '0') * 100;
        query->status_to = query->status_from + 99;
        return true;
    }
    if (!ascii_is_digit(status[1]) || !ascii_is_digit(status[2]))
        return false;
    query->status_from = query->status_to = (unsigned)strtoul(status, NULL, 10);
    return true;
}

/* Could the line answer, by its bytes alone? What is asked for most narrowly comes last in the table. */
static bool bytes_match(const struct query *query, struct span line)
{
    if (query->text.length > 0 &&
        memmem(line.data, line.length, query->text.data, query->text.length) == NULL)
        return false;
    for (size_t i = QUERY_MEMBERS; i > 0; i--) {
        const struct text *member = &query->members[i - 1];

        if (member->length > 0 && memmem(line.data, line.length, member->data, member->length) == NULL)
            return false;
    }
    return true;
}

/* The same bytes may stand inside of a body: only the record's own member counts. */
static bool members_match(const struct query *query, const struct scan *scan)
{
    for (size_t i = 0; i < QUERY_MEMBERS; i++) {
        const struct text *member = &query->members[i];
        size_t name = strlen(member_names[i]) + sizeof "\"\":" - 1;

        if (member->length > 0 && !span_equal(scan_find(scan, member_names[i]),
                                              (struct span){member->data + name, member->length - name}))
            return false;
    }
    return true;
}

static bool verdict_matches(const struct query *query, const struct scan *scan)
{
    static const char *const passed[] = {"intent", "outcome", "reconciled", "read"};
    static const char *const refused[] = {"refused", "unauthenticated"};
    const char *const *stages = query->verdict == QUERY_PASSED ? passed : refused;
    size_t count =
        query->verdict == QUERY_PASSED ? sizeof passed / sizeof *passed : sizeof refused / sizeof *refused;
    struct span stage = scan_text(scan_find(scan, "stage"));

    if (query->verdict == QUERY_ANY)
        return true;
    for (size_t i = 0; i < count; i++)
        if (span_is(stage, stages[i]))
            return true;
    return false;
}

static bool status_matches(const struct query *query, const struct scan *scan)
{
    uint64_t status;

    if (query->status_from == 0)
        return true;
    return scan_number(scan_find(scan, "status"), &status) && status >= query->status_from &&
           status <= query->status_to;
}

static bool time_matches(const struct query *query, const struct scan *scan)
{
    int64_t time;

    if (!query->has_since && !query->has_until)
        return true;
    if (!when_read(scan_text(scan_find(scan, "time")), 0, &time))
        return false;
    return (!query->has_since || time >= query->since_us) && (!query->has_until || time < query->until_us);
}

enum query_answer query_match(const struct query *query, struct span line, struct scan *scan)
{
    if (!bytes_match(query, line))
        return QUERY_NO;
    if (!scan_line(line, scan))
        return QUERY_UNREADABLE;
    return members_match(query, scan) && verdict_matches(query, scan) && status_matches(query, scan) &&
                   time_matches(query, scan)
               ? QUERY_YES
               : QUERY_NO;
}

/* When a segment was begun: "0000000000000001-20260131T235959Z.jsonl". */
static bool begun(const char *name, int64_t *epoch_us)
{
    const char *dash = strchr(name, '-');
    char text[sizeof "2026-01-31T23:59:59Z"];

    if (dash == NULL || strlen(dash) < DIRECTORY_TIME)
        return false;
    const char *time = dash + 1;
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", time, time + 4, time + 6, time + 9,
             time + 11, time + 13);
    return when_read(span_of(text), 0, epoch_us);
}

uint64_t query_first(const struct query *query, const char *path)
{
    const struct directory directory = {.path = (char *)(uintptr_t)path};
    struct segment_name *names;
    uint64_t first = 0;
    size_t count;

    if (!query->has_since || !directory_list(&directory, &names, &count))
        return 0;
    for (size_t i = 0; i < count; i++) {
        int64_t time;

        if (!begun(names[i].text, &time) || time + ALLOWANCE_US > query->since_us)
            break;
        first = names[i].first_seq;
    }
    free(names);
    return first;
}

bool query_beyond(const struct query *query, const char *segment)
{
    int64_t time;

    return query->has_until && begun(segment, &time) && time - ALLOWANCE_US >= query->until_us;
}

void query_free(struct query *query)
{
    for (size_t i = 0; i < QUERY_MEMBERS; i++)
        text_free(&query->members[i]);
}
