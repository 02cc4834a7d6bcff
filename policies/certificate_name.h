/* Names by which the policy knows the holder of a client certificate: the subject alternative names of RFC
 * 5280 §4.2.1.6 in a notation of one kind, "uri:spiffe://example/ci", "dns:ci.example" or "email:ci@example".
 * Two names are the same when their canonical forms are, byte by byte. */
#ifndef POLICIES_CERTIFICATE_NAME_H
#define POLICIES_CERTIFICATE_NAME_H

#include "policies/span.h"

#define CERTIFICATE_NAME_BYTES 2048 /* longest name, its kind included; SPIFFE allows URIs of that length */

enum certificate_name_kind {
    CERTIFICATE_URI,
    CERTIFICATE_DNS,
    CERTIFICATE_EMAIL,
};

struct certificate_name {
    char text[CERTIFICATE_NAME_BYTES];
    size_t length;
};

/* Makes the canonical name of what a certificate holds: hosts in lower case, everything else as it is. NULL,
 * or what is wrong with it, as the end of a sentence: the bytes are hostile until this has seen them. */
const char *certificate_name_make(enum certificate_name_kind kind, struct span bytes,
                                  struct certificate_name *name);

/* The same from the notation, as a policy has it. */
const char *certificate_name_read(struct span text, struct certificate_name *name);

#endif
