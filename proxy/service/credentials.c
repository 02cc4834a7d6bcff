#include "proxy/service/credentials.h"

#include "proxy/base/file.h"
#include "proxy/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEME     "Token "
#define SLOT_BYTES (sizeof SCHEME + SECRET_ROOM)

struct credentials {
    char *memory; /* mapped; values packed one behind the other */
    size_t size;
    size_t used;
    struct span *values;
    size_t count;
};

struct loading {
    struct credentials *credentials;
    const struct document *document;
    const char *path; /* of the policy */
    enum severity severity;
    struct problems *problems;
};

static void wrong(struct loading *loading, const struct credential_source *source, const char *what)
{
    problems_add(loading->problems, loading->severity, loading->document, source->pointer,
                 source->kind == CREDENTIAL_ENV ? "environment variable %s %s" : "credential file %s %s",
                 source->name, what);
}

static size_t page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);

    return size > 0 ? (size_t)size : 4096;
}

/* Maps room for all values. Locking is tried: without it they may reach the swap. */
static bool map_memory(struct loading *loading)
{
    struct credentials *credentials = loading->credentials;
    size_t page = page_size(), size = (credentials->count * SLOT_BYTES + page - 1) / page * page;

    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    credentials->memory = memory;
    credentials->size = size;
    if (madvise(memory, size, MADV_DONTDUMP) != 0 || mlock(memory, size) != 0)
        problems_add(loading->problems, SEVERITY_WARNING, loading->document, "",
                     "the memory of credentials cannot be locked (%s): see RLIMIT_MEMLOCK",
                     strerrordesc_np(errno));
    return true;
}

/* Copies the variable's value to `to`; at most `room` bytes, so that what is too long is seen to be. */
static bool read_variable(struct loading *loading, const struct credential_source *source, char *to,
                          size_t room, size_t *length)
{
    const char *value = getenv(source->name);

    if (value == NULL) {
        wrong(loading, source, "is not set");
        return false;
    }
    *length = strnlen(value, room);
    memcpy(to, value, *length);
    return true;
}

static bool read_file(struct loading *loading, const struct credential_source *source, char *to, size_t room,
                      size_t *length)
{
    char *path = path_beside(loading->path, source->name);
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
    const char *fault = NULL;
    struct stat status = {0};

    free(path);
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        fault = strerrordesc_np(errno);
    else if (!S_ISREG(status.st_mode))
        fault = "it is not a regular file";
    else
        fault = secret_read(descriptor, to, room, length);
    if (fault == NULL && (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
        problems_add(loading->problems, SEVERITY_WARNING, loading->document, source->pointer,
                     "credential file %s is open to every user of this machine: chmod o= it", source->name);
    if (descriptor >= 0)
        close(descriptor);
    if (fault == NULL)
        return true;
    problems_add(loading->problems, loading->severity, loading->document, source->pointer,
                 "credential file %s cannot be read: %s", source->name, fault);
    return false;
}

static size_t scheme_length(struct span value)
{
    static const char *const schemes[] = {SCHEME, "Bearer "};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        struct span scheme = span_of(schemes[i]);
        if (value.length >= scheme.length &&
            span_equal_nocase((struct span){value.data, scheme.length}, scheme))
            return scheme.length;
    }
    return 0;
}

static bool load_one(struct loading *loading, const struct credential_source *source, struct span *value)
{
    struct credentials *credentials = loading->credentials;
    struct span scheme = span_of(SCHEME);
    char *slot = credentials->memory + credentials->used, *secret = slot + scheme.length;
    size_t room = SECRET_ROOM, length = 0;
    bool read = source->kind == CREDENTIAL_ENV ? read_variable(loading, source, secret, room, &length)
                                               : read_file(loading, source, secret, room, &length);
    struct span found = secret_trim((struct span){secret, length});
    size_t prefix = scheme_length(found);
    const char *fault = read ? secret_fault((struct span){found.data + prefix, found.length - prefix}) : NULL;

    if (fault != NULL)
        wrong(loading, source, fault);
    if (!read || fault != NULL) {
        explicit_bzero(secret, length);
        return false;
    }
    if (prefix == 0) {
        memcpy(slot, scheme.data, scheme.length);
        found = (struct span){slot, scheme.length + found.length};
    }
    *value = found;
    credentials->used = (size_t)(found.data - credentials->memory) + found.length;
    return true;
}

struct credentials *credentials_load(const struct policy *policy, const struct document *policy_document,
                                     const char *policy_path, bool needed, struct problems *problems)
{
    size_t count;
    const struct credential_source *sources = policy_credentials(policy, &count);
    struct credentials *credentials = calloc(1, sizeof *credentials);
    struct loading loading = {credentials, policy_document, policy_path,
                              needed ? SEVERITY_ERROR : SEVERITY_WARNING, problems};
    bool right = true;

    if (credentials == NULL)
        goto out_of_memory;
    if (count == 0)
        return credentials;
    credentials->count = count;
    credentials->values = calloc(count, sizeof *credentials->values);
    if (credentials->values == NULL || !map_memory(&loading))
        goto out_of_memory;
    for (size_t i = 0; i < count; i++)
        right = load_one(&loading, &sources[i], &credentials->values[i]) && right;
    if (right || !needed)
        return credentials;
    credentials_free(credentials);
    return NULL;

out_of_memory:
    problems_add(problems, SEVERITY_ERROR, policy_document, "", "no memory for credentials");
    credentials_free(credentials);
    return NULL;
}

void credentials_free(struct credentials *credentials)
{
    if (credentials == NULL)
        return;
    if (credentials->memory != NULL) {
        explicit_bzero(credentials->memory, credentials->size);
        munmap(credentials->memory, credentials->size);
    }
    free(credentials->values);
    free(credentials);
}

struct span credentials_get(const struct credentials *credentials, size_t index)
{
    return index < credentials->count ? credentials->values[index] : (struct span){NULL, 0};
}
