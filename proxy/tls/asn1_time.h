/* Times as certificates have them. */
#ifndef PROXY_TLS_ASN1_TIME_H
#define PROXY_TLS_ASN1_TIME_H

#include <openssl/asn1.h>
#include <stdbool.h>
#include <stdint.h>

/* Seconds since the epoch; false for a time that is none. */
bool asn1_time_read(const ASN1_TIME *time, int64_t *seconds);

/* "2026-01-31 23:59:59 UTC" */
#define ASN1_TIME_TEXT 32
void asn1_time_write(int64_t seconds, char text[static ASN1_TIME_TEXT]);

#endif
