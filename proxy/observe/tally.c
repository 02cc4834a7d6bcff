#include "proxy/observe/tally.h"

#include "proxy/observe/exposition.h"

static const char *const verdict_names[TALLY_VERDICTS] = {"pass", "refuse"};
static const char *const kind_names[TALLY_KINDS] = {"read", "change", "refused"};
static const char *const class_names[TALLY_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const listener_names[TALLY_LISTENERS] = {"plain", "tls", "unix"};

static unsigned class_of(int status)
{
    unsigned hundreds = status > 0 ? (unsigned)status / 100 : 0;

    return hundreds < TALLY_CLASSES ? hundreds : 0;
}

static enum tally_kind kind_of(const struct tally_request *request)
{
    if (!request->passed)
        return TALLY_REFUSED;
    return request->mutation ? TALLY_CHANGE : TALLY_READ;
}

void tally_request(struct tally *tally, const struct tally_request *request)
{
    unsigned operation = label_set_find(&tally->operations, TALLY_OPERATIONS, request->operation);
    unsigned gate = label_set_find(&tally->gates, TALLY_GATES, request->gate);
    enum tally_verdict verdict = request->passed ? TALLY_PASS : TALLY_REFUSE;

    figure_add(&tally->requests[operation][gate][verdict][class_of(request->status)], 1);
    if (request->code != NULL)
        figure_add(&tally->refusals[label_set_find(&tally->codes, TALLY_CODES, request->code)], 1);
    histogram_add(&tally->total[kind_of(request)], &histogram_durations, (uint64_t)request->total_us);
    if (request->upstream_us >= 0)
        histogram_add(&tally->upstream, &histogram_durations, (uint64_t)request->upstream_us);
}

/* ---- adding up ---- */

/* Where the places of one set are in another, `most` among them. */
static void map_places(const struct label_set *from, struct label_set *into, unsigned most,
                       unsigned map[static LABEL_SET_VALUES + 1])
{
    unsigned count = label_set_count(from);

    for (unsigned place = 0; place <= most; place++)
        map[place] = place < count ? label_set_find(into, most, label_set_value(from, place)) : most;
}

static void gather_figures(const _Atomic uint64_t *from, _Atomic uint64_t *into, size_t count)
{
    for (size_t i = 0; i < count; i++)
        figure_add(&into[i], figure_read(&from[i]));
}

static void gather_requests(const struct tally *from, struct tally *into)
{
    unsigned operations[LABEL_SET_VALUES + 1], gates[LABEL_SET_VALUES + 1], codes[LABEL_SET_VALUES + 1];

    map_places(&from->operations, &into->operations, TALLY_OPERATIONS, operations);
    map_places(&from->gates, &into->gates, TALLY_GATES, gates);
    map_places(&from->codes, &into->codes, TALLY_CODES, codes);
    for (unsigned operation = 0; operation <= TALLY_OPERATIONS; operation++)
        for (unsigned gate = 0; gate <= TALLY_GATES; gate++)
            gather_figures(from->requests[operation][gate][0],
                           into->requests[operations[operation]][gates[gate]][0],
                           (size_t)TALLY_VERDICTS * TALLY_CLASSES);
    for (unsigned code = 0; code <= TALLY_CODES; code++)
        figure_add(&into->refusals[codes[code]], figure_read(&from->refusals[code]));
}

void tally_gather(const struct tally *from, struct tally *into)
{
    gather_requests(from, into);
    gather_figures(from->wire, into->wire, WIRE_FAULT_COUNT);
    for (size_t kind = 0; kind < TALLY_KINDS; kind++)
        histogram_gather(&from->total[kind], &into->total[kind]);
    histogram_gather(&from->upstream, &into->upstream);
    histogram_gather(&from->journal, &into->journal);
    gather_figures(from->open, into->open, TALLY_LISTENERS);
    gather_figures(&from->pool_busy, &into->pool_busy, 1);
    gather_figures(&from->pool_idle, &into->pool_idle, 1);
#define TALLY_ADD(member, name, help) gather_figures(&from->member, &into->member, 1);
    TALLY_GAUGES(TALLY_ADD)
#undef TALLY_ADD
}

/* ---- writing ---- */

/* The cells of one operation and gate that were ever counted in. */
static void write_cells(const struct tally *tally, unsigned operation, unsigned gate, struct text *page)
{
    for (size_t verdict = 0; verdict < TALLY_VERDICTS; verdict++)
        for (size_t class = 0; class < TALLY_CLASSES; class ++) {
            uint64_t count = figure_read(&tally->requests[operation][gate][verdict][class]);
            if (count == 0)
                continue;
            exposition_name(page, "requests_total");
            exposition_label(page, true, "operation",
                             span_of(label_set_value(&tally->operations, operation)));
            exposition_label(page, false, "verdict", span_of(verdict_names[verdict]));
            exposition_label(page, false, "gate", span_of(label_set_value(&tally->gates, gate)));
            exposition_label(page, false, "status", span_of(class_names[class]));
            exposition_value(page, true, count, 1);
        }
}

static void write_requests(const struct tally *tally, struct text *page)
{
    exposition_family(
        page, "requests_total", "counter",
        "Requests by operation, verdict, the gate that decided and the answer's class of status");
    for (unsigned operation = 0; operation <= TALLY_OPERATIONS; operation++)
        for (unsigned gate = 0; gate <= TALLY_GATES; gate++)
            write_cells(tally, operation, gate, page);
}

static void write_labelled(struct text *page, const char *name, const char *label, const char *value,
                           uint64_t figure)
{
    exposition_name(page, name);
    exposition_label(page, true, label, span_of(value));
    exposition_value(page, true, figure, 1);
}

static void write_refusals(const struct tally *tally, struct text *page)
{
    exposition_family(page, "refusals_total", "counter", "Answers of the gate's own, by their code");
    for (unsigned code = 0; code <= TALLY_CODES; code++)
        if (figure_read(&tally->refusals[code]) > 0)
            write_labelled(page, "refusals_total", "code", label_set_value(&tally->codes, code),
                           figure_read(&tally->refusals[code]));
    exposition_family(page, "wire_refusals_total", "counter",
                      "Requests refused by the wire guard, by reason");
    for (enum wire_fault fault = WIRE_FAULT_NONE + 1; fault < WIRE_FAULT_COUNT; fault++)
        if (figure_read(&tally->wire[fault]) > 0)
            write_labelled(page, "wire_refusals_total", "reason", wire_fault_name(fault),
                           figure_read(&tally->wire[fault]));
}

static void write_durations(const struct tally *tally, struct text *page)
{
    exposition_family(page, "request_duration_seconds", "histogram",
                      "Time from a request's first byte to the end of its answer");
    for (size_t kind = 0; kind < TALLY_KINDS; kind++)
        histogram_write(&tally->total[kind], &histogram_durations, "request_duration_seconds", "kind",
                        kind_names[kind], page);
    exposition_family(page, "upstream_duration_seconds", "histogram",
                      "Time from forwarding a request to the end of the upstream's answer");
    histogram_write(&tally->upstream, &histogram_durations, "upstream_duration_seconds", NULL, NULL, page);
    exposition_family(page, "journal_wait_seconds", "histogram",
                      "Time that a request waited for a record of it to be durable");
    histogram_write(&tally->journal, &histogram_durations, "journal_wait_seconds", NULL, NULL, page);
}

void tally_write(const struct tally *tally, struct text *page)
{
    static const char *const states[] = {"busy", "idle"};
    const _Atomic uint64_t *pool[] = {&tally->pool_busy, &tally->pool_idle};

    write_requests(tally, page);
    write_refusals(tally, page);
    write_durations(tally, page);
    exposition_family(page, "connections", "gauge", "Client connections now, by the kind of their listener");
    for (size_t kind = 0; kind < TALLY_LISTENERS; kind++)
        write_labelled(page, "connections", "listener", listener_names[kind],
                       figure_read(&tally->open[kind]));
    exposition_family(page, "upstream_connections", "gauge", "Connections to the upstream now");
    for (size_t state = 0; state < 2; state++)
        write_labelled(page, "upstream_connections", "state", states[state], figure_read(pool[state]));
#define TALLY_WRITE(member, name, help)                                                                      \
    exposition_single(page, name, "gauge", help, figure_read(&tally->member), 1);
    TALLY_GAUGES(TALLY_WRITE)
#undef TALLY_WRITE
}
