/* What the files people*.c share. */
#ifndef PROXY_ADMIN_PEOPLE_INTERNAL_H
#define PROXY_ADMIN_PEOPLE_INTERNAL_H

#include "policies/approve.h"
#include "policies/decide.h"
#include "policies/uuid.h"
#include "proxy/admin/admin_internal.h"
#include "proxy/audit/claims.h"

/* A request to give, take back or deny; waits for the journal. */
struct people_change {
    char id[CLAIM_TEXT + 1], principal[CLAIM_TEXT + 1];
    enum claim_kind kind;
    struct ruleset *ruleset; /* that it was judged by */
};

/* One request. */
struct people_request {
    struct admin_client *client;
    struct ruleset *ruleset;
    const struct policy *policy;
    struct arena arena;
    struct request request;
    struct decision who;
    struct span id;           /* of the approval; data NULL: the list is asked for */
    struct span organization; /* the list's filter; data NULL: of all */
    char organization_text[UUID_TEXT_SIZE];
    json_t *approval;
    struct refusal refusal;
};

/* Makes the refusal; without a detail it is the kind's own. Always false. */
bool people_refuse(struct people_request *ask, enum refusal_kind kind, const char *detail,
                   const char *pointer);

/* Of a view as journal_approval has it: a text of the record by which it was asked for; and whether who asks
 * now may give it. */
struct span people_member(const json_t *view, const char *name);
enum approve_right people_right(const struct people_request *ask, const json_t *view);

/* One resource object; `whole`: with what it would change. NULL when memory is out. */
json_t *people_make_resource(const struct people_request *ask, json_t *view, bool whole);

/* Replies 200 with that data, which is taken over. */
void people_reply_document(struct admin_client *client, json_t *data, bool with_body);

/* people_change.c: the reason, from content that is {"reason": "…"} alone; in the arena. False: refused. */
bool people_read_reason(struct people_request *ask, struct span *reason);

/* people_change.c: the client waits for a record of that kind, about what is so named; NULL when memory is
 * out. And it waits no more (or never did). */
struct people_change *people_begin_change(struct people_request *ask, struct span name, enum claim_kind kind);
void people_end_change(struct admin_client *client);

/* people_breakers.c: is the target /breakers, or one below it? Answers it, like people_change. */
bool people_is_breaker_page(struct span target);
bool people_breakers(struct people_request *ask);

/* people_change.c: gives, takes back or denies ask->approval: true, and the reply comes from the journal's
 * callback. False: refused. */
bool people_change(struct people_request *ask);

#endif
