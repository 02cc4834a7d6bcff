#include "proxy/observe/version_watch.h"

#include "proxy/base/log.h"
#include "proxy/observe/exposition.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS                                                                                                 \
    64 /* an operation and a version served each; the upstream makes few, and further ones are not watched   \
        */

#define FACT_FIELDS(NAME)                                                                                    \
    NAME("snyk-version-served") NAME("snyk-version-lifecycle-stage") NAME("sunset") NAME("deprecation")
static const struct span_set FACT_NAMES = SPAN_SET(FACT_FIELDS);
static const char *const FACT_LABELS[VERSION_FACTS] = {"served", "stage", "sunset", "deprecation"};

struct facts {
    char operation[64]; /* "" ends the table */
    char values[VERSION_FACTS][VERSION_FACT_BYTES];
};

struct version_watch {
    pthread_mutex_t lock;
    _Atomic unsigned long *changes;
    struct facts table[ROWS];
};

struct version_seen {
    struct version_watch *watch;
    struct facts table[ROWS];
};

struct version_watch *version_watch_new(_Atomic unsigned long *changes)
{
    struct version_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    if (pthread_mutex_init(&watch->lock, NULL) != 0) {
        free(watch);
        return NULL;
    }
    watch->changes = changes;
    return watch;
}

void version_watch_free(struct version_watch *watch)
{
    if (watch == NULL)
        return;
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch);
}

struct version_seen *version_seen_new(struct version_watch *watch)
{
    struct version_seen *seen = calloc(1, sizeof *seen);

    if (seen != NULL)
        seen->watch = watch;
    return seen;
}

void version_seen_free(struct version_seen *seen)
{
    free(seen);
}

/* The row of an operation and the version served: clients that ask for different versions do not look like a
 * change. A free row when it is new, NULL when none is left. */
static struct facts *facts_of(struct facts *table, const char *operation, struct span served)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (table[i].operation[0] == '\0')
            return &table[i];
        if (strncmp(table[i].operation, operation, sizeof table[i].operation - 1) == 0 &&
            span_is(served, table[i].values[0]))
            return &table[i];
    }
    return NULL;
}

static bool operation_known(const struct facts *table, const char *operation)
{
    for (size_t i = 0; i < ROWS && table[i].operation[0] != '\0'; i++)
        if (strncmp(table[i].operation, operation, sizeof table[i].operation - 1) == 0)
            return true;
    return false;
}

static void facts_set(struct facts *facts, const char *operation, const struct span values[VERSION_FACTS])
{
    (void)snprintf(facts->operation, sizeof facts->operation, "%s", operation);
    for (size_t f = 0; f < VERSION_FACTS; f++)
        (void)snprintf(facts->values[f], sizeof facts->values[f], "%.*s", (int)values[f].length,
                       values[f].data);
}

/* What the answer says of each fact, as far as a row has room; empty where nothing. */
static void find_values(struct span values[VERSION_FACTS], const struct field *fields, size_t count)
{
    for (size_t f = 0; f < VERSION_FACTS; f++)
        values[f] = SPAN("");
    for (size_t i = 0; i < count; i++) {
        size_t f = span_set_find(&FACT_NAMES, fields[i].name);
        if (f == VERSION_FACTS)
            continue;
        values[f] = fields[i].value;
        if (values[f].length >= VERSION_FACT_BYTES)
            values[f].length = VERSION_FACT_BYTES - 1;
    }
}

static bool same_values(const struct facts *facts, const struct span values[VERSION_FACTS])
{
    for (size_t f = 0; f < VERSION_FACTS; f++)
        if (!span_is(values[f], facts->values[f]))
            return false;
    return true;
}

static void note_change(struct version_watch *watch, const char *operation,
                        const struct span values[VERSION_FACTS])
{
    (void)pthread_mutex_lock(&watch->lock);
    bool first = !operation_known(watch->table, operation);
    struct facts *known = facts_of(watch->table, operation, values[0]);
    if (known != NULL && !same_values(known, values)) {
        facts_set(known, operation, values);
        log_event(first ? LOG_INFO : LOG_WARNING, first ? "upstream-version" : "upstream-version-change",
                  "%s: served %s, stage %s, sunset %s, deprecation %s", operation, known->values[0],
                  known->values[1][0] ? known->values[1] : "-", known->values[2][0] ? known->values[2] : "-",
                  known->values[3][0] ? known->values[3] : "-");
        if (!first)
            (void)atomic_fetch_add_explicit(watch->changes, 1, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&watch->lock);
}

void version_seen_answer(struct version_seen *seen, const char *operation, const struct field *fields,
                         size_t count)
{
    struct span values[VERSION_FACTS];

    find_values(values, fields, count);
    struct facts *last = values[0].length > 0 ? facts_of(seen->table, operation, values[0]) : NULL;
    if (last == NULL || same_values(last, values))
        return;
    facts_set(last, operation, values);
    note_change(seen->watch, operation, values);
}

void version_watch_write(struct version_watch *watch, struct text *out)
{
    const char *name = "upstream_version_info";

    exposition_family(out, name, "gauge", "What the upstream said of the version it serves");
    (void)pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < ROWS && watch->table[i].operation[0] != '\0'; i++) {
        exposition_name(out, name);
        exposition_label(out, true, "operation", span_of(watch->table[i].operation));
        for (size_t f = 0; f < VERSION_FACTS; f++)
            exposition_label(out, false, FACT_LABELS[f], span_of(watch->table[i].values[f]));
        exposition_value(out, true, 1, 1);
    }
    (void)pthread_mutex_unlock(&watch->lock);
}
