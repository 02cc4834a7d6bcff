#include "proxy/tls/server.h"

#include "proxy/base/clock.h"
#include "proxy/base/log.h"
#include "proxy/net/tls_bio.h"
#include "proxy/tls/asn1_time.h"
#include "proxy/tls/context.h"
#include "proxy/tls/tickets.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_US INT64_C(1000000)

struct tls_server {
    const struct config *config;
    BIO_METHOD *method;
    struct tickets *tickets; /* NULL: none are given */
    pthread_mutex_t lock;    /* of all below */
    struct tls_context context;
    bool stale; /* that the stapled response is was said */
};

static struct tls_server *server_of(SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int seal)
{
    struct tickets *tickets = server_of(ssl)->tickets;

    return seal ? tickets_seal(tickets, name, iv, cipher, mac, clock_monotonic_us())
                : tickets_open(tickets, name, iv, cipher, mac, clock_monotonic_us());
}

/* Is the certificate that the session was begun with still good? */
static bool peer_is_good(const SSL_SESSION *session)
{
    const X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);
    int64_t ends;

    return peer == NULL ||
           (asn1_time_read(X509_get0_notAfter(peer), &ends) && ends > clock_now_us() / SECOND_US);
}

/* A ticket was opened, or not. One that is not ours is no fault: there is a whole handshake then. */
static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t name_length, SSL_TICKET_STATUS status, void *arg)
{
    (void)ssl;
    (void)name;
    (void)name_length;
    (void)arg;

    switch (status) {
    case SSL_TICKET_SUCCESS:
        return peer_is_good(session) ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_SUCCESS_RENEW:
        return peer_is_good(session) ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_EMPTY:
    case SSL_TICKET_NO_DECRYPT:
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    default:
        return SSL_TICKET_RETURN_ABORT;
    }
}

/* Under the lock: is there a response to give now? */
static bool staples(struct tls_server *server, const SSL *ssl)
{
    const struct stapled *stapled = &server->context.stapled;

    if (stapled->bytes == NULL || SSL_get_SSL_CTX(ssl) != server->context.ssl)
        return false; /* of another certificate than this connection's, which a reload replaced */
    if (stapled->until > clock_now_us() / SECOND_US)
        return true;
    if (!server->stale)
        log_event(LOG_WARNING, "tls",
                  "tls.ocsp_response is stale and no client gets it any more: fetch a new one "
                  "and send SIGHUP");
    server->stale = true;
    return false;
}

static int on_status(SSL *ssl, void *arg)
{
    struct tls_server *server = server_of(ssl);
    unsigned char *copy = NULL;
    (void)arg;

    (void)pthread_mutex_lock(&server->lock);
    const struct stapled *stapled = &server->context.stapled;
    size_t length = stapled->length;
    if (staples(server, ssl))
        copy = OPENSSL_memdup(stapled->bytes, length);
    (void)pthread_mutex_unlock(&server->lock);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    (void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)length); /* takes the copy over */
    return SSL_TLSEXT_ERR_OK;
}

static bool make_context(struct tls_server *server, struct tls_context *context, struct problems *problems)
{
    if (!tls_context_make(server->config, clock_now_us() / SECOND_US, context, problems))
        return false;
    SSL_CTX_set_app_data(context->ssl, server);
    (void)SSL_CTX_set_tlsext_status_cb(context->ssl, on_status);
    if (server->tickets != NULL) {
        (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl, on_ticket_key);
        (void)SSL_CTX_set_session_ticket_cb(context->ssl, NULL, on_ticket, NULL);
    }
    return true;
}

struct tls_server *tls_server_new(const struct config *config, struct problems *problems)
{
    struct tls_server *server = calloc(1, sizeof *server);

    if (server == NULL || pthread_mutex_init(&server->lock, NULL) != 0) {
        free(server);
        problems_add(problems, SEVERITY_ERROR, &config->document, "/tls",
                     "TLS cannot be set up: memory is out");
        return NULL;
    }
    server->config = config;
    server->method = tls_bio_method();
    if (config->tls.ticket_lifetime_s > 0)
        server->tickets = tickets_new(config->tls.ticket_lifetime_s);
    bool made = server->method != NULL && (server->tickets != NULL || config->tls.ticket_lifetime_s == 0);
    if (!made)
        problems_add(problems, SEVERITY_ERROR, &config->document, "/tls",
                     "TLS cannot be set up: memory is out");
    if (made && make_context(server, &server->context, problems))
        return server;
    tls_server_free(server);
    return NULL;
}

void tls_server_free(struct tls_server *server)
{
    if (server == NULL)
        return;
    tls_context_free(&server->context);
    tickets_free(server->tickets);
    BIO_meth_free(server->method);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

bool tls_server_reload(struct tls_server *server, struct problems *problems)
{
    struct tls_context next;

    if (!make_context(server, &next, problems))
        return false;
    (void)pthread_mutex_lock(&server->lock);
    struct tls_context old = server->context;
    server->context = next;
    server->stale = false;
    (void)pthread_mutex_unlock(&server->lock);
    tls_context_free(&old);
    return true;
}

void tls_server_examine(const struct config *config, struct problems *problems)
{
    struct tls_context context;

    if (tls_context_make(config, clock_now_us() / SECOND_US, &context, problems))
        tls_context_free(&context);
}

int64_t tls_server_expiry(struct tls_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    int64_t expires = server->context.expires;
    (void)pthread_mutex_unlock(&server->lock);
    return expires;
}

bool tls_server_attach(struct tls_server *server, struct transport *transport)
{
    (void)pthread_mutex_lock(&server->lock);
    SSL *ssl = SSL_new(server->context.ssl);
    (void)pthread_mutex_unlock(&server->lock);

    if (ssl == NULL || !tls_bio_attach(server->method, ssl, transport)) {
        SSL_free(ssl);
        ERR_clear_error();
        return false;
    }
    SSL_set_accept_state(ssl);
    return true;
}

struct peer_names *tls_server_peer(const struct transport *transport, bool *failed)
{
    X509 *certificate = SSL_get0_peer_certificate(transport->ssl);

    *failed = false;
    if (certificate == NULL || SSL_get_verify_result(transport->ssl) != X509_V_OK)
        return NULL;
    struct peer_names *names = peer_names_read(certificate);
    *failed = names == NULL;
    return names;
}

bool tls_server_resumed(const struct transport *transport)
{
    return SSL_session_reused(transport->ssl) == 1;
}

enum tls_fault tls_server_fault(const struct transport *transport, char *text, size_t size)
{
    long verdict = SSL_get_verify_result(transport->ssl);

    if (verdict == X509_V_ERR_APPLICATION_VERIFICATION) {
        X509 *certificate = SSL_get0_peer_certificate(transport->ssl);
        const char *fault = certificate != NULL ? peer_names_fault(certificate) : NULL;
        (void)snprintf(text, size, "client's certificate: a name in it %s", fault ? fault : "is unfit");
        return TLS_FAULT_CERTIFICATE;
    }
    if (verdict != X509_V_OK) {
        (void)snprintf(text, size, "client's certificate: %s", X509_verify_cert_error_string(verdict));
        return TLS_FAULT_CERTIFICATE;
    }
    if (transport->tls_error == 0) {
        transport_fault(transport, text, size);
        return TLS_FAULT_CLOSED;
    }
    transport_fault(transport, text, size);
    return ERR_GET_REASON(transport->tls_error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
               ? TLS_FAULT_CERTIFICATE
               : TLS_FAULT_PROTOCOL;
}
