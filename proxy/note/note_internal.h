/* What reading notes and signing them share. Internal to proxy/note and to those who define kinds of notes.
 */
#ifndef PROXY_NOTE_NOTE_INTERNAL_H
#define PROXY_NOTE_NOTE_INTERNAL_H

#include "proxy/note/note.h"

#define NOTE_DASH      "\xe2\x80\x94 " /* em dash and space: begins a signature line */
#define NOTE_SIGNATURE 64              /* bytes of an Ed25519 signature */

/* Gives a public key its name and its id. False with *fault when it cannot be the name of a key. */
bool note_key_make(struct span name, const unsigned char bytes[static 32], struct note_key *key,
                   const char **fault);

/* What is wrong with the text of a note, or NULL. */
const char *note_text_fault(struct span text);

/* Is this the key's signature of the text? */
bool note_signature_good(const struct note_key *key, struct span text,
                         const unsigned char signature[static NOTE_SIGNATURE]);

/* The next line of *rest, without its newline, which then begins behind it. False when there is none. */
bool note_next_line(struct span *rest, struct span *line);

#endif
