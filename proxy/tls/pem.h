/* Certificates, revocation lists and keys as they lie in files: PEM, bounded, read whole before anything is
 * made of them. Each NULL answer comes with a message that ends a sentence about the file ("holds no
 * certificate"). */
#ifndef PROXY_TLS_PEM_H
#define PROXY_TLS_PEM_H

#include <openssl/x509.h>
#include <stddef.h>

/* All certificates of the file, one at least; freed with pem_free_certificates. */
STACK_OF(X509) * pem_certificates(const char *path, char *error, size_t error_size);
void pem_free_certificates(STACK_OF(X509) * certificates);

/* All revocation lists of the file, one at least; freed with pem_free_crls. */
STACK_OF(X509_CRL) * pem_crls(const char *path, char *error, size_t error_size);
void pem_free_crls(STACK_OF(X509_CRL) * crls);

/* The private key of a file that nobody else may read (note/key_file.h); freed with EVP_PKEY_free. One that
 * is encrypted is refused: nobody is there to be asked for its passphrase. */
EVP_PKEY *pem_key(const char *path, char *error, size_t error_size);

/* What OpenSSL says of its first error, and forgets about all of them; `otherwise` when it says nothing. */
const char *pem_reason(const char *otherwise);

#endif
