#include "proxy/audit/recovery.h"

#include "proxy/audit/check.h"
#include "proxy/audit/checkpoints.h"
#include "proxy/audit/cut.h"
#include "proxy/audit/lines.h"
#include "proxy/audit/vouched.h"
#include "proxy/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* One start: what is there, what was found of it, and where a message goes. */
struct reading {
    const struct directory *directory;
    struct recovery *recovery;
    struct segment_name *names;
    size_t count;
    uint64_t open_from; /* no intent before this line is open */

    uint64_t checkpoint; /* size of the newest; 0: there is none */
    struct tree_hash root;
    bool met; /* the log had the checkpoint's root at its size */

    /* The line that the newest segment is to be cut off at; `wrong` NULL: it is only incomplete, or there is
     * none. */
    const char *wrong;
    uint64_t wrong_line;

    const char **passing;
    char *error;
    size_t error_size;
};

static bool fail(struct reading *reading, const char *name, const char *what)
{
    *reading->passing = directory_passing(errno);
    snprintf(reading->error, reading->error_size, "%s/%s: %s: %s", reading->directory->path, name, what,
             segment_fault(errno));
    return false;
}

static bool fail_damaged(struct reading *reading, const char *name, uint64_t line, const char *what)
{
    const char *path = reading->directory->path;

    snprintf(
        reading->error, reading->error_size,
        "%s/%s:%" PRIu64
        ": the journal is damaged here: %s. Nothing was changed. Look at all of it with: portcullis audit "
        "verify %s. Then bring the file back from a copy; or move the whole directory away, keep it, and "
        "begin a new journal",
        path, name, line, what, path);
    return false;
}

static bool fail_checkpoint(struct reading *reading, const char *what)
{
    char name[CHECKPOINT_NAME];

    checkpoints_name(reading->checkpoint, name);
    snprintf(reading->error, reading->error_size,
             "%s/%s: the journal does not fit this checkpoint: %s. Nothing was changed. Look at all of it "
             "with: portcullis audit verify %s",
             reading->directory->path, name, what, reading->directory->path);
    return false;
}

/* Finds the newest checkpoint. */
static bool find_checkpoint(struct reading *reading, const struct note_key *key)
{
    if (!checkpoints_newest(reading->directory, &reading->checkpoint))
        return fail(reading, "checkpoints", "cannot list it");
    return reading->checkpoint == 0 || checkpoints_read(reading->directory, reading->checkpoint, key,
                                                        &reading->root, reading->error, reading->error_size);
}

static const char *on_line(void *arg, const struct chain *chain, struct span line)
{
    struct reading *reading = arg;

    (void)line;
    if (chain->tree.size != reading->checkpoint || reading->checkpoint == 0)
        return NULL;
    struct tree_hash root = tree_root(&chain->tree);
    reading->met = memcmp(root.bytes, reading->root.bytes, TREE_HASH) == 0;
    return reading->met ? NULL
                        : "the lines up to here are not those that the newest checkpoint was signed for";
}

/* Mends a segment that has to be and makes it durable: what a killed gate wrote may not be. One without a
 * whole line goes away: its name would stand in the way of the next one. */
static bool settle(struct reading *reading, const char *name, off_t whole)
{
    int fd = openat(reading->directory->fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    char side[CUT_NAME];
    struct stat status;
    bool settled = false;

    if (fd < 0 || fstat(fd, &status) != 0)
        fail(reading, name, "cannot open it");
    else if (status.st_size > whole && !cut_off(reading->directory, name, fd, whole, side))
        fail(reading, name, "cannot cut off its incomplete last line");
    else if (ftruncate(fd, whole) != 0 || fsync(fd) != 0) /* what was reserved behind its end goes, too */
        fail(reading, name, "cannot make it durable");
    else if (whole == 0 &&
             (unlinkat(reading->directory->fd, name, 0) != 0 || !directory_sync(reading->directory)))
        fail(reading, name, "cannot remove the empty file");
    else
        settled = true;
    if (fd >= 0)
        close(fd);
    return settled;
}

/* Checks the segment at `index`, which must go on where the one before it ended (`known`; NULL for the first
 * that is looked at). */
static bool check_one(struct reading *reading, size_t index, const struct chain *known, struct check *check)
{
    const char *name = reading->names[index].text;
    bool newest = index + 1 == reading->count;
    int fd = openat(reading->directory->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool good = false;

    if (fd < 0)
        return fail(reading, name, "cannot open it");
    *check = (struct check){
        .first_seq = reading->names[index].first_seq, .known = known, .visit = on_line, .arg = reading};
    enum check_end end = check_segment(check, fd);
    if (end == CHECK_FAILED)
        fail(reading, name, "cannot read it");
    else if (end == CHECK_DAMAGED)
        fail_damaged(reading, name, check->line, check->wrong);
    else if (!newest && (end == CHECK_CUT || check->whole == 0))
        fail_damaged(reading, name, check->line + 1, "an incomplete line, though another segment follows");
    else
        good = true;
    close(fd);
    reading->wrong = check->wrong;
    reading->wrong_line = check->line;
    return good;
}

/* Where checking begins: at the segment that the checkpoint's last line lies in, or ends before. Without a
 * checkpoint the newest must do. */
static size_t first_to_check(const struct reading *reading)
{
    size_t index = reading->count - 1;

    while (index > 0 && reading->checkpoint != 0 && reading->names[index].first_seq - 1 > reading->checkpoint)
        index--;
    return index;
}

/* Checks the segments and leaves out those at the end that hold no whole line. *whole is what is good of the
 * newest. */
static bool check_segments(struct reading *reading, off_t *whole)
{
    struct check check = {.open_from = 1};
    struct chain known;

    for (*whole = 0; *whole == 0 && reading->count > 0; reading->count -= *whole == 0) {
        size_t first = first_to_check(reading);

        for (size_t i = first; i < reading->count; i++) {
            known = check.chain;
            if (!check_one(reading, i, i > first ? &known : NULL, &check))
                return false;
        }
        *whole = check.whole;
    }
    if (reading->count == 0)
        check = (struct check){.open_from = 1};
    reading->recovery->chain = check.chain;
    reading->open_from = check.open_from;
    return true;
}

/* Checks all, and mends it when it is good. */
static bool check_all(struct reading *reading)
{
    size_t total = reading->count;
    off_t whole;

    if (!check_segments(reading, &whole))
        return false;
    if (reading->checkpoint > reading->recovery->chain.tree.size && reading->wrong != NULL)
        return fail_damaged(reading, reading->names[reading->count - 1].text, reading->wrong_line,
                            reading->wrong);
    if (reading->checkpoint > reading->recovery->chain.tree.size)
        return fail_checkpoint(reading, "lines at the end are missing");
    if (reading->checkpoint != 0 && !reading->met)
        return fail_checkpoint(reading, "the line that it ends with is missing");

    for (size_t i = reading->count; i < total; i++)
        if (!settle(reading, reading->names[i].text, 0))
            return false;
    return reading->count == 0 || settle(reading, reading->names[reading->count - 1].text, whole);
}

/* ---- what was cut off ---- */

/* Counts the bytes and lines of a side file; an incomplete line is one, too. False (errno). */
static bool measure_cut(const struct reading *reading, const char *side, uint64_t *bytes, uint64_t *count)
{
    struct lines lines = {.fd = openat(reading->directory->fd, side, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    enum line_state state = LINE_ERROR;
    struct stat status;
    struct span line;

    if (lines.fd >= 0 && fstat(lines.fd, &status) == 0)
        while ((state = lines_next(&lines, &line)) == LINE_WHOLE || state == LINE_TOO_LONG)
            continue;
    *count = state == LINE_PARTIAL ? lines.number : lines.number - 1;
    *bytes = state != LINE_ERROR ? (uint64_t)status.st_size : 0;
    lines_free(&lines);
    if (lines.fd >= 0)
        close(lines.fd);
    return state != LINE_ERROR;
}

/* A record that tells of the cut. */
static bool record_cut(struct reading *reading, const char *side)
{
    uint64_t bytes, count;
    char detail[160];

    if (!measure_cut(reading, side, &bytes, &count))
        return fail(reading, side, "cannot read it");
    snprintf(detail, sizeof detail, "cut off behind its last whole line, kept in %.*s", CUT_NAME - 1, side);
    if (entry_add(&reading->recovery->records, &(struct record_fields){
                                                   .stage = STAGE_RECOVERED,
                                                   .time_us = clock_now_us(),
                                                   .segment = {side, SEGMENT_NAME - 1},
                                                   .bytes = record_number(bytes),
                                                   .count = record_number(count),
                                                   .detail = span_of(detail),
                                               }))
        return true;
    errno = ENOMEM;
    return fail(reading, side, "cannot record it");
}

/* Records what was cut off from the newest segment, or from one behind it that went away: now, or by a start
 * that came no further. What was cut off earlier was recorded by the segment that was begun then, and is of
 * an older one. */
static bool record_cuts(struct reading *reading)
{
    const char *newest = reading->count > 0 ? reading->names[reading->count - 1].text : "";
    DIR *handle = opendir(reading->directory->path);
    bool recorded = handle != NULL || fail(reading, "", "cannot list it");
    struct dirent *item;

    while (recorded && (item = readdir(handle)) != NULL)
        if (cut_is(item->d_name) && strncmp(item->d_name, newest, SEGMENT_NAME - 1) >= 0)
            recorded = record_cut(reading, item->d_name);
    if (handle != NULL)
        closedir(handle);
    return recorded;
}

/* ---- what is open ---- */

/* Takes note of a line of the newest segment for what it claims; the state at its head is what all before
 * claimed. */
static bool note_claims(struct reading *reading, const char *name, uint64_t number, struct span line)
{
    const char *wrong = claims_state_read(&reading->recovery->claims, line);

    if (wrong == NULL)
        return true;
    errno = ENOMEM;
    return wrong == claims_no_memory ? fail(reading, name, "cannot take note of what it claims")
                                     : fail_damaged(reading, name, number, wrong);
}

/* Takes note of every intent, outcome and manifest in the segment. What cannot be read as a record is passed
 * over here: `audit verify` is there to judge it. */
static bool note_segment(struct reading *reading, size_t index, struct intents *intents)
{
    const struct segment_name *name = &reading->names[index];
    bool newest = index + 1 == reading->count, noted = true;
    struct lines lines = {.fd =
                              openat(reading->directory->fd, name->text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    enum line_state state = LINE_ERROR;
    struct span line;

    if (lines.fd >= 0)
        while (noted && ((state = lines_next(&lines, &line)) == LINE_WHOLE || state == LINE_TOO_LONG)) {
            if (state != LINE_WHOLE)
                continue;
            vouched_note(&reading->recovery->manifest, line);
            if (newest)
                noted = note_claims(reading, name->text, lines.number, line);
            if (noted && !intents_note(intents, line)) {
                errno = ENOMEM;
                state = LINE_ERROR;
                break;
            }
        }
    if (noted && state == LINE_ERROR)
        fail(reading, name->text, "cannot read it");

    lines_free(&lines);
    if (lines.fd >= 0)
        close(lines.fd);
    return noted && state != LINE_ERROR;
}

/* Finds the intents that have no end. */
static bool find_open(struct reading *reading)
{
    struct intents *intents = &reading->recovery->intents;
    bool done = true;

    if (!intents_init(intents)) {
        errno = ENOMEM;
        return fail(reading, "", "cannot look for open intents");
    }
    for (size_t i = 0; done && i < reading->count; i++)
        if (i + 1 == reading->count || reading->names[i + 1].first_seq > reading->open_from)
            done = note_segment(reading, i, intents);
    return done;
}

bool recovery_read(const struct directory *directory, const struct note_key *key, struct recovery *recovery,
                   const char **passing, char *error, size_t error_size)
{
    struct reading reading = {.directory = directory,
                              .recovery = recovery,
                              .passing = passing,
                              .error = error,
                              .error_size = error_size};

    *passing = NULL;
    *recovery = (struct recovery){0};
    STAILQ_INIT(&recovery->records);
    if (!directory_list(directory, &reading.names, &reading.count))
        return fail(&reading, "", "cannot list it");

    bool read =
        find_checkpoint(&reading, key) && check_all(&reading) && record_cuts(&reading) && find_open(&reading);
    free(reading.names);
    if (!read)
        recovery_free(recovery);
    return read;
}

void recovery_free(struct recovery *recovery)
{
    if (recovery == NULL)
        return;
    entry_list_free(&recovery->records);
    intents_free(&recovery->intents);
    claims_state_free(&recovery->claims);
}
