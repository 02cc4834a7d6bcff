/* /livez and /readyz: what a supervisor asks. A page is a JSON object:
 * {"status":"ok"|"failing","checks":{NAME:{"ok":true|false,"why":TEXT, …}}}. */
#ifndef PROXY_ADMIN_HEALTH_H
#define PROXY_ADMIN_HEALTH_H

#include "proxy/admin/view.h"

enum health_page {
    HEALTH_LIVE,  /* do all loops turn? Else the process should be started anew */
    HEALTH_READY, /* can it do all that it is for? */
    HEALTH_READS, /* can it serve reads? They need no journal */
};

/* Appends the page; true when all is well. */
bool health_write(const struct admin_view *view, enum health_page page, struct text *out);

#endif
