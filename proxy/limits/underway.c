#include "proxy/limits/underway.h"

#include "policies/table.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 256 /* a power of two; few are under way at a time */

struct underway {
    pthread_mutex_t lock;
    struct underway_one *buckets[BUCKETS];
};

struct underway *underway_new(void)
{
    struct underway *underway = calloc(1, sizeof *underway);

    if (underway == NULL || pthread_mutex_init(&underway->lock, NULL) == 0)
        return underway;
    free(underway);
    return NULL;
}

void underway_free(struct underway *underway)
{
    if (underway == NULL)
        return;
    pthread_mutex_destroy(&underway->lock);
    free(underway);
}

static struct underway_one **bucket_of(struct underway *underway, struct span name)
{
    return &underway->buckets[hash_bytes(name) & (BUCKETS - 1)];
}

bool underway_enter(struct underway *underway, struct underway_one *one, struct span name)
{
    struct underway_one **bucket = bucket_of(underway, name);
    const struct underway_one *other;

    pthread_mutex_lock(&underway->lock);
    for (other = *bucket; other != NULL && !span_equal(other->name, name); other = other->next)
        continue;
    if (other == NULL) {
        *one = (struct underway_one){*bucket, name};
        *bucket = one;
    }
    pthread_mutex_unlock(&underway->lock);
    return other == NULL;
}

void underway_leave(struct underway *underway, struct underway_one *one)
{
    if (one->name.data == NULL)
        return;
    struct underway_one **place = bucket_of(underway, one->name);
    pthread_mutex_lock(&underway->lock);
    while (*place != one)
        place = &(*place)->next;
    *place = one->next;
    pthread_mutex_unlock(&underway->lock);
    *one = (struct underway_one){0};
}
