/* Inside of `portcullis audit`: one file a command, and what they share. */
#ifndef PROXY_CONSOLE_AUDIT_H
#define PROXY_CONSOLE_AUDIT_H

#include "policies/text.h"
#include "proxy/audit/scan.h"
#include "proxy/console/console.h"
#include "proxy/console/output.h"

int audit_verify(int argc, char **argv);
int audit_query(int argc, char **argv);
int audit_show(int argc, char **argv);
int audit_orphans(int argc, char **argv);
int audit_prove(int argc, char **argv);
int audit_verify_proof(int argc, char **argv);
int audit_stats(int argc, char **argv);
int audit_export(int argc, char **argv);
int audit_rotate_key(int argc, char **argv);
int audit_mask(int argc, char **argv);

/* Appends what a record says, fit for a terminal: control characters of every kind, marks that turn the
 * direction of writing and bytes that are no UTF-8 are spelt out ("\u001b", "\xff"). JSON stays JSON. */
void audit_add_shown(struct text *out, struct span bytes);

/* Appends a value of a record: a string without its quotes, all else as it stands, made fit as above. */
void audit_add_value(struct text *out, struct span value);

/* Appends a record for a person, a member a line, indented, those of objects in it more. Those named in
 * `without` (which ends with NULL) are left out, and those that `known` has with the same value (NULL: none).
 */
void audit_add_record(struct text *out, const struct scan *scan, const char *const *without,
                      const struct scan *known);

/* Appends a line of the journal as it is; where stdout is a terminal, made fit for it. */
void audit_add_line(struct text *out, struct span line);

/* Prints on stdout and empties the text, its memory kept; false when it could not be. */
bool audit_print(struct text *text);

#endif
