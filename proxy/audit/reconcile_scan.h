/* Looks through the journal for what earlier runs left open: intents without an outcome, and those whose
 * outcome is unknown and that were never reconciled. It reads from the last run backwards, as far as a run
 * that had settled all before it, and in small steps: the loop that calls it has other things to do. Internal
 * to the files reconcile*.c. */
#ifndef PROXY_AUDIT_RECONCILE_SCAN_H
#define PROXY_AUDIT_RECONCILE_SCAN_H

#include "policies/span.h"

#include <jansson.h>

/* The `result` of the `recovered` record that says: of earlier runs nothing is open any more. */
#define RECONCILE_SETTLED "settled"

struct reconcile_scan;

enum reconcile_scan_state {
    SCAN_MORE,
    SCAN_DONE,
    SCAN_FAILED, /* *error says why (good until the scan is freed) */
};

/* For a journal that is open, so that its newest segment belongs to the present run. NULL with a message. */
struct reconcile_scan *reconcile_scan_open(const char *directory, char *error, size_t error_size);
void reconcile_scan_free(struct reconcile_scan *scan);

/* Reads on. */
enum reconcile_scan_state reconcile_scan_step(struct reconcile_scan *scan, const char **error);

/* The open intents' records by request id, once it is done; borrowed. */
json_t *reconcile_scan_found(const struct reconcile_scan *scan);

/* Were there earlier runs at all? */
bool reconcile_scan_any(const struct reconcile_scan *scan);

#endif
