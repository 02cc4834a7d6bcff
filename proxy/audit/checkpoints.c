#include "proxy/audit/checkpoints.h"

#include "proxy/base/fault_point.h"
#include "proxy/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER         "checkpoints"
#define SUFFIX         ".note"
#define DIGITS         16
#define VERIFIER       "verifier.vkey"
#define VERIFIERS_OLD  "verifier-*.vkey"
#define VERIFIER_BYTES 4096

void checkpoints_name(uint64_t size, char name[static CHECKPOINT_NAME])
{
    snprintf(name, CHECKPOINT_NAME, FOLDER "/%0*" PRIu64 SUFFIX, DIGITS, size);
}

bool checkpoints_make(const struct directory *directory)
{
    return (mkdirat(directory->fd, FOLDER, 0700) == 0 || errno == EEXIST) && directory_sync(directory);
}

/* The size that a file is named for; 0 for a name of another form. */
static uint64_t size_of(const char *name)
{
    char again[CHECKPOINT_NAME];
    uint64_t size = strtoull(name, NULL, 10);

    checkpoints_name(size, again);
    return strcmp(again + sizeof FOLDER, name) == 0 ? size : 0;
}

static DIR *open_folder(const struct directory *directory)
{
    int fd = openat(directory->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (folder == NULL && fd >= 0)
        close(fd);
    return folder;
}

bool checkpoints_newest(const struct directory *directory, uint64_t *size)
{
    DIR *folder = open_folder(directory);
    struct dirent *item;

    *size = 0;
    if (folder == NULL)
        return errno == ENOENT;
    while (errno = 0, (item = readdir(folder)) != NULL) {
        uint64_t one = size_of(item->d_name);
        if (one > *size)
            *size = one;
    }
    int fault = errno;
    closedir(folder);
    errno = fault;
    return fault == 0;
}

void checkpoints_forget(const struct directory *directory, uint64_t size)
{
    DIR *folder = open_folder(directory);
    struct dirent *item;

    while (folder != NULL && (item = readdir(folder)) != NULL) {
        uint64_t one = size_of(item->d_name);
        if (one != 0 && one < size)
            (void)unlinkat(dirfd(folder), item->d_name, 0);
    }
    if (folder != NULL)
        closedir(folder);
}

/* A small file of the directory, whole. */
static bool read_small(const struct directory *directory, const char *name, size_t limit, struct text *text,
                       const char **problem)
{
    int fd = openat(directory->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        *problem = segment_fault(errno);
        return false;
    }
    bool read = file_read_descriptor(fd, limit, text, problem);
    close(fd);
    return read;
}

/* Writes a small file under a passing name, makes it durable, gives it its name, makes that durable.
 * `folder` is open on the directory that holds both. */
static bool write_small(int folder, const struct journal_io *io, const char *passing, const char *name,
                        struct span content)
{
    struct iovec part = {(char *)(uintptr_t)content.data, content.length};
    int fd;

    (void)unlinkat(folder, passing, 0); /* what a crash may have left */
    fd = openat(folder, passing, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    while (part.iov_len > 0) {
        ssize_t got = io->write(io->arg, fd, &part, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            goto failed;
        }
        part.iov_base = (char *)part.iov_base + got;
        part.iov_len -= (size_t)got;
    }
    FAULT_POINT("checkpoint-after-write");
    if (io->sync(io->arg, fd, true) != 0)
        goto failed;
    FAULT_POINT("checkpoint-after-sync");
    if (renameat(folder, passing, folder, name) != 0)
        goto failed;
    close(fd);
    FAULT_POINT("checkpoint-after-rename");
    if (fsync(folder) != 0)
        return false;
    FAULT_POINT("checkpoint-after-directory-sync");
    return true;

failed:;
    int fault = errno;
    (void)unlinkat(folder, passing, 0);
    close(fd);
    errno = fault;
    return false;
}

const char *checkpoints_write(const struct directory *directory, const struct journal_io *io, uint64_t size,
                              struct span note)
{
    int folder = openat(directory->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char name[CHECKPOINT_NAME], passing[CHECKPOINT_NAME + 4];
    const char *why = NULL;

    checkpoints_name(size, name);
    snprintf(passing, sizeof passing, "%s.new", name + sizeof FOLDER);
    if (folder < 0 || !write_small(folder, io, passing, name + sizeof FOLDER, note))
        why = segment_fault(errno);
    if (folder >= 0)
        close(folder);
    return why;
}

const char *verifier_write(const struct directory *directory, const struct journal_io *io,
                           const struct note_key *key)
{
    struct text text = {0};
    const char *why = NULL;

    note_key_write(key, &text);
    text_add(&text, "\n", 1);
    if (text.failed)
        why = segment_fault(ENOMEM);
    else if (!write_small(directory->fd, io, VERIFIER ".new", VERIFIER,
                          (struct span){text.data, text.length}))
        why = segment_fault(errno);
    text_free(&text);
    return why;
}

static bool read_key(const struct directory *directory, const char *name, struct note_key *key,
                     const char **fault)
{
    struct text text = {0};
    bool read = read_small(directory, name, VERIFIER_BYTES, &text, fault) &&
                note_key_read((struct span){text.data, text.length}, key, fault);

    text_free(&text);
    return read;
}

bool verifier_read(const struct directory *directory, struct note_key *key, bool *found, char *error,
                   size_t error_size)
{
    const char *fault = NULL;

    *found = faccessat(directory->fd, VERIFIER, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*found || read_key(directory, VERIFIER, key, &fault))
        return true;
    snprintf(error, error_size, "%s/" VERIFIER ": %s", directory->path, fault);
    return false;
}

/* Is the note signed by a key that was replaced? */
static bool is_signed_earlier(const struct directory *directory, struct span note, struct span *text)
{
    DIR *handle = opendir(directory->path);
    struct dirent *item;
    bool good = false;

    while (!good && handle != NULL && (item = readdir(handle)) != NULL) {
        struct note_key key;
        const char *fault;

        if (fnmatch(VERIFIERS_OLD, item->d_name, 0) == 0 && read_key(directory, item->d_name, &key, &fault))
            good = note_verify(note, &key, text, &fault) == NOTE_GOOD;
    }
    if (handle != NULL)
        closedir(handle);
    return good;
}

/* What a note says of the log of this size. NULL, or what is wrong with it. */
static const char *judge(const struct directory *directory, uint64_t size, const struct note_key *key,
                         struct span note, struct tree_hash *root)
{
    struct checkpoint checkpoint;
    const char *fault = "malformed";
    struct span text;

    switch (note_verify(note, key, &text, &fault)) {
    case NOTE_GOOD:
        break;
    case NOTE_NOT_SIGNED_BY_KEY:
        if (!is_signed_earlier(directory, note, &text))
            return "not signed by the key of this journal";
        break;
    case NOTE_BAD_SIGNATURE:
        return "its signature is wrong";
    case NOTE_MALFORMED:
        return fault;
    }
    if (!checkpoint_read(text, &checkpoint, &fault))
        return fault;
    if (!span_is(checkpoint.origin, key->name))
        return "it is of another log";
    if (checkpoint.size != size)
        return "its size is not the one in its name";
    *root = checkpoint.root;
    return NULL;
}

bool checkpoints_read(const struct directory *directory, uint64_t size, const struct note_key *key,
                      struct tree_hash *root, char *error, size_t error_size)
{
    char name[CHECKPOINT_NAME];
    struct text text = {0};
    const char *wrong = NULL;

    checkpoints_name(size, name);
    if (read_small(directory, name, NOTE_BYTES, &text, &wrong))
        wrong = judge(directory, size, key, (struct span){text.data, text.length}, root);
    text_free(&text);
    if (wrong != NULL)
        snprintf(error, error_size, "%s/%s: %s", directory->path, name, wrong);
    return wrong == NULL;
}
