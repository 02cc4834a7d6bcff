#include "proxy/port_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void add_address(struct text *text, const struct config_address *address, uint16_t port)
{
    bool six = strchr(address->host, ':') != NULL;

    text_add_format(text, "\"%s%s%s:%u\"", six ? "[" : "", address->host, six ? "]" : "", port);
}

static void compose(struct text *text, const struct config *config, const struct sockets *sockets,
                    uint16_t admin_port)
{
    text_add_string(text, "{\"listen\":[");
    for (size_t i = 0; i < sockets->count; i++) {
        text_add_string(text, i > 0 ? "," : "");
        text_add_json(text, span_of(sockets->groups[i].bound));
    }
    text_add_string(text, "]");
    if (admin_port != 0) {
        text_add_string(text, ",\"admin\":");
        add_address(text, &config->admin.listen, admin_port);
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

bool port_file_write(const char *path, const struct config *config, const struct sockets *sockets,
                     uint16_t admin_port, char *error, size_t error_size)
{
    struct text content = {0}, temporary = {0};

    compose(&content, config, sockets, admin_port);
    text_add_format(&temporary, "%s.new", path);
    bool written = !content.failed && !temporary.failed && write_file(temporary.data, &content) &&
                   rename(temporary.data, path) == 0;
    if (!written)
        (void)snprintf(error, error_size, "%s: %s", path, strerror(errno));
    text_free(&content);
    text_free(&temporary);
    return written;
}
