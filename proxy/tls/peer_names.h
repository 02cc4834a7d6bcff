/* The names in a client's certificate, as policy knows them (policies/certificate_name.h). */
#ifndef PROXY_TLS_PEER_NAMES_H
#define PROXY_TLS_PEER_NAMES_H

#include "policies/span.h"

#include <openssl/x509.h>

#define PEER_NAMES_MAX 32

/* One piece of memory, freed with free. */
struct peer_names {
    size_t count;
    struct span names[]; /* canonical; their bytes lie behind */
};

/* What makes the certificate's names unfit to be believed, or NULL: a subject alternative name that is
 * broken, or too many of them. Names that the policy cannot speak of (addresses, directory names) count for
 * nothing. */
const char *peer_names_fault(X509 *certificate);

/* The names of a certificate without such a fault, in their order, none twice. NULL when memory is out. */
struct peer_names *peer_names_read(X509 *certificate);

#endif
