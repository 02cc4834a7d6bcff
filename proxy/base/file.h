/* Files read whole, and paths relative to a file. */
#ifndef PROXY_BASE_FILE_H
#define PROXY_BASE_FILE_H

#include "policies/text.h"

/* The whole file's bytes, at most `limit`, read into `out`; false with *problem a message (static) when it
 * cannot be. */
bool file_read(const char *path, size_t limit, struct text *out, const char **problem);

/* The same from an open descriptor, which stays open. */
bool file_read_descriptor(int descriptor, size_t limit, struct text *out, const char **problem);

/* `path` made absolute against the directory that holds the file `beside`. malloc'ed; NULL when memory is
 * out. */
char *path_beside(const char *beside, const char *path);

/* The path as messages show it: without the working directory in front, where it begins with that. Points
 * into `path`. */
const char *path_shown(const char *path);

#endif
