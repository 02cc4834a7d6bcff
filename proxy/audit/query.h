/* Finding records: which lines of a journal answer a question. */
#ifndef PROXY_AUDIT_QUERY_H
#define PROXY_AUDIT_QUERY_H

#include "policies/text.h"
#include "proxy/audit/scan.h"

/* Members that can be asked for by their whole value. */
enum query_member {
    QUERY_ORGANIZATION,
    QUERY_PRINCIPAL,
    QUERY_OPERATION,
    QUERY_RESOURCE,
    QUERY_STAGE,
    QUERY_RULE,
    QUERY_REQUEST_ID,
    QUERY_MEMBERS
};

enum query_verdict { QUERY_ANY, QUERY_PASSED, QUERY_REFUSED };

/* A question: all that it says must be so. A zeroed struct asks for everything. */
struct query {
    struct text members[QUERY_MEMBERS]; /* as they stand in a line: "\"principal\":\"ci-bot\"" */
    struct span text;                   /* these bytes somewhere in the line */
    enum query_verdict verdict;
    unsigned status_from, status_to; /* 0: any */
    bool has_since, has_until;
    int64_t since_us, until_us; /* from..before */
};

/* Asks for a member. False when memory is out. */
bool query_set(struct query *query, enum query_member member, const char *value);

/* Asks for a status: "404", "4xx". False for another form. */
bool query_set_status(struct query *query, const char *status);

enum query_answer {
    QUERY_NO,
    QUERY_YES,
    QUERY_UNREADABLE, /* the bytes would answer, but the line is no record */
};

/* Does the line answer? For QUERY_YES the scan holds its members. */
enum query_answer query_match(const struct query *query, struct span line, struct scan *scan);

/* By the time in their names: where reading must begin (any number in the segment), and whether a segment can
 * be passed over with all behind it. Clocks are put right now and then: an hour is allowed for. */
uint64_t query_first(const struct query *query, const char *directory);
bool query_beyond(const struct query *query, const char *segment);

void query_free(struct query *query);

#endif
