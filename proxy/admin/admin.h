/* The admin listener: /livez, /readyz, /readyz/reads (health.h) and /metrics (metrics.h), GET and HEAD. It
 * shows counts, versions and digests only, and takes no orders. Runs in the control thread, so that who asks
 * holds up no request.
 *
 * Requests go through the same grammar as clients' (wire.h), under tighter bounds; they have no content, a
 * target must be one of the paths to the letter, and every connection is closed behind its one reply. */
#ifndef PROXY_ADMIN_ADMIN_H
#define PROXY_ADMIN_ADMIN_H

#include "proxy/admin/view.h"

struct admin;
struct event_base;
struct journal_port;

/* Accepts in the base's loop at a listening socket, which it duplicates. The view must outlive it. NULL with
 * a message.
 *
 * `port`: of the journal, in the same loop; must outlive it. With one it is the listener for approvals
 * instead: principals see there what waits for approval (GET /approvals, GET /approvals/{id}), and give
 * (POST) or take back and deny it (DELETE), with their own tokens. What they change is durable in the journal
 * before the answer. NULL: the admin listener. */
struct admin *admin_open(const struct admin_view *view, struct event_base *base, struct journal_port *port,
                         int listening, char *error, size_t error_size);
void admin_close(struct admin *admin);

/* Accepts no more: another process has the socket. NULL allowed. */
void admin_leave(struct admin *admin);

/* Reads the token anew. false with a message; the old one stays in use. NULL allowed. */
bool admin_reload(struct admin *admin, char *error, size_t error_size);

#endif
