/* Refusals: how a gate makes one, and how it becomes a JSON:API error document in the API's own shape. */
#ifndef POLICIES_REFUSAL_H
#define POLICIES_REFUSAL_H

#include "policies/decide.h"

/* Kinds of refusal: status, code and title stand in one table in refusal.c. Those of the proxy are here too,
 * so that there is one list of what a client may meet. */
enum refusal_kind {
    REFUSE_MALFORMED_TARGET,   /* 400 portcullis-malformed-target */
    REFUSE_REPEATED_FIELD,     /* 400 portcullis-repeated-field */
    REFUSE_UNEXPECTED_CONTENT, /* 400 portcullis-unexpected-content */
    REFUSE_MALFORMED_FIELD,    /* 400 portcullis-malformed-field */
    REFUSE_NOT_THERE,          /* 404 portcullis-no-such-integration */
    REFUSE_BROKERED,           /* 409 portcullis-brokered */
    REFUSE_NO_REGISTRY,        /* 409 portcullis-not-deletable */
    REFUSE_PRECONDITION,       /* 412 portcullis-precondition-failed */
    REFUSE_PRE_IMAGE,          /* 502 portcullis-pre-image-unavailable */
    REFUSE_NO_OPERATION,       /* 404 portcullis-no-such-operation */
    REFUSE_METHOD,             /* 405 portcullis-method-not-allowed */
    REFUSE_UNAUTHENTICATED,    /* 401 portcullis-unauthenticated */
    REFUSE_IDENTITY_CONFLICT,  /* 403 portcullis-identity-conflict */
    REFUSE_NO_CREDENTIAL,      /* 403 portcullis-no-credential */
    REFUSE_VERSION,            /* 400 portcullis-version */
    REFUSE_PARAMETER,          /* 400 portcullis-parameter */
    REFUSE_FORBIDDEN,          /* 403 portcullis-forbidden */
    REFUSE_DENIED,             /* 403 portcullis-denied: by a rule, as are those below */
    REFUSE_FROZEN,             /* 403 portcullis-frozen */
    REFUSE_REASON,             /* 403 portcullis-reason-required */
    REFUSE_APPROVAL,           /* 403 portcullis-approval-required */
    REFUSE_APPROVAL_LIMIT,     /* 429 portcullis-approval-limit: too many wait for approval */
    REFUSE_NO_APPROVAL,        /* 404 portcullis-no-such-approval */
    REFUSE_MAY_NOT_APPROVE,    /* 403 portcullis-may-not-approve */
    REFUSE_APPROVED_BEFORE,    /* 409 portcullis-approved-before: by the same person */
    REFUSE_BUDGET,             /* 429 portcullis-budget-spent */
    REFUSE_KEY_REUSED,
    REFUSE_KEY_IN_FLIGHT,
    REFUSE_KEY_UNKNOWN,
    REFUSE_KEY_DONE,
    REFUSE_TWIN,
    REFUSE_NO_BREAKER,
    REFUSE_BREAK_GLASS,        /* 403 portcullis-no-break-glass */
    REFUSE_MEDIA_TYPE,         /* 415 portcullis-media-type */
    REFUSE_MALFORMED_BODY,     /* 400 portcullis-malformed-body: not strict JSON */
    REFUSE_INVALID_BODY,       /* 400 portcullis-invalid-body: against the contract */
    REFUSE_BODY_TOO_LARGE,     /* 413 portcullis-body-too-large */
    REFUSE_TARGET_TOO_LONG,    /* 414 portcullis-target-too-long */
    REFUSE_EXPECTATION,        /* 417 portcullis-expectation */
    REFUSE_CROWD,              /* 429 portcullis-too-many-connections: from one address */
    REFUSE_HEADER_TOO_LARGE,   /* 431 portcullis-header-too-large */
    REFUSE_WIRE,               /* 400 portcullis-malformed-request */
    REFUSE_TIMEOUT,            /* 408 portcullis-request-timeout */
    REFUSE_METHOD_UNKNOWN,     /* 501 portcullis-method-unknown */
    REFUSE_CODING_UNKNOWN,     /* 501 portcullis-transfer-coding-unknown */
    REFUSE_HTTP_VERSION,       /* 505 portcullis-http-version */
    REFUSE_RATE_LIMITED,       /* 429 portcullis-rate-limited: by the policy */
    REFUSE_SHIELDED,           /* 429 portcullis-upstream-rate-limited: by the API */
    REFUSE_JOURNAL,            /* 503 portcullis-journal-unavailable */
    REFUSE_CREDENTIAL,         /* 503 portcullis-credential-unavailable */
    REFUSE_OVERLOADED,         /* 503 portcullis-overloaded */
    REFUSE_CLIENT_GONE,        /* 503 portcullis-client-gone: shown in the logs only */
    REFUSE_INTERNAL,           /* 503 portcullis-internal: memory is out */
    REFUSE_UPSTREAM_CONNECT,   /* 502 portcullis-upstream-unreachable */
    REFUSE_UPSTREAM_TLS,       /* 502 portcullis-upstream-untrusted */
    REFUSE_UPSTREAM_ANSWER,    /* 502 portcullis-upstream-answer */
    REFUSE_UPSTREAM_CLOSED,    /* 502 portcullis-upstream-closed */
    REFUSE_UPSTREAM_TOO_LARGE, /* 502 portcullis-upstream-too-large */
    REFUSE_UPSTREAM_TIMEOUT,   /* 504 portcullis-upstream-timeout */
    REFUSE_KINDS
};

/* Begins a refusal of that kind: status, code, title, no errors yet. */
void refusal_begin(struct refusal *refusal, enum refusal_kind kind);

/* Adds an error. Texts are not copied: they live in the arena or are static. pointer and parameter may be
 * NULL. */
void refusal_add(struct refusal *refusal, struct arena *arena, const char *detail, const char *pointer,
                 const char *parameter);

/* Adds a `meta` member / an answer field, behind those already there. Not copied. */
void refusal_meta(struct refusal *refusal, struct arena *arena, const char *name, const char *value);
void refusal_field(struct refusal *refusal, struct arena *arena, const char *name, const char *value);

/* Appends the document:
 * {"jsonapi":{"version":"1.0"},"errors":[{"id":…,"status":"403","code":…,"title":…,"detail":…,"source":…,"meta":{"request_id":…}}]}.
 * `request_id` is a UUID: it is the `id` of the first error, and stands in every error's meta. */
void refusal_write(const struct refusal *refusal, const char *request_id, struct text *out);

#endif
