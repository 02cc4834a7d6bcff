#include "proxy/observe/label_set.h"

static bool is_at(const struct label_set *set, unsigned place, const char *value)
{
    return strncmp(set->values[place], value, LABEL_BYTES - 1) == 0;
}

unsigned label_set_find(struct label_set *set, unsigned most, const char *value)
{
    unsigned count = atomic_load_explicit(&set->count, memory_order_relaxed);

    if (value == NULL)
        value = "none";
    if (set->last < count && is_at(set, set->last, value))
        return set->last;
    for (unsigned place = 0; place < count; place++)
        if (is_at(set, place, value))
            return set->last = place;
    if (count >= most || count >= LABEL_SET_VALUES)
        return most;
    size_t length = strnlen(value, LABEL_BYTES - 1);
    memcpy(set->values[count], value, length);
    set->values[count][length] = '\0';
    atomic_store_explicit(&set->count, count + 1, memory_order_release);
    return set->last = count;
}

const char *label_set_value(const struct label_set *set, unsigned place)
{
    return place < label_set_count(set) ? set->values[place] : "other";
}
