#include "proxy/note/note.h"

#include "policies/ascii.h"
#include "policies/digest.h"
#include "policies/utf8.h"
#include "proxy/note/base64.h"
#include "proxy/note/note_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define ED25519    0x01 /* the type of signature, as a byte before the key */
#define KEY_BYTES  sizeof(((struct note_key *)0)->key)
#define ID_BYTES   sizeof(((struct note_key *)0)->id)
#define NAME_BYTES (sizeof(((struct note_key *)0)->name) - 1)

/* White space beyond ASCII, as UTF-8. */
static const char *const wide_spaces[] = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

/* What is wrong with the name of a key, or NULL. */
static const char *name_fault(struct span name)
{
    if (name.length == 0)
        return "the key has no name";
    if (!utf8_is_valid(name))
        return "the key's name is not UTF-8";
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] == ' ' || name.data[i] == '+' || (unsigned char)name.data[i] < 0x20)
            return "a space, a plus or a control character in the key's name";
    for (size_t i = 0; i < sizeof wide_spaces / sizeof *wide_spaces; i++)
        if (memmem(name.data, name.length, wide_spaces[i], strlen(wide_spaces[i])) != NULL)
            return "a space in the key's name";
    return NULL;
}

bool note_key_make(struct span name, const unsigned char bytes[static 32], struct note_key *key,
                   const char **fault)
{
    char named[NAME_BYTES + 2 + KEY_BYTES]; /* name, newline, type, key */
    unsigned char digest[DIGEST_SIZE];

    *fault = name.length > NAME_BYTES ? "the key's name is longer than 255 bytes" : name_fault(name);
    if (*fault != NULL)
        return false;
    memcpy(named, name.data, name.length);
    named[name.length] = '\n';
    named[name.length + 1] = ED25519;
    memcpy(named + name.length + 2, bytes, KEY_BYTES);
    digest_of((struct span){named, name.length + 2 + KEY_BYTES}, digest);

    *key = (struct note_key){.name = ""};
    memcpy(key->name, name.data, name.length);
    memcpy(key->id, digest, ID_BYTES);
    memcpy(key->key, bytes, KEY_BYTES);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span text)
{
    while (text.length > 0 && is_space(text.data[text.length - 1]))
        text.length--;
    while (text.length > 0 && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    return text;
}

/* The key id's eight hex digits. */
static bool read_id(const char *digits, unsigned char id[static ID_BYTES])
{
    for (size_t i = 0; i < ID_BYTES; i++) {
        int high = ascii_hex(digits[2 * i]), low = ascii_hex(digits[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        id[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

bool note_key_read(struct span vkey, struct note_key *key, const char **fault)
{
    static const size_t id_part = 2 + 2 * ID_BYTES; /* "+", digits, "+" */
    struct span text = trim(vkey);
    const char *plus = text.length > 0 ? memchr(text.data, '+', text.length) : NULL;
    size_t name = plus != NULL ? (size_t)(plus - text.data) : 0;
    unsigned char bytes[1 + KEY_BYTES], id[ID_BYTES];

    *fault = "not of the form <name>+<8 hex digits>+<base64>";
    if (plus == NULL || text.length - name < id_part || plus[id_part - 1] != '+' || !read_id(plus + 1, id))
        return false;

    struct span spelt = {plus + id_part, text.length - name - id_part};
    *fault = "not the base64 of a byte 01 and a 32-byte Ed25519 key";
    if (!base64_read(spelt, bytes, sizeof bytes) || bytes[0] != ED25519)
        return false;
    if (!note_key_make((struct span){text.data, name}, bytes + 1, key, fault))
        return false;
    *fault = "its key id is not the one of its name and key";
    return memcmp(key->id, id, ID_BYTES) == 0;
}

void note_key_write(const struct note_key *key, struct text *out)
{
    unsigned char bytes[1 + KEY_BYTES] = {ED25519};

    memcpy(bytes + 1, key->key, KEY_BYTES);
    text_add_format(out, "%s+%02x%02x%02x%02x+", key->name, key->id[0], key->id[1], key->id[2], key->id[3]);
    base64_write(bytes, sizeof bytes, out);
}

const char *note_text_fault(struct span text)
{
    if (text.length == 0 || text.data[text.length - 1] != '\n')
        return "its last line has no end";
    if (!utf8_is_valid(text))
        return "it is not UTF-8";
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < 0x20 && text.data[i] != '\n')
            return "a control character is in it";
    return NULL;
}

bool note_next_line(struct span *rest, struct span *line)
{
    const char *end = rest->length > 0 ? memchr(rest->data, '\n', rest->length) : NULL;

    if (end == NULL)
        return false;
    *line = (struct span){rest->data, (size_t)(end - rest->data)};
    *rest = (struct span){end + 1, rest->length - line->length - 1};
    return true;
}

struct signature {
    struct span name, spelt; /* of key id and signature */
    unsigned char id[ID_BYTES];
};

/* Reads a signature line; NULL, or what is wrong with it. */
static const char *read_signature(struct span line, struct signature *signature)
{
    static const size_t dash = sizeof NOTE_DASH - 1;
    unsigned char begin[ID_BYTES + 2];
    size_t length;

    if (line.length < dash || memcmp(line.data, NOTE_DASH, dash) != 0)
        return "a signature line does not begin with a dash and a space";

    struct span rest = {line.data + dash, line.length - dash};
    const char *space = rest.length > 0 ? memchr(rest.data, ' ', rest.length) : NULL;
    if (space == NULL)
        return "a signature line without a signature";
    signature->name = (struct span){rest.data, (size_t)(space - rest.data)};
    signature->spelt = (struct span){space + 1, rest.length - signature->name.length - 1};
    const char *fault = name_fault(signature->name);
    if (fault != NULL)
        return fault;
    if (!base64_length(signature->spelt, &length) || length <= ID_BYTES)
        return "a signature is not the base64 of a key id and a signature";

    /* The first two groups of digits hold it. */
    size_t first = length < sizeof begin ? length : sizeof begin;
    if (!base64_read((struct span){signature->spelt.data, 8}, begin, first))
        return "a signature is not the base64 of a key id and a signature";
    memcpy(signature->id, begin, ID_BYTES);
    return NULL;
}

/* Cuts the note at its last empty line. */
static bool cut(struct span note, struct span *text, struct span *signatures)
{
    for (size_t at = note.length; at >= 2; at--)
        if (note.data[at - 1] == '\n' && note.data[at - 2] == '\n') {
            *text = (struct span){note.data, at - 1};
            *signatures = (struct span){note.data + at, note.length - at};
            return signatures->length > 0;
        }
    return false;
}

bool note_split(struct span note, struct span *text, struct span *signatures, const char **fault)
{
    struct span rest, line;
    struct signature signature;

    *fault = note.length > NOTE_BYTES ? "it is longer than any note" : note_text_fault(note);
    if (*fault != NULL)
        return false;
    if (!cut(note, text, signatures)) {
        *fault = "no signature follows an empty line";
        return false;
    }
    rest = *signatures;
    while (*fault == NULL && note_next_line(&rest, &line))
        *fault = read_signature(line, &signature);
    return *fault == NULL;
}

bool note_signature_good(const struct note_key *key, struct span text,
                         const unsigned char signature[static NOTE_SIGNATURE])
{
    EVP_PKEY *verifier = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->key, KEY_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = verifier != NULL && context != NULL &&
                EVP_DigestVerifyInit(context, NULL, NULL, NULL, verifier) == 1 &&
                EVP_DigestVerify(context, signature, NOTE_SIGNATURE, (const unsigned char *)text.data,
                                 text.length) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(verifier);
    ERR_clear_error();
    return good;
}

enum note_verdict note_verify(struct span note, const struct note_key *key, struct span *text,
                              const char **fault)
{
    struct span signed_text, signatures, line;
    unsigned char bytes[ID_BYTES + NOTE_SIGNATURE];
    bool found = false;

    *text = (struct span){NULL, 0};
    if (!note_split(note, &signed_text, &signatures, fault))
        return NOTE_MALFORMED;
    while (note_next_line(&signatures, &line)) {
        struct signature signature;

        if (read_signature(line, &signature) != NULL || !span_is(signature.name, key->name) ||
            memcmp(signature.id, key->id, ID_BYTES) != 0)
            continue;
        found = true;
        if (!base64_read(signature.spelt, bytes, sizeof bytes) ||
            !note_signature_good(key, signed_text, bytes + ID_BYTES)) {
            *fault = "its signature by this key does not fit";
            return NOTE_BAD_SIGNATURE;
        }
    }
    if (!found) {
        *fault = "it is not signed by this key";
        return NOTE_NOT_SIGNED_BY_KEY;
    }
    *text = signed_text;
    return NOTE_GOOD;
}
