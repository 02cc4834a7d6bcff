#include "proxy/limits/shield.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAYS 8
#define SETS (SHIELD_ROOM / WAYS)

/* Written under the lock; `until_us` is 0 while the rest changes, and whoever reads one of the words that
 * come then finds it 0, or what comes behind. */
struct slot {
    _Atomic int64_t until_us;
    _Atomic uint64_t words[2];
};

struct shield {
    unsigned standard_s, most_s;
    struct owner_key key;
    _Atomic int64_t last_us; /* the end of the last one */
    pthread_mutex_t lock;
    struct slot slots[SETS][WAYS];
};

struct shield *shield_new(unsigned standard_s, unsigned most_s)
{
    struct shield *shield = calloc(1, sizeof *shield);

    if (shield == NULL)
        return NULL;
    shield->standard_s = standard_s;
    shield->most_s = most_s;
    if (owner_key_make(&shield->key) && pthread_mutex_init(&shield->lock, NULL) == 0)
        return shield;
    free(shield);
    return NULL;
}

void shield_free(struct shield *shield)
{
    if (shield == NULL)
        return;
    (void)pthread_mutex_destroy(&shield->lock);
    explicit_bzero(shield, sizeof *shield);
    free(shield);
}

struct upstream_owner shield_fingerprint(const struct shield *shield, struct span authorization)
{
    size_t at = 0;

    while (at < authorization.length && authorization.data[at] != ' ')
        at++;
    while (at < authorization.length && authorization.data[at] == ' ')
        at++;
    return owner_of(&shield->key, (struct span){NULL, 0},
                    (struct span){authorization.data + at, authorization.length - at});
}

static bool is_of(const struct slot *slot, const struct upstream_owner *credential)
{
    return atomic_load_explicit(&slot->words[0], memory_order_acquire) == credential->words[0] &&
           atomic_load_explicit(&slot->words[1], memory_order_acquire) == credential->words[1];
}

/* When the slot's credential is free again; 0 when it is another one's, or is being changed. */
static int64_t read_slot(const struct slot *slot, const struct upstream_owner *credential)
{
    int64_t until = atomic_load_explicit(&slot->until_us, memory_order_acquire);

    if (until == 0 || !is_of(slot, credential))
        return 0;
    return atomic_load_explicit(&slot->until_us, memory_order_relaxed) == until ? until : 0;
}

static void write_slot(struct slot *slot, const struct upstream_owner *credential, int64_t until_us)
{
    (void)atomic_exchange_explicit(&slot->until_us, 0, memory_order_acq_rel);
    for (size_t i = 0; i < 2; i++)
        atomic_store_explicit(&slot->words[i], credential->words[i], memory_order_release);
    atomic_store_explicit(&slot->until_us, until_us, memory_order_release);
}

bool shield_is_up(const struct shield *shield)
{
    return atomic_load_explicit(&shield->last_us, memory_order_relaxed) != 0;
}

int64_t shield_left(const struct shield *shield, const struct upstream_owner *credential, int64_t now_us)
{
    const struct slot *set = shield->slots[credential->words[0] % SETS];

    if (atomic_load_explicit(&shield->last_us, memory_order_relaxed) <= now_us)
        return 0;
    for (size_t i = 0; i < WAYS; i++) {
        int64_t until = read_slot(&set[i], credential);
        if (until > now_us)
            return until - now_us;
    }
    return 0;
}

/* The credential's own slot, else the one that is free first. */
static struct slot *choose(struct slot set[static WAYS], const struct upstream_owner *credential)
{
    struct slot *first = &set[0];

    for (struct slot *slot = set; slot < set + WAYS; slot++) {
        if (slot->until_us != 0 && is_of(slot, credential))
            return slot;
        if (slot->until_us < first->until_us)
            first = slot;
    }
    return first;
}

static int64_t bounded(const struct shield *shield, int64_t asked_s)
{
    int64_t seconds = asked_s < 0 ? shield->standard_s : asked_s;

    if (seconds < 1)
        seconds = 1;
    return seconds < shield->most_s ? seconds : shield->most_s;
}

bool shield_open(struct shield *shield, const struct upstream_owner *credential, int64_t asked_s,
                 int64_t now_us, int64_t *seconds)
{
    int64_t until = now_us + bounded(shield, asked_s) * 1000000;

    *seconds = bounded(shield, asked_s);
    if (shield->most_s == 0)
        return false;
    (void)pthread_mutex_lock(&shield->lock);
    struct slot *slot = choose(shield->slots[credential->words[0] % SETS], credential);
    bool known = is_of(slot, credential) && slot->until_us > now_us;
    if (!known || slot->until_us < until)
        write_slot(slot, credential, until);
    if (shield->last_us < until)
        shield->last_us = until;
    (void)pthread_mutex_unlock(&shield->lock);
    return !known;
}
