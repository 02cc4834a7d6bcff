/* The access log line of an exchange, and its place in the tally. */
#include "proxy/worker/client.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

/* A member's name as it stands in the line, with the comma before it: of known length when it is compiled. */
#define NAME(name) ((struct span){",\"" name "\":", sizeof(",\"" name "\":") - 1})

static void member(struct text *line, struct span name, struct span value)
{
    if (value.data == NULL)
        return;
    text_add(line, name.data, name.length);
    text_add_json(line, value);
}

/* For what needs no escapes: the gate's own words and ids. */
static void word(struct text *line, struct span name, struct span value)
{
    if (value.data == NULL)
        return;
    text_add(line, name.data, name.length);
    text_add(line, "\"", 1);
    text_add(line, value.data, value.length);
    text_add(line, "\"", 1);
}

static void number(struct text *line, struct span name, uint64_t value)
{
    text_add(line, name.data, name.length);
    text_add_number(line, value);
}

/* As judged; otherwise the path alone as it came: what stands in an unjudged authority, query or fragment may
 * be anything, a password too. */
static struct span shown_target(const struct exchange *exchange)
{
    struct span raw = exchange->request.target;

    if (exchange->decision.forward.data != NULL)
        return exchange->decision.forward;
    if (raw.length > 0 && raw.data[0] != '/')
        return SPAN("(not a path)");
    for (size_t i = 0; i < raw.length; i++)
        if (raw.data[i] == '?' || raw.data[i] == '#')
            raw.length = i;
    return raw;
}

struct span exchange_identity(const struct decision *decision)
{
    switch (decision->identity) {
    case IDENTITY_CERTIFICATE:
        return SPAN("certificate");
    case IDENTITY_TOKEN_AND_CERTIFICATE:
        return SPAN("both");
    default:
        return (struct span){NULL, 0};
    }
}

struct span exchange_certificate(const struct decision *decision)
{
    return decision->principal != NULL ? decision->certificate : (struct span){NULL, 0};
}

static const char *verdict_name(const struct exchange *exchange)
{
    return exchange->passed ? "pass" : "refuse";
}

static void add_verdict(struct text *line, const struct exchange *exchange)
{
    const struct decision *decision = &exchange->decision;

    number(line, NAME("status"), (uint64_t)exchange->status);
    word(line, NAME("verdict"), span_of(verdict_name(exchange)));
    word(line, NAME("gate"), span_of(decision->gate));
    member(line, NAME("rule"), span_of(decision->rule));
    if (decision->verdict == VERDICT_REFUSE)
        word(line, NAME("code"), span_of(decision->refusal.code));
    if (decision->observed.gate != NULL) {
        word(line, NAME("would_refuse"), span_of(decision->observed.refusal.code));
        member(line, NAME("would_rule"), span_of(decision->observed.rule));
    }
}

static void add_shadow(struct text *line, const struct exchange *exchange)
{
    const struct shadow_view *view = &exchange->shadow;

    if (!shadow_disagrees(view->result))
        return;
    text_add_format(line, ",\"shadow\":{\"result\":\"%s\"", shadow_result_name(view->result));
    word(line, NAME("gate"), span_of(view->gate));
    member(line, NAME("rule"), span_of(view->rule));
    word(line, NAME("code"), span_of(view->code));
    text_add(line, "}", 1);
}

/* How long the upstream took; below 0 when it was not asked. */
static int64_t upstream_us(const struct exchange *exchange, int64_t now)
{
    if (exchange->forwarded_us == 0)
        return -1;
    return (exchange->answered_us != 0 ? exchange->answered_us : now) - exchange->forwarded_us;
}

/* What the gate itself asked, and whether that was all. */
static void add_asked(struct text *line, const struct exchange *exchange)
{
    const struct span tried = NAME("dry_run");

    if (exchange->tried) {
        text_add(line, tried.data, tried.length);
        text_add_string(line, "true");
    }
    if (exchange->survey != NULL)
        number(line, NAME("asked"), exchange->survey->reads);
}

static void add_times(struct text *line, const struct exchange *exchange, int64_t now)
{
    if (exchange->forwarded_us != 0) {
        word(line, NAME("credential"),
             span_of(exchange->decision.credential == CREDENTIAL_OWN ? "own" : "gate"));
        number(line, NAME("upstream_us"), (uint64_t)upstream_us(exchange, now));
    }
    if (exchange->upstream_status != 0)
        number(line, NAME("upstream_status"), (uint64_t)exchange->upstream_status);
    if (exchange->upstream_request_id[0] != '\0')
        member(line, NAME("upstream_request_id"), span_of(exchange->upstream_request_id));
    number(line, NAME("total_us"), (uint64_t)(now - exchange->began_us));
    number(line, NAME("bytes"), exchange->bytes);
}

static void count(const struct exchange *exchange, int64_t now)
{
    const struct decision *decision = &exchange->decision;

    if (exchange->passed && decision->observed.gate != NULL)
        COUNT(exchange->worker->service, would_refuse);
    tally_request(&exchange->worker->tally,
                  &(struct tally_request){
                      .operation = decision->operation ? decision->operation->id : NULL,
                      .gate = decision->gate,
                      .code = decision->verdict == VERDICT_REFUSE ? decision->refusal.code : NULL,
                      .passed = exchange->passed,
                      .mutation = exchange->mutation,
                      .status = exchange->status,
                      .total_us = now - exchange->began_us,
                      .upstream_us = upstream_us(exchange, now),
                  });
}

void exchange_log(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    struct text *line = &worker->lines;
    const struct decision *decision = &exchange->decision;
    int64_t now = clock_monotonic_us();

    count(exchange, now);
    clock_format_next(&worker->line_time, exchange->began_epoch_us);
    text_add_string(line, "{\"time\":\"");
    text_add(line, worker->line_time.text, CLOCK_TEXT - 1);
    text_add(line, "\"", 1);
    word(line, NAME("request_id"), span_of(exchange->request_id));
    word(line, NAME("trace_id"), trace_id(&exchange->trace));
    member(line, NAME("client"), exchange->request.client);
    member(line, NAME("principal"), span_of(decision->principal ? decision->principal->name : NULL));
    word(line, NAME("identity"), exchange_identity(decision));
    member(line, NAME("certificate"), exchange_certificate(decision));
    word(line, NAME("method"), exchange->request.method);
    member(line, NAME("target"), shown_target(exchange));
    member(line, NAME("operation"), span_of(decision->operation ? decision->operation->id : NULL));
    word(line, NAME("organization"), decision->organization);
    member(line, NAME("resource"), decision->resource);
    member(line, NAME("version"), decision->version);
    add_verdict(line, exchange);
    if (exchange->shadow.result != SHADOW_UNASKED) {
        add_shadow(line, exchange);
        exchange_count_shadow(exchange);
    }
    member(line, NAME("error"), span_of(exchange->failure));
    add_asked(line, exchange);
    add_times(line, exchange, now);
    text_add_string(line, "}\n");
    worker_flush_lines(worker);
}
