#include "proxy/tls/pem.h"

#include "proxy/base/file.h"
#include "proxy/note/key_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

#define FILE_BYTES (16ul * 1024 * 1024) /* revocation lists of large authorities are long */

const char *pem_reason(const char *otherwise)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    ERR_clear_error();
    return reason != NULL ? reason : otherwise;
}

/* The file in memory; NULL with a message. Both are to be freed. */
static BIO *open_file(const char *path, struct text *bytes, char *error, size_t error_size)
{
    const char *problem = "memory is out";
    BIO *file = NULL;

    if (file_read(path, FILE_BYTES, bytes, &problem))
        file = BIO_new_mem_buf(bytes->data, (int)bytes->length);
    if (file == NULL)
        (void)snprintf(error, error_size, "cannot be read: %s", problem);
    ERR_clear_error();
    return file;
}

/* Did the last one read end with the file, and not with something that is broken? */
static bool at_end(void)
{
    unsigned long last = ERR_peek_last_error();

    return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * pem_certificates(const char *path, char *error, size_t error_size)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    struct text bytes = {0};
    BIO *file = open_file(path, &bytes, error, error_size);
    X509 *one = NULL;

    while (file != NULL && all != NULL && (one = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL)
        if (sk_X509_push(all, one) <= 0)
            X509_free(one);
    bool good = file != NULL && at_end() && sk_X509_num(all) > 0;
    if (file != NULL && !good)
        (void)snprintf(error, error_size, "%s",
                       at_end() ? "holds no certificate in PEM form"
                                : pem_reason("cannot be kept: memory is out"));
    ERR_clear_error();
    BIO_free(file);
    text_free(&bytes);
    if (good)
        return all;
    pem_free_certificates(all);
    return NULL;
}

void pem_free_certificates(STACK_OF(X509) * certificates)
{
    sk_X509_pop_free(certificates, X509_free);
}

STACK_OF(X509_CRL) * pem_crls(const char *path, char *error, size_t error_size)
{
    STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
    struct text bytes = {0};
    BIO *file = open_file(path, &bytes, error, error_size);
    X509_CRL *one = NULL;

    while (file != NULL && all != NULL && (one = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL)) != NULL)
        if (sk_X509_CRL_push(all, one) <= 0)
            X509_CRL_free(one);
    bool good = file != NULL && at_end() && sk_X509_CRL_num(all) > 0;
    if (file != NULL && !good)
        (void)snprintf(error, error_size, "%s",
                       at_end() ? "holds no revocation list in PEM form"
                                : pem_reason("cannot be kept: memory is out"));
    ERR_clear_error();
    BIO_free(file);
    text_free(&bytes);
    if (good)
        return all;
    pem_free_crls(all);
    return NULL;
}

void pem_free_crls(STACK_OF(X509_CRL) * crls)
{
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
}

/* Called for a key that is encrypted. */
static int on_passphrase(char *to, int room, int writing, void *arg)
{
    bool *asked = arg;
    (void)to;
    (void)room;
    (void)writing;

    *asked = true;
    return -1;
}

EVP_PKEY *pem_key(const char *path, char *error, size_t error_size)
{
    struct key_bytes bytes;
    char why[512] = "";
    bool asked = false;

    if (!key_file_read(path, &bytes, why, sizeof why)) {
        /* it begins with the path, which the caller says */
        size_t named = strlen(path) + sizeof ": " - 1;
        (void)snprintf(error, error_size, "%s", strlen(why) > named ? why + named : why);
        explicit_bzero(&bytes, sizeof bytes);
        return NULL;
    }
    ERR_clear_error();
    BIO *file = BIO_new_mem_buf(bytes.data, (int)bytes.length);
    EVP_PKEY *key = file != NULL ? PEM_read_bio_PrivateKey(file, NULL, on_passphrase, &asked) : NULL;
    if (key == NULL)
        (void)snprintf(error, error_size, "%s",
                       asked ? "is encrypted: the gate can ask nobody for its passphrase"
                             : "holds no private key in PEM form");
    ERR_clear_error();
    BIO_free(file);
    explicit_bzero(&bytes, sizeof bytes);
    return key;
}
