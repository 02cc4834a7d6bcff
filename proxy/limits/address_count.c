#include "proxy/limits/address_count.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#define BUCKETS 4096 /* a power of two */

struct address_place {
    LIST_ENTRY(address_place) next;
    struct ip_address address; /* what counts of it */
    unsigned connections;
};

LIST_HEAD(places, address_place);

struct address_count {
    unsigned most;
    uint64_t seed[3]; /* so that nobody can choose addresses that fall into one bucket */
    pthread_mutex_t lock;
    struct places buckets[BUCKETS];
};

struct ip_address address_count_key(const struct ip_address *address)
{
    struct ip_address key = *address;

    if (!ip_address_is_four(address))
        memset(key.bytes + 8, 0, 8);
    return key;
}

static struct places *bucket_of(struct address_count *count, const struct ip_address *key)
{
    uint64_t high, low;

    memcpy(&high, key->bytes, sizeof high);
    memcpy(&low, key->bytes + sizeof high, sizeof low);
    uint64_t mixed = ((high ^ count->seed[0]) * (count->seed[1] | 1)) ^ low;
    mixed ^= mixed >> 29;
    mixed *= count->seed[2] | 1;
    return &count->buckets[mixed >> 52]; /* the upper 12 bits */
}

struct address_count *address_count_new(unsigned most)
{
    struct address_count *count = calloc(1, sizeof *count);

    if (count == NULL)
        return NULL;
    count->most = most;
    if (getrandom(count->seed, sizeof count->seed, 0) == (ssize_t)sizeof count->seed &&
        pthread_mutex_init(&count->lock, NULL) == 0)
        return count;
    free(count);
    return NULL;
}

void address_count_free(struct address_count *count)
{
    struct address_place *place;

    if (count == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((place = LIST_FIRST(&count->buckets[i])) != NULL) {
            LIST_REMOVE(place, next);
            free(place);
        }
    (void)pthread_mutex_destroy(&count->lock);
    free(count);
}

/* The place of the key, made when there is none. Under the lock. NULL when memory is out. */
static struct address_place *find(struct address_count *count, const struct ip_address *key)
{
    struct places *bucket = bucket_of(count, key);
    struct address_place *place;

    LIST_FOREACH (place, bucket, next)
        if (memcmp(&place->address, key, sizeof *key) == 0)
            return place;
    place = calloc(1, sizeof *place);
    if (place != NULL) {
        place->address = *key;
        LIST_INSERT_HEAD(bucket, place, next);
    }
    return place;
}

bool address_count_enter(struct address_count *count, const struct ip_address *address,
                         struct address_place **place)
{
    struct ip_address key = address_count_key(address);

    *place = NULL;
    if (count->most == 0)
        return true;
    (void)pthread_mutex_lock(&count->lock);
    struct address_place *found = find(count, &key);
    if (found != NULL && found->connections < count->most) {
        found->connections++;
        *place = found;
    }
    (void)pthread_mutex_unlock(&count->lock);
    return *place != NULL;
}

void address_count_leave(struct address_count *count, struct address_place *place)
{
    if (place == NULL)
        return;
    (void)pthread_mutex_lock(&count->lock);
    if (--place->connections == 0) {
        LIST_REMOVE(place, next);
        free(place);
    }
    (void)pthread_mutex_unlock(&count->lock);
}

bool address_place_is(const struct address_place *place, const struct ip_address *address)
{
    struct ip_address key = address_count_key(address);

    return place != NULL && memcmp(&place->address, &key, sizeof key) == 0;
}
