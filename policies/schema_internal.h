/* A compiled schema as the files behind schema.h share it. Everything in it belongs to its set. */
#ifndef POLICIES_SCHEMA_INTERNAL_H
#define POLICIES_SCHEMA_INTERNAL_H

#include "policies/schema.h"

#include <stdint.h>

/* Kinds of JSON values, as bits: a keyword says something about some of them only. */
enum kind {
    KIND_NULL = 1u << 0,
    KIND_BOOLEAN = 1u << 1,
    KIND_INTEGER = 1u << 2, /* a number without fraction and exponent */
    KIND_NUMBER = 1u << 3,  /* any other number */
    KIND_STRING = 1u << 4,
    KIND_ARRAY = 1u << 5,
    KIND_OBJECT = 1u << 6,
    KIND_ANY = (1u << 7) - 1,
};

enum format {
    FORMAT_NONE, /* password too: it only marks a secret */
    FORMAT_UUID,
    FORMAT_HOSTNAME,
    FORMAT_DATE,
    FORMAT_DATE_TIME,
    FORMAT_INT32,
};

/* What stands for members without a property of their own, or behind what nothing is known of. */
enum additional { ADDITIONAL_ANY, ADDITIONAL_NONE, ADDITIONAL_SCHEMA };

struct property {
    const char *name;
    struct schema *schema;
};

struct branches {
    struct schema **list;
    size_t count;
};

/* A value of the discriminating member, and the branch it chooses. */
struct choice {
    const char *value;
    struct schema *branch;
};

struct schema {
    struct schema *next;                             /* in the set */
    const char *pointer;                             /* where it stands in the document */
    const char *type;                                /* as the document names it; NULL without the keyword */
    enum { VISIT_NOT, VISIT_NOW, VISIT_DONE } visit; /* while circles are looked for */

    unsigned kinds; /* those allowed */
    bool nullable;
    bool secret;
    const json_t *enumeration; /* NULL without the keyword */

    struct property *properties;
    size_t property_count;
    const char **required;
    size_t required_count;
    enum additional additional;
    const struct schema *additional_schema;

    size_t min_length, max_length; /* in code points */
    struct pattern *pattern;
    enum format format;

    const struct schema *items;
    size_t min_items, max_items;

    const json_t *minimum, *maximum, *multiple; /* NULL without the keyword */

    struct branches one_of, any_of, all_of;
    const char *discriminator; /* name of the member; NULL without */
    struct choice *choices;
    size_t choice_count;
};

struct schema_set {
    const struct document *document; /* looked at while compiling only */
    struct schema *schemas;
    json_t *copies; /* array: values of the document that schemas keep */
    bool broken;    /* an error was reported: no schema of the set is handed out any more */
    struct arena arena;
};

/* The kind of a value. */
enum kind kind_of(const json_t *value);

/* The schema of the named member of the object that `schema` describes by itself, without its branches; NULL
 * when it has none. */
const struct schema *schema_member(const struct schema *schema, const char *name);

/* Is the text right for the format? */
bool format_matches(enum format format, struct span text);

/* The value that `pointer` names, with every {"$ref": …} on the way to it followed: `pointer` is then where
 * the value really stands. NULL when a reference leads nowhere, out of the document or round in a circle;
 * that is noted in `problems`. */
json_t *reference_follow(const struct document *document, struct text *pointer, struct problems *problems);

/* Where the reference "#/…" leads, as a JSON pointer with its percent-encoding undone; false when it is no
 * reference within the document. */
bool reference_pointer(const char *reference, struct text *pointer);

#endif
