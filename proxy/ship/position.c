#include "proxy/ship/position.h"

#include "proxy/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_LIMIT 4096

static bool take_apart(struct span text, struct position *position)
{
    json_t *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    const char *segment = json_string_value(json_object_get(root, "segment"));
    const char *hash = json_string_value(json_object_get(root, "hash"));
    json_int_t seq = json_integer_value(json_object_get(root, "seq"));
    bool right = segment != NULL && strlen(segment) < POSITION_SEGMENT && hash != NULL && seq > 0 &&
                 tree_hash_read(span_of(hash), &position->hash);

    if (right) {
        position->seq = (uint64_t)seq;
        (void)snprintf(position->segment, sizeof position->segment, "%s", segment);
    }
    json_decref(root);
    return right;
}

bool position_read(const char *path, struct position *position, char *error, size_t error_size)
{
    struct text file = {0};
    const char *problem = "it holds no position";
    bool missing = access(path, F_OK) != 0 && errno == ENOENT;
    bool right = missing;

    *position = (struct position){0};
    if (!missing && file_read(path, FILE_LIMIT, &file, &problem))
        right = take_apart((struct span){file.data, file.length}, position);
    if (!right) {
        *position = (struct position){0};
        (void)snprintf(error, error_size, "%s: %s", path, problem);
    }
    text_free(&file);
    return right;
}

static bool write_file(const char *path, const struct text *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return false;
    ssize_t put = write(fd, text->data, text->length);
    if (put >= 0 && (size_t)put < text->length)
        errno = ENOSPC;
    bool written = put == (ssize_t)text->length && fdatasync(fd) == 0;
    int fault = errno;
    bool closed = close(fd) == 0;
    errno = written ? errno : fault;
    return written && closed;
}

bool position_write(const char *path, const struct position *position)
{
    struct text line = {0}, passing = {0};
    char hash[TREE_HEX];

    tree_hash_write(&position->hash, hash);
    text_add_format(&line, "{\"hash\":\"%s\",\"segment\":", hash);
    text_add_json(&line, span_of(position->segment));
    text_add_format(&line, ",\"seq\":%" PRIu64 "}\n", position->seq);
    text_add_format(&passing, "%s.new", path);
    errno = ENOMEM;
    bool written =
        !line.failed && !passing.failed && write_file(passing.data, &line) && rename(passing.data, path) == 0;
    int fault = errno;
    text_free(&line);
    text_free(&passing);
    errno = fault;
    return written;
}
