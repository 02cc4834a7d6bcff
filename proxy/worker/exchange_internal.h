/* What the files exchange*.c share. */
#ifndef PROXY_WORKER_EXCHANGE_INTERNAL_H
#define PROXY_WORKER_EXCHANGE_INTERNAL_H

#include "proxy/audit/claims.h"
#include "proxy/http/trace.h"
#include "proxy/limits/underway.h"
#include "proxy/observe/shadow_tally.h"
#include "proxy/service/ruleset.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker/exchange.h"
#include "proxy/worker/exchange_states.h"
#include "proxy/worker/inquiry.h"

#include <sys/queue.h>

#define EXCHANGE_ROOM 3072 /* bytes of its arena: an ordinary request takes no more */

#define EXCHANGE_STATE(state, name) EXCHANGE_##state,
enum exchange_state { EXCHANGE_STATE_TABLE(EXCHANGE_STATE) EXCHANGE_STATES };
#undef EXCHANGE_STATE

/* What a candidate for the policy says of the request (exchange_shadow.c). */
struct shadow_view {
    enum shadow_result result;
    const char *gate, *rule, *rule_id, *code; /* whose word makes the difference; each may be NULL */
};

/* Invariants:
 *  1. call != NULL only in EXCHANGE_FORWARDED.
 *  2. inquiry != NULL exactly in EXCHANGE_PREPARING.
 *  3. A journal callback is outstanding exactly in ASKING, AWAITING, REFUSING, RECORDING and SETTLING.
 *  4. Once head_sent, the answer can only be completed or cut.
 *  5. Everything in `request` and `decision` points into client->incoming, the evhttp request or the arena,
 * and all three live until the end. */
struct exchange {
    SLIST_ENTRY(exchange) idle;
    struct worker *worker;
    struct client *client;
    enum exchange_state state;
    struct ruleset *ruleset;
    struct arena arena;
    _Alignas(max_align_t) char room[EXCHANGE_ROOM]; /* the arena's; what an ordinary request needs */
    struct request request;
    struct decision decision;
    struct shadow_view shadow;
    struct trace trace;
    char request_id[UUID_TEXT];
    struct upstream_owner fingerprint; /* of the credential to present; once judged to pass */
    bool passed;                       /* the judgement let it through, whatever came after */
    bool mutation;                     /* obliged to the journal */
    bool tried;                        /* a dry run: answered with what would have become of it */
    bool overspent;                    /* a budget that is only observed had nothing left: none is claimed */
    bool keep;                         /* the connection may serve another request */

    struct underway_one
        alone; /* while more is found out about a change, and until its end: no other like it */
    struct inquiry *inquiry;
    struct survey *survey; /* what it found; NULL: nothing was asked for */

    char approval_id[UUID_TEXT]; /* of the one that is asked for */
    unsigned approval_rounds;    /* of asking and voiding, so far */
    const char *approval_void;   /* why the one before does not count; static; NULL: there was none */
    struct span request_digest;  /* see exchange_digest.h; made when it is asked for */

    struct upstream_call *call;
    bool sent;           /* bytes of the request may have reached the upstream */
    const char *failure; /* why the upstream gave no good answer; in the arena */
    int upstream_status; /* 0 without an answer */
    bool answered;       /* the upstream's answer came whole: its status can be believed */
    bool holding;        /* the answer's body is collected before it is sent */
    bool json;           /* its links are rewritten */
    bool chunking;       /* the answer goes out chunked */
    bool no_body;        /* 204, 304 and answers to HEAD */
    bool head_sent;
    struct text head;      /* the answer's status line and fields, without framing and empty line */
    struct text body;      /* what is collected */
    size_t held;           /* of it, as counted in worker->held */
    struct text rewritten; /* the same with links rewritten */
    struct text masked;    /* see exchange_mask_body; empty until it is asked for */
    char upstream_request_id[64];
    struct span location; /* of the answer to a change, as it goes to the client; in the arena */

    int status;                                  /* answered to the client; 0 when it got nothing */
    uint64_t bytes;                              /* of body sent to the client */
    int64_t began_us, forwarded_us, answered_us; /* monotonic; 0 for not reached */
    int64_t began_epoch_us;
    int64_t waiting_since_us; /* for a record to be durable; monotonic */
};

/* exchange.c: the one place that changes the state. */
void exchange_enter(struct exchange *exchange, enum exchange_state next);

/* exchange.c: refuses with what stands in decision.refusal; a mutation's refusal is recorded first. */
void exchange_refuse(struct exchange *exchange);

/* exchange.c: begins a refusal of that kind with one error, in place of what the decision held. */
struct refusal *exchange_refusal(struct exchange *exchange, enum refusal_kind kind, const char *gate,
                                 const char *detail);

/* exchange.c: the reply is complete / cannot be completed: logs, frees, hands the connection back. */
void exchange_end(struct exchange *exchange);
void exchange_cut(struct exchange *exchange);

/* exchange_client.c: notes whom the request comes from. False: that address has too many connections. */
bool exchange_name_client(struct exchange *exchange);
void exchange_refuse_crowd(struct exchange *exchange);

/* exchange.c: token and body have been judged and, where they are sent on, copied. */
void exchange_wipe_secrets(const struct exchange *exchange);

/* exchange_admit.c: may a request that the judgement let through go on? false: decision.refusal says why not.
 */
bool exchange_admit(struct exchange *exchange);

/* exchange_admit.c: refuses because the API asks the credential to wait, `seconds` of them. */
void exchange_refuse_shielded(struct exchange *exchange, int64_t seconds);

/* exchange_admit.c: the upstream answered 429 and asks for so many seconds (-1: it does not say). How long
 * the credential is held back. */
int64_t exchange_hold_back(struct exchange *exchange, int64_t asked_s);
/* The same from an answer. */
void exchange_note_limit(struct exchange *exchange, const struct upstream_answer *answer);

/* exchange_forward.c: the value of Authorization to present; data NULL when the credential that the policy
 * names is not at hand. */
struct span exchange_authorization(const struct exchange *exchange);

/* exchange_forward.c: sends the request upstream and brings the answer back. */
void exchange_forward(struct exchange *exchange);

/* exchange_answer.c: sends what was collected. */
void exchange_reply_collected(struct exchange *exchange);

/* exchange_reply.c: adds what ends a header. length -1: unknown, so chunked for HTTP/1.1 and until close for
 * 1.0. */
void exchange_end_head(struct exchange *exchange, int64_t length);

/* exchange_reply.c: sends head and body as one; false when memory ran out while composing, and nothing was
 * sent. */
bool exchange_send_whole(struct exchange *exchange, struct span body);

/* exchange_reply.c: sends the refusal, or the document in `rewritten` as a 200, and ends. */
void exchange_reply_refusal(struct exchange *exchange);
void exchange_reply_document(struct exchange *exchange);

/* exchange_reply.c: sends `rewritten` with that status, as the answer that the request of that id got before;
 * `location` with data NULL: it had none. */
void exchange_reply_again(struct exchange *exchange, int status, struct span location, const char *first_id);

/* exchange_prepare.c: does the gate have to know more before it goes on? Then it asks, and the exchange goes
 * on from there: false here. */
bool exchange_is_prepared(struct exchange *exchange);

/* exchange_prepare.c: the client left while it asked. */
void exchange_unprepare(struct exchange *exchange);

/* exchange.c: judges (again, when facts have been asked for). */
void exchange_judge(struct exchange *exchange);

/* exchange.c: what was judged is carried out, or refused. */
void exchange_go_on(struct exchange *exchange);
void exchange_turn_away(struct exchange *exchange);

/* exchange_dry_run.c: answers what would have become of the change. */
void exchange_reply_dry_run(struct exchange *exchange);

/* exchange_tag.c: the entity tag of a resource, with its quotes, appended; nothing without a resource. */
void exchange_add_tag(const struct exchange *exchange, json_t *resource, struct text *tag);

/* exchange_tag.c: adds the tag of the collected answer to its head, where it is about one integration and the
 * principal may change that. */
void exchange_tag_answer(struct exchange *exchange);

/* exchange_tag.c: has the principal all of these permissions in the organisation? */
bool exchange_may(const struct exchange *exchange, const char *permission);

/* exchange_answer.c: the upstream's answer. */
extern const struct upstream_events exchange_upstream_events;

/* exchange_record.c: each returns false when the journal takes nothing; else the state goes on from a
 * callback. With an outcome it also returns false where audit.reply says not to wait for it. */
bool exchange_record_intent(struct exchange *exchange);
bool exchange_record_outcome(struct exchange *exchange);
bool exchange_record_refused(struct exchange *exchange);
/* The outcome of an exchange that ends now; nobody waits for it. */
void exchange_record_aborted(struct exchange *exchange);

/* The record of a read that ends now, where the policy wants one; what cannot be recorded is counted. */
void exchange_record_read(struct exchange *exchange);

struct record_fields;

/* Texts that what was found out points into. */
struct survey_texts {
    struct text before, radius, after, changed;
};

/* Texts that the answer's members of a record point into. */
struct answer_texts {
    struct text masked, digest, replay;
};

/* exchange_record_answer.c: puts the upstream's answer into the record, its secrets masked; where it is no
 * JSON, or too long, its length and a keyed digest. */
void exchange_add_answer(const struct exchange *exchange, struct record_fields *fields,
                         struct answer_texts *texts);
void exchange_free_answer(struct answer_texts *texts);

/* exchange_record_answer.c: puts what the survey found into the record: what was before, and the radius. */
void exchange_add_survey(const struct exchange *exchange, struct record_fields *fields,
                         struct survey_texts *texts);

/* exchange_record_answer.c: what an update whose intent has a pre-image made of it. */
void exchange_add_update(const struct exchange *exchange, struct record_fields *fields,
                         struct survey_texts *texts);
void exchange_free_survey(struct survey_texts *texts);

/* exchange_record.c: the record of a change that was answered as the request of that id had been; nobody
 * waits for it. */
void exchange_record_replayed(struct exchange *exchange, const char *first_id);

/* exchange_record.c: the record of a change that was only tried; nobody waits for it. */
void exchange_record_dry_run(struct exchange *exchange);

/* exchange_record.c: sets the body as judged, secrets masked, canonical JSON; it is the exchange's. data NULL
 * when there is none. False when memory is out. */
bool exchange_mask_body(struct exchange *exchange, struct span *masked);

/* exchange_shadow.c: judges the candidate beside the decision that stands; there must be one. */
void exchange_ask_shadow(struct exchange *exchange);

/* exchange_shadow.c: the request goes on, and all that is learnt before is known: where the candidate could
 * not say without it, it is asked again. */
void exchange_ask_shadow_again(struct exchange *exchange);

/* exchange_shadow.c: the request ends: counts what the candidate said of it. */
void exchange_count_shadow(const struct exchange *exchange);

/* What an intent claims. */
struct exchange_claims {
    struct claim list[CLAIMS_MOST];
    size_t count;
};

/* exchange_claims.c: collects them; texts live in the arena. False when there are too many, or memory is out.
 */
bool exchange_collect_claims(struct exchange *exchange, struct exchange_claims *claims);

/* exchange_repeat.c: adds what keeps a request from being made twice: its key, and itself. False as above. */
bool exchange_claim_repeat(struct exchange *exchange, struct exchange_claims *claims);

/* exchange_repeat.c: has the request been made before, as far as is known before the API is asked anything?
 * Then it is answered or refused: true. */
bool exchange_is_repeat(struct exchange *exchange);

/* exchange_repeat.c: more is to be found out about the change, once at a time. False: the same is being found
 * out, or is under way since; it is refused. */
bool exchange_is_alone(struct exchange *exchange);

/* exchange_repeat.c: the writer found that it has been: true, and it is answered or refused. */
bool exchange_answers_repeat(struct exchange *exchange, const struct claim_verdict *verdict);

/* exchange_repeat.c: the outcome's member `replay`, appended; nothing where the answer is not to be kept. */
void exchange_write_replay(const struct exchange *exchange, struct text *replay);

/* exchange_claims.c: a claim was refused: the refusal is in the decision. False where that is only observed:
 * the intent is to be recorded again, without it. */
bool exchange_claim_refused(struct exchange *exchange, const struct claim_verdict *verdict);

/* exchange_approval.c: does the same request wait for approval already, and for more people? Then it is
 * refused, and the exchange goes on from there. */
bool exchange_awaits_approval(struct exchange *exchange);

/* exchange_approval.c: adds the claim of an approval, where one is demanded. False as above. */
bool exchange_claim_approval(struct exchange *exchange, struct exchange_claims *claims);

/* exchange_approval.c: was the claim of an approval refused? Then it is asked for, or the refusal is told:
 * the exchange goes on from there. */
bool exchange_seeks_approval(struct exchange *exchange, const struct claim_verdict *verdict);

/* exchange_approval.c: what became of the record by which it was asked for / made void. */
void exchange_approval_asked(struct exchange *exchange, bool durable, const struct claim_verdict *verdict);
void exchange_approval_voided(struct exchange *exchange, bool durable, const struct claim_verdict *verdict);

/* exchange_approval.c: appends, for a dry run, what approval is demanded and how one that waits stands. */
void exchange_add_approval(struct exchange *exchange, struct text *out);

/* exchange_record.c: the record of stage approval for a CLAIM_ASK or CLAIM_VOID; exchange_approval_asked or
 * exchange_approval_voided follows. False when the journal takes nothing. */
bool exchange_record_approval(struct exchange *exchange, const struct claim *claim);

/* exchange_claims.c: before a change that breaks the glass is sent, somebody is told. */
void exchange_raise_alarm(const struct exchange *exchange);

/* exchange_log.c: the access log line. */
void exchange_log(struct exchange *exchange);

/* How the principal was known, where a certificate had a part in it: "certificate" or "both"; nothing
 * otherwise. And the name in it. */
struct span exchange_identity(const struct decision *decision);
struct span exchange_certificate(const struct decision *decision);

#endif
