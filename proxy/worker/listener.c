#include "proxy/worker/listener.h"

#include "proxy/worker/client.h"
#include "proxy/worker/worker.h"

#include <event2/http.h>
#include <event2/listener.h>
#include <unistd.h>

#define EVHTTP_SLACK 65536

/* Descriptors or memory are out. The argument is evhttp's, not ours. */
static void on_accept_error(struct evconnlistener *handle, void *arg)
{
    (void)arg;

    worker_starve(evconnlistener_get_base(handle));
}

/* evhttp is given only what the wire guard let through, under the configured bounds. Its own are a second
 * fence, with room for chunk framing. */
static struct evhttp *make_http(struct listener *listener)
{
    const struct worker *worker = listener->worker;
    const struct config *config = worker->service->config;
    struct evhttp *http = evhttp_new(worker->base);

    if (http == NULL)
        return NULL;
    evhttp_set_bevcb(http, client_bufferevent, listener);
    evhttp_set_gencb(http, client_on_request, listener->worker);
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                         EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                         EVHTTP_REQ_TRACE);
    evhttp_set_max_headers_size(
        http, (ev_ssize_t)(config->limits.header_bytes + config->limits.target_bytes + EVHTTP_SLACK));
    evhttp_set_max_body_size(http, (ev_ssize_t)(config->limits.body_bytes + EVHTTP_SLACK));
    return http;
}

bool listener_open(struct listener *listener, struct worker *worker, const struct config_listener *config,
                   int socket)
{
    const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED;

    listener->worker = worker;
    listener->config = config;
    listener->http = make_http(listener);
    if (listener->http != NULL)
        listener->handle = evconnlistener_new(worker->base, NULL, NULL, flags, 0, socket);
    if (listener->handle == NULL) {
        (void)close(socket);
        return false;
    }
    listener->bound = evhttp_bind_listener(listener->http, listener->handle);
    if (listener->bound == NULL) {
        evconnlistener_free(listener->handle); /* closes the socket */
        listener->handle = NULL;
        return false;
    }
    evconnlistener_set_error_cb(listener->handle, on_accept_error);
    return true;
}

void listener_pause(struct listener *listener, bool pause)
{
    if (listener->handle == NULL)
        return;
    if (pause)
        (void)evconnlistener_disable(listener->handle);
    else
        (void)evconnlistener_enable(listener->handle);
}

void listener_close(struct listener *listener)
{
    if (listener->bound != NULL)
        evhttp_del_accept_socket(listener->http, listener->bound);
    listener->bound = NULL;
    listener->handle = NULL;
}

void listener_free(struct listener *listener)
{
    listener_close(listener);
    if (listener->http != NULL)
        evhttp_free(listener->http);
    listener->http = NULL;
}
