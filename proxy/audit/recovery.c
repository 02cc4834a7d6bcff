#include "proxy/audit/recovery.h"

#include "proxy/audit/lines.h"
#include "proxy/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a message goes. */
struct message {
    char *text;
    size_t size;
};

static bool fail(struct message message, const char *path, const char *what)
{
    snprintf(message.text, message.size, "%s: %s: %s", path, what, strerror(errno));
    return false;
}

static bool fail_damaged(struct message message, const char *path, uint64_t line, const char *what)
{
    snprintf(message.text, message.size,
             "%s:%" PRIu64
             ": the journal is damaged here: %s. Nothing was changed. Bring the file back from a copy, "
             "or keep a copy of it elsewhere and cut it off before this line; then start again",
             path, line, what);
    return false;
}

/* What the check of one segment found. */
struct finding {
    uint64_t next_seq; /* behind its last whole line */
    uint64_t run;      /* first number of the run that it belongs to */
    off_t whole;       /* bytes up to the end of its last whole line */
    bool cut;          /* an incomplete line follows */
};

/* Is the line the record that must stand here? NULL, or what is wrong; *record tells whether it is JSON at
 * all. */
static const char *judge(struct span line, struct finding *finding, bool first, bool *is_json)
{
    json_t *record = json_loadb(line.data, line.length, JSON_ALLOW_NUL, NULL);
    json_t *seq = json_object_get(record, "seq"), *run = json_object_get(record, "run");
    const char *wrong = NULL;

    *is_json = json_is_object(record);
    if (!*is_json)
        wrong = "not a record";
    else if (!json_is_integer(seq))
        wrong = "a record without its number";
    else if ((uint64_t)json_integer_value(seq) != finding->next_seq)
        wrong = first ? "its number is not the one in the file's name"
                      : "its number does not follow the one before";
    else if (first && json_is_integer(run))
        finding->run = (uint64_t)json_integer_value(run);
    json_decref(record);
    return wrong;
}

/* Checks the segment line by line. `finding` begins with the number that the first line must have. */
static bool check_lines(struct lines *lines, const char *path, struct finding *finding,
                        struct message message)
{
    enum line_state state;
    struct span line;

    while ((state = lines_next(lines, &line)) == LINE_WHOLE || state == LINE_TOO_LONG) {
        bool is_json = false;
        uint64_t number = lines->number;
        const char *wrong = state == LINE_TOO_LONG ? "a line longer than any record"
                                                   : judge(line, finding, number == 1, &is_json);

        if (wrong != NULL && !is_json && lines_next(lines, &line) == LINE_END) {
            finding->cut = true; /* the last line: pages of it never reached the disk */
            return true;
        }
        if (wrong != NULL)
            return fail_damaged(message, path, number, wrong);
        finding->next_seq++;
        finding->whole = lines->next;
    }
    if (state == LINE_ERROR)
        return fail(message, path, "cannot read it");
    finding->cut = state == LINE_PARTIAL;
    return true;
}

/* Copies what is behind `from` into a new file and makes that durable. */
static bool copy_rest(int fd, off_t from, const char *side)
{
    int out = open(side, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    static const size_t size = 64 << 10;
    char *buffer = malloc(size);
    bool copied = false;
    ssize_t got;

    if (out < 0 || buffer == NULL)
        goto done;
    while ((got = pread(fd, buffer, size, from)) > 0) {
        if (write(out, buffer, (size_t)got) != got)
            goto done;
        from += got;
    }
    copied = got == 0 && fsync(out) == 0;

done:
    free(buffer);
    if (out >= 0) {
        int fault = errno;

        if (!copied)
            unlink(side);
        close(out);
        errno = fault;
    }
    return copied;
}

/* A record that tells of the cut. */
static bool record_cut(struct entry_list *records, const char *segment, const char *side, off_t bytes)
{
    char detail[160];

    snprintf(detail, sizeof detail, "incomplete last line cut off, kept in %s", strrchr(side, '/') + 1);
    return entry_add(records, &(struct record_fields){
                                  .stage = STAGE_RECOVERED,
                                  .time_us = clock_now_us(),
                                  .segment = span_of(segment),
                                  .bytes = record_number((uint64_t)bytes),
                                  .detail = span_of(detail),
                              });
}

/* Cuts what follows the last whole line off into a side file. A segment of which nothing is left goes away:
 * its name would stand in the way of the next one. */
static bool cut(const struct directory *directory, const char *segment, int fd, const char *path, off_t whole,
                struct entry_list *records, struct message message)
{
    char time[DIRECTORY_TIME], *side = NULL;
    int64_t now = clock_now_us();
    struct stat status;
    bool done = false;

    directory_time(now, time);
    if (fstat(fd, &status) != 0 || asprintf(&side, "%s.cut-%s.%06d", path, time, (int)(now % 1000000)) < 0) {
        side = NULL;
        fail(message, path, "cannot cut off its incomplete last line");
    } else if (!copy_rest(fd, whole, side)) {
        fail(message, side, "cannot keep the incomplete last line");
    } else if (ftruncate(fd, whole) != 0 || fsync(fd) != 0 || (whole == 0 && unlink(path) != 0) ||
               !directory_sync(directory)) {
        fail(message, path, "cannot cut off its incomplete last line");
    } else if (!record_cut(records, segment, side, status.st_size - whole)) {
        fail(message, path, "cannot record the cut");
    } else {
        done = true;
    }
    free(side);
    return done;
}

/* Checks one segment and cuts its tail off where that is needed. */
static bool check_segment(const struct directory *directory, const struct segment_name *name,
                          struct finding *finding, struct entry_list *records, struct message message)
{
    char *path = directory_join(directory, name->text);
    struct lines lines = {.fd = path != NULL ? open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1};
    bool checked = false;

    *finding = (struct finding){.next_seq = name->first_seq, .run = name->first_seq};
    if (lines.fd < 0)
        fail(message, path != NULL ? path : name->text, "cannot open it");
    else if (!check_lines(&lines, path, finding, message))
        ;
    else if (finding->cut)
        checked = cut(directory, name->text, lines.fd, path, finding->whole, records, message);
    else if (finding->whole == 0 && (unlink(path) != 0 || !directory_sync(directory)))
        fail(message, path, "cannot remove the empty file");
    else
        checked = true;

    lines_free(&lines);
    if (lines.fd >= 0)
        close(lines.fd);
    free(path);
    return checked;
}

/* Takes note of every intent and outcome in the segment. What cannot be read as a record is passed over here:
 * it is not the newest segment's tail, and `audit verify` is there to judge it. */
static bool note_segment(const struct directory *directory, const struct segment_name *name,
                         struct intents *intents, struct message message)
{
    char *path = directory_join(directory, name->text);
    struct lines lines = {.fd = path != NULL ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1};
    enum line_state state = LINE_ERROR;
    struct span line;

    if (lines.fd >= 0)
        while ((state = lines_next(&lines, &line)) == LINE_WHOLE || state == LINE_TOO_LONG)
            if (state == LINE_WHOLE && !intents_note(intents, line)) {
                errno = ENOMEM;
                state = LINE_ERROR;
                break;
            }
    if (state == LINE_ERROR)
        fail(message, path != NULL ? path : name->text, "cannot read it");

    lines_free(&lines);
    if (lines.fd >= 0)
        close(lines.fd);
    free(path);
    return state != LINE_ERROR;
}

/* Gives every intent of the last run an end. */
static bool reconcile(const struct directory *directory, const struct segment_name *names, size_t count,
                      uint64_t run, struct entry_list *records, struct message message)
{
    struct intents intents;
    bool done = true;

    if (!intents_init(&intents)) {
        errno = ENOMEM;
        return fail(message, directory->path, "cannot look for open intents");
    }
    for (size_t i = 0; done && i < count; i++)
        if (names[i].first_seq >= run)
            done = note_segment(directory, &names[i], &intents, message);
    if (done && !intents_reconcile(&intents, "unknown", records)) {
        errno = ENOMEM;
        done = fail(message, directory->path, "cannot record open intents");
    }
    intents_free(&intents);
    return done;
}

bool recovery_read(const struct directory *directory, struct recovery *recovery, char *error,
                   size_t error_size)
{
    struct message message = {error, error_size};
    struct finding finding = {.next_seq = 1};
    struct segment_name *names;
    size_t count;
    bool read = true;

    *recovery = (struct recovery){.next_seq = 1};
    STAILQ_INIT(&recovery->records);
    if (!directory_list(directory, &names, &count))
        return fail(message, directory->path, "cannot list it");

    /* A segment without a whole line is gone after its check, and the one before it is then the newest. */
    for (; read && count > 0; count--) {
        read = check_segment(directory, &names[count - 1], &finding, &recovery->records, message);
        if (finding.next_seq > recovery->next_seq)
            recovery->next_seq = finding.next_seq;
        if (finding.whole > 0)
            break;
    }
    if (read && count > 0)
        read = reconcile(directory, names, count, finding.run, &recovery->records, message);
    free(names);
    if (!read)
        entry_list_free(&recovery->records);
    return read;
}
