/* What one worker counts of its requests and connections. Its thread alone writes, with plain loads and
 * stores; the metrics page adds up the tallies of all workers. */
#ifndef PROXY_OBSERVE_TALLY_H
#define PROXY_OBSERVE_TALLY_H

#include "proxy/observe/histogram.h"
#include "proxy/observe/label_set.h"
#include "proxy/wire/wire.h"

#define TALLY_OPERATIONS 64 /* of the contract that are told apart; all others are "other" */
#define TALLY_GATES      24
#define TALLY_CODES      64
#define TALLY_CLASSES    6 /* of a status: none, 1xx to 5xx */

enum tally_verdict { TALLY_PASS, TALLY_REFUSE, TALLY_VERDICTS };
enum tally_kind { TALLY_READ, TALLY_CHANGE, TALLY_REFUSED, TALLY_KINDS };

/* How clients come in. */
enum tally_listener { TALLY_PLAIN, TALLY_TLS, TALLY_UNIX, TALLY_LISTENERS };

/* Figures that are what they are now. One row each: member, name in the page, help. */
#define TALLY_GAUGES(ROW)                                                                                    \
    ROW(exchanges, "exchanges", "Requests under way")                                                        \
    ROW(held_bytes, "held_bytes", "Bytes of answers held for clients")                                       \
    ROW(pool_waiting, "upstream_waiting", "Requests that wait for a connection to the upstream")

struct tally {
    struct label_set operations, gates, codes;
    _Atomic uint64_t requests[TALLY_OPERATIONS + 1][TALLY_GATES + 1][TALLY_VERDICTS][TALLY_CLASSES];
    _Atomic uint64_t refusals[TALLY_CODES + 1];
    _Atomic uint64_t wire[WIRE_FAULT_COUNT];
    struct histogram total[TALLY_KINDS], upstream, journal;
    _Atomic uint64_t open[TALLY_LISTENERS]; /* client connections now */

    /* Set from time to time: */
    _Atomic uint64_t pool_busy, pool_idle; /* connections to the upstream now */
#define TALLY_MEMBER(member, name, help) _Atomic uint64_t member;
    TALLY_GAUGES(TALLY_MEMBER)
#undef TALLY_MEMBER
};

/* One request that has ended. */
struct tally_request {
    const char *operation; /* NULL: none was found */
    const char *gate;      /* that decided; NULL: none */
    const char *code;      /* of the refusal that it was answered with; NULL: none */
    bool passed;           /* the judgement let it through, whatever came after */
    bool mutation;
    int status; /* 0: nothing was answered */
    int64_t total_us;
    int64_t upstream_us; /* below 0: it was not forwarded */
};

/* Counts it. */
void tally_request(struct tally *tally, const struct tally_request *request);

/* Adds what another tally holds now to one that belongs to this thread. */
void tally_gather(const struct tally *from, struct tally *into);

/* Appends it in Prometheus' text format. */
void tally_write(const struct tally *tally, struct text *page);

#endif
