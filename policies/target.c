#include "policies/target.h"

#include "policies/ascii.h"

/* Bytes that the text takes at most once encoded. */
static size_t encoded_most(struct span text)
{
    return 3 * text.length;
}

static char *encode(char *to, struct span text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t plain = ascii_run(text, ASCII_UNRESERVED);

    if (plain > 0)
        memcpy(to, text.data, plain);
    to += plain;
    for (size_t i = plain; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (ascii_is_unreserved(text.data[i])) {
            *to++ = text.data[i];
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return to;
}

struct span target_write(const struct target *target, struct arena *arena)
{
    size_t room = 1;

    for (size_t i = 0; i < target->segment_count; i++)
        room += 1 + encoded_most(target->segments[i]);
    for (size_t i = 0; i < target->parameter_count; i++)
        room += 2 + encoded_most(target->parameters[i].name) + encoded_most(target->parameters[i].value);

    char *start = arena_take(arena, room), *to = start;
    if (start == NULL)
        return (struct span){NULL, 0};
    if (target->segment_count == 0)
        *to++ = '/';
    for (size_t i = 0; i < target->segment_count; i++) {
        *to++ = '/';
        to = encode(to, target->segments[i]);
    }
    for (size_t i = 0; i < target->parameter_count; i++) {
        *to++ = i == 0 ? '?' : '&';
        to = encode(to, target->parameters[i].name);
        *to++ = '=';
        to = encode(to, target->parameters[i].value);
    }
    return (struct span){start, (size_t)(to - start)};
}

struct span target_spell(const struct target *target, struct arena *arena)
{
    return target->received.data != NULL ? target->received : target_write(target, arena);
}
