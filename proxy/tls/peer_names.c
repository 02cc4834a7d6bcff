#include "proxy/tls/peer_names.h"

#include "policies/certificate_name.h"
#include "policies/text.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

/* The kind of a name; false where the policy has no word for it. */
static bool kind_of(const GENERAL_NAME *name, enum certificate_name_kind *kind)
{
    switch (name->type) {
    case GEN_URI:
        *kind = CERTIFICATE_URI;
        return true;
    case GEN_DNS:
        *kind = CERTIFICATE_DNS;
        return true;
    case GEN_EMAIL:
        *kind = CERTIFICATE_EMAIL;
        return true;
    default:
        return false;
    }
}

/* The bytes are counted, not ended by a NUL: one among them is seen. */
static const char *make(const GENERAL_NAME *general, enum certificate_name_kind kind,
                        struct certificate_name *name)
{
    const ASN1_IA5STRING *string = general->d.ia5;
    const struct span bytes = {(const char *)ASN1_STRING_get0_data(string),
                               (size_t)ASN1_STRING_length(string)};

    return certificate_name_make(kind, bytes, name);
}

/* NULL where there are none; *broken where there is an extension that cannot be read, or two of them. */
static GENERAL_NAMES *names_of(X509 *certificate, bool *broken)
{
    int state = -1;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &state, NULL);

    *broken = names == NULL && state != -1;
    return names;
}

const char *peer_names_fault(X509 *certificate)
{
    bool broken;
    GENERAL_NAMES *names = names_of(certificate, &broken);
    const char *fault = broken ? "has subject alternative names that cannot be read" : NULL;
    size_t count = 0;

    for (int i = 0; fault == NULL && i < sk_GENERAL_NAME_num(names); i++) {
        enum certificate_name_kind kind;
        struct certificate_name name;
        if (!kind_of(sk_GENERAL_NAME_value(names, i), &kind))
            continue;
        fault = make(sk_GENERAL_NAME_value(names, i), kind, &name);
        if (++count > PEER_NAMES_MAX)
            fault = "has more than 32 subject alternative names";
    }
    GENERAL_NAMES_free(names);
    return fault;
}

/* Puts the names' bytes behind the array. */
static struct peer_names *pack(const struct text *bytes, const size_t *ends, size_t count)
{
    size_t head = sizeof(struct peer_names) + count * sizeof(struct span), begin = 0;
    struct peer_names *packed = malloc(head + bytes->length);

    if (packed == NULL)
        return NULL;
    char *behind = (char *)packed + head;
    if (bytes->length > 0)
        memcpy(behind, bytes->data, bytes->length);
    packed->count = count;
    for (size_t i = 0; i < count; i++) {
        packed->names[i] = (struct span){behind + begin, ends[i] - begin};
        begin = ends[i];
    }
    return packed;
}

static bool is_there(const struct text *bytes, const size_t *ends, size_t count,
                     const struct certificate_name *name)
{
    size_t begin = 0;

    for (size_t i = 0; i < count; i++) {
        if (ends[i] - begin == name->length && memcmp(bytes->data + begin, name->text, name->length) == 0)
            return true;
        begin = ends[i];
    }
    return false;
}

struct peer_names *peer_names_read(X509 *certificate)
{
    bool broken;
    GENERAL_NAMES *names = names_of(certificate, &broken);
    size_t ends[PEER_NAMES_MAX], count = 0;
    struct text bytes = {0};

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && count < PEER_NAMES_MAX; i++) {
        enum certificate_name_kind kind;
        struct certificate_name name;
        if (!kind_of(sk_GENERAL_NAME_value(names, i), &kind) ||
            make(sk_GENERAL_NAME_value(names, i), kind, &name) != NULL ||
            is_there(&bytes, ends, count, &name))
            continue;
        text_add(&bytes, name.text, name.length);
        ends[count++] = bytes.length;
    }
    GENERAL_NAMES_free(names);
    struct peer_names *packed = bytes.failed ? NULL : pack(&bytes, ends, count);
    text_free(&bytes);
    return packed;
}
