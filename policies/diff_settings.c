/* What of two policies concerns everybody: versions, enforcement, levels of the audit, reconciling; and what
 * is said of an organisation besides its grants. */
#include "policies/diff_internal.h"
#include "policies/organizations.h"

static void tell(struct diff *diff, enum change_sense sense, const char *what, const char *subject,
                 const char *before, const char *after)
{
    diff_tell(diff, &(struct change){
                        .sense = sense, .what = what, .subject = subject, .before = before, .after = after});
}

/* ---- versions ---- */

static const char *date_text(struct diff *diff, uint32_t date)
{
    return date == 0 ? NULL : diff_text(diff, "%04u-%02u-%02u", date / 10000, date / 100 % 100, date % 100);
}

static void compare_dates(struct diff *diff, const struct version_rules *before,
                          const struct version_rules *now)
{
    if (before->oldest != now->oldest)
        tell(diff, now->oldest < before->oldest ? CHANGE_GAINED : CHANGE_LOST, "versions", "oldest",
             date_text(diff, before->oldest), date_text(diff, now->oldest));
    if (before->newest != now->newest)
        tell(diff,
             now->newest == 0 || (before->newest != 0 && now->newest > before->newest) ? CHANGE_GAINED
                                                                                       : CHANGE_LOST,
             "versions", "newest", date_text(diff, before->newest), date_text(diff, now->newest));
}

static const char *headers_text(struct diff *diff, const struct version_rules *rules)
{
    const char *text = NULL;

    for (const struct span *at = rules->headers; at->data != NULL; at++)
        text = text != NULL ? diff_text(diff, "%s, %s", text, at->data) : at->data;
    return text;
}

static bool same_headers(const struct version_rules *before, const struct version_rules *now)
{
    size_t at = 0;

    while (before->headers[at].data != NULL && now->headers[at].data != NULL &&
           span_equal_nocase(before->headers[at], now->headers[at]))
        at++;
    return before->headers[at].data == NULL && now->headers[at].data == NULL;
}

static void compare_versions(struct diff *diff)
{
    const struct version_rules *before = policy_version_rules(diff->old.policy);
    const struct version_rules *now = policy_version_rules(diff->new.policy);
    const char *const patterns[] = {pattern_source(before->pattern), pattern_source(now->pattern)};

    compare_dates(diff, before, now);
    for (unsigned i = 0; i < STABILITY_COUNT; i++)
        if (before->allowed[i] != now->allowed[i])
            tell(diff, now->allowed[i] ? CHANGE_GAINED : CHANGE_LOST, "versions",
                 stability_name((enum stability)i), before->allowed[i] ? "allowed" : NULL,
                 now->allowed[i] ? "allowed" : NULL);
    if (before->calendar != now->calendar)
        tell(diff, now->calendar ? CHANGE_LOST : CHANGE_GAINED, "versions", "calendar",
             before->calendar ? "checked" : NULL, now->calendar ? "checked" : NULL);
    if (strcmp(patterns[0], patterns[1]) != 0)
        tell(diff, CHANGE_MAYBE, "versions", "pattern", patterns[0], patterns[1]);
    if (!same_headers(before, now))
        tell(diff, CHANGE_MAYBE, "versions", "headers", headers_text(diff, before), headers_text(diff, now));
}

/* ---- audit and reconciling ---- */

static void compare_levels(struct diff *diff)
{
    size_t count;
    const struct operation *operations = contract_operations(diff->new.contract, &count);

    for (size_t i = 0; i < count; i++) {
        const struct operation *operation = diff_operation(diff->old.contract, operations[i].id);
        if (operation == NULL)
            continue;
        enum audit_level before = audit_level_of(diff->old.policy, operation);
        enum audit_level now = audit_level_of(diff->new.policy, &operations[i]);
        if (before != now)
            tell(diff, now < before ? CHANGE_GAINED : CHANGE_LOST, "audit level", operation->id,
                 audit_level_name(before), audit_level_name(now));
    }
}

static void compare_pre_images(struct diff *diff)
{
    bool before = policy_pre_image(diff->old.policy), now = policy_pre_image(diff->new.policy);

    if (before != now)
        tell(diff, now ? CHANGE_LOST : CHANGE_GAINED, "audit level", "pre-images of updates",
             before ? "recorded" : NULL, now ? "recorded" : NULL);
}

static const char *times_text(struct diff *diff, const struct reconcile_settings *settings)
{
    return diff_text(diff, "settle %u s, retry %u s, deadline %u s", settings->settle_s, settings->retry_s,
                     settings->deadline_s);
}

static void compare_reconcile(struct diff *diff)
{
    const struct reconcile_settings *before = policy_reconcile(diff->old.policy);
    const struct reconcile_settings *now = policy_reconcile(diff->new.policy);

    diff_credential(diff, "credential", "reconcile", before->credential, now->credential);
    if (before->settle_s != now->settle_s || before->retry_s != now->retry_s ||
        before->deadline_s != now->deadline_s)
        tell(diff, CHANGE_OTHER, "reconcile", "times", times_text(diff, before), times_text(diff, now));
}

void diff_settings(struct diff *diff)
{
    compare_versions(diff);
    compare_levels(diff);
    compare_pre_images(diff);
    compare_reconcile(diff);
}

/* ---- organisations ---- */

static uint32_t index_in(const struct policy *policy, const unsigned char *id)
{
    uint32_t found = id != NULL ? find_organization(policy, id) : EVERYWHERE;

    return found != TABLE_NONE ? found : EVERYWHERE;
}

/* What holds where nothing is said of an organisation. */
struct usual {
    bool observed_before, observed_now;
};

static void compare_organization(struct diff *diff, const unsigned char *id, const struct usual *usual)
{
    const struct policy *old = diff->old.policy, *new = diff->new.policy;
    uint32_t before = index_in(old, id), now = index_in(new, id);
    char subject[UUID_TEXT_SIZE] = "*";
    int own_before = policy_organization_credential(old, before),
        own_now = policy_organization_credential(new, now);
    bool observed_before = policy_observes(old, before), observed_now = policy_observes(new, now);

    if (id != NULL)
        uuid_spell(id, subject);
    if (id == NULL || before != EVERYWHERE || now != EVERYWHERE)
        diff_credential(diff, "credential", subject, own_before, own_now);
    if (observed_before != observed_now &&
        (id == NULL || observed_before != usual->observed_before || observed_now != usual->observed_now))
        tell(diff, observed_now ? CHANGE_GAINED : CHANGE_LOST, "enforcement", subject,
             observed_before ? "observe" : "enforce", observed_now ? "observe" : "enforce");
}

void diff_organizations(struct diff *diff)
{
    const struct usual usual = {policy_observes(diff->old.policy, EVERYWHERE),
                                policy_observes(diff->new.policy, EVERYWHERE)};
    struct organizations organizations;

    if (!organizations_collect(diff->old.policy, diff->new.policy, &organizations)) {
        diff->failed = true;
        return;
    }
    compare_organization(diff, NULL, &usual);
    for (size_t i = 0; i < organizations.count && !diff->failed; i++)
        compare_organization(diff, organizations.ids[i], &usual);
    organizations_free(&organizations);
}
