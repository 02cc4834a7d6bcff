#include "policies/digest.h"
#include "proxy/base/secret.h"
#include "proxy/console/console.h"
#include "proxy/console/options.h"
#include "proxy/console/output.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#define PREFIX       "pct_" /* so that scanners for leaked secrets can find one */
#define RANDOM_BYTES 32
#define RANDOM_TEXT  43 /* base64url without padding */
#define SHORT_SECRET 20

struct options {
    bool make;
    bool json;
};

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {{"new", .flag = &options->make}, {"json", .flag = &options->json}, {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    options->make = options->make || isatty(STDIN_FILENO);
    return operands.count > 0 ? CONSOLE_USAGE : CONSOLE_DONE;
}

/* Six bits a character, from the front; the last one holds the four that are left. */
static void write_base64url(const unsigned char *bytes, char text[static RANDOM_TEXT])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (unsigned i = 0; i < RANDOM_TEXT; i++) {
        unsigned bit = 6 * i, pair = (unsigned)bytes[bit / 8] << 8;
        pair |= bit / 8 + 1 < RANDOM_BYTES ? bytes[bit / 8 + 1] : 0;
        text[i] = digits[pair >> (10 - bit % 8) & 63];
    }
}

/* A new secret in `to`; empty with a message when the system has no random bytes. */
static struct span make_secret(char to[static SECRET_ROOM])
{
    unsigned char bytes[RANDOM_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        output_fault("no random bytes: %s", strerrordesc_np(errno));
        return (struct span){NULL, 0};
    }
    char *end = stpcpy(to, PREFIX);
    write_base64url(bytes, end);
    explicit_bzero(bytes, sizeof bytes);
    return (struct span){to, (size_t)(end - to) + RANDOM_TEXT};
}

/* The secret on stdin; empty with a message when there is none that could be used. */
static struct span read_secret(char to[static SECRET_ROOM])
{
    size_t length;
    const char *fault = secret_read(STDIN_FILENO, to, SECRET_ROOM, &length);

    if (fault != NULL) {
        output_fault("cannot read stdin: %s", fault);
        return (struct span){NULL, 0};
    }
    struct span secret = secret_trim((struct span){to, length});
    fault = secret_fault(secret);
    if (fault != NULL) {
        output_fault("the secret on stdin %s", fault);
        return (struct span){NULL, 0};
    }
    if (secret.length < SHORT_SECRET)
        output_fault("warning: a secret this short can be guessed from its digest; `portcullis token --new` "
                     "makes a good one");
    return secret;
}

static void write_token(const struct options *options, struct span secret, struct text *out)
{
    unsigned char digest[DIGEST_SIZE];
    char line[DIGEST_TEXT_SIZE];

    digest_of(secret, digest);
    digest_write(digest, line);
    if (options->json) {
        text_add_format(out, "{\"digest\":\"%s\"", line);
        if (options->make) {
            text_add_string(out, ",\"secret\":");
            text_add_json(out, secret);
        }
        text_add_string(out, "}\n");
    } else if (options->make) {
        text_add_string(out, "secret, for the client alone; it is not shown again:\n  ");
        text_add(out, secret.data, secret.length);
        text_add_format(out, "\ndigest, for `tokens` of its principal in the policy:\n  \"%s\"\n", line);
    } else {
        text_add_format(out, "\"%s\"\n", line);
    }
}

int console_token(int argc, char **argv)
{
    struct options options = {0};
    int status = read_options(argc, argv, &options);
    char room[SECRET_ROOM];
    struct text out = {0};

    if (status != CONSOLE_DONE)
        return status;
    struct span secret = options.make ? make_secret(room) : read_secret(room);
    if (secret.length == 0) {
        status = CONSOLE_BAD;
    } else {
        (void)text_reserve(&out, 1024); /* once, so that no copy of a new secret is left behind by growing */
        write_token(&options, secret, &out);
        (void)fwrite(out.data ? out.data : "", 1, out.length, stdout);
    }
    explicit_bzero(room, sizeof room);
    text_wipe(&out);
    return status;
}
