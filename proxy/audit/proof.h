/* Proofs that a record is in the log, as C2SP specifies them (tlog-proof): a text that needs nothing but the
 * log's public key to be verified. Its `extra` line holds the record itself. */
#ifndef PROXY_AUDIT_PROOF_H
#define PROXY_AUDIT_PROOF_H

#include "policies/text.h"
#include "proxy/audit/trust.h"

/* Grows a tree from any point on and takes the hashes on the way from one leaf to the root along. */
struct prover {
    struct tree tree;
    uint64_t target; /* index of the leaf */
    bool seen;
    size_t holder; /* index in the edge of the subtree that holds it */
    struct tree_hash hashes[TREE_LEVELS];
    size_t count;
};

/* Begins with a tree that does not hold the leaf yet; the leaves behind it must then be added in order. */
void prover_begin(struct prover *prover, const struct tree *tree, uint64_t target);
void prover_add(struct prover *prover, const struct tree_hash *leaf);

/* The proof in the tree as it is now, which holds the leaf; nothing can be added behind this. */
void prover_end(struct prover *prover);

/* Appends the proof of a record at `index`, with the note of a checkpoint that covers it. */
void proof_write(struct span record, uint64_t index, const struct tree_hash *hashes, size_t count,
                 struct span note, struct text *out);

#define PROOF_BYTES ((size_t)128 << 20) /* a longer one is refused; a record is at most half of it */

/* A proof that was read and is good. */
struct proof {
    struct text record;
    uint64_t index;
    uint64_t size; /* of the checkpoint */
    size_t signer; /* index of the key */
    struct text origin;
};

/* Reads a proof and verifies it: form, signature, and the way from the record to the root. False with *fault
 * (static), and nothing to free. */
bool proof_verify(struct span text, const struct trust *trust, struct proof *proof, const char **fault);
void proof_free(struct proof *proof);

#endif
