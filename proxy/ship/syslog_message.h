/* A line of the journal as a message of RFC 5424. Pure. */
#ifndef PROXY_SHIP_SYSLOG_MESSAGE_H
#define PROXY_SHIP_SYSLOG_MESSAGE_H

#include "policies/text.h"

struct syslog_sender {
    char host[256]; /* visible ASCII, or "-" */
    long process;
};

/* Most bytes of a message that goes as one datagram; longer ones are cut or thrown away by common receivers.
 */
#define SYSLOG_DATAGRAM 8192

/* Appends the message: facility 13 (log audit), severity by what the record says, its time, its stage as
 * MSGID, its number and request id as structured data, and the line itself. */
void syslog_message_write(const struct syslog_sender *sender, struct span line, struct text *out);

/* The same in at most `limit` bytes: where the line is too long, its largest members are left out and a
 * member `left_out` names them; the journal has them. `limit` must be 1024 at least. */
void syslog_message_write_short(const struct syslog_sender *sender, struct span line, size_t limit,
                                struct text *out);

#endif
