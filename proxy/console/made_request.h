/* A request that is made up instead of received: from the options of `explain`, or a case of `test`. It is
 * judged as the gate would judge it. */
#ifndef PROXY_CONSOLE_MADE_REQUEST_H
#define PROXY_CONSOLE_MADE_REQUEST_H

#include "policies/decide.h"
#include "policies/facts.h"
#include "proxy/base/secret.h"
#include "proxy/config/config.h"

#define MADE_FIELDS       64 /* most header fields of a description */
#define MADE_CERTIFICATES 32 /* most names in a certificate */

/* What there is to be known of it; nothing is copied. */
struct request_description {
    struct span method, target;
    const struct field *fields; /* without Authorization */
    size_t field_count;
    const char *host;  /* where no field says it */
    struct span token; /* sent as "Authorization: Token"; data NULL: none */
    const struct span *certificates;
    size_t certificate_count;
    struct span body;   /* content; empty: none */
    struct span client; /* its address */
    int64_t now;        /* seconds since the epoch */
    struct facts facts; /* what is known of the integration */
    bool has_facts;     /* false: nobody has asked for them yet */
};

/* The request, and what its spans point into. */
struct made_request {
    struct request request;
    struct field fields[MADE_FIELDS + 3];
    char authorization[sizeof "Token " + SECRET_ROOM];
};

/* What is wrong with a header field, as the end of a sentence, or NULL: the wire guard would not let it
 * through, or it is for the description's other members to say. */
const char *made_field_fault(struct span name, struct span value);

/* The canonical name in a certificate, in the arena. NULL, or what is wrong with the notation. */
const char *made_certificate(struct span notation, struct arena *arena, struct span *name);

/* The Host that a client writes who knows the first listener only; "localhost" without one. */
const char *made_host(const struct config *config);

/* Makes the request, which borrows from the description. Content is application/vnd.api+json unless a field
 * says otherwise. A token is copied: made_request_wipe. */
void made_request_make(struct made_request *made, const struct request_description *description);
void made_request_wipe(struct made_request *made);

/* Judges: within the configuration's limits (NULL: none are held) and then by decide(). *out as from
 * decide(); what breaks a limit is refused by "limits", and the rule is the setting's name. */
void made_request_judge(const struct decide_input *input, const struct request *request,
                        const struct config *config, struct arena *arena, struct decision *out);

#endif
