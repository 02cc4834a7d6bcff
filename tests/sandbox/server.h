/* The listener, the signals, the port file: the life of the process. */
#ifndef SANDBOX_SERVER_H
#define SANDBOX_SERVER_H

struct server_options {
    const char *listen;             /* address:port */
    const char *port_file;          /* or NULL */
    const char *ledger;             /* or NULL */
    const char *fixtures;           /* or NULL: the built-in set */
    const char *tls_cert, *tls_key; /* both or none */
};

/* Serves until SIGTERM or SIGINT. The exit status: 0, or 1 after a message on stderr. */
int server_run(const struct server_options *options);

#endif
