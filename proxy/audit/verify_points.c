/* What the checkpoints show, and what they do not cover. */
#include "proxy/audit/verify_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* Where the line of that number stands, for as long as nothing is missing. */
static const char *place_of(const struct verifier *verifier, uint64_t seq, char text[static VERIFY_PLACE])
{
    for (size_t i = verifier->file_count; i > 0; i--) {
        const struct verify_file *file = &verifier->files[i - 1];

        if (seq >= file->first_seq && seq < file->first_seq + file->lines)
            return verify_place(verifier, (struct place){i - 1, seq - file->first_seq + 1}, text);
    }
    return "?";
}

/* The largest size below this that a checkpoint fits at. */
static uint64_t fits_before(const struct points *points, size_t index)
{
    while (index-- > 0)
        if (points->items[index].wrong == NULL && points->items[index].state == POINT_FITS)
            return points->items[index].size;
    return 0;
}

static bool fits_behind(const struct points *points, size_t index)
{
    while (++index < points->count)
        if (points->items[index].wrong == NULL && points->items[index].state == POINT_FITS)
            return true;
    return false;
}

static bool comes_first(const struct points *points, size_t index)
{
    uint64_t fits = fits_before(points, index);

    while (index-- > 0 && points->items[index].size > fits)
        if (points->items[index].wrong == NULL && points->items[index].state == POINT_DIFFERS &&
            !points->items[index].outside)
            return false;
    return true;
}

static void tell_outside_differs(struct verifier *verifier, const struct point *point)
{
    verify_tell(verifier, VERIFY_ROLLED_BACK, point->file, 0,
                "the first %" PRIu64
                " records of this log are not those that this checkpoint was signed for: the log "
                "does not extend it",
                point->size);
}

/* It is signed, but the lines have another root. */
static void tell_differs(struct verifier *verifier, size_t index)
{
    const struct point *point = &verifier->points.items[index];
    uint64_t from = fits_before(&verifier->points, index) + 1;
    char first[VERIFY_PLACE], last[VERIFY_PLACE];

    if (point->outside) {
        tell_outside_differs(verifier, point);
        return;
    }
    if (fits_behind(&verifier->points, index)) {
        verify_tell(
            verifier, VERIFY_CHECKPOINT, point->file, 0,
            "signed, but for other records than these, though a later checkpoint fits: it is of another log, "
            "or two logs were kept under one key");
        return;
    }
    if (!comes_first(&verifier->points, index))
        return;
    if (from < verifier->files[0].first_seq)
        from = verifier->files[0].first_seq;
    verify_tell(
        verifier, VERIFY_CHANGED, point->file, 0,
        "the records up to number %" PRIu64
        " are not those that were signed: between %s and %s some were changed, put in or taken out, and "
        "those behind them hashed anew",
        point->size, place_of(verifier, from, first), place_of(verifier, point->size, last));
}

/* No line of that number is there, or the tree could not be made up to it. */
static void tell_unseen(struct verifier *verifier, const struct point *point, uint64_t *unchecked)
{
    if (point->size > verifier->high_seq && !verifier->broken_off) {
        if (point->outside)
            verify_tell(verifier, VERIFY_ROLLED_BACK, point->file, 0,
                        "the log ends with number %" PRIu64 ", but this checkpoint was signed for %" PRIu64
                        " records: the log was rolled back",
                        verifier->high_seq, point->size);
    } else if (point->outside) {
        verify_tell(verifier, VERIFY_UNPROVEN, point->file, 0,
                    "the log cannot be held against this checkpoint of %" PRIu64 " records: %s", point->size,
                    verifier->has_begin && point->size < verifier->begin.size
                        ? "they were removed; keep a newer one"
                        : "it is damaged before their end");
    } else if (!verifier->has_begin || point->size >= verifier->begin.size) {
        ++*unchecked;
    }
}

static void tell_wrong(struct verifier *verifier, const struct point *point)
{
    if (verifier->trust->count > 0)
        verify_tell(verifier, point->outside ? VERIFY_UNPROVEN : VERIFY_CHECKPOINT, point->file, 0, "%s%s",
                    point->wrong,
                    verifier->options->trust == NULL ? "" : " (the key is the one given with --key)");
}

static void tell_other_log(struct verifier *verifier, const struct point *point)
{
    verify_tell(verifier, point->outside ? VERIFY_UNPROVEN : VERIFY_CHECKPOINT, point->file, 0,
                "it is a checkpoint of another log, %s; this one is %s", point->origin, verifier->origin);
}

/* The checkpoint that covers most of what the log lost at its end. */
static void tell_truncated(struct verifier *verifier)
{
    const struct point *most = NULL;

    for (size_t i = 0; i < verifier->points.count; i++) {
        const struct point *point = &verifier->points.items[i];

        if (point->wrong == NULL && !point->outside && point->size > verifier->high_seq)
            most = point;
    }
    if (most == NULL || verifier->broken_off || verifier->single)
        return;
    char numbers[VERIFY_NUMBERS];
    verify_tell(verifier, VERIFY_TRUNCATED,
                verifier->file_count > 0 ? verifier->files[verifier->high_place.file].name : NULL,
                verifier->high_place.line,
                "the log ends here, with number %" PRIu64 ", but %s was signed for %" PRIu64
                " records: it lacks %s",
                verifier->high_seq, most->file, most->size,
                verify_numbers(verifier->high_seq + 1, most->size, numbers));
}

static void note_fits(struct verifier *verifier, const struct point *point)
{
    struct verify_report *report = verifier->report;

    report->checkpoints++;
    report->covered = point->size;
    report->signer = verifier->trust->keys[point->signer];
    snprintf(report->origin, sizeof report->origin, "%s", point->origin);
    if (point->outside)
        verify_tell(verifier, VERIFY_EXTENDS, point->file, 0,
                    "the log extends this checkpoint of %" PRIu64 " records", point->size);
}

/* A segment alone says nothing of checkpoints before or behind it. */
static bool concerns(const struct verifier *verifier, const struct point *point)
{
    return !verifier->single || point->outside ||
           (point->size >= verifier->begin.size && point->size <= verifier->high_seq);
}

void verify_points(struct verifier *verifier)
{
    uint64_t unchecked = 0;

    if (verifier->trust->count == 0)
        verify_tell(verifier, VERIFY_KEY, "verifier.vkey", 0,
                    "missing: without it no checkpoint can be verified; give the key with --key");
    for (size_t i = 0; i < verifier->points.count; i++) {
        const struct point *point = &verifier->points.items[i];

        if (!concerns(verifier, point))
            continue;
        if (point->wrong != NULL)
            tell_wrong(verifier, point);
        else if (verifier->origin[0] != '\0' && strcmp(point->origin, verifier->origin) != 0)
            tell_other_log(verifier, point);
        else if (point->state == POINT_FITS)
            note_fits(verifier, point);
        else if (point->state == POINT_DIFFERS)
            tell_differs(verifier, i);
        else
            tell_unseen(verifier, point, &unchecked);
    }
    tell_truncated(verifier);
    if (unchecked > 0)
        verify_tell(verifier, VERIFY_UNCHECKED, NULL, 0,
                    "%" PRIu64
                    " checkpoint%s could not be held against the log, because of the damage before their "
                    "end",
                    unchecked, unchecked == 1 ? "" : "s");
}

static bool any_good(const struct verifier *verifier)
{
    return points_newest(&verifier->points) != NULL;
}

/* Why a checkpoint must be there that is not. NULL: none must. */
static const char *find_lack(const struct verifier *verifier)
{
    if (verifier->stopped)
        return "the gate stopped here, and signs a checkpoint when it stops: that one was taken away";
    if (verifier->report->covered < verifier->run)
        return "since the gate's last start no checkpoint was signed, though it signs one at once: it was "
               "taken "
               "away, or these records are not the gate's";
    if (verifier->last_us - verifier->uncovered_us > verifier->options->uncovered_us)
        return "for longer than allowed (--uncovered) no checkpoint was signed: those that were may have "
               "been taken "
               "away";
    return NULL;
}

/* One segment alone. */
static void cover_single(struct verifier *verifier)
{
    if (verifier->report->covered == 0)
        verify_tell(
            verifier, VERIFY_UNPROVEN, NULL, 0,
            "no checkpoint ends in this segment, so that nothing signed covers it alone: verify the whole "
            "directory");
    else if (verifier->report->covered < verifier->high_seq)
        verify_tell(verifier, VERIFY_UNCOVERED, NULL, 0,
                    "the records behind number %" PRIu64
                    " are covered by later checkpoints only, if at all: verify the "
                    "whole directory",
                    verifier->report->covered);
}

void verify_coverage(struct verifier *verifier)
{
    const struct verify_report *report = verifier->report;
    char numbers[VERIFY_NUMBERS];

    if (verifier->trust->count > 0 && !any_good(verifier)) {
        verify_tell(verifier, VERIFY_UNSIGNED, NULL, 0,
                    "there is no good checkpoint: nothing shows that these records are what the gate wrote");
        return;
    }
    if (report->damages > 0 || report->covered >= verifier->high_seq)
        return;
    if (verifier->single) {
        cover_single(verifier);
        return;
    }
    const char *lack = find_lack(verifier);
    if (lack != NULL)
        verify_tell_at(verifier, VERIFY_UNSIGNED,
                       verifier->stopped ? verifier->last_place : verifier->uncovered,
                       "%s; the newest good one is of %" PRIu64 " records, of %" PRIu64, lack,
                       report->covered, verifier->high_seq);
    else
        verify_tell_at(verifier, VERIFY_UNCOVERED, verifier->uncovered, "not yet covered by a checkpoint: %s",
                       verify_numbers(report->covered + 1, verifier->high_seq, numbers));
}
