/* Content-Type: type "/" subtype and parameters (RFC 9110 §8.3.1). */
#ifndef POLICIES_MEDIA_TYPE_H
#define POLICIES_MEDIA_TYPE_H

#include "policies/span.h"

enum media_type {
    MEDIA_TYPE_JSON,    /* application/vnd.api+json or application/json, in UTF-8 */
    MEDIA_TYPE_CHARSET, /* one of these in another charset */
    MEDIA_TYPE_OTHER,
    MEDIA_TYPE_MALFORMED,
};

/* Reads the field's value. Names are compared without case; parameters but charset are read and left. */
enum media_type media_type_read(struct span value);

#endif
