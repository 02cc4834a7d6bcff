#include "proxy/note/base64.h"
#include "proxy/note/key_file.h"
#include "proxy/note/note.h"
#include "proxy/note/note_internal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define KEY_NAME "journal-signing.key"
#define PKCS11   "pkcs11:"

#define SIGNATURE_LINE 512 /* more than the longest one, and the empty line before it */

struct note_signer {
    EVP_PKEY *pair;
    struct note_key key;
};

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

/* A new key, as PEM. */
static bool fresh_key(struct key_bytes *bytes)
{
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *memory = BIO_new(BIO_s_secmem()); /* wiped when it is freed */
    bool made = pair != NULL && memory != NULL &&
                PEM_write_bio_PKCS8PrivateKey(memory, pair, NULL, NULL, 0, NULL, NULL) == 1;
    int length = made ? BIO_read(memory, bytes->data, sizeof bytes->data) : 0;

    bytes->length = length > 0 ? (size_t)length : 0;
    BIO_free_all(memory);
    EVP_PKEY_free(pair);
    ERR_clear_error();
    errno = bytes->length > 0 ? 0 : ENOMEM;
    return bytes->length > 0;
}

/* The key pair of a PEM text; NULL with a message. */
static EVP_PKEY *read_pem(const struct key_bytes *bytes, const char *path, char *error, size_t error_size)
{
    BIO *memory = BIO_new_mem_buf(bytes->data, (int)bytes->length);
    EVP_PKEY *pair = memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, no_passphrase, NULL) : NULL;

    if (pair == NULL)
        snprintf(error, error_size, "%s: not a private key in PEM without a passphrase", path);
    BIO_free(memory);
    return pair;
}

static EVP_PKEY *load_own(const char *directory, bool make, char *error, size_t error_size)
{
    EVP_PKEY *pair = NULL;
    struct key_bytes bytes;
    char *path;

    if (asprintf(&path, "%s/%s", directory, KEY_NAME) < 0) {
        snprintf(error, error_size, "%s: out of memory", directory);
        return NULL;
    }
    if (!make && access(path, F_OK) != 0 && errno == ENOENT)
        snprintf(
            error, error_size,
            "%s: the journal's signing key is not there, and none is made in place of a lost one. Bring it "
            "back from a copy; or, if there is none, rename verifier.vkey in the journal's directory to "
            "verifier-<id>.vkey, the id being the eight hex digits behind its first +: a new key is made "
            "then, and older checkpoints are verified with the old public key",
            path);
    else if (key_file_open(directory, KEY_NAME, fresh_key, &bytes, error, error_size))
        pair = read_pem(&bytes, path, error, error_size);
    explicit_bzero(&bytes, sizeof bytes);
    free(path);
    return pair;
}

static EVP_PKEY *load_file(const char *path, char *error, size_t error_size)
{
    EVP_PKEY *pair = NULL;
    struct key_bytes bytes;

    if (key_file_read(path, &bytes, error, error_size))
        pair = read_pem(&bytes, path, error, error_size);
    explicit_bzero(&bytes, sizeof bytes);
    return pair;
}

/* From whatever provider OpenSSL's own configuration names for such a URI. The URI may hold a PIN, so no
 * message repeats it. */
static EVP_PKEY *load_uri(const char *uri, char *error, size_t error_size)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    EVP_PKEY *pair = NULL;

    if (store == NULL) {
        snprintf(error, error_size,
                 "the signing key's " PKCS11 " URI: OpenSSL has no provider that opens it; its configuration "
                 "(openssl.cnf) must load one");
        return NULL;
    }
    if (OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) == 1)
        while (pair == NULL && OSSL_STORE_eof(store) == 0 && OSSL_STORE_error(store) == 0) {
            OSSL_STORE_INFO *info = OSSL_STORE_load(store);

            if (info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
                pair = OSSL_STORE_INFO_get1_PKEY(info);
            OSSL_STORE_INFO_free(info);
        }
    OSSL_STORE_close(store);
    if (pair == NULL)
        snprintf(error, error_size, "the signing key's " PKCS11 " URI: no private key is found there");
    return pair;
}

static EVP_PKEY *load(const char *directory, const char *source, bool make, char *error, size_t error_size)
{
    if (source == NULL)
        return load_own(directory, make, error, error_size);
    if (strncasecmp(source, PKCS11, sizeof PKCS11 - 1) == 0)
        return load_uri(source, error, error_size);
    return load_file(source, error, error_size);
}

/* The 32 bytes of the public key; a provider may know only one of the two ways. */
static bool public_bytes(const EVP_PKEY *pair, unsigned char bytes[static 32])
{
    size_t length = 32;

    if (EVP_PKEY_is_a(pair, "ED25519") != 1)
        return false;
    if (EVP_PKEY_get_raw_public_key(pair, bytes, &length) == 1)
        return length == 32;
    return EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, bytes, 32, &length) == 1 &&
           length == 32;
}

static bool sign(const struct note_signer *signer, struct span text,
                 unsigned char signature[static NOTE_SIGNATURE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t length = NOTE_SIGNATURE;
    bool made =
        context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, signer->pair) == 1 &&
        EVP_DigestSign(context, signature, &length, (const unsigned char *)text.data, text.length) == 1 &&
        length == NOTE_SIGNATURE;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return made;
}

/* Does it sign so that its public key verifies? A key whose halves do not belong together is found now, not
 * when somebody needs the proof. */
static bool try_out(const struct note_signer *signer)
{
    static const struct span probe = {"probe\n", 6};
    unsigned char signature[NOTE_SIGNATURE];

    return sign(signer, probe, signature) && note_signature_good(&signer->key, probe, signature);
}

struct note_signer *note_signer_open(const char *directory, const char *source, bool make, const char *name,
                                     char *error, size_t error_size)
{
    struct note_signer *signer = calloc(1, sizeof *signer);
    unsigned char bytes[32];
    const char *fault;

    if (signer == NULL) {
        snprintf(error, error_size, "out of memory");
        goto failed;
    }
    signer->pair = load(directory, source, make, error, error_size);
    if (signer->pair == NULL)
        goto failed;
    if (!public_bytes(signer->pair, bytes)) {
        snprintf(error, error_size, "the signing key: not an Ed25519 key");
        goto failed;
    }
    if (!note_key_make(span_of(name), bytes, &signer->key, &fault)) {
        snprintf(error, error_size, "\"%s\" cannot name a key: %s", name, fault);
        goto failed;
    }
    if (!try_out(signer)) {
        snprintf(error, error_size, "the signing key: it does not sign what its public key verifies");
        goto failed;
    }
    ERR_clear_error();
    return signer;

failed:
    ERR_clear_error();
    note_signer_free(signer);
    return NULL;
}

void note_signer_free(struct note_signer *signer)
{
    if (signer == NULL)
        return;
    EVP_PKEY_free(signer->pair); /* wipes */
    free(signer);
}

const struct note_key *note_signer_key(const struct note_signer *signer)
{
    return &signer->key;
}

bool note_sign(const struct note_signer *signer, struct span text, struct text *out)
{
    unsigned char bytes[sizeof signer->key.id + NOTE_SIGNATURE];

    memcpy(bytes, signer->key.id, sizeof signer->key.id);
    if (text.length > NOTE_BYTES - SIGNATURE_LINE || note_text_fault(text) != NULL ||
        !sign(signer, text, bytes + sizeof signer->key.id)) {
        out->failed = true;
        return false;
    }
    text_add(out, text.data, text.length);
    text_add_string(out, "\n" NOTE_DASH);
    text_add_string(out, signer->key.name);
    text_add(out, " ", 1);
    base64_write(bytes, sizeof bytes, out);
    text_add(out, "\n", 1);
    return !out->failed;
}
