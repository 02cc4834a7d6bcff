/* The metrics page: GET /metrics on a loopback address of its own, in Prometheus' text format. It shows
 * counts, versions and digests only; nobody has to prove who they are, and nothing can be changed through it.
 * Runs in the control thread, so a reader of metrics holds up no request. */
#ifndef PROXY_ADMIN_H
#define PROXY_ADMIN_H

#include "proxy/service.h"

struct admin;
struct event_base;

/* Listens on config->admin.listen in the base's loop. NULL with a message. */
struct admin *admin_open(struct service *service, struct event_base *base, char *error, size_t error_size);
void admin_close(struct admin *admin);

/* The port really bound. */
uint16_t admin_port(const struct admin *admin);

#endif
