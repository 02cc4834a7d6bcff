/* The keys that session tickets (RFC 5077, RFC 8446 §4.6.1) are sealed with: made here, kept in locked
 * memory, never on a disk, the same for all workers. A key seals for one period and opens for one more; then
 * it is wiped, and what it sealed cannot be opened any more, not even by whoever takes the machine. */
#ifndef PROXY_TLS_TICKETS_H
#define PROXY_TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct tickets;

/* `lifetime_s`: how long a ticket is good, and a period. NULL when memory or random bytes are out. */
struct tickets *tickets_new(unsigned lifetime_s);

/* Wipes the keys. No connection of a context that uses them may be left. */
void tickets_free(struct tickets *tickets);

/* Seals or opens one ticket: what SSL_CTX_set_tlsext_ticket_key_evp_cb asks for, at `now_us` of the monotonic
 * clock. 1: done; 2: opened with the key of the period before, so the client should get a new one; 0: no key
 * of ours opens it; -1: failed. Any thread. */
int tickets_seal(struct tickets *tickets, unsigned char name[static 16], unsigned char *iv,
                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int64_t now_us);
int tickets_open(struct tickets *tickets, const unsigned char name[static 16], const unsigned char *iv,
                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int64_t now_us);

#endif
