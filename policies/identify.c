/* Whom does a request come from? Tokens and certificates are held against the policy; where both are shown,
 * they have to agree. */
#include "policies/ascii.h"
#include "policies/decide.h"
#include "policies/digest.h"
#include "policies/fields.h"

#define SECRET_LONGEST JWT_LONGEST

/* The secret of "<scheme> <secret>" for the scheme; nothing for any other form. */
static struct span secret_of(struct span authorization, struct span scheme)
{
    size_t length = scheme.length, start = length;

    if (authorization.length <= length ||
        !span_equal_nocase((struct span){authorization.data, length}, scheme))
        return (struct span){NULL, 0};
    while (start < authorization.length && authorization.data[start] == ' ')
        start++;

    struct span secret = {authorization.data + start, authorization.length - start};
    bool good =
        start != length && secret.length > 0 && secret.length <= SECRET_LONGEST && ascii_is_secret(secret);
    return good ? secret : (struct span){NULL, 0};
}

/* The principal that an OAuth token names, and in *term when it is good; NULL with the fault noted. */
static const struct principal *by_jwt(const struct decide_input *input,
                                      const unsigned char digest[DIGEST_SIZE], struct term *term,
                                      struct decision *out)
{
    const struct oauth *oauth = &input->oauth;
    const struct oauth_rules *rules = policy_oauth(input->policy);
    struct jwt_claims claims;
    uint32_t index;

    if (oauth->keys == NULL) {
        out->token_fault = "the gate has no keys of its issuer at hand";
        return NULL;
    }
    const struct jwt_law law = {policy_digest(input->policy), jwks_digest(oauth->keys)};
    if (oauth->memo != NULL && jwt_memo_find(oauth->memo, &law, digest, &index, term))
        return policy_principal_at(input->policy, index);
    out->token_fault = jwt_verify(out->secret, oauth->keys, &rules->jwt, out->arena, &claims);
    if (out->token_fault != NULL)
        return NULL;
    const struct principal *holder = policy_principal_by_subject(input->policy, claims.subject);
    if (holder == NULL) {
        out->token_fault = "no principal of the policy has its subject among its `subjects`";
        return NULL;
    }
    *term = claims.term;
    if (oauth->memo != NULL && term_at(term, out->now) == TERM_RUNNING)
        jwt_memo_keep(oauth->memo, &law, digest, holder->index, term);
    return holder;
}

/* The principal whose token it is, and in *term when that is good; the secret of a value in the right form is
 * the decision's. */
static const struct principal *by_token(const struct decide_input *input, struct span authorization,
                                        struct term *term, struct decision *out)
{
    const struct term *bounds;
    unsigned char digest[DIGEST_SIZE];
    bool bearer = false;

    *term = (struct term){MOMENT_FIRST, MOMENT_LAST};
    out->secret = secret_of(authorization, SPAN("Token"));
    if (out->secret.data == NULL) {
        out->secret = secret_of(authorization, SPAN("Bearer"));
        bearer = true;
    }
    if (out->secret.data == NULL)
        return NULL;
    digest_of(out->secret, digest);
    const struct principal *holder = policy_principal_by_digest(input->policy, digest, &bounds);
    if (bounds != NULL)
        *term = *bounds;
    out->oauth =
        holder == NULL && bearer && policy_oauth(input->policy) != NULL && jwt_is_shaped(out->secret);
    return out->oauth ? by_jwt(input, digest, term, out) : holder;
}

/* The principal of the certificate, and the name that says so; *ambiguous where there are two. */
static const struct principal *by_certificate(const struct policy *policy, const struct request *request,
                                              struct span *name, bool *ambiguous)
{
    const struct principal *found = NULL;

    *ambiguous = false;
    for (size_t i = 0; i < request->certificate_name_count; i++) {
        const struct principal *one = policy_principal_by_certificate(policy, request->certificate_names[i]);
        if (one == NULL || one == found)
            continue;
        *ambiguous = found != NULL;
        if (*ambiguous)
            return NULL;
        found = one;
        *name = request->certificate_names[i];
    }
    return found;
}

/* What a token of `holder` is worth, beside a certificate of `certified` (NULL: none that is known). */
static enum identity judge_token(const struct principal *holder, const struct principal *certified)
{
    if (certified != NULL)
        return certified == holder ? IDENTITY_TOKEN_AND_CERTIFICATE : IDENTITY_CONFLICT;
    return holder->identity == IDENTITY_BY_BOTH ? IDENTITY_NO_CERTIFICATE : IDENTITY_TOKEN;
}

/* What a certificate is worth without a token. */
static enum identity judge_certificate(const struct principal *certified)
{
    if (certified == NULL)
        return IDENTITY_NONE;
    return certified->identity == IDENTITY_BY_BOTH ? IDENTITY_NO_TOKEN : IDENTITY_CERTIFICATE;
}

static bool is_established(enum identity identity)
{
    return identity == IDENTITY_TOKEN || identity == IDENTITY_CERTIFICATE ||
           identity == IDENTITY_TOKEN_AND_CERTIFICATE;
}

void identify(const struct decide_input *input, const struct request *request, struct decision *out)
{
    const struct principal *holder = NULL, *certified;
    const struct field *only = NULL;
    struct term term = {MOMENT_FIRST, MOMENT_LAST};
    bool ambiguous;

    out->identity = IDENTITY_NONE;
    for (size_t i = 0; i < request->field_count; i++) {
        if ((field_row_at(request, i)->rules & FIELD_CREDENTIAL) == 0)
            continue;
        if (only != NULL)
            return; /* two of them name nobody: the gate of spelling will say so */
        only = &request->fields[i];
    }
    if (only != NULL)
        holder = by_token(input, only->value, &term, out);
    certified = by_certificate(input->policy, request, &out->certificate, &ambiguous);
    if (ambiguous) {
        out->identity = IDENTITY_AMBIGUOUS;
    } else if (holder != NULL && term_at(&term, request->now) != TERM_RUNNING) {
        out->identity = IDENTITY_OUT_OF_TERM;
        out->term = term;
    } else if (only == NULL) {
        out->identity = judge_certificate(certified);
    } else if (holder != NULL) {
        out->identity = judge_token(holder, certified);
    }
    if (is_established(out->identity))
        out->principal = holder != NULL ? holder : certified;
}
