/* Body validators: a JSON Schema as OpenAPI 3.0.3 (Schema Object) has it, compiled once and then immutable.
 *
 * Understood: local $ref, type, nullable, required, properties, additionalProperties (false, true or a
 * schema), enum, pattern, format (uuid, hostname, date, date-time, password), minLength / maxLength (in
 * characters), minItems / maxItems, items, minimum / maximum / multipleOf, oneOf / anyOf / allOf,
 * discriminator with mapping, x-portcullis.secret. Any other validation keyword is an error of the contract:
 * what cannot be checked must not look checked. */
#ifndef POLICIES_SCHEMA_H
#define POLICIES_SCHEMA_H

#include "policies/arena.h"
#include "policies/document.h"
#include "policies/pattern.h"

struct schema;
struct schema_set; /* owns every schema of one document; a $ref may be recursive */

struct schema_set *schema_set_new(const struct document *document);
void schema_set_free(struct schema_set *set);

/* Compiles the schema at the JSON pointer. NULL when it has errors; all of them are in `problems`. The set
 * owns the result. */
const struct schema *schema_compile(struct schema_set *set, const char *pointer, struct problems *problems);

/* One thing wrong with a value. Neither text ever quotes a value, because it may be a secret; members are
 * named. */
struct finding {
    const char *pointer; /* RFC 6901, into the value; "" for the whole */
    const char *detail;  /* one sentence for a person */
    struct finding *next;
};

struct findings {
    struct finding *first, **last; /* in the order of the body */
    size_t count;
};

/* Checks the value and appends a finding for each thing wrong (at most 100). Texts come from the arena. true
 * when there was nothing. */
bool schema_validate(const struct schema *schema, json_t *value, struct pattern_scratch *scratch,
                     struct arena *arena, struct findings *findings);

/* A parameter's text against its schema (type string, integer, boolean or enum). NULL when it is right, else
 * the detail. */
const char *schema_validate_text(const struct schema *schema, struct span text,
                                 struct pattern_scratch *scratch, struct arena *arena);

/* Is every UUID right for the schema of a parameter? */
bool schema_takes_uuids(const struct schema *schema);

/* Is every text of so many bytes (1 at least) right for it that is UTF-8? */
bool schema_takes_texts(const struct schema *schema, size_t length);

/* What stands in for a secret: the text is a string's own bytes, or the compact JSON of any other value. The
 * result is written to `out`. */
typedef void schema_mask(void *arg, struct span secret, struct text *out);

/* Writes the value as canonical JSON (sorted keys, compact) with every secret replaced by mask()'s text:
 * members that the schema marks `format: password` or x-portcullis.secret, all below a member named
 * "credentials" (the names there that the schema does not have, too), and any string member whose name is or
 * ends in token, password, secret, api_key, private_key (without case, and as camelCase: brokerToken). The
 * schema may be NULL: then only the names decide. Members that the schema does not know are masked whole: an
 * invalid body is recorded too. */
void schema_write_masked(const struct schema *schema, json_t *value, schema_mask *mask, void *arg,
                         struct text *out);

#endif
