#include "proxy/upstream/owner.h"

#include <endian.h>
#include <sys/random.h>

struct sip {
    uint64_t v[4];
    uint64_t word; /* bytes that wait for the rest of their eight */
    uint64_t length;
};

static uint64_t turn_left(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[static 4], unsigned rounds)
{
    while (rounds-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turn_left(v[1], 13) ^ v[0];
        v[3] = turn_left(v[3], 16) ^ v[2];
        v[0] = turn_left(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turn_left(v[1], 17) ^ v[2];
        v[3] = turn_left(v[3], 21) ^ v[0];
        v[2] = turn_left(v[2], 32);
    }
}

static void take_word(struct sip *sip, uint64_t word)
{
    sip->v[3] ^= word;
    mix(sip->v, 2);
    sip->v[0] ^= word;
}

static void take(struct sip *sip, struct span bytes)
{
    size_t at = 0;

    while (at < bytes.length) {
        if (sip->length % 8 == 0 && bytes.length - at >= 8) {
            uint64_t word;
            memcpy(&word, bytes.data + at, sizeof word);
            take_word(sip, le64toh(word));
            at += 8;
            sip->length += 8;
            continue;
        }
        sip->word |= (uint64_t)(unsigned char)bytes.data[at++] << sip->length % 8 * 8;
        if (++sip->length % 8 == 0) {
            take_word(sip, sip->word);
            sip->word = 0;
        }
    }
}

static struct upstream_owner finish(struct sip *sip)
{
    struct upstream_owner owner;

    take_word(sip, sip->word | sip->length << 56);
    sip->v[2] ^= 0xee;
    mix(sip->v, 4);
    owner.words[0] = sip->v[0] ^ sip->v[1] ^ sip->v[2] ^ sip->v[3];
    sip->v[1] ^= 0xdd;
    mix(sip->v, 4);
    owner.words[1] = sip->v[0] ^ sip->v[1] ^ sip->v[2] ^ sip->v[3];
    return owner;
}

bool owner_key_make(struct owner_key *key)
{
    return getrandom(key, sizeof *key, 0) == (ssize_t)sizeof *key;
}

struct upstream_owner owner_of(const struct owner_key *key, struct span principal, struct span authorization)
{
    const uint64_t k0 = key->words[0], k1 = key->words[1];
    struct sip sip = {
        .v = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee, k0 ^ 0x6c7967656e657261,
              k1 ^ 0x7465646279746573},
    };
    uint64_t length = htole64(principal.length); /* so that no two pairs spell the same */

    take(&sip, (struct span){(const char *)&length, sizeof length});
    take(&sip, principal);
    take(&sip, authorization);
    return finish(&sip);
}
