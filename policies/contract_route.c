/* The way from a method and path segments to an operation: a tree of segments, whose literal edges are found
 * by hash. */
#include "policies/contract_internal.h"

#include <stdlib.h>

/* How two templates with the same number of segments relate, read from the first: at which segments is which
 * one the more literal? */
struct relation {
    bool overlap; /* one target could mean both */
    bool first_literal, second_literal;
};

static struct relation relate(const struct operation *first, const struct operation *second)
{
    struct relation relation = {.overlap = first->segment_count == second->segment_count};

    for (size_t i = 0; relation.overlap && i < first->segment_count; i++) {
        struct span a = first->segments[i].literal, b = second->segments[i].literal;
        if (a.data != NULL && b.data != NULL)
            relation.overlap = span_equal(a, b);
        else
            *(a.data != NULL ? &relation.first_literal : &relation.second_literal) |= a.data != b.data;
    }
    return relation;
}

void contract_check_paths(struct compiler *compiler, const struct contract *contract,
                          const struct cursor *paths)
{
    for (size_t i = 0; i < contract->path_count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct path *path = &contract->paths[i], *earlier = &contract->paths[j];
            struct relation relation = relate(path->first, earlier->first);
            if (relation.overlap && relation.first_literal == relation.second_literal)
                complain(compiler, &paths->pointer, path->key, "one target could mean this path and \"%s\"",
                         earlier->key);
        }
}

static inline struct ends ends_of(struct span text)
{
    struct ends ends = {0, 0};
    uint32_t half[2];

    if (text.length >= sizeof ends.first) {
        memcpy(&ends.first, text.data, sizeof ends.first);
        memcpy(&ends.last, text.data + text.length - sizeof ends.last, sizeof ends.last);
    } else if (text.length >= sizeof *half) {
        memcpy(&half[0], text.data, sizeof *half);
        memcpy(&half[1], text.data + text.length - sizeof *half, sizeof *half);
        ends = (struct ends){half[0], half[1]};
    } else {
        for (size_t i = 0; i < text.length; i++)
            ends.first = ends.first << 8 | (unsigned char)text.data[i];
    }
    return ends;
}

struct edge_key {
    uint32_t from;
    struct span literal;
    struct ends ends;
};

static uint64_t edge_hash(const struct edge_key *key)
{
    return hash_number((key->ends.first ^ hash_number(key->ends.last + key->literal.length)) + key->from);
}

static inline bool edge_is(const struct edge *edge, const struct edge_key *wanted)
{
    return edge->from == wanted->from && edge->literal.length == wanted->literal.length &&
           edge->ends.first == wanted->ends.first && edge->ends.last == wanted->ends.last &&
           (edge->literal.length <= sizeof edge->ends || span_equal(edge->literal, wanted->literal));
}

static bool edge_matches(const void *edges, uint32_t item, const void *key)
{
    return edge_is((const struct edge *)edges + item, key);
}

/* Most nodes have one literal edge or none, which needs no hash. */
static inline uint32_t find_literal(const struct contract *contract, uint32_t from, struct span literal)
{
    const struct node *node = &contract->nodes[from];

    if (node->edge_count == 0)
        return TABLE_NONE;
    const struct edge_key key = {from, literal, ends_of(literal)};
    if (node->edge_count == 1)
        return edge_is(&contract->edges[node->edge], &key) ? contract->edges[node->edge].to : TABLE_NONE;
    uint32_t edge = table_find(&contract->by_edge, edge_hash(&key), edge_matches, contract->edges, &key);
    return edge == TABLE_NONE ? TABLE_NONE : contract->edges[edge].to;
}

static uint32_t add_node(struct contract *contract)
{
    contract->nodes[contract->node_count] = (struct node){.parameter = TABLE_NONE, .edge = TABLE_NONE};
    return (uint32_t)contract->node_count++;
}

static uint32_t add_literal(struct contract *contract, uint32_t from, struct span literal)
{
    uint32_t to = find_literal(contract, from, literal);

    if (to != TABLE_NONE)
        return to;
    const struct edge_key key = {from, literal, ends_of(literal)};
    to = add_node(contract);
    contract->edges[contract->edge_count] = (struct edge){literal, key.ends, from, to};
    contract->nodes[from].edge = (uint32_t)contract->edge_count;
    contract->nodes[from].edge_count++;
    table_add(&contract->by_edge, edge_hash(&key), (uint32_t)contract->edge_count++);
    return to;
}

bool contract_build_routes(struct contract *contract)
{
    size_t segments = 0;

    for (size_t i = 0; i < contract->path_count; i++)
        segments += contract->paths[i].first->segment_count;
    contract->nodes = calloc(segments + 1, sizeof *contract->nodes);
    contract->edges = calloc(segments + 1, sizeof *contract->edges);
    if (contract->nodes == NULL || contract->edges == NULL || !table_make(&contract->by_edge, segments + 1))
        return false;

    (void)add_node(contract);
    for (size_t i = 0; i < contract->path_count; i++) {
        const struct operation *first = contract->paths[i].first;
        uint32_t at = 0;
        for (size_t j = 0; j < first->segment_count; j++) {
            if (first->segments[j].literal.data != NULL)
                at = add_literal(contract, at, first->segments[j].literal);
            else if (contract->nodes[at].parameter != TABLE_NONE)
                at = contract->nodes[at].parameter;
            else
                at = contract->nodes[at].parameter = add_node(contract);
        }
        contract->nodes[at].path = &contract->paths[i];
    }
    return true;
}

/* Walks the tree. Where a literal segment leads nowhere in the end, the parameter beside it is tried. */
static const struct path *find_path(const struct contract *contract, uint32_t at, const struct span *segments,
                                    size_t count)
{
    for (; count > 0; segments++, count--) {
        uint32_t literal = find_literal(contract, at, segments[0]);
        uint32_t parameter = segments[0].length > 0 ? contract->nodes[at].parameter : TABLE_NONE;
        const struct path *path = literal != TABLE_NONE && parameter != TABLE_NONE
                                      ? find_path(contract, literal, segments + 1, count - 1)
                                      : NULL;
        if (path != NULL)
            return path;
        at = parameter != TABLE_NONE ? parameter : literal;
        if (at == TABLE_NONE)
            return NULL;
    }
    return contract->nodes[at].path;
}

enum route contract_route(const struct contract *contract, struct span method, const struct span *segments,
                          size_t count, struct route_match *match)
{
    *match = (struct route_match){NULL, NULL};
    if (count > OPERATION_SEGMENTS)
        return ROUTE_NO_PATH;
    const struct path *path = find_path(contract, 0, segments, count);
    if (path == NULL)
        return ROUTE_NO_PATH;
    for (size_t i = 0; i < METHODS; i++)
        if (path->by_method[i] != NULL && span_is(method, path->by_method[i]->method)) {
            match->operation = path->by_method[i];
            return ROUTE_FOUND;
        }
    match->allow = path->allow;
    return ROUTE_NO_METHOD;
}
