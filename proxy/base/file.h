/* Files read whole, what they are known by again, and paths relative to a file. */
#ifndef PROXY_BASE_FILE_H
#define PROXY_BASE_FILE_H

#include "policies/document.h"

#include <stdint.h>

/* The whole file's bytes, at most `limit`, read into `out`; false with *problem a message (static) when it
 * cannot be. */
bool file_read(const char *path, size_t limit, struct text *out, const char **problem);

/* The same from an open descriptor, which stays open. */
bool file_read_descriptor(int descriptor, size_t limit, struct text *out, const char **problem);

/* A file of at most `limit` bytes as a document; false with the problem noted under the path as messages show
 * it. document_free either way. */
bool file_read_document(struct document *document, const char *path, size_t limit, struct problems *problems);

/* `path` made absolute against the directory that holds the file `beside`. malloc'ed; NULL when memory is
 * out. */
char *path_beside(const char *beside, const char *path);

/* Makes the directory where it is missing (0700, with what is missing above it). False (errno) with a
 * message. */
bool directory_make(const char *path, char *error, size_t error_size);

/* What a file is known by again: another one in its place, or other bytes in it, has another mark. All zero:
 * there is none. */
struct file_mark {
    uint64_t device, inode, bytes;
    int64_t modified_ns, changed_ns;
};

/* The mark of what the path leads to now. */
struct file_mark file_mark(const char *path);
bool file_mark_equal(const struct file_mark *one, const struct file_mark *other);

/* The path as messages show it: without the working directory in front, where it begins with that. Points
 * into `path`. */
const char *path_shown(const char *path);

#endif
