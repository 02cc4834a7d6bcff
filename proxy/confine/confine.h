/* Least power: what the process gives up once its sockets are bound and before its first thread starts, so
 * that a fault in it is worth little to whoever finds it. In this order:
 *
 *  1. the user: root becomes process.user; every capability goes (capabilities(7)); no_new_privs;
 *  2. files: only what the settings name can be read or written from now on, and no TCP port can be bound
 *     (landlock(7));
 *  3. system calls: only those that the gate makes; what only an intruder would call ends the process
 *     (seccomp(2), through libseccomp).
 *
 * A kernel that lacks 2 or 3 is said once, and the gate goes on; with process.confine "required" it does not
 * start. 1 is never passed over. All of it is inherited by threads and by programs that the gate starts: with
 * audit.checkpoint_command, which may be any program, files may be read and executed everywhere, and system
 * calls are only taken away, not listed. */
#ifndef PROXY_CONFINE_CONFINE_H
#define PROXY_CONFINE_CONFINE_H

#include "proxy/service/ruleset.h"

/* The values of process.confine, in the order of its setting. */
enum confine_demand { CONFINE_AUTO, CONFINE_REQUIRED, CONFINE_OFF };

/* Gives up what is said above. `ruleset` names the files of held credentials; `port_file` is written later,
 * NULL for none. What the kernel lacks is logged. false: the gate must not start, with a message in error[].
 * Only from the one thread there is. */
bool confine_process(const struct config *config, const struct ruleset *ruleset, const char *port_file,
                     char *error, size_t error_size);

#endif
