/* Inside of the configuration: the table of settings that config.c holds and read.c walks. */
#ifndef PROXY_CONFIG_SETTINGS_H
#define PROXY_CONFIG_SETTINGS_H

#include "proxy/config/config.h"

enum setting_kind {
    SETTING_LISTENERS,    /* struct config_listener *listen, with listen_count */
    SETTING_NETWORKS,     /* struct networks */
    SETTING_SOCKET,       /* char *: a UNIX socket; made absolute */
    SETTING_ADMIN,        /* struct config_address, TCP or UNIX; text NULL for none */
    SETTING_COUNT,        /* unsigned */
    SETTING_MILLISECONDS, /* unsigned */
    SETTING_SECONDS,      /* unsigned */
    SETTING_BYTES,        /* size_t */
    SETTING_ORIGIN,       /* char *: "https://host:port", as written */
    SETTING_FILE,         /* char *: a file that is read; made absolute */
    SETTING_DIRECTORY,    /* char *: a directory that the gate writes to; made absolute */
    SETTING_LOG,          /* char *: a file that is written, made absolute, or "-" */
    SETTING_KEY,          /* char *: made absolute, or "pkcs11:…" as written */
    SETTING_NAME,         /* char *: visible ASCII without '+' */
    SETTING_COMMAND,      /* char **: NULL-terminated; a program that holds a slash is made absolute */
    SETTING_LITERALS,     /* char **: NULL-terminated; literal IP addresses without a port */
    SETTING_SYSLOG,       /* char *: "unix:/path" or "tls://host:port", as written */
    SETTING_WEBHOOK,      /* char *: a URL, as written; https, or http to this machine */
    SETTING_SECRET,       /* struct config_secret */
    SETTING_CHOICE,       /* unsigned: index of one of its words; an enum has its values in that order */
    SETTING_ACCOUNT,      /* char *: name of a user or group of this machine */
    SETTING_SWITCH,       /* bool */
    SETTING_VERIFIER,     /* char *: a public key of signed notes (note/note.h), as written */
    SETTING_KINDS
};

struct setting {
    const char *name; /* "upstream.queue": member `queue` of the object `upstream` */
    enum setting_kind kind;
    size_t offset;        /* in struct config */
    uint64_t least, most; /* bounds of a number; of the length of a list */
    bool nullable;
    const char *standard; /* the default, as JSON; NULL: must be given */
    const char *help;
};

/* tls.c: what the settings of TLS say together, and with the listeners. */
void config_tls_check(const struct config *config, struct problems *problems);

/* All settings, in the order of the manual. Static storage. */
const struct setting *config_settings(size_t *count);

/* listen.c: reads the list of listeners into `listen`. */
void config_listen_read(struct config *config, const struct setting *setting, const char *pointer,
                        json_t *value, struct problems *problems);
void config_listen_free(struct config *config);

/* networks.c: reads a list of networks; and whether listeners have those that they need. */
void config_networks_read(struct config *config, const struct setting *setting, const char *pointer,
                          json_t *value, struct problems *problems);
void config_networks_check(const struct config *config, struct problems *problems);

/* The words of a SETTING_CHOICE, NULL-terminated; NULL for other kinds. Static storage. */
const char *const *setting_choices(const struct setting *setting);

/* Is the value of this setting a char * that the configuration owns? */
bool setting_is_text(const struct setting *setting);

#endif
