/* Budgets that stay shut until somebody opens them (`until: reset`): /breakers, /breakers/{rule}/{key}, and
 * /breakers/{rule} where the budget is the whole gate's. */
#include "policies/ascii.h"
#include "policies/permission.h"
#include "policies/utf8.h"
#include "proxy/admin/people_internal.h"
#include "proxy/audit/record.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"

#include <stdlib.h>

#define PAGE "/breakers"

/* A breaker: a rule's, and whose budget it is (empty: the gate's). What has tripped stays shut, though the
 * policy may have no such rule any more, or another one of that name: rule NULL. */
struct breaker {
    const struct rule *rule;
    struct span id, key;
};

static const struct rule *find_rule(const struct policy *policy, struct span id)
{
    for (size_t i = 0; i < policy_rule_count(policy); i++) {
        const struct rule *rule = policy_rule_at(policy, i);
        if (span_is(id, rule->id) && rule->effect == RULE_BUDGET && rule->budget.until_reset)
            return rule;
    }
    return NULL;
}

/* Takes "<rule><separator><key>" apart. */
static struct breaker find_breaker(const struct policy *policy, struct span name, char separator)
{
    const char *end = memchr(name.data, separator, name.length);
    size_t length = end != NULL ? (size_t)(end - name.data) : name.length;
    struct breaker breaker = {.id = {name.data, length}, .key = {"", 0}};

    if (end != NULL)
        breaker.key = (struct span){end + 1, name.length - length - 1};
    breaker.rule = find_rule(policy, breaker.id);
    if (breaker.rule != NULL && (breaker.key.length == 0) != (breaker.rule->budget.each == BUDGET_GATE))
        breaker.rule = NULL;
    return breaker;
}

static bool is_one_organizations(const struct breaker *breaker)
{
    return breaker->rule != NULL && breaker->rule->budget.each == BUDGET_ORGANIZATION;
}

/* In the organisation that it is for; in all of them where it is not one's, or nobody knows any more. */
static bool is_permitted(const struct people_request *ask, const struct breaker *breaker)
{
    struct span key = is_one_organizations(breaker) ? breaker->key : (struct span){"", 0};
    uint32_t organization = policy_organization(ask->policy, key);
    permission_set asked = permission_named(SPAN("portcullis.approve"));

    return (policy_access(ask->policy, ask->who.principal, organization, ask->who.now).allowed & asked) ==
           asked;
}

static bool is_asked_for(const struct people_request *ask, const struct breaker *breaker)
{
    return ask->organization.data == NULL ||
           (is_one_organizations(breaker) && span_equal(breaker->key, ask->organization));
}

static bool is_own(const struct people_request *ask, const struct breaker *breaker)
{
    bool may_be = breaker->rule == NULL || breaker->rule->budget.each == BUDGET_PRINCIPAL;
    const struct principal *whose =
        may_be && breaker->key.length > 0 ? policy_principal_named(ask->policy, breaker->key) : NULL;

    return whose != NULL && policy_is_owner(ask->who.principal, whose);
}

/* ---- what is shut ---- */

/* What the rule says, where the policy has it; else that it has not. */
static bool add_rule(json_t *attributes, const struct rule *rule)
{
    json_t *said = rule != NULL ? json_pack("{s:s, s:i, s:i}", "reason", rule->reason, "requests",
                                            (int)rule->budget.requests, "seconds", (int)rule->budget.seconds)
                                : json_pack("{s:b}", "removed", 1);
    bool added = json_object_update(attributes, said) == 0;

    json_decref(said);
    return added;
}

/* The resource object of a view as journal_budgets has it; NULL when memory is out. */
static json_t *make_resource(const struct breaker *breaker, const json_t *view)
{
    json_t *attributes =
        json_pack("{s:s%, s:s%, s:O, s:O}", "rule", breaker->id.data, breaker->id.length, "key",
                  breaker->key.data, breaker->key.length, "spent", json_object_get(view, "spent"), "tripped",
                  json_object_get(view, "tripped"));

    if (attributes != NULL && add_rule(attributes, breaker->rule))
        return json_pack("{s:s, s:s%++%, s:o}", "type", "breaker", "id", breaker->id.data, breaker->id.length,
                         breaker->key.length > 0 ? "/" : "", breaker->key.data, breaker->key.length,
                         "attributes", attributes);
    json_decref(attributes);
    return NULL;
}

static bool reply_list(struct people_request *ask)
{
    json_t *all =
        journal_budgets(ask->client->admin->view->service->journal, (struct span){NULL, 0}, clock_now_us());
    json_t *shown = json_array(), *view;
    bool right = all != NULL && shown != NULL;
    size_t i;

    json_array_foreach (all, i, view) {
        struct span scope = span_of(json_string_value(json_object_get(view, "scope")));
        struct breaker breaker = find_breaker(ask->policy, scope, '\n');

        if (json_object_get(view, "tripped") != NULL && is_asked_for(ask, &breaker) &&
            is_permitted(ask, &breaker))
            right = right && json_array_append_new(shown, make_resource(&breaker, view)) == 0;
    }
    json_decref(all);
    ask->client->reply.failed = !right;
    people_reply_document(ask->client, shown, span_is(ask->request.method, "GET"));
    return true;
}

/* ---- opening one ---- */

static bool refuse_verdict(struct people_request *ask, enum claim_result result)
{
    if (result == CLAIM_NOT_FOUND)
        return people_refuse(ask, REFUSE_NO_BREAKER, NULL, NULL);
    return people_refuse(ask, REFUSE_JOURNAL,
                         "Nothing was changed: it could not be recorded. Try again later.", NULL);
}

static void on_reset(void *arg, bool durable, const struct claim_verdict *verdict)
{
    struct admin_client *client = arg;
    const struct people_change *change = client->change;
    struct people_request ask = {.client = client};

    arena_init(&ask.arena);
    if (durable) {
        COUNT(client->admin->view->service, breakers_reset);
        log_event(LOG_INFO, "breaker-reset", "%s: opened by \"%s\"", change->id, change->principal);
        people_reply_document(client,
                              json_pack("{s:s, s:s, s:{s:s}}", "type", "breaker", "id", change->id,
                                        "attributes", "state", "reset"),
                              true);
    } else {
        (void)refuse_verdict(&ask, verdict->result);
        admin_add_refusal(client->admin, &ask.refusal, true, &client->reply);
    }
    people_end_change(client);
    arena_reset(&ask.arena);
    admin_client_reply(client);
}

static bool append(struct people_request *ask, const struct breaker *breaker, struct span reason)
{
    const char *scope = arena_format(&ask->arena, "%.*s\n%.*s", (int)breaker->id.length, breaker->id.data,
                                     (int)breaker->key.length, breaker->key.data);
    struct text claims = {0};
    struct record record = {0};

    if (scope == NULL)
        return false;
    const struct claim claim = {.kind = CLAIM_RESET, .scope = span_of(scope)};
    claims_write(&claim, 1, &claims);
    const struct record_fields fields = {
        .stage = STAGE_BREAKER,
        .time_us = clock_now_us(),
        .claims = {claims.data, claims.length},
        .detail = reason,
        .policy = span_of(policy_digest(ask->policy)),
        .principal = span_of(ask->who.principal->name),
        .result = SPAN("reset"),
    };
    bool appended =
        !claims.failed && record_build(&fields, &record) &&
        journal_append_claiming(ask->client->admin->port, &record, &claim, 1, on_reset, ask->client);
    record_free(&record);
    text_free(&claims);
    return appended;
}

/* Is there such a one to open? Of the policy's the journal knows that; of what the policy does not have, only
 * what has tripped is one: other budgets, and those for breaking the glass, nobody forgives. */
static bool may_be_open(const struct people_request *ask, const struct breaker *breaker)
{
    json_t *all, *view;
    bool found = breaker->rule != NULL;
    size_t i;

    if (found)
        return true;
    all = journal_budgets(ask->client->admin->view->service->journal, breaker->id, clock_now_us());
    json_array_foreach (all, i, view) {
        struct span scope = span_of(json_string_value(json_object_get(view, "scope")));

        found = found || (json_object_get(view, "tripped") != NULL &&
                          span_equal(find_breaker(ask->policy, scope, '\n').key, breaker->key));
    }
    json_decref(all);
    return found;
}

static bool reset(struct people_request *ask, struct span name)
{
    struct breaker breaker = find_breaker(ask->policy, name, '/');
    struct span reason = {NULL, 0};

    if (!people_read_reason(ask, &reason))
        return false;
    if (!is_permitted(ask, &breaker) || !may_be_open(ask, &breaker))
        return people_refuse(ask, REFUSE_NO_BREAKER, NULL, NULL);
    if (is_own(ask, &breaker))
        return people_refuse(
            ask, REFUSE_MAY_NOT_APPROVE,
            "It is your own budget, or of a principal with whom you have a person in common.", NULL);
    struct people_change *waiting = people_begin_change(ask, name, CLAIM_RESET);
    if (waiting == NULL || !append(ask, &breaker, reason)) {
        people_end_change(ask->client);
        return refuse_verdict(ask, CLAIMS_LOST);
    }
    return true;
}

/* The path behind the page, its escapes undone, in the arena; data NULL where that is nobody's name. */
static struct span read_name(struct people_request *ask, struct span raw)
{
    char *text = arena_take(&ask->arena, raw.length + 1);
    size_t length = 0;

    for (size_t at = 0; text != NULL && at < raw.length; at++) {
        int high = 0, low = (unsigned char)raw.data[at];

        if (raw.data[at] == '%') {
            high = at + 2 < raw.length ? ascii_hex(raw.data[at + 1]) : -1;
            low = high >= 0 ? ascii_hex(raw.data[at + 2]) : -1;
            at += 2;
        }
        int byte = high * 16 + low;
        if (high < 0 || low < 0 || byte < ' ' || byte == 0x7f)
            return (struct span){NULL, 0};
        text[length++] = (char)byte;
    }
    const struct span name = {text, length};
    return text != NULL && utf8_is_valid(name) ? name : (struct span){NULL, 0};
}

bool people_is_breaker_page(struct span target)
{
    const struct span page = SPAN(PAGE);

    return target.length >= page.length && memcmp(target.data, page.data, page.length) == 0 &&
           (target.length == page.length || target.data[page.length] == '/');
}

bool people_breakers(struct people_request *ask)
{
    struct span name = ask->request.target;
    bool list = span_is(name, PAGE);

    if (list && (span_is(ask->request.method, "GET") || span_is(ask->request.method, "HEAD")))
        return reply_list(ask);
    if (!list && span_is(ask->request.method, "POST")) {
        name = read_name(ask, (struct span){name.data + sizeof PAGE, name.length - sizeof PAGE});
        return name.data != NULL ? reset(ask, name) : people_refuse(ask, REFUSE_NO_BREAKER, NULL, NULL);
    }
    people_refuse(ask, REFUSE_METHOD, NULL, NULL);
    refusal_field(&ask->refusal, &ask->arena, "Allow", list ? "GET, HEAD" : "POST");
    return false;
}
