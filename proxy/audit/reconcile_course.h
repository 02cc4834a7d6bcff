/* How it is found out what became of a mutation: a table with a row for each operation, and the course of one
 * case through its readings. Pure: the driver (reconcile.c) sends what a course asks for, and waits as long
 * as it is told.
 *
 * A reading is one look at the API, perhaps in several requests. What a late arrival of the mutation could
 * still change is believed only when two readings some time apart agree. Nothing but GET is ever asked for.
 * Internal to the files reconcile*.c. */
#ifndef PROXY_AUDIT_RECONCILE_COURSE_H
#define PROXY_AUDIT_RECONCILE_COURSE_H

#include "proxy/audit/reconcile_case.h"
#include "proxy/upstream/reading.h"

enum reconcile_finding {
    FINDING_NONE, /* so far */
    FINDING_PRESENT,
    FINDING_ABSENT,
    FINDING_APPLIED,
    FINDING_NOT_APPLIED,
    FINDING_UNKNOWN, /* and nothing can change that */
    FINDINGS
};

enum reconcile_step {
    STEP_ASK,    /* send what reconcile_course_target says, at once */
    STEP_SETTLE, /* the same, after the time to settle */
    STEP_RETRY,  /* the same, after a pause that doubles with course->failures */
    STEP_DONE,   /* course->result and detail */
};

#define RECONCILE_FAILURES 3 /* in a row that are followed by another attempt */
#define RECONCILE_READINGS 6 /* that may differ from the one before */
#define RECONCILE_PAGES    1000

struct reconcile_rule;

struct reconcile_course {
    const struct reconcile_case *subject;
    const struct reconcile_rule *rule;

    /* The reading under way: */
    unsigned at; /* what is asked for next */
    char cursor[READING_CURSOR];
    unsigned pages;
    char match[READING_ID]; /* the one that fits */
    unsigned matches, doubts;

    /* All readings so far: */
    enum reconcile_finding before; /* what the last whole reading found */
    char match_before[READING_ID];
    unsigned readings, failures;
    int status; /* of the last answer; 0 without one */

    enum reconcile_finding result;
    char detail[256]; /* why; at any time */
};

/* Begins. STEP_ASK, or STEP_DONE where looking can find out nothing. The case must outlive the course. */
enum reconcile_step reconcile_course_begin(struct reconcile_course *course,
                                           const struct reconcile_case *subject);

/* Appends the target to GET; `base` is the contract's base path. */
void reconcile_course_target(const struct reconcile_course *course, const char *base, struct text *target);

/* An answer came whole. `body` counts only where the status is 200. */
enum reconcile_step reconcile_course_answer(struct reconcile_course *course, int status, struct span body);

/* No good answer came: why (for the record; no secret). */
enum reconcile_step reconcile_course_failed(struct reconcile_course *course, const char *why);

/* The reading under way begins anew, and that is nobody's failure: the API asked for a pause. */
void reconcile_course_restart(struct reconcile_course *course, const char *why);

/* Ends it from outside, with what is known so far: the result is unknown. */
void reconcile_course_give_up(struct reconcile_course *course, const char *why);

/* "present", "absent", "applied", "not-applied", "unknown": as records say it. */
const char *reconcile_finding_name(enum reconcile_finding finding);

#endif
