/* An inquiry: the requests with which the gate learns, before a change, what only the upstream knows of one
 * integration. Nothing but GET is sent, one after the other, with the credential and the version of the
 * change itself; their number and their time are bounded. What the answers say may be hostile: what has not
 * the form expected is not known, never guessed. */
#ifndef PROXY_WORKER_INQUIRY_H
#define PROXY_WORKER_INQUIRY_H

#include "proxy/worker/survey.h"

struct inquiry;

/* What is asked, and as whom. Everything is borrowed until done is called, or inquiry_cancel. */
struct inquiry_subject {
    unsigned wanted;  /* set of enum fact; FACT_INTEGRATION is always asked for first */
    bool deleting;    /* nothing more is asked once it is plain that it cannot be deleted */
    const char *base; /* of the contract: "/rest" */
    struct span organization, integration; /* UUIDs in lower case */
    struct span version;                   /* as judged */
    struct span credential;                /* the value of Authorization */
    struct upstream_owner owner;
    const struct field *fields; /* to send besides; COLLECT_FIELDS at most */
    size_t field_count;
    unsigned requests; /* that it may take at most */
    size_t page_bytes; /* of a page of targets at most */
    int64_t due_us;    /* monotonic */
};

/* Everything that could be had is in there, with one reference, which is the owner's. The inquiry is gone. */
typedef void inquiry_done(void *arg, struct survey *survey);

/* Begins. done(arg) is called later, never from within. NULL when memory is out. */
struct inquiry *inquiry_start(struct upstream *upstream, const struct inquiry_subject *subject,
                              inquiry_done *done, void *arg);

/* Ends it; no callback comes any more. NULL is allowed. */
void inquiry_cancel(struct inquiry *inquiry);

#endif
