#include "proxy/console/audit.h"

/* Dispatch and usage both come from here. */
static const struct command commands[] = {
    {"verify", audit_verify,
     "DIR|SEGMENT [--key VKEY|FILE]... [--checkpoint FILE]... [--uncovered TIME] [--json]",
     "Says whether the journal is what the gate wrote, and what was done to it if not.",
     "      --key VKEY|FILE     take no other key than this; may be repeated (for one that was replaced).\n"
     "                          Without it the key in the journal's directory is believed\n"
     "      --checkpoint FILE   a checkpoint kept elsewhere, which the log must extend; may be repeated\n"
     "      --uncovered TIME    how much older than the newest record one may be that no checkpoint covers\n"
     "                          (\"90m\", \"2h\"; 1h): more than the gate's audit.checkpoint_seconds\n"
     "      --json              print one JSON object\n"
     "\n"
     "Reads every record of every segment: its form, its number, the hash of the one before; rebuilds the\n"
     "tree, and holds it against the segments' headers and every checkpoint. All damage is told, by file\n"
     "and line. It changes nothing, and may run beside the gate. What only somebody else can know needs\n"
     "--key (a log written anew under another key) and --checkpoint (one rolled back with its checkpoints).\n"
     "Exit status 1 for any damage.\n",
     NULL},
    {"query", audit_query,
     "DIR [--since TIME] [--until TIME] [--principal P] ... [--limit N] [--reverse] [--follow] [--json]",
     "Finds records.",
     "      --since TIME, --until TIME   RFC 3339, a day in UTC (\"2026-01-31\"), or how long ago (\"2h\")\n"
     "      --organization ORGANIZATION\n"
     "      --principal PRINCIPAL\n"
     "      --operation OPERATION\n"
     "      --resource RESOURCE\n"
     "      --stage STAGE         intent, outcome, refused, reconciled, ...\n"
     "      --verdict VERDICT     \"pass\": what was let through, \"refused\": what was not\n"
     "      --status STATUS       \"404\", \"4xx\"\n"
     "      --rule RULE           the rule of the policy that decided\n"
     "      --request-id ID\n"
     "      --text TEXT           these bytes stand anywhere in the record\n"
     "      --limit N             no more than that\n"
     "      --reverse             the newest first\n"
     "      --follow              go on with what is written from now on, until interrupted\n"
     "      --json                the records as they are, a line each\n"
     "\n"
     "All that is given must be so. Exit status 1 when there is none.\n",
     NULL},
    {"show", audit_show, "DIR ID [--json]", "Tells the whole story of one change.",
     "      --json   the records as they are, a line each\n"
     "\n"
     "ID is a request's id, or that of a resource: then of its newest change. Of later records only what\n"
     "is not as in the first one is shown. Exit status 1 when there is none.\n",
     NULL},
    {"orphans", audit_orphans, "DIR ID [--json]",
     "Lists what a delete left behind, with the calls that remove it.",
     "      --json   print one JSON object\n"
     "\n"
     "ID is a request's id, or that of an integration: then of its newest delete. The list is what hung on\n"
     "the integration when it was deleted, as the gate saw it. The calls are printed, not made, and the "
     "gate\n"
     "forwards none of them. Exit status 1 when there is no such delete, or its radius was not looked up.\n",
     NULL},
    {"prove", audit_prove, "DIR ID [--stage STAGE] [--key VKEY|FILE]... [-o FILE]",
     "Makes a proof that a record is in the log.",
     "      --stage STAGE      which record of the request: intent, outcome, ...\n"
     "      --key VKEY|FILE    of the checkpoint's signer; without it the key in the journal's directory\n"
     "  -o, --output FILE      write the proof there; without it to stdout\n"
     "\n"
     "ID is a record's number (`seq`) or its request's id. The proof is a file of C2SP's form tlog-proof:\n"
     "the record, its place, the hashes on its way to the root, and a signed checkpoint. Nothing but that\n"
     "file and the public key is needed to verify it. Exit status 1 when there is no such record or no\n"
     "checkpoint covers it yet.\n",
     NULL},
    {"verify-proof", audit_verify_proof, "FILE --key VKEY|FILE [--json]", "Verifies such a proof.",
     "      --key VKEY|FILE   the log's public key; may be repeated\n"
     "      --json            print one JSON object\n"
     "\n"
     "Prints the record when the proof is good. Exit status 1 when it is not.\n",
     NULL},
    {"stats", audit_stats, "DIR [--json]",
     "Counts what is in the journal; names its key and newest checkpoint.",
     "      --json   print one JSON object\n", NULL},
    {"export", audit_export, "DIR --format ocsf|cloudevents|csv [--since TIME] [--until TIME]",
     "Writes the records in the form that other tools take.",
     "  -f, --format ocsf          events of OCSF 1.5.0, class API Activity (6003), a line each\n"
     "               cloudevents   CloudEvents 1.0 in JSON, a line each; `data` is the record\n"
     "               csv           RFC 4180, with a header line; a cell that a spreadsheet would take for a\n"
     "                             formula begins with an apostrophe\n"
     "      --since TIME, --until TIME   RFC 3339, a day (\"2026-01-31\", UTC), or how long ago (\"2h\", "
     "\"7d\");\n"
     "                             from then on, and up to but not at that time\n"
     "\n"
     "Each stage of a request is an event of its own; in OCSF they share metadata.correlation_uid. What the "
     "gate\n"
     "did by itself (policy, key, start, recovered, ...) has the activity Other with the stage's name; "
     "headers\n"
     "of segments have no OCSF event. What a format has no place for stands in `unmapped` (OCSF) or in the "
     "last\n"
     "column (CSV). Verifies nothing: `portcullis audit verify` does. Exit status 1 when a line is no "
     "record.\n",
     NULL},
    {"rotate-key", audit_rotate_key, "-c FILE", "Makes a new key for the masks of secrets.",
     "  -c, --config FILE   the gate's configuration; its audit.keys holds the keys\n"
     "\n"
     "The key that was in use is kept as journal-hmac-<id>.key: what it masked can still be compared. A "
     "running\n"
     "gate goes on with the old key until SIGHUP, and records that it took up the new one.\n",
     NULL},
    {"mask", audit_mask, "-c FILE [--key-id ID] [--exact] <SECRET",
     "Prints what a secret looks like in the journal.",
     "  -c, --config FILE   the gate's configuration; its audit.keys holds the keys\n"
     "      --key-id ID     of the key: the part of a masked value between the colons; without it the key in "
     "use\n"
     "      --exact         a line end behind the secret is part of it (answer_digest is made so)\n"
     "\n"
     "Reads the secret from stdin. Compare, for instance:\n"
     "  portcullis audit query DIR --text \"$(printf %s \"$SECRET\" | portcullis audit mask -c FILE)\"\n",
     NULL},
    {0},
};

int console_audit(int argc, char **argv)
{
    return console_group("portcullis audit", commands, argc, argv);
}
