/* Signed notes, checkpoints, keys and proofs. What is split can be put together again, what is read and
 * written is the same; and since nobody can forge a signature, the only note that may be found good is the
 * one in the seeds, and the only proofs those of its three records. */
#include "proxy/audit/proof.h"
#include "tests/fuzz/fuzz.h"

/* What the key signed: the checkpoint of a log of three lines, "a", "b" and "c". */
static const char signed_text[] = "fuzz.example/journal\n"
                                  "3\n"
                                  "NmQuc8JUCrEh46a/lUWwokmCzYMOsT080Z3jzmwCHsE=\n";

static struct trust trust;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char error[256];

    (void)argc, (void)argv;
    FUZZ_CHECK(trust_add(&trust, FUZZ_KEY, error, sizeof error));
    return 0;
}

static void check_split(struct span note)
{
    struct span text, signatures;
    const char *fault = NULL;

    if (!note_split(note, &text, &signatures, &fault)) {
        FUZZ_CHECK(fault != NULL);
        return;
    }
    FUZZ_CHECK(text.data == note.data && text.length > 0 && text.data[text.length - 1] == '\n');
    FUZZ_CHECK(signatures.data == text.data + text.length + 1);
    FUZZ_CHECK(text.length + 1 + signatures.length == note.length);
}

static void check_verdict(struct span note)
{
    struct span text;
    const char *fault = NULL;
    size_t signer = SIZE_MAX;

    enum note_verdict verdict = note_verify(note, &trust.keys[0], &text, &fault);
    FUZZ_CHECK(verdict != NOTE_GOOD || span_is(text, signed_text));
    FUZZ_CHECK(trust_verify(&trust, note, &text, &signer, &fault) == verdict);
    FUZZ_CHECK(verdict != NOTE_GOOD || (signer == 0 && span_is(text, signed_text)));
}

static void check_checkpoint(struct span text)
{
    struct checkpoint checkpoint, again;
    struct text out = {0};
    const char *fault = NULL;

    if (!checkpoint_read(text, &checkpoint, &fault)) {
        FUZZ_CHECK(fault != NULL);
        return;
    }
    char *origin = fuzz_string(checkpoint.origin);
    checkpoint_write(origin, checkpoint.size, &checkpoint.root, &out);
    FUZZ_CHECK(out.length <= text.length && memcmp(out.data, text.data, out.length) == 0);
    FUZZ_CHECK(checkpoint_read(fuzz_of(&out), &again, &fault) && again.size == checkpoint.size);
    free(origin);
    text_free(&out);
}

static void check_key(struct span text)
{
    struct note_key key, again;
    struct text out = {0};
    const char *fault = NULL;

    if (note_key_read(text, &key, &fault)) {
        note_key_write(&key, &out);
        FUZZ_CHECK(note_key_read(fuzz_of(&out), &again, &fault) && memcmp(&key, &again, sizeof key) == 0);
    }
    text_free(&out);
}

static void check_proof(struct span text)
{
    struct proof proof;
    const char *fault = NULL;

    if (proof_verify(text, &trust, &proof, &fault)) {
        FUZZ_CHECK(proof.signer == 0 && proof.size == 3 && proof.index < 3);
        FUZZ_CHECK(proof.record.length == 1 && proof.record.data[0] == "abc"[proof.index]);
        proof_free(&proof);
    } else {
        FUZZ_CHECK(fault != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = fuzz_span(data, size);

    check_split(bytes);
    check_verdict(bytes);
    check_checkpoint(bytes);
    check_key(bytes);
    check_proof(bytes);
    return 0;
}
