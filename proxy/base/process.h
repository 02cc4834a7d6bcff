/* What the process as a whole does before it serves. */
#ifndef PROXY_BASE_PROCESS_H
#define PROXY_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* No core dumps and no tracing by others: secrets are in memory. */
void process_hide(void);

/* That, as many descriptors as allowed, SIGPIPE ignored, libevent's fatal errors logged, and the signals of
 * the control thread blocked: threads made from now on inherit that. */
void process_prepare(void);

/* The start is done, which needed much that requests do not (OpenSSL's set-up, the compilers of seccomp's and
 * PCRE2's programs, what was parsed): gives that memory back. Code and constants come back by the page, from
 * their files, where they are needed again. */
void process_settle(void);

/* How many descriptors the process may have. */
size_t process_descriptors(void);

/* libevent without the fixes that Debian has in 2.1.12-stable-8+deb12u1 lets a header value end its line; its
 * version number does not tell. false: such a one is in use. */
bool process_libevent_is_fixed(void);

#endif
