/* The contract: an OpenAPI 3.0 document compiled into a route table and validators. Immutable.
 *
 * x-portcullis on an operation: {"permission": "org.integration.delete", "effect":
 * "read"|"create"|"update"|"hard-delete"}. Where it is missing, the permission is taken from the description
 * ("(org.integration.edit)") and the effect from the method. The base path is the path of the first `servers`
 * entry. */
#ifndef POLICIES_CONTRACT_H
#define POLICIES_CONTRACT_H

#include "policies/permission.h"
#include "policies/schema.h"

enum effect { EFFECT_READ, EFFECT_CREATE, EFFECT_UPDATE, EFFECT_HARD_DELETE };

struct parameter {
    const char *name;
    size_t length; /* of the name */
    bool required;
    const struct schema *schema;
};

#define OPERATION_SEGMENTS 16 /* of a path template, base path included */
#define OPERATION_QUERIES  64 /* query parameters: as many as a set of them has bits */

struct operation {
    uint32_t index;     /* its place in contract_operations() */
    const char *id;     /* operationId */
    const char *method; /* upper case */
    const char *path;   /* template with the base path: "/rest/orgs/{org_id}/integrations" */
    const char *permission_name;
    permission_set permission; /* all of these are needed */
    enum effect effect;
    const struct parameter *query; /* query parameters, `version` among them */
    size_t query_count;
    uint64_t required; /* set of those in `query` that must be given */
    uint64_t cursors;  /* set of the two of which one may be given, where it has both */
    struct {
        struct span literal; /* data NULL where the segment is a parameter */
        struct parameter parameter;
    } segments[OPERATION_SEGMENTS];
    size_t segment_count;
    uint32_t parameters; /* set of the segments that are a parameter */
    uint32_t uuids;      /* set of those of them that every UUID is right for */
    int organization;    /* index of the segment that names the organisation ({org_id}); -1 without */
    int resource;        /* index of the last parameter segment that is not the organisation; -1 without */
    const struct schema *body; /* NULL: content is refused */
    bool body_required;
};

struct contract;

/* Compiles the document. NULL when it has errors; all of them are in `problems`, with their JSON pointers. An
 * unsafe method (RFC 9110 §9.2.1) whose effect says "read" is an error; so are two operations that one path
 * could mean. Freed with contract_free. The document must outlive nothing: what is needed is copied. */
struct contract *contract_compile(const struct document *document, struct problems *problems);
void contract_free(struct contract *contract);

/* "/rest"; "" when the server entry has no path. */
const char *contract_base(const struct contract *contract);

/* All operations, in the order of the document. */
const struct operation *contract_operations(const struct contract *contract, size_t *count);

enum route { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

struct route_match {
    const struct operation *operation; /* with ROUTE_FOUND */
    const char *allow;                 /* with ROUTE_NO_METHOD: "GET, PATCH, DELETE"; owned by the contract */
};

/* Finds the operation for a method (case-sensitive) and decoded path segments. A parameter segment matches
 * any non-empty text here; its schema is checked by the parameters gate. Cost depends on the number of
 * segments, not of operations. */
enum route contract_route(const struct contract *contract, struct span method, const struct span *segments,
                          size_t count, struct route_match *match);

#endif
