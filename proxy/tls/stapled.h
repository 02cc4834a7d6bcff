/* The OCSP response (RFC 6960) that is given to clients with the certificate (RFC 6066 §8). */
#ifndef PROXY_TLS_STAPLED_H
#define PROXY_TLS_STAPLED_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is none. */
struct stapled {
    unsigned char *bytes; /* DER */
    size_t length;
    int64_t until; /* it is good before that, seconds since the epoch */
};

/* Reads and examines the file: a response of success, signed by the issuer or somebody whom the issuer told
 * to, that says "good" of `certificate`, and until when. The issuer is looked for in `chain`. False with a
 * message that ends a sentence about the file. Whether it is stale is the caller's to see. */
bool stapled_read(const char *path, X509 *certificate, STACK_OF(X509) * chain, struct stapled *out,
                  char *error, size_t error_size);

void stapled_free(struct stapled *stapled);

#endif
