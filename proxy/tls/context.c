#include "proxy/tls/context.h"

#include "proxy/tls/asn1_time.h"
#include "proxy/tls/peer_names.h"
#include "proxy/tls/pem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* Forward secrecy and authenticated encryption only; those of TLS 1.3 all are that. */
#define CIPHERS                                                                                              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                             \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                             \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS     "X25519:P-256:P-384"
#define SIGNATURES                                                                                           \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"           \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

#define SECURITY_LEVEL 2           /* 112 bits: RSA keys of 2048 at least, no SHA-1 */
#define CHAIN_BYTES    (32 * 1024) /* longest chain that a client may send */
#define CHAIN_DEPTH    8
#define SOON_S         (14 * 86400) /* a certificate that ends within that is warned of */

struct making {
    const struct config *config;
    int64_t now;
    SSL_CTX *ssl;
    STACK_OF(X509) * chain; /* that of the certificate, itself first */
    struct tls_context *out;
    struct problems *problems;
};

static void note(struct making *making, enum severity severity, const char *pointer, const char *path,
                 const char *what)
{
    problems_add(making->problems, severity, &making->config->document, pointer, "%s %s",
                 path != NULL ? path_shown(path) : "TLS", what);
}

static void wrong(struct making *making, const char *pointer, const char *path, const char *what)
{
    note(making, SEVERITY_ERROR, pointer, path, what);
}

/* Says "<what> <moment>" of the file. */
static void note_moment(struct making *making, enum severity severity, const char *pointer, const char *path,
                        const char *what, int64_t moment)
{
    char text[ASN1_TIME_TEXT];

    asn1_time_write(moment, text);
    problems_add(making->problems, severity, &making->config->document, pointer, "%s %s %s", path_shown(path),
                 what, text);
}

/* ---- protocol ---- */

/* RFC 7301 §3.2: a client that offers protocols, but not ours, is told so by an alert, and not left to find
 * out that its HTTP/2 is taken for a malformed request. */
static int on_protocols(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                        const unsigned char *offered, unsigned int offered_length, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found = NULL;
    (void)ssl;
    (void)arg;

    if (SSL_select_next_proto(&found, length, ours, sizeof ours - 1, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_protocol(struct making *making)
{
    SSL_CTX *ssl = making->ssl;

    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    SSL_CTX_set_alpn_select_cb(ssl, on_protocols, NULL);
    /* What was decrypted, credentials among it, is wiped behind the read.
     * An end without close_notify is taken for one with it: HTTP's framing says whether a request is whole.
     */
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_CLEANSE_PLAINTEXT |
                                       SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    /* A read that came upon a record without data returns: the worker has others to serve. */
    (void)SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_max_cert_list(ssl, CHAIN_BYTES);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, 0) == 1 && SSL_CTX_set_cipher_list(ssl, CIPHERS) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, CIPHERS_13) == 1 && SSL_CTX_set1_groups_list(ssl, GROUPS) == 1 &&
           SSL_CTX_set1_sigalgs_list(ssl, SIGNATURES) == 1 &&
           SSL_CTX_set1_client_sigalgs_list(ssl, SIGNATURES) == 1 && SSL_CTX_set_max_early_data(ssl, 0) == 1;
}

/* How long sessions last; the keys of their tickets are the caller's. */
static bool set_tickets(struct making *making)
{
    unsigned lifetime = making->config->tls.ticket_lifetime_s;

    if (lifetime == 0) {
        (void)SSL_CTX_set_options(making->ssl, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(making->ssl, 0) == 1;
    }
    (void)SSL_CTX_set_timeout(making->ssl, (long)lifetime);
    return SSL_CTX_set_num_tickets(making->ssl, 1) == 1;
}

/* ---- the gate's certificate ---- */

static void check_period(struct making *making, X509 *leaf)
{
    const char *path = making->config->tls.certificate, *at = "/tls/certificate";
    int64_t begins;

    if (!asn1_time_read(X509_get0_notBefore(leaf), &begins) ||
        !asn1_time_read(X509_get0_notAfter(leaf), &making->out->expires))
        wrong(making, at, path, "does not say from when to when it is good");
    else if (begins > making->now)
        note_moment(making, SEVERITY_ERROR, at, path, "is not good before", begins);
    else if (making->out->expires <= making->now)
        note_moment(making, SEVERITY_ERROR, at, path, "expired", making->out->expires);
    else if (making->out->expires - making->now < SOON_S)
        note_moment(making, SEVERITY_WARNING, at, path, "expires soon:", making->out->expires);
}

static void load_certificate(struct making *making)
{
    const char *path = making->config->tls.certificate;
    char error[256] = "";

    making->chain = pem_certificates(path, error, sizeof error);
    if (making->chain == NULL) {
        wrong(making, "/tls/certificate", path, error);
        return;
    }
    X509 *leaf = sk_X509_value(making->chain, 0);
    bool taken = SSL_CTX_use_certificate(making->ssl, leaf) == 1;
    for (int i = 1; taken && i < sk_X509_num(making->chain); i++)
        taken = SSL_CTX_add1_chain_cert(making->ssl, sk_X509_value(making->chain, i)) == 1;
    if (!taken)
        wrong(making, "/tls/certificate", path, pem_reason("cannot be kept: memory is out"));
    if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
        wrong(making, "/tls/certificate", path, "is not for a server (extended key usage)");
    check_period(making, leaf);
    ERR_clear_error();
}

static void load_key(struct making *making)
{
    const char *path = making->config->tls.key;
    char error[512] = "";
    EVP_PKEY *key = pem_key(path, error, sizeof error);

    if (key == NULL)
        wrong(making, "/tls/key", path, error);
    else if (making->chain != NULL && X509_check_private_key(sk_X509_value(making->chain, 0), key) != 1)
        wrong(making, "/tls/key", path, "is not the key of the certificate in tls.certificate");
    else if (making->chain != NULL && SSL_CTX_use_PrivateKey(making->ssl, key) != 1)
        wrong(making, "/tls/key", path, pem_reason("cannot be kept: memory is out"));
    EVP_PKEY_free(key);
    ERR_clear_error();
}

static void load_stapled(struct making *making)
{
    const char *path = making->config->tls.ocsp_response;
    struct stapled *stapled = &making->out->stapled;
    char error[256] = "";

    if (path == NULL || making->chain == NULL)
        return;
    if (!stapled_read(path, sk_X509_value(making->chain, 0), making->chain, stapled, error, sizeof error))
        wrong(making, "/tls/ocsp_response", path, error);
    else if (stapled->until <= making->now)
        note_moment(making, SEVERITY_WARNING, "/tls/ocsp_response", path,
                    "is stale, and no client will get it: it was good until", stapled->until);
}

/* ---- clients' certificates ---- */

/* Besides OpenSSL's own verification: names that are made to deceive. */
static int on_verify(int good, X509_STORE_CTX *verifying)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(verifying);

    if (good != 1 || X509_STORE_CTX_get_error_depth(verifying) != 0 || peer_names_fault(certificate) == NULL)
        return good;
    X509_STORE_CTX_set_error(verifying, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static void load_authorities(struct making *making, EVP_MD_CTX *trust)
{
    const char *path = making->config->tls.client_ca;
    char error[256] = "";
    STACK_OF(X509) *authorities = pem_certificates(path, error, sizeof error);
    X509_STORE *store = SSL_CTX_get_cert_store(making->ssl);
    bool kept = true;

    if (authorities == NULL)
        wrong(making, "/tls/client_ca", path, error);
    for (int i = 0; i < sk_X509_num(authorities); i++) {
        X509 *one = sk_X509_value(authorities, i);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        kept = kept && X509_STORE_add_cert(store, one) == 1 && SSL_CTX_add_client_CA(making->ssl, one) == 1 &&
               X509_digest(one, EVP_sha256(), digest, &length) == 1 &&
               EVP_DigestUpdate(trust, digest, length) == 1;
        if (X509_check_ca(one) == 0)
            wrong(making, "/tls/client_ca", path, "holds a certificate that is no authority's");
    }
    if (!kept)
        wrong(making, "/tls/client_ca", path, pem_reason("cannot be kept: memory is out"));
    pem_free_certificates(authorities);
}

static void check_crl(struct making *making, X509_CRL *crl)
{
    const char *path = making->config->tls.client_crl;
    int64_t next;

    if (X509_CRL_get0_nextUpdate(crl) == NULL)
        return;
    if (!asn1_time_read(X509_CRL_get0_nextUpdate(crl), &next))
        wrong(making, "/tls/client_crl", path, "does not say until when it is good");
    else if (next <= making->now)
        note_moment(making, SEVERITY_ERROR, "/tls/client_crl", path,
                    "holds a list that was to be replaced before", next);
}

static void load_crls(struct making *making, EVP_MD_CTX *trust)
{
    const char *path = making->config->tls.client_crl;
    char error[256] = "";
    STACK_OF(X509_CRL) *crls = path != NULL ? pem_crls(path, error, sizeof error) : NULL;
    X509_STORE *store = SSL_CTX_get_cert_store(making->ssl);
    bool kept = true;

    if (path == NULL)
        return;
    if (crls == NULL)
        wrong(making, "/tls/client_crl", path, error);
    for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
        X509_CRL *one = sk_X509_CRL_value(crls, i);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned length = 0;
        check_crl(making, one);
        kept = kept && X509_STORE_add_crl(store, one) == 1 &&
               X509_CRL_digest(one, EVP_sha256(), digest, &length) == 1 &&
               EVP_DigestUpdate(trust, digest, length) == 1;
    }
    if (!kept || X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
        wrong(making, "/tls/client_crl", path, pem_reason("cannot be kept: memory is out"));
    pem_free_crls(crls);
}

/* A session is resumed without a look at the certificate: so none that was made under other authorities,
 * lists or demands is. Sessions are only resumed where this id is the same. */
static bool set_session_id(struct making *making, EVP_MD_CTX *trust)
{
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    return EVP_DigestFinal_ex(trust, id, &length) == 1 && length <= SSL_MAX_SID_CTX_LENGTH &&
           SSL_CTX_set_session_id_context(making->ssl, id, length) == 1;
}

static bool load_clients(struct making *making)
{
    const enum config_client_certificate wanted = making->config->tls.client_certificate;
    const unsigned char demand = (unsigned char)wanted;
    EVP_MD_CTX *trust = EVP_MD_CTX_new();
    bool good = trust != NULL && EVP_DigestInit_ex2(trust, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(trust, &demand, sizeof demand) == 1;

    if (good && wanted != CLIENT_CERTIFICATE_NONE) {
        load_authorities(making, trust);
        load_crls(making, trust);
        SSL_CTX_set_verify(making->ssl,
                           SSL_VERIFY_PEER |
                               (wanted == CLIENT_CERTIFICATE_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           on_verify);
        SSL_CTX_set_verify_depth(making->ssl, CHAIN_DEPTH);
    }
    good = good && set_session_id(making, trust);
    EVP_MD_CTX_free(trust);
    return good;
}

bool tls_context_make(const struct config *config, int64_t now, struct tls_context *out,
                      struct problems *problems)
{
    struct making making = {.config = config, .now = now, .out = out, .problems = problems};
    size_t errors = problems->errors;

    *out = (struct tls_context){0};
    ERR_clear_error();
    making.ssl = SSL_CTX_new(TLS_server_method());
    if (making.ssl == NULL || !set_protocol(&making) || !set_tickets(&making) || !load_clients(&making)) {
        wrong(&making, "/tls", NULL, pem_reason("cannot be set up: memory is out"));
    } else {
        load_certificate(&making);
        load_key(&making);
        load_stapled(&making);
    }
    ERR_clear_error();
    pem_free_certificates(making.chain);
    out->ssl = making.ssl;
    if (problems->errors == errors)
        return true;
    tls_context_free(out);
    return false;
}

void tls_context_free(struct tls_context *context)
{
    SSL_CTX_free(context->ssl);
    stapled_free(&context->stapled);
    *context = (struct tls_context){0};
}
