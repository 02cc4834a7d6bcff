#include "proxy/ship/destination.h"

#include "proxy/ship/line_socket.h"
#include "proxy/ship/syslog_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Syslog (RFC 5424) to a UNIX socket: a datagram a message, or lines on a stream; or over TLS with octet
 * counting (RFC 5425). A message counts as taken once it is written: syslog has no answer. */
struct syslog {
    struct line_socket *socket;
    struct syslog_sender sender;
    struct text message; /* the memory of one */
};

static bool wanted(const struct config *config)
{
    return config->ship.syslog != NULL;
}

static void close_syslog(void *destination)
{
    struct syslog *syslog = destination;

    if (syslog == NULL)
        return;
    line_socket_free(syslog->socket);
    text_free(&syslog->message);
    free(syslog);
}

static void *open_syslog(const struct config *config, const struct stopping *stopping, char *error,
                         size_t error_size)
{
    struct syslog *syslog = calloc(1, sizeof *syslog);

    if (syslog == NULL) {
        (void)snprintf(error, error_size, "memory is out");
        return NULL;
    }
    syslog->sender.process = (long)getpid();
    if (gethostname(syslog->sender.host, sizeof syslog->sender.host - 1) != 0)
        syslog->sender.host[0] = '\0';
    syslog->socket = line_socket_new(config, stopping, error, error_size);
    if (syslog->socket != NULL)
        return syslog;
    close_syslog(syslog);
    return NULL;
}

/* Composes the message as the socket takes it, in at most `limit` bytes for a datagram. */
static void frame(struct syslog *syslog, struct span line, enum line_framing framing, size_t limit)
{
    struct text *message = &syslog->message;

    text_clear(message);
    message->failed = false;
    if (framing == LINE_FRAMED_DATAGRAM) {
        syslog_message_write_short(&syslog->sender, line, limit, message);
        return;
    }
    syslog_message_write(&syslog->sender, line, message);
    if (framing == LINE_FRAMED_NEWLINE)
        text_add_string(message, "\n");
}

/* "MSG-LEN SP" before the message: what RFC 5425 §4.3 asks for. */
static bool send_counted(struct syslog *syslog, char *why)
{
    char count[24];
    int length = snprintf(count, sizeof count, "%zu ", syslog->message.length);
    struct text *message = &syslog->message;

    if (!text_reserve(message, (size_t)length)) {
        (void)snprintf(why, DESTINATION_WHY, "memory is out");
        return false;
    }
    memmove(message->data + length, message->data, message->length);
    memcpy(message->data, count, (size_t)length);
    message->length += (size_t)length;
    return line_socket_send(syslog->socket, message->data, message->length, why) == LINE_SENT;
}

static bool ship_line(struct syslog *syslog, struct span line, char *why)
{
    if (!line_socket_connect(syslog->socket, why))
        return false;
    enum line_framing framing = line_socket_framing(syslog->socket);
    enum line_sent sent = LINE_TOO_LARGE;

    /* A socket may take less than the bound. */
    for (size_t limit = SYSLOG_DATAGRAM; sent == LINE_TOO_LARGE && limit >= 1024; limit /= 2) {
        frame(syslog, line, framing, limit);
        if (syslog->message.failed) {
            (void)snprintf(why, DESTINATION_WHY, "memory is out");
            return false;
        }
        if (framing == LINE_FRAMED_COUNT)
            return send_counted(syslog, why);
        sent = line_socket_send(syslog->socket, syslog->message.data, syslog->message.length, why);
    }
    return sent == LINE_SENT;
}

static bool ship_batch(void *destination, struct batch *batch, char why[static DESTINATION_WHY])
{
    while (batch->taken < batch->count) {
        if (!ship_line(destination, batch_line(batch, batch->taken), why))
            return false;
        batch->taken++;
    }
    return true;
}

static bool reload(void *destination, char *error, size_t error_size)
{
    const struct syslog *syslog = destination;

    return line_socket_reload(syslog->socket, error, error_size);
}

const struct destination destination_syslog = {.name = "syslog",
                                               .wanted = wanted,
                                               .open = open_syslog,
                                               .ship = ship_batch,
                                               .reload = reload,
                                               .close = close_syslog};
