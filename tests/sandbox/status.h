/* The words for HTTP statuses. */
#ifndef SANDBOX_STATUS_H
#define SANDBOX_STATUS_H

/* The reason phrase of a status; "Unknown" for those it does not know. */
const char *status_reason(int status);

#endif
