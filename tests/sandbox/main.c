/* portcullis-sandbox: a stand-in for the API that the gate guards, for trying out and testing. */
#include "tests/sandbox/fault.h"
#include "tests/sandbox/server.h"

#include <getopt.h>
#include <stdio.h>

static void print_help(void)
{
    printf("Usage: portcullis-sandbox [--listen ADDRESS:PORT] [--port-file FILE] [--ledger FILE]\n"
           "                          [--fixtures FILE] [--tls-cert FILE --tls-key FILE]\n"
           "\n"
           "A stand-in for the REST Integrations API, for trying out and testing. It is not the real API: it "
           "takes\n"
           "any token, keeps its state in memory and sends nothing anywhere.\n"
           "\n"
           "  --listen ADDRESS:PORT  where to listen (127.0.0.1:0; port 0 takes a free one)\n"
           "  --port-file FILE       written once it accepts: {\"listen\":[\"127.0.0.1:41234\"]}\n"
           "  --ledger FILE          append a JSON line for each request received, before it is answered; it "
           "holds\n"
           "                         headers and bodies as they came, tokens too\n"
           "  --fixtures FILE        what it begins with; a small set is built in\n"
           "  --tls-cert FILE        certificate chain (PEM); with --tls-key FILE it speaks https\n"
           "  --version, --help\n"
           "\n"
           "  GET    /_sandbox/state     the whole state, in the form of a fixtures file\n"
           "  POST   /_sandbox/reset     back to the fixtures (faults and ledger stay)\n"
           "  POST   /_sandbox/faults    misbehave: "
           "{\"match\":{\"method\":\"DELETE\",\"path_prefix\":\"/rest/\",\n"
           "                             \"header\":{\"name\":\"value\"}},\"fault\":{…},\"count\":1}; no "
           "match hits every\n"
           "                             request, count 0 has no end, the first rule that matches is taken\n"
           "  GET    /_sandbox/faults    what is set\n"
           "  DELETE /_sandbox/faults    clears all; /_sandbox/faults/ID clears one\n"
           "\n"
           "Members of a fault:\n");
    fault_print_help();
}

static int usage_error(const char *message)
{
    (void)fprintf(stderr, "portcullis-sandbox: %s; see --help\n", message);
    return 2;
}

int main(int argc, char **argv)
{
    enum { LISTEN = 1, PORT_FILE, LEDGER, FIXTURES, TLS_CERT, TLS_KEY, VERSION, HELP };
    static const struct option known[] = {
        {"listen", required_argument, NULL, LISTEN},
        {"port-file", required_argument, NULL, PORT_FILE},
        {"ledger", required_argument, NULL, LEDGER},
        {"fixtures", required_argument, NULL, FIXTURES},
        {"tls-cert", required_argument, NULL, TLS_CERT},
        {"tls-key", required_argument, NULL, TLS_KEY},
        {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    struct server_options options = {.listen = "127.0.0.1:0"};
    const char **const places[] = {
        [LISTEN] = &options.listen,     [PORT_FILE] = &options.port_file, [LEDGER] = &options.ledger,
        [FIXTURES] = &options.fixtures, [TLS_CERT] = &options.tls_cert,   [TLS_KEY] = &options.tls_key,
    };

    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == HELP) {
            print_help();
            return 0;
        }
        if (option == VERSION) {
            printf("portcullis-sandbox %s\n", PORTCULLIS_VERSION);
            return 0;
        }
        if (option < LISTEN || option > TLS_KEY)
            return usage_error("the command line is wrong");
        *places[option] = optarg;
    }
    if (optind < argc)
        return usage_error("there are no arguments without a name");
    if ((options.tls_cert == NULL) != (options.tls_key == NULL))
        return usage_error("--tls-cert and --tls-key go together");
    return server_run(&options);
}
