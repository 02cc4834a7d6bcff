#include "proxy/audit/proof.h"
#include "proxy/base/file.h"
#include "proxy/console/audit.h"
#include "proxy/console/audit_options.h"

#include <inttypes.h>
#include <stdlib.h>

struct options {
    const char *path;
    struct trust keys;
    bool json;
};

static int read_options(int argc, char **argv, struct options *options)
{
    const struct option_row rows[] = {
        {"key", .take = audit_take_key, .arg = &options->keys}, {"json", .flag = &options->json}, {0}};
    struct operands operands;
    int status = options_read(argc, argv, rows, &operands);

    if (status != CONSOLE_DONE)
        return status;
    if (operands.count != 1 || options->keys.count == 0)
        return CONSOLE_USAGE;
    options->path = operands.items[0];
    return CONSOLE_DONE;
}

/* The record's members; one that was signed as it is, but is no JSON, as it stands. */
static void write_record(struct span record, struct text *out)
{
    struct scan *scan = calloc(1, sizeof *scan);

    if (scan != NULL && scan_line(record, scan)) {
        audit_add_record(out, scan, (const char *const[]){NULL}, NULL);
    } else {
        audit_add_shown(out, record);
        text_add_string(out, "\n");
    }
    free(scan);
}

static void write_good(const struct options *options, const struct proof *proof, struct text *out)
{
    const struct note_key *key = &options->keys.keys[proof->signer];
    struct span record = {proof->record.data, proof->record.length};
    struct text vkey = {0};

    if (!options->json) {
        text_add_format(out, "%s: good, record %" PRIu64 " of ", options->path, proof->index + 1);
        audit_add_shown(out, (struct span){proof->origin.data, proof->origin.length});
        text_add_format(out, ", under a checkpoint of %" PRIu64 " records signed by %02x%02x%02x%02x\n",
                        proof->size, key->id[0], key->id[1], key->id[2], key->id[3]);
        write_record(record, out);
        return;
    }
    note_key_write(key, &vkey);
    text_add_format(out,
                    "{\"good\":true,\"seq\":%" PRIu64 ",\"size\":%" PRIu64 ",\"origin\":", proof->index + 1,
                    proof->size);
    text_add_json(out, (struct span){proof->origin.data, proof->origin.length});
    text_add_string(out, ",\"key\":");
    text_add_json(out, (struct span){vkey.data, vkey.length});
    text_add_string(out, ",\"record\":"); /* as a text: its bytes are what is proven */
    text_add_json(out, record);
    text_add_string(out, "}\n");
    text_free(&vkey);
}

static void write_bad(const struct options *options, const char *fault, struct text *out)
{
    if (!options->json) {
        output_fault("%s: %s", options->path, fault);
        return;
    }
    text_add_string(out, "{\"good\":false,\"message\":");
    text_add_json(out, span_of(fault));
    text_add_string(out, "}\n");
}

static int verify(const struct options *options, struct text *text)
{
    const char *fault;
    struct text out = {0};
    struct proof proof;

    if (!file_read(options->path, PROOF_BYTES, text, &fault)) {
        output_fault("%s: %s", options->path, fault);
        return CONSOLE_BAD;
    }
    bool good = proof_verify((struct span){text->data, text->length}, &options->keys, &proof, &fault);
    if (good) {
        write_good(options, &proof, &out);
        proof_free(&proof);
    } else {
        write_bad(options, fault, &out);
    }
    output_text(stdout, &out);
    return good ? CONSOLE_DONE : CONSOLE_NO;
}

int audit_verify_proof(int argc, char **argv)
{
    struct options options = {0};
    struct text text = {0};
    int status = read_options(argc, argv, &options);

    if (status == CONSOLE_DONE)
        status = verify(&options, &text);
    text_free(&text);
    trust_free(&options.keys);
    return status;
}
