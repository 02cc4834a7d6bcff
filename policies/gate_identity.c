/* Whose token is it? */
#include "policies/digest.h"
#include "policies/fields.h"
#include "policies/gate.h"

#define SECRET_LONGEST 4096

#define CHALLENGE "Token realm=\"portcullis\", Bearer realm=\"portcullis\""

/* The secret of "<scheme> <secret>" for the scheme; nothing for any other form. */
static struct span secret_of(struct span authorization, const char *scheme)
{
    size_t length = strlen(scheme), start = length;

    if (authorization.length <= length ||
        !span_equal_nocase((struct span){authorization.data, length}, span_of(scheme)))
        return (struct span){NULL, 0};
    while (start < authorization.length && authorization.data[start] == ' ')
        start++;

    struct span secret = {authorization.data + start, authorization.length - start};
    if (start == length || secret.length == 0 || secret.length > SECRET_LONGEST)
        return (struct span){NULL, 0};
    for (size_t i = 0; i < secret.length; i++)
        if (secret.data[i] <= ' ' || secret.data[i] > '~' || secret.data[i] == ',')
            return (struct span){NULL, 0};
    return secret;
}

const struct principal *identify(const struct policy *policy, struct span authorization, struct span *secret)
{
    unsigned char digest[DIGEST_SIZE];

    *secret = secret_of(authorization, "Token");
    if (secret->data == NULL)
        *secret = secret_of(authorization, "Bearer");
    if (secret->data == NULL)
        return NULL;
    digest_of(*secret, digest);
    return policy_principal_by_digest(policy, digest);
}

/* OAuth access tokens are JWTs (RFC 7519): three parts, the first of them a JSON object in base64url. */
static bool is_jwt(struct span secret)
{
    size_t dots = 0;

    for (size_t i = 0; i < secret.length; i++)
        dots += secret.data[i] == '.';
    return dots == 2 && secret.length > 3 && memcmp(secret.data, "eyJ", 3) == 0;
}

enum verdict gate_identity(const struct decide_input *input, const struct request *request,
                           struct decision *out)
{
    const char *detail =
        "No principal of the policy has this token. Send \"Authorization: Token <secret>\" with a secret "
        "whose SHA-256 stands in the policy; `portcullis token` prints it.";

    (void)input;
    if (out->principal != NULL)
        return VERDICT_PASS;
    if (field_find(request, "Authorization") == NULL)
        detail = "The request has no token. Send \"Authorization: Token <secret>\".";
    else if (is_jwt(out->secret))
        detail = "No principal of the policy has this token. OAuth access tokens are new every hour or so, "
                 "and a digest "
                 "in the policy cannot name them: send an API token with \"Authorization: Token <secret>\".";
    (void)gate_refuse(out, REFUSE_UNAUTHENTICATED, "no-principal", detail, NULL, NULL);
    refusal_field(&out->refusal, out->arena, "WWW-Authenticate", CHALLENGE);
    return VERDICT_REFUSE;
}

const char *describe_identity(const struct decide_input *input, const struct decision *decision)
{
    return arena_format(decision->arena, "principal %s, %s", decision->principal->name,
                        input->assume ? "as given" : "by its token");
}
