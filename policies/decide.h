/* The judgement: a request in, a verdict with its reasons and obligations out. Pure: no socket, no file, no
 * clock, no global.
 *
 * decide() walks one table of gates in the order that a request meets them (decide.c): spelling, operation,
 * identity, version, parameters, permission, body, rules. Each gate is a file gate_<name>.c of the same
 * shape. The first one that refuses decides. Who the principal is gets found out before the first gate, so
 * that every refusal can name it. */
#ifndef POLICIES_DECIDE_H
#define POLICIES_DECIDE_H

#include "policies/contract.h"
#include "policies/facts.h"
#include "policies/jwt_memo.h"
#include "policies/policy.h"
#include "policies/request.h"
#include "policies/target.h"

enum verdict {
    VERDICT_PASS,
    VERDICT_REFUSE,
    VERDICT_NEED, /* facts that only the upstream knows are needed first: see `needs` */
};

/* One object of a JSON:API error document. */
struct refusal_error {
    const char *detail;
    const char *pointer;   /* source.pointer, or NULL */
    const char *parameter; /* source.parameter, or NULL */
    struct refusal_error *next;
};

/* A name and value shown in `meta` of a refusal, or as a field of its answer. */
struct refusal_member {
    const char *name, *value;
    struct refusal_member *next;
};

struct refusal {
    int status;                    /* HTTP status */
    const char *code;              /* "portcullis-…": stable */
    const char *title;             /* short, the same for every refusal of this code */
    struct refusal_error *errors;  /* one at least, in the order of the input */
    struct refusal_member *meta;   /* e.g. permission, organization, principal */
    struct refusal_member *fields; /* answer fields: Allow, WWW-Authenticate, Retry-After */
    bool observable;               /* it is one that `"enforcement": "observe"` turns into a note */
};

/* What was shown of an identity. */
enum identity {
    IDENTITY_NONE,  /* nothing that the policy knows */
    IDENTITY_TOKEN, /* with this and the two below, the principal is known */
    IDENTITY_CERTIFICATE,
    IDENTITY_TOKEN_AND_CERTIFICATE,
    IDENTITY_NO_CERTIFICATE, /* a token that is good beside a certificate only */
    IDENTITY_NO_TOKEN,       /* the other way round */
    IDENTITY_CONFLICT,       /* token and certificate are of different principals */
    IDENTITY_AMBIGUOUS,      /* the certificate is of different principals */
    IDENTITY_OUT_OF_TERM,    /* a token whose time is over, or has not come: see `term` */
};

enum obligation {
    OBLIGE_JOURNAL = 1u << 0,     /* an intent must be durable before the first byte goes upstream */
    OBLIGE_APPROVAL = 1u << 1,    /* by each rule in `approvals`; asked where the intent is appended */
    OBLIGE_BUDGET = 1u << 2,      /* spend one from each in `budgets`, in the same step */
    OBLIGE_BREAK_GLASS = 1u << 3, /* spend one of the principal's break-glass, and raise the alarm before
                                     anything is sent */
};

/* A rule that is to be carried out. */
struct rule_due {
    const struct rule *rule;
    struct span key; /* of a budget: whose it is. The principal's name, the organisation's UUID (empty where
                        the operation has none), or empty for the gate's */
    struct rule_due *next;
};

/* What the client asks of the gate by header fields; data NULL or false where it does not. */
struct orders {
    struct span reason;      /* Portcullis-Reason */
    struct span break_glass; /* Portcullis-Break-Glass: the reason for it */
    struct span key;         /* Idempotency-Key; of no meaning for a read */
    bool dry_run;            /* Portcullis-Dry-Run */
};

/* What would have been refused, were the policy enforced here. */
struct observed {
    const char *gate; /* NULL: nothing */
    const char *rule; /* as decision.rule would be */
    struct refusal refusal;
};

struct gate; /* a row of the table in decide.c */

struct decision {
    enum verdict verdict;
    const char *gate; /* name of the gate that decided: the one that refused, or the last */
    const char *rule; /* what in policy or contract decided, for the logs: a JSON pointer, or a stable word */
    unsigned obligations;
    unsigned needs;         /* with VERDICT_NEED: set of enum fact, all that can make a difference */
    struct refusal refusal; /* with VERDICT_REFUSE */
    struct rule_due *approvals, *budgets; /* with these obligations, in the order of the file */
    const struct rule *approval; /* the first that demands one, or may once facts are had, and is enforced */
    bool observing;              /* permission, rules and budgets are not enforced here */
    struct observed observed;    /* the first thing that was not; with `observing` only */

    /* What was found on the way; each is empty (NULL, data NULL) when its gate was not reached. */
    const struct principal *principal;
    enum identity identity;  /* IDENTITY_NONE where `principal` is assumed, or not looked for yet */
    struct term term;        /* with IDENTITY_OUT_OF_TERM */
    bool oauth;              /* the token was one of OAuth */
    const char *token_fault; /* why an OAuth token is not taken; NULL: it is, or none was sent */
    struct span certificate; /* the name in it that a principal has: a span into the request */
    const struct operation *operation;
    bool target_ok;           /* target holds something */
    struct span organization; /* lower-case UUID */
    uint32_t listed;          /* the same as the policy has it: policy_organization() */
    struct span resource;     /* id of the integration */
    struct span version;      /* as judged */
    struct orders orders;     /* spans into the request */
    struct span secret;       /* the client's token: a span into the request; never to be logged */
    int credential;           /* index of the credential to present, or CREDENTIAL_OWN */
    json_t *body;             /* parsed; decision_free drops it */
    struct span content; /* what is to be forwarded: `body` as compact JSON (data NULL without a body). In the
                            arena. */
    struct span forward; /* the canonical target to send; in the arena, or a span into the request */

    int64_t now;         /* of the request */
    struct arena *arena; /* where texts of this decision live */

    struct target target; /* canonical; the version is among its parameters. The last member: it is large, and
                             nothing clears it whole */
};

/* What OAuth tokens are verified with. */
struct oauth {
    const struct jwks *keys; /* NULL: there are none at hand, and no such token is taken */
    struct jwt_memo *memo;   /* of this thread; NULL: each token is verified anew */
};

struct decide_input {
    const struct contract *contract;
    const struct policy *policy;
    struct pattern_scratch *scratch;
    struct oauth oauth;
    const struct principal *assume; /* explain: this principal, without a token; NULL otherwise */
};

/* Judges. `out` needs no preparation; texts live in the arena, which must outlive it. Running out of memory
 * is a refusal (503). decision_free afterwards.
 *
 * With VERDICT_NEED all of the decision stands as with VERDICT_PASS (credential and forward, too). Get the
 * facts in `needs`, note each in `had` or `failed` of request->facts, decision_free, and judge again with the
 * same policy, the same request and the same arena. A fact that failed makes the rules that look at it apply.
 * Nothing is reserved or spent here: the obligations say what is to be. */
void decide(const struct decide_input *input, const struct request *request, struct arena *arena,
            struct decision *out);

/* Drops what a decision holds besides the arena. */
void decision_free(struct decision *decision);

/* Fills a refusal by the rule: kind, detail, and `rule` and `reason` in its meta. For whoever carries out
 * approvals and budgets: what they add to it is theirs. */
void rule_refuse(struct decision *decision, const struct rule *rule);

/* Takes a refusal that is observable where the policy is only observed: notes it in `observed` (the first one
 * is kept) and lets the request pass. False, and nothing is changed, where it is to be enforced. */
bool decision_observe(struct decision *decision);

/* One gate's answer, for explain: the gates in order, with what each said. */
struct gate_report {
    const char *gate;
    enum {
        GATE_PASSED,
        GATE_REFUSED,
        GATE_OBSERVED, /* would have refused, were the policy enforced */
        GATE_NEEDS,    /* cannot say without facts */
        GATE_NOT_REACHED,
    } state;
    const char *looked_at; /* one line: what it read and found, no secrets */
};

/* Number of gates, and the report of each for a decision just made. Texts live in the decision's arena. */
size_t decide_report(const struct decide_input *input, const struct decision *decision,
                     struct gate_report *reports, size_t room);

/* Does the method change nothing (RFC 9110 §9.2.1: GET, HEAD, OPTIONS, TRACE)? A refused request with any
 * other method is recorded in the journal. */
bool method_is_safe(struct span method);

/* Finds out whom the request comes from: `principal`, `identity`, `certificate` and `secret` of the decision,
 * whose `arena` must be there. */
void identify(const struct decide_input *input, const struct request *request, struct decision *out);

#endif
