/* A directory for a test to work in: cmocka's setup and teardown. */
#ifndef TESTS_UNIT_PROXY_AUDIT_SCRATCH_H
#define TESTS_UNIT_PROXY_AUDIT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* *state becomes the path of a new directory, in memory where that can be had: these tests sync a lot. */
static inline int scratch_setup(void **state)
{
    char *path =
        strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/portcullis-XXXXXX" : "/tmp/portcullis-XXXXXX");

    *state = path;
    return path != NULL && mkdtemp(path) != NULL ? 0 : -1;
}

static inline int scratch_remove_item(const char *path, const struct stat *status, int kind,
                                      struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static inline int scratch_teardown(void **state)
{
    int failed = nftw(*state, scratch_remove_item, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return failed;
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

#endif
