/* One way to misbehave. */
#ifndef SANDBOX_FAULT_H
#define SANDBOX_FAULT_H

#include "policies/text.h"

#include <jansson.h>

#define FAULT_MESSAGE 200

enum fault_close { CLOSE_NEVER, CLOSE_BEFORE, CLOSE_MIDDLE, CLOSE_AFTER_READ };

/* Zeroed: no fault. Strings belong to the JSON value that it was read from. */
struct fault {
    uint64_t given; /* which members were given, a bit each, in the order of the table in fault.c */
    enum fault_close close;
    bool effect; /* where the API's own answer is not used: does the request change the state? */
    bool reset, chunked, until_close;
    uint64_t delay_ms, drip_ms, status, interim;
    uint64_t truncate, oversize, large_body;
    json_t *fields;   /* object of strings, or NULL */
    json_t *trailers; /* the same */
    const char *content_type, *encoding;
    struct span body, raw, surplus; /* data NULL: not given */
    bool absolute_links;
    const char *link_base; /* NULL with absolute_links: from the Host field */
};

/* Why a fault was not taken. */
struct fault_error {
    char pointer[64];
    char message[FAULT_MESSAGE];
};

/* Fills the error: the pointer to `member` ("": none) of `parent`, and a message. False, for the caller to
 * return. */
bool fault_wrong(struct fault_error *error, const char *parent, const char *member, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads the object; false and *error filled when a member is unknown, wrong, or cannot go together with
 * another. */
bool fault_read(struct fault *fault, json_t *object, struct fault_error *error);

/* Is the API's own answer (its status, fields and body, perhaps changed) what goes out? If not, only `effect`
 * says whether it is asked at all. */
bool fault_keeps_answer(const struct fault *fault);

/* Does nothing of an answer go out? */
bool fault_is_silent(const struct fault *fault);

/* Prints a line of help for each member. */
void fault_print_help(void);

#endif
