/* A connection to a gate's listener for approvals: TCP to this machine, a UNIX socket, or TLS. It blocks, for
 * a bounded time. */
#ifndef PROXY_CONSOLE_PEOPLE_LINE_H
#define PROXY_CONSOLE_PEOPLE_LINE_H

#include "policies/text.h"

#define PEOPLE_ANSWER ((size_t)64 << 20) /* bytes of an answer; more is an error */

/* Sends the request to the address and reads what comes back, to the end of the connection, into `answer`,
 * which the caller frees. `at`: "127.0.0.1:8082", "http://HOST:PORT" (of this machine only: a token crosses
 * it in clear), "https://HOST[:PORT]", "unix:PATH". `authorities`: a file of certificates to trust; NULL: the
 * system's. False with a message about the address in error[]. */
bool people_line(const char *at, const char *authorities, const struct text *request, struct text *answer,
                 char *error, size_t error_size);

#endif
