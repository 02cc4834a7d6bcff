#include "proxy/tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NAME_BYTES   16
#define SECRET_BYTES 32
#define IV_BYTES     16

struct ticket_key {
    unsigned char name[NAME_BYTES]; /* stands in the ticket, in clear */
    unsigned char cipher[SECRET_BYTES];
    unsigned char mac[SECRET_BYTES];
};

/* In pages of their own. */
struct ticket_keys {
    struct ticket_key current, previous;
};

struct tickets {
    EVP_CIPHER *cipher;
    pthread_mutex_t lock; /* of all below */
    struct ticket_keys *keys;
    bool has_previous;
    int64_t period_us, made_us; /* monotonic; 0: no key was made yet */
};

static struct ticket_keys *map_keys(void)
{
    const size_t size = sizeof(struct ticket_keys);
    struct ticket_keys *keys = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (keys == MAP_FAILED)
        return NULL;
    /* Tried: without it they may reach the swap, as credentials.c says once. */
    (void)mlock(keys, size);
    (void)madvise(keys, size, MADV_DONTDUMP);
    return keys;
}

struct tickets *tickets_new(unsigned lifetime_s)
{
    struct tickets *tickets = calloc(1, sizeof *tickets);

    if (tickets == NULL)
        return NULL;
    tickets->period_us = (int64_t)lifetime_s * 1000000;
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    tickets->keys = map_keys();
    if (tickets->cipher != NULL && tickets->keys != NULL && pthread_mutex_init(&tickets->lock, NULL) == 0)
        return tickets;
    if (tickets->keys != NULL)
        (void)munmap(tickets->keys, sizeof *tickets->keys);
    EVP_CIPHER_free(tickets->cipher);
    free(tickets);
    return NULL;
}

void tickets_free(struct tickets *tickets)
{
    if (tickets == NULL)
        return;
    explicit_bzero(tickets->keys, sizeof *tickets->keys);
    (void)munmap(tickets->keys, sizeof *tickets->keys);
    (void)pthread_mutex_destroy(&tickets->lock);
    EVP_CIPHER_free(tickets->cipher);
    free(tickets);
}

/* Makes the keys those of this moment. */
static bool rotate(struct tickets *tickets, int64_t now_us)
{
    struct ticket_keys *keys = tickets->keys;
    int64_t age = now_us - tickets->made_us;

    if (tickets->made_us != 0 && age < tickets->period_us)
        return true;
    tickets->has_previous = tickets->made_us != 0 && age < 2 * tickets->period_us;
    if (tickets->has_previous)
        keys->previous = keys->current;
    else
        explicit_bzero(&keys->previous, sizeof keys->previous);
    explicit_bzero(&keys->current, sizeof keys->current);
    tickets->made_us = 0;
    if (RAND_bytes(keys->current.name, NAME_BYTES) != 1 ||
        RAND_priv_bytes(keys->current.cipher, SECRET_BYTES) != 1 ||
        RAND_priv_bytes(keys->current.mac, SECRET_BYTES) != 1)
        return false;
    tickets->made_us = now_us;
    return true;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, SECRET_BYTES),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

int tickets_seal(struct tickets *tickets, unsigned char name[static 16], unsigned char *iv,
                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int64_t now_us)
{
    (void)pthread_mutex_lock(&tickets->lock);
    bool ready = rotate(tickets, now_us) && RAND_bytes(iv, IV_BYTES) == 1;
    struct ticket_key *key = &tickets->keys->current;
    if (ready)
        memcpy(name, key->name, NAME_BYTES);
    ready = ready && EVP_EncryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) == 1 &&
            set_mac(mac, key);
    (void)pthread_mutex_unlock(&tickets->lock);
    return ready ? 1 : -1;
}

int tickets_open(struct tickets *tickets, const unsigned char name[static 16], const unsigned char *iv,
                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int64_t now_us)
{
    struct ticket_key *key = NULL;
    int opens = 0;

    (void)pthread_mutex_lock(&tickets->lock);
    bool ready = rotate(tickets, now_us);
    if (ready && CRYPTO_memcmp(name, tickets->keys->current.name, NAME_BYTES) == 0) {
        key = &tickets->keys->current;
        opens = 1;
    } else if (ready && tickets->has_previous &&
               CRYPTO_memcmp(name, tickets->keys->previous.name, NAME_BYTES) == 0) {
        key = &tickets->keys->previous;
        opens = 2;
    }
    if (key != NULL)
        ready = EVP_DecryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) == 1 && set_mac(mac, key);
    (void)pthread_mutex_unlock(&tickets->lock);
    return ready ? opens : -1;
}
