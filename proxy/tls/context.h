/* What the settings of TLS say, as a context of OpenSSL for a server: protocol versions, ciphers, groups, the
 * certificate and key, whom clients' certificates may be signed by. */
#ifndef PROXY_TLS_CONTEXT_H
#define PROXY_TLS_CONTEXT_H

#include "proxy/config/config.h"
#include "proxy/tls/stapled.h"

#include <openssl/ssl.h>

struct tls_context {
    SSL_CTX *ssl;
    struct stapled stapled;
    int64_t expires; /* when the certificate does, seconds since the epoch */
};

/* Makes it of the files that the settings name; SSL_CTX_set_app_data and the callbacks that need it are the
 * caller's. False when anything is wrong: all of that, and what is only to be warned of, is in `problems`, at
 * its setting. `now`: seconds since the epoch. */
bool tls_context_make(const struct config *config, int64_t now, struct tls_context *out,
                      struct problems *problems);

void tls_context_free(struct tls_context *context);

#endif
