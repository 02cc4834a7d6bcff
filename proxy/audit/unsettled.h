/* The mutations whose intent is in the log and whose end is not, as the writer knows them: so that the header
 * of each segment can say how far back a reader must go to find them all. Internal to proxy/audit; the
 * writer's thread only. */
#ifndef PROXY_AUDIT_UNSETTLED_H
#define PROXY_AUDIT_UNSETTLED_H

#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is empty. */
struct unsettled {
    struct unsettled_one {
        uint64_t mutation, seq; /* seq 0: an empty place */
    } * places;                 /* a hash table with linear probing */
    size_t room, count;         /* room: a power of two, never full */
    uint64_t floor;             /* one that memory was out for: never forgotten. 0: none */
};

void unsettled_begin(struct unsettled *unsettled, uint64_t mutation, uint64_t seq);
void unsettled_end(struct unsettled *unsettled, uint64_t mutation);

/* The lowest number of an intent without an end; `otherwise` when there is none. */
uint64_t unsettled_from(const struct unsettled *unsettled, uint64_t otherwise);

void unsettled_free(struct unsettled *unsettled);

#endif
