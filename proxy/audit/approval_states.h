/* The life of an approval, as the one table from which its states, their names and what may follow what are
 * made; other readings of the table define other macros over it. A new step is a row below: from, to, and
 * when it happens. */
#ifndef PROXY_AUDIT_APPROVAL_STATES_H
#define PROXY_AUDIT_APPROVAL_STATES_H

/* STATE(name in C, name in logs). */
#define APPROVAL_STATE_TABLE(STATE)                                                                          \
    STATE(NOWHERE, nowhere) /* nobody has asked for it */                                                    \
    STATE(PENDING, pending) /* asked for; it can be given, taken back and used */                            \
    STATE(USED, used)       /* by an intent that has no end */                                               \
    STATE(OVER, over)       /* and forgotten */

/* STEP(from, to). */
#define APPROVAL_STEP_TABLE(STEP)                                                                            \
    STEP(NOWHERE, PENDING) /* it is asked for */                                                             \
    STEP(PENDING, PENDING) /* somebody agrees, or takes that back */                                         \
    STEP(PENDING, USED)    /* an intent claims it */                                                         \
    STEP(PENDING, OVER)    /* it is void, or its time is over */                                             \
    STEP(USED, PENDING)    /* nothing was sent for it */                                                     \
    STEP(USED, OVER)       /* something was, or may have been */

#endif
