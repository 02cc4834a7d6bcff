/* Random identifiers: request ids (UUID version 4, RFC 9562 §5.4) and W3C Trace Context ids. Drawn from the
 * kernel by the batch; a byte is used once and wiped. */
#ifndef PROXY_BASE_ENTROPY_H
#define PROXY_BASE_ENTROPY_H

#include <stddef.h>

#define UUID_TEXT 37 /* with its NUL */

/* One for each thread; zeroed is ready. */
struct entropy {
    unsigned char bytes[1024];
    size_t left;
};

/* A UUID in lower case. Ends the process when the kernel gives no random bytes: nothing here can be trusted
 * then. */
void entropy_uuid(struct entropy *entropy, char text[static UUID_TEXT]);

/* 2 * `bytes` lower-case hex digits and a NUL. */
void entropy_hex(struct entropy *entropy, size_t bytes, char *text);

#endif
