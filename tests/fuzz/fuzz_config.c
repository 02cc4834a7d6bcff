/* The configuration file. It is read, or there is an error that says why; what was read has what the gate
 * cannot do without, within its bounds. */
#include "proxy/config/config.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static void check_config(const struct config *config)
{
    FUZZ_CHECK(config->listen_count >= 1 && config->listen[0].address.text != NULL);
    FUZZ_CHECK(config->workers >= 1 && config->workers <= 1024);
    FUZZ_CHECK(config->upstream.host != NULL && config->upstream.port > 0);
    FUZZ_CHECK(config->contract != NULL && config->contract[0] == '/');
    FUZZ_CHECK(config->policy != NULL && config->policy[0] == '/');
    FUZZ_CHECK(config->audit.directory != NULL && config->audit.directory[0] == '/');
    FUZZ_CHECK(config->limits.header_bytes >= 1024 && config->limits.target_bytes >= 128);
    FUZZ_CHECK(config->limits.connections >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems = {0};
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct config *config = config_read(path, &problems);
    FUZZ_CHECK((config == NULL) == (problems.errors > 0));
    if (config != NULL)
        check_config(config);
    config_free(config);
    problems_free(&problems);
    close(fd);
    return 0;
}
