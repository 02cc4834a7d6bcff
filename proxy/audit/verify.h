/* Verifies a journal as evidence: every line against the one before it, every header and checkpoint against
 * the tree of all lines. Finds all damage, not the first alone, and says of each as much as the evidence
 * gives. Prints nothing, changes nothing, and may run beside the gate that writes. */
#ifndef PROXY_AUDIT_VERIFY_H
#define PROXY_AUDIT_VERIFY_H

#include "proxy/audit/trust.h"

enum verify_kind {
    /* Damage: */
    VERIFY_CHANGED,
    VERIFY_INSERTED,
    VERIFY_MISSING,
    VERIFY_MOVED,
    VERIFY_REPEATED,
    VERIFY_APPENDED,
    VERIFY_TRUNCATED,
    VERIFY_FORM,       /* a line not as the journal writes it */
    VERIFY_HEADER,     /* a segment's first line does not fit its file, or the lines before */
    VERIFY_CHECKPOINT, /* changed, exchanged, or of other lines */
    VERIFY_UNSIGNED,   /* a checkpoint that must be there is not */
    VERIFY_KEY,
    VERIFY_ROLLED_BACK, /* the log does not extend a checkpoint kept elsewhere */
    VERIFY_UNPROVEN,    /* nothing at hand can show what was asked for */
    VERIFY_UNREADABLE,

    /* No damage, but worth saying: */
    VERIFY_UNCOVERED,  /* lines behind the newest checkpoint */
    VERIFY_UNFINISHED, /* the newest segment's last line is being written */
    VERIFY_BEGINS_LATER,
    VERIFY_CUT,       /* what a crash left was cut off from a segment */
    VERIFY_EXTENDS,   /* a checkpoint kept elsewhere */
    VERIFY_UNCHECKED, /* checkpoints that could not be held against the lines, because of damage */
    VERIFY_KINDS
};

/* "number 9", "numbers 9 to 12", or for 0 "no number", as messages name records; a line is their place in a
 * file. */
#define VERIFY_NUMBERS 64
const char *verify_numbers(uint64_t low, uint64_t high, char text[static VERIFY_NUMBERS]);

const char *verify_kind_name(enum verify_kind kind);
bool verify_kind_damage(enum verify_kind kind);

struct verify_finding {
    enum verify_kind kind;
    char *file;    /* the segment's name, "checkpoints/…", or "" */
    uint64_t line; /* 0: the file as a whole */
    char *message;
};

#define VERIFY_FINDINGS 100 /* more are counted only */

struct verify_report {
    struct verify_finding findings[VERIFY_FINDINGS]; /* by file and line */
    size_t count;
    uint64_t unlisted;
    uint64_t damages; /* of all findings, listed or not */
    bool failed;      /* memory was out: more was found than is listed */

    uint64_t segments, lines, bytes;
    uint64_t first_seq, last_seq; /* 0 where there is no line */
    uint64_t checkpoints;         /* that fit */
    uint64_t covered;             /* size of the newest of them, 0 without one */
    struct note_key signer;       /* of that one */
    char origin[256];             /* as that one has it */
};

struct verify_options {
    const char *path;               /* a journal's directory, or one segment of it */
    const struct trust *trust;      /* the keys that may have signed; NULL: those in the directory */
    const char *const *checkpoints; /* files kept elsewhere, which the log must extend */
    size_t checkpoint_count;
    int64_t uncovered_us; /* lines this much older than the newest one must be covered by a checkpoint */
    void (*progress)(void *arg, uint64_t done, uint64_t all); /* bytes; NULL: nobody looks */
    void *arg;
};

/* True when it could be judged; the report then says how. False with a message when there is nothing to
 * judge: no journal there, a key or checkpoint that cannot be read. verify_report_free either way. */
bool verify_run(const struct verify_options *options, struct verify_report *report, char *error,
                size_t error_size);
void verify_report_free(struct verify_report *report);

#endif
