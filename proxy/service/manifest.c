#include "proxy/service/manifest.h"

#include "policies/ascii.h"
#include "proxy/note/note_internal.h"

#include <inttypes.h>

#define TITLE "portcullis manifest 1"

void manifest_write(const struct manifest *manifest, struct text *out)
{
    text_add_format(out, TITLE "\nserial %" PRIu64 "\npolicy %s\ncontract %s\n", manifest->serial,
                    manifest->policy, manifest->contract);
    if (manifest->oauth_keys[0] != '\0')
        text_add_format(out, "oauth-keys %s\n", manifest->oauth_keys);
}

/* What a line says behind its word; data NULL when it is not such a line. */
static struct span value_of(struct span *rest, const char *word)
{
    size_t length = strlen(word);
    struct span line;

    if (!note_next_line(rest, &line) || line.length <= length + 1 || memcmp(line.data, word, length) != 0 ||
        line.data[length] != ' ')
        return (struct span){NULL, 0};
    return (struct span){line.data + length + 1, line.length - length - 1};
}

/* Decimal, without a sign or leading zeroes. */
static bool read_serial(struct span text, uint64_t *serial)
{
    *serial = 0;
    if (text.length == 0 || text.length > 16 || text.data[0] == '0')
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_digit(text.data[i]))
            return false;
        *serial = *serial * 10 + (uint64_t)(text.data[i] - '0');
    }
    return *serial <= MANIFEST_SERIAL_MOST;
}

/* A digest in the one spelling that digest_write gives. */
static bool read_digest(struct span text, char digest[DIGEST_TEXT_SIZE])
{
    unsigned char bytes[DIGEST_SIZE];

    if (!digest_read(text, bytes))
        return false;
    digest_write(bytes, digest);
    return span_is(text, digest);
}

bool manifest_read(struct span text, struct manifest *manifest, const char **fault)
{
    struct span rest = text, line;

    *manifest = (struct manifest){.serial = 0};
    *fault = "it is no manifest: its first line is not \"" TITLE "\"";
    if (!note_next_line(&rest, &line) || !span_is(line, TITLE))
        return false;
    *fault = "its second line is not \"serial \" and a whole number from 1 below 2^53";
    if (!read_serial(value_of(&rest, "serial"), &manifest->serial))
        return false;
    *fault = "its third line is not \"policy \" and a SHA-256";
    if (!read_digest(value_of(&rest, "policy"), manifest->policy))
        return false;
    *fault = "its fourth line is not \"contract \" and a SHA-256";
    if (!read_digest(value_of(&rest, "contract"), manifest->contract))
        return false;
    *fault = "its fifth line is not \"oauth-keys \" and a SHA-256";
    if (rest.length > 0 && !read_digest(value_of(&rest, "oauth-keys"), manifest->oauth_keys))
        return false;
    *fault = rest.length > 0 ? "it has more lines than a manifest" : NULL;
    return rest.length == 0;
}

bool manifest_verify(struct span note, const struct note_key *key, struct manifest *manifest,
                     const char **fault)
{
    struct span text;

    return note_verify(note, key, &text, fault) == NOTE_GOOD && manifest_read(text, manifest, fault);
}

void manifest_digest(struct span bytes, char text[DIGEST_TEXT_SIZE])
{
    unsigned char digest[DIGEST_SIZE];

    digest_of(bytes, digest);
    digest_write(digest, text);
}
