/* Where the journal is shipped to, as the settings spell it. Pure. */
#ifndef PROXY_CONFIG_PLACE_H
#define PROXY_CONFIG_PLACE_H

#include "proxy/config/value.h"

/* "unix:/dev/log" or "tls://host:port". */
struct place_syslog {
    const char *path;     /* of a socket, within the text that was parsed; NULL: TLS */
    struct origin origin; /* TLS: the port is 6514 where none was written */
};

/* Reads one. NULL when it is right, else what is wrong (static); *place is then empty. */
const char *place_syslog_parse(const char *text, struct place_syslog *place);
void place_syslog_free(struct place_syslog *place);

/* "https://host:port/path?query"; http:// only to this machine. The path may be a secret: messages never show
 * it. */
struct place_webhook {
    struct origin origin;
    char *target; /* origin-form */
};

const char *place_webhook_parse(const char *text, struct place_webhook *place);
void place_webhook_free(struct place_webhook *place);

#endif
