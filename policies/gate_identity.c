/* Whose request is it? */
#include "policies/fields.h"
#include "policies/gate.h"

#define CHALLENGE "Token realm=\"portcullis\", Bearer realm=\"portcullis\""

/* Nothing that was shown is known. */
static const char *explain_unknown(const struct decide_input *input, const struct request *request,
                                   struct decision *out)
{
    bool token = field_find(request, "Authorization") != NULL;

    if (token && jwt_is_shaped(out->secret))
        return policy_oauth(input->policy) != NULL
                   ? "No principal of the policy has this token. An OAuth token is sent with "
                     "\"Authorization: "
                     "Bearer <token>\"."
                   : "No principal of the policy has this token. OAuth access tokens are new every hour or "
                     "so, "
                     "and a digest in the policy cannot name them: have the policy say whose are taken "
                     "(`oauth`) and which principal has which of their `subjects`, or send an API token with "
                     "\"Authorization: Token <secret>\".";
    if (token && out->certificate.data != NULL)
        return "No principal of the policy has this token, though one has the client certificate. Send the "
               "token of that principal, or leave the field Authorization out.";
    if (token)
        return "No principal of the policy has this token. Send \"Authorization: Token <secret>\" with a "
               "secret "
               "whose SHA-256 stands in the policy; `portcullis token` prints it.";
    if (request->certificate_name_count > 0) {
        const struct span name = request->certificate_names[0];
        return arena_format(
            out->arena,
            "The request has no token, and no principal of the policy has the client "
            "certificate (%.*s). Send \"Authorization: Token <secret>\", or have that name put "
            "into `certificates` of a principal.",
            (int)name.length, name.data);
    }
    return "The request has no token. Send \"Authorization: Token <secret>\".";
}

static enum verdict refuse_unknown(struct decision *out, const char *rule, const char *detail)
{
    (void)gate_refuse(out, REFUSE_UNAUTHENTICATED, rule, detail, NULL, NULL);
    refusal_field(&out->refusal, out->arena, "WWW-Authenticate", CHALLENGE);
    return VERDICT_REFUSE;
}

static enum verdict refuse_out_of_term(const struct request *request, struct decision *out)
{
    bool over = term_at(&out->term, request->now) == TERM_OVER;
    char bound[MOMENT_TEXT_SIZE];

    moment_write(over ? out->term.not_after : out->term.not_before, bound);
    const char *detail =
        over ? arena_format(
                   out->arena,
                   out->oauth
                       ? "This OAuth token expired: it was good until %s. Get a new one from its issuer."
                       : "This token expired: it was good until %s. Send the one that came after it, "
                         "or have the policy name a new one.",
                   bound)
             : arena_format(out->arena, "This token is not good yet: it will be from %s on.", bound);
    return refuse_unknown(out, over ? "token-expired" : "token-not-yet-good", detail);
}

enum verdict gate_identity(const struct decide_input *input, const struct request *request,
                           struct decision *out)
{
    if (out->principal != NULL)
        return VERDICT_PASS;
    switch (out->identity) {
    case IDENTITY_NO_CERTIFICATE:
        return refuse_unknown(out, "no-certificate",
                              "The policy takes this token only beside a client certificate of the same "
                              "principal: connect with that certificate, over TLS.");
    case IDENTITY_NO_TOKEN:
        return refuse_unknown(out, "no-token",
                              "The policy takes this client certificate only beside a token of the same "
                              "principal: send \"Authorization: Token <secret>\" besides.");
    case IDENTITY_CONFLICT:
        return gate_refuse(
            out, REFUSE_IDENTITY_CONFLICT, "two-principals",
            "The token is one principal's and the client certificate another's. Send the token of "
            "the certificate's principal, or connect with a certificate of the token's.",
            NULL, NULL);
    case IDENTITY_AMBIGUOUS:
        return gate_refuse(
            out, REFUSE_IDENTITY_CONFLICT, "ambiguous-certificate",
            "The names in the client certificate are those of more than one principal. Connect "
            "with a certificate of one, or have the policy give its names to one.",
            NULL, NULL);
    case IDENTITY_OUT_OF_TERM:
        return refuse_out_of_term(request, out);
    case IDENTITY_NONE:
    case IDENTITY_TOKEN:
    case IDENTITY_CERTIFICATE:
    case IDENTITY_TOKEN_AND_CERTIFICATE:
        break;
    }
    if (out->token_fault != NULL)
        return refuse_unknown(
            out, "oauth-token",
            arena_format(out->arena, "The OAuth token is not taken: %s.", out->token_fault));
    return refuse_unknown(out, "no-principal", explain_unknown(input, request, out));
}

const char *describe_identity(const struct decide_input *input, const struct decision *decision)
{
    const char *name = decision->principal->name;
    const struct span shown = decision->certificate;

    if (input->assume != NULL)
        return arena_format(decision->arena, "principal %s, as given", name);
    if (decision->identity == IDENTITY_TOKEN)
        return arena_format(decision->arena, "principal %s, by its %stoken", name,
                            decision->oauth ? "OAuth " : "");
    return arena_format(decision->arena, "principal %s, by its %scertificate %.*s", name,
                        decision->identity == IDENTITY_CERTIFICATE ? "" : "token and its ", (int)shown.length,
                        shown.data);
}
