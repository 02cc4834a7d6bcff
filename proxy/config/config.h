/* The configuration file (conf/portcullis.json): one declarative row for each setting in config.c, which
 * drives reading, bounds, defaults, `check`'s messages and the manual. Paths are relative to the file. */
#ifndef PROXY_CONFIG_CONFIG_H
#define PROXY_CONFIG_CONFIG_H

#include "policies/document.h"
#include "policies/network.h"
#include "proxy/base/file.h"

#include <stdint.h>

enum address_kind {
    ADDRESS_TCP,     /* "127.0.0.1:8080", "[::1]:0" */
    ADDRESS_UNIX,    /* "unix:/run/portcullis/portcullis.sock" */
    ADDRESS_SYSTEMD, /* "systemd:NAME": a socket that systemd listens at and hands over */
};

struct config_address {
    char *text;
    enum address_kind kind;
    char *host;    /* TCP: without brackets; UNIX: absolute path; systemd: NAME */
    uint16_t port; /* TCP only */
};

struct config_listener {
    struct config_address address;
    bool tls;
    bool proxy_protocol; /* every connection begins with a PROXY header */
    unsigned mode;       /* UNIX: permissions of the socket's file */
};

struct config_secret { /* where one is to be had; both NULL: there is none */
    char *env;
    char *file; /* absolute */
};

enum config_client_certificate { /* as the words in config.c */
                                 CLIENT_CERTIFICATE_NONE,
                                 CLIENT_CERTIFICATE_OPTIONAL,
                                 CLIENT_CERTIFICATE_REQUIRED,
};

enum config_radius { RADIUS_ALWAYS, RADIUS_WHEN_NEEDED }; /* as the words in config.c */

enum config_reply { REPLY_DURABLE, REPLY_QUEUED }; /* as the words in config.c */

struct config {
    struct document document; /* the file itself, for error messages */

    struct config_listener *listen; /* one at least */
    size_t listen_count;
    struct networks trusted_networks; /* whose PROXY headers and X-Forwarded-For are believed */
    unsigned workers;                 /* resolved: never 0 */
    char *public_url; /* "https://gate.example" that links are rewritten to; NULL: scheme and Host of the
                         request */

    struct {                     /* of listeners with `tls` */
        char *certificate, *key; /* absolute; NULL both: there is no TLS */
        enum config_client_certificate client_certificate;
        char *client_ca, *client_crl; /* absolute; NULL: none */
        char *ocsp_response;          /* absolute; NULL: none */
        unsigned ticket_lifetime_s;   /* 0: no tickets */
    } tls;

    struct {
        char *url; /* as written */
        bool tls;
        char *host; /* without brackets */
        uint16_t port;
        char *authority;           /* as Host is sent: port only when it is not the scheme's own */
        char *ca_file;             /* absolute; NULL: the system's store */
        unsigned connections;      /* with a request under way; bound per worker */
        unsigned idle_connections; /* without; bound per worker */
        unsigned queue_wait_ms;    /* 0: any */
        unsigned retry_after_s, retry_after_most_s;
        unsigned queue; /* requests that may wait for a connection, per worker; more get 503 */
        unsigned connect_timeout_ms, first_byte_timeout_ms, total_timeout_ms, idle_timeout_ms;
        size_t json_bytes;   /* bound on a JSON answer */
        size_t header_bytes; /* bound on an answer's header */
        unsigned resolve_interval_s;
        char *proxy;      /* URL, as written; NULL: connect to the upstream itself */
        char *proxy_host; /* of that */
        uint16_t proxy_port;
        struct config_secret proxy_credentials; /* "user:password" */
        char **addresses; /* literal, in place of looking up; NULL-terminated; NULL: none */
        unsigned eject_failures, eject_seconds;
    } upstream;

    char *contract; /* absolute paths */
    char *policy;
    char *policy_shadow; /* a candidate that only observes; NULL: none */
    bool policy_watch;   /* these files, and those that they name, are read anew when they change */

    struct {
        char *file; /* absolute; NULL: none is demanded */
        char *key;  /* public, as note_key_read takes it; given where `file` is */
    } manifest;

    struct {                 /* what the gate asks the API before a change */
        unsigned radius;     /* enum config_radius */
        unsigned requests;   /* for one change */
        unsigned timeout_ms; /* for all of them */
    } facts;

    struct {
        char *directory;
        char *keys;
        unsigned queue; /* records that may wait for the disk */
        enum config_reply reply;
        char *origin;             /* NULL: the journal's own, or one made of the host's name */
        char *signing_key;        /* absolute path or "pkcs11:" URI; NULL: the one in `keys` */
        size_t segment_bytes;     /* a new segment is begun beyond this */
        unsigned segment_seconds; /* or when it is that old; 0: never */
        unsigned keep_days;       /* 0: for ever */
        unsigned checkpoint_records, checkpoint_seconds;
        char **checkpoint_command; /* NULL-terminated; NULL: none */
    } audit;

    struct {
        struct config_address listen; /* text NULL: nowhere */
        struct config_secret token;   /* given where `listen` is no address of this machine */
    } admin;

    struct {
        struct config_address listen; /* text NULL: nowhere */
        bool tls;
    } approvals;

    struct {
        char *syslog;  /* "unix:/path" or "tls://host:port"; NULL: none */
        char *webhook; /* URL, perhaps a secret; NULL: none */
        struct config_secret webhook_token;
        char *ca_file; /* absolute; NULL: the system's store */
        char *state;   /* directory of the positions */
    } ship;

    char *access_log; /* absolute path; "-" is stderr; NULL is none */

    struct {
        size_t header_bytes, target_bytes, body_bytes;
        unsigned header_fields;
        unsigned handshake_timeout_ms; /* of TLS */
        unsigned header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms, exchange_timeout_ms;
        unsigned body_bytes_per_s, answer_bytes_per_s; /* 0: any */
        unsigned rate_grace_ms;
        unsigned requests_per_connection; /* 0: no bound */
        size_t drain_bytes; /* read and thrown away after a refusal, so that the client can read the answer */
        unsigned drain_timeout_ms;
        unsigned connections;             /* in all */
        unsigned connections_per_address; /* over all workers; 0: no bound */
        unsigned exchanges;               /* per worker */
        unsigned loop_lag_ms;             /* 0: any */
        size_t held_bytes;                /* of answers, per worker */
        size_t unfinished_bytes;          /* of requests, per worker */
        unsigned backlog;
    } limits;

    struct {
        char *user, *group; /* NULL: none */
        unsigned confine;   /* enum confine_demand */
    } process;

    char *takeover; /* absolute path of the UNIX socket; NULL: no gate takes over from this one */
    unsigned takeover_wait_ms;

    unsigned stop_timeout_ms; /* how long running exchanges may take after SIGTERM */
};

/* Reads the file. NULL when it has errors; all of them are in `problems`. Freed with config_free. */
struct config *config_read(const char *path, struct problems *problems);
void config_free(struct config *config);

/* The same for check, which goes on to the files that this one names: what could be read, in spite of errors.
 * Texts of wrong settings are NULL. NULL when the file is no JSON object. */
struct config *config_examine(const char *path, struct problems *problems);

/* Appends the manual of all settings: a line each with name, type, bounds, default and what it is for. */
void config_write_manual(struct text *out);

#endif
