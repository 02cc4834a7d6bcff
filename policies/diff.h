/* What another policy (and another contract) changes in meaning.
 *
 * Exact where what is compared is finite: who may do what where, identities, numbers, switches. Where it is
 * not (conditions, patterns, schemas), a change that can be shown to take nothing away from what is refused
 * is told as lost, and any other as one that may let more pass. Nothing that differs goes untold: members of
 * the files that are not compared by meaning are compared as they stand. Pure. */
#ifndef POLICIES_DIFF_H
#define POLICIES_DIFF_H

#include "policies/contract.h"
#include "policies/policy.h"

/* What a change does for those who ask the gate. */
enum change_sense {
    CHANGE_GAINED, /* more passes, or less is checked or recorded */
    CHANGE_MAYBE,  /* that cannot be ruled out */
    CHANGE_LOST,   /* less passes, or more is checked or recorded */
    CHANGE_OTHER,  /* neither; what it comes to is told by other changes where it comes to anything */
    CHANGE_SENSES,
};

/* "gained", "may-be-gained", "lost", "changed". Static storage. */
const char *change_sense_name(enum change_sense sense);

struct change {
    enum change_sense sense;
    const char *what;           /* of what kind: a stable word such as "cell", "token", "budget" */
    const char *subject;        /* of whom or what, for a person; no secret */
    const char *before, *after; /* how it was and is; NULL: it was not there, or is not any more */
    const char *detail;         /* more for a person; NULL: none */
    const char *witness; /* a request that may be judged differently, as a JSON object in the form of a test
                            case; NULL: none */

    /* Of a cell, else NULL. */
    const char *principal, *organization, *operation;
};

/* Is told every change; the texts are good until it returns. */
typedef void change_sink(void *arg, const struct change *change);

/* One of the two. The policy is linked to the contract; the documents are those that they were compiled from.
 */
struct diff_side {
    const struct policy *policy;
    const struct contract *contract;
    const struct document *policy_document, *contract_document;
    const struct jwks *keys; /* of OAuth tokens; NULL: it takes none, or they are not at hand */
};

/* Tells what differs. Memory does not grow with the number of changes. False when memory is out: not all has
 * been told then. */
bool policy_diff(const struct diff_side *old, const struct diff_side *new, change_sink *sink, void *arg);

#endif
