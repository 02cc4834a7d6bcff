/* Who may ask the admin listener: everybody who reaches it, or whoever shows the token of `admin.token`. Only
 * the token's digest is kept. */
#ifndef PROXY_ADMIN_TOKEN_H
#define PROXY_ADMIN_TOKEN_H

#include "policies/digest.h"
#include "policies/request.h"
#include "proxy/config/config.h"

struct admin_token {
    bool demanded;
    unsigned char digest[DIGEST_SIZE];
};

/* Reads it, where the setting names one. false with a message; the token is then what it was. */
bool admin_token_load(struct admin_token *token, const struct config_secret *source, char *error,
                      size_t error_size);

/* Does the request show it (RFC 6750 §2.1: one Authorization field with the scheme Bearer), or need not? The
 * time that this takes does not depend on the token. */
bool admin_token_shown(const struct admin_token *token, const struct request *request);

#endif
