/* The manifest of a set: which policy and which contract belong together, and which set of a series they are.
 * It is the text of a signed note (note/note.h), so that a set that was half copied, altered or put back is
 * seen:
 *
 *   portcullis manifest 1
 *   serial 7
 *   policy sha256:<64 hex digits>
 *   contract sha256:<64 hex digits>
 *   oauth-keys sha256:<64 hex digits>
 *
 * The last line stands only where the policy takes OAuth tokens: whose keys verify them says who is let in.
 * The digests are of the files' bytes. Nothing of it depends on a configuration, so that one manifest serves
 * several gates. */
#ifndef PROXY_SERVICE_MANIFEST_H
#define PROXY_SERVICE_MANIFEST_H

#include "policies/digest.h"
#include "policies/text.h"
#include "proxy/note/note.h"

#include <stdint.h>

#define MANIFEST_SERIAL_MOST ((UINT64_C(1) << 53) - 1) /* so that every JSON reader sees the same number */

struct manifest {
    uint64_t serial; /* from 1; 0: there is no manifest */
    char policy[DIGEST_TEXT_SIZE], contract[DIGEST_TEXT_SIZE];
    char oauth_keys[DIGEST_TEXT_SIZE]; /* "": the set has none */
};

/* Appends the text that is to be signed. */
void manifest_write(const struct manifest *manifest, struct text *out);

/* Reads such a text: its lines as they are written here and nothing else. False with *fault (static).
 */
bool manifest_read(struct span text, struct manifest *manifest, const char **fault);

/* Reads a note that is signed by the key. False with *fault (static). */
bool manifest_verify(struct span note, const struct note_key *key, struct manifest *manifest,
                     const char **fault);

/* The digest of a file's bytes, as a manifest has it. */
void manifest_digest(struct span bytes, char text[DIGEST_TEXT_SIZE]);

#endif
