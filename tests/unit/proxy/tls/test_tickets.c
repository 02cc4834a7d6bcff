/* The keys of session tickets: who opens what, and for how long. */
#include "proxy/tls/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#define SECOND INT64_C(1000000)

struct ticket {
    unsigned char name[16], iv[16], sealed[64], mac[32];
    int length;
};

static EVP_MAC_CTX *new_mac(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);
    return context;
}

static void finish_mac(EVP_MAC_CTX *mac, const struct ticket *ticket, unsigned char to[32])
{
    size_t length;

    assert_int_equal(EVP_MAC_init(mac, NULL, 0, NULL), 1);
    assert_int_equal(EVP_MAC_update(mac, ticket->sealed, (size_t)ticket->length), 1);
    assert_int_equal(EVP_MAC_final(mac, to, &length, 32), 1);
    assert_int_equal(length, 32);
}

static struct ticket seal(struct tickets *tickets, int64_t now_us)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = new_mac();
    struct ticket ticket;
    int more;

    assert_int_equal(tickets_seal(tickets, ticket.name, ticket.iv, cipher, mac, now_us), 1);
    assert_int_equal(
        EVP_EncryptUpdate(cipher, ticket.sealed, &ticket.length, (const unsigned char *)"session", 7), 1);
    assert_int_equal(EVP_EncryptFinal_ex(cipher, ticket.sealed + ticket.length, &more), 1);
    ticket.length += more;
    finish_mac(mac, &ticket, ticket.mac);
    EVP_MAC_CTX_free(mac);
    EVP_CIPHER_CTX_free(cipher);
    return ticket;
}

/* What tickets_open says; where it opens, the content must be what was sealed. */
static int try(struct tickets *tickets, const struct ticket *ticket, int64_t now_us)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = new_mac();
    unsigned char opened[64], code[32];
    int length = 0, more = 0, result = tickets_open(tickets, ticket->name, ticket->iv, cipher, mac, now_us);

    if (result > 0) {
        finish_mac(mac, ticket, code);
        assert_memory_equal(code, ticket->mac, 32);
        assert_int_equal(EVP_DecryptUpdate(cipher, opened, &length, ticket->sealed, ticket->length), 1);
        assert_int_equal(EVP_DecryptFinal_ex(cipher, opened + length, &more), 1);
        assert_int_equal(length + more, 7);
        assert_memory_equal(opened, "session", 7);
    }
    EVP_MAC_CTX_free(mac);
    EVP_CIPHER_CTX_free(cipher);
    return result;
}

static void keys_rotate(void **state)
{
    struct tickets *tickets = tickets_new(10);
    int64_t now = 1000 * SECOND;

    (void)state;
    struct ticket first = seal(tickets, now), again = seal(tickets, now + 10 * SECOND - 1);
    assert_memory_equal(first.name, again.name, 16);
    assert_memory_not_equal(first.iv, again.iv, 16);
    assert_int_equal(try(tickets, &first, now + 10 * SECOND - 1), 1);

    assert_int_equal(try(tickets, &first, now + 10 * SECOND), 2); /* the key is the one before now */
    struct ticket second = seal(tickets, now + 11 * SECOND);
    assert_memory_not_equal(first.name, second.name, 16);
    assert_int_equal(try(tickets, &second, now + 12 * SECOND), 1);
    assert_int_equal(try(tickets, &again, now + 20 * SECOND - 1), 2);

    assert_int_equal(try(tickets, &second, now + 20 * SECOND), 2);
    assert_int_equal(try(tickets, &first, now + 20 * SECOND), 0);
    assert_int_equal(try(tickets, &again, now + 20 * SECOND), 0);
    tickets_free(tickets);
}

/* After a long silence no key of before it is good. */
static void old_keys_are_gone(void **state)
{
    struct tickets *tickets = tickets_new(10);
    int64_t now = 1000 * SECOND;

    (void)state;
    struct ticket ticket = seal(tickets, now);
    assert_int_equal(try(tickets, &ticket, now + 20 * SECOND), 0);
    assert_int_equal(try(tickets, &ticket, now + 5 * SECOND), 0); /* and they do not come back */
    tickets_free(tickets);
}

static void others_keys(void **state)
{
    struct tickets *ours = tickets_new(10), *others = tickets_new(10);
    int64_t now = SECOND;

    (void)state;
    struct ticket ticket = seal(others, now), altered = seal(ours, now);
    assert_int_equal(try(ours, &ticket, now), 0);
    assert_int_equal(try(ours, &altered, now), 1);
    altered.name[15] ^= 1;
    assert_int_equal(try(ours, &altered, now), 0);
    memset(altered.name, 0, sizeof altered.name); /* what the place of a key that is none holds */
    assert_int_equal(try(ours, &altered, now), 0);
    tickets_free(ours);
    tickets_free(others);
    tickets_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_rotate),
        cmocka_unit_test(old_keys_are_gone),
        cmocka_unit_test(others_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
