#include "proxy/audit/verify_pieces.h"

#include <stdlib.h>

static bool same(const struct tree_hash *one, const struct tree_hash *other)
{
    return memcmp(one->bytes, other->bytes, TREE_HASH) == 0;
}

bool pieces_init(struct pieces *pieces)
{
    *pieces = (struct pieces){.items = calloc(PIECES, sizeof *pieces->items),
                              .ring = calloc(PIECES_RING, sizeof *pieces->ring)};
    return pieces->items != NULL && pieces->ring != NULL;
}

void pieces_free(struct pieces *pieces)
{
    free(pieces->items);
    free(pieces->ring);
    *pieces = (struct pieces){0};
}

static const struct ring_entry *ring_at(const struct pieces *pieces, uint64_t number)
{
    return &pieces->ring[number % PIECES_RING];
}

/* Looks for the line that the piece's first line names, among those before it. */
static void find_anchor(const struct pieces *pieces, struct piece *piece)
{
    uint64_t oldest = pieces->added > PIECES_RING ? pieces->added - PIECES_RING : 0;

    for (uint64_t at = pieces->added; at > oldest; at--) {
        const struct ring_entry *entry = ring_at(pieces, at - 1);

        if (!same(&entry->link.leaf, &piece->names) || entry->link.seq + 1 != piece->first_seq)
            continue;
        piece->anchored = at < pieces->added;
        piece->anchor_piece = entry->piece;
        piece->anchor = entry->link;
        if (piece->anchored) {
            piece->behind_anchor = ring_at(pieces, at)->link.place;
            piece->is_copy = same(&ring_at(pieces, at)->link.leaf, &piece->first_leaf);
        }
        return;
    }
}

static void begin_piece(struct pieces *pieces, const struct link *link)
{
    if (pieces->count == PIECES) {
        pieces->overflow++;
        return;
    }
    struct piece *piece = &pieces->items[pieces->count++];
    *piece = (struct piece){
        .first = link->place, .first_seq = link->seq, .names = link->prev, .first_leaf = link->leaf};
    find_anchor(pieces, piece);
}

static enum joint join(const struct pieces *pieces, const struct link *link)
{
    if (!link->readable)
        return JOINT_GOOD;
    if (link->seq != pieces->last.seq + 1)
        return JOINT_BROKEN;
    return same(&link->prev, &pieces->last.leaf) ? JOINT_GOOD : JOINT_CHANGED;
}

enum joint pieces_add(struct pieces *pieces, const struct link *link)
{
    bool first = pieces->count == 0;
    enum joint joint = first ? JOINT_GOOD : join(pieces, link);

    if (first || joint != JOINT_GOOD)
        begin_piece(pieces, link);
    pieces->last = *link;

    size_t index = pieces->count - 1;
    pieces->ring[pieces->added++ % PIECES_RING] = (struct ring_entry){*link, index};
    if (pieces->overflow == 0) {
        struct piece *piece = &pieces->items[index];

        piece->last = link->place;
        piece->last_seq = link->seq;
        piece->last_leaf = link->leaf;
        piece->last_readable = link->readable;
        piece->count++;
    }
    return joint;
}

/* Lines found to be changed one behind the other. */
struct run {
    bool open;
    struct piece_finding finding;
};

struct judge {
    const struct pieces *pieces;
    uint64_t proven_from, proven_to;
    void (*tell)(void *arg, const struct piece_finding *finding);
    void *arg;
    bool *taken; /* which pieces have their place in the log */
    struct run run;
};

static void tell(struct judge *judge, const struct piece_finding *finding)
{
    judge->tell(judge->arg, finding);
}

static void close_run(struct judge *judge)
{
    if (judge->run.open)
        tell(judge, &judge->run.finding);
    judge->run.open = false;
}

/* The numbers go on from `one` to `next`, but `next` names another line. One of the two lines was changed;
 * where `one` is a single line that was itself at odds with the one before it, it is that one. */
static void on_changed(struct judge *judge, const struct piece *one, const struct piece *next)
{
    struct piece_finding *finding = &judge->run.finding;
    bool proven = one->last_seq >= judge->proven_from && one->last_seq <= judge->proven_to;

    if (judge->run.open && one->count == 1) {
        if (finding->damage == PIECE_CHANGED && !finding->also_before && finding->other.line != 0) {
            finding->also_before = true;
            finding->other = finding->to;
            finding->from = one->first;
        }
        finding->to = one->last;
        return;
    }
    close_run(judge);
    if (!one->last_readable) /* told already, for its form */
        return;
    judge->run.open = true;
    *finding = (struct piece_finding){
        .damage = PIECE_CHANGED, .from = one->last, .to = one->last, .other = next->first};
    if (proven) { /* then it is the next one */
        *finding = (struct piece_finding){.damage = PIECE_INSERTED, .from = next->first, .to = next->first};
        close_run(judge);
    }
}

/* The lines between two pieces that belong to none, if they are as many as are missing. */
static bool take_place_of_missing(struct judge *judge, size_t one, size_t next, uint64_t missing)
{
    const struct piece *items = judge->pieces->items;
    uint64_t between = 0;

    for (size_t i = one + 1; i < next; i++)
        between += judge->taken[i] ? 0 : items[i].count;
    if (between != missing)
        return false;
    for (size_t i = one + 1; i < next; i++) {
        if (judge->taken[i])
            continue;
        judge->taken[i] = true;
        tell(judge,
             &(struct piece_finding){.damage = PIECE_CHANGED, .from = items[i].first, .to = items[i].last});
    }
    return true;
}

/* Numbers are left out between the two. */
static void on_gap(struct judge *judge, size_t one, size_t next)
{
    const struct piece *a = &judge->pieces->items[one], *b = &judge->pieces->items[next];

    close_run(judge);
    if (one < next && take_place_of_missing(judge, one, next, b->first_seq - a->last_seq - 1))
        return;
    tell(judge, &(struct piece_finding){.damage = PIECE_MISSING,
                                        .from = a->last,
                                        .to = b->first,
                                        .low = a->last_seq + 1,
                                        .high = b->first_seq - 1});
}

#define NONE SIZE_MAX

/* The piece that begins with the line behind this one's last. */
static size_t find_successor(const struct judge *judge, const struct piece *one)
{
    for (size_t i = 0; i < judge->pieces->count; i++) {
        const struct piece *other = &judge->pieces->items[i];

        if (!judge->taken[i] && other->first_seq == one->last_seq + 1 && same(&other->names, &one->last_leaf))
            return i;
    }
    return NONE;
}

/* A later piece that goes on from a line inside of this one: either what follows that line here does not
 * belong to the log, or that piece does not. */
static size_t find_branch(const struct judge *judge, size_t one)
{
    for (size_t i = one + 1; i < judge->pieces->count; i++)
        if (!judge->taken[i] && judge->pieces->items[i].anchored &&
            judge->pieces->items[i].anchor_piece == one)
            return i;
    return NONE;
}

/* The later piece that begins with the smallest number above this one's. */
static size_t find_next(const struct judge *judge, size_t one)
{
    const struct piece *items = judge->pieces->items;
    size_t best = NONE;

    for (size_t i = one + 1; i < judge->pieces->count; i++)
        if (!judge->taken[i] && items[i].first_seq > items[one].last_seq &&
            (best == NONE || items[i].first_seq < items[best].first_seq))
            best = i;
    return best;
}

/* A later piece that begins inside this one's numbers and goes beyond. */
static size_t find_overlap(const struct judge *judge, size_t one)
{
    const struct piece *items = judge->pieces->items;

    for (size_t i = one + 1; i < judge->pieces->count; i++)
        if (!judge->taken[i] && items[i].first_seq <= items[one].last_seq &&
            items[i].last_seq > items[one].last_seq)
            return i;
    return NONE;
}

/* Which way does the log go on? NONE: the branch was no part of it. */
static size_t take_branch(struct judge *judge, size_t one, size_t branch)
{
    const struct piece *a = &judge->pieces->items[one], *b = &judge->pieces->items[branch];
    uint64_t rest = a->last_seq - b->anchor.seq;

    close_run(judge);
    if (b->is_copy) {
        tell(judge, &(struct piece_finding){.damage = PIECE_REPEATED,
                                            .from = b->first,
                                            .to = b->last,
                                            .other = b->behind_anchor,
                                            .low = b->first_seq,
                                            .high = b->last_seq < a->last_seq ? b->last_seq : a->last_seq});
    } else if (b->count >= rest) {
        tell(judge,
             &(struct piece_finding){.damage = PIECE_INSERTED, .from = b->behind_anchor, .to = a->last});
        return branch;
    } else {
        tell(judge, &(struct piece_finding){.damage = PIECE_INSERTED, .from = b->first, .to = b->last});
    }
    return b->is_copy && b->last_seq > a->last_seq ? branch : NONE;
}

/* What follows piece `one`; says what is wrong between them. NONE at the log's end. */
static size_t step(struct judge *judge, size_t one)
{
    const struct piece *items = judge->pieces->items;
    size_t next = find_successor(judge, &items[one]), branch;

    if (next != NONE) {
        close_run(judge);
        return next;
    }
    while ((branch = find_branch(judge, one)) != NONE) {
        judge->taken[branch] = true;
        if ((next = take_branch(judge, one, branch)) != NONE)
            return next;
    }
    next = find_next(judge, one);
    if (next != NONE) {
        if (items[next].first_seq == items[one].last_seq + 1)
            on_changed(judge, &items[one], &items[next]);
        else
            on_gap(judge, one, next);
        return next;
    }
    close_run(judge);
    next = find_overlap(judge, one);
    if (next != NONE)
        tell(judge, &(struct piece_finding){.damage = PIECE_REPEATED,
                                            .from = items[next].first,
                                            .to = items[next].last,
                                            .other = items[one].first,
                                            .low = items[next].first_seq,
                                            .high = items[one].last_seq});
    return next;
}

/* Where the log begins. */
static size_t find_start(const struct judge *judge)
{
    const struct piece *items = judge->pieces->items;
    size_t start = 0;

    for (size_t i = 1; i < judge->pieces->count; i++)
        if (items[i].first_seq < items[start].first_seq &&
            find_successor(judge, &items[i]) != NONE) /* another's word for it */
            start = i;
    return start;
}

/* Of the pieces that found no place: do they carry numbers that stand elsewhere? */
static void tell_leftover(struct judge *judge, const struct piece *piece)
{
    const struct piece *items = judge->pieces->items;
    struct piece_finding finding = {.damage = PIECE_INSERTED, .from = piece->first, .to = piece->last};

    for (size_t i = 0; i < judge->pieces->count; i++)
        if (&items[i] != piece && judge->taken[i] && piece->count > 1 &&
            piece->first_seq >= items[i].first_seq && piece->last_seq <= items[i].last_seq) {
            finding.damage = PIECE_REPEATED;
            finding.other = items[i].first;
            finding.low = piece->first_seq;
            finding.high = piece->last_seq;
        }
    tell(judge, &finding);
}

void pieces_judge(const struct pieces *pieces, uint64_t proven_from, uint64_t proven_to,
                  void (*teller)(void *arg, const struct piece_finding *finding), void *arg)
{
    bool taken[PIECES] = {false};
    struct judge judge = {pieces, proven_from, proven_to, teller, arg, taken, {0}};
    size_t furthest = 0;

    if (pieces->count == 0)
        return;
    for (size_t at = find_start(&judge), before = NONE; at != NONE; before = at, at = step(&judge, at)) {
        const struct piece *piece = &pieces->items[at];

        taken[at] = true;
        if (at < furthest)
            tell(&judge, &(struct piece_finding){.damage = PIECE_MOVED,
                                                 .from = piece->first,
                                                 .to = piece->last,
                                                 .other = pieces->items[before].last,
                                                 .low = piece->first_seq,
                                                 .high = piece->last_seq});
        else
            furthest = at;
    }
    close_run(&judge);
    for (size_t i = 0; i < pieces->count; i++)
        if (!taken[i])
            tell_leftover(&judge, &pieces->items[i]);
}
