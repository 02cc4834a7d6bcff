/* Approvals for people: from a request at their listener to its reply. Who asks is found out as at the gate,
 * by the policy that is in force at that moment; what is changed waits for the journal. */
#include "policies/fields.h"
#include "policies/permission.h"
#include "proxy/admin/people_internal.h"
#include "proxy/base/clock.h"
#include "proxy/http/header_view.h"
#include "proxy/http/reply.h"

#include <stdlib.h>

#define MEDIA_TYPE "application/vnd.api+json"

/* ---- refusals ---- */

bool people_refuse(struct people_request *ask, enum refusal_kind kind, const char *detail,
                   const char *pointer)
{
    refusal_begin(&ask->refusal, kind);
    if (detail != NULL)
        refusal_add(&ask->refusal, &ask->arena, detail, pointer, NULL);
    return false;
}

/* ---- who asks ---- */

/* Two of a field that may stand once: which of them counts is not for the gate to choose. */
static bool is_ambiguous(const struct request *request)
{
    for (size_t i = 0; i < request->field_count; i++)
        for (size_t j = 0; (field_row_at(request, i)->rules & FIELD_SINGLE) != 0 && j < i; j++)
            if (field_name_equal(request->fields[i].name, request->fields[j].name))
                return true;
    return false;
}

static bool find_principal(struct people_request *ask)
{
    const struct decide_input input = {
        .contract = ruleset_contract(ask->ruleset),
        .policy = ask->policy,
        .oauth = {.keys = ruleset_keys(ask->ruleset)},
    };

    ask->who = (struct decision){.arena = &ask->arena, .now = ask->request.now};
    identify(&input, &ask->request, &ask->who);
    if (ask->who.principal != NULL)
        return true;
    people_refuse(ask, REFUSE_UNAUTHENTICATED,
                  "Show your own token, as \"Authorization: token …\" or \"Bearer …\".", NULL);
    refusal_field(&ask->refusal, &ask->arena, "WWW-Authenticate", "Bearer realm=\"portcullis approvals\"");
    return false;
}

/* ---- what may be seen ---- */

struct span people_member(const json_t *view, const char *name)
{
    return span_of(json_string_value(json_object_get(json_object_get(view, "record"), name)));
}

/* What the policy has of that name; NULL when it has it no more. */
static const struct principal *find_requester(const struct people_request *ask, struct span name)
{
    return name.data != NULL ? policy_principal_named(ask->policy, name) : NULL;
}

static enum approve_right right_in(const struct people_request *ask, struct span principal,
                                   struct span organization)
{
    const struct principal *requester = find_requester(ask, principal);

    return policy_may_approve(ask->policy, ask->who.principal, requester ? requester : ask->who.principal,
                              organization, ask->who.now);
}

enum approve_right people_right(const struct people_request *ask, const json_t *view)
{
    return right_in(ask, people_member(view, "principal"), people_member(view, "organization"));
}

static bool may_see(const void *arg, struct span principal, struct span organization)
{
    const struct people_request *ask = arg;

    if (ask->organization.data != NULL && !span_equal(ask->organization, organization))
        return false;
    return right_in(ask, principal, organization) != APPROVE_NO_PERMISSION ||
           find_requester(ask, principal) == ask->who.principal;
}

static bool is_permitted(const struct people_request *ask, const json_t *view, struct span permission)
{
    permission_set asked = permission_named(permission);
    uint32_t organization = policy_organization(ask->policy, people_member(view, "organization"));

    return (policy_access(ask->policy, ask->who.principal, organization, ask->who.now).allowed & asked) ==
           asked;
}

/* ---- documents ---- */

/* What is shown of an approval: its own members, and those of the record by which it was asked for. */
static const char *const own[] = {"rule", "people", "requested", "expires", "used", "given"};
static const char *const recorded[] = {"principal", "operation", "organization", "resource",
                                       "method",    "target",    "reason",       "request_id"};

static bool copy(json_t *to, const char *name, json_t *from)
{
    json_t *value = json_object_get(from, name);

    return value == NULL || json_object_set(to, name, value) == 0;
}

/* What it would change, where the principal may see that; else the document says what it hides. */
static bool add_facts(const struct people_request *ask, json_t *view, json_t *attributes)
{
    json_t *record = json_object_get(view, "record");
    bool reads = is_permitted(ask, view, SPAN("org.integration.read"));
    bool counts = reads && is_permitted(ask, view, SPAN("org.project.read"));
    bool right = copy(attributes, "body", record);

    right = right && (!reads || copy(attributes, "before", record));
    right = right && (!counts || copy(attributes, "radius", record));
    if (!counts)
        right = right && json_object_set_new(attributes, "hidden",
                                             json_string(reads ? "radius: it needs org.project.read"
                                                               : "before and radius: they need "
                                                                 "org.integration.read, radius "
                                                                 "org.project.read, too")) == 0;
    return right;
}

json_t *people_make_resource(const struct people_request *ask, json_t *view, bool whole)
{
    json_t *attributes = json_object();
    bool right = attributes != NULL;

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        right = right && copy(attributes, own[i], view);
    for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++)
        right = right && copy(attributes, recorded[i], json_object_get(view, "record"));
    right = right && json_object_set_new(attributes, "state", json_string("pending")) == 0;
    if (!right || (whole && !add_facts(ask, view, attributes))) {
        json_decref(attributes);
        return NULL;
    }
    return json_pack("{s:s, s:O, s:o}", "type", "approval", "id", json_object_get(view, "id"), "attributes",
                     attributes);
}

void people_reply_document(struct admin_client *client, json_t *data, bool with_body)
{
    json_t *document = json_pack("{s:{s:s}, s:o}", "jsonapi", "version", "1.0", "data", data);
    char *dump = document ? json_dumps(document, JSON_COMPACT) : NULL;
    struct text body = {0};

    if (dump == NULL)
        client->reply.failed = true;
    else
        text_add_string(&body, dump);
    free(dump);
    json_decref(document);
    reply_begin(&client->reply, 200);
    admin_add_body(&client->reply, MEDIA_TYPE, &body, with_body);
    text_free(&body);
}

static void reply_list(struct people_request *ask)
{
    json_t *all = journal_approvals(ask->client->admin->view->service->journal, clock_now_us(), may_see, ask);
    json_t *shown = json_array(), *view;
    bool right = all != NULL && shown != NULL;
    size_t i;

    json_array_foreach (all, i, view)
        right = right && json_array_append_new(shown, people_make_resource(ask, view, false)) == 0;
    ask->client->reply.failed = !right;
    json_decref(all);
    people_reply_document(ask->client, shown, !span_is(ask->request.method, "HEAD"));
}

/* ---- the request ---- */

/* "organization=<UUID>" is all that can be asked, and of lists alone: a filter that was not understood must
 * not look like one that found nothing. */
static bool read_query(struct people_request *ask)
{
    static const char name[] = "organization=";
    struct span *target = &ask->request.target;
    const char *mark = memchr(target->data, '?', target->length);
    unsigned char id[UUID_BYTES];

    if (mark == NULL)
        return true;
    struct span query = {mark + 1, target->length - (size_t)(mark + 1 - target->data)};
    target->length = (size_t)(mark - target->data);
    bool lists = span_is(*target, "/approvals") || span_is(*target, "/breakers");
    bool named = query.length >= sizeof name - 1 && memcmp(query.data, name, sizeof name - 1) == 0;
    if (lists && named &&
        uuid_parse((struct span){query.data + sizeof name - 1, query.length - (sizeof name - 1)}, id)) {
        uuid_spell(id, ask->organization_text);
        ask->organization = span_of(ask->organization_text);
        return true;
    }
    refusal_begin(&ask->refusal, REFUSE_PARAMETER);
    refusal_add(&ask->refusal, &ask->arena,
                lists ? "A list may be asked for with organization=<UUID>, and nothing else."
                      : "Nothing can be asked for in a query here.",
                NULL, lists && named ? "organization" : NULL);
    return false;
}

/* /approvals, or /approvals/{id}. */
static bool find_page(struct people_request *ask)
{
    const struct span list = SPAN("/approvals"), prefix = SPAN("/approvals/");
    struct span target = ask->request.target;

    if (span_equal(target, list))
        return true;
    if (target.length <= prefix.length || memcmp(target.data, prefix.data, prefix.length) != 0)
        return people_refuse(ask, REFUSE_NO_OPERATION,
                             "Here are /approvals, /approvals/{id}, /breakers and /breakers/{rule}/{key}.",
                             NULL);
    ask->id =
        arena_copy(&ask->arena, (struct span){target.data + prefix.length, target.length - prefix.length});
    if (ask->id.data == NULL)
        return people_refuse(ask, REFUSE_INTERNAL, "Memory is out.", NULL);
    if (ask->id.length < UUID_TEXT)
        ask->approval = journal_approval(ask->client->admin->view->service->journal, ask->id, clock_now_us());
    return (ask->approval != NULL && may_see(ask, people_member(ask->approval, "principal"),
                                             people_member(ask->approval, "organization"))) ||
           people_refuse(ask, REFUSE_NO_APPROVAL, NULL, NULL);
}

static bool serve(struct people_request *ask)
{
    bool reads = span_is(ask->request.method, "GET") || span_is(ask->request.method, "HEAD");

    if (is_ambiguous(&ask->request))
        return people_refuse(ask, REFUSE_REPEATED_FIELD, NULL, NULL);
    if (reads && ask->client->content.length > 0)
        return people_refuse(ask, REFUSE_UNEXPECTED_CONTENT, "A request that reads has no content.", NULL);
    if (!find_principal(ask))
        return false;
    if (!read_query(ask))
        return false;
    if (people_is_breaker_page(ask->request.target))
        return people_breakers(ask);
    if (!find_page(ask))
        return false;
    if (reads && ask->approval == NULL)
        reply_list(ask);
    else if (reads)
        people_reply_document(ask->client, people_make_resource(ask, ask->approval, true),
                              span_is(ask->request.method, "GET"));
    if (reads)
        return true;
    if (ask->approval != NULL &&
        (span_is(ask->request.method, "POST") || span_is(ask->request.method, "DELETE")))
        return people_change(ask);
    people_refuse(ask, REFUSE_METHOD, NULL, NULL);
    refusal_field(&ask->refusal, &ask->arena, "Allow",
                  ask->approval != NULL ? "DELETE, GET, HEAD, POST" : "GET, HEAD");
    return false;
}

void people_answer(struct admin_client *client, struct span header, size_t field_count)
{
    struct people_request ask = {.client = client, .ruleset = client->admin->view->ruleset};

    arena_init(&ask.arena);
    bool right = ask.ruleset != NULL && !client->content.failed &&
                 header_view(header, field_count, &ask.arena, &ask.request);
    ask.request.now = clock_now_us() / 1000000;
    if (client->names != NULL) {
        ask.request.certificate_names = client->names->names;
        ask.request.certificate_name_count = client->names->count;
    }
    if (right)
        ask.policy = ruleset_policy(ask.ruleset);
    else
        people_refuse(&ask, REFUSE_INTERNAL, "Memory is out, or the gate is only starting.", NULL);
    if (!right || !serve(&ask))
        admin_add_refusal(client->admin, &ask.refusal, !span_is(ask.request.method, "HEAD"), &client->reply);
    json_decref(ask.approval);
    arena_reset(&ask.arena);
}
