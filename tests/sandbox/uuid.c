#include "tests/sandbox/uuid.h"

#include <sys/random.h>
#include <time.h>

void uuid_source_init(struct uuid_source *source)
{
    if (getrandom(&source->state, sizeof source->state, 0) != (ssize_t)sizeof source->state)
        source->state = (uint64_t)time(NULL);
}

/* splitmix64 */
static uint64_t next_random(struct uuid_source *source)
{
    uint64_t z = source->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool is_dash_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

void uuid_make(struct uuid_source *source, char uuid[UUID_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t bits = 0;

    for (size_t at = 0; at < UUID_LENGTH; at++) {
        if (at % 16 == 0)
            bits = next_random(source);
        uuid[at] = is_dash_place(at) ? '-' : digits[bits & 15];
        bits >>= 4;
    }
    uuid[14] = '4';
    uuid[19] = "89ab"[next_random(source) & 3];
    uuid[UUID_LENGTH] = '\0';
}

bool uuid_read(struct span text, char uuid[UUID_LENGTH + 1])
{
    if (text.length != UUID_LENGTH)
        return false;
    for (size_t at = 0; at < UUID_LENGTH; at++) {
        char c = ascii_lower(text.data[at]);
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

        if (is_dash_place(at) ? c != '-' : !digit)
            return false;
        uuid[at] = c;
    }
    uuid[UUID_LENGTH] = '\0';
    return true;
}
