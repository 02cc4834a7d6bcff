/* A file of cases for `portcullis test`. It is read, or there is an error that says why; what was read has a
 * request in each case, what it expects, and a verdict in each cell of the table. */
#include "proxy/console/cases.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static void check_suite(const struct suite *suite)
{
    for (size_t i = 0; i < suite->case_count; i++) {
        const struct test_case *test = &suite->cases[i];
        FUZZ_CHECK(test->index == i && test->request.method.data != NULL &&
                   test->request.target.data != NULL);
        FUZZ_CHECK(test->expect.verdict != CASE_UNSAID);
        FUZZ_CHECK(test->expect.status == 0 || (test->expect.status >= 400 && test->expect.status <= 599));
        for (size_t j = 0; j < test->expect.obligation_count; j++)
            FUZZ_CHECK(test->expect.obligations[j] != NULL);
    }
    for (size_t i = 0; i < suite->cell_count; i++) {
        const struct test_cell *cell = &suite->cells[i];
        FUZZ_CHECK(cell->principal != NULL && cell->organization != NULL && cell->operation != NULL);
        FUZZ_CHECK(cell_word(cell->expect) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct suite_defaults defaults = {.host = "localhost", .now = 1800000000, .expectations = true};
    struct problems problems = {0};
    struct suite suite;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool right = suite_read(&suite, path, &defaults, &problems);
    FUZZ_CHECK(right == (problems.errors == 0));
    if (right)
        check_suite(&suite);
    suite_free(&suite);
    problems_free(&problems);
    close(fd);
    return 0;
}
