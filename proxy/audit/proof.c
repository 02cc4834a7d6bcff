#include "proxy/audit/proof.h"

#include "proxy/audit/scan.h"
#include "proxy/note/base64.h"

#define FIRST_LINE "c2sp.org/tlog-proof@v1"

void prover_begin(struct prover *prover, const struct tree *tree, uint64_t target)
{
    *prover = (struct prover){.tree = *tree, .target = target};
}

static void take(struct prover *prover, const struct tree_hash *hash)
{
    prover->hashes[prover->count++] = *hash;
}

/* As tree_add, but of each two subtrees that join, one of which holds the target, the other is taken. */
void prover_add(struct prover *prover, const struct tree_hash *leaf)
{
    struct tree *tree = &prover->tree;
    unsigned count = tree_edge_count(tree->size);
    struct tree_hash hash = *leaf;
    bool holds = tree->size == prover->target;

    for (uint64_t carry = tree->size; (carry & 1) != 0; carry >>= 1) {
        const struct tree_hash *left = &tree->edge[--count];

        if (holds) {
            take(prover, left);
        } else if (prover->seen && prover->holder == count) {
            take(prover, &hash);
            holds = true;
        }
        hash = tree_node(left, &hash);
    }
    tree->edge[count] = hash;
    tree->size++;
    if (holds) {
        prover->seen = true;
        prover->holder = count;
    }
}

void prover_end(struct prover *prover)
{
    struct tree *tree = &prover->tree;
    size_t count = tree_edge_count(tree->size);

    if (prover->holder + 1 < count) {
        struct tree_hash rest = tree->edge[--count];

        while (count > prover->holder + 1)
            rest = tree_node(&tree->edge[--count], &rest);
        take(prover, &rest);
    }
    for (size_t at = prover->holder; at > 0; at--)
        take(prover, &tree->edge[at - 1]);
}

void proof_write(struct span record, uint64_t index, const struct tree_hash *hashes, size_t count,
                 struct span note, struct text *out)
{
    text_add_string(out, FIRST_LINE "\nextra ");
    base64_write((const unsigned char *)record.data, record.length, out);
    text_add_string(out, "\nindex ");
    text_add_number(out, index);
    text_add_string(out, "\n");
    for (size_t i = 0; i < count; i++) {
        base64_write(hashes[i].bytes, TREE_HASH, out);
        text_add_string(out, "\n");
    }
    text_add_string(out, "\n");
    text_add(out, note.data, note.length);
}

/* What is read of a proof before it is verified. */
struct parts {
    struct span extra; /* base64 */
    uint64_t index;
    struct tree_hash hashes[TREE_LEVELS];
    size_t count;
    struct span note;
};

/* The next line, without its newline. */
static bool next_line(struct span *rest, struct span *line)
{
    const char *end = rest->length > 0 ? memchr(rest->data, '\n', rest->length) : NULL;

    if (end == NULL)
        return false;
    *line = (struct span){rest->data, (size_t)(end - rest->data)};
    *rest = (struct span){end + 1, rest->length - line->length - 1};
    return true;
}

/* The line behind the word and a space. */
static bool behind(struct span line, const char *word, struct span *value)
{
    size_t length = strlen(word);

    if (line.length <= length || memcmp(line.data, word, length) != 0 || line.data[length] != ' ')
        return false;
    *value = (struct span){line.data + length + 1, line.length - length - 1};
    return true;
}

static const char *read_parts(struct span text, struct parts *parts)
{
    struct span line, index;

    if (!next_line(&text, &line) || !span_is(line, FIRST_LINE))
        return "not a proof of the form " FIRST_LINE;
    if (!next_line(&text, &line) || !behind(line, "extra", &parts->extra))
        return "it holds no record (a line \"extra\")";
    if (!next_line(&text, &line) || !behind(line, "index", &index) || !scan_number(index, &parts->index))
        return "it does not say where in the log the record stands (a line \"index\")";
    for (;;) {
        if (!next_line(&text, &line))
            return "it has no empty line before the checkpoint";
        if (line.length == 0)
            break;
        if (parts->count == TREE_LEVELS || !base64_read(line, parts->hashes[parts->count].bytes, TREE_HASH))
            return "a line before the checkpoint is no hash";
        parts->count++;
    }
    parts->note = text;
    return NULL;
}

/* NULL, or why nothing is proven. */
static const char *verify_note(const struct parts *parts, const struct trust *trust, struct proof *proof,
                               struct tree_hash *root)
{
    struct checkpoint checkpoint;
    const char *fault = NULL;
    struct span text;

    switch (trust_verify(trust, parts->note, &text, &proof->signer, &fault)) {
    case NOTE_GOOD:
        break;
    case NOTE_NOT_SIGNED_BY_KEY:
        return "its checkpoint is not signed by the key";
    case NOTE_BAD_SIGNATURE:
        return "its checkpoint's signature is wrong";
    case NOTE_MALFORMED:
        return fault;
    }
    if (!checkpoint_read(text, &checkpoint, &fault))
        return fault;
    if (!span_is(checkpoint.origin, trust->keys[proof->signer].name))
        return "its checkpoint is of another log";
    proof->size = checkpoint.size;
    *root = checkpoint.root;
    text_add(&proof->origin, checkpoint.origin.data, checkpoint.origin.length);
    return NULL;
}

static const char *read_record(const struct parts *parts, struct text *record)
{
    size_t length;

    if (!base64_length(parts->extra, &length))
        return "its record is not in base 64";
    if (!text_reserve(record, length))
        return "out of memory";
    if (!base64_read(parts->extra, (unsigned char *)record->data, length))
        return "its record is not in base 64";
    record->length = length;
    record->data[length] = '\0';
    return NULL;
}

static const char *verify(struct span text, const struct trust *trust, struct proof *proof)
{
    struct parts parts = {.count = 0};
    struct tree_hash root, leaf;
    const char *fault = read_parts(text, &parts);

    if (fault == NULL)
        fault = read_record(&parts, &proof->record);
    if (fault == NULL)
        fault = verify_note(&parts, trust, proof, &root);
    if (fault != NULL)
        return fault;
    leaf = tree_leaf((struct span){proof->record.data, proof->record.length});
    proof->index = parts.index;
    if (!tree_check_inclusion(&leaf, parts.index, proof->size, parts.hashes, parts.count, &root))
        return "the record is not in the log at this place: record, index, hashes or checkpoint were changed";
    return proof->origin.failed ? "out of memory" : NULL;
}

bool proof_verify(struct span text, const struct trust *trust, struct proof *proof, const char **fault)
{
    *proof = (struct proof){.index = 0};
    *fault = verify(text, trust, proof);
    if (*fault != NULL)
        proof_free(proof);
    return *fault == NULL;
}

void proof_free(struct proof *proof)
{
    text_free(&proof->record);
    text_free(&proof->origin);
}
