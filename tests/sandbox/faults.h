/* The faults that are set: which requests they hit, and how often still. */
#ifndef SANDBOX_FAULTS_H
#define SANDBOX_FAULTS_H

#include "tests/sandbox/fault.h"
#include "tests/sandbox/http.h"

struct fault_rule;

struct faults {
    struct fault_rule *first; /* in the order in which they were set */
    uint64_t last_id;
};

/* Sets the fault that the JSON text describes: {"match":{…},"fault":{…},"count":1}. Its id; 0 and *error
 * filled when it is wrong. */
uint64_t faults_add(struct faults *faults, struct span text, struct fault_error *error);

/* The fault of the first rule that the request meets, counted down; NULL when there is none. It lives until
 * the next call of faults_settle. */
const struct fault *faults_take(struct faults *faults, const struct http_request *request);

/* Removes the rules that are used up. */
void faults_settle(struct faults *faults);

/* Appends the rules as JSON objects, with commas between them. */
void faults_write(const struct faults *faults, struct text *out);

/* Removes the rule of that id (decimal); false when there is none. */
bool faults_remove(struct faults *faults, struct span id);

/* Removes all. */
void faults_clear(struct faults *faults);

#endif
