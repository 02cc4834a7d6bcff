/* What the files behind contract.h share. */
#ifndef POLICIES_CONTRACT_INTERNAL_H
#define POLICIES_CONTRACT_INTERNAL_H

#include "policies/contract.h"
#include "policies/schema_compiler.h"
#include "policies/table.h"

#define METHODS 8 /* that a path can have */

/* A path template: what stands under one key of `paths`. */
struct path {
    const char *key;               /* as the document has it */
    const struct operation *first; /* the one that lends its segments; NULL while there is none */
    const struct operation *by_method[METHODS]; /* NULL where the method is not described */
    const char *allow;
};

/* A place in the tree of path segments. */
struct node {
    const struct path *path; /* that ends here; NULL for none */
    uint32_t parameter;      /* the node behind a parameter segment; TABLE_NONE without one */
    uint32_t edge;           /* the literal edge from here that was added last; TABLE_NONE without one */
    uint32_t edge_count;     /* literal edges from here */
};

/* The first and the last bytes of a text, eight or less, which may overlap. With the length they are all
 * there is to know of one of at most sixteen. */
struct ends {
    uint64_t first, last;
};

/* From one node to the next by a literal segment. */
struct edge {
    struct span literal;
    struct ends ends;
    uint32_t from, to;
};

struct contract {
    struct schema_set *set; /* its arena holds whatever the contract points at */
    const char *base;
    struct operation *operations;
    size_t operation_count;
    struct path *paths;
    size_t path_count;
    struct node *nodes; /* [0] is the root */
    size_t node_count;
    struct edge *edges;
    size_t edge_count;
    struct table by_edge;
};

/* A value of the document and where it really stands, references followed. */
struct cursor {
    json_t *value; /* NULL: there is none, or a reference is wrong (noted) */
    struct text pointer;
};

/* The member below the cursor; cursor_free afterwards. */
struct cursor cursor_enter(struct compiler *compiler, const struct cursor *from, const char *token);
void cursor_free(struct cursor *cursor);

/* Notes every member that is not among the known ones (x-… passes, x-portcullis only where known). false, and
 * noted, when the value is no object at all. */
bool cursor_check(struct compiler *compiler, const struct cursor *cursor, const char *const *known);

/* The row of a method in the order of Allow; by its name in a document ("get"). -1 for none. */
int method_row(const char *name);
const char *method_name(int row); /* "GET" */

/* Parameters that a path or an operation declares. */
struct declarations {
    struct declaration *list;
    size_t count;
};

/* Splits the operation's path into segments, whose parameters have no schema yet. false, and noted, when it
 * is no template that can be served. */
bool operation_read_path(struct compiler *compiler, const struct cursor *item, struct operation *operation);

/* Reads the `parameters` of a path or an operation. `operation` has the segments that they may speak of. */
struct declarations declarations_read(struct compiler *compiler, const struct cursor *place,
                                      const struct operation *operation);

/* Gives the operation its own parameters and those of its path that it does not declare anew; notes segments
 * that are left without. */
void operation_set_parameters(struct compiler *compiler, const struct cursor *place,
                              const struct declarations *shared, const struct declarations *own,
                              struct operation *operation);

/* Reads the request body. */
void operation_read_body(struct compiler *compiler, const struct cursor *place, struct operation *operation);

/* Reads permission and effect, from x-portcullis or else from description and method. */
void operation_read_permission(struct compiler *compiler, const struct cursor *place,
                               struct operation *operation);

/* Notes paths that one target could mean without one of them being the more literal. */
void contract_check_paths(struct compiler *compiler, const struct contract *contract,
                          const struct cursor *paths);

/* Builds the tree of segments. false when memory is out. */
bool contract_build_routes(struct contract *contract);

#endif
