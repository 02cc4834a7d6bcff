#include "proxy/admin.h"

#include "proxy/audit/journal.h"
#include "proxy/listener.h"
#include "proxy/ship/ship.h"
#include "proxy/upstream/status.h"
#include "proxy/version_watch.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER_BYTES 8192
#define TIMEOUT_S    5
#define BACKLOG      16

struct admin {
    struct service *service;
    struct evhttp *http;
    uint16_t port;
};

/* What the journal says of itself. One row for each figure; `kind` as Prometheus has it. */
static void write_journal(struct service *service, struct text *page)
{
    struct journal_status status;

    journal_status(service->journal, &status);
    const struct {
        const char *name, *kind, *help;
        uint64_t value;
    } rows[] = {
        {"usable", "gauge", "May mutations be forwarded: is the audit journal writable", status.why == NULL},
        {"records", "gauge", "Durable records: the size of the journal's tree", status.tree_size},
        {"queued", "gauge", "Records that wait for the disk", status.queued},
        {"lost_records_total", "counter", "Records that could not be written", status.missed},
        {"checkpoint_records", "gauge", "Records that the newest checkpoint covers", status.checkpoint_size},
        {"checkpoint_time_seconds", "gauge", "When the newest checkpoint was written, since the epoch",
         (uint64_t)status.checkpoint_time_us / 1000000},
        {"checkpoints_total", "counter", "Checkpoints written", status.checkpoints},
        {"checkpoint_failures_total", "counter", "Checkpoints that could not be written",
         status.checkpoint_failures},
        {"witness_failures_total", "counter",
         "Checkpoints that the checkpoint command did not take or answered wrongly", status.witness_failures},
        {"segments_removed_total", "counter", "Old files of the journal removed", status.segments_removed},
        {"syncs_total", "counter", "Times that records were made durable", status.syncs},
        {"sync_microseconds_total", "counter", "Time that took in all", status.sync_total_us},
        {"sync_microseconds_max", "gauge", "Longest time that one took", status.sync_max_us},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        text_add_format(page,
                        "# HELP portcullis_journal_%s %s.\n# TYPE portcullis_journal_%s %s\n"
                        "portcullis_journal_%s %" PRIu64 "\n",
                        rows[i].name, rows[i].help, rows[i].name, rows[i].kind, rows[i].name, rows[i].value);
}

static void write_page(struct service *service, struct text *page)
{
    counters_write(&service->counters, page);
    version_watch_write(service->versions, page);
    upstream_write(service->upstream, page);
    write_journal(service, page);
    ship_write(service->ship, page);
    text_add_format(page,
                    "# HELP portcullis_build_info The program that runs.\n"
                    "# TYPE portcullis_build_info gauge\nportcullis_build_info{version=\"%s\"} 1\n",
                    PORTCULLIS_VERSION);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
    struct admin *admin = arg;
    struct text page = {0};
    struct evbuffer *body = evbuffer_new();

    write_page(admin->service, &page);
    if (body == NULL || page.failed || evbuffer_add(body, page.data, page.length) != 0) {
        evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
    } else {
        (void)evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                                "text/plain; version=0.0.4; charset=utf-8");
        evhttp_send_reply(request, HTTP_OK, NULL, body);
    }
    text_free(&page);
    if (body != NULL)
        evbuffer_free(body);
}

struct admin *admin_open(struct service *service, struct event_base *base, char *error, size_t error_size)
{
    struct admin *admin = calloc(1, sizeof *admin);
    const struct config_address *address = &service->config->admin.listen;
    int socket = listener_socket(address, address->port, BACKLOG, error, error_size);

    if (admin == NULL || socket < 0) {
        if (socket >= 0)
            (void)close(socket);
        free(admin);
        return NULL;
    }
    admin->service = service;
    admin->port = listener_port(socket);
    admin->http = evhttp_new(base);
    if (admin->http == NULL || evhttp_accept_socket(admin->http, socket) != 0) {
        (void)snprintf(error, error_size, "%s: out of memory", address->text);
        (void)close(socket);
        admin_close(admin);
        return NULL;
    }
    evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET);
    evhttp_set_max_headers_size(admin->http, HEADER_BYTES);
    evhttp_set_max_body_size(admin->http, 0);
    evhttp_set_timeout(admin->http, TIMEOUT_S);
    (void)evhttp_set_cb(admin->http, "/metrics", on_metrics, admin);
    return admin;
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    if (admin->http != NULL)
        evhttp_free(admin->http);
    free(admin);
}

uint16_t admin_port(const struct admin *admin)
{
    return admin->port;
}
