/* The policy file, compiled: who may do what where, with which versions. Immutable; lookups are independent
 * of its size. */
#ifndef POLICIES_POLICY_H
#define POLICIES_POLICY_H

#include "policies/arena.h"
#include "policies/audit_level.h"
#include "policies/document.h"
#include "policies/jwt.h"
#include "policies/moment.h"
#include "policies/pattern.h"
#include "policies/permission.h"
#include "policies/rule.h"
#include "policies/version.h"

struct contract;
struct operation;
struct policy;

/* Where the gate finds an upstream credential that it holds. The policy names it; only the proxy reads it. */
struct credential_source {
    enum { CREDENTIAL_ENV, CREDENTIAL_FILE } kind;
    const char *name;    /* of the variable, or the path as written (relative to the policy file) */
    const char *pointer; /* JSON pointer in the policy, for error messages */
};

#define CREDENTIAL_OWN (-1) /* the client's own token is sent */

/* At most so many requests in so many seconds; no requests: no limit. */
struct rate_limit {
    unsigned requests, seconds;
};

/* How a principal is to show who it is. */
enum identity_rule {
    IDENTITY_BY_TOKEN,       /* it has tokens alone */
    IDENTITY_BY_CERTIFICATE, /* it has certificates alone */
    IDENTITY_BY_BOTH,        /* a token and, on the same connection, a certificate */
    IDENTITY_BY_EITHER,
};

struct principal {
    const char *name;
    uint32_t index;
    int credential; /* index into policy_credentials, or CREDENTIAL_OWN */
    enum identity_rule identity;
    struct rate_limit rate_limit;
    bool own_rate_limit;           /* it is said of this principal, not of all */
    struct rate_limit break_glass; /* how often it may break the glass; no requests: never */
    const uint32_t *people;        /* see policy_people */
    uint32_t people_count;
    uint32_t everywhere; /* its first grant under "*"; UINT32_MAX without one */
};

/* Whose OAuth tokens are taken, and where their issuer's public keys are. */
struct oauth_rules {
    struct jwt_rules jwt;
    const char *keys; /* path of a JWK Set, as written (relative to the policy file) */
};

/* What one principal may do in one organisation: its own grants and those under "*", with the denials of
 * either taken away. */
struct access {
    permission_set allowed; /* after denials */
    permission_set denied;
    permission_set lapsed; /* what grants would give that are not in their time */
    bool granted; /* there is at least one grant for the principal here (or under "*"), in its time */
    uint32_t here,
        everywhere; /* the first grant in the organisation and under "*": for policy_access_grant */
};

/* What the version rules demand. */
struct version_rules {
    const struct pattern *pattern;
    uint32_t oldest, newest; /* yyyymmdd, 0 without bound */
    bool allowed[STABILITY_COUNT];
    bool calendar;
    uint64_t header_lengths;    /* bit n: one of `headers` is n bytes long; bit 63: or longer */
    const struct span *headers; /* names of the header fields that may carry the version, C strings all;
                                   behind the last one stands one with data NULL */
};

/* How mutations whose end is not known are looked into. */
struct reconcile_settings {
    int credential; /* index of a read-only credential; CREDENTIAL_OWN: there is none, nothing can be looked
                       into */
    bool declined;  /* "upstream_token": null says that there shall be none */
    unsigned settle_s; /* between two readings that must agree */
    unsigned
        retry_s; /* before the first repetition of a reading that failed; doubled for each one after it */
    unsigned deadline_s; /* for all of it */
};

/* A row of "audit": {"levels": …}. */
struct audit_row {
    const char *operation; /* an operationId, or "*" */
    enum audit_level level;
};

/* Compiles the document. NULL when it has errors; all of them, and warnings, are in `problems`. Freed with
 * policy_free. */
struct policy *policy_compile(const struct document *document, struct problems *problems);
void policy_free(struct policy *policy);

/* Ties the rules to the operations of the contract that requests are judged by, once, before anything is
 * judged: a policy with rules that is not linked refuses whatever it is asked. The document is that of the
 * policy. False when a rule does not fit the contract (an operation that it does not have, a secret that a
 * condition would look at, …); all of that is in `problems`. The contract must outlive the policy. */
bool policy_link(struct policy *policy, const struct contract *contract, const struct document *document,
                 struct problems *problems);

/* The rules, in the order of the file. */
size_t policy_rule_count(const struct policy *policy);
const struct rule *policy_rule_at(const struct policy *policy, size_t index);

/* The rule that decision.rule names; NULL when it names something else. */
const struct rule *policy_rule_named(const struct policy *policy, const char *pointer);

/* Is what permission, rules and budgets refuse in the organisation only observed? Where the policy says so
 * (a pointer into it, in the arena or static; NULL when memory is out). */
bool policy_observes(const struct policy *policy, uint32_t organization);
const char *policy_enforcement_pointer(const struct policy *policy, uint32_t organization,
                                       struct arena *arena);

const struct version_rules *policy_version_rules(const struct policy *policy);
const struct reconcile_settings *policy_reconcile(const struct policy *policy);

/* The rows of the audit levels, in the order of the file. */
const struct audit_row *policy_audit_rows(const struct policy *policy, size_t *count);

/* Is an integration to be read before an update, too? */
bool policy_pre_image(const struct policy *policy);

/* The level in the row of that name; false without one. For the level of an operation ask audit_level_of. */
bool policy_audit_level(const struct policy *policy, const char *operation, enum audit_level *level);

/* The principal whose token has this SHA-256, and in *term when the token may be used (NULL: at any time);
 * NULL for none. Time does not depend on the secret: the digest selects the slot, and a slot's digest is
 * compared in constant time. */
const struct principal *policy_principal_by_digest(const struct policy *policy,
                                                   const unsigned char digest[32], const struct term **term);

/* The principal that the canonical name in a certificate (certificate_name.h) is for; NULL for none. */
const struct principal *policy_principal_by_certificate(const struct policy *policy, struct span name);

/* Whose OAuth tokens are taken; NULL: nobody's. The principal that has this subject; NULL for none. */
const struct oauth_rules *policy_oauth(const struct policy *policy);
const struct principal *policy_principal_by_subject(const struct policy *policy, struct span subject);

/* The principal of this name; NULL for none. */
const struct principal *policy_principal_named(const struct policy *policy, struct span name);

/* The organisation of that UUID (in any case), as the three below take it; the one of "*" for a UUID that the
 * policy does not list, and for a text that is none. The same by the UUID's 16 bytes. */
uint32_t policy_organization(const struct policy *policy, struct span text);
uint32_t policy_organization_by_id(const struct policy *policy, const unsigned char id[16]);

/* Organisations that the policy lists, "*" among them though it be empty; the UUID of one, 16 bytes
 * (borrowed). NULL for "*", which is number 0. */
size_t policy_organization_count(const struct policy *policy);
const unsigned char *policy_organization_id(const struct policy *policy, uint32_t organization);

/* What the principal may do in the organisation at that moment (seconds since the epoch). */
struct access policy_access(const struct policy *policy, const struct principal *principal,
                            uint32_t organization, int64_t now);

/* The grant that gives (deny false) or takes away (deny true) `permission` from the principal in the
 * organisation at that moment, as a JSON pointer into the policy:
 * "/organizations/<uuid>/grants/0" (UUID in lower case). "" when none does; NULL when memory is out. The
 * first one in the order of the file; those of the organisation go before those under "*". The text lives in
 * the arena: a policy of a million grants holds no text for each. */
const char *policy_grant_pointer(const struct policy *policy, const struct principal *principal,
                                 uint32_t organization, permission_set permission, bool deny, int64_t now,
                                 struct arena *arena);

/* The same of the grant that gives `permission`, for an access just had at that moment. `organization` is the
 * UUID in lower case, where the access was had for one that is listed. */
const char *policy_access_grant(const struct policy *policy, const struct access *access,
                                permission_set permission, int64_t now, struct span organization,
                                struct arena *arena);

/* The same of a grant that would give it, were it in its time, which is in *term. */
const char *policy_lapsed_grant(const struct policy *policy, const struct principal *principal,
                                uint32_t organization, permission_set permission, int64_t now,
                                struct term *term, struct arena *arena);

/* Grants, numbered in the order of the file; the number of the one that such a JSON pointer names (UINT32_MAX
 * for none), and the pointer of the one with that number (NULL when memory is out). */
uint32_t policy_grant_count(const struct policy *policy);
uint32_t policy_grant_named(const struct policy *policy, const char *pointer);
const char *policy_grant_name(const struct policy *policy, uint32_t grant, struct arena *arena);

/* Warns of tokens and grants whose time is over, or will be soon, and of principals with more than two tokens
 * that are good at once. `document` is what the policy was compiled from. */
void policy_terms_check(const struct policy *policy, const struct document *document, int64_t now,
                        struct problems *problems);

/* The credential that the gate holds for the organisation, or CREDENTIAL_OWN. A principal's own credential
 * goes before it. */
int policy_organization_credential(const struct policy *policy, uint32_t organization);

/* All credential sources; *count of them. */
const struct credential_source *policy_credentials(const struct policy *policy, size_t *count);

/* SHA-256 of the document's bytes: "sha256:<64 hex digits>". */
const char *policy_digest(const struct policy *policy);

/* Principals, for check and explain; the one whose index it is. */
size_t policy_principal_count(const struct policy *policy);
const struct principal *policy_principal_at(const struct policy *policy, uint32_t index);

/* The people behind a principal: those at the end of its chain of `owners`, or itself when it has none.
 * Indexes of principals in ascending order, OWNERS_PEOPLE at most; they live as long as the policy. */
#define OWNERS_PEOPLE 64
const uint32_t *policy_people(const struct principal *principal, size_t *count);

/* Is one of the people behind `principal` behind `of`, too? So is everybody behind themselves. Two for whom
 * this holds are never two pairs of eyes. */
bool policy_is_owner(const struct principal *principal, const struct principal *of);

/* Has any principal a rate limit? */
bool policy_limits_rates(const struct policy *policy);

/* Where the policy says a principal's rate limit, as a JSON pointer. In the arena or static. */
const char *policy_rate_rule(const struct principal *principal, struct arena *arena);

#endif
