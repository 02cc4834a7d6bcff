/* Histograms with fixed buckets. Adding takes no lock and no atomic read-modify-write: a histogram has one
 * writer, its thread; any other thread may read it meanwhile, and sees each figure whole. */
#ifndef PROXY_OBSERVE_HISTOGRAM_H
#define PROXY_OBSERVE_HISTOGRAM_H

#include "policies/text.h"

#include <stdatomic.h>

#define HISTOGRAM_BUCKETS 20 /* most of a scale, without the last one, which has no bound */

/* Where the buckets end. A value that equals a bound belongs below it, as Prometheus' `le` has it. */
struct histogram_scale {
    uint64_t bounds[HISTOGRAM_BUCKETS]; /* rising; 0 behind the last */
    uint64_t unit;                      /* values are shown divided by this: see exposition_value */
};

extern const struct histogram_scale histogram_durations; /* microseconds, 100 µs to 60 s, shown as seconds */
extern const struct histogram_scale histogram_counts;    /* 1 to 4096, by powers of two */

struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS + 1];
    _Atomic uint64_t sum;
};

/* One more for a figure that this thread alone writes. */
static inline void figure_add(_Atomic uint64_t *figure, uint64_t more)
{
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static inline void figure_set(_Atomic uint64_t *figure, uint64_t value)
{
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

static inline uint64_t figure_read(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

/* Counts one value. The histogram's own thread only. */
static inline void histogram_add(struct histogram *histogram, const struct histogram_scale *scale,
                                 uint64_t value)
{
    size_t at = 0;

    while (at < HISTOGRAM_BUCKETS && scale->bounds[at] != 0 && value > scale->bounds[at])
        at++;
    if (at < HISTOGRAM_BUCKETS && scale->bounds[at] == 0)
        at = HISTOGRAM_BUCKETS;
    figure_add(&histogram->buckets[at], 1);
    figure_add(&histogram->sum, value);
}

/* Adds what a histogram of the same scale holds now to one that belongs to this thread. */
void histogram_gather(const struct histogram *from, struct histogram *into);

/* Appends the samples portcullis_<name>_bucket, _sum and _count, with one label where `label` is not NULL.
 * The family's head is the caller's. Any thread: the samples agree with each other. */
void histogram_write(const struct histogram *histogram, const struct histogram_scale *scale, const char *name,
                     const char *label, const char *value, struct text *page);

#endif
