/* Records of the journal as canonical JSON (RFC 8785: members sorted by name, no white space), and the one
 * place that knows where the writer's own members go. */
#ifndef PROXY_AUDIT_RECORD_H
#define PROXY_AUDIT_RECORD_H

#include "proxy/audit/journal.h"
#include "proxy/audit/tree.h"

#include <sys/uio.h>

enum record_stage {
    STAGE_INTENT,          /* a mutation is about to be sent */
    STAGE_OUTCOME,         /* how it ended */
    STAGE_REFUSED,         /* a mutation that was not let through */
    STAGE_UNAUTHENTICATED, /* `count` requests without a known token */
    STAGE_READ,            /* a read, where the policy wants reads recorded */
    STAGE_POLICY,          /* a policy came into force: policy, principals */
    STAGE_KEY,             /* the key of the masks is another one */
    STAGE_DRY_RUN,         /* a change that was only tried */
    STAGE_REPLAYED,        /* a change with a key that was used before: answered as then, not sent */
    STAGE_APPROVAL, /* of a change that needs others to agree; `result`: requested, given, withdrawn, void */
    STAGE_BREAKER,  /* a budget was overrun, or opened again; `result`: tripped, reset */

    /* Written by the journal itself: */
    STAGE_SEGMENT,    /* first line of every segment */
    STAGE_START,      /* the gate began to write here */
    STAGE_STOP,       /* and stopped in good order */
    STAGE_RECOVERED,  /* a segment was found cut short, or given up */
    STAGE_RECONCILED, /* an intent that has no outcome; `result` says what is known */
    STAGE_MISSED,     /* `count` records could not be written */
    STAGE_REMOVED,    /* an old segment is about to be removed: `count` lines, the tree's `root` at its end */
    STAGE_STATE,      /* behind a segment's header: what was claimed by then, in one part or several */
    STAGES
};

struct record_number {
    bool given;
    uint64_t value; /* below 2^53, so that every JSON reader sees the same number */
};

static inline struct record_number record_number(uint64_t value)
{
    return (struct record_number){true, value};
}

enum record_flag { RECORD_UNSAID, RECORD_FALSE, RECORD_TRUE };

/* The values of one record. What is not given (data NULL, given false, unsaid) is left out. Nothing in here
 * may be a secret. */
struct record_fields {
    enum record_stage stage;
    int64_t time_us; /* since the epoch */

    struct span after;  /* an update: the resource as the upstream answered it, masked, canonical JSON */
    struct span answer; /* the upstream's, masked, already canonical JSON */
    struct span answer_digest;
    struct span before;      /* the integration before a change, masked, already canonical JSON */
    struct span approval;    /* id of one */
    struct span body;        /* masked, already canonical JSON */
    struct span cause;       /* of a policy: "start", "signal" or "file" */
    struct span changed;     /* pointers of what an update changed, already canonical JSON */
    struct span changes;     /* from the policy before, already canonical JSON */
    struct span claims;      /* as claims_write has them */
    struct span client;      /* address */
    struct span certificate; /* name in a client's certificate */
    struct span contract;    /* digest */
    struct span credential;  /* presented to the upstream: "own" or "gate" */
    struct span detail;
    struct span edge; /* the tree before a segment, already canonical JSON */
    struct span effect;
    struct span gate;
    struct span identity;        /* how the principal was known: "certificate" or "both" */
    struct span key, key_before; /* ids of keys */
    struct span level;           /* of the audit */
    struct span method;
    struct span oauth_keys; /* digest of those that tokens are verified with */
    struct span operation;
    struct span organization;
    struct span origin; /* name of the log */
    struct span policy; /* digest */
    struct span principal;
    struct span radius;    /* what a hard delete orphans, already canonical JSON */
    struct span replay;    /* how to answer the same request again, already canonical JSON */
    struct span replay_of; /* id of the request whose answer was given again */
    struct span reason;    /* the client's: Portcullis-Break-Glass, or else Portcullis-Reason */
    struct span request_id;
    struct span resource;
    struct span result;
    struct span root; /* of the tree */
    struct span rule;
    struct span severity; /* "critical" where somebody should look at once */
    struct span segment;  /* file name */
    struct span state;    /* a part of what was claimed, already canonical JSON */
    struct span target;   /* canonical */
    struct span trace_id;
    struct span upstream_request_id;
    struct span version;
    struct span would_refuse, would_rule; /* code and rule of a refusal that was only observed */

    struct record_number answer_bytes, bytes, count, duration_us, first_seq, format, last_seq, open_from,
        part, principals, run, serial, status, tree_size, uid, upstream_status;
    enum record_flag sent; /* may the request have reached the upstream? */
};

/* Writes the values into `record`, which must be empty. False when memory is out; the record is empty then.
 */
bool record_build(const struct record_fields *fields, struct record *record);

/* A kept member's value as it stands in the record's text; data NULL where it has none. */
struct span record_kept(const struct record *record, enum record_kept member);

/* The name of a stage. */
const char *record_stage_name(enum record_stage stage);

/* The number that stands for a request id (struct record). */
uint64_t record_mutation(struct span request_id);

/* Gives the texts back and makes the record empty. */
void record_free(struct record *record);

/* The parts of a record's line, newline included, the writer's members spliced in: pieces of the record's
 * text, and between them what is written into `scratch`. Returns the line's length. */
#define RECORD_PARTS   (2 * RECORD_CUTS + 1)
#define RECORD_SCRATCH 112
size_t record_splice(const struct record *record, uint64_t seq, const struct tree_hash *prev,
                     char scratch[static RECORD_SCRATCH], struct iovec parts[static RECORD_PARTS]);

#endif
