/* The metrics page. */
#ifndef PROXY_ADMIN_METRICS_H
#define PROXY_ADMIN_METRICS_H

#include "proxy/admin/view.h"

/* Appends it in Prometheus' text format (exposition.h). Marks the page failed when memory is out. */
void metrics_write(const struct admin_view *view, struct text *page);

#endif
