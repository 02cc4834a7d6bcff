#include "proxy/audit/keys.h"

#include "policies/ascii.h"
#include "policies/digest.h"
#include "proxy/audit/mac.h"
#include "proxy/note/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#define KEY_NAME  "journal-hmac.key"
#define KEY_BYTES 32
#define ID_DIGITS (AUDIT_KEY_ID - 1)
#define KEPT_NAME sizeof "journal-hmac-01234567.key"

struct material {
    unsigned char bytes[KEY_BYTES];
    struct mac mac; /* prepared */
    char id[AUDIT_KEY_ID];
};

struct audit_key {
    char *directory;
    pthread_rwlock_t lock; /* over the material: every worker makes masks, and a reload changes it */
    struct material now;
};

/* The digits alone of a digest that digest_write spelt. */
#define DIGITS(text) ((text) + sizeof "sha256:" - 1)

/* Makes a key of what a file holds. */
static bool read_material(const struct key_bytes *bytes, const char *directory, const char *name,
                          struct material *material, char *error, size_t error_size)
{
    unsigned char digest[DIGEST_SIZE];
    char text[DIGEST_TEXT_SIZE];

    if (bytes->length != KEY_BYTES) {
        (void)snprintf(
            error, error_size,
            "%s/%s: %zu bytes long instead of %d: put the right key back, or remove the file to have a "
            "new one made (masks will then differ from older ones)",
            directory, name, bytes->length, KEY_BYTES);
        return false;
    }
    memcpy(material->bytes, bytes->data, KEY_BYTES);
    const struct span key = {(const char *)material->bytes, KEY_BYTES};
    mac_prepare(&material->mac, key);
    digest_of(key, digest);
    digest_write(digest, text);
    memcpy(material->id, DIGITS(text), ID_DIGITS);
    material->id[ID_DIGITS] = '\0';
    return true;
}

/* Reads DIR/NAME. */
static bool load(const char *directory, const char *name, struct material *material, char *error,
                 size_t error_size)
{
    struct key_bytes bytes;
    char *path = NULL;
    bool loaded = asprintf(&path, "%s/%s", directory, name) >= 0;

    if (!loaded) {
        path = NULL;
        (void)snprintf(error, error_size, "%s: out of memory", directory);
    }
    loaded = loaded && key_file_read(path, &bytes, error, error_size) &&
             read_material(&bytes, directory, name, material, error, error_size);
    explicit_bzero(&bytes, sizeof bytes);
    free(path);
    return loaded;
}

static bool fresh_key(struct key_bytes *bytes)
{
    bytes->length = KEY_BYTES;
    return getrandom(bytes->data, KEY_BYTES, 0) == KEY_BYTES;
}

/* ---- the key in use ---- */

static struct audit_key *new_key(const char *directory, char *error, size_t error_size)
{
    struct audit_key *key = calloc(1, sizeof *key);

    if (key != NULL && (key->directory = strdup(directory)) != NULL &&
        pthread_rwlock_init(&key->lock, NULL) == 0)
        return key;
    (void)snprintf(error, error_size, "%s: out of memory", directory);
    if (key != NULL)
        free(key->directory);
    free(key);
    return NULL;
}

struct audit_key *audit_key_open(const char *directory, char *error, size_t error_size)
{
    struct audit_key *key = new_key(directory, error, error_size);
    struct key_bytes bytes;

    bool opened = key != NULL && key_file_open(directory, KEY_NAME, fresh_key, &bytes, error, error_size) &&
                  read_material(&bytes, directory, KEY_NAME, &key->now, error, error_size);
    explicit_bzero(&bytes, sizeof bytes);
    if (opened)
        return key;
    audit_key_free(key);
    return NULL;
}

void audit_key_free(struct audit_key *key)
{
    if (key == NULL)
        return;
    free(key->directory);
    (void)pthread_rwlock_destroy(&key->lock);
    explicit_bzero(key, sizeof *key);
    free(key);
}

enum audit_key_change audit_key_renew(struct audit_key *key, char *error, size_t error_size)
{
    struct material next;
    enum audit_key_change change = AUDIT_KEY_KEPT;

    if (load(key->directory, KEY_NAME, &next, error, error_size)) {
        (void)pthread_rwlock_wrlock(&key->lock);
        change = memcmp(key->now.bytes, next.bytes, KEY_BYTES) == 0 ? AUDIT_KEY_SAME : AUDIT_KEY_CHANGED;
        key->now = next;
        (void)pthread_rwlock_unlock(&key->lock);
    }
    explicit_bzero(&next, sizeof next);
    return change;
}

void audit_key_id(struct audit_key *key, char id[static AUDIT_KEY_ID])
{
    (void)pthread_rwlock_rdlock(&key->lock);
    memcpy(id, key->now.id, AUDIT_KEY_ID);
    (void)pthread_rwlock_unlock(&key->lock);
}

void audit_key_mask(void *key, struct span secret, struct text *out)
{
    struct audit_key *audit_key = key;
    unsigned char digest[DIGEST_SIZE];
    char text[DIGEST_TEXT_SIZE], id[AUDIT_KEY_ID];

    (void)pthread_rwlock_rdlock(&audit_key->lock);
    mac_digest(&audit_key->now.mac, secret, digest);
    memcpy(id, audit_key->now.id, sizeof id);
    (void)pthread_rwlock_unlock(&audit_key->lock);
    digest_write(digest, text);
    text_add_string(out, "hmac-sha256:");
    text_add_string(out, id);
    text_add(out, ":", 1);
    text_add_string(out, DIGITS(text));
}

/* ---- older keys ---- */

static void kept_name(const char *id, char name[static KEPT_NAME])
{
    (void)snprintf(name, KEPT_NAME, "journal-hmac-%.*s.key", ID_DIGITS, id);
}

static bool is_id(const char *id)
{
    size_t length = strlen(id);

    for (size_t i = 0; i < length; i++)
        if (ascii_hex(id[i]) < 0 || ascii_lower(id[i]) != id[i])
            return false;
    return length == ID_DIGITS;
}

/* Reads the key that is kept under the id. */
static bool load_kept(const char *directory, const char *id, struct material *material, char *error,
                      size_t error_size)
{
    char name[KEPT_NAME];

    kept_name(id, name);
    if (!load(directory, name, material, error, error_size))
        return false;
    if (strcmp(id, material->id) == 0)
        return true;
    (void)snprintf(error, error_size, "%s/%s: this is the key %s, not the one its name says", directory, name,
                   material->id);
    return false;
}

struct audit_key *audit_key_find(const char *directory, const char *id, char *error, size_t error_size)
{
    char fault[512];
    struct audit_key *key;

    if (id != NULL && !is_id(id)) {
        (void)snprintf(error, error_size,
                       "\"%s\" is no key id: a mask is hmac-sha256:<key id>:<digest>, and the id has %d "
                       "hex digits in lower case",
                       id, ID_DIGITS);
        return NULL;
    }
    key = new_key(directory, error, error_size);
    if (key == NULL)
        return NULL;
    bool in_use = load(directory, KEY_NAME, &key->now, fault, sizeof fault) &&
                  (id == NULL || strcmp(id, key->now.id) == 0);
    if (in_use || (id != NULL && load_kept(directory, id, &key->now, error, error_size)))
        return key;
    if (id == NULL)
        (void)snprintf(error, error_size, "%s", fault);
    audit_key_free(key);
    return NULL;
}

/* ---- rotation ---- */

/* Only one at a time: a key that another rotation made meanwhile would be lost. The lock's descriptor, or -1
 * with a message. */
static int lock_directory(const char *directory, char *error, size_t error_size)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        (void)snprintf(error, error_size, "%s: another process is rotating the key", directory);
    else
        (void)snprintf(error, error_size, "%s: %s", directory, strerrordesc_np(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Keeps the key in use under its id, durably, before another takes its place. */
static bool keep(const struct audit_key *key, char *error, size_t error_size)
{
    struct key_bytes bytes = {.length = KEY_BYTES};
    struct material kept;
    char name[KEPT_NAME];

    memcpy(bytes.data, key->now.bytes, KEY_BYTES);
    kept_name(key->now.id, name);
    bool done = key_file_put(key->directory, name, &bytes, KEY_FILE_KEEP, error, error_size) &&
                load_kept(key->directory, key->now.id, &kept, error, error_size);
    explicit_bzero(&bytes, sizeof bytes);
    explicit_bzero(&kept, sizeof kept);
    return done;
}

/* Puts a new key in the place of the one in use. */
static bool replace(struct audit_key *key, char *error, size_t error_size)
{
    struct key_bytes bytes;
    bool done = fresh_key(&bytes);

    if (!done)
        (void)snprintf(error, error_size, "no random bytes: %s", strerrordesc_np(errno));
    done = done && key_file_put(key->directory, KEY_NAME, &bytes, KEY_FILE_REPLACE, error, error_size) &&
           read_material(&bytes, key->directory, KEY_NAME, &key->now, error, error_size);
    explicit_bzero(&bytes, sizeof bytes);
    return done;
}

bool audit_key_rotate(const char *directory, char old_id[static AUDIT_KEY_ID],
                      char new_id[static AUDIT_KEY_ID], char *error, size_t error_size)
{
    struct audit_key *key = new_key(directory, error, error_size);
    int lock = key != NULL ? lock_directory(directory, error, error_size) : -1;
    bool done =
        lock >= 0 && load(directory, KEY_NAME, &key->now, error, error_size) && keep(key, error, error_size);

    if (done) {
        memcpy(old_id, key->now.id, AUDIT_KEY_ID);
        done = replace(key, error, error_size);
        memcpy(new_id, key->now.id, AUDIT_KEY_ID);
    }
    audit_key_free(key);
    if (lock >= 0)
        (void)close(lock);
    return done;
}
