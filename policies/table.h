/* A hash table of numbers: it holds the indexes of items that stand in somebody's array. Open addressing, at
 * most half full, filled once while a policy is compiled and only read afterwards. Four bytes a slot, so that
 * a policy of a million grants stays small. */
#ifndef POLICIES_TABLE_H
#define POLICIES_TABLE_H

#include "policies/span.h"

#include <stdint.h>

#define TABLE_NONE UINT32_MAX

struct table {
    uint32_t *slots; /* index + 1; 0 is empty */
    size_t mask;     /* slots - 1; a power of two less one */
};

/* Is this the item that the key names? */
typedef bool table_match(const void *items, uint32_t item, const void *key);

/* Room for `count` items (below 2^30); false when memory is out. */
bool table_make(struct table *table, size_t count);
void table_free(struct table *table);

/* The item with that hash that matches the key; TABLE_NONE without one. A zeroed table is empty. */
static inline uint32_t table_find(const struct table *table, uint64_t hash, table_match *match,
                                  const void *items, const void *key)
{
    if (table->slots == NULL)
        return TABLE_NONE;
    for (size_t at = hash & table->mask; table->slots[at] != 0; at = (at + 1) & table->mask)
        if (match(items, table->slots[at] - 1, key))
            return table->slots[at] - 1;
    return TABLE_NONE;
}

/* Puts an item in. It must not be there yet, and there must be room. */
void table_add(struct table *table, uint64_t hash, uint32_t item);

/* Puts another item with that hash in the place of one that is there. */
void table_replace(struct table *table, uint64_t hash, uint32_t old, uint32_t item);

/* Spreads the bits of a number over all 64: the finaliser of SplitMix64. */
static inline uint64_t hash_number(uint64_t number)
{
    number ^= number >> 30;
    number *= 0xbf58476d1ce4e5b9u;
    number ^= number >> 27;
    number *= 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

/* A hash of bytes. */
uint64_t hash_bytes(struct span bytes);

#endif
