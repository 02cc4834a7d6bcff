#include "proxy/gate.h"

#include "proxy/audit/journal.h"
#include "proxy/audit/keys.h"
#include "proxy/audit/reconcile.h"
#include "proxy/base/log.h"
#include "proxy/base/process.h"
#include "proxy/confine/confine.h"
#include "proxy/control.h"
#include "proxy/limits/address_count.h"
#include "proxy/limits/shield.h"
#include "proxy/limits/underway.h"
#include "proxy/listen/port_file.h"
#include "proxy/listen/sockets.h"
#include "proxy/listen/takeover.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/version_watch.h"
#include "proxy/ship/ship.h"
#include "proxy/tls/server.h"
#include "proxy/upstream/upstream.h"
#include "proxy/worker/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN_DESCRIPTORS                                                                                      \
    128 /* of the process: journal, logs, positions, signals, clients of admin and approvals */
#define WORKER_DESCRIPTORS 72 /* of each worker: its loop, and clients that are being turned away */

#define STOP_POLL_US   100000
#define LAST_MOMENT_US (5 * 1000000LL) /* for workers to put down what they hold after an abort */

struct gate {
    struct service service;
    struct ruleset *ruleset; /* to begin with; NULL once the control thread has it */
    struct worker **workers;
    unsigned worker_count; /* made */
    unsigned started;
    struct sockets sockets;
    struct takeover *takeover; /* NULL: nobody may take over */
    struct control *control;
};

static bool complain(const char *what, const char *error)
{
    log_event(LOG_ERROR, "start", "%s: %s", what, error);
    return false;
}

/* Where a listener needs it. */
static bool open_tls(struct service *service)
{
    const struct config *config = service->config;
    struct problems problems = {0};
    bool wanted = config->approvals.tls;

    for (size_t i = 0; i < config->listen_count; i++)
        wanted = wanted || config->listen[i].tls;
    if (wanted)
        service->tls = tls_server_new(config, &problems);
    log_problems("start", &problems);
    problems_free(&problems);
    return !wanted || service->tls != NULL;
}

static bool open_service(struct service *service, const struct ruleset *ruleset, bool took_over)
{
    const struct config *config = service->config;
    char error[1024] = "";
    const struct journal_settings journal = {
        .directory = config->audit.directory,
        .keys = config->audit.keys,
        .signing_key = config->audit.signing_key,
        .origin = config->audit.origin,
        .queue = config->audit.queue,
        .await_ms = took_over ? config->takeover_wait_ms : 0,
        .segment_bytes = config->audit.segment_bytes,
        .segment_seconds = config->audit.segment_seconds,
        .keep_days = config->audit.keep_days,
        .checkpoint_records = config->audit.checkpoint_records,
        .checkpoint_seconds = config->audit.checkpoint_seconds,
        .manifest = ruleset_manifest(ruleset),
        .checkpoint_command = (const char *const *)config->audit.checkpoint_command,
    };

    if (!open_tls(service))
        return false;
    if ((service->key = audit_key_open(config->audit.keys, error, sizeof error)) == NULL)
        return complain("audit.keys", error);
    if ((service->journal = journal_open(&journal, error, sizeof error)) == NULL)
        return complain("audit.directory", error);
    if ((service->ship = ship_start(config, service->journal, error, sizeof error)) == NULL)
        return complain("ship", error);
    if ((service->reconcile = reconcile_queue_new()) == NULL)
        return complain("start", "cannot make the queue of changes to look into");
    if ((service->access_log = access_log_open(config->access_log)) == NULL)
        return complain("access_log", "cannot be opened");
    if ((service->upstream = upstream_shared_new(config, error, sizeof error)) == NULL)
        return complain("upstream", error);
    if ((service->addresses = address_count_new(config->limits.connections_per_address)) == NULL)
        return complain("start", "out of memory");
    if ((service->shield = shield_new(config->upstream.retry_after_s, config->upstream.retry_after_most_s)) ==
        NULL)
        return complain("start", "out of memory");
    if ((service->underway = underway_new()) == NULL)
        return complain("start", "out of memory");
    if ((service->versions = version_watch_new(&service->counters.version_changes)) == NULL)
        return complain("start", "out of memory");
    return true;
}

/* In reverse order; takes what was opened only. */
static void close_service(struct service *service)
{
    version_watch_free(service->versions);
    underway_free(service->underway);
    shield_free(service->shield);
    address_count_free(service->addresses);
    upstream_shared_free(service->upstream);
    access_log_close(service->access_log);
    reconcile_queue_free(service->reconcile);
    ship_leave(service->ship);
    if (service->journal != NULL)
        journal_close(service->journal);
    ship_free(service->ship); /* the journal's last records, too */
    audit_key_free(service->key);
    tls_server_free(service->tls);
}

/* One worker with its share of the sockets. */
static bool make_worker(struct gate *gate, struct ruleset *ruleset)
{
    struct socket_share *shares;
    size_t count;
    char error[512] = "";

    if (!sockets_share(&gate->sockets, gate->worker_count, gate->service.config->workers, &shares, &count))
        return complain("listen", strerror(errno));
    struct worker *worker =
        worker_new(&gate->service, gate->worker_count, shares, count, ruleset, error, sizeof error);
    free(shares);
    if (worker == NULL)
        return complain("workers", error);
    gate->workers[gate->worker_count++] = worker;
    return true;
}

/* Every address, before the process gives up what it needs for that: taken over from a gate that runs, or
 * bound. */
static bool listen_all(struct gate *gate)
{
    const struct config *config = gate->service.config;
    char error[512] = "out of memory";
    bool ready = sockets_init(&gate->sockets, config);

    if (ready && config->takeover != NULL) {
        gate->takeover = takeover_open(config->takeover, &gate->sockets, error, sizeof error);
        if (gate->takeover == NULL)
            return complain("takeover", error);
    }
    return (ready &&
            sockets_open(&gate->sockets, config->workers, config->limits.backlog, error, sizeof error)) ||
           complain("listen", error);
}

static bool make_workers(struct gate *gate, struct ruleset *ruleset)
{
    const struct config *config = gate->service.config;

    gate->workers = calloc(config->workers, sizeof *gate->workers);
    if (gate->workers == NULL)
        return complain("workers", "out of memory");
    for (unsigned i = 0; i < config->workers; i++)
        if (!make_worker(gate, ruleset))
            return false;
    for (; gate->started < gate->worker_count; gate->started++)
        if (!worker_start(gate->workers[gate->started]))
            return complain("workers", "cannot start a thread");
    return true;
}

/* Running exchanges may end within the configured time, unless a second signal says otherwise; then they are
 * ended. A worker that does not even do that is left behind: the process ends anyway. */
static bool stop_workers(struct gate *gate)
{
    int64_t now = clock_monotonic_us(),
            deadline = now + (int64_t)gate->service.config->stop_timeout_ms * 1000;
    unsigned ended = 0;

    if (takeover_given(gate->takeover)) {
        sockets_disown(&gate->sockets);
        control_leave(gate->control);
    }
    takeover_close(gate->takeover);
    gate->takeover = NULL;
    sockets_stop(&gate->sockets);
    for (unsigned i = 0; i < gate->started; i++)
        worker_stop(gate->workers[i]);
    while (ended < gate->started && now < deadline &&
           !(gate->control != NULL && control_poll(gate->control))) {
        ended += worker_join(gate->workers[ended], now + STOP_POLL_US) ? 1 : 0;
        now = clock_monotonic_us();
    }
    if (ended < gate->started)
        log_event(LOG_WARNING, "stop", "exchanges still run after %" PRId64 " ms and are ended now",
                  (int64_t)gate->service.config->stop_timeout_ms - (deadline - now) / 1000);
    for (unsigned i = ended; i < gate->started; i++)
        worker_abort(gate->workers[i]);
    while (ended < gate->started && worker_join(gate->workers[ended], now + LAST_MOMENT_US))
        ended++;
    return ended == gate->started;
}

static void free_workers(struct gate *gate)
{
    for (unsigned i = 0; i < gate->worker_count; i++)
        worker_free(gate->workers[i]);
    free(gate->workers);
}

static void announce(const struct gate *gate)
{
    const struct config *config = gate->service.config;

    log_event(LOG_INFO, "start", "portcullis %s: %u workers, upstream %s, journal %s", PORTCULLIS_VERSION,
              gate->worker_count, config->upstream.url, config->audit.directory);
    for (size_t i = 0; i < gate->sockets.count; i++)
        log_event(LOG_INFO, "listen", "%s, at %s", config->listen[i].address.text,
                  gate->sockets.groups[i].bound);
}

/* How many clients there may be: what the setting says, or what descriptors leave when the gate itself has
 * what it needs. */
static void bound_connections(struct service *service)
{
    const struct config *config = service->config;
    size_t worker = 2 * config->listen_count + config->upstream.connections +
                    config->upstream.idle_connections + WORKER_DESCRIPTORS;
    size_t own = OWN_DESCRIPTORS + config->workers * worker, all = process_descriptors();
    size_t left = all > 2 * own ? all - own : all / 2;

    service->room.bound = config->limits.connections;
    if (left >= config->limits.connections)
        return;
    service->room.bound = (unsigned)left;
    log_event(
        LOG_WARNING, "start",
        "limits.connections is %u, but the process may have %zu descriptors (RLIMIT_NOFILE): %zu clients "
        "are served at a time",
        config->limits.connections, all, left);
}

static bool serve(struct gate *gate, const char *port_file)
{
    struct ruleset *ruleset = gate->ruleset;
    char error[512] = "";

    if (!listen_all(gate))
        return false;
    if (!confine_process(gate->service.config, ruleset, port_file, error, sizeof error))
        return complain("process", error);
    bound_connections(&gate->service);
    if (!open_service(&gate->service, ruleset, takeover_took(gate->takeover)) || !make_workers(gate, ruleset))
        return false;
    const struct control_task task = {
        .service = &gate->service,
        .workers = gate->workers,
        .worker_count = gate->worker_count,
        .admin_socket = gate->sockets.admin != NULL ? gate->sockets.admin->fds[0] : -1,
        .approvals_socket = gate->sockets.approvals != NULL ? gate->sockets.approvals->fds[0] : -1,
        .takeover = gate->takeover,
    };
    gate->control = control_new(&task, error, sizeof error);
    if (gate->control == NULL)
        return complain("start", error);
    if (port_file != NULL && !port_file_write(port_file, &gate->sockets, error, sizeof error))
        return complain("port file", error);
    announce(gate);
    if (!takeover_serves(gate->takeover, error, sizeof error))
        return complain("takeover", error);
    gate->ruleset = NULL;
    control_run(gate->control, ruleset);
    return true;
}

bool gate_run(const struct config *config, struct ruleset *ruleset, const char *port_file)
{
    struct gate gate = {.service = {.config = config}, .ruleset = ruleset};
    bool served = serve(&gate, port_file);

    if (!stop_workers(&gate)) {
        log_event(LOG_ERROR, "stop", "a worker hangs; the process ends without it");
        _exit(1);
    }
    control_free(gate.control);
    sockets_close(&gate.sockets);
    free_workers(&gate);
    close_service(&gate.service);
    ruleset_release(gate.ruleset);
    if (served)
        log_event(LOG_INFO, "stop", "stopped");
    return served;
}
