#include "policies/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_LEAST 512
#define BLOCK_MOST  8192

struct arena_block {
    struct arena_block *older;
    size_t size; /* bytes of data */
    _Alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
    arena_init_within(arena, NULL, 0);
}

void arena_init_within(struct arena *arena, void *room, size_t size)
{
    *arena = (struct arena){.next = room, .left = size, .room = room, .room_size = size};
}

/* Of the next block: what is large already grows in large steps. */
static size_t block_size(const struct arena *arena)
{
    size_t last = arena->blocks != NULL ? arena->blocks->size : arena->room_size;

    return last < BLOCK_LEAST / 2 ? BLOCK_LEAST : last < BLOCK_MOST / 2 ? 2 * last : BLOCK_MOST;
}

static bool arena_grow(struct arena *arena, size_t size)
{
    size_t usual = block_size(arena), room = size > usual ? size : usual;
    struct arena_block *block = malloc(sizeof *block + room);

    if (block == NULL)
        return false;
    block->older = arena->blocks;
    block->size = room;
    arena->blocks = block;
    arena->next = block->data;
    arena->left = room;
    return true;
}

void *arena_take(struct arena *arena, size_t size)
{
    const size_t unit = _Alignof(max_align_t);

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + unit - 1) / unit * unit;
    if ((arena->next == NULL || size > arena->left) && !arena_grow(arena, size))
        return NULL;

    void *taken = arena->next;
    arena->next += size;
    arena->left -= size;
    return taken;
}

struct span arena_copy(struct arena *arena, struct span bytes)
{
    char *copy = arena_take(arena, bytes.length + 1);

    if (copy == NULL)
        return (struct span){NULL, 0};
    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    copy[bytes.length] = '\0';
    return (struct span){copy, bytes.length};
}

const char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);

    char *text = length < 0 ? NULL : arena_take(arena, (size_t)length + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void arena_reset(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks; block != NULL;) {
        struct arena_block *older = block->older;
        explicit_bzero(block->data, block->size);
        free(block);
        block = older;
    }
    if (arena->room != NULL)
        explicit_bzero(arena->room, arena->blocks ? arena->room_size : (size_t)(arena->next - arena->room));
    arena_init_within(arena, arena->room, arena->room_size);
}
