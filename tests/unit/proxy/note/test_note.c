#include "proxy/note/note.h"

#include "tests/unit/proxy/audit/scratch.h"

#include <fcntl.h>
#include <openssl/err.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Keys, text and signatures of the tests of Go's golang.org/x/mod/sumdb/note, the format's first home. */
#define PETER "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define ENOCH "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
#define PETER_PEM                                                                                            \
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n"        \
    "-----END PRIVATE KEY-----\n"
#define TEXT                                                                                                 \
    "If you think cryptography is the answer to your problem,\n"                                             \
    "then you don't know what your problem is.\n"
#define DASH "\xe2\x80\x94 "
#define PETER_SIGN                                                                                           \
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
#define ENOCH_SIGN                                                                                           \
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ="
#define PETER_LINE DASH "PeterNeumann " PETER_SIGN "\n"
#define ENOCH_LINE DASH "EnochRoot " ENOCH_SIGN "\n"

static struct note_key key_of(const char *vkey)
{
    struct note_key key;
    const char *fault;

    if (!note_key_read(span_of(vkey), &key, &fault))
        fail_msg("%s: %s", vkey, fault);
    return key;
}

static void reads_and_writes_verifier_keys(void **state)
{
    static const char *const keys[] = {PETER, ENOCH};

    (void)state;
    for (size_t i = 0; i < LENGTH(keys); i++) {
        struct note_key key = key_of(keys[i]);
        struct text text = {0};

        note_key_write(&key, &text);
        assert_string_equal(text.data, keys[i]);
        text_free(&text);
    }
    assert_string_equal(key_of(" \t" PETER "\r\n\n").name, "PeterNeumann");
    assert_string_equal(key_of("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").name,
                        "PeterNeumann");
}

static void refuses_other_verifier_keys(void **state)
{
    static const struct {
        const char *vkey, *says;
    } rows[] = {
        {"", "form"},
        {" \n", "form"},
        {"PeterNeumann", "form"},
        {"PeterNeumann+c74f20a3", "form"},
        {"PeterNeumann+c74f20a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "form"},
        {"PeterNeumann+c74f20a3 ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "form"},
        {"PeterNeumann+c74f20g3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "form"},
        {"PeterNeumann+c74f20a3+", "base64"},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", "base64"},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWAAAA", "base64"},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq_LDE4izWy10TW", "base64"},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4 izWy10TW", "base64"},
        {"PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "byte 01"},
        {"PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "key id"},
        {"PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "key id"},
        {"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX", "key id"},
        {"+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "no name"},
        {"Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "space"},
        {"Peter\xc2\xa0Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "space"},
        {"Peter\xe2\x80\x83Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "space"},
        {"Peter\x01Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "control"},
        {"Peter\x80Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "UTF-8"},
    };
    struct note_key key;
    const char *fault;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        fault = NULL;
        assert_false(note_key_read(span_of(rows[i].vkey), &key, &fault));
        if (fault == NULL || strstr(fault, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].vkey, fault);
    }

    char vkey[400];
    for (size_t length = 255; length <= 256; length++) {
        memset(vkey, 'n', length);
        strcpy(vkey + length, "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        assert_false(note_key_read(span_of(vkey), &key, &fault));
        assert_non_null(strstr(fault, length == 255 ? "key id" : "longer than 255"));
    }
}

static void notes_are_verified_by_each_of_their_keys(void **state)
{
    static const struct {
        const char *note, *vkey;
        enum note_verdict verdict;
    } rows[] = {
        {TEXT "\n" PETER_LINE, PETER, NOTE_GOOD},
        {TEXT "\n" PETER_LINE, ENOCH, NOTE_NOT_SIGNED_BY_KEY},
        {TEXT "\n" PETER_LINE ENOCH_LINE, PETER, NOTE_GOOD},
        {TEXT "\n" PETER_LINE ENOCH_LINE, ENOCH, NOTE_GOOD},
        {TEXT "\n" ENOCH_LINE PETER_LINE, PETER, NOTE_GOOD},
        /* A witness of another kind, longer or shorter, is none of ours. */
        {TEXT "\n" DASH "w+ AAAAAAE=\n" PETER_LINE, PETER, NOTE_MALFORMED},
        {TEXT "\n" DASH "w AAAAAAE=\n" PETER_LINE, PETER, NOTE_GOOD},
        /* The same name or the same id alone is another key. */
        {TEXT "\n" DASH "EnochRoot " PETER_SIGN "\n", PETER, NOTE_NOT_SIGNED_BY_KEY},
        {TEXT "\n" DASH "PeterNeumann " ENOCH_SIGN "\n", PETER, NOTE_NOT_SIGNED_BY_KEY},
        /* One signature by the key that does not fit spoils the note. */
        {"Another text.\n\n" PETER_LINE, PETER, NOTE_BAD_SIGNATURE},
        {TEXT "\n" PETER_LINE DASH "PeterNeumann x08gowAA\n", PETER, NOTE_BAD_SIGNATURE},
        {TEXT "\n" DASH "PeterNeumann x08gowAA\n" PETER_LINE, PETER, NOTE_BAD_SIGNATURE},
        {TEXT "\n\n" PETER_LINE, PETER, NOTE_BAD_SIGNATURE},
        {"\n" TEXT "\n" PETER_LINE, PETER, NOTE_BAD_SIGNATURE},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct note_key key = key_of(rows[i].vkey);
        struct span text = {"?", 1};
        const char *fault = NULL;

        if (note_verify(span_of(rows[i].note), &key, &text, &fault) != rows[i].verdict)
            fail_msg("row %zu: %s", i, fault);
        if (rows[i].verdict == NOTE_GOOD) {
            assert_true(span_is(text, TEXT));
        } else {
            assert_non_null(fault);
            assert_int_equal(text.length, 0);
        }
        assert_int_equal(ERR_peek_error(), 0); /* nothing is left for somebody else's TLS connection */
    }
}

static void no_change_of_a_note_passes(void **state)
{
    char note[] = TEXT "\n" PETER_LINE;
    const struct span whole = {note, sizeof note - 1};
    struct note_key key = key_of(PETER);
    struct span text;
    const char *fault;

    (void)state;
    for (size_t bit = 0; bit < whole.length * 8; bit++) {
        note[bit / 8] ^= (char)(1u << bit % 8);
        assert_int_not_equal(note_verify(whole, &key, &text, &fault), NOTE_GOOD);
        note[bit / 8] ^= (char)(1u << bit % 8);
    }
    for (size_t length = 0; length < whole.length; length++)
        assert_int_not_equal(note_verify((struct span){note, length}, &key, &text, &fault), NOTE_GOOD);
    assert_int_equal(note_verify(whole, &key, &text, &fault), NOTE_GOOD);
    for (size_t bit = 0; bit < sizeof key.key * 8; bit++) { /* nor of the key */
        key.key[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(note_verify(whole, &key, &text, &fault), NOTE_BAD_SIGNATURE);
        key.key[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void what_is_no_note_is_refused(void **state)
{
    static const struct {
        struct span note;
        const char *says;
    } rows[] = {
#define ROW(text) {text, sizeof(text) - 1}
        {ROW(""), "no end"},
        {ROW("\n"), "no signature"},
        {ROW("\n\n"), "no signature"},
        {ROW(TEXT), "no signature"},
        {ROW(TEXT "\n"), "no signature"},
        {ROW("\n" PETER_LINE), "no signature"},
        {ROW(TEXT PETER_LINE), "no signature"},
        {ROW(TEXT "\n" PETER_LINE "\n"), "no signature"},
        {ROW(TEXT "\n" DASH "PeterNeumann " PETER_SIGN), "no end"},
        {ROW(TEXT "\n" PETER_LINE "more"), "no end"},
        {ROW(TEXT "\n" PETER_LINE "more\n"), "dash"},
        {ROW(TEXT "\n-- PeterNeumann " PETER_SIGN "\n"), "dash"},
        {ROW(TEXT "\n\xe2\x80\x93 PeterNeumann " PETER_SIGN "\n"), "dash"},
        {ROW(TEXT "\n\xe2\x80\x94PeterNeumann " PETER_SIGN "\n"), "dash"},
        {ROW(TEXT "\n " PETER_LINE), "dash"},
        {ROW(TEXT "\n" DASH "PeterNeumann\n"), "without a signature"},
        {ROW(TEXT "\n" DASH "\n"), "without a signature"},
        {ROW(TEXT "\n" DASH " " PETER_SIGN "\n"), "no name"},
        {ROW(TEXT "\n" DASH "PeterNeumann  " PETER_SIGN "\n"), "base64"},
        {ROW(TEXT "\n" DASH "PeterNeumann " PETER_SIGN " \n"), "base64"},
        {ROW(TEXT "\n" DASH "PeterNeumann \n"), "base64"},
        {ROW(TEXT "\n" DASH "PeterNeumann AAAA\n"), "base64"},
        {ROW(TEXT "\n" DASH "PeterNeumann x08gow==\n"), "base64"},
        {ROW(TEXT "\n" DASH "Peter\xc2\xa0Neumann " PETER_SIGN "\n"), "space"},
        {ROW(TEXT "\r\n" PETER_LINE), "control"},
        {ROW("a\tb\n\n" PETER_LINE), "control"},
        {ROW("a\0b\n\n" PETER_LINE), "control"},
        {ROW("a\xff\n\n" PETER_LINE), "UTF-8"},
    };
    struct note_key key = key_of(PETER);
    struct span text, signatures;
    const char *fault;

    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        fault = NULL;
        assert_false(note_split(rows[i].note, &text, &signatures, &fault));
        if (fault == NULL || strstr(fault, rows[i].says) == NULL)
            fail_msg("row %zu: %s", i, fault);
        assert_int_equal(note_verify(rows[i].note, &key, &text, &fault), NOTE_MALFORMED);
    }
}

static void notes_are_bounded(void **state)
{
    struct text note = {0};
    struct span text, signatures;
    const char *fault;

    (void)state;
    while (note.length < NOTE_BYTES - sizeof("\n" PETER_LINE))
        text_add(&note, "x", 1);
    text_add_string(&note, "\n\n" PETER_LINE);
    assert_int_equal(note.length, NOTE_BYTES);
    assert_true(note_split((struct span){note.data, note.length}, &text, &signatures, &fault));
    assert_int_equal(text.length, NOTE_BYTES - sizeof("\n" PETER_LINE) + 1);
    note.data[0] = '\n';
    text_add_string(&note, PETER_LINE);
    assert_false(note_split((struct span){note.data, note.length}, &text, &signatures, &fault));
    assert_non_null(strstr(fault, "longer than any note"));
    text_free(&note);
}

/* The signer. */

static char *path_of(const char *directory, const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static struct note_signer *open_signer(const char *directory, const char *source, const char *name)
{
    char error[512] = "";
    struct note_signer *signer = note_signer_open(directory, source, true, name, error, sizeof error);

    assert_string_equal(error, "");
    assert_non_null(signer);
    assert_int_equal(ERR_peek_error(), 0);
    return signer;
}

/* Ed25519 signatures are the same each time, so the note is the one that Go's tests hold. */
static void signs_as_others_do(void **state)
{
    struct text note = {0};

    write_file(path_of(*state, "key.pem"), PETER_PEM, 0400);
    struct note_signer *signer = open_signer(*state, path_of(*state, "key.pem"), "PeterNeumann");
    assert_true(note_sign(signer, span_of(TEXT), &note));
    assert_string_equal(note.data, TEXT "\n" PETER_LINE);
    text_clear(&note);
    note_key_write(note_signer_key(signer), &note);
    assert_string_equal(note.data, PETER);
    text_free(&note);
    note_signer_free(signer);
    note_signer_free(NULL);
}

static void first_start_makes_a_key_that_stays(void **state)
{
    char keys[200];
    struct text note = {0};
    struct span text;
    struct stat status;
    const char *fault;

    snprintf(keys, sizeof keys, "%s/deep/keys", (char *)*state);
    struct note_signer *signer = open_signer(keys, NULL, "portcullis/gate.example");
    assert_int_equal(stat(path_of(keys, "journal-signing.key"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_nlink, 1);
    assert_int_equal(stat(keys, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_true(note_sign(signer, span_of("a\n\nb\n"), &note));
    assert_int_equal(
        note_verify((struct span){note.data, note.length}, note_signer_key(signer), &text, &fault),
        NOTE_GOOD);
    assert_true(span_is(text, "a\n\nb\n"));

    struct note_signer *again = open_signer(keys, NULL, "portcullis/gate.example");
    assert_memory_equal(note_signer_key(again), note_signer_key(signer), sizeof(struct note_key));
    struct note_signer *renamed = open_signer(keys, NULL, "portcullis/other.example");
    assert_int_equal(
        note_verify((struct span){note.data, note.length}, note_signer_key(renamed), &text, &fault),
        NOTE_NOT_SIGNED_BY_KEY);
    note_signer_free(renamed);
    note_signer_free(again);
    note_signer_free(signer);
    text_free(&note);
}

static void only_texts_of_notes_are_signed(void **state)
{
    static const struct span rows[] = {ROW(""), ROW("a"), ROW("a\r\n"), ROW("a\0\n"), ROW("\x80\n")};
    struct note_signer *signer = open_signer(*state, NULL, "o");

    for (size_t i = 0; i <= LENGTH(rows); i++) {
        struct text note = {0}, longest = {0};

        while (longest.length < NOTE_BYTES)
            text_add_string(&longest, "0123456\n");
        assert_false(note_sign(
            signer, i < LENGTH(rows) ? rows[i] : (struct span){longest.data, longest.length}, &note));
        assert_true(note.failed);
        assert_int_equal(note.length, 0);
        text_free(&longest);
    }
    note_signer_free(signer);
}

static void keys_that_cannot_be_used_are_refused(void **state)
{
    static const struct {
        const char *pem;
        mode_t mode;
        const char *name, *says;
    } rows[] = {
        {PETER_PEM, 0640, "o", "chmod 600"},
        {PETER_PEM, 0604, "o", "chmod 600"},
        {PETER_PEM, 0600, "", "no name"},
        {PETER_PEM, 0600, "an origin", "space"},
        {PETER_PEM, 0600, "two\nlines", "control"},
        {"", 0600, "o", "not a private key"},
        {"x", 0600, "o", "not a private key"},
        {"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", 0600, "o", "not a private key"},
        {"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGlzZBxQ8OExB6DDFvOEqqIF+xWSaqr8sMTiLNbLXRNY=\n"
         "-----END PUBLIC KEY-----\n",
         0600, "o", "not a private key"},
        /* with a passphrase: nobody is there to be asked */
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
         "MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBAYQ1F2hehoO2bmvqxO\n"
         "lw0TAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQsUWK3NyLzATw1EeX\n"
         "W4t8PQRAxikqyUcGZMfsAnEkhsn8SPxcpNSseksxNxiqnqHh2kGgLmyCz1xImtZQ\n"
         "GMsuXWAOaEaMVRUZgqrR9pyVzxkTTg==\n-----END ENCRYPTED PRIVATE KEY-----\n",
         0600, "o", "passphrase"},
        {"-----BEGIN PRIVATE KEY-----\n"
         "MC4CAQAwBQYDK2VuBCIEIKiKMjfgOdQbo8idUZ1icsankYnbP9lPrqKzvpvK1pN+\n"
         "-----END PRIVATE KEY-----\n",
         0600, "o", "not an Ed25519 key"},
        {"-----BEGIN PRIVATE KEY-----\n"
         "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQrf6l36z7AbygYCW\n"
         "cogH2zVV7h2d4bWDLHaXXvECEW6hRANCAAScz0iJngn3SypNvW0kqXQT0uahr/26\n"
         "2RWipy1HBZKBuJX5aA9oxrBXqkzZY9LsV1mtDC8aB7s4DVV7liP86FSv\n-----END PRIVATE KEY-----\n",
         0600, "o", "not an Ed25519 key"},
    };

    for (size_t i = 0; i < LENGTH(rows); i++)
        for (int own = 0; own < 2; own++) {
            char error[512] = "", *path = path_of(*state, own ? "journal-signing.key" : "key.pem");

            write_file(path, rows[i].pem, rows[i].mode);
            assert_null(note_signer_open(*state, own ? NULL : path, true, rows[i].name, error, sizeof error));
            if (strstr(error, rows[i].says) == NULL)
                fail_msg("row %zu: %s", i, error);
            assert_null(strstr(error, "MC4CAQ"));
            assert_int_equal(ERR_peek_error(), 0);
        }

    char error[512] = "", *path = path_of(*state, "missing.pem"); /* is not made where it is named */
    assert_null(note_signer_open(*state, path, true, "o", error, sizeof error));
    assert_non_null(strstr(error, "missing.pem: cannot read the key: No such file"));
    char long_text[4098] = PETER_PEM;
    memset(long_text + sizeof PETER_PEM - 1, '\n', sizeof long_text - sizeof PETER_PEM);
    write_file(path, long_text, 0600);
    assert_null(note_signer_open(*state, path, true, "o", error, sizeof error));
    assert_non_null(strstr(error, "4097 bytes long: this is no key"));
    path = path_of(*state, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(note_signer_open(*state, path, true, "o", error, sizeof error));
    assert_non_null(strstr(error, "not a regular file"));
}

/* Without a provider for it the URI leads nowhere, and its PIN is not told. OpenSSL's own provider takes what
 * it does not know for the name of a file, which shows the way through the store. */
static void pkcs11_uris_go_to_the_store(void **state)
{
    char error[512] = "", *home = getcwd(NULL, 0);

    assert_int_equal(chdir(*state), 0);
    assert_null(note_signer_open(*state, "pkcs11:object=key;pin-value=4711", true, "o", error, sizeof error));
    assert_non_null(strstr(error, "pkcs11: URI: OpenSSL has no provider"));
    assert_null(strstr(error, "4711"));
    assert_int_equal(ERR_peek_error(), 0);

    write_file("pkcs11:key", PETER_PEM, 0600);
    struct note_signer *signer = open_signer(*state, "pkcs11:key", "PeterNeumann");
    struct text vkey = {0};
    note_key_write(note_signer_key(signer), &vkey);
    assert_string_equal(vkey.data, PETER);
    text_free(&vkey);
    note_signer_free(signer);

    write_file("pkcs11:key", "nothing\n", 0600);
    assert_null(note_signer_open(*state, "pkcs11:key", true, "o", error, sizeof error));
    assert_non_null(strstr(error, "no private key is found"));
    assert_int_equal(chdir(home), 0);
    free(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_verifier_keys),
        cmocka_unit_test(refuses_other_verifier_keys),
        cmocka_unit_test(notes_are_verified_by_each_of_their_keys),
        cmocka_unit_test(no_change_of_a_note_passes),
        cmocka_unit_test(what_is_no_note_is_refused),
        cmocka_unit_test(notes_are_bounded),
        SCRATCH_TEST(signs_as_others_do),
        SCRATCH_TEST(first_start_makes_a_key_that_stays),
        SCRATCH_TEST(only_texts_of_notes_are_signed),
        SCRATCH_TEST(keys_that_cannot_be_used_are_refused),
        SCRATCH_TEST(pkcs11_uris_go_to_the_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
