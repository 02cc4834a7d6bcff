/* A temporary folder of a test, and what stands in its files. */
#ifndef TESTS_UNIT_PROXY_FOLDER_H
#define TESTS_UNIT_PROXY_FOLDER_H

#include "proxy/base/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[32];
};

static inline struct folder folder_make(void)
{
    struct folder folder = {"/tmp/portcullis-test-XXXXXX"};

    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static inline int folder_remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void folder_remove(const struct folder *folder)
{
    assert_int_equal(nftw(folder->path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The path of a file in the folder; lives until the next call but seven. */
static inline const char *folder_path(const struct folder *folder, const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder->path, name);
    return path;
}

static inline const char *folder_write(const struct folder *folder, const char *name, const char *text)
{
    const char *path = folder_path(folder, name);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    return path;
}

/* The whole file; freed by the caller with text_free. */
static inline struct text folder_read(const struct folder *folder, const char *name)
{
    struct text text = {0};
    const char *fault;

    assert_true(file_read(folder_path(folder, name), 1 << 26, &text, &fault));
    text_add(&text, "", 0);
    return text;
}

#endif
