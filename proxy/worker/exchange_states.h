/* The course of an exchange, as the one table from which the states, their names and what may follow what are
 * made. Other readings of the table define other macros over it.
 *
 * A new transition is a row below: from, to, and when it happens. exchange_enter() stops the gate at one that
 * has none. The end of the gate itself (exchange_abort()) is no row: it can take an exchange in any state. */
#ifndef PROXY_WORKER_EXCHANGE_STATES_H
#define PROXY_WORKER_EXCHANGE_STATES_H

/* STATE(name in C, name in logs): what the exchange waits for there. */
#define EXCHANGE_STATE_TABLE(STATE)                                                                          \
    STATE(RECEIVED, received)   /* the judgement */                                                          \
    STATE(DECIDED, decided)     /* nothing: what follows is done at once */                                  \
    STATE(PREPARING, preparing) /* the upstream, asked what the change is about */                           \
    STATE(AWAITING, awaiting)   /* the journal, which the gate before this one still holds */                \
    STATE(REFUSING, refusing)   /* the refusal of a mutation, on its way to the disk */                      \
    STATE(ASKING, asking)       /* the request for approval, on its way to the disk */                       \
    STATE(RECORDING, recording) /* the intent, on its way to the disk */                                     \
    STATE(FORWARDED, forwarded) /* the upstream's answer */                                                  \
    STATE(SETTLING, settling)   /* the outcome, on its way to the disk */                                    \
    STATE(REPLIED, replied)     /* nothing: it is over */

/* STEP(from, to): each comment says when. */
#define EXCHANGE_STEP_TABLE(STEP)                                                                            \
    STEP(RECEIVED, DECIDED)   /* judged, or refused unparsed */                                              \
    STEP(DECIDED, PREPARING)  /* more must be known first */                                                 \
    STEP(DECIDED, AWAITING)   /* a change, and another gate holds the journal */                             \
    STEP(DECIDED, REFUSING)   /* a known principal's mutation does not pass */                               \
    STEP(DECIDED, RECORDING)  /* a change passes, and nothing more must be known */                          \
    STEP(DECIDED, FORWARDED)  /* a read passes */                                                            \
    STEP(DECIDED, REPLIED)    /* refused without record, or a dry run */                                     \
    STEP(PREPARING, AWAITING) /* as DECIDED, with what was found */                                          \
    STEP(PREPARING, REFUSING)                                                                                \
    STEP(PREPARING, RECORDING)                                                                               \
    STEP(PREPARING, REPLIED)                                                                                 \
    STEP(AWAITING, REFUSING)   /* the client left, or the journal did not come in time */                    \
    STEP(AWAITING, RECORDING)  /* the journal is ours */                                                     \
    STEP(AWAITING, REPLIED)    /* the same as REFUSING, and the refusal cannot be recorded */                \
    STEP(REFUSING, REPLIED)    /* the refusal is durable, or never will be */                                \
    STEP(RECORDING, FORWARDED) /* the intent is durable and has what it claims */                            \
    STEP(RECORDING, ASKING)    /* an approval is missing, or void */                                         \
    STEP(RECORDING, SETTLING)  /* the intent is durable, and nothing is sent */                              \
    STEP(RECORDING, REFUSING)  /* something that it claims is spent, or the intent is not durable */         \
    STEP(RECORDING, REPLIED)   /* as SETTLING or REFUSING, and no record can be written */                   \
    STEP(ASKING, ASKING)       /* the void one is recorded, now another is asked for */                      \
    STEP(ASKING, REFUSING)     /* answered with the approval that is pending */                              \
    STEP(ASKING, REPLIED)      /* the same, and the refusal cannot be recorded */                            \
    STEP(FORWARDED, SETTLING)  /* a change has its answer, or will have none */                              \
    STEP(FORWARDED, REPLIED)   /* a read has, or nobody waits for the outcome's record */                    \
    STEP(SETTLING, REPLIED)    /* the outcome is durable, or never will be */

#endif
