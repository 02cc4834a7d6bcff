#include "proxy/admin/token.h"

#include "proxy/config/secret_source.h"

#include <openssl/crypto.h>

#define SCHEME "Bearer "

bool admin_token_load(struct admin_token *token, const struct config_secret *source, char *error,
                      size_t error_size)
{
    char room[SECRET_ROOM];
    struct span secret;

    if (!secret_source_given(source))
        return true;
    const char *fault = secret_source_read(source, room, &secret);
    if (fault == NULL) {
        token->demanded = true;
        digest_of(secret, token->digest);
    } else {
        secret_source_complain("admin.token", source, fault, error, error_size);
    }
    explicit_bzero(room, sizeof room);
    return fault == NULL;
}

/* The one Authorization field; NULL without one, or with more. */
static const struct field *authorization(const struct request *request)
{
    const struct field *found = NULL;

    for (size_t i = 0; i < request->field_count; i++) {
        if (!span_equal_nocase(request->fields[i].name, SPAN("Authorization")))
            continue;
        if (found != NULL)
            return NULL;
        found = &request->fields[i];
    }
    return found;
}

bool admin_token_shown(const struct admin_token *token, const struct request *request)
{
    const struct field *field = authorization(request);
    const struct span scheme = SPAN(SCHEME);
    unsigned char digest[DIGEST_SIZE];

    if (!token->demanded)
        return true;
    if (field == NULL || field->value.length < scheme.length ||
        !span_equal_nocase((struct span){field->value.data, scheme.length}, scheme))
        return false;
    digest_of((struct span){field->value.data + scheme.length, field->value.length - scheme.length}, digest);
    return CRYPTO_memcmp(digest, token->digest, sizeof digest) == 0;
}
