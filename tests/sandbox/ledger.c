#include "tests/sandbox/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool ledger_open(struct ledger *ledger, const char *path)
{
    *ledger = (struct ledger){.file = -1};
    if (path != NULL)
        ledger->file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    return path == NULL || ledger->file >= 0;
}

bool ledger_append(struct ledger *ledger, uint64_t connection, const struct http_request *request)
{
    struct text *line = &ledger->line;

    if (ledger->file < 0)
        return true;
    text_clear(line);
    text_add_string(line, "{\"seq\":");
    text_add_number(line, ledger->sequence + 1);
    text_add_string(line, ",\"connection\":");
    text_add_number(line, connection);
    text_add_string(line, ",\"method\":");
    text_add_json(line, request->method);
    text_add_string(line, ",\"target\":");
    text_add_json(line, request->target);
    text_add_string(line, ",\"headers\":[");
    for (size_t i = 0; i < request->field_count; i++) {
        text_add_string(line, i > 0 ? ",[" : "[");
        text_add_json(line, request->fields[i].name);
        text_add_string(line, ",");
        text_add_json(line, request->fields[i].value);
        text_add_string(line, "]");
    }
    text_add_string(line, "],\"body\":");
    text_add_json(line, request->body);
    text_add_string(line, "}\n");
    if (line->failed) {
        errno = ENOMEM;
        return false;
    }

    ssize_t written = write(ledger->file, line->data, line->length);
    if (written >= 0 && (size_t)written < line->length)
        errno = ENOSPC;
    ledger->sequence++;
    return written == (ssize_t)line->length;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger->file >= 0)
        close(ledger->file);
    ledger->file = -1;
    text_free(&ledger->line);
}
