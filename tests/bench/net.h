/* What the relay and the upstream of the benchmark share: sockets of the loopback, and giving up. */
#ifndef TESTS_BENCH_NET_H
#define TESTS_BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>

/* Says what failed, with errno, and ends the process. */
_Noreturn void net_die(const char *what);

/* Cleared memory, or the end of the process. */
void *net_take(size_t size);

/* Reads a decimal port from 1 to 65535, or ends the process. */
int net_port(const char *text);

/* A non-blocking listening socket at 127.0.0.1:port that other processes may share (SO_REUSEPORT). */
int net_listen(int port);

/* The next connection, non-blocking and without delay; -1 when there is none. */
int net_accept(int listener);

/* Begins a connection to 127.0.0.1:port; -1 when that fails at once. */
int net_connect(int port);

/* Raises the limit on open files as far as it goes. */
void net_raise_limits(void);

/* Would the call that just failed succeed later? */
bool net_later(void);

#endif
