/* The journal's records for other tools: OCSF events, CloudEvents, CSV. Pure: text in, text out. */
#ifndef PROXY_AUDIT_EXPORT_H
#define PROXY_AUDIT_EXPORT_H

#include "policies/text.h"

#include <jansson.h>

struct export_format;

/* The format of that name; NULL for none. */
const struct export_format *export_format_named(const char *name);

/* Appends what stands before all records: the header line of CSV. */
void export_begin(const struct export_format *format, struct text *out);

enum export_result {
    EXPORT_DONE,
    EXPORT_PASSED, /* the format has nothing for this stage */
    EXPORT_FAILED, /* memory is out */
};

/* Appends one record, as one line. `origin` is the log's name: that of the segment's header. */
enum export_result export_record(const struct export_format *format, const json_t *record, const char *origin,
                                 struct text *out);

/* Appends one cell of CSV (RFC 4180). A spreadsheet would take one that begins like a formula for a formula:
 * an apostrophe before it makes it text. */
void csv_add_cell(struct text *out, struct span cell);

#endif
