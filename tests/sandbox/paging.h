/* Cursor-based pages of a list of records. */
#ifndef SANDBOX_PAGING_H
#define SANDBOX_PAGING_H

#include "tests/sandbox/call.h"

struct page {
    struct record *const *records; /* of the whole list, by number */
    size_t total;
    size_t from, to; /* this page: from .. to - 1 */
    size_t limit;
};

/* Checks `limit`, `starting_after` and `ending_before` alone; false after an error. */
bool page_check(struct call *call);

/* Cuts the page that the call asks for out of the list; false after an error. */
bool page_cut(struct call *call, struct record *const *records, size_t total, struct page *page);

/* Appends ,"links":{…} with self, first, last, and prev and next where there are such pages. The other
 * parameters are kept. */
void page_add_links(struct call *call, const struct page *page);

#endif
