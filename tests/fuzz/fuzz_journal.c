/* A journal's segment as verify and recovery find it. Verify always comes to a judgement, and changes
 * nothing; where it finds no damage, recovery takes the journal up, and what it leaves is without damage
 * again.
 *
 * A change in a line breaks the chain of hashes, and nothing behind it would be looked at. So the first byte
 * says whether the chain is mended before: "=" leaves it, anything else writes into every `prev` what must
 * stand there. */
#include "proxy/audit/recovery.h"
#include "proxy/audit/tree.h"
#include "proxy/audit/verify.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT "0000000000000001-20260101T000000Z.jsonl"

static char directory_path[64];
static struct trust trust; /* without a key that may be trusted, every journal is in doubt */

static void clear_directory(void)
{
    DIR *handle = opendir(directory_path);
    struct dirent *item;

    FUZZ_CHECK(handle != NULL);
    while ((item = readdir(handle)) != NULL)
        if (item->d_name[0] != '.')
            FUZZ_CHECK(unlinkat(dirfd(handle), item->d_name, 0) == 0);
    (void)closedir(handle);
}

static void remove_directory(void)
{
    clear_directory();
    (void)rmdir(directory_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char error[256];

    (void)argc, (void)argv;
    FUZZ_CHECK(trust_add(&trust, FUZZ_KEY, error, sizeof error));
    (void)snprintf(directory_path, sizeof directory_path, "%s/portcullis-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    FUZZ_CHECK(mkdtemp(directory_path) != NULL);
    FUZZ_CHECK(atexit(remove_directory) == 0);
    return 0;
}

static void write_segment(struct span bytes)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/" SEGMENT, directory_path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, bytes.data, bytes.length) == (ssize_t)bytes.length);
    FUZZ_CHECK(close(fd) == 0);
}

/* Makes each line's `prev` the hash of the line before it. */
static void mend_chain(char *bytes, size_t length)
{
    static const char name[] = "\"prev\":\"";
    struct tree_hash last = {{0}};
    char hex[TREE_HEX];

    for (char *line = bytes, *end; (end = memchr(line, '\n', length - (size_t)(line - bytes))) != NULL;
         line = end + 1) {
        char *prev = memmem(line, (size_t)(end - line), name, sizeof name - 1);
        tree_hash_write(&last, hex);
        if (prev != NULL && end - prev > (ptrdiff_t)(sizeof name - 1 + TREE_HEX))
            memcpy(prev + sizeof name - 1, hex, TREE_HEX - 1);
        last = tree_leaf((struct span){line, (size_t)(end - line)});
    }
}

/* How much damage there is, besides that nobody signed for any of it. UINT64_MAX: there is no journal. */
static uint64_t verify(void)
{
    static struct verify_report report;
    struct verify_options options = {.path = directory_path, .trust = &trust};
    char error[512];

    report = (struct verify_report){.count = 0};
    if (!verify_run(&options, &report, error, sizeof error)) {
        FUZZ_CHECK(error[0] != '\0');
        verify_report_free(&report);
        return UINT64_MAX;
    }
    FUZZ_CHECK(!report.failed && report.segments <= 1);
    uint64_t damages = report.damages;
    for (size_t i = 0; i < report.count; i++) {
        FUZZ_CHECK(report.findings[i].message != NULL && report.findings[i].message[0] != '\0');
        damages -= report.findings[i].kind == VERIFY_UNSIGNED ? 1 : 0;
    }
    verify_report_free(&report);
    return damages;
}

static bool recover(void)
{
    struct directory directory;
    struct recovery recovery;
    const char *passing;
    char error[1024];

    FUZZ_CHECK(directory_open(&directory, directory_path, &passing, error, sizeof error));
    bool good = recovery_read(&directory, &trust.keys[0], &recovery, &passing, error, sizeof error);
    FUZZ_CHECK(passing == NULL);
    if (good)
        recovery_free(&recovery);
    else
        FUZZ_CHECK(error[0] != '\0');
    directory_close(&directory);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text bytes = {0};

    if (size == 0)
        return 0;
    text_add(&bytes, (const char *)data + 1, size - 1);
    if (data[0] != '=' && bytes.length > 0)
        mend_chain(bytes.data, bytes.length);
    clear_directory();
    write_segment(fuzz_of(&bytes));
    uint64_t damages = verify();
    FUZZ_CHECK(verify() == damages);
    bool recovered = recover();
    if (damages == 0) {
        FUZZ_CHECK(recovered);
        uint64_t after = verify();
        FUZZ_CHECK(after == 0 || after == UINT64_MAX); /* what held no whole line is gone */
    }
    text_free(&bytes);
    return 0;
}
