#include "policies/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE 8192

struct arena_block {
    struct arena_block *older;
    size_t size; /* bytes of data */
    _Alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena)
{
    arena->blocks = NULL;
    arena->next = arena->first;
    arena->left = sizeof arena->first;
}

static bool arena_grow(struct arena *arena, size_t size)
{
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
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
    if (size > arena->left && !arena_grow(arena, size))
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
    size_t used = arena->blocks ? sizeof arena->first : (size_t)(arena->next - arena->first);
    explicit_bzero(arena->first, used);
    arena_init(arena);
}
