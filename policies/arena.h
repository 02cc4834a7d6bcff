/* An arena: memory that lives exactly as long as one request, given back in one step.
 *
 * The first ARENA_FIRST bytes are inside the struct, so that an ordinary request allocates nothing; what does
 * not fit comes from malloc in blocks. Everything taken is wiped when it is given back, because parts of it
 * may be secrets. */
#ifndef POLICIES_ARENA_H
#define POLICIES_ARENA_H

#include "policies/span.h"

#define ARENA_FIRST 3072

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *next;
    size_t left;
    _Alignas(max_align_t) char first[ARENA_FIRST];
};

/* Makes an arena ready. No allocation. */
void arena_init(struct arena *arena);

/* `size` bytes, aligned for any type, not cleared; NULL when memory is out. They belong to the arena. */
void *arena_take(struct arena *arena, size_t size);

/* A copy of the span that belongs to the arena, with a NUL behind it that is not counted. data is NULL when
 * memory is out. */
struct span arena_copy(struct arena *arena, struct span bytes);

/* printf into the arena; NULL when memory is out. */
const char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Wipes and frees everything; the arena can be used again at once. */
void arena_reset(struct arena *arena);

#endif
