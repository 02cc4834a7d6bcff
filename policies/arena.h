/* An arena: memory that lives exactly as long as one request, or as what it was taken for, given back in one
 * step.
 *
 * It comes from malloc in blocks, the first ones small, so that little takes little; or first from room that
 * the owner has, so that an ordinary request allocates nothing. Everything taken is wiped when it is given
 * back, because parts of it may be secrets. */
#ifndef POLICIES_ARENA_H
#define POLICIES_ARENA_H

#include "policies/span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *next;
    size_t left;
    char *room; /* the owner's; NULL: none */
    size_t room_size;
};

/* Makes an arena ready. No allocation. */
void arena_init(struct arena *arena);

/* The same, with room that is aligned for any type and lives as long as the arena. */
void arena_init_within(struct arena *arena, void *room, size_t size);

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
