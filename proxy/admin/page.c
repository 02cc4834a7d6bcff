/* From a request at the admin listener to its reply. */
#include "policies/refusal.h"
#include "proxy/admin/admin_internal.h"
#include "proxy/admin/health.h"
#include "proxy/admin/metrics.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/http/header_view.h"
#include "proxy/http/reply.h"
#include "proxy/observe/exposition.h"
#include "proxy/wire/refusal.h"

#define LOG_EVERY_S 10

/* Where the pages are; each appends its own, and says with which status. */

static int show_metrics(const struct admin_view *view, struct text *body)
{
    metrics_write(view, body);
    return 200;
}

static int show_live(const struct admin_view *view, struct text *body)
{
    return health_write(view, HEALTH_LIVE, body) ? 200 : 503;
}

static int show_ready(const struct admin_view *view, struct text *body)
{
    return health_write(view, HEALTH_READY, body) ? 200 : 503;
}

static int show_reads(const struct admin_view *view, struct text *body)
{
    return health_write(view, HEALTH_READS, body) ? 200 : 503;
}

static const struct page {
    const char *path, *type;
    int (*show)(const struct admin_view *view, struct text *body);
} pages[] = {
    {"/livez", "application/json", show_live},
    {"/readyz", "application/json", show_ready},
    {"/readyz/reads", "application/json", show_reads},
    {"/metrics", EXPOSITION_TYPE, show_metrics},
};

static const struct page *page_at(struct span path)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (span_equal(path, span_of(pages[i].path)))
            return &pages[i];
    return NULL;
}

/* Ends the head, whose status line and other fields stand in the reply already. */
void admin_add_body(struct text *reply, const char *type, const struct text *body, bool with_body)
{
    char date[REPLY_DATE];

    reply_date(clock_now_us() / 1000000, date);
    reply_field(reply, SPAN("date"), span_of(date));
    reply_field(reply, SPAN("content-type"), span_of(type));
    reply_field(reply, SPAN("cache-control"), SPAN("no-store"));
    text_add_format(reply, "content-length: %zu\r\nconnection: close\r\n\r\n", body->length);
    if (with_body)
        text_add(reply, body->data, body->length);
    reply->failed = reply->failed || body->failed;
}

/* Answers with an error document of the gate's form. */
void admin_add_refusal(struct admin *admin, const struct refusal *refusal, bool with_body, struct text *reply)
{
    static struct log_limit limit;
    char id[UUID_TEXT];
    unsigned long suppressed = 0;
    struct text document = {0};

    if (log_allow(&limit, LOG_EVERY_S, &suppressed))
        log_event(LOG_WARNING, "admin-refused", "%d %s: %s (%lu more such events not shown)", refusal->status,
                  refusal->code, refusal->errors ? refusal->errors->detail : refusal->title, suppressed);
    COUNT(admin->view->service, admin_refused);
    entropy_uuid(&admin->entropy, id);
    refusal_write(refusal, id, &document);
    reply_begin(reply, refusal->status);
    for (const struct refusal_member *field = refusal->fields; field != NULL; field = field->next)
        reply_field(reply, span_of(field->name), span_of(field->value));
    admin_add_body(reply, "application/vnd.api+json", &document, with_body);
    text_free(&document);
}

void admin_refuse(struct admin *admin, enum wire_fault fault, struct text *reply)
{
    struct arena arena;
    struct refusal refusal;

    arena_init(&arena);
    refusal_begin(&refusal, wire_refusal_kind(fault));
    refusal_add(&refusal, &arena, wire_fault_detail(fault), NULL, NULL);
    admin_add_refusal(admin, &refusal, true, reply);
    arena_reset(&arena);
}

/* What stands against the request; false when nothing does. The token first: who has none learns nothing. */
static bool find_fault(const struct admin *admin, const struct request *request, const struct page *page,
                       struct arena *arena, struct refusal *refusal)
{
    if (!admin_token_shown(&admin->token, request)) {
        refusal_begin(refusal, REFUSE_UNAUTHENTICATED);
        refusal_add(refusal, arena, "Send the token of admin.token as \"Authorization: Bearer …\".", NULL,
                    NULL);
        refusal_field(refusal, arena, "WWW-Authenticate", "Bearer realm=\"portcullis admin\"");
    } else if (page == NULL) {
        refusal_begin(refusal, REFUSE_NO_OPERATION);
        refusal_add(
            refusal, arena,
            "Here are /livez, /readyz, /readyz/reads and /metrics, to the letter and without a query.", NULL,
            NULL);
    } else if (!span_is(request->method, "GET") && !span_is(request->method, "HEAD")) {
        refusal_begin(refusal, REFUSE_METHOD);
        refusal_add(refusal, arena, "This page can only be read.", NULL, NULL);
        refusal_field(refusal, arena, "Allow", "GET, HEAD");
    } else {
        return false;
    }
    return true;
}

static void show(const struct admin *admin, const struct page *page, bool with_body, struct text *reply)
{
    struct text body = {0};

    reply_begin(reply, page->show(admin->view, &body));
    admin_add_body(reply, page->type, &body, with_body);
    text_free(&body);
}

void admin_answer(struct admin *admin, struct span header, size_t field_count, struct text *reply)
{
    struct request request = {0};
    struct refusal refusal;
    struct arena arena;

    arena_init(&arena);
    if (!header_view(header, field_count, &arena, &request)) {
        reply->failed = true;
        arena_reset(&arena);
        return;
    }
    const struct page *page = page_at(request.target);
    bool with_body = !span_is(request.method, "HEAD");
    if (find_fault(admin, &request, page, &arena, &refusal))
        admin_add_refusal(admin, &refusal, with_body, reply);
    else
        show(admin, page, with_body, reply);
    arena_reset(&arena);
}
