/* Records of what has happened to the gate itself. */
#ifndef PROXY_AUDIT_OWED_H
#define PROXY_AUDIT_OWED_H

#include "proxy/audit/record.h"

/* Appends such a record through the port, with nobody waiting for it. It is owed even while the journal is
 * broken or not open yet; one that cannot be made is counted as missed. */
void journal_owe(struct journal *journal, struct journal_port *port, const struct record_fields *fields);

#endif
