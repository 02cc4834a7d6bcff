#include "proxy/config/config.h"
#include "proxy/console/console.h"
#include "proxy/console/people_call.h"

static void settings_manual(struct text *out)
{
    text_add_string(out, "\nSettings of the configuration file (JSON; paths are relative to it):\n");
    config_write_manual(out);
}

/* Dispatch and usage both come from here. */
static const struct command commands[] = {
    {"serve", console_serve, "-c FILE [--port-file FILE]", "Runs the gate.",
     "  -c, --config FILE      the configuration\n"
     "      --port-file FILE   once requests are accepted, write the addresses that were bound to FILE:\n"
     "                         {\"listen\":[\"127.0.0.1:41234\"]}\n"
     "\n"
     "SIGTERM and SIGINT let running requests end, then stop. SIGHUP reads policy, contract, certificates "
     "and\n"
     "held credentials anew, and keeps the old ones where the new are wrong. SIGUSR1 reopens the access "
     "log.\n",
     settings_manual},
    {"check", console_check, "-c FILE [--strict] [--json]", "Checks configuration, contract and policy.",
     "  -c, --config FILE     the configuration; it names contract and policy\n"
     "      --strict          take warnings for errors\n"
     "      --json            print the problems as a JSON array on stdout\n"
     "\n"
     "Shows everything that is wrong, with file, line and column. Exit status 1 when anything is.\n",
     console_check_manual},
    {"explain", console_explain,
     "-c FILE METHOD TARGET (--principal NAME | [--token-stdin] [--certificate NAME]...) [--body FILE] "
     "[--header 'NAME: VALUE']... "
     "[--facts FILE] [--client ADDRESS] [--time MOMENT] [--json]",
     "Says what would become of a request, and why.",
     "  -c, --config FILE            the configuration\n"
     "      --principal NAME         judge as this principal of the policy, without a token\n"
     "      --token-stdin            judge by the token on stdin\n"
     "      --certificate NAME       by a client certificate with that name, such as "
     "uri:spiffe://example/ci\n"
     "      --body FILE              the request's content; \"-\" is stdin\n"
     "      --header 'NAME: VALUE'   a header field of the request; may be repeated\n"
     "      --facts FILE             what the API knows: {\"integration\": {\"attributes\": {}, "
     "\"settings\": {}},\n"
     "                               \"radius\": {\"targets\": 0, \"projects\": 0}}; what is left out is "
     "unknown\n"
     "      --client ADDRESS         the client's address (default 127.0.0.1)\n"
     "      --time MOMENT            when it comes, such as 2026-07-01T12:00:00Z (default now)\n"
     "      --json                   print one JSON object\n"
     "\n"
     "Goes through every gate as the running gate does and prints what each one saw, and of each rule "
     "whether "
     "it\n"
     "applies or what kept it out. Sends nothing to anyone "
     "and\n"
     "needs no credential. Host is the first address of `listen` (localhost where that is no TCP address), "
     "and content is application/vnd.api+json,\n"
     "unless a header says otherwise. Exit status 1 for a refusal.\n",
     NULL},
    {"test", console_test,
     "[-c FILE] [--policy FILE] [--contract FILE] [--min-coverage PERCENT] [--junit FILE] [--json [--print]] "
     "FILE...",
     "Judges the cases of a file, and says which are not as expected.",
     "  -c, --config FILE            the configuration; its limits hold, and its policy and contract where "
     "none other\n"
     "                               is named\n"
     "      --policy FILE            judge by this policy, whatever the files name\n"
     "      --contract FILE          and by this contract\n"
     "      --min-coverage PERCENT   fail when fewer of a policy's rules and grants were decisive\n"
     "      --junit FILE             write a report in JUnit's form to FILE\n"
     "      --json                   print one JSON object\n"
     "      --print                  only say what becomes of each case: none need expect anything\n"
     "\n"
     "Sends nothing to anyone and needs no credential. Exit status 1 when a case is not as expected.\n",
     NULL},
    {"matrix", console_matrix,
     "(-c FILE | --policy FILE --contract FILE) [--format table|csv|json|html] [--principal NAME]... "
     "[--organization UUID|*]... [--operation ID]...",
     "Shows who may do what in which organisation, and by which rule.",
     "  -c, --config FILE             the configuration; it names contract and policy\n"
     "      --policy FILE             this policy (in place of the configuration's)\n"
     "      --contract FILE           this contract\n"
     "      --format FORMAT           table (a line for each cell), csv, json, or html: one page that needs "
     "nothing else\n"
     "      --principal NAME          this principal alone; may be repeated, as the two below\n"
     "      --organization UUID|*     this organisation alone; \"*\" is any that the policy does not name\n"
     "      --operation ID            this operation of the contract alone\n"
     "\n"
     "A cell is allowed, denied or conditional: what the gates of permission and rules say to a request that "
     "all others\n"
     "let pass. \"by\" is the grant, the denial or the rule that decides, as a place in the policy.\n",
     NULL},
    {"diff", console_diff,
     "OLD NEW (-c FILE | --contract FILE | --old-contract FILE --new-contract FILE) [--json]",
     "Says what another policy changes in meaning.",
     "  OLD, NEW                 the policy files\n"
     "  -c, --config FILE        the configuration that names the contract of both\n"
     "      --contract FILE      the contract of both\n"
     "      --old-contract FILE, --new-contract FILE   where it changes, too\n"
     "      --json               print one JSON object\n"
     "\n"
     "gained: more passes, or less is checked or recorded; may-be-gained: that cannot be ruled out "
     "(conditions, "
     "patterns,\n"
     "schemas); lost: less passes; changed: neither. Exit status 1 when anything is or may be gained.\n",
     NULL},
    {"replay", console_replay,
     "JOURNAL|LOG... (-c FILE | --policy FILE --contract FILE) [--policy FILE] [--summary] [--json]",
     "Judges again what was recorded, by another policy.",
     "  JOURNAL|LOG          directories or segments of the journal, and access logs (for reads)\n"
     "  -c, --config FILE    the configuration; it names contract and policy\n"
     "      --policy FILE    this policy (in place of the configuration's)\n"
     "      --contract FILE  this contract\n"
     "      --summary        only count; do not list what would have changed\n"
     "      --json           print one JSON object\n"
     "\n"
     "The principal is the recorded one. What cannot be judged again is counted by its reason. Exit status 1 "
     "when anything\n"
     "would have been judged otherwise, 2 when lines could not be read, whatever the others say.\n",
     NULL},
    {"token", console_token, "[--new] [--json]",
     "Prints the digest line of a secret for the policy, or makes a new secret.",
     "      --new    make a new random secret; so does a terminal on stdin\n"
     "      --json   print one JSON object\n"
     "\n"
     "Otherwise reads one secret from stdin: printf %s \"$SECRET\" | portcullis token\n",
     NULL},
    {"manifest", console_manifest, "COMMAND ...", "Signs a set of policy and contract, and verifies one.",
     NULL, NULL},
    {"approve", console_approve,
     "ID (--reason TEXT [--withdraw] | --show) | --list [--organization ID] ... (--at ADDRESS | -c FILE) "
     "[--token-file FILE] "
     "[--ca FILE] [--json]",
     "Agrees to what waits for approval, or shows it.",
     "  ID                      as the refusal says it, or --list\n"
     "      --reason TEXT       why you agree: it stands in the journal\n"
     "      --withdraw          take back that you agreed; who has not agreed makes the request void\n"
     "      --show              what it is about, as far as you may see that\n"
     "      --list              what waits, as far as you may see that\n"
     "      --organization ID   of what waits, only what is of this organisation\n" PEOPLE_HELP "\n"
     "You act as the principal whose token it is. Exit status 1 when the gate refuses.\n",
     NULL},
    {"breaker", console_breaker, "COMMAND ...", "Lists breakers that have tripped, and opens them again.",
     NULL, NULL},
    {"audit", console_audit, "COMMAND DIR ...", "Verifies, searches and proves the audit journal.", NULL,
     NULL},
    {0},
};

int main(int argc, char **argv)
{
    return console_run(commands, argc, argv);
}
