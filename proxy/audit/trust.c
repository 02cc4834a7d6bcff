#include "proxy/audit/trust.h"

#include "proxy/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VKEY_BYTES 4096

static bool add(struct trust *trust, const struct note_key *key, char *error, size_t error_size)
{
    if (trust_has(trust, key))
        return true;

    struct note_key *keys = reallocarray(trust->keys, trust->count + 1, sizeof *keys);
    if (keys == NULL) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    keys[trust->count++] = *key;
    trust->keys = keys;
    return true;
}

static bool add_file(struct trust *trust, const char *path, char *error, size_t error_size)
{
    struct text text = {0};
    const char *fault = NULL;
    struct note_key key;
    bool read = file_read(path, VKEY_BYTES, &text, &fault) &&
                note_key_read((struct span){text.data, text.length}, &key, &fault);

    if (!read)
        snprintf(error, error_size, "%s: %s", path, fault);
    text_free(&text);
    return read && add(trust, &key, error, error_size);
}

bool trust_add(struct trust *trust, const char *vkey_or_path, char *error, size_t error_size)
{
    const char *fault;
    struct note_key key;

    if (note_key_read(span_of(vkey_or_path), &key, &fault))
        return add(trust, &key, error, error_size);
    if (access(vkey_or_path, F_OK) == 0)
        return add_file(trust, vkey_or_path, error, error_size);
    snprintf(error, error_size, "%s: neither a file nor a public key (%s)", vkey_or_path, fault);
    return false;
}

/* The one in use first. */
static int by_name(const struct dirent **one, const struct dirent **other)
{
    return -strcmp((*one)->d_name, (*other)->d_name);
}

static int is_vkey(const struct dirent *item)
{
    return fnmatch("verifier.vkey", item->d_name, 0) == 0 || fnmatch("verifier-*.vkey", item->d_name, 0) == 0;
}

bool trust_add_directory(struct trust *trust, const char *directory, char *error, size_t error_size)
{
    struct dirent **items = NULL;
    int count = scandir(directory, &items, is_vkey, by_name);
    bool added = count >= 0;

    if (!added)
        snprintf(error, error_size, "%s: %s", directory, strerrordesc_np(errno));
    for (int i = 0; i < count; i++) {
        char *path = NULL;

        if (added && asprintf(&path, "%s/%s", directory, items[i]->d_name) < 0) {
            snprintf(error, error_size, "out of memory");
            path = NULL;
        }
        added = added && path != NULL && add_file(trust, path, error, error_size);
        free(path);
        free(items[i]);
    }
    free(items);
    return added;
}

bool trust_has(const struct trust *trust, const struct note_key *key)
{
    for (size_t i = 0; i < trust->count; i++)
        if (strcmp(trust->keys[i].name, key->name) == 0 &&
            memcmp(trust->keys[i].key, key->key, sizeof key->key) == 0)
            return true;
    return false;
}

enum note_verdict trust_verify(const struct trust *trust, struct span note, struct span *text, size_t *signer,
                               const char **fault)
{
    enum note_verdict verdict = NOTE_NOT_SIGNED_BY_KEY;

    for (size_t i = 0; i < trust->count; i++) {
        struct span signed_text;
        enum note_verdict one = note_verify(note, &trust->keys[i], &signed_text, fault);

        if (one == NOTE_BAD_SIGNATURE || one == NOTE_MALFORMED)
            return one;
        if (one == NOTE_GOOD && verdict != NOTE_GOOD) {
            verdict = NOTE_GOOD;
            *text = signed_text;
            *signer = i;
        }
    }
    return verdict;
}

void trust_free(struct trust *trust)
{
    free(trust->keys);
    *trust = (struct trust){0};
}
