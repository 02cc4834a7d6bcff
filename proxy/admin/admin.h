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

/* Accepts in the base's loop at a listening socket, which it duplicates. The view must outlive it. NULL with
 * a message. */
struct admin *admin_open(const struct admin_view *view, struct event_base *base, int listening, char *error,
                         size_t error_size);
void admin_close(struct admin *admin);

/* Accepts no more: another process has the socket. NULL allowed. */
void admin_leave(struct admin *admin);

/* Reads the token anew. false with a message; the old one stays in use. NULL allowed. */
bool admin_reload(struct admin *admin, char *error, size_t error_size);

#endif
