#include "policies/table.h"

#include <stdlib.h>

bool table_make(struct table *table, size_t count)
{
    size_t size = 4;

    while (size < 2 * count)
        size *= 2;
    table->slots = calloc(size, sizeof *table->slots);
    table->mask = size - 1;
    return table->slots != NULL;
}

void table_free(struct table *table)
{
    free(table->slots);
    *table = (struct table){0};
}

void table_add(struct table *table, uint64_t hash, uint32_t item)
{
    size_t at = hash & table->mask;

    while (table->slots[at] != 0)
        at = (at + 1) & table->mask;
    table->slots[at] = item + 1;
}

void table_replace(struct table *table, uint64_t hash, uint32_t old, uint32_t item)
{
    size_t at = hash & table->mask;

    while (table->slots[at] != old + 1)
        at = (at + 1) & table->mask;
    table->slots[at] = item + 1;
}

uint64_t hash_bytes(struct span bytes)
{
    uint64_t hash = bytes.length, word;
    size_t at = 0;

    for (; bytes.length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes.data + at, sizeof word);
        hash = hash_number(hash ^ word);
    }
    word = 0;
    if (at < bytes.length)
        memcpy(&word, bytes.data + at, bytes.length - at);
    return hash_number(hash ^ word);
}
