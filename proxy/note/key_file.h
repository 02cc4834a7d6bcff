/* A file with a key of the gate's own: made at first start, outside the journal's directory, and read only
 * where nobody else may read or change it. */
#ifndef PROXY_NOTE_KEY_FILE_H
#define PROXY_NOTE_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#define KEY_FILE_BYTES 4096 /* a longer one is refused */

/* What such a file holds. Its owner wipes it. */
struct key_bytes {
    char data[KEY_FILE_BYTES];
    size_t length;
};

/* Reads the file: a regular one, of the gate's user or root, mode 0600 or less. False with a message. */
bool key_file_read(const char *path, struct key_bytes *bytes, char *error, size_t error_size);

/* Gives what a new file is to hold; false (errno) when it cannot. */
typedef bool key_file_fresh(struct key_bytes *bytes);

/* Reads DIR/NAME; where it is missing, makes the directory (0700) and the file (0600) first. A crash leaves
 * the whole key or none, and of two processes that start at the same time both read the same one. False with
 * a message. */
bool key_file_open(const char *directory, const char *name, key_file_fresh *fresh, struct key_bytes *bytes,
                   char *error, size_t error_size);

enum key_file_use {
    KEY_FILE_KEEP,    /* a file that is there stays as it is, which is no error */
    KEY_FILE_REPLACE, /* takes the place of the one that is there, at one blow */
};

/* Writes the bytes as DIR/NAME, durably; a crash leaves the whole key or none. False with a message. */
bool key_file_put(const char *directory, const char *name, const struct key_bytes *bytes,
                  enum key_file_use use, char *error, size_t error_size);

#endif
