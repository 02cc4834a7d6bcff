#include "proxy/listen/port_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void compose(struct text *text, const struct sockets *sockets)
{
    text_add_string(text, "{\"listen\":[");
    for (size_t i = 0; i < sockets->count; i++) {
        text_add_string(text, i > 0 ? "," : "");
        text_add_json(text, span_of(sockets->groups[i].bound));
    }
    text_add_string(text, "]");
    if (sockets->admin != NULL) {
        text_add_string(text, ",\"admin\":");
        text_add_json(text, span_of(sockets->admin->bound));
    }
    if (sockets->approvals != NULL) {
        text_add_string(text, ",\"approvals\":");
        text_add_json(text, span_of(sockets->approvals->bound));
    }
    text_add_string(text, "}\n");
}

static bool write_file(const char *path, const struct text *text)
{
    FILE *file = fopen(path, "we");

    if (file == NULL)
        return false;
    bool written = fwrite(text->data, 1, text->length, file) == text->length;
    return fclose(file) == 0 && written;
}

bool port_file_write(const char *path, const struct sockets *sockets, char *error, size_t error_size)
{
    struct text content = {0}, temporary = {0};

    compose(&content, sockets);
    text_add_format(&temporary, "%s.new", path);
    bool written = !content.failed && !temporary.failed && write_file(temporary.data, &content) &&
                   rename(temporary.data, path) == 0;
    if (!written)
        (void)snprintf(error, error_size, "%s: %s", path, strerror(errno));
    text_free(&content);
    text_free(&temporary);
    return written;
}
