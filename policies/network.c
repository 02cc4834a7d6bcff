#include "policies/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

_Static_assert(IP_ADDRESS_TEXT == INET6_ADDRSTRLEN, "every address must fit");

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

struct ip_address ip_address_of(const unsigned char *bytes, size_t length)
{
    struct ip_address address = {{0}};

    if (length == 4)
        memcpy(address.bytes, mapped, sizeof mapped);
    memcpy(address.bytes + sizeof address.bytes - length, bytes, length);
    return address;
}

bool ip_address_parse(struct span text, struct ip_address *address)
{
    char copy[IP_ADDRESS_TEXT];
    unsigned char bytes[16];

    if (text.length == 0 || text.length >= sizeof copy || memchr(text.data, '\0', text.length) != NULL)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        *address = ip_address_of(bytes, 4);
    else if (inet_pton(AF_INET6, copy, bytes) == 1)
        *address = ip_address_of(bytes, 16);
    else
        return false;
    return true;
}

bool ip_address_is_four(const struct ip_address *address)
{
    return memcmp(address->bytes, mapped, sizeof mapped) == 0;
}

void ip_address_write(const struct ip_address *address, char text[static IP_ADDRESS_TEXT])
{
    bool four = ip_address_is_four(address);

    (void)inet_ntop(four ? AF_INET : AF_INET6, address->bytes + (four ? sizeof mapped : 0), text,
                    IP_ADDRESS_TEXT);
}

/* Are the first `bits` of both the same? */
static bool same_prefix(const struct ip_address *one, const struct ip_address *other, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(one->bytes, other->bytes, whole) == 0 &&
           (rest == 0 || (one->bytes[whole] ^ other->bytes[whole]) >> (8 - rest) == 0);
}

static bool is_zero_behind(const struct ip_address *address, unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++)
        if ((address->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

/* A prefix length without sign and leading zero, up to `most`. */
static bool read_bits(const char *text, unsigned most, unsigned *bits)
{
    size_t length = strlen(text);
    unsigned value = 0;

    if (length == 0 || length > 3 || (text[0] == '0' && length > 1))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *bits = value;
    return value <= most;
}

const char *network_parse(const char *text, struct network *network)
{
    size_t length = strcspn(text, "/");
    struct span address = {text, length};

    if (!ip_address_parse(address, &network->base))
        return "is no network such as \"10.0.0.0/8\" or \"2001:db8::/32\", and no address";
    unsigned most = memchr(text, ':', length) != NULL ? 128 : 32;
    network->bits = most;
    if (text[length] == '/' && !read_bits(text + length + 1, most, &network->bits))
        return "has a prefix length that is not a number up to 32 (IPv4) or 128 (IPv6)";
    network->bits += 128 - most;
    if (!is_zero_behind(&network->base, network->bits))
        return "has bits behind its prefix that are not zero";
    return NULL;
}

bool networks_contain(const struct networks *networks, const struct ip_address *address)
{
    for (size_t i = 0; i < networks->count; i++)
        if (ip_address_is_four(&networks->items[i].base) == ip_address_is_four(address) &&
            same_prefix(&networks->items[i].base, address, networks->items[i].bits))
            return true;
    return false;
}
