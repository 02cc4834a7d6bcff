/* Times as certificates have them. */
#ifndef PROXY_TLS_MOMENT_H
#define PROXY_TLS_MOMENT_H

#include <openssl/asn1.h>
#include <stdbool.h>
#include <stdint.h>

/* Seconds since the epoch; false for a time that is none. */
bool moment_read(const ASN1_TIME *time, int64_t *seconds);

/* "2026-01-31 23:59:59 UTC" */
#define MOMENT_TEXT 32
void moment_write(int64_t seconds, char text[static MOMENT_TEXT]);

#endif
