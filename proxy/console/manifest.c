/* `portcullis manifest`: who signs a set of policy, contract and keys, and whether one is signed. */
#include "proxy/base/file.h"
#include "proxy/console/console.h"
#include "proxy/console/options.h"
#include "proxy/console/output.h"
#include "proxy/service/ruleset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct options {
    const char *config, *key, *name, *output, *path;
    uint64_t serial; /* 0: the next one */
    bool json;
};

static int take_serial(const struct option_row *row, const char *value)
{
    uint64_t *serial = row->arg;
    char *end;

    errno = 0;
    *serial = strtoull(value, &end, 10);
    if (value[0] >= '1' && value[0] <= '9' && *end == '\0' && errno == 0 && *serial <= MANIFEST_SERIAL_MOST)
        return CONSOLE_DONE;
    output_fault("--serial must be a whole number from 1 to %" PRIu64, MANIFEST_SERIAL_MOST);
    return CONSOLE_BAD;
}

static int read_options(int argc, char **argv, const struct option_row *rows, struct options *options)
{
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    options->path = operands.count > 0 ? operands.items[0] : NULL;
    return operands.count > 1 ? CONSOLE_USAGE : CONSOLE_DONE;
}

static struct note_signer *open_signer(const char *path, const char *name)
{
    char error[512] = "";
    struct note_signer *signer = note_signer_open(NULL, path, false, name, error, sizeof error);

    if (signer == NULL)
        output_fault("%s", error);
    return signer;
}

/* What a manifest says, for a person or as JSON. */
static void print(const struct manifest *manifest, const char *key, const struct options *options)
{
    struct text out = {0};

    if (options->json) {
        text_add_format(&out, "{\"contract\":\"%s\"", manifest->contract);
        if (key != NULL) {
            text_add_string(&out, ",\"key\":");
            text_add_json(&out, span_of(key));
        }
        if (manifest->oauth_keys[0] != '\0')
            text_add_format(&out, ",\"oauth_keys\":\"%s\"", manifest->oauth_keys);
        text_add_format(&out, ",\"policy\":\"%s\",\"serial\":%" PRIu64 "}\n", manifest->policy,
                        manifest->serial);
    } else {
        text_add_format(&out, "serial      %" PRIu64 "\npolicy      %s\ncontract    %s\n", manifest->serial,
                        manifest->policy, manifest->contract);
        if (manifest->oauth_keys[0] != '\0')
            text_add_format(&out, "oauth-keys  %s\n", manifest->oauth_keys);
        if (key != NULL)
            text_add_format(&out, "key         %s\n", key);
    }
    output_text(stdout, &out);
}

/* ---- key ---- */

static int manifest_key(int argc, char **argv)
{
    struct options options = {0};
    const struct option_row rows[] = {{"key", .text = &options.key}, {"name", .text = &options.name}, {0}};
    int status = read_options(argc, argv, rows, &options);
    struct text out = {0};

    if (status == CONSOLE_DONE && (options.key == NULL || options.name == NULL || options.path != NULL))
        status = CONSOLE_USAGE;
    if (status != CONSOLE_DONE)
        return status;
    struct note_signer *signer = open_signer(options.key, options.name);
    if (signer == NULL)
        return CONSOLE_BAD;
    note_key_write(note_signer_key(signer), &out);
    text_add(&out, "\n", 1);
    output_text(stdout, &out);
    note_signer_free(signer);
    return CONSOLE_DONE;
}

/* ---- sign ---- */

/* What is to be signed, read by its configuration. */
struct set {
    struct config *config;
    struct ruleset *ruleset;
    struct problems problems;
};

/* CONSOLE_DONE, or the exit status with a message. set_free either way. */
static int set_load(struct set *set, const char *path)
{
    set->config = config_read(path, &set->problems);
    if (set->config != NULL && (set->config->manifest.file == NULL || set->config->manifest.key == NULL)) {
        output_fault("%s demands no manifest: set manifest.file and manifest.key first", path);
        return CONSOLE_BAD;
    }
    if (set->config != NULL)
        set->ruleset = ruleset_load(set->config, false, &set->problems);
    if (set->ruleset != NULL)
        return CONSOLE_DONE;
    output_problems(&set->problems);
    return CONSOLE_BAD;
}

static void set_free(struct set *set)
{
    ruleset_release(set->ruleset);
    config_free(set->config);
    problems_free(&set->problems);
}

/* One more than what the manifest has that is there now, signed by the same key; 1 where there is none. 0
 * with a message. */
static uint64_t next_serial(const char *path, const struct note_key *key)
{
    struct text text = {0};
    struct manifest manifest = {.serial = 0};
    const char *fault;
    bool read = file_read(path, NOTE_BYTES, &text, &fault), there = read || errno != ENOENT;
    bool good = read && manifest_verify((struct span){text.data, text.length}, key, &manifest, &fault);

    text_free(&text);
    if (!there || (good && manifest.serial < MANIFEST_SERIAL_MOST))
        return manifest.serial + 1;
    output_fault("%s: %s: which serial comes next is not known; say it with --serial", path,
                 good ? "its serial is the last there is" : fault);
    return 0;
}

/* Puts it in the place of the file at one blow. */
static bool write_file(const char *path, const struct text *text)
{
    struct text passing = {0};

    text_add_format(&passing, "%s.new", path);
    FILE *file = passing.failed ? NULL : fopen(passing.data, "we");
    bool written = file != NULL && fwrite(text->data, 1, text->length, file) == text->length;
    written = file != NULL && fclose(file) == 0 && written && rename(passing.data, path) == 0;
    if (!written)
        output_fault("%s: cannot write it: %s", path, strerrordesc_np(errno));
    text_free(&passing);
    return written;
}

static int sign(const struct options *options, const struct set *set, const struct note_signer *signer)
{
    struct manifest manifest = {.serial = options->serial};
    struct text text = {0}, note = {0};
    int status = CONSOLE_DONE;

    if (manifest.serial == 0)
        manifest.serial = next_serial(set->config->manifest.file, note_signer_key(signer));
    if (manifest.serial == 0)
        return CONSOLE_BAD;
    if (policy_oauth(ruleset_policy(set->ruleset)) != NULL && ruleset_keys(set->ruleset) == NULL) {
        output_problems(&set->problems);
        return CONSOLE_BAD;
    }
    (void)stpcpy(manifest.policy, policy_digest(ruleset_policy(set->ruleset)));
    (void)stpcpy(manifest.contract, ruleset_contract_digest(set->ruleset));
    (void)stpcpy(manifest.oauth_keys, ruleset_keys_digest(set->ruleset));
    manifest_write(&manifest, &text);
    if (text.failed || !note_sign(signer, (struct span){text.data, text.length}, &note)) {
        output_fault("%s does not sign", options->key);
        status = CONSOLE_BAD;
    } else if (options->output == NULL) {
        (void)fwrite(note.data, 1, note.length, stdout);
    } else if (!write_file(options->output, &note)) {
        status = CONSOLE_BAD;
    } else {
        print(&manifest, NULL, options);
    }
    text_free(&text);
    text_free(&note);
    return status;
}

/* The signer must be the one that the gate will ask for. */
static struct note_signer *open_set_signer(const struct set *set, const char *path)
{
    struct note_key wanted;
    const char *fault;

    if (!note_key_read(span_of(set->config->manifest.key), &wanted, &fault)) {
        output_fault("manifest.key: %s", fault);
        return NULL;
    }
    struct note_signer *signer = open_signer(path, wanted.name);
    if (signer == NULL || memcmp(note_signer_key(signer)->key, wanted.key, sizeof wanted.key) == 0)
        return signer;
    output_fault("%s is not the key whose public part manifest.key is: the gate would refuse what it signs",
                 path);
    note_signer_free(signer);
    return NULL;
}

static int manifest_sign(int argc, char **argv)
{
    struct options options = {0};
    const struct option_row rows[] = {{"config", 'c', .text = &options.config},
                                      {"key", .text = &options.key},
                                      {"serial", .take = take_serial, .arg = &options.serial},
                                      {"output", 'o', .text = &options.output},
                                      {"json", .flag = &options.json},
                                      {0}};
    struct set set = {0};
    int status = read_options(argc, argv, rows, &options);

    if (status == CONSOLE_DONE && (options.config == NULL || options.key == NULL || options.path != NULL ||
                                   (options.json && options.output == NULL)))
        status = CONSOLE_USAGE;
    if (status != CONSOLE_DONE)
        return status;
    status = set_load(&set, options.config);
    struct note_signer *signer = status == CONSOLE_DONE ? open_set_signer(&set, options.key) : NULL;
    if (status == CONSOLE_DONE)
        status = signer != NULL ? sign(&options, &set, signer) : CONSOLE_BAD;
    note_signer_free(signer);
    set_free(&set);
    return status;
}

/* ---- verify ---- */

static int manifest_check(int argc, char **argv)
{
    struct options options = {0};
    const struct option_row rows[] = {
        {"config", 'c', .text = &options.config}, {"json", .flag = &options.json}, {0}};
    struct set set = {0};
    int status = read_options(argc, argv, rows, &options);

    if (status == CONSOLE_DONE && (options.config == NULL || options.path != NULL))
        status = CONSOLE_USAGE;
    if (status != CONSOLE_DONE)
        return status;
    status = set_load(&set, options.config);
    if (status == CONSOLE_DONE && ruleset_manifest(set.ruleset)->serial == 0) {
        output_problems(&set.problems);
        status = CONSOLE_NO;
    } else if (status == CONSOLE_DONE) {
        print(ruleset_manifest(set.ruleset), set.config->manifest.key, &options);
    }
    set_free(&set);
    return status;
}

/* ---- show ---- */

static int manifest_show(int argc, char **argv)
{
    struct options options = {0};
    const struct option_row rows[] = {{"json", .flag = &options.json}, {0}};
    struct manifest manifest;
    struct text note = {0};
    struct span text, signatures;
    const char *fault;
    int status = read_options(argc, argv, rows, &options);

    if (status == CONSOLE_DONE && options.path == NULL)
        status = CONSOLE_USAGE;
    if (status != CONSOLE_DONE)
        return status;
    if (file_read(options.path, NOTE_BYTES, &note, &fault) &&
        note_split((struct span){note.data, note.length}, &text, &signatures, &fault) &&
        manifest_read(text, &manifest, &fault)) {
        print(&manifest, NULL, &options);
    } else {
        output_fault("%s: %s", options.path, fault);
        status = CONSOLE_BAD;
    }
    text_free(&note);
    return status;
}

/* Dispatch and usage both come from here. */
static const struct command commands[] = {
    {"key", manifest_key, "--key FILE --name NAME", "Prints the public key for manifest.key.",
     "      --key FILE    Ed25519 key in PEM, mode 0600 (openssl genpkey -algorithm ed25519 -out FILE), or "
     "a\n"
     "                    pkcs11: URI\n"
     "      --name NAME   what it is called, without space and plus, such as example.com/policy\n",
     NULL},
    {"sign", manifest_sign, "-c FILE --key FILE [--serial N] [-o FILE [--json]]",
     "Signs the policy, the contract and the keys of OAuth tokens that a configuration names.",
     "  -c, --config FILE   the configuration; it names policy, contract, manifest.file and manifest.key\n"
     "      --key FILE      the private key of manifest.key\n"
     "      --serial N      of this set; without it one more than the manifest has that is there, 1 for the "
     "first\n"
     "  -o, --output FILE   put it in the place of this file, at one blow; without it to stdout\n"
     "      --json          print what was signed as one JSON object\n"
     "\n"
     "A set with errors is not signed. Copy all files of a set; whatever order they arrive in, a gate takes "
     "them\n"
     "once they belong together.\n",
     NULL},
    {"verify", manifest_check, "-c FILE [--json]", "Says whether the manifest vouches for the set.",
     "  -c, --config FILE   the configuration\n"
     "      --json          print one JSON object\n"
     "\n"
     "Whether a gate has seen a newer one already only its journal knows. Exit status 1 when it does not.\n",
     NULL},
    {"show", manifest_show, "FILE [--json]", "Prints what a manifest says, whoever signed it.",
     "      --json   print one JSON object\n", NULL},
    {0},
};

int console_manifest(int argc, char **argv)
{
    return console_group("portcullis manifest", commands, argc, argv);
}
