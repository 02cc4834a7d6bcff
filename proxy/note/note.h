/* Signed notes as C2SP specifies them (signed-note), Ed25519 signatures.
 *
 * A note is a text that ends in a newline, an empty line, and signature lines "— <key name> <base64(4-byte
 * key id ‖ signature)>\n". What its text says is not looked at here: audit/checkpoint.h reads one kind. */
#ifndef PROXY_NOTE_NOTE_H
#define PROXY_NOTE_NOTE_H

#include "policies/text.h"

#include <stdint.h>

#define NOTE_BYTES 65536 /* a longer one is refused */

/* A public key: C2SP vkey "<name>+<8 hex digits of key id>+<base64(0x01 ‖ 32-byte key)>". */
struct note_key {
    char name[256];
    unsigned char id[4];
    unsigned char key[32];
};

/* Reads a vkey (surrounding white space is passed over); false with *fault (static). The key id must be the
 * one that name and key give. */
bool note_key_read(struct span vkey, struct note_key *key, const char **fault);

/* Appends the vkey. */
void note_key_write(const struct note_key *key, struct text *out);

/* A private key. */
struct note_signer;

/* Opens DIR/journal-signing.key (PEM PKCS#8 Ed25519, 0600, the same demands as on the HMAC key), or makes it;
 * or, where `source` is given, the key it names: a path of a PEM file, or a "pkcs11:" URI through OpenSSL's
 * store. Without `make` none is made where it is missing: one that is lost is nothing to make up for
 * silently. `name` is the name of the key. NULL with a message. */
struct note_signer *note_signer_open(const char *directory, const char *source, bool make, const char *name,
                                     char *error, size_t error_size);
void note_signer_free(struct note_signer *signer); /* wipes */
const struct note_key *note_signer_key(const struct note_signer *signer);

/* Appends the note of a text: text, empty line, signature line. false (and *out failed) when signing fails.
 */
bool note_sign(const struct note_signer *signer, struct span text, struct text *out);

/* Splits a note into its text (with its last newline) and its signature lines; false with *fault when it has
 * not the form. */
bool note_split(struct span note, struct span *text, struct span *signatures, const char **fault);

enum note_verdict { NOTE_GOOD, NOTE_NOT_SIGNED_BY_KEY, NOTE_BAD_SIGNATURE, NOTE_MALFORMED };

/* Is the note signed by the key? Signatures by other keys (witnesses) are passed over. */
enum note_verdict note_verify(struct span note, const struct note_key *key, struct span *text,
                              const char **fault);

#endif
