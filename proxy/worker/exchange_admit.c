/* Between judgement and action: is there room for the request, has its principal asked for too much, has the
 * upstream asked its credential to wait? Whoever is refused here is refused before anything was recorded or
 * sent; whoever got past is never refused for that any more. */
#include "proxy/base/log.h"
#include "proxy/limits/rate.h"
#include "proxy/limits/retry_after.h"
#include "proxy/limits/shield.h"
#include "proxy/worker/exchange_internal.h"
#include "proxy/worker/worker.h"

static struct refusal *refuse(struct exchange *exchange, enum refusal_kind kind, const char *rule,
                              const char *detail)
{
    struct refusal *refusal = exchange_refusal(exchange, kind, "limits", detail);

    exchange->decision.rule = rule;
    return refusal;
}

static void say_when(struct exchange *exchange, struct refusal *refusal, long long seconds)
{
    const char *text = arena_format(&exchange->arena, "%lld", seconds);

    if (text != NULL)
        refusal_field(refusal, &exchange->arena, "Retry-After", text);
}

static long long whole_seconds(int64_t microseconds)
{
    return (microseconds + 999999) / 1000000;
}

/* RateLimit and RateLimit-Policy as draft-ietf-httpapi-ratelimit-headers-09 has them. */
static void describe_limit(struct exchange *exchange, struct refusal *refusal, long long seconds)
{
    const struct rate_limit *limit = &exchange->decision.principal->rate_limit;
    const char *policy =
        arena_format(&exchange->arena, "\"principal\";q=%u;w=%u", limit->requests, limit->seconds);
    const char *state = arena_format(&exchange->arena, "\"principal\";r=0;t=%lld", seconds);

    if (policy != NULL && state != NULL) {
        refusal_field(refusal, &exchange->arena, "RateLimit-Policy", policy);
        refusal_field(refusal, &exchange->arena, "RateLimit", state);
    }
}

static bool is_within_rate(struct exchange *exchange, int64_t now_us)
{
    const struct principal *principal = exchange->decision.principal;
    int64_t wait = rates_take(ruleset_rates(exchange->ruleset), principal, now_us);

    if (wait == 0)
        return true;
    const char *rule = policy_rate_rule(principal, &exchange->arena);
    const char *detail =
        arena_format(&exchange->arena, "\"%s\" may make %u requests in %u seconds (%s of the policy).",
                     principal->name, principal->rate_limit.requests, principal->rate_limit.seconds, rule);
    struct refusal *refusal = refuse(exchange, REFUSE_RATE_LIMITED, rule, detail);
    describe_limit(exchange, refusal, whole_seconds(wait));
    say_when(exchange, refusal, whole_seconds(wait));
    COUNT(exchange->worker->service, rate_limited);
    return false;
}

void exchange_refuse_shielded(struct exchange *exchange, int64_t seconds)
{
    struct refusal *refusal =
        refuse(exchange, REFUSE_SHIELDED, "shield",
               "The API has asked the credential that would be presented to wait. Nothing was sent on.");

    say_when(exchange, refusal, seconds);
    COUNT(exchange->worker->service, shielded);
}

static bool is_unshielded(struct exchange *exchange, int64_t now_us)
{
    const struct service *service = exchange->worker->service;
    int64_t left = shield_left(service->shield, &exchange->fingerprint, now_us);

    if (left == 0)
        return true;
    exchange_refuse_shielded(exchange, whole_seconds(left));
    return false;
}

/* What is refused for want of room: the rule, and what to tell. NULL where there is room. */
static const char *want_of_room(const struct exchange *exchange, const char **detail)
{
    const struct worker *worker = exchange->worker;

    if (worker->lagging) {
        *detail =
            "The gate has more to do than time (limits.loop_lag_ms). Nothing was sent on; try again shortly.";
        return "limits.loop_lag_ms";
    }
    if (worker->exchange_count > worker->service->config->limits.exchanges) {
        *detail = "The gate answers as many requests as it may (limits.exchanges). Nothing was sent on; try "
                  "again shortly.";
        return "limits.exchanges";
    }
    /* A read takes its place in the queue, and may be sent away from it. What was recorded may not be. */
    if (exchange->mutation && upstream_is_full(worker->upstream)) {
        *detail = "Too many requests wait for a connection to the upstream. Nothing was sent on; try again "
                  "shortly.";
        return "upstream.queue";
    }
    return NULL;
}

static bool has_room(struct exchange *exchange)
{
    const char *detail, *rule = want_of_room(exchange, &detail);

    if (rule == NULL)
        return true;
    say_when(exchange, refuse(exchange, REFUSE_OVERLOADED, rule, detail), 1);
    COUNT(exchange->worker->service, shed);
    return false;
}

bool exchange_admit(struct exchange *exchange)
{
    struct service *service = exchange->worker->service;
    struct rates *rates = ruleset_rates(exchange->ruleset);
    int64_t now_us = rates != NULL || shield_is_up(service->shield) ? clock_monotonic_us() : 0;

    exchange->fingerprint = shield_fingerprint(service->shield, exchange_authorization(exchange));
    return has_room(exchange) && is_unshielded(exchange, now_us) && is_within_rate(exchange, now_us);
}

/* For people: whose credential it is, or where the gate has it from. */
static const char *credential_name(struct exchange *exchange)
{
    size_t count;
    const struct credential_source *sources = policy_credentials(ruleset_policy(exchange->ruleset), &count);
    int index = exchange->decision.credential;
    const char *name =
        index == CREDENTIAL_OWN
            ? arena_format(&exchange->arena, "the token of principal \"%s\"",
                           exchange->decision.principal->name)
            : arena_format(&exchange->arena, "the credential in the gate's %s %s",
                           sources[index].kind == CREDENTIAL_ENV ? "environment variable" : "file",
                           sources[index].name);
    return name != NULL ? name : "this credential";
}

int64_t exchange_hold_back(struct exchange *exchange, int64_t asked_s)
{
    struct service *service = exchange->worker->service;
    int64_t seconds = 0;

    if (!shield_open(service->shield, &exchange->fingerprint, asked_s, clock_monotonic_us(), &seconds))
        return whole_seconds(shield_left(service->shield, &exchange->fingerprint, clock_monotonic_us()));
    COUNT(service, shield_openings);
    log_event(LOG_WARNING, "upstream-rate-limited",
              "request %s: the API answered 429; for %lld s, requests with %s are answered 429 here",
              exchange->request_id, (long long)seconds, credential_name(exchange));
    return seconds;
}

void exchange_note_limit(struct exchange *exchange, const struct upstream_answer *answer)
{
    struct span asked = {NULL, 0};

    for (size_t i = 0; i < answer->field_count; i++)
        if (span_equal_nocase(answer->fields[i].name, SPAN("retry-after")))
            asked = answer->fields[i].value;
    (void)exchange_hold_back(exchange, retry_after_read(asked, clock_now_us() / 1000000));
}
