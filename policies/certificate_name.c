#include "policies/certificate_name.h"

#include "policies/ascii.h"

#define HOST_BYTES  253 /* RFC 1035 §2.3.4, as text */
#define LABEL_BYTES 63
#define LOCAL_BYTES 64 /* RFC 5321 §4.5.3.1.1 */

static const char *const kinds[] = {
    [CERTIFICATE_URI] = "uri:",
    [CERTIFICATE_DNS] = "dns:",
    [CERTIFICATE_EMAIL] = "email:",
};

static bool is_alphanumeric(char byte)
{
    return ascii_is_digit(byte) || ascii_is_letter(byte);
}

/* What a scheme may hold (RFC 3986 §3.1). */
static bool is_of_scheme(char byte)
{
    return is_alphanumeric(byte) || byte == '+' || byte == '-' || byte == '.';
}

static bool is_visible(struct span bytes)
{
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.data[i] <= ' ' || bytes.data[i] > '~')
            return false;
    return true;
}

/* Letters, digits, '-' and '_' between dots. A wildcard is a name for many, and so for nobody. */
static const char *host_fault(struct span host)
{
    size_t label = 0;

    if (host.length == 0 || host.length > HOST_BYTES)
        return "has no host name, or one of more than 253 bytes";
    for (size_t i = 0; i < host.length; i++) {
        char byte = host.data[i];
        if (byte == '.' ? label == 0 : !is_alphanumeric(byte) && byte != '-' && byte != '_')
            return "has a host name that is none: letters, digits, \"-\" and \"_\" between dots";
        label = byte == '.' ? 0 : label + 1;
        if (label > LABEL_BYTES)
            return "has a host name with a part of more than 63 bytes";
    }
    return label == 0 ? "has a host name that ends with a dot" : NULL;
}

static const char *uri_fault(struct span uri)
{
    size_t colon = 0;

    while (colon < uri.length && is_of_scheme(uri.data[colon]))
        colon++;
    if (colon == 0 || !ascii_is_letter(uri.data[0]) || colon + 1 >= uri.length || uri.data[colon] != ':')
        return "is no URI with a scheme, such as \"spiffe://example/ci\"";
    return is_visible(uri) ? NULL : "has a URI with bytes outside of visible ASCII";
}

/* Where the host begins in an address of mail; 0: it is none. */
static size_t mail_host(struct span mail)
{
    size_t at = 0;

    while (at < mail.length && mail.data[at] != '@')
        at++;
    return at == 0 || at > LOCAL_BYTES || at + 1 >= mail.length ? 0 : at + 1;
}

static const char *mail_fault(struct span mail)
{
    size_t host = mail_host(mail);

    if (host == 0 || !is_visible((struct span){mail.data, host}))
        return "is no address of mail, such as \"ci@example\"";
    return host_fault((struct span){mail.data + host, mail.length - host});
}

static const char *fault_of(enum certificate_name_kind kind, struct span bytes, size_t *host)
{
    *host = 0;
    switch (kind) {
    case CERTIFICATE_URI:
        *host = bytes.length; /* nothing in it is changed */
        return uri_fault(bytes);
    case CERTIFICATE_DNS:
        return host_fault(bytes);
    case CERTIFICATE_EMAIL:
        *host = mail_host(bytes);
        return mail_fault(bytes);
    }
    return "is of no kind that is known";
}

const char *certificate_name_make(enum certificate_name_kind kind, struct span bytes,
                                  struct certificate_name *name)
{
    struct span prefix = span_of(kinds[kind]);
    size_t host;

    name->length = 0;
    if (bytes.length > sizeof name->text - prefix.length)
        return "is longer than 2048 bytes";
    const char *fault = fault_of(kind, bytes, &host);
    if (fault != NULL)
        return fault;
    memcpy(name->text, prefix.data, prefix.length);
    memcpy(name->text + prefix.length, bytes.data, bytes.length);
    name->length = prefix.length + bytes.length;
    for (size_t i = prefix.length + host; i < name->length; i++)
        name->text[i] = ascii_lower(name->text[i]);
    return NULL;
}

const char *certificate_name_read(struct span text, struct certificate_name *name)
{
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        size_t length = strlen(kinds[kind]);
        if (text.length > length && memcmp(text.data, kinds[kind], length) == 0)
            return certificate_name_make((enum certificate_name_kind)kind,
                                         (struct span){text.data + length, text.length - length}, name);
    }
    name->length = 0;
    return "begins with none of \"uri:\", \"dns:\" and \"email:\"";
}
