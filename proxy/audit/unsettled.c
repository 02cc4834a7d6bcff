#include "proxy/audit/unsettled.h"

#include <stdbool.h>
#include <stdlib.h>

#define ROOM_FIRST 256

static size_t home_of(const struct unsettled *unsettled, uint64_t mutation)
{
    return (size_t)(mutation * 0x9e3779b97f4a7c15 >> 32) & (unsettled->room - 1);
}

static size_t next_of(const struct unsettled *unsettled, size_t at)
{
    return (at + 1) & (unsettled->room - 1);
}

static void put(struct unsettled *unsettled, uint64_t mutation, uint64_t seq)
{
    size_t at = home_of(unsettled, mutation);

    while (unsettled->places[at].seq != 0)
        at = next_of(unsettled, at);
    unsettled->places[at] = (struct unsettled_one){mutation, seq};
    unsettled->count++;
}

/* Keeps a quarter of the places empty. */
static bool make_room(struct unsettled *unsettled)
{
    struct unsettled old = *unsettled;

    if (old.count < old.room / 4 * 3)
        return true;
    unsettled->room = old.room > 0 ? old.room * 2 : ROOM_FIRST;
    unsettled->places = calloc(unsettled->room, sizeof *unsettled->places);
    if (unsettled->places == NULL) {
        *unsettled = old;
        return false;
    }
    unsettled->count = 0;
    for (size_t i = 0; i < old.room; i++)
        if (old.places[i].seq != 0)
            put(unsettled, old.places[i].mutation, old.places[i].seq);
    free(old.places);
    return true;
}

void unsettled_begin(struct unsettled *unsettled, uint64_t mutation, uint64_t seq)
{
    if (make_room(unsettled))
        put(unsettled, mutation, seq);
    else if (unsettled->floor == 0)
        unsettled->floor = seq; /* they come in rising order */
}

/* Empties a place and moves up what lies behind it and would not be found any more. */
static void take_out(struct unsettled *unsettled, size_t hole)
{
    for (size_t at = next_of(unsettled, hole); unsettled->places[at].seq != 0; at = next_of(unsettled, at)) {
        size_t home = home_of(unsettled, unsettled->places[at].mutation);
        bool stays = hole < at ? hole < home && home <= at : hole < home || home <= at;

        if (stays)
            continue;
        unsettled->places[hole] = unsettled->places[at];
        hole = at;
    }
    unsettled->places[hole].seq = 0;
    unsettled->count--;
}

void unsettled_end(struct unsettled *unsettled, uint64_t mutation)
{
    if (unsettled->room == 0)
        return;
    for (size_t at = home_of(unsettled, mutation); unsettled->places[at].seq != 0;
         at = next_of(unsettled, at))
        if (unsettled->places[at].mutation == mutation) {
            take_out(unsettled, at);
            return;
        }
}

uint64_t unsettled_from(const struct unsettled *unsettled, uint64_t otherwise)
{
    uint64_t from = unsettled->floor != 0 ? unsettled->floor : otherwise;

    for (size_t i = 0; i < unsettled->room; i++)
        if (unsettled->places[i].seq != 0 && unsettled->places[i].seq < from)
            from = unsettled->places[i].seq;
    return from;
}

void unsettled_free(struct unsettled *unsettled)
{
    free(unsettled->places);
    *unsettled = (struct unsettled){0};
}
