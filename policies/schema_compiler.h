/* What the files share that read a Schema Object into a struct schema. */
#ifndef POLICIES_SCHEMA_COMPILER_H
#define POLICIES_SCHEMA_COMPILER_H

#include "policies/schema_internal.h"

struct compiler {
    struct schema_set *set;
    struct problems *problems;
};

/* A keyword (or a whole schema) being read. */
struct reading {
    struct compiler *compiler;
    struct schema *schema;
    json_t *value;
    struct text *pointer; /* of the value */
    void *field;          /* what the keyword fills */
};

/* Notes an error at the pointer, or below it at `token` where that is not NULL. */
void complain(struct compiler *compiler, const struct text *pointer, const char *token, const char *format,
              ...) __attribute__((format(printf, 4, 5)));

/* `count` cleared items of the set's arena; NULL and a problem noted when memory is out. */
void *compiler_take(struct compiler *compiler, size_t count, size_t size);

/* A copy of the string in the set's arena; the same. */
const char *compiler_string(struct compiler *compiler, const char *string);

/* A copy of the value that lives as long as the set; the same. */
const json_t *compiler_keep(struct compiler *compiler, const json_t *value);

/* The schema that stands below `pointer` at `token` (NULL: at the pointer itself), references followed,
 * compiled once. NULL when it cannot be had; the reason was noted. */
struct schema *compile_below(struct compiler *compiler, const struct text *pointer, const char *token);

/* Readers of keywords. */
void read_properties(const struct reading *reading);
void read_required(const struct reading *reading);
void read_additional(const struct reading *reading);
void read_schema(const struct reading *reading);
void read_branches(const struct reading *reading);
void read_flag(const struct reading *reading);
void read_size(const struct reading *reading);
void read_number(const struct reading *reading);
void read_enum(const struct reading *reading);
void read_pattern(const struct reading *reading);
void read_format(const struct reading *reading);
void read_extension(const struct reading *reading);

/* Reads the discriminator of a schema whose branches were read; `reading` is of the schema. */
void read_discriminator(const struct reading *reading);

#endif
