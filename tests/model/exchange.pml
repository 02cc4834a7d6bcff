/* Two clients that want one change which others must approve, a person who approves, somebody who changes the
 * integration meanwhile, the journal's writer, the upstream, and one crash of the gate. States and steps of an
 * exchange are the gate's own table: a step that it does not have is an error here as it is there.
 *
 * Not in it: budgets and keys (claimed in the same step as the approval, and given back by the same rule). */
#include "proxy/audit/approval_states.h"
#include "proxy/worker/exchange_states.h"

#define NAME(state, name) , EXCHANGE_##state
#define NAME_APPROVAL(state, name) , APPROVAL_##state
#define IS_STEP(f, t) || (state == EXCHANGE_##f && next == EXCHANGE_##t)
#define IS_APPROVAL_STEP(f, t) || (approval == APPROVAL_##f && later == APPROVAL_##t)
mtype = { NOWHERE EXCHANGE_STATE_TABLE(NAME) APPROVAL_STATE_TABLE(NAME_APPROVAL) };

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef FAILURES
#define FAILURES 2 /* of disks and connections, in all */
#endif

/* The world. */
byte facts;   /* what the integration is; it only ever becomes something new */
byte sent;    /* changes that the upstream may have seen */
byte ended;   /* clients that need not ask again */
byte boots;   /* of the gate */
byte failures;

/* The approval, in the writer's memory and on the disk. */
bool asked, given, used;
bool asked_disk, given_disk, used_disk;
byte bound, bound_disk; /* the facts that it is for */
bool open;              /* an intent on the disk has no outcome there */
bool unknown;           /* that was so when the gate died */
mtype approval = APPROVAL_NOWHERE, later = APPROVAL_NOWHERE; /* the same, as the table has it */

/* Which of the properties fails is what a mutant is known by. */
#define ONLY_ONCE         assert(sent <= 1)
#define AS_APPROVED(seen) assert(seen == bound_disk)
#define DURABLE(intent)   assert(intent)
#define UNSENT(went)      assert(!went)

/* With COURSES every step is printed with the state before it: what the gate's own courses are held against. */
#ifdef COURSES
#define TELL                                                                                                 \
    printf("course "); printm(before); printf(" "); printm(state); printf(" "); printm(next); printf("\n"); \
    before = state
#else
#define TELL skip
#endif

#ifdef COURSES
#define TELL_APPROVAL printf("approval "); printm(approval); printf(" "); printm(later); printf("\n")
#else
#define TELL_APPROVAL skip
#endif

/* Most mutants are known by what they break besides the table. */
#if defined(MUTANT) && !defined(NOT_FORGOTTEN)
#define IN_TABLE true
#else
#define IN_TABLE false
#endif

inline becomes(what)
{
    later = what;
    assert(IN_TABLE APPROVAL_STEP_TABLE(IS_APPROVAL_STEP));
    TELL_APPROVAL;
    approval = later
}

inline enter(to)
{
    d_step { /* nobody else sees it */
        next = to;
        assert(false EXCHANGE_STEP_TABLE(IS_STEP));
        TELL;
        state = next
    }
}

/* Something goes wrong, or takes another way than most: so often in all, that what may pass does in the end. */
inline mishap()
{
    d_step { failures < FAILURES -> failures++ }
}

/* The writer's step for an intent: looked at and reserved in one, then on the disk or given back. */
#ifdef NO_DIGEST
#define FITS true
#else
#define FITS (seen == bound)
#endif
#ifdef NO_RESERVATION
#define RESERVE skip
#else
#define RESERVE used = true
#endif

inline claim()
{
    atomic {
        if
        :: asked && given && !used && FITS -> becomes(APPROVAL_USED); RESERVE; claimed = true
        :: else -> claimed = false
        fi
    };
    if
    :: !claimed
    :: claimed -> atomic { used = true; used_disk = true; open = true; intent = true }
    :: claimed && failures < FAILURES -> atomic { failures++; used = false; becomes(APPROVAL_PENDING); failed = true } /* the disk fails */
    fi
}

/* And for a request to be approved: one that is for other facts is void. */
inline ask()
{
    atomic {
        if
        :: asked && (used || seen == bound) -> pending = true /* it waits already, or is being used */
        :: else ->
            if
            :: asked -> becomes(APPROVAL_OVER) /* void */
            :: !asked
            fi;
#ifndef NOT_FORGOTTEN
            approval = APPROVAL_NOWHERE;
#endif
            becomes(APPROVAL_PENDING);
            pending = false; asked = true; given = false; bound = seen; asked_disk = true; given_disk = false; bound_disk = seen
        fi
    }
}

#ifdef GIVEN_BACK_THOUGH_SENT
#define GIVE_BACK used = false; used_disk = false
#elif defined(NEVER_GIVEN_BACK)
#define GIVE_BACK skip
#else
#define GIVE_BACK if :: !went -> UNSENT(went); used = false; used_disk = false :: else fi
#endif

proctype client()
{
    mtype state, next;
#ifdef COURSES
    mtype before;
#endif
    byte seen, boot;
    bool claimed, failed, intent, went, pending;

again:
    atomic {
#ifdef COURSES
        before = NOWHERE;
#endif
        state = EXCHANGE_RECEIVED; claimed = false; failed = false; intent = false; went = false; boot = boots
    };
    {
        enter(EXCHANGE_DECIDED);
        if
        :: enter(EXCHANGE_PREPARING)
        :: mishap() /* nothing more must be known */
        fi;
        seen = facts;
        if
        :: skip
        :: mishap() -> goto refused /* by a rule, or by what was found */
        :: state == EXCHANGE_DECIDED && failures < FAILURES -> failures++; enter(EXCHANGE_FORWARDED); goto replied /* it was a read */
        :: mishap() -> enter(EXCHANGE_AWAITING); if :: skip :: goto refused fi
        fi;
        enter(EXCHANGE_RECORDING);
        claim();
        if
        :: failed || (!claimed && used) -> goto refused
        :: !failed && !claimed && !used ->
            enter(EXCHANGE_ASKING);
            if
            :: skip
            :: mishap() -> enter(EXCHANGE_ASKING) /* the one that was void is recorded first */
            fi;
            ask();
            if
            :: !pending
            :: pending -> goto refused
            fi
        :: intent ->
#ifdef SENT_TOO_EARLY
            intent = false;
#endif
            if
            :: enter(EXCHANGE_FORWARDED);
                if
                :: atomic { DURABLE(intent); AS_APPROVED(seen); went = true; sent++; ONLY_ONCE }
                :: mishap() /* no connection: nothing was sent */
                fi
            :: mishap() /* the client left: nothing is sent */
            fi;
            if
            :: enter(EXCHANGE_SETTLING)
            :: mishap() /* nobody waits for the record */
            fi;
            atomic {
                open = false; GIVE_BACK;
                if
                :: went -> becomes(APPROVAL_OVER)
                :: !went -> becomes(APPROVAL_PENDING)
                fi
            }
        fi;
        goto replied;
refused:
        if
        :: enter(EXCHANGE_REFUSING)
        :: mishap() /* it cannot be recorded */
        fi;
replied:
        enter(EXCHANGE_REPLIED)
    } unless {
        boots != boot /* the gate died: whoever asks again asks the next one */
    };
    if
    :: sent == 0 -> goto again
    :: sent > 0 -> ended++
    fi
}

/* Agrees to what is asked for, and looks no further. */
active proctype person()
{
end:
    do
    :: atomic { asked && !given && !used -> becomes(APPROVAL_PENDING); given = true; given_disk = true }
    od
}

active proctype somebody_else()
{
    if
    :: facts = 1
    :: skip
    fi
}

/* What is not on the disk is gone. */
active proctype crash()
{
    if
    :: atomic {
        boots++; unknown = open; open = false;
        asked = asked_disk; given = given_disk; bound = bound_disk;
#ifdef FORGOTTEN_AT_RESTART
        used = false;
#else
        used = used_disk;
#endif
        if /* what the journal says of it */
        :: used_disk && unknown -> approval = APPROVAL_USED
        :: used_disk && !unknown -> approval = APPROVAL_OVER
        :: !used_disk && asked_disk -> approval = APPROVAL_PENDING
        :: !used_disk && !asked_disk -> approval = APPROVAL_NOWHERE
        fi
    }
    :: skip
    fi
}

/* Looks what became of an intent that the gate did not see the end of. Whatever it finds, the approval is gone. */
active proctype reconciler()
{
end:
    do
    :: atomic { unknown -> becomes(APPROVAL_OVER); unknown = false; asked = false; given = false; used = false; asked_disk = false; given_disk = false; used_disk = false }
    od
}

init
{
#if CLIENTS == 1
    run client();
#else
    atomic { run client(); run client() };
#endif
    ended == CLIENTS
}

/* Clients ask until the change is made: that it ends says that what may pass does, whatever went wrong before. */
ltl made { <> (ended == CLIENTS) }
