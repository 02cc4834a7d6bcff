/* Header fields: what the gate does with each one that a client sends. One table; RFC 9110 §7.6.1 for the
 * hop-by-hop ones.
 *
 * Names are compared without case and with "_" taken for "-": some servers behind a gate make the two the
 * same. */
#ifndef POLICIES_FIELDS_H
#define POLICIES_FIELDS_H

#include "policies/request.h"

enum field_use {
    FIELD_FORWARD, /* passed on as it is */
    FIELD_HOP,     /* hop by hop: dropped */
    FIELD_CLAIM,   /* claims an identity, an origin or another method for the client: dropped (X-Forwarded-*,
                      Forwarded, X-Real-IP, Cookie, …) */
    FIELD_OURS,    /* written anew by the gate: Host, Content-Length, Content-Type, Authorization,
                      Accept-Encoding, Via, traceparent, X-Request-Id, … */
    FIELD_ORDER,   /* an order to the gate that it knows: never passed on */
    FIELD_CONTROL, /* any other Portcullis-*: an order that it does not know is refused */
};

enum field_use field_use(struct span name);

/* May the field occur once only (Authorization, Content-Type, Content-Length, Host, …)? */
bool field_is_single(struct span name);

/* What the gate knows of a name: the two above of each field of a request, asked for once. */
struct field_row {
    const char *name; /* lower case, "-" for "_"; "" for any that has no row of its own */
    size_t length;
    enum field_use use;
    unsigned rules; /* set of enum field_rule */
};
enum field_rule {
    FIELD_SINGLE = 1u << 0, /* RFC 9110 defines one value, not a list */
    FIELD_JUDGED = 1u << 1, /* the verdict or the effect depends on it: Connection must not take it away */
    FIELD_CREDENTIAL = 1u << 2, /* it says whose request it is: Authorization */
};
const struct field_row *field_row(struct span name); /* never NULL */

/* The same of a request's field `index`: as noted in request->rows, where that is there. */
static inline const struct field_row *field_row_at(const struct request *request, size_t index)
{
    return request->rows != NULL ? request->rows[index] : field_row(request->fields[index].name);
}

/* Do the two name the same field? */
bool field_names_fold_alike(const char *a, const char *b, size_t length);
static inline bool field_name_equal(struct span a, struct span b)
{
    return a.length == b.length && field_names_fold_alike(a.data, b.data, a.length);
}

/* The first field of that name; NULL without one. */
static inline const struct field *field_named(const struct request *request, struct span name)
{
    for (size_t i = 0; i < request->field_count; i++)
        if (field_name_equal(request->fields[i].name, name))
            return &request->fields[i];
    return NULL;
}
static inline const struct field *field_find(const struct request *request, const char *name)
{
    return field_named(request, span_of(name));
}

/* Is the name listed in a Connection field of the request? Such a field is dropped. */
bool field_named_by_connection(const struct request *request, struct span name);

/* Does Connection list a field that the gate decides by (then the request is refused: to drop it would
 * forward something else than was judged)? The name listed, or the empty span. */
struct span field_connection_fault(const struct request *request);

#endif
