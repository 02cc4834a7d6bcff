#include "proxy/audit/keys.h"

#include "policies/digest.h"
#include "proxy/audit/key_file.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define KEY_NAME  "journal-hmac.key"
#define KEY_BYTES 32
#define ID_DIGITS 8

struct audit_key {
    unsigned char bytes[KEY_BYTES];
    char id[ID_DIGITS + 1];
};

/* The digits alone of a digest that digest_write spelt. */
#define DIGITS(text) ((text) + sizeof "sha256:" - 1)

static bool fresh_key(struct key_bytes *bytes)
{
    bytes->length = KEY_BYTES;
    return getrandom(bytes->data, KEY_BYTES, 0) == KEY_BYTES;
}

struct audit_key *audit_key_open(const char *directory, char *error, size_t error_size)
{
    struct audit_key *key = calloc(1, sizeof *key);
    struct key_bytes bytes;
    unsigned char digest[DIGEST_SIZE];
    char text[DIGEST_TEXT_SIZE];

    if (key == NULL) {
        snprintf(error, error_size, "%s: out of memory", directory);
        return NULL;
    }
    if (!key_file_open(directory, KEY_NAME, fresh_key, &bytes, error, error_size))
        goto failed;
    if (bytes.length != KEY_BYTES) {
        snprintf(error, error_size,
                 "%s/%s: %zu bytes long instead of %d: put the right key back, or remove the file to have a "
                 "new one made (masks will then differ from older ones)",
                 directory, KEY_NAME, bytes.length, KEY_BYTES);
        goto failed;
    }
    memcpy(key->bytes, bytes.data, KEY_BYTES);
    digest_of((struct span){(const char *)key->bytes, KEY_BYTES}, digest);
    digest_write(digest, text);
    memcpy(key->id, DIGITS(text), ID_DIGITS);
    explicit_bzero(&bytes, sizeof bytes);
    return key;

failed:
    explicit_bzero(&bytes, sizeof bytes);
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
