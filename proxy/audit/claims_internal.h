/* What the files claims*.c share. Pure but for what is said otherwise. */
#ifndef PROXY_AUDIT_CLAIMS_INTERNAL_H
#define PROXY_AUDIT_CLAIMS_INTERNAL_H

#include "proxy/audit/claims_book.h"

#include <jansson.h>

#define CLAIM_SECOND_US INT64_C(1000000)
#define CLAIM_NUMBERS   (UINT64_C(1) << 53) /* every number in a record is below */

/* Do these claims stand for one record of that stage ("intent", "approval", "breaker")? */
bool claims_valid(const struct claim *claims, size_t count, struct span stage);

/* Takes the member's value apart; the claims' texts are the array's. False when it is not what claims_write
 * writes. */
bool claims_read(const json_t *array, struct claim claims[static CLAIMS_MOST], size_t *count);

/* A record on its way that claims, as far as its claims need to know it. */
struct claims_record {
    int64_t time_us;
    struct span request_id;
    struct span text;    /* its line, but for `prev` and `seq` */
    struct span written; /* its member `claims` */
    const struct claim *claims;
    size_t count;
};

/* claims_reserve.c: does all that the record claims, asking nothing, or nothing. False when memory is out. A
 * change to take back or keep. */
bool claims_reserve(struct book *book, const struct claims_record *record);

/* claims_check.c: may the record have what it claims? CLAIMS_TAKEN, or why not. */
void claims_check(const struct book *book, const struct claims_record *record, struct claim_verdict *verdict);

/* A record that ends a mutation, or says that its end is unknown. Texts as they stand in its line. */
struct claims_end {
    struct span request_id, result, replay; /* data NULL: not said */
    unsigned status, upstream_status;       /* 0: not said */
    bool found;                             /* by looking (stage `reconciled`) */
    bool sent;                              /* false: the record says that it was not */
};

/* claims_settle.c: settles what its intent claimed, which cannot be taken back. */
void claims_settle(struct book *book, const struct claims_end *end);

/* Holds a step of an approval against the table: one that is not there is a defect, and the gate stops rather
 * than guess. The state itself is the caller's to change. */
void approval_step(const struct held_approval *approval, enum approval_state next);

/* Is the approval good to be given or used? */
bool approval_is_live(const struct held_approval *approval, int64_t now_us);
/* The one that waits for this request; NULL without one. */
struct held_approval *approval_for(const struct book *book, struct span request, int64_t now_us);
/* Is the key still to be minded? */
bool key_is_live(const struct book *book, const struct held_key *key, int64_t now_us);

/* Is the scope this one, or one of the rule that this names? */
bool scope_is_of(const char *scope, struct span wanted);

#endif
