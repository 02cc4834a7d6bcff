/* The access log: one JSON line a request, refused ones too. Workers collect lines and hand them over by the
 * batch; a thread of its own does the writing, so that a slow disk or a full pipe holds up no request.
 * Bounded: what finds no room is counted, and the count logged. */
#ifndef PROXY_OBSERVE_ACCESS_LOG_H
#define PROXY_OBSERVE_ACCESS_LOG_H

#include "policies/text.h"

struct access_log;

/* Opens the file for appending ("-": stderr; NULL path: a log that drops everything) and starts the thread.
 * NULL with a logged reason when it cannot be opened. */
struct access_log *access_log_open(const char *path);

/* Hands over whole lines and clears the text. Any thread; never blocks on the disk. */
void access_log_hand(struct access_log *log, struct text *lines);

/* Lines lost since the start. Any thread. */
unsigned long access_log_lost(struct access_log *log);

/* Opens the file anew (SIGUSR1, after rotation). The old one stays in use when that fails. */
void access_log_reopen(struct access_log *log);

/* Writes what is left, ends the thread, frees. */
void access_log_close(struct access_log *log);

#endif
