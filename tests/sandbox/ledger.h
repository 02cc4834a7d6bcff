/* The ledger: one JSON line for each request, as it was received, written before it is answered. */
#ifndef SANDBOX_LEDGER_H
#define SANDBOX_LEDGER_H

#include "tests/sandbox/http.h"

struct ledger {
    int file; /* -1: no ledger is kept */
    uint64_t sequence;
    struct text line;
};

/* Opens the file for appending, readable by its owner only, because it holds tokens; NULL keeps no ledger.
 * False when it cannot be opened (errno says why). */
bool ledger_open(struct ledger *ledger, const char *path);

/* Appends the request in one write; false when it could not be written whole (errno says why). */
bool ledger_append(struct ledger *ledger, uint64_t connection, const struct http_request *request);

/* Closes the file. */
void ledger_close(struct ledger *ledger);

#endif
