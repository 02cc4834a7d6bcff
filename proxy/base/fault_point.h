/* Places where tests let the process die: a build with -DFAULT_POINTS (`make FAULTS=1`) kills itself with
 * SIGKILL at the point that the environment variable PORTCULLIS_FAULT names, "journal-after-write", or at its
 * n-th passage there, "journal-after-write:3". In every other build the macro is nothing.
 *
 * The points, in the order in which one life passes them:
 *
 *   cut-after-side               recovery: the incomplete tail is in its side file
 *   cut-after-truncate           and cut off
 *   segment-after-create         an empty segment.new (at the start, at each rotation, after each fault)
 *   segment-after-write          its first lines are written
 *   segment-after-sync           and durable, under the passing name
 *   segment-after-link           it has its name, and the passing one
 *   segment-after-unlink         its name alone
 *   segment-after-directory-sync and that is durable
 *   journal-before-write         a batch is numbered and hashed
 *   journal-mid-write            the first half of its bytes is written
 *   journal-after-write          all of them
 *   journal-after-sync           they are durable
 *   journal-before-completion    the same, the file looked at; nobody was told
 *   journal-after-completion     the loops were told
 *   journal-before-rotation      a new segment is due
 *   journal-after-rotation       and begun, the old one closed
 *   mend-after-cut               the unacknowledged tail of a broken segment is cut off
 *   mend-after-sync              and that is durable
 *   checkpoint-after-write       a note is written under its passing name
 *   checkpoint-after-sync        and durable
 *   checkpoint-after-rename      it has its name
 *   checkpoint-after-directory-sync and that is durable
 *   removal-before-record        an old segment may go
 *   removal-after-record         its `removed` record is durable
 *   removal-after-unlink         the file is gone
 *   exchange-before-intent       a mutation is judged
 *   exchange-after-intent        its intent is durable, nothing is sent
 *   exchange-after-forward       it was handed to the upstream's connection
 *   exchange-before-outcome      the answer is there
 *   exchange-after-outcome       its outcome is durable, the client has no answer */
#ifndef PROXY_BASE_FAULT_POINT_H
#define PROXY_BASE_FAULT_POINT_H

#ifdef FAULT_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is this point the one to die at, this time? `passed` counts its passages. */
static inline void fault_point(const char *name, atomic_ulong *passed)
{
    const char *wanted = getenv("PORTCULLIS_FAULT");
    size_t length = strlen(name);

    if (wanted == NULL || strncmp(wanted, name, length) != 0 ||
        (wanted[length] != '\0' && wanted[length] != ':'))
        return;
    unsigned long at = wanted[length] == ':' ? strtoul(wanted + length + 1, NULL, 10) : 1;
    if (atomic_fetch_add(passed, 1) + 1 == at)
        (void)kill(getpid(), SIGKILL);
}

#define FAULT_POINT(name)                                                                                    \
    do {                                                                                                     \
        static atomic_ulong fault_passed;                                                                    \
        fault_point(name, &fault_passed);                                                                    \
    } while (0)

#else

#define FAULT_POINT(name) ((void)0)

#endif

#endif
