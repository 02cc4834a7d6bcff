/* Does the policy permit the operation to this principal in this organisation? No grant, no passage; a denial
 * wins over every grant. */
#include "policies/gate.h"

/* What a person would call the place that is asked for. */
static const char *place_of(struct decision *out)
{
    if (out->operation->organization < 0)
        return "outside of any organization";
    const char *id = gate_string(out, out->target.segments[out->operation->organization]);
    return id ? arena_format(out->arena, "in the organization %s", id) : NULL;
}

static const char *explain_refusal(const struct access *access, struct decision *out, const char *missing)
{
    const char *name = out->principal->name, *place = place_of(out);

    if (place == NULL)
        return NULL;
    if (out->rule[0] == '/')
        return arena_format(out->arena, "%s is denied to \"%s\" %s by the policy's %s.", missing, name, place,
                            out->rule);
    if (!access->granted)
        return arena_format(out->arena, "\"%s\" has no grant %s; %s is needed.", name, place, missing);
    return arena_format(out->arena, "\"%s\" does not have %s %s.", name, missing, place);
}

/* A grant would give it, but is not in its time: it is the rule that is named. */
static const char *explain_lapsed(const struct decide_input *input, permission_set lapsed,
                                  struct decision *out)
{
    struct term term = {MOMENT_FIRST, MOMENT_LAST};
    const char *name = out->principal->name, *place = place_of(out);
    const char *grant =
        policy_lapsed_grant(input->policy, out->principal, out->listed, lapsed, out->now, &term, out->arena);
    bool over = term_at(&term, out->now) == TERM_OVER;
    char bound[MOMENT_TEXT_SIZE];

    if (grant == NULL || place == NULL)
        return NULL;
    out->rule = grant;
    moment_write(over ? term.not_after : term.not_before, bound);
    return arena_format(out->arena,
                        over ? "The policy's %s gave %s to \"%s\" %s until %s, which is over."
                             : "The policy's %s gives %s to \"%s\" %s from %s on, which has not come.",
                        grant, permission_name(lapsed), name, place, bound);
}

static enum verdict forbid(const struct decide_input *input, const struct access *access,
                           struct decision *out)
{
    permission_set lacking = out->operation->permission & ~access->allowed;
    const char *missing = permission_name(lacking);

    out->rule = access->granted ? "not-granted" : "no-grant";
    if ((lacking & access->denied) != 0) {
        const char *denial = policy_grant_pointer(input->policy, out->principal, out->listed,
                                                  lacking & access->denied, true, out->now, out->arena);
        out->rule = denial ? denial : "denied";
    }
    const char *detail = (lacking & access->denied) == 0 && (lacking & access->lapsed) != 0
                             ? explain_lapsed(input, lacking & access->lapsed, out)
                             : explain_refusal(access, out, missing);
    (void)gate_refuse(out, REFUSE_FORBIDDEN, out->rule, detail, NULL, NULL);
    refusal_meta(&out->refusal, out->arena, "permission", missing);
    if (out->organization.data != NULL)
        refusal_meta(&out->refusal, out->arena, "organization", gate_string(out, out->organization));
    refusal_meta(&out->refusal, out->arena, "principal", out->principal->name);
    return VERDICT_REFUSE;
}

/* Is there anything to show to the upstream: a token that the client sent, or one that the gate holds? */
static bool has_credential(const struct decide_input *input, const struct decision *out)
{
    bool tokenless = input->assume != NULL ? input->assume->identity == IDENTITY_BY_CERTIFICATE
                                           : out->identity == IDENTITY_CERTIFICATE;

    return !tokenless || gate_credential(input, out) != CREDENTIAL_OWN;
}

static enum verdict refuse_uncredited(struct decision *out)
{
    const char *detail = arena_format(
        out->arena,
        "\"%s\" came with a certificate and without a token, and the gate holds no upstream_token for "
        "it here: nothing could be shown to the API. Send a token of this principal, or have the "
        "policy name an upstream_token.",
        out->principal->name);

    return gate_refuse(out, REFUSE_NO_CREDENTIAL, "no-credential", detail, NULL, NULL);
}

enum verdict gate_permission(const struct decide_input *input, const struct request *request,
                             struct decision *out)
{
    const struct operation *operation = out->operation;
    struct access access = {0};
    enum verdict verdict = VERDICT_PASS;

    (void)request;
    /* Grants and denials are by UUID. Under any other name for an organisation a denial would not be found,
     * so nothing is granted. */
    if (operation->organization < 0 || out->organization.data != NULL)
        access = policy_access(input->policy, out->principal, out->listed, out->now);
    if (operation->permission == 0 || (operation->permission & ~access.allowed) != 0)
        verdict = forbid(input, &access, out);
    if (verdict == VERDICT_REFUSE && !out->observing)
        return verdict;
    if (!has_credential(input, out))
        return refuse_uncredited(out);
    if (verdict == VERDICT_REFUSE)
        return verdict;
    out->rule = policy_access_grant(input->policy, &access, operation->permission, out->now,
                                    out->organization, out->arena);
    return out->rule != NULL ? VERDICT_PASS : gate_refuse_memory(out);
}

const char *describe_permission(const struct decide_input *input, const struct decision *decision)
{
    const char *rule =
        policy_grant_pointer(input->policy, decision->principal, decision->listed,
                             decision->operation->permission, false, decision->now, decision->arena);

    return rule ? arena_format(decision->arena, "%s is granted by %s", decision->operation->permission_name,
                               rule)
                : NULL;
}
