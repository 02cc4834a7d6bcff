/* `portcullis audit rotate-key` and `portcullis audit mask`: the keys of the journal's masks. */
#include "proxy/audit/keys.h"
#include "proxy/base/secret.h"
#include "proxy/config/config.h"
#include "proxy/console/audit.h"
#include "proxy/console/options.h"

#include <stdlib.h>
#include <unistd.h>

struct options {
    const char *config;
    const char *key_id; /* NULL: the key in use */
    bool exact;         /* a line end behind the secret is part of it */
};

static int read_options(int argc, char **argv, const struct option_row *rows, const struct options *options)
{
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    return options->config == NULL || operands.count > 0 ? CONSOLE_USAGE : CONSOLE_DONE;
}

/* The setting audit.keys; NULL with the problems shown. Freed by the caller. */
static char *keys_directory(const struct options *options)
{
    struct problems problems = {0};
    struct config *config = config_read(options->config, &problems);
    char *directory = config != NULL ? strdup(config->audit.keys) : NULL;

    output_problems(&problems);
    problems_free(&problems);
    config_free(config);
    return directory;
}

/* ---- rotate-key ---- */

int audit_rotate_key(int argc, char **argv)
{
    struct options options = {0};
    const struct option_row rows[] = {{"config", 'c', .text = &options.config}, {0}};
    char old_id[AUDIT_KEY_ID], new_id[AUDIT_KEY_ID], error[512];
    int status = read_options(argc, argv, rows, &options);
    char *directory = status == CONSOLE_DONE ? keys_directory(&options) : NULL;

    if (status != CONSOLE_DONE)
        return status;
    if (directory == NULL)
        return CONSOLE_BAD;
    if (audit_key_rotate(directory, old_id, new_id, error, sizeof error)) {
        (void)printf("new key %s; the old one is kept as journal-hmac-%s.key\n"
                     "a running gate uses the new one after SIGHUP\n",
                     new_id, old_id);
    } else {
        output_fault("%s", error);
        status = CONSOLE_BAD;
    }
    free(directory);
    return status;
}

/* ---- mask ---- */

/* Longest text that can be masked: an answer of which only the digest was recorded may be one. */
#define MASK_BYTES ((size_t)64 << 20)

/* All of stdin; false with a message. */
static bool read_stdin(struct text *secret)
{
    while (secret->length < MASK_BYTES && text_reserve(secret, 65536)) {
        size_t got;
        const char *fault = secret_read(STDIN_FILENO, secret->data + secret->length, 65536, &got);
        if (fault != NULL) {
            output_fault("cannot read stdin: %s", fault);
            return false;
        }
        secret->length += got;
        if (got < 65536)
            return true;
    }
    output_fault(secret->failed ? "memory is out" : "too much on stdin");
    return false;
}

static int write_mask(struct audit_key *key, bool exact)
{
    struct text secret = {0}, masked = {0};
    int status = CONSOLE_BAD;

    if (read_stdin(&secret)) {
        struct span whole = {secret.data, secret.length};
        audit_key_mask(key, exact ? whole : secret_trim(whole), &masked);
        text_add(&masked, "\n", 1);
        status = masked.failed ? CONSOLE_BAD : CONSOLE_DONE;
        output_text(stdout, &masked);
    }
    text_wipe(&secret);
    text_free(&masked);
    return status;
}

int audit_mask(int argc, char **argv)
{
    struct options options = {0};
    const struct option_row rows[] = {{"config", 'c', .text = &options.config},
                                      {"key-id", .text = &options.key_id},
                                      {"exact", .flag = &options.exact},
                                      {0}};
    char error[512];
    int status = read_options(argc, argv, rows, &options);
    char *directory = status == CONSOLE_DONE ? keys_directory(&options) : NULL;

    if (status != CONSOLE_DONE)
        return status;
    struct audit_key *key =
        directory != NULL ? audit_key_find(directory, options.key_id, error, sizeof error) : NULL;
    if (key != NULL)
        status = write_mask(key, options.exact);
    else if (directory != NULL)
        output_fault("%s", error);
    if (key == NULL)
        status = CONSOLE_BAD;
    audit_key_free(key);
    free(directory);
    return status;
}
