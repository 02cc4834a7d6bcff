#include "proxy/port_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void compose(struct text *text, const struct config *config, const uint16_t *ports)
{
    text_add_string(text, "{\"listen\":[");
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_address *address = &config->listen[i];
        bool six = strchr(address->host, ':') != NULL;
        text_add_format(text, "%s\"%s%s%s:%u\"", i > 0 ? "," : "", six ? "[" : "", address->host,
                        six ? "]" : "", ports[i]);
    }
    text_add_string(text, "]}\n");
}

static bool write_file(const char *path, const struct text *text)
{
    FILE *file = fopen(path, "we");

    if (file == NULL)
        return false;
    bool written = fwrite(text->data, 1, text->length, file) == text->length;
    return fclose(file) == 0 && written;
}

bool port_file_write(const char *path, const struct config *config, const uint16_t *ports, char *error,
                     size_t error_size)
{
    struct text content = {0}, temporary = {0};

    compose(&content, config, ports);
    text_add_format(&temporary, "%s.new", path);
    bool written = !content.failed && !temporary.failed && write_file(temporary.data, &content) &&
                   rename(temporary.data, path) == 0;
    if (!written)
        (void)snprintf(error, error_size, "%s: %s", path, strerror(errno));
    text_free(&content);
    text_free(&temporary);
    return written;
}
