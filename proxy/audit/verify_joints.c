/* What the joints between the lines show, in words. */
#include "proxy/audit/verify_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* "this line was" or "this and the lines up to FILE:LINE were". */
#define SUBJECT (VERIFY_PLACE + 48)
static const char *subject(const struct verifier *verifier, const struct piece_finding *finding,
                           char text[static SUBJECT])
{
    char place[VERIFY_PLACE];

    if (finding->from.file == finding->to.file && finding->from.line == finding->to.line)
        return "this line was";
    snprintf(text, SUBJECT, "the lines from here to %s were", verify_place(verifier, finding->to, place));
    return text;
}

static void tell_changed(struct verifier *verifier, const struct piece_finding *finding)
{
    char what[SUBJECT], other[VERIFY_PLACE];

    subject(verifier, finding, what);
    if (finding->other.line == 0)
        verify_tell_at(verifier, VERIFY_CHANGED, finding->from, "%s changed: the numbers do not follow",
                       subject(verifier, finding, what));
    else if (finding->also_before)
        verify_tell_at(
            verifier, VERIFY_CHANGED, finding->from,
            "%s changed or exchanged: the lines before and behind name others (%s may be changed as well)",
            subject(verifier, finding, what), verify_place(verifier, finding->other, other));
    else
        verify_tell_at(verifier, VERIFY_CHANGED, finding->from,
                       "%s changed: `prev` of %s is the hash of another", subject(verifier, finding, what),
                       verify_place(verifier, finding->other, other));
}

static void tell_missing(struct verifier *verifier, const struct piece_finding *finding)
{
    char other[VERIFY_PLACE], numbers[VERIFY_NUMBERS];

    verify_tell_at(
        verifier, VERIFY_MISSING, finding->to, "before this line the log lacks %s, which stood behind %s",
        verify_numbers(finding->low, finding->high, numbers), verify_place(verifier, finding->from, other));
}

static void tell_numbers(struct verifier *verifier, const struct piece_finding *finding)
{
    char what[SUBJECT], other[VERIFY_PLACE], numbers[VERIFY_NUMBERS];

    verify_numbers(finding->low, finding->high, numbers);
    verify_place(verifier, finding->other, other);
    if (finding->damage == PIECE_MOVED)
        verify_tell_at(verifier, VERIFY_MOVED, finding->from, "%s moved: %s belong%s behind %s",
                       subject(verifier, finding, what), numbers, finding->low == finding->high ? "s" : "",
                       other);
    else
        verify_tell_at(verifier, VERIFY_REPEATED, finding->from,
                       "%s stand%s twice in the log: here, and %s %s", numbers,
                       finding->low == finding->high ? "s" : "",
                       finding->low == finding->high ? "at" : "in the file of", other);
}

static void tell_joint(void *arg, const struct piece_finding *finding)
{
    struct verifier *verifier = arg;
    char what[SUBJECT];

    switch (finding->damage) {
    case PIECE_CHANGED:
        tell_changed(verifier, finding);
        break;
    case PIECE_INSERTED:
        verify_tell_at(verifier, VERIFY_INSERTED, finding->from,
                       "%s put in: the lines around do not know of it", subject(verifier, finding, what));
        break;
    case PIECE_MISSING:
        tell_missing(verifier, finding);
        break;
    case PIECE_MOVED:
    case PIECE_REPEATED:
        tell_numbers(verifier, finding);
        break;
    }
}

/* The log's beginning: number 1, or behind what was removed and is on record as removed. */
static void judge_begin(struct verifier *verifier)
{
    const struct piece *first = &verifier->pieces.items[0];
    uint64_t before = first->first_seq;
    char numbers[VERIFY_NUMBERS];

    for (size_t i = 1; i < verifier->pieces.count; i++)
        if (verifier->pieces.items[i].first_seq < before)
            before = verifier->pieces.items[i].first_seq;
    if (--before == 0 || verifier->single)
        return;
    if (verifier->removed_to < before) {
        verify_tell_at(verifier, VERIFY_MISSING, first->first,
                       "the log begins here, with number %" PRIu64
                       ": it lacks %s, and no record says that they were removed",
                       before + 1, verify_numbers(1, before, numbers));
        return;
    }
    struct tree_hash root = tree_root(&verifier->begin);
    if (verifier->has_begin && verifier->has_removed_root && verifier->removed_to == verifier->begin.size &&
        memcmp(root.bytes, verifier->removed_root.bytes, TREE_HASH) != 0)
        verify_tell_at(
            verifier, VERIFY_HEADER, verifier->removed_place,
            "the root in this record is not that of the records before %s, which it says were removed",
            verifier->files[first->first.file].name);
    else
        verify_tell_at(verifier, VERIFY_BEGINS_LATER, first->first,
                       "the log begins here, with number %" PRIu64
                       ": older segments were removed, which is on record",
                       before + 1);
}

void verify_joints(struct verifier *verifier)
{
    const struct pieces *pieces = &verifier->pieces;

    if (pieces->count == 0)
        return;
    judge_begin(verifier);
    pieces_judge(pieces, verifier->growth.proven_from, verifier->growth.proven_to, tell_joint, verifier);
    if (pieces->overflow > 0)
        verify_tell_at(verifier, VERIFY_CHANGED, pieces->items[pieces->count - 1].last,
                       "behind this line there are %" PRIu64
                       " more places where the lines do not follow each other; they are not told one by one",
                       pieces->overflow);
}
