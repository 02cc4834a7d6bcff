#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/config/settings.h"
#include "tests/unit/proxy/folder.h"

static struct folder folder;

static int set_up(void **state)
{
    (void)state;
    folder = folder_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* Reads the text as a configuration file; what is wrong with it is in `shown`, without the file's path. */
static struct config *read_text(const char *text, struct text *shown)
{
    struct problems problems = {0};
    struct text lines = {0};
    const char *path = folder_write(&folder, "portcullis.json", text);
    struct config *config = config_read(path, &problems);

    assert_int_equal(config == NULL, problems.errors > 0);
    problems_write(&problems, &lines);
    for (const char *line = lines.data; line != NULL && *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, path, strlen(path));
        line += strlen(path);
        text_add(shown, line, (size_t)(strchr(line, '\n') - line) + 1);
    }
    text_add(shown, "", 0);
    text_free(&lines);
    problems_free(&problems);
    return config;
}

#define TEXT_107                                                                                             \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaa"
#define REQUIRED "\"contract\":\"c.json\",\"policy\":\"p.json\""
#define LITERALS                                                                                             \
    ":2:14: error: upstream.addresses must be a list of 1 to 16 literal addresses such as \"192.0.2.1\" or " \
    "\"2001:db8::1\", without a port, or null (/upstream/addresses)\n"

/* A file that holds no more than it must. */
static void reads_defaults(void **state)
{
    struct text shown = {0};
    struct config *config = read_text("{" REQUIRED "}", &shown);

    (void)state;
    assert_string_equal(shown.data, "");
    assert_int_equal(config->listen_count, 1);
    assert_string_equal(config->listen[0].address.text, "127.0.0.1:8080");
    assert_string_equal(config->listen[0].address.host, "127.0.0.1");
    assert_int_equal(config->listen[0].address.port, 8080);
    assert_true(config->workers >= 1);
    assert_null(config->public_url);
    assert_string_equal(config->upstream.url, "https://api.snyk.io");
    assert_true(config->upstream.tls);
    assert_string_equal(config->upstream.host, "api.snyk.io");
    assert_int_equal(config->upstream.port, 443);
    assert_string_equal(config->upstream.authority, "api.snyk.io");
    assert_null(config->upstream.ca_file);
    assert_int_equal(config->upstream.json_bytes, 8 * 1024 * 1024);
    assert_int_equal(config->limits.body_bytes, 1024 * 1024);
    assert_string_equal(config->contract, folder_path(&folder, "c.json"));
    assert_string_equal(config->policy, folder_path(&folder, "p.json"));
    assert_string_equal(config->audit.directory, folder_path(&folder, "audit"));
    assert_string_equal(config->audit.keys, folder_path(&folder, "keys"));
    assert_null(config->audit.origin);
    assert_null(config->audit.signing_key);
    assert_null(config->audit.checkpoint_command);
    assert_int_equal(config->audit.segment_bytes, 64 << 20);
    assert_int_equal(config->audit.keep_days, 0);
    assert_string_equal(config->access_log, "-");
    config_free(config);
    text_free(&shown);
}

static void reads_every_kind(void **state)
{
    struct text shown = {0};
    struct config *config = read_text(
        "{\"$schema\":\"x\",\"listen\":[\"[::1]:0\",\"127.0.0.1:0\",\"127.0.0.1:0\"],\"workers\":3,"
        "\"public_url\":\"HTTPS://Gate.Example:443/\",\"contract\":\"/etc/c.json\",\"policy\":\"../p.json\","
        "\"upstream\":{\"url\":\"http://[::1]:8081/"
        "\",\"ca_file\":\"ca.pem\",\"header_bytes\":4096,\"queue\":0},"
        "\"access_log\":null,\"audit\":{\"directory\":\"/var/a\",\"keys\":\"/var/"
        "ab\"},\"stop_timeout_ms\":0}",
        &shown);

    (void)state;
    assert_string_equal(shown.data, "");
    assert_int_equal(config->listen_count, 3);
    assert_string_equal(config->listen[0].address.host, "::1");
    assert_int_equal(config->workers, 3);
    assert_string_equal(config->public_url, "https://gate.example");
    assert_string_equal(config->contract, "/etc/c.json");
    assert_string_equal(config->policy, folder_path(&folder, "../p.json"));
    assert_false(config->upstream.tls);
    assert_string_equal(config->upstream.host, "::1");
    assert_string_equal(config->upstream.authority, "[::1]:8081");
    assert_string_equal(config->upstream.ca_file, folder_path(&folder, "ca.pem"));
    assert_int_equal(config->upstream.header_bytes, 4096);
    assert_int_equal(config->upstream.queue, 0);
    assert_null(config->access_log);
    assert_int_equal(config->stop_timeout_ms, 0);
    config_free(config);
    text_free(&shown);
}

static void reads_listeners(void **state)
{
    struct text shown = {0};
    struct config *config =
        read_text("{" REQUIRED ",\"listen\":[{\"address\":\"[::1]:0\",\"proxy_protocol\":true},"
                  "\"unix:/run/a\",{\"address\":\"unix:/run/b\",\"mode\":\"0600\"},\"systemd:http\","
                  "{\"address\":\"127.0.0.1:1\",\"tls\":false,\"proxy_protocol\":false}],"
                  "\"trusted_networks\":[\"10.0.0.0/8\",\"unix:\",\"::1\"]}",
                  &shown);

    (void)state;
    assert_string_equal(shown.data, "");
    assert_int_equal(config->listen_count, 5);
    assert_true(config->listen[0].proxy_protocol);
    assert_int_equal(config->listen[0].address.kind, ADDRESS_TCP);
    assert_int_equal(config->listen[1].address.kind, ADDRESS_UNIX);
    assert_string_equal(config->listen[1].address.text, "unix:/run/a");
    assert_string_equal(config->listen[1].address.host, "/run/a");
    assert_int_equal(config->listen[1].mode, 0660);
    assert_int_equal(config->listen[2].mode, 0600);
    assert_int_equal(config->listen[3].address.kind, ADDRESS_SYSTEMD);
    assert_string_equal(config->listen[3].address.host, "http");
    assert_false(config->listen[4].tls);
    assert_false(config->listen[4].proxy_protocol);
    assert_int_equal(config->trusted_networks.count, 2);
    assert_int_equal(config->trusted_networks.items[0].bits, 96 + 8);
    assert_int_equal(config->trusted_networks.items[1].bits, 128);
    assert_true(config->trusted_networks.local);
    config_free(config);
    text_free(&shown);
}

/* Everything that is wrong with a list of listeners, each at its place. */
static void says_what_is_wrong_with_listeners(void **state)
{
    static const struct {
        const char *entry, *shown;
    } rows[] = {
        {"{}", ":2:12: error: listen has an entry without its address (/listen/0)\n"},
        {"null", ":2:12: error: listen must be a text such as \"127.0.0.1:8080\", \"unix:/run/gate.sock\" or "
                 "\"systemd:NAME\" (/listen/0)\n"},
        {"{\"address\":7,\"tsl\":true}",
         ":2:13: error: listen.address must be a text such as \"127.0.0.1:8080\", \"unix:/run/gate.sock\" or "
         "\"systemd:NAME\" (/listen/0/address)\n"
         ":2:25: error: listen.tsl is no member of a listener; did you mean \"tls\"? (/listen/0/tsl)\n"},
        {"{\"address\":\"127.0.0.1:1\",\"tls\":1}",
         ":2:37: error: listen.tls must be true or false (/listen/0/tls)\n"},
        {"{\"address\":\"127.0.0.1:1\",\"proxy_protocol\":\"v1\"}",
         ":2:37: error: listen.proxy_protocol must be true or false (/listen/0/proxy_protocol)\n"},
        {"{\"address\":\"127.0.0.1:1\",\"tls\":true}",
         ":2:37: error: listen.tls needs a certificate in tls.certificate (/listen/0/tls)\n"},
        {"{\"address\":\"127.0.0.1:1\",\"proxy_protocol\":true}",
         ":2:37: error: listen.proxy_protocol needs the networks of the proxies in trusted_networks "
         "(/listen/0/proxy_protocol)\n"},
        {"{\"address\":\"127.0.0.1:1\",\"mode\":\"0660\"}",
         ":2:37: error: listen.mode is for UNIX sockets only (/listen/0/mode)\n"},
        {"{\"address\":\"unix:/a\",\"mode\":\"0680\"}",
         ":2:33: error: listen.mode must be permissions in octal, such as \"0660\" (/listen/0/mode)\n"},
        {"{\"address\":\"unix:/a\",\"mode\":\"1000\"}",
         ":2:33: error: listen.mode must be permissions in octal, such as \"0660\" (/listen/0/mode)\n"},
        {"{\"address\":\"unix:/a\",\"mode\":432}",
         ":2:33: error: listen.mode must be permissions in octal, such as \"0660\" (/listen/0/mode)\n"},
        {"\"unix:a\"", ":2:12: error: listen must name a UNIX socket by an absolute path, as in "
                       "\"unix:/run/portcullis/portcullis.sock\" (/listen/0)\n"},
        {"\"unix:/a/\"", ":2:12: error: listen must name a UNIX socket by an absolute path, as in "
                         "\"unix:/run/portcullis/portcullis.sock\" (/listen/0)\n"},
        {"\"unix:/" TEXT_107 "\"", ":2:12: error: listen has a path that is too long for a UNIX socket: it "
                                   "holds 107 bytes at most (/listen/0)\n"},
        {"\"systemd:\"", ":2:12: error: listen must name a socket as its unit's FileDescriptorName does: "
                         "visible ASCII without a colon (/listen/0)\n"},
        {"\"systemd:a b\"", ":2:12: error: listen must name a socket as its unit's FileDescriptorName does: "
                            "visible ASCII without a colon (/listen/0)\n"},
        {"\"unix:/a\", \"unix:/a\"", ":2:23: error: listen names this address twice (/listen/1)\n"},
        {"\"systemd:a\", {\"address\":\"systemd:a\"}",
         ":2:25: error: listen names this address twice (/listen/1)\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text shown = {0}, file = {0};
        text_add_format(&file, "{" REQUIRED ",\n \"listen\":[%s]}", rows[i].entry);
        assert_null(read_text(file.data, &shown));
        assert_string_equal(shown.data, rows[i].shown);
        text_free(&shown);
        text_free(&file);
    }
}

/* What a setting is made of. */
static void reads_the_journals_own(void **state)
{
    struct text shown = {0};
    struct config *config =
        read_text("{" REQUIRED ",\"audit\":{\"origin\":\"snyk.example/audit\",\"signing_key\":\"s.pem\","
                  "\"checkpoint_command\":[\"bin/witness\",\"\",\"a/b\"]}}",
                  &shown);

    (void)state;
    assert_string_equal(shown.data, "");
    assert_string_equal(config->audit.origin, "snyk.example/audit");
    assert_string_equal(config->audit.signing_key, folder_path(&folder, "s.pem"));
    assert_string_equal(config->audit.checkpoint_command[0], folder_path(&folder, "bin/witness"));
    assert_string_equal(config->audit.checkpoint_command[1], "");
    assert_string_equal(config->audit.checkpoint_command[2], "a/b");
    assert_null(config->audit.checkpoint_command[3]);
    config_free(config);
    text_free(&shown);

    config = read_text("{" REQUIRED ",\"audit\":{\"signing_key\":\"pkcs11:object=x\","
                       "\"checkpoint_command\":[\"curl\"]}}",
                       &shown);
    assert_string_equal(config->audit.signing_key, "pkcs11:object=x");
    assert_string_equal(config->audit.checkpoint_command[0], "curl");
    config_free(config);
    text_free(&shown);
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"", ":1:1: error: empty: a value was expected\n"},
        {"[]", ":1:1: error: the document must be an object\n"},
        {"{}", ":1:1: error: contract is missing\n:1:1: error: policy is missing\n"},
        {"{" REQUIRED ",\n \"polycy\":1}",
         ":2:2: error: there is no such setting; did you mean \"policy\"? (/polycy)\n"},
        {"{" REQUIRED ",\n \"zzzzzzzzzzzzzzz\":1}",
         ":2:2: error: there is no such setting (/zzzzzzzzzzzzzzz)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\n\"conections\":1}}",
         ":3:1: error: there is no such setting; did you mean \"connections\"? (/upstream/conections)\n"},
        {"{" REQUIRED ",\n \"upstream.queue\":1}",
         ":2:2: error: there is no such setting (/upstream.queue)\n"},
        {"{" REQUIRED ",\n \"limits\":{\"a/b\":1,\"$schema\":1}}",
         ":2:12: error: there is no such setting (/limits/a~1b)\n"
         ":2:20: error: there is no such setting (/limits/$schema)\n"},
        {"{" REQUIRED ",\n \"limits\":[]}", ":2:2: error: limits must be an object of settings (/limits)\n"},
        {"{" REQUIRED ",\n \"upstream\":null}",
         ":2:2: error: upstream must be an object of settings (/upstream)\n"},
        {"{" REQUIRED ",\n \"workers\":1.0}", ":2:2: error: workers must be a whole number (/workers)\n"},
        {"{" REQUIRED ",\n \"workers\":null}", ":2:2: error: workers must be a whole number (/workers)\n"},
        {"{" REQUIRED ",\n \"workers\":-1}", ":2:2: error: workers must be from 0 to 1024 (/workers)\n"},
        {"{" REQUIRED ",\n \"access_log\":\"\"}",
         ":2:2: error: access_log must be a path or null (/access_log)\n"},
        {"{\"contract\":7,\"policy\":null}",
         ":1:2: error: contract must be a path (/contract)\n:1:15: error: policy must be a path (/policy)\n"},
        {"{" REQUIRED ",\n \"tls\":{\"certificate\":\"c\"}}",
         ":2:9: error: tls.certificate needs tls.key (/tls/certificate)\n"
         ":2:9: warning: no listener has tls: the certificate is of no use (/tls/certificate)\n"},
        {"{" REQUIRED ",\n \"tls\":{\"key\":\"k\"}}",
         ":2:9: error: tls.key needs tls.certificate (/tls/key)\n"},
        {"{" REQUIRED ",\n \"tls\":{\"client_certificate\":\"always\"}}",
         ":2:9: error: tls.client_certificate must be one of \"none\", \"optional\", \"required\" "
         "(/tls/client_certificate)\n"},
        {"{" REQUIRED ",\n \"tls\":{\"client_certificate\":\"required\",\"client_crl\":\"r\"}}",
         ":2:9: error: clients' certificates need tls.client_ca, which says who may sign them "
         "(/tls/client_certificate)\n"
         ":2:41: error: tls.client_crl needs tls.client_ca (/tls/client_crl)\n"},
        {"{" REQUIRED ",\n \"listen\":[]}",
         ":2:2: error: listen must be a list of 1 to 64 listeners (/listen)\n"},
        {"{" REQUIRED ",\n \"listen\":\"127.0.0.1:1\"}",
         ":2:2: error: listen must be a list of 1 to 64 listeners (/listen)\n"},
        {"{" REQUIRED ",\n \"listen\":[\"127.0.0.1:1\",\"127.0.0.1:1\", 7]}",
         ":2:26: error: listen names this address twice (/listen/1)\n"
         ":2:41: error: listen must be a text such as \"127.0.0.1:8080\", "
         "\"unix:/run/gate.sock\" or \"systemd:NAME\" (/listen/2)\n"},
        {"{" REQUIRED ",\n \"audit\":{\"origin\":\"a b\",\"signing_key\":\"\",\"checkpoint_command\":[]}}",
         ":2:11: error: audit.origin must be a name of 1 to 255 visible ASCII characters without space and "
         "plus, or null (/audit/origin)\n"
         ":2:26: error: audit.signing_key must be a path or null (/audit/signing_key)\n"
         ":2:43: error: audit.checkpoint_command must be a list of a program and its arguments, or null "
         "(/audit/checkpoint_command)\n"},
        {"{" REQUIRED ",\n \"audit\":{\"origin\":\"\",\"checkpoint_command\":[\"\"]}}",
         ":2:11: error: audit.origin must be a name of 1 to 255 visible ASCII characters without space and "
         "plus, or null (/audit/origin)\n"
         ":2:23: error: audit.checkpoint_command must be a list of a program and its arguments, or null "
         "(/audit/checkpoint_command)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"addresses\":[\"127.0.0.1\",\"127.0.0.1:80\"]}}", LITERALS},
        {"{" REQUIRED ",\n \"upstream\":{\"addresses\":[\"[::1]\"]}}", LITERALS},
        {"{" REQUIRED ",\n \"upstream\":{\"addresses\":[\"localhost\"]}}", LITERALS},
        {"{" REQUIRED ",\n \"upstream\":{\"addresses\":[]}}", LITERALS},
        {"{" REQUIRED ",\n \"upstream\":{\"proxy\":\"https://proxy:3128\"}}",
         ":2:14: error: upstream.proxy must begin with http://: a proxy is spoken to in clear, and carries "
         "TLS "
         "(/upstream/proxy)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"proxy\":\"http://user:pw@proxy:3128\"}}",
         ":2:14: error: upstream.proxy must hold no user name and no password (/upstream/proxy)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"url\":\"http://127.0.0.1:1\",\"proxy\":\"http://proxy:3128\"}}",
         ":2:41: error: upstream.proxy needs an https:// upstream: nothing but TLS goes through a proxy "
         "(/upstream/proxy)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"addresses\":[\"127.0.0.1\"],\"proxy\":\"http://proxy:3128\"}}",
         ":2:40: error: upstream.proxy and upstream.addresses exclude each other: it is the proxy who looks "
         "for "
         "the upstream (/upstream/proxy)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"proxy_credentials\":{\"env\":\"LOGIN\"}}}",
         ":2:14: error: upstream.proxy_credentials are for upstream.proxy, which is not set "
         "(/upstream/proxy_credentials)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"proxy\":\"http://127.0.0.1:1\",\"proxy_credentials\":\"a:b\"}}",
         ":2:43: error: upstream.proxy_credentials must be {\"env\": NAME} or {\"file\": PATH}, or null "
         "(/upstream/proxy_credentials)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"addresses\":\"127.0.0.1\"}}", LITERALS},
        {"{" REQUIRED ",\n \"audit\":{\"checkpoint_command\":[\"a\",1]}}",
         ":2:11: error: audit.checkpoint_command must be a list of a program and its arguments, or null "
         "(/audit/checkpoint_command)\n"},
        {"{" REQUIRED ",\n \"trusted_networks\":{}}",
         ":2:2: error: trusted_networks must be a list of up to 256 networks (/trusted_networks)\n"},
        {"{" REQUIRED ",\n \"trusted_networks\":[\"10.0.0.1/8\", 7, \"lan\",\"unix:\",\"unix:\"]}",
         ":2:22: error: trusted_networks has bits behind its prefix that are not zero (/trusted_networks/0)\n"
         ":2:36: error: trusted_networks must be a text such as \"10.0.0.0/8\", \"2001:db8::/32\" or "
         "\"unix:\" "
         "(/trusted_networks/1)\n"
         ":2:39: error: trusted_networks is no network such as \"10.0.0.0/8\" or \"2001:db8::/32\", and no "
         "address (/trusted_networks/2)\n"
         ":2:53: error: trusted_networks names this network twice (/trusted_networks/4)\n"},
        {"{" REQUIRED ",\n \"public_url\":\"ftp://x\"}",
         ":2:2: error: public_url must begin with https:// or http:// (/public_url)\n"},
        {"{" REQUIRED ",\n \"audit\":{\"directory\":\"a\",\"keys\":\"a/keys\"}}",
         ":2:27: error: audit.keys must not lie inside audit.directory (/audit/keys)\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text shown = {0};
        assert_null(read_text(rows[i].text, &shown));
        assert_string_equal(shown.data, rows[i].shown);
        text_free(&shown);
    }
}

static void warns(void **state)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"{" REQUIRED ",\n \"listen\":[\"0.0.0.0:80\"]}",
         ":2:12: warning: 0.0.0.0:80 can be reached from other machines without encryption: clients' tokens "
         "cross the network in clear (/listen/0)\n"},
        {"{" REQUIRED ",\n \"tls\":{\"certificate\":\"c\",\"key\":\"k\",\"client_ca\":\"a\"}}",
         ":2:9: warning: no listener has tls: the certificate is of no use (/tls/certificate)\n"
         ":2:37: warning: tls.client_certificate is \"none\": clients are not asked for a certificate "
         "(/tls/client_ca)\n"},
        {"{" REQUIRED ",\n \"upstream\":{\"url\":\"http://api.example\"}}",
         ":2:14: warning: http://api.example is not encrypted: API keys cross the network in clear "
         "(/upstream/url)\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text shown = {0};
        struct config *config = read_text(rows[i].text, &shown);
        assert_non_null(config);
        assert_string_equal(shown.data, rows[i].shown);
        config_free(config);
        text_free(&shown);
    }
}

static void names_a_file_that_cannot_be_read(void **state)
{
    struct problems problems = {0};
    struct text lines = {0};

    (void)state;
    assert_null(config_read("/nowhere/portcullis.json", &problems));
    problems_write(&problems, &lines);
    assert_string_equal(lines.data,
                        "/nowhere/portcullis.json: error: cannot read it: No such file or directory\n");
    text_free(&lines);
    problems_free(&problems);
}

static bool is_number(const struct setting *row)
{
    return row->kind == SETTING_COUNT || row->kind == SETTING_MILLISECONDS || row->kind == SETTING_SECONDS ||
           row->kind == SETTING_BYTES;
}

/* Does a file with that number in the setting read, and does it arrive? */
static bool takes_number(const struct setting *row, int64_t number)
{
    const char *dot = strchr(row->name, '.');
    struct text file = {0}, shown = {0};

    text_add_string(&file, "{" REQUIRED ",");
    if (dot != NULL)
        text_add_format(&file, "\"%.*s\":{\"%s\":%jd}}", (int)(dot - row->name), row->name, dot + 1,
                        (intmax_t)number);
    else
        text_add_format(&file, "\"%s\":%jd}", row->name, (intmax_t)number);
    struct config *config = read_text(file.data, &shown);
    bool taken = config != NULL;
    if (taken && !(number == 0 && strcmp(row->name, "workers") == 0)) {
        const char *at = (const char *)config + row->offset;
        assert_int_equal(row->kind == SETTING_BYTES ? *(const size_t *)(const void *)at
                                                    : *(const unsigned *)(const void *)at,
                         number);
    }
    config_free(config);
    text_free(&file);
    text_free(&shown);
    return taken;
}

static void holds_every_bound(void **state)
{
    size_t count;
    const struct setting *rows = config_settings(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (!is_number(&rows[i]))
            continue;
        assert_true(takes_number(&rows[i], (int64_t)rows[i].least));
        assert_true(takes_number(&rows[i], (int64_t)rows[i].most));
        assert_false(takes_number(&rows[i], (int64_t)rows[i].least - 1));
        assert_false(takes_number(&rows[i], (int64_t)rows[i].most + 1));
    }
}

static json_t *load(const char *path)
{
    json_t *value = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(value);
    return value;
}

/* The value that "upstream.queue" names, each object's members being below `below` ("" or "properties"). */
static json_t *follow(json_t *root, const char *name, const char *below)
{
    struct text pointer = {0};

    for (const char *part = name; part != NULL;) {
        const char *dot = strchr(part, '.');
        text_add_format(&pointer, "%s%s/%.*s", below[0] != '\0' ? "/" : "", below,
                        dot ? (int)(dot - part) : (int)strlen(part), part);
        part = dot ? dot + 1 : NULL;
    }
    json_t *found = pointer_get(root, pointer.data);
    text_free(&pointer);
    return found;
}

static size_t count_leaves(const json_t *value)
{
    size_t count = 0;
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return 1;
    json_object_foreach ((json_t *)value, name, member)
        count += strcmp(name, "$schema") != 0 ? count_leaves(member) : 0;
    return count;
}

/* The sample names every setting, with its default. */
static void sample_does_not_drift(void **state)
{
    size_t count;
    const struct setting *rows = config_settings(&count);
    json_t *sample = load("conf/portcullis.json");

    (void)state;
    for (size_t i = 0; i < count; i++) {
        json_t *value = follow(sample, rows[i].name, "");
        if (value == NULL)
            fail_msg("conf/portcullis.json does not name %s", rows[i].name);
        json_t *standard =
            rows[i].standard ? json_loads(rows[i].standard, JSON_DECODE_ANY, NULL) : json_incref(value);
        if (!json_equal(value, standard))
            fail_msg("conf/portcullis.json sets %s to something else than %s", rows[i].name,
                     rows[i].standard);
        json_decref(standard);
    }
    assert_int_equal(count_leaves(sample), count);
    json_decref(sample);
}

/* The schema describes every setting as the table does. */
static void schema_does_not_drift(void **state)
{
    size_t count;
    const struct setting *rows = config_settings(&count);
    json_t *schema = load("conf/portcullis.schema.json");

    (void)state;
    for (size_t i = 0; i < count; i++) {
        json_t *row = follow(schema, rows[i].name, "properties");
        if (row == NULL)
            fail_msg("conf/portcullis.schema.json does not describe %s", rows[i].name);
        assert_string_equal(json_string_value(json_object_get(row, "description")), rows[i].help);
        json_t *standard = rows[i].standard ? json_loads(rows[i].standard, JSON_DECODE_ANY, NULL) : NULL;
        if (standard != NULL ? !json_equal(standard, json_object_get(row, "default"))
                             : json_object_get(row, "default") != NULL)
            fail_msg("conf/portcullis.schema.json has another default for %s", rows[i].name);
        json_decref(standard);
        if (is_number(&rows[i])) {
            assert_int_equal(json_integer_value(json_object_get(row, "minimum")), rows[i].least);
            assert_int_equal(json_integer_value(json_object_get(row, "maximum")), rows[i].most);
        }
    }
    json_decref(schema);
}

static void manual_names_every_setting(void **state)
{
    size_t count;
    const struct setting *rows = config_settings(&count);
    struct text manual = {0};

    (void)state;
    config_write_manual(&manual);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "  %s ", rows[i].name);
        const char *line = strstr(manual.data, name);
        assert_non_null(line);
        const char *help = strstr(line, rows[i].help);
        assert_true(help != NULL && help < strchr(line, '\n'));
    }
    text_free(&manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_defaults),
        cmocka_unit_test(reads_every_kind),
        cmocka_unit_test(reads_listeners),
        cmocka_unit_test(says_what_is_wrong_with_listeners),
        cmocka_unit_test(reads_the_journals_own),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(warns),
        cmocka_unit_test(names_a_file_that_cannot_be_read),
        cmocka_unit_test(holds_every_bound),
        cmocka_unit_test(sample_does_not_drift),
        cmocka_unit_test(schema_does_not_drift),
        cmocka_unit_test(manual_names_every_setting),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
