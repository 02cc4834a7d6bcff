#include "proxy/upstream/tls.h"
#include "proxy/base/clock.h"
#include "proxy/net/tls_bio.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A session is resumed without a look at the certificate; so every now and then there must be a full
 * handshake. */
#define RESUME_US (3600 * INT64_C(1000000))

struct tls {
    const struct config *config;
    BIO_METHOD *method;
    pthread_mutex_t lock; /* of `context` */
    SSL_CTX *context;
};

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_memory *memory = SSL_get_app_data(ssl);
    if (SSL_get_SSL_CTX(ssl) != memory->context)
        return 0; /* made under trust anchors that were replaced since */
    SSL_SESSION_free(memory->session);
    memory->session = session;
    if (!SSL_session_reused(ssl))
        memory->verified = clock_monotonic_us();
    return 1;
}

static SSL_CTX *make_context(const struct config *config, char *error, size_t error_size)
{
    static const unsigned char protocols[] = "\x08http/1.1";

    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        goto fail;
    if (!SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        SSL_CTX_set_alpn_protos(context, protocols, sizeof(protocols) - 1) != 0)
        goto fail;
    if (config->upstream.ca_file ? !SSL_CTX_load_verify_file(context, config->upstream.ca_file)
                                 : !SSL_CTX_set_default_verify_paths(context))
        goto fail;

    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    return context;

fail:;
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    snprintf(error, error_size, "%s: %s", config->upstream.ca_file ? config->upstream.ca_file : "TLS",
             reason ? reason : "cannot be read");
    ERR_clear_error();
    SSL_CTX_free(context);
    return NULL;
}

struct tls *tls_new(const struct config *config, char *error, size_t error_size)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    tls->config = config;
    tls->context = make_context(config, error, error_size);
    if (tls->context == NULL)
        goto fail_tls;
    tls->method = tls_bio_method();
    if (tls->method == NULL || pthread_mutex_init(&tls->lock, NULL) != 0) {
        snprintf(error, error_size, "out of memory");
        goto fail_context;
    }
    return tls;

fail_context:
    BIO_meth_free(tls->method);
    SSL_CTX_free(tls->context);
fail_tls:
    free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    pthread_mutex_destroy(&tls->lock);
    BIO_meth_free(tls->method);
    SSL_CTX_free(tls->context);
    free(tls);
}

bool tls_reload(struct tls *tls, char *error, size_t error_size)
{
    SSL_CTX *context = make_context(tls->config, error, error_size);
    if (context == NULL)
        return false;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->context;
    tls->context = context;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old);
    return true;
}

void tls_forget(struct tls_memory *memory)
{
    SSL_SESSION_free(memory->session);
    SSL_CTX_free(memory->context);
    *memory = (struct tls_memory){NULL, NULL, 0};
}

/* Brings the memory to the context in force. A session from another one was verified against other anchors:
 * it goes. */
static void follow_context(struct tls *tls, struct tls_memory *memory)
{
    pthread_mutex_lock(&tls->lock);
    bool same = memory->context == tls->context;
    if (!same) {
        tls_forget(memory);
        memory->context = tls->context;
        SSL_CTX_up_ref(memory->context);
    }
    pthread_mutex_unlock(&tls->lock);

    if (memory->session != NULL &&
        (!SSL_SESSION_is_resumable(memory->session) || clock_monotonic_us() - memory->verified > RESUME_US)) {
        SSL_SESSION_free(memory->session);
        memory->session = NULL;
    }
}

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Whom the certificate must name. */
static bool expect_host(SSL *ssl, const char *host)
{
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

bool tls_attach(struct tls *tls, struct tls_memory *memory, struct transport *transport)
{
    follow_context(tls, memory);
    SSL *ssl = SSL_new(memory->context);
    if (ssl == NULL)
        return false;
    if (!expect_host(ssl, tls->config->upstream.host) || !tls_bio_attach(tls->method, ssl, transport)) {
        SSL_free(ssl);
        return false;
    }
    SSL_set_app_data(ssl, memory);
    if (memory->session != NULL)
        SSL_set_session(ssl, memory->session);
    SSL_set_connect_state(ssl);
    return true;
}

bool tls_untrusted(struct tls *tls, const struct transport *transport, char *text, size_t size)
{
    long verdict = SSL_get_verify_result(transport->ssl);
    if (verdict == X509_V_OK && transport->tls_error == 0)
        return false;

    char fault[128];
    transport_fault(transport, fault, sizeof(fault));
    snprintf(text, size, "%s: %s", tls->config->upstream.host,
             verdict == X509_V_OK ? fault : X509_verify_cert_error_string(verdict));
    return true;
}
