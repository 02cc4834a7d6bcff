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

uint32_t table_find(const struct table *table, uint64_t hash, table_match *match, const void *items,
                    const void *key)
{
    if (table->slots == NULL)
        return TABLE_NONE;
    for (size_t at = hash & table->mask; table->slots[at] != 0; at = (at + 1) & table->mask)
        if (match(items, table->slots[at] - 1, key))
            return table->slots[at] - 1;
    return TABLE_NONE;
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

uint64_t hash_number(uint64_t number) /* the finaliser of SplitMix64 */
{
    number ^= number >> 30;
    number *= 0xbf58476d1ce4e5b9u;
    number ^= number >> 27;
    number *= 0x94d049bb133111ebu;
    return number ^ number >> 31;
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
