/* A directory for a test to work in, and cmocka's setup and teardown for one. */
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

/* A new directory, in memory where that can be had: these tests sync a lot. */
static inline char *scratch_make(void)
{
    char *path =
        strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/portcullis-XXXXXX" : "/tmp/portcullis-XXXXXX");

    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline int scratch_remove_item(const char *path, const struct stat *status, int kind,
                                      struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static inline void scratch_remove(char *path)
{
    assert_int_equal(nftw(path, scratch_remove_item, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(path);
}

/* *state becomes the path of one. */
static inline int scratch_setup(void **state)
{
    *state = scratch_make();
    return 0;
}

static inline int scratch_teardown(void **state)
{
    scratch_remove(*state);
    return 0;
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

#endif
