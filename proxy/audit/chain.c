/* See tree.c on these calls. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "proxy/audit/chain.h"

#include <openssl/sha.h>
#include <stdio.h>

void chain_add(struct chain *chain, struct span line)
{
    chain->last = tree_leaf(line);
    tree_add(&chain->tree, &chain->last);
}

void chain_add_parts(struct chain *chain, const struct iovec *parts, size_t count)
{
    static const unsigned char prefix = 0x00;
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, &prefix, 1);
    for (size_t i = 0; i < count; i++)
        SHA256_Update(&context, parts[i].iov_base, parts[i].iov_len - (i + 1 == count));
    SHA256_Final(chain->last.bytes, &context);
    tree_add(&chain->tree, &chain->last);
}

bool chain_equal(const struct chain *one, const struct chain *other)
{
    size_t count = tree_edge_count(one->tree.size);

    return one->tree.size == other->tree.size && memcmp(one->last.bytes, other->last.bytes, TREE_HASH) == 0 &&
           memcmp(one->tree.edge, other->tree.edge, count * sizeof *one->tree.edge) == 0;
}

void chain_write_edge(const struct tree *tree, char text[static CHAIN_EDGE])
{
    unsigned count = tree_edge_count(tree->size);
    char *to = text;

    *to++ = '[';
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            *to++ = ',';
        *to++ = '"';
        tree_hash_write(&tree->edge[i], to);
        to += TREE_HEX - 1;
        *to++ = '"';
    }
    memcpy(to, "]", 2);
}
