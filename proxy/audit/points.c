#include "proxy/audit/points.h"

#include "policies/ascii.h"
#include "proxy/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FOLDER "checkpoints"
#define DIGITS 16
#define SUFFIX ".note"

static bool fail(const char *path, const char *what, char *error, size_t error_size)
{
    snprintf(error, error_size, "%s: %s", path, what);
    return false;
}

/* Reads what the note says. NULL, or why it proves nothing (static). */
static const char *judge(struct point *point, struct span note, const struct trust *trust)
{
    const char *fault = NULL;
    struct checkpoint checkpoint;
    struct span text;

    if (trust->count == 0)
        return "there is no key to verify it with";
    switch (trust_verify(trust, note, &text, &point->signer, &fault)) {
    case NOTE_GOOD:
        break;
    case NOTE_NOT_SIGNED_BY_KEY:
        return "it is not signed by the key";
    case NOTE_BAD_SIGNATURE:
        return "its signature is wrong: it was changed";
    case NOTE_MALFORMED:
        return fault;
    }
    if (!checkpoint_read(text, &checkpoint, &fault))
        return fault;
    if (!span_is(checkpoint.origin, trust->keys[point->signer].name))
        return "it is of another log than its key";
    point->size = checkpoint.size;
    point->root = checkpoint.root;
    point->origin = span_copy(checkpoint.origin);
    return point->origin != NULL ? NULL : "out of memory";
}

static void point_free(struct point *point)
{
    free(point->file);
    free(point->origin);
    free(point->note);
}

/* Reads the file and judges it. False when it cannot be read; `wrong` says why. */
static bool point_read(struct point *point, const char *path, const struct trust *trust)
{
    struct text text = {0};
    bool read = file_read(path, NOTE_BYTES, &text, &point->wrong);

    if (read)
        point->wrong = judge(point, (struct span){text.data, text.length}, trust);
    point->note = text.data;
    return read;
}

/* Takes the point over. */
static bool append(struct points *points, struct point *point, char *error, size_t error_size)
{
    struct point *items = points->items;

    if ((points->count & (points->count - 1)) == 0) /* full at each power of two */
        items = reallocarray(items, points->count > 0 ? points->count * 2 : 1, sizeof *items);
    if (items == NULL || point->file == NULL) {
        if (items != NULL)
            points->items = items;
        point_free(point);
        return fail("checkpoints", "out of memory", error, error_size);
    }
    points->items = items;
    items[points->count++] = *point;
    return true;
}

static int by_size(const void *one, const void *other)
{
    const struct point *a = one, *b = other;

    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return strcmp(a->file, b->file);
}

static void sort(struct points *points)
{
    if (points->count > 0)
        qsort(points->items, points->count, sizeof *points->items, by_size);
}

static int is_note(const struct dirent *item)
{
    const char *name = item->d_name;

    for (size_t i = 0; i < DIGITS; i++)
        if (!ascii_is_digit(name[i]))
            return false;
    return strcmp(name + DIGITS, SUFFIX) == 0;
}

static bool add_named(struct points *points, const char *folder, const char *name, const struct trust *trust,
                      char *error, size_t error_size)
{
    struct point point = {0};
    uint64_t size = strtoull(name, NULL, 10);
    char *path = NULL;

    if (asprintf(&path, "%s/%s", folder, name) < 0 || asprintf(&point.file, FOLDER "/%s", name) < 0) {
        free(path);
        return fail(folder, "out of memory", error, error_size);
    }
    bool gone = !point_read(&point, path, trust) && access(path, F_OK) != 0;
    free(path);
    if (gone) { /* removed since it was listed */
        point_free(&point);
        return true;
    }
    if (point.wrong == NULL && point.size != size)
        point.wrong =
            "it is the checkpoint of another size than its name says: it was put in this one's place";
    if (point.wrong != NULL)
        point.size = size;
    return append(points, &point, error, error_size);
}

bool points_add_directory(struct points *points, const char *directory, const struct trust *trust,
                          char *error, size_t error_size)
{
    struct dirent **items = NULL;
    char *folder = NULL;
    bool added = true;

    if (asprintf(&folder, "%s/" FOLDER, directory) < 0)
        return fail(directory, "out of memory", error, error_size);
    int count = scandir(folder, &items, is_note, alphasort);
    if (count < 0 && errno != ENOENT)
        added = fail(folder, strerrordesc_np(errno), error, error_size);
    for (int i = 0; i < count; i++) {
        added = added && add_named(points, folder, items[i]->d_name, trust, error, error_size);
        free(items[i]);
    }
    free(items);
    free(folder);
    sort(points);
    return added;
}

bool points_add_file(struct points *points, const char *path, const struct trust *trust, char *error,
                     size_t error_size)
{
    struct point point = {.file = strdup(path), .outside = true};

    if (!point_read(&point, path, trust)) {
        (void)fail(path, point.wrong, error, error_size);
        point_free(&point);
        return false;
    }
    if (!append(points, &point, error, error_size))
        return false;
    sort(points);
    return true;
}

const struct point *points_covering(const struct points *points, uint64_t lines)
{
    for (size_t i = 0; i < points->count; i++)
        if (points->items[i].wrong == NULL && points->items[i].size >= lines)
            return &points->items[i];
    return NULL;
}

const struct point *points_newest(const struct points *points)
{
    for (size_t i = points->count; i > 0; i--)
        if (points->items[i - 1].wrong == NULL)
            return &points->items[i - 1];
    return NULL;
}

void points_free(struct points *points)
{
    for (size_t i = 0; i < points->count; i++)
        point_free(&points->items[i]);
    free(points->items);
    *points = (struct points){0};
}
