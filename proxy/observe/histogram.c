#include "proxy/observe/histogram.h"

#include "proxy/observe/exposition.h"

#define MS UINT64_C(1000)
#define S  UINT64_C(1000000)

const struct histogram_scale histogram_durations = {
    .bounds = {100, 250, 500, 1 * MS, 5 * MS / 2, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
               500 * MS, 1 * S, 5 * S / 2, 5 * S, 10 * S, 30 * S, 60 * S},
    .unit = S,
};

const struct histogram_scale histogram_counts = {
    .bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096},
    .unit = 1,
};

void histogram_gather(const struct histogram *from, struct histogram *into)
{
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        figure_add(&into->buckets[i], figure_read(&from->buckets[i]));
    figure_add(&into->sum, figure_read(&from->sum));
}

static void begin_sample(struct text *page, const char *name, const char *part, const char *label,
                         const char *value)
{
    exposition_name(page, name);
    text_add_string(page, part);
    if (label != NULL)
        exposition_label(page, true, label, span_of(value));
}

static void write_bucket(struct text *page, const char *name, const char *label, const char *value,
                         struct span bound, uint64_t count)
{
    begin_sample(page, name, "_bucket", label, value);
    exposition_label(page, label == NULL, "le", bound);
    exposition_value(page, true, count, 1);
}

void histogram_write(const struct histogram *histogram, const struct histogram_scale *scale, const char *name,
                     const char *label, const char *value, struct text *page)
{
    uint64_t count = 0, sum = figure_read(&histogram->sum);
    struct text bound = {0};

    for (size_t i = 0; i < HISTOGRAM_BUCKETS && scale->bounds[i] != 0; i++) {
        count += figure_read(&histogram->buckets[i]);
        text_clear(&bound);
        exposition_number(&bound, scale->bounds[i], scale->unit);
        page->failed = page->failed || bound.failed;
        write_bucket(page, name, label, value, (struct span){bound.data, bound.length}, count);
    }
    text_free(&bound);
    count += figure_read(&histogram->buckets[HISTOGRAM_BUCKETS]);
    write_bucket(page, name, label, value, span_of("+Inf"), count);
    begin_sample(page, name, "_sum", label, value);
    exposition_value(page, label != NULL, sum, scale->unit);
    begin_sample(page, name, "_count", label, value);
    exposition_value(page, label != NULL, count, 1);
}
