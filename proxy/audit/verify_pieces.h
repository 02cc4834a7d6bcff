/* The log as stretches of lines that follow each other as they should. A whole log is one piece; each damage
 * cuts it, and what the pieces' ends say of each other tells what was done. Internal to the verifier. */
#ifndef PROXY_AUDIT_VERIFY_PIECES_H
#define PROXY_AUDIT_VERIFY_PIECES_H

#include "proxy/audit/tree.h"

#include <stddef.h>

#define PIECES      1000 /* more are not told apart */
#define PIECES_RING 256  /* lines back in which the one that a piece goes on from is looked for */

struct place {
    size_t file;   /* index */
    uint64_t line; /* from 1 */
};

/* A line as the chain sees it. */
struct link {
    struct place place;
    uint64_t seq;
    struct tree_hash leaf, prev;
    bool readable; /* its number and `prev` could be read; otherwise they are taken for what they should be */
};

enum joint {
    JOINT_GOOD,
    JOINT_CHANGED, /* its number follows, its `prev` names another line */
    JOINT_BROKEN,  /* its number does not follow */
};

struct piece {
    struct place first, last;
    uint64_t first_seq, last_seq, count;
    struct tree_hash names; /* `prev` of its first line */
    struct tree_hash first_leaf, last_leaf;
    bool last_readable;

    /* The line that `names` is the hash of, where that is one of the last few before the cut and not the one
     * directly before it. */
    bool anchored;
    size_t anchor_piece;
    struct link anchor;
    struct place behind_anchor; /* the line behind that one */
    bool is_copy;               /* the first line is the one behind the anchor once more */
};

struct ring_entry {
    struct link link;
    size_t piece;
};

struct pieces {
    struct piece *items; /* PIECES of them */
    size_t count;
    uint64_t overflow; /* cuts beyond that */
    struct link last;  /* the last line added */
    struct ring_entry *ring;
    uint64_t added;
};

bool pieces_init(struct pieces *pieces);
void pieces_free(struct pieces *pieces);

/* Adds the next line of the files, and says how it joins the one before it. */
enum joint pieces_add(struct pieces *pieces, const struct link *link);

/* What was done to the log. */
enum piece_damage {
    PIECE_CHANGED,  /* lines from..to; `other` is the line that shows it */
    PIECE_INSERTED, /* lines from..to */
    PIECE_MISSING,  /* numbers low..high, between the lines `from` and `to` */
    PIECE_MOVED,    /* lines from..to, numbers low..high, stand elsewhere than behind the line `other` */
    PIECE_REPEATED, /* lines from.., numbers low..high, stand already from `other` on */
};

struct piece_finding {
    enum piece_damage damage;
    struct place from, to, other;
    uint64_t low, high;
    bool also_before; /* of PIECE_CHANGED: `other`, the line before `from`, may be changed as well */
};

/* Calls tell() for each damage. Lines with numbers from..to (0: none) are known to be unchanged. */
void pieces_judge(const struct pieces *pieces, uint64_t proven_from, uint64_t proven_to,
                  void (*tell)(void *arg, const struct piece_finding *finding), void *arg);

#endif
