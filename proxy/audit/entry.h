/* A record on its way through the journal, and lists of them. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_ENTRY_H
#define PROXY_AUDIT_ENTRY_H

#include "proxy/audit/claims_internal.h"
#include "proxy/audit/record.h"

#include <sys/queue.h>

struct entry {
    STAILQ_ENTRY(entry) next;   /* in one of: the queue, the writer's batch, the port's finished ones */
    TAILQ_ENTRY(entry) sibling; /* among all of its port; touched in the port's loop only */
    struct journal_port *port;  /* whose loop is told; NULL: nobody's. Changed under the journal's lock */
    journal_done *done;         /* touched in the port's loop only */
    void *arg;
    struct record record;
    struct entry_claims *claims; /* of one that claims; else NULL */
    bool durable;
    bool kept; /* its record is not lost: it waits until the journal is back, or was never to be written */
};

/* What an entry claims, and the answer. Its texts are in it. */
struct entry_claims {
    journal_claimed *done; /* touched in the port's loop only */
    struct claims_record record;
    struct claim_verdict verdict; /* CLAIMS_LOST until its record is durable, or refused */
    char *replay;                 /* the verdict's */
    struct text texts;
    struct claim claims[]; /* as many as the record has */
};

STAILQ_HEAD(entry_list, entry);

/* Appends an entry that nobody waits for, with a record of these values. False when memory is out. */
bool entry_add(struct entry_list *list, const struct record_fields *fields);

void entry_free(struct entry *entry);
void entry_list_free(struct entry_list *list);

#endif
