#include "proxy/audit/keys.h"

#include "policies/digest.h"
#include "proxy/audit/directory.h"
#include "proxy/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_NAME  "journal-hmac.key"
#define KEY_BYTES 32
#define ID_DIGITS 8

struct audit_key {
    unsigned char bytes[KEY_BYTES];
    char id[ID_DIGITS + 1];
};

/* The digits alone of a digest that digest_write spelt. */
#define DIGITS(text) ((text) + sizeof "sha256:" - 1)

/* Is this a file to trust with a key? A message otherwise. */
static bool trusted(int fd, const char *path, char *error, size_t error_size)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        snprintf(error, error_size, "%s: not a regular file", path);
    else if (status.st_uid != geteuid() && status.st_uid != 0)
        snprintf(error, error_size, "%s: belongs to user %lu: chown it to the gate's user or to root", path,
                 (unsigned long)status.st_uid);
    else if ((status.st_mode & 077) != 0)
        snprintf(error, error_size, "%s: open to others (mode %03o): chmod 600 it", path,
                 (unsigned)status.st_mode & 0777u);
    else if (status.st_size != KEY_BYTES)
        snprintf(
            error, error_size,
            "%s: %lld bytes long instead of %d: put the right key back, or remove the file to have a new one "
            "made (masks will then differ from older ones)",
            path, (long long)status.st_size, KEY_BYTES);
    else
        return true;
    return false;
}

static bool read_key(struct audit_key *key, int fd, const char *path, char *error, size_t error_size)
{
    if (!trusted(fd, path, error, error_size))
        return false;

    size_t length = 0;
    const char *problem = secret_read(fd, (char *)key->bytes, KEY_BYTES, &length);
    if (problem == NULL && length == KEY_BYTES)
        return true;
    snprintf(error, error_size, "%s: %s", path, problem != NULL ? problem : "cut short while it was read");
    return false;
}

static bool sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return synced;
}

/* Writes a new key under a passing name and links it to its own, so that neither a crash nor another process
 * that starts at the same time leaves half a key. */
static bool make_key(const char *directory, const char *path)
{
    unsigned char bytes[KEY_BYTES];
    char *passing = NULL;
    int fd = -1;
    bool made = false;

    if (asprintf(&passing, "%s.XXXXXX", path) < 0)
        return false;
    fd = mkostemp(passing, O_CLOEXEC); /* O_EXCL, 0600 */
    if (fd < 0)
        goto done;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes ||
        write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes || fsync(fd) != 0)
        goto done;
    if (link(passing, path) != 0 && errno != EEXIST)
        goto done;
    made = true;

done:
    explicit_bzero(bytes, sizeof bytes);
    if (fd >= 0) {
        int fault = errno;

        unlink(passing);
        close(fd);
        errno = fault;
    }
    free(passing);
    return made && sync_directory(directory);
}

static int open_key(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* The file's descriptor, made first when there is none. */
static int find_key(const char *directory, const char *path, char *error, size_t error_size)
{
    int fd = open_key(path);

    if (fd < 0 && errno == ENOENT) {
        if (!directory_make(directory, error, error_size))
            return -1;
        if (!make_key(directory, path)) {
            snprintf(error, error_size, "%s: cannot make the key: %s", path, strerror(errno));
            return -1;
        }
        fd = open_key(path);
    }
    if (fd < 0)
        snprintf(error, error_size, "%s: cannot read the key: %s", path, strerror(errno));
    return fd;
}

struct audit_key *audit_key_open(const char *directory, char *error, size_t error_size)
{
    struct audit_key *key = calloc(1, sizeof *key);
    unsigned char digest[DIGEST_SIZE];
    char text[DIGEST_TEXT_SIZE];
    char *path = NULL;
    int fd = -1;

    if (key == NULL || asprintf(&path, "%s/%s", directory, KEY_NAME) < 0) {
        path = NULL;
        snprintf(error, error_size, "%s: out of memory", directory);
        goto failed;
    }
    fd = find_key(directory, path, error, error_size);
    if (fd < 0 || !read_key(key, fd, path, error, error_size))
        goto failed;
    digest_of((struct span){(const char *)key->bytes, KEY_BYTES}, digest);
    digest_write(digest, text);
    memcpy(key->id, DIGITS(text), ID_DIGITS);
    close(fd);
    free(path);
    return key;

failed:
    if (fd >= 0)
        close(fd);
    free(path);
    audit_key_free(key);
    return NULL;
}

void audit_key_free(struct audit_key *key)
{
    if (key == NULL)
        return;
    explicit_bzero(key, sizeof *key);
    free(key);
}

void audit_key_mask(void *key, struct span secret, struct text *out)
{
    const struct audit_key *own = key;
    const unsigned char *data = (const unsigned char *)(secret.data != NULL ? secret.data : "");
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[DIGEST_TEXT_SIZE];

    if (HMAC(EVP_sha256(), own->bytes, KEY_BYTES, data, secret.length, digest, NULL) == NULL) {
        out->failed = true; /* never the secret itself */
        return;
    }
    digest_write(digest, text);
    text_add_string(out, "hmac-sha256:");
    text_add_string(out, own->id);
    text_add(out, ":", 1);
    text_add_string(out, DIGITS(text));
}
