#include "proxy/base/entropy.h"

#include "proxy/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void refill(struct entropy *entropy)
{
    for (size_t have = 0; have < sizeof entropy->bytes;) {
        ssize_t got = getrandom(entropy->bytes + have, sizeof entropy->bytes - have, 0);
        if (got > 0) {
            have += (size_t)got;
        } else if (errno != EINTR) {
            log_event(LOG_ERROR, "entropy", "the kernel gives no random bytes: %s", strerror(errno));
            abort();
        }
    }
    entropy->left = sizeof entropy->bytes;
}

static void take(struct entropy *entropy, unsigned char *out, size_t count)
{
    if (entropy->left < count)
        refill(entropy);
    unsigned char *from = entropy->bytes + sizeof entropy->bytes - entropy->left;
    memcpy(out, from, count);
    explicit_bzero(from, count);
    entropy->left -= count;
}

static const char HEX[] = "0123456789abcdef";

static char *write_hex(char *out, const unsigned char *raw, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        *out++ = HEX[raw[i] >> 4];
        *out++ = HEX[raw[i] & 15];
    }
    return out;
}

void entropy_uuid(struct entropy *entropy, char text[static UUID_TEXT])
{
    static const struct {
        unsigned from, count;
    } groups[] = {{0, 4}, {4, 2}, {6, 2}, {8, 2}, {10, 6}};
    unsigned char raw[16];
    char *out = text;

    take(entropy, raw, sizeof raw);
    raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        out = write_hex(out, raw + groups[i].from, groups[i].count);
        *out++ = i + 1 < sizeof groups / sizeof *groups ? '-' : '\0';
    }
}

void entropy_hex(struct entropy *entropy, size_t bytes, char *text)
{
    unsigned char raw[16];

    for (size_t count; bytes > 0; bytes -= count) {
        count = bytes < sizeof raw ? bytes : sizeof raw;
        take(entropy, raw, count);
        text = write_hex(text, raw, count);
    }
    *text = '\0';
}
