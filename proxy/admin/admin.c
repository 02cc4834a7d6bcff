#include "proxy/admin/admin_internal.h"

#include "proxy/base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RESUME_S 1

static void on_accept(struct evconnlistener *listener, evutil_socket_t descriptor, struct sockaddr *address,
                      int length, void *arg)
{
    const struct timeval soon = {0, 0};
    struct admin *admin = arg;
    (void)address;
    (void)length;

    admin_client_begin(admin, descriptor);
    if (++admin->accepted < ADMIN_CLIENTS)
        return;
    admin->accepted = 0; /* the thread has more to do than to take connections in, however many come */
    (void)evconnlistener_disable(listener);
    (void)event_add(&admin->resume, &soon);
}

/* Descriptors or memory are out. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    const struct timeval later = {RESUME_S, 0};
    struct admin *admin = arg;

    log_event(LOG_WARNING, "admin", "cannot accept connections: %s", strerror(errno));
    (void)evconnlistener_disable(listener);
    (void)event_add(&admin->resume, &later);
}

static void on_resume(evutil_socket_t descriptor, short what, void *arg)
{
    struct admin *admin = arg;
    (void)descriptor;
    (void)what;

    (void)evconnlistener_enable(admin->listener);
}

bool admin_reload(struct admin *admin, char *error, size_t error_size)
{
    return admin == NULL || admin->port != NULL ||
           admin_token_load(&admin->token, &admin->view->service->config->admin.token, error, error_size);
}

static struct admin *make(const struct admin_view *view, struct event_base *base, struct journal_port *port)
{
    struct admin *admin = calloc(1, sizeof *admin);

    if (admin == NULL)
        return NULL;
    admin->view = view;
    admin->base = base;
    admin->port = port;
    TAILQ_INIT(&admin->clients);
    (void)event_assign(&admin->resume, base, -1, 0, on_resume, admin);
    return admin;
}

struct admin *admin_open(const struct admin_view *view, struct event_base *base, struct journal_port *port,
                         int listening, char *error, size_t error_size)
{
    const struct config *config = view->service->config;
    const struct config_address *address = port != NULL ? &config->approvals.listen : &config->admin.listen;
    struct admin *admin = make(view, base, port);

    (void)snprintf(error, error_size, "%s: out of memory", address->text);
    if (admin == NULL || !admin_reload(admin, error, error_size)) {
        admin_close(admin);
        return NULL;
    }
    int socket = fcntl(listening, F_DUPFD_CLOEXEC, 0);
    if (socket >= 0)
        admin->listener = evconnlistener_new(base, on_accept, admin,
                                             LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, socket);
    if (admin->listener == NULL) {
        if (socket >= 0)
            (void)close(socket);
        admin_close(admin);
        return NULL;
    }
    evconnlistener_set_error_cb(admin->listener, on_accept_error);
    return admin;
}

void admin_leave(struct admin *admin)
{
    if (admin == NULL)
        return;
    (void)event_del(&admin->resume);
    evconnlistener_free(admin->listener);
    admin->listener = NULL;
}

void admin_close(struct admin *admin)
{
    struct admin_client *client;

    if (admin == NULL)
        return;
    while ((client = TAILQ_FIRST(&admin->clients)) != NULL)
        admin_client_end(client);
    (void)event_del(&admin->resume);
    if (admin->listener != NULL)
        evconnlistener_free(admin->listener);
    free(admin);
}
