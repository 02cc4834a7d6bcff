/* Counters of the whole gate, of what does not happen with every request: see tally.h for that. Written by
 * any thread, read by the metrics page. */
#ifndef PROXY_OBSERVE_COUNTERS_H
#define PROXY_OBSERVE_COUNTERS_H

#include "policies/text.h"

#include <stdatomic.h>

/* One row for each counter: member, name in the metrics page (a label may follow), help. */
#define COUNTER_TABLE(ROW)                                                                                   \
    ROW(connections, "connections_total", "Client connections accepted")                                     \
    ROW(proxy_refused, "connections_refused_total{reason=\"proxy-header\"}",                                 \
        "Connections and requests refused for where they come from")                                         \
    ROW(crowd_refused, "connections_refused_total{reason=\"address\"}",                                      \
        "Connections and requests refused for where they come from")                                         \
    ROW(turned_away, "connections_refused_total{reason=\"total\"}",                                          \
        "Connections and requests refused for where they come from")                                         \
    ROW(starvations, "accept_pauses_total",                                                                  \
        "Times that accepting had to pause because descriptors or memory were out")                          \
    ROW(tls_begun, "tls_handshakes_total{session=\"new\"}", "TLS handshakes of clients that were done")      \
    ROW(tls_resumed, "tls_handshakes_total{session=\"resumed\"}",                                            \
        "TLS handshakes of clients that were done")                                                          \
    ROW(tls_closed, "tls_handshake_failures_total{reason=\"closed\"}",                                       \
        "TLS handshakes of clients that failed")                                                             \
    ROW(tls_uncertified, "tls_handshake_failures_total{reason=\"certificate\"}",                             \
        "TLS handshakes of clients that failed")                                                             \
    ROW(tls_refused, "tls_handshake_failures_total{reason=\"protocol\"}",                                    \
        "TLS handshakes of clients that failed")                                                             \
    ROW(tls_late, "tls_handshake_failures_total{reason=\"timeout\"}",                                        \
        "TLS handshakes of clients that failed")                                                             \
    ROW(too_slow, "slow_clients_total", "Clients given up or refused because they were too slow")            \
    ROW(would_refuse, "would_refuse_total", "Requests that went on because the policy is only observed")     \
    ROW(glass_broken, "break_glass_total", "Changes that broke the glass")                                   \
    ROW(approvals_asked, "approval_requests_total", "Changes that were put to people for approval")          \
    ROW(replayed, "replayed_answers_total", "Changes answered as the first with their Idempotency-Key")      \
    ROW(approvals_changed, "approval_changes_total", "Approvals that people gave, took back or denied")      \
    ROW(admin_given_up, "admin_connections_given_up_total",                                                  \
        "Connections to the listeners for operators and for approvals that ended without a reply")           \
    ROW(breakers_reset, "breaker_resets_total", "Budgets that people opened again")                          \
    ROW(shed, "shed_requests_total", "Requests refused with 503 for want of room")                           \
    ROW(rate_limited, "rate_limited_requests_total",                                                         \
        "Requests refused with 429 by the policy's rate limits")                                             \
    ROW(shielded, "shielded_requests_total",                                                                 \
        "Requests refused with 429 because the upstream asked their credential to wait")                     \
    ROW(shield_openings, "shield_openings_total", "Times that the upstream asked a credential to wait")      \
    ROW(upstream_failed, "upstream_failures_total",                                                          \
        "Requests that the upstream did not answer as it should")                                            \
    ROW(facts_requests, "facts_requests_total", "Requests to the upstream to learn what a change is about")  \
    ROW(facts_failed, "facts_failures_total", "Changes of which something could not be learnt beforehand")   \
    ROW(unauthenticated, "unauthenticated_total", "Requests without a known token")                          \
    ROW(unrecorded, "journal_missed_total", "Refusals and reads that could not be recorded in the journal")  \
    ROW(version_changes, "upstream_version_changes_total",                                                   \
        "Changes seen in what version the upstream serves")                                                  \
    ROW(admin_refused, "admin_refusals_total", "Requests that the admin listener refused")                   \
    ROW(reloads, "reloads_total{result=\"done\"}", "Reloads by result")                                      \
    ROW(reloads_failed, "reloads_total{result=\"failed\"}", "Reloads by result")

struct counters {
#define COUNTER_MEMBER(member, name, help) _Atomic unsigned long member;
    COUNTER_TABLE(COUNTER_MEMBER)
#undef COUNTER_MEMBER
};

/* One more. Relaxed: a count orders nothing. */
#define COUNT_MANY(service, member, more)                                                                    \
    ((void)atomic_fetch_add_explicit(&(service)->counters.member, (more), memory_order_relaxed))
#define COUNT(service, member)                                                                               \
    ((void)atomic_fetch_add_explicit(&(service)->counters.member, 1, memory_order_relaxed))

/* Appends all counters in Prometheus' text format (version 0.0.4), each name with the prefix portcullis_. */
void counters_write(const struct counters *counters, struct text *out);

#endif
