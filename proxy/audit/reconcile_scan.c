#include "proxy/audit/reconcile_scan.h"

#include "proxy/audit/trail.h"

#include <stdio.h>
#include <stdlib.h>

#define LINES_A_STEP 1000

struct reconcile_scan {
    struct trail *trail;
    uint64_t until; /* the run that begins with this number was read; 0: the present one is not yet known */
    uint64_t run;   /* what is read now begins with this number; 0: has to be found */
    bool settled;   /* the run being read had settled all before it */
    bool any;
    json_t *open;  /* {"<request id>": the intent's record} */
    json_t *ended; /* {"<request id>": true} of those that a later run brought to an end */
};

struct reconcile_scan *reconcile_scan_open(const char *directory, char *error, size_t error_size)
{
    struct reconcile_scan *scan = calloc(1, sizeof *scan);

    (void)snprintf(error, error_size, "out of memory");
    if (scan == NULL)
        return NULL;
    scan->open = json_object();
    scan->ended = json_object();
    if (scan->open == NULL || scan->ended == NULL ||
        (scan->trail = trail_open(directory, error, error_size)) == NULL) {
        reconcile_scan_free(scan);
        return NULL;
    }
    return scan;
}

void reconcile_scan_free(struct reconcile_scan *scan)
{
    if (scan == NULL)
        return;
    trail_free(scan->trail);
    json_decref(scan->open);
    json_decref(scan->ended);
    free(scan);
}

json_t *reconcile_scan_found(const struct reconcile_scan *scan)
{
    return scan->open;
}

bool reconcile_scan_any(const struct reconcile_scan *scan)
{
    return scan->any;
}

/* The number that the segment of this name begins with. */
static uint64_t first_of(const char *file)
{
    return strtoull(file, NULL, 10);
}

/* Finds the run that the segment holding `seq` belongs to: its first number; 0 when there is no such segment.
 * false on an error. */
static bool find_run(struct reconcile_scan *scan, uint64_t seq, uint64_t *run)
{
    struct trail_line line;

    *run = 0;
    if (!trail_seek(scan->trail, seq))
        return false;
    enum trail_state state = trail_next(scan->trail, &line);
    if (state == TRAIL_ERROR)
        return false;
    if (state == TRAIL_END || first_of(line.file) > seq)
        return true;

    uint64_t first = first_of(line.file);
    json_t *header = state == TRAIL_LINE ? json_loadb(line.text.data, line.text.length, 0, NULL) : NULL;
    json_int_t said = json_integer_value(json_object_get(header, "run"));
    *run = said > 0 && (uint64_t)said < first ? (uint64_t)said : first;
    json_decref(header);
    return true;
}

static bool is(json_t *record, const char *name, const char *value)
{
    const char *given = json_string_value(json_object_get(record, name));

    return given != NULL && strcmp(given, value) == 0;
}

/* Does the record bring its mutation to an end? A reconciliation that looked says why it knows nothing. */
static bool is_end(json_t *record)
{
    if (!is(record, "result", "unknown"))
        return is(record, "stage", "outcome") || is(record, "stage", "reconciled");
    return is(record, "stage", "reconciled") && json_object_get(record, "detail") != NULL;
}

static bool note_record(struct reconcile_scan *scan, json_t *record)
{
    const char *request_id = json_string_value(json_object_get(record, "request_id"));

    if (is(record, "stage", "recovered") && is(record, "result", RECONCILE_SETTLED))
        scan->settled = true;
    if (request_id == NULL)
        return true;
    if (is(record, "stage", "intent"))
        return json_object_get(scan->ended, request_id) != NULL ||
               json_object_set(scan->open, request_id, record) == 0;
    if (!is_end(record) || json_object_del(scan->open, request_id) == 0)
        return true;
    return json_object_set_new(scan->ended, request_id, json_true()) == 0;
}

/* Could the line be of any interest? Records are written in one spelling, so their bytes tell. */
static bool is_of_interest(struct span line)
{
    static const char *const stages[] = {"\"stage\":\"intent\"", "\"stage\":\"outcome\"",
                                         "\"stage\":\"reconciled\"", "\"stage\":\"recovered\""};

    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (memmem(line.data, line.length, stages[i], strlen(stages[i])) != NULL)
            return true;
    return false;
}

static bool note_line(struct reconcile_scan *scan, struct span line)
{
    if (!is_of_interest(line))
        return true;
    json_t *record = json_loadb(line.data, line.length, JSON_ALLOW_NUL, NULL);
    bool noted = record == NULL || note_record(scan, record);

    json_decref(record);
    return noted;
}

static enum reconcile_scan_state fail(const struct reconcile_scan *scan, const char *what, const char **error)
{
    *error = what != NULL ? what : trail_error(scan->trail);
    return SCAN_FAILED;
}

/* Goes to the beginning of the run before the one that was read last. */
static enum reconcile_scan_state next_run(struct reconcile_scan *scan, const char **error)
{
    if (scan->until == 0 && !find_run(scan, UINT64_MAX, &scan->until))
        return fail(scan, NULL, error);
    if (scan->until <= 1)
        return SCAN_DONE;
    if (!find_run(scan, scan->until - 1, &scan->run))
        return fail(scan, NULL, error);
    if (scan->run == 0)
        return SCAN_DONE;
    scan->any = true;
    return trail_seek(scan->trail, scan->run) ? SCAN_MORE : fail(scan, NULL, error);
}

enum reconcile_scan_state reconcile_scan_step(struct reconcile_scan *scan, const char **error)
{
    struct trail_line line;

    if (scan->run == 0)
        return next_run(scan, error);
    for (unsigned i = 0; i < LINES_A_STEP; i++) {
        enum trail_state state = trail_next(scan->trail, &line);
        if (state == TRAIL_ERROR)
            return fail(scan, NULL, error);
        if (state == TRAIL_END || first_of(line.file) >= scan->until) {
            scan->until = scan->run;
            scan->run = 0;
            return scan->settled ? SCAN_DONE : SCAN_MORE;
        }
        if (state == TRAIL_LINE && !note_line(scan, line.text))
            return fail(scan, "out of memory", error);
    }
    return SCAN_MORE;
}
