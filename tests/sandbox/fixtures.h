/* What the sandbox begins with: a fixtures file or the built-in set. */
#ifndef SANDBOX_FIXTURES_H
#define SANDBOX_FIXTURES_H

#include "tests/sandbox/store.h"

/* Why a fixtures document is wrong. */
struct fixtures_fault {
    char message[288];
};

/* Fills an empty store from the text of a fixtures file. False and *fault filled otherwise; the store is to
 * be cleared then. */
bool fixtures_read(struct store *store, struct span text, struct fixtures_fault *fault);

/* Fills an empty store with the built-in set; false when memory is out. */
bool fixtures_built_in(struct store *store);

#endif
