/* The journal's directory: made, locked, listed. Internal to proxy/audit. */
#ifndef PROXY_AUDIT_DIRECTORY_H
#define PROXY_AUDIT_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct directory {
    char *path;
    int fd;
    int lock; /* the lock file, locked for as long as it is open */
};

/* Makes the directory, refuses one that others may write to, takes the lock. False with a message; where the
 * reason may pass by itself, *passing says it in short (static), else it is NULL. */
bool directory_open(struct directory *directory, const char *path, const char **passing, char *error,
                    size_t error_size);
void directory_close(struct directory *directory);

/* A fault (errno) that may pass without anybody changing how the gate is set up - a full or read-only disk,
 * an I/O error, no memory or descriptors - as a text that lasts as long as the program; NULL for another. */
const char *directory_passing(int fault);

/* The short reason when another process holds the lock. */
extern const char directory_locked[];

/* Makes names added or taken away durable. */
bool directory_sync(const struct directory *directory);

/* Is it still what its path leads to? */
bool directory_same(const struct directory *directory);

/* "<path>/<name>", malloc'ed. */
char *directory_join(const struct directory *directory, const char *name);

/* The time as file names show it: "20260131T235959Z". */
#define DIRECTORY_TIME 17
void directory_time(int64_t epoch_us, char text[static DIRECTORY_TIME]);

/* Names of segments begin with their first sequence number, so that their order by name does not hang on a
 * clock. */
#define SEGMENT_NAME 40 /* "0000000000000001-20260131T235959Z.jsonl" and its NUL */

struct segment_name {
    uint64_t first_seq;
    char text[SEGMENT_NAME];
};

void segment_name_make(struct segment_name *name, uint64_t first_seq, int64_t epoch_us);

/* Is it the name of a segment? */
bool segment_name_read(const char *text, struct segment_name *name);

/* The part of the name that says when it was begun, as directory_time has it; not terminated behind that. */
const char *segment_name_time(const struct segment_name *name);

/* All segments, oldest first; *names is malloc'ed. False (errno) when the directory cannot be read. */
bool directory_list(const struct directory *directory, struct segment_name **names, size_t *count);

#endif
