#include "proxy/config/settings.h"
#include "proxy/config/value.h"

#include <inttypes.h>
#include <stdlib.h>

#define KIB    1024ull
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define MINUTE 60000ull /* in milliseconds */
#define HOUR   (60 * MINUTE)
#define YEAR   (366 * 86400ull) /* in seconds */

#define AT(member) offsetof(struct config, member)

/* One row for each setting. Reading, bounds, defaults and the manual follow from it; the schema beside the
 * sample file is held against it by a test. */
static const struct setting table[] = {
    {"listen", SETTING_LISTENERS, AT(listen), 1, 64, false, "[\"127.0.0.1:8080\"]",
     "Where clients are accepted: addresses, or objects of `address`, `tls`, `proxy_protocol` and `mode`; "
     "see "
     "Listeners."},
    {"trusted_networks", SETTING_NETWORKS, AT(trusted_networks), 0, 256, false, "[]",
     "Networks of proxies that may say, in a PROXY header or in X-Forwarded-For, for whom they speak; unix: "
     "is "
     "whoever connects by a UNIX socket."},
    {"workers", SETTING_COUNT, AT(workers), 0, 1024, false, "0",
     "Worker threads; 0 starts one for each core that the process may use."},
    {"public_url", SETTING_ORIGIN, AT(public_url), 0, 0, true, "null",
     "What clients call the gate, for links in answers; null takes scheme and Host of each request."},

    {"tls.certificate", SETTING_FILE, AT(tls.certificate), 0, 0, true, "null",
     "Certificate of the listeners with tls, and behind it those that lead to its root (PEM); SIGHUP reads "
     "it "
     "and all of tls anew."},
    {"tls.key", SETTING_FILE, AT(tls.key), 0, 0, true, "null",
     "Its private key (PEM, not encrypted), a file of mode 0600 or less."},
    {"tls.client_certificate", SETTING_CHOICE, AT(tls.client_certificate), 0, 0, false, "\"none\"",
     "Is a client asked for a certificate? One that is shown must be good."},
    {"tls.client_ca", SETTING_FILE, AT(tls.client_ca), 0, 0, true, "null",
     "Certificates (PEM) that clients' may be signed by; must be given where they are asked for one."},
    {"tls.client_crl", SETTING_FILE, AT(tls.client_crl), 0, 0, true, "null",
     "What these revoked: a CRL of each authority on the way to the root (PEM); null asks for none."},
    {"tls.ocsp_response", SETTING_FILE, AT(tls.ocsp_response), 0, 0, true, "null",
     "OCSP response (DER) on the gate's certificate, given to clients as long as it is fresh; null for "
     "none."},
    {"tls.ticket_lifetime_s", SETTING_SECONDS, AT(tls.ticket_lifetime_s), 0, 86400, false, "3600",
     "How long a client may resume a TLS session without a new handshake; its key changes as often. 0 for "
     "never."},

    {"upstream.url", SETTING_ORIGIN, AT(upstream.url), 0, 0, false, "\"https://api.snyk.io\"",
     "The API behind the gate: scheme, host and port. The path comes from the contract."},
    {"upstream.ca_file", SETTING_FILE, AT(upstream.ca_file), 0, 0, true, "null",
     "Certificates (PEM) that the upstream's may be signed by; null takes the system's store."},
    {"upstream.connections", SETTING_COUNT, AT(upstream.connections), 1, 4096, false, "64",
     "Most requests under way with the upstream at a time, each on a connection of its own, for each "
     "worker."},
    {"upstream.idle_connections", SETTING_COUNT, AT(upstream.idle_connections), 0, 65536, false, "1024",
     "Most connections kept for the next request of the same principal and credential, for each worker."},
    {"upstream.queue", SETTING_COUNT, AT(upstream.queue), 0, 1000000, false, "1024",
     "Most requests that wait for a connection, for each worker; one more is answered 503."},
    {"upstream.queue_wait_ms", SETTING_MILLISECONDS, AT(upstream.queue_wait_ms), 0, 600000, false, "5000",
     "Longest useful wait for a connection: while all wait longer, the newest reads of who waits most get "
     "503. 0 for any."},
    {"upstream.retry_after_s", SETTING_SECONDS, AT(upstream.retry_after_s), 1, 86400, false, "60",
     "How long a credential that the API answered 429 is held back where the API does not say for how long."},
    {"upstream.retry_after_most_s", SETTING_SECONDS, AT(upstream.retry_after_most_s), 0, 86400, false, "600",
     "However long the API says, it is held back for that at most; 0 never holds one back."},
    {"upstream.connect_timeout_ms", SETTING_MILLISECONDS, AT(upstream.connect_timeout_ms), 10, 10 * MINUTE,
     false, "5000", "Longest time to connect, TLS handshake included."},
    {"upstream.first_byte_timeout_ms", SETTING_MILLISECONDS, AT(upstream.first_byte_timeout_ms), 10, HOUR,
     false, "30000", "Longest time from the request sent to the first byte of its answer."},
    {"upstream.total_timeout_ms", SETTING_MILLISECONDS, AT(upstream.total_timeout_ms), 10, 24 * HOUR, false,
     "60000", "Longest time for a whole exchange with the upstream."},
    {"upstream.idle_timeout_ms", SETTING_MILLISECONDS, AT(upstream.idle_timeout_ms), 10, HOUR, false, "30000",
     "How long an idle connection is kept; should be shorter than the upstream keeps it."},
    {"upstream.json_bytes", SETTING_BYTES, AT(upstream.json_bytes), KIB, GIB, false, "8388608",
     "Largest JSON answer: it is held whole, because links in it are rewritten. Larger is 502."},
    {"upstream.header_bytes", SETTING_BYTES, AT(upstream.header_bytes), KIB, MIB, false, "65536",
     "Largest header of an answer."},
    {"upstream.resolve_interval_s", SETTING_SECONDS, AT(upstream.resolve_interval_s), 1, 86400, false, "60",
     "How often the upstream's name is looked up anew."},
    {"upstream.addresses", SETTING_LITERALS, AT(upstream.addresses), 1, 16, true, "null",
     "Literal IPv4 or IPv6 addresses to connect to, in place of looking the name up; port and host name stay "
     "those of the URL."},
    {"upstream.proxy", SETTING_ORIGIN, AT(upstream.proxy), 0, 0, true, "null",
     "HTTP proxy that leads to the upstream, as \"http://host:port\": asked with CONNECT, TLS goes through "
     "it; "
     "null for none. No environment variable is heeded."},
    {"upstream.proxy_credentials", SETTING_SECRET, AT(upstream.proxy_credentials), 0, 0, true, "null",
     "User and password for that, as user:password: {\"env\": NAME} or {\"file\": PATH}; SIGHUP reads it "
     "anew; null for none."},
    {"upstream.eject_failures", SETTING_COUNT, AT(upstream.eject_failures), 0, 1000, false, "5",
     "After that many requests in a row without a whole answer others of the upstream's addresses are "
     "preferred; 0 for never."},
    {"upstream.eject_seconds", SETTING_SECONDS, AT(upstream.eject_seconds), 1, 3600, false, "10",
     "For how long the first time; twice as long each time after that, up to five minutes, and a little more "
     "at random."},

    {"contract", SETTING_FILE, AT(contract), 0, 0, false, NULL,
     "The OpenAPI document of the operations that exist; all others are answered 404."},
    {"policy", SETTING_FILE, AT(policy), 0, 0, false, NULL, "The policy file: who may do what where."},
    {"policy_watch", SETTING_SWITCH, AT(policy_watch), 0, 0, false, "true",
     "Are policy, contract, manifest and the files that the policy names read anew when they change? false "
     "leaves that to SIGHUP."},
    {"policy_shadow", SETTING_FILE, AT(policy_shadow), 0, 0, true, "null",
     "A candidate for the policy, judged beside it: it decides nothing, and what it would decide otherwise "
     "is "
     "counted and logged; null for none."},

    {"manifest.file", SETTING_FILE, AT(manifest.file), 0, 0, true, "null",
     "Signed note that names policy, contract and a serial: others than these, or older ones, are refused; "
     "null demands none."},
    {"manifest.key", SETTING_VERIFIER, AT(manifest.key), 0, 0, true, "null",
     "Public key that it must be signed by, as `portcullis manifest key` prints it."},

    {"facts.radius", SETTING_CHOICE, AT(facts.radius), 0, 0, false, "\"always\"",
     "Is what hangs on an integration looked up before each delete, or only when a rule looks at it?"},
    {"facts.requests", SETTING_COUNT, AT(facts.requests), 2, 1000, false, "64",
     "Most requests to the API to learn what a change is about; what they do not reach is unknown."},
    {"facts.timeout_ms", SETTING_MILLISECONDS, AT(facts.timeout_ms), 10, 10 * MINUTE, false, "15000",
     "Longest time for all of them."},

    {"audit.directory", SETTING_DIRECTORY, AT(audit.directory), 0, 0, false, "\"audit\"",
     "Directory of the audit journal; made (0700) when it is missing."},
    {"audit.keys", SETTING_DIRECTORY, AT(audit.keys), 0, 0, false, "\"keys\"",
     "Directory of the journal's keys, outside of the journal's; made (0700) when it is missing."},
    {"audit.queue", SETTING_COUNT, AT(audit.queue), 1, 1000000, false, "4096",
     "Most records that wait for the disk; one change more is answered 503."},
    {"audit.reply", SETTING_CHOICE, AT(audit.reply), 0, 0, false, "\"durable\"",
     "When a change is answered: durable, once its outcome is on the disk; queued, as soon as that waits for "
     "the "
     "disk."},
    {"audit.origin", SETTING_NAME, AT(audit.origin), 0, 0, true, "null",
     "Name of the journal and its signing key in checkpoints; it stays what it was when the journal was "
     "begun. "
     "null takes that, for a new journal portcullis/HOSTNAME."},
    {"audit.signing_key", SETTING_KEY, AT(audit.signing_key), 0, 0, true, "null",
     "Ed25519 key that signs checkpoints: a PEM file, or a pkcs11: URI through OpenSSL; null takes "
     "journal-signing.key in audit.keys, made at the first start."},
    {"audit.segment_bytes", SETTING_BYTES, AT(audit.segment_bytes), 4 * KIB, 16 * GIB, false, "67108864",
     "A new file of the journal is begun beyond this size."},
    {"audit.segment_seconds", SETTING_SECONDS, AT(audit.segment_seconds), 0, 10 * YEAR, false, "86400",
     "A new file of the journal is begun when the last one is that old; 0 for never."},
    {"audit.keep_days", SETTING_COUNT, AT(audit.keep_days), 0, 36600, false, "0",
     "Files of the journal are removed that many days after their last record, once a checkpoint covers them "
     "and "
     "every change in them has its outcome; 0 keeps them for ever."},
    {"audit.checkpoint_records", SETTING_COUNT, AT(audit.checkpoint_records), 1, 1000000, false, "1000",
     "A checkpoint is signed after that many records."},
    {"audit.checkpoint_seconds", SETTING_SECONDS, AT(audit.checkpoint_seconds), 1, 86400, false, "60",
     "A checkpoint is signed that long after the last one, when there are new records."},
    {"audit.checkpoint_command", SETTING_COMMAND, AT(audit.checkpoint_command), 1, 64, true, "null",
     "Program and arguments that are given every new checkpoint, on stdin and as a path behind the "
     "arguments, so "
     "that somebody else holds it; curl serves for a URL. A note with more signatures that it prints is "
     "kept. "
     "It may take 10 seconds."},

    {"admin.listen", SETTING_ADMIN, AT(admin.listen), 0, 0, true, "null",
     "Where /livez, /readyz and /metrics are answered: an address of this machine, unix:PATH (made with mode "
     "0600), or with admin.token any address; null for nowhere."},
    {"admin.token", SETTING_SECRET, AT(admin.token), 0, 0, true, "null",
     "Bearer token that is demanded there: {\"env\": NAME} or {\"file\": PATH}, read anew with SIGHUP; null "
     "for none."},

    {"approvals.listen", SETTING_ADMIN, AT(approvals.listen), 0, 0, true, "null",
     "Where people see and give approvals (/approvals): an address of this machine, unix:PATH (made with "
     "mode 0600), or with approvals.tls any address; null for nowhere."},
    {"approvals.tls", SETTING_SWITCH, AT(approvals.tls), 0, 0, false, "false",
     "Is it encrypted there, with tls.certificate and by all that tls says?"},

    {"ship.syslog", SETTING_SYSLOG, AT(ship.syslog), 0, 0, true, "null",
     "Where the journal is shipped as syslog (RFC 5424): unix:/dev/log, or tls://host:port (RFC 5425); null "
     "for "
     "nowhere."},
    {"ship.webhook", SETTING_WEBHOOK, AT(ship.webhook), 0, 0, true, "null",
     "Where the journal is posted in batches of JSON lines: an https:// URL, or http:// to this machine; "
     "null "
     "for nowhere."},
    {"ship.webhook_token", SETTING_SECRET, AT(ship.webhook_token), 0, 0, true, "null",
     "Bearer token for that: {\"env\": NAME} or {\"file\": PATH}, read anew for each batch; null for none."},
    {"ship.ca_file", SETTING_FILE, AT(ship.ca_file), 0, 0, true, "null",
     "Certificates (PEM) that both may be signed by; null takes the system's store."},
    {"ship.state", SETTING_DIRECTORY, AT(ship.state), 0, 0, false, "\"ship\"",
     "Directory that keeps how far each has the journal, outside of the journal's; made (0700) when it is "
     "missing."},

    {"access_log", SETTING_LOG, AT(access_log), 0, 0, true, "\"-\"",
     "File of the access log, a JSON line a request; \"-\" is stderr, null is none."},

    {"limits.header_bytes", SETTING_BYTES, AT(limits.header_bytes), KIB, MIB, false, "32768",
     "Largest header of a request; larger is 431."},
    {"limits.header_fields", SETTING_COUNT, AT(limits.header_fields), 8, 1000, false, "100",
     "Most fields in a header; more is 431."},
    {"limits.target_bytes", SETTING_BYTES, AT(limits.target_bytes), 128, 64 * KIB, false, "4096",
     "Longest request target; longer is 414."},
    {"limits.body_bytes", SETTING_BYTES, AT(limits.body_bytes), KIB, 256 * MIB, false, "1048576",
     "Largest body of a request; larger is 413."},
    {"limits.handshake_timeout_ms", SETTING_MILLISECONDS, AT(limits.handshake_timeout_ms), 10, 10 * MINUTE,
     false, "10000", "Longest time for a client's TLS handshake."},
    {"limits.header_timeout_ms", SETTING_MILLISECONDS, AT(limits.header_timeout_ms), 10, 10 * MINUTE, false,
     "10000", "Longest time from a request's first byte to the end of its header."},
    {"limits.body_timeout_ms", SETTING_MILLISECONDS, AT(limits.body_timeout_ms), 10, HOUR, false, "30000",
     "Longest time from the end of the header to the end of the body."},
    {"limits.idle_timeout_ms", SETTING_MILLISECONDS, AT(limits.idle_timeout_ms), 10, HOUR, false, "60000",
     "How long a client's connection may stay without a request."},
    {"limits.exchange_timeout_ms", SETTING_MILLISECONDS, AT(limits.exchange_timeout_ms), 100, 86400000, false,
     "600000",
     "Longest time from a request's first byte to the last of its answer; then 408 or 504 where no answer "
     "has begun, else the connection is cut."},
    {"limits.write_timeout_ms", SETTING_MILLISECONDS, AT(limits.write_timeout_ms), 10, HOUR, false, "30000",
     "How long a client may take nothing of its answer."},
    {"limits.body_bytes_per_s", SETTING_COUNT, AT(limits.body_bytes_per_s), 0, 1000000, false, "200",
     "Slowest body that is taken, on average since its header; slower is 408. 0 for any."},
    {"limits.answer_bytes_per_s", SETTING_COUNT, AT(limits.answer_bytes_per_s), 0, 1000000, false, "200",
     "Slowest client that is waited for, on average while a part of its answer waits; slower is cut. 0 for "
     "any."},
    {"limits.rate_grace_ms", SETTING_MILLISECONDS, AT(limits.rate_grace_ms), 10, 600000, false, "5000",
     "How long both may take before they are held to that."},
    {"limits.requests_per_connection", SETTING_COUNT, AT(limits.requests_per_connection), 0, 1000000, false,
     "10000",
     "Most requests on one connection; the answer to the last says so and closes it. 0 for no bound."},
    {"limits.drain_bytes", SETTING_BYTES, AT(limits.drain_bytes), 0, GIB, false, "1048576",
     "Read and thrown away after a refusal, so that the client can read the answer."},
    {"limits.drain_timeout_ms", SETTING_MILLISECONDS, AT(limits.drain_timeout_ms), 10, MINUTE, false, "2000",
     "Longest time for that."},
    {"limits.connections", SETTING_COUNT, AT(limits.connections), 1, 1000000, false, "10000",
     "Most client connections at a time, in all; one more gets 503, where it speaks TLS it is closed."},
    {"limits.connections_per_address", SETTING_COUNT, AT(limits.connections_per_address), 0, 1000000, false,
     "0",
     "Most connections of one client address (IPv6: of its /64) at a time, over all workers; one more is "
     "closed. 0 "
     "for no bound."},
    {"limits.exchanges", SETTING_COUNT, AT(limits.exchanges), 1, 1000000, false, "5000",
     "Most requests being answered at a time, for each worker; one more is 503."},
    {"limits.loop_lag_ms", SETTING_MILLISECONDS, AT(limits.loop_lag_ms), 0, 600000, false, "1000",
     "A worker whose loop is that late, three times in a row, answers 503 until it is not. 0 for never."},
    {"limits.held_bytes", SETTING_BYTES, AT(limits.held_bytes), MIB, 64 * GIB, false, "268435456",
     "Bytes of answers that a worker may hold for slow clients and for rewriting; more reads get 503."},
    {"limits.unfinished_bytes", SETTING_BYTES, AT(limits.unfinished_bytes), 65536, 64 * GIB, false,
     "67108864",
     "Bytes of requests that did not come at once that a worker may hold until they are answered; over "
     "that the request that holds the most gets 503."},
    {"limits.backlog", SETTING_COUNT, AT(limits.backlog), 1, 65535, false, "1024",
     "Connections that the kernel may hold before a worker accepts them."},

    {"process.user", SETTING_ACCOUNT, AT(process.user), 0, 0, true, "null",
     "Account that the gate becomes when it was started as root, once its addresses are bound; null for "
     "none."},
    {"process.group", SETTING_ACCOUNT, AT(process.group), 0, 0, true, "null",
     "Group that it becomes with that; null for the account's own."},
    {"process.confine", SETTING_CHOICE, AT(process.confine), 0, 0, false, "\"auto\"",
     "Gives up all files that the settings do not name (landlock) and all system calls that the gate does "
     "not "
     "make (seccomp): auto goes on where the kernel lacks one, required does not start there."},

    {"takeover", SETTING_SOCKET, AT(takeover), 0, 0, true, "null",
     "UNIX socket at which a gate that is started hands its listening sockets to the next one: `serve` takes "
     "over from the gate that listens there; null for no takeover."},
    {"takeover_wait_ms", SETTING_MILLISECONDS, AT(takeover_wait_ms), 0, 10 * MINUTE, false, "10000",
     "How long changes wait, in a gate that has taken over, for the old one to let go of the journal; then "
     "they are answered 503."},
    {"stop_timeout_ms", SETTING_MILLISECONDS, AT(stop_timeout_ms), 0, HOUR, false, "30000",
     "How long running requests may take after SIGTERM."},
};

#define CHOICE_WORDS 5

static const struct {
    const char *name;                /* of the setting */
    const char *words[CHOICE_WORDS]; /* in the order of its enum; NULL-terminated */
} choices[] = {
    {"tls.client_certificate", {"none", "optional", "required"}},
    {"facts.radius", {"always", "when-needed"}},
    {"audit.reply", {"durable", "queued"}},
    {"process.confine", {"auto", "required", "off"}}, /* enum confine_demand */
};

const char *const *setting_choices(const struct setting *setting)
{
    if (setting->kind != SETTING_CHOICE)
        return NULL;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (strcmp(choices[i].name, setting->name) == 0)
            return choices[i].words;
    return NULL;
}

const struct setting *config_settings(size_t *count)
{
    *count = sizeof table / sizeof *table;
    return table;
}

bool setting_is_text(const struct setting *setting)
{
    switch (setting->kind) {
    case SETTING_ORIGIN:
    case SETTING_FILE:
    case SETTING_DIRECTORY:
    case SETTING_LOG:
    case SETTING_SOCKET:
    case SETTING_KEY:
    case SETTING_NAME:
    case SETTING_VERIFIER:
    case SETTING_SYSLOG:
    case SETTING_WEBHOOK:
    case SETTING_ACCOUNT:
        return true;
    default:
        return false;
    }
}

static void free_words(char **words)
{
    for (char **word = words; word != NULL && *word != NULL; word++)
        free(*word);
    free(words);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (setting_is_text(&table[i]))
            free(*(char **)((char *)config + table[i].offset));
    free_words(config->audit.checkpoint_command);
    free_words(config->upstream.addresses);
    config_listen_free(config);
    free(config->trusted_networks.items);
    address_free(&config->admin.listen);
    address_free(&config->approvals.listen);
    free(config->admin.token.env);
    free(config->admin.token.file);
    free(config->ship.webhook_token.env);
    free(config->ship.webhook_token.file);
    free(config->upstream.proxy_credentials.env);
    free(config->upstream.proxy_credentials.file);
    free(config->upstream.proxy_host);
    free(config->upstream.host);
    free(config->upstream.authority);
    document_free(&config->document);
    free(config);
}

static const char *kind_name(enum setting_kind kind)
{
    static const char *const names[SETTING_KINDS] = {
        [SETTING_LISTENERS] = "listeners",
        [SETTING_NETWORKS] = "networks",
        [SETTING_SOCKET] = "path",
        [SETTING_ADMIN] = "address",
        [SETTING_COUNT] = "number",
        [SETTING_MILLISECONDS] = "milliseconds",
        [SETTING_SECONDS] = "seconds",
        [SETTING_BYTES] = "bytes",
        [SETTING_ORIGIN] = "url",
        [SETTING_FILE] = "path",
        [SETTING_DIRECTORY] = "path",
        [SETTING_LOG] = "path or \"-\"",
        [SETTING_KEY] = "path or pkcs11: URI",
        [SETTING_NAME] = "name",
        [SETTING_COMMAND] = "list of texts",
        [SETTING_LITERALS] = "list of addresses",
        [SETTING_SYSLOG] = "address",
        [SETTING_WEBHOOK] = "url",
        [SETTING_SECRET] = "source of a secret",
        [SETTING_CHOICE] = "one of",
        [SETTING_ACCOUNT] = "name",
        [SETTING_SWITCH] = "true or false",
        [SETTING_VERIFIER] = "public key",
    };

    return names[kind];
}

void config_write_manual(struct text *out)
{
    for (const struct setting *row = table; row < table + sizeof table / sizeof *table; row++) {
        text_add_format(out, "  %-31s %s", row->name, kind_name(row->kind));
        if (row->most > 0)
            text_add_format(out, " %" PRIu64 " to %" PRIu64, row->least, row->most);
        const char *const *words = setting_choices(row);
        for (unsigned i = 0; words != NULL && words[i] != NULL; i++)
            text_add_format(out, "%s\"%s\"", i > 0 ? ", " : " ", words[i]);
        if (row->nullable)
            text_add_string(out, " or null");
        if (row->standard != NULL)
            text_add_format(out, ", default %s", row->standard);
        else
            text_add_string(out, ", must be given");
        text_add_format(out, ". %s\n", row->help);
    }
}
