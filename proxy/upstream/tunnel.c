#include "proxy/upstream/tunnel.h"
#include "proxy/config/secret_source.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ENCODED_BYTES (4 * ((SECRET_ROOM + 2) / 3) + 1)
#define REQUEST_BYTES (ENCODED_BYTES + 1024) /* a name has 253 characters at most, and is there twice */
#define ANSWER_PIECE  4096

struct tunnel_way {
    const struct config *config;
    pthread_mutex_t lock; /* of all below */
    size_t length;
    char request[REQUEST_BYTES];
};

/* "user:password" as the value of Basic (RFC 7617) into `encoded`; NULL, or what is wrong with it. */
static const char *encode_credentials(const struct config_secret *source, char encoded[static ENCODED_BYTES])
{
    char secret[SECRET_ROOM];
    struct span value;
    const char *fault = secret_source_read(source, secret, &value);
    if (fault == NULL && (value.data[0] == ':' || memchr(value.data, ':', value.length) == NULL))
        fault = "must be user:password";
    if (fault == NULL)
        EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)value.data, (int)value.length);
    explicit_bzero(secret, sizeof(secret));
    return fault;
}

/* Writes the request into `out`; false with a message. */
static bool compose(const struct config *config, char out[static REQUEST_BYTES], char *error,
                    size_t error_size)
{
    const struct config_secret *source = &config->upstream.proxy_credentials;
    const char *host = config->upstream.host;
    bool six = strchr(host, ':') != NULL;
    char authority[300], encoded[ENCODED_BYTES] = "";
    const char *fault = secret_source_given(source) ? encode_credentials(source, encoded) : NULL;
    if (fault != NULL) {
        snprintf(error, error_size, "upstream.proxy_credentials: %s %s: %s",
                 source->env != NULL ? "variable" : "file", source->env != NULL ? source->env : source->file,
                 fault);
        return false;
    }
    /* The port is always there: a CONNECT has no scheme that could give it. */
    snprintf(authority, sizeof(authority), six ? "[%s]:%u" : "%s:%u", host, (unsigned)config->upstream.port);
    snprintf(out, REQUEST_BYTES, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", authority, authority,
             encoded[0] != '\0' ? "Proxy-Authorization: Basic " : "", encoded,
             encoded[0] != '\0' ? "\r\n" : "");
    explicit_bzero(encoded, sizeof(encoded));
    return true;
}

bool tunnel_way_reload(struct tunnel_way *way, char *error, size_t error_size)
{
    char request[REQUEST_BYTES];
    bool composed = compose(way->config, request, error, error_size);
    if (composed) {
        pthread_mutex_lock(&way->lock);
        way->length = strlen(request);
        memcpy(way->request, request, sizeof(request));
        pthread_mutex_unlock(&way->lock);
    }
    explicit_bzero(request, sizeof(request));
    return composed;
}

struct tunnel_way *tunnel_way_new(const struct config *config, char *error, size_t error_size)
{
    struct tunnel_way *way = calloc(1, sizeof(*way));
    if (way == NULL || pthread_mutex_init(&way->lock, NULL) != 0) {
        snprintf(error, error_size, "out of memory");
        free(way);
        return NULL;
    }
    way->config = config;
    if (tunnel_way_reload(way, error, error_size))
        return way;
    tunnel_way_free(way);
    return NULL;
}

void tunnel_way_free(struct tunnel_way *way)
{
    if (way == NULL)
        return;
    pthread_mutex_destroy(&way->lock);
    explicit_bzero(way->request, sizeof(way->request));
    free(way);
}

bool tunnel_begin(struct tunnel *tunnel, struct tunnel_way *way, struct answer *answer)
{
    pthread_mutex_lock(&way->lock);
    *tunnel = (struct tunnel){.request = malloc(way->length), .length = way->length};
    if (tunnel->request != NULL)
        memcpy(tunnel->request, way->request, way->length);
    pthread_mutex_unlock(&way->lock);
    answer_begin_connect(answer);
    return tunnel->request != NULL;
}

void tunnel_end(struct tunnel *tunnel)
{
    if (tunnel->request != NULL)
        explicit_bzero(tunnel->request, tunnel->length);
    free(tunnel->request);
    *tunnel = (struct tunnel){NULL, 0, 0};
}

static enum tunnel_result lost(const struct transport *transport, char *fault, size_t fault_size)
{
    transport_fault(transport, fault, fault_size);
    return TUNNEL_BROKEN;
}

/* The answer is there as far as it matters: nothing may lie behind it, since it is for us to speak first. */
static enum tunnel_result judge(const struct answer *answer, size_t behind, char *fault, size_t fault_size)
{
    int status = answer_status(answer);
    if (status == 407)
        snprintf(fault, fault_size,
                 "it answered 407: it wants other credentials (upstream.proxy_credentials)");
    else if (status / 100 != 2)
        snprintf(fault, fault_size, "it answered %d", status);
    else if (behind > 0)
        snprintf(fault, fault_size, "it sent bytes behind its answer");
    else
        return TUNNEL_OPEN;
    return TUNNEL_REFUSED;
}

static enum tunnel_result read_answer(struct transport *transport, struct answer *answer, char *fault,
                                      size_t fault_size)
{
    char bytes[ANSWER_PIECE];
    size_t length = 0;
    struct span piece;
    switch (transport_read(transport, bytes, sizeof(bytes), &length)) {
    case TRANSPORT_DONE:
        break;
    case TRANSPORT_WANTS_READ:
    case TRANSPORT_WANTS_WRITE:
        return TUNNEL_WANTS_READ;
    case TRANSPORT_ENDED:
        snprintf(fault, fault_size, "closed before its answer");
        return TUNNEL_BROKEN;
    default:
        return lost(transport, fault, fault_size);
    }
    size_t taken = answer_read(answer, (struct span){bytes, length}, &piece);
    if (answer_state(answer) == ANSWER_HEAD)
        return TUNNEL_WANTS_READ;
    if (answer_state(answer) == ANSWER_DONE)
        return judge(answer, length - taken, fault, fault_size);
    snprintf(fault, fault_size, "its answer is not HTTP as it should be: %s", answer_fault(answer));
    return TUNNEL_REFUSED;
}

enum tunnel_result tunnel_step(struct tunnel *tunnel, struct transport *transport, struct answer *answer,
                               char *fault, size_t fault_size)
{
    while (tunnel->request != NULL) {
        size_t taken = 0;
        switch (transport_write(transport, tunnel->request + tunnel->written,
                                tunnel->length - tunnel->written, &taken)) {
        case TRANSPORT_DONE:
            break;
        case TRANSPORT_WANTS_WRITE:
            return TUNNEL_WANTS_WRITE;
        default:
            return lost(transport, fault, fault_size);
        }
        tunnel->written += taken;
        if (tunnel->written == tunnel->length)
            tunnel_end(tunnel);
    }
    return read_answer(transport, answer, fault, fault_size);
}
