/* Inside of `portcullis replay`: a request that was recorded, judged again. */
#ifndef PROXY_CONSOLE_REPLAY_H
#define PROXY_CONSOLE_REPLAY_H

#include "policies/decide.h"
#include "proxy/audit/scan.h"

/* Why a recorded request cannot be judged again. */
enum replay_gap {
    GAP_NONE,
    GAP_UNAUTHENTICATED, /* nobody knew whose it was */
    GAP_EARLY,   /* refused for its spelling, version or parameters, which are not recorded as they came */
    GAP_LIMITS,  /* refused by something else than the policy */
    GAP_BODY,    /* its body is not recorded */
    GAP_MASKED,  /* secrets in its body are masked, and the contract asks for them */
    GAP_FACTS,   /* a rule looks at what the API would have said, which is not recorded */
    GAP_HEADERS, /* a rule asks for a header field, and those are not recorded */
    GAP_CLAIMS,  /* budgets and approvals go by what was used by then */
    GAP_CHANGE,  /* a change in an access log, which holds no bodies: the journal has it */
    GAP_RECORD,  /* the line lacks what every record has */
    GAPS,
};

/* A stable word, and what it means for a person. Static storage. */
const char *replay_gap_name(enum replay_gap gap);
const char *replay_gap_meaning(enum replay_gap gap);

enum replay_answer {
    REPLAY_NONE, /* the line is about no request that is judged */
    REPLAY_GAP,
    REPLAY_SAME,
    REPLAY_REFUSED,  /* it passed, and would be refused */
    REPLAY_APPROVAL, /* it passed, and would wait for an approval */
    REPLAY_ALLOWED,  /* it was refused, and would pass */
    REPLAY_ANSWERS,
};

/* "refused", "approval", "allowed" of those that would have changed. Static storage. */
const char *replay_answer_name(enum replay_answer answer);

struct replay_finding {
    enum replay_answer answer;
    enum replay_gap gap;     /* with REPLAY_GAP */
    const char *rule, *code; /* of what would be refused, in the arena or static; "" where there is none */
};

/* What requests are judged by. `input.assume` is the judge's own. */
struct replay_judge {
    struct decide_input input;
    struct arena arena;
    struct field fields[2];
    const struct field_row *rows[2];
};

/* Makes a judge; replay_judge_end gives back what it holds. False when memory is out. */
bool replay_judge_begin(struct replay_judge *judge, const struct contract *contract,
                        const struct policy *policy);
void replay_judge_end(struct replay_judge *judge);

/* Judges the request of a line again: one of the journal, or of an access log. The finding's texts are good
 * until the next call. */
void replay_judge_line(struct replay_judge *judge, const struct scan *line, struct replay_finding *finding);

#endif
