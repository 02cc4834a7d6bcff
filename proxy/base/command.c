#include "proxy/base/command.h"

#include "proxy/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS_KEPT 120

/* One that runs. Descriptors are ours, -1 when closed. */
struct running {
    const struct command *command;
    pid_t pid;
    int process; /* pidfd */
    int in, out, errors;
    size_t given; /* of the input */
    struct text *output;
    char said[ERRORS_KEPT]; /* on its standard error */
    size_t said_length;
};

static const char *const passed_on[] = {"PATH",       "HOME",          "LANG",        "LC_ALL",
                                        "TZ",         "http_proxy",    "https_proxy", "no_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY",   "NO_PROXY",    "ALL_PROXY",
                                        "all_proxy",  "SSL_CERT_FILE", "SSL_CERT_DIR"};

#define PASSED_ON (sizeof passed_on / sizeof *passed_on)

/* Our own environment's members of these names. */
static void choose_environment(char *chosen[static PASSED_ON + 1])
{
    size_t count = 0;

    for (size_t i = 0; i < PASSED_ON; i++)
        for (char **one = environ; one != NULL && *one != NULL; one++) {
            size_t length = strlen(passed_on[i]);
            if (strncmp(*one, passed_on[i], length) == 0 && (*one)[length] == '=') {
                chosen[count++] = *one;
                break;
            }
        }
    chosen[count] = NULL;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A pipe of which our end does not block. ours: 0 to read, 1 to write. */
static bool make_pipe(int ends[2], int ours)
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    return fcntl(ends[ours], F_SETFL, O_NONBLOCK) == 0;
}

/* 0, or what is wrong (errno). */
static int spawn(struct running *running, const int in[2], const int out[2], const int errors[2])
{
    static const int defaults[] = {SIGPIPE, SIGXFSZ, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGCHLD};
    char *environment[PASSED_ON + 1];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;
    int fault = ENOMEM;

    choose_environment(environment);
    sigemptyset(&none);
    sigemptyset(&standard);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        sigaddset(&standard, defaults[i]);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return fault;
    if (posix_spawnattr_init(&attributes) != 0)
        goto no_attributes;
    if (posix_spawn_file_actions_adddup2(&actions, in[0], 0) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, out[1], 1) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, errors[1], 2) == 0 &&
        posix_spawn_file_actions_addclosefrom_np(&actions, 3) == 0 &&
        posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
        posix_spawnattr_setsigdefault(&attributes, &standard) == 0 &&
        posix_spawnattr_setflags(&attributes,
                                 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP) == 0)
        fault = posix_spawnp(&running->pid, running->command->argv[0], &actions, &attributes,
                             running->command->argv, environment);
    posix_spawnattr_destroy(&attributes);
no_attributes:
    posix_spawn_file_actions_destroy(&actions);
    return fault;
}

static bool start(struct running *running)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, errors[2] = {-1, -1};
    int fault = 0;

    if (!make_pipe(in, 1) || !make_pipe(out, 0) || !make_pipe(errors, 0))
        fault = errno;
    else
        fault = spawn(running, in, out, errors);
    close_one(&in[0]);
    close_one(&out[1]);
    close_one(&errors[1]);
    running->in = in[1];
    running->out = out[0];
    running->errors = errors[0];
    errno = fault;
    return fault == 0;
}

static void feed(struct running *running)
{
    struct span input = running->command->input;
    ssize_t put = write(running->in, input.data + running->given, input.length - running->given);

    if (put > 0)
        running->given += (size_t)put;
    if (running->given == input.length || (put < 0 && errno != EAGAIN && errno != EINTR))
        close_one(&running->in); /* it need not read it all */
}

/* Takes what is there. False when that is too much. */
static bool take_output(struct running *running)
{
    char buffer[4096];
    ssize_t got;

    while ((got = read(running->out, buffer, sizeof buffer)) > 0) {
        text_add(running->output, buffer, (size_t)got);
        if (running->output->failed || running->output->length > running->command->output_most)
            return false;
    }
    if (got == 0)
        close_one(&running->out);
    return true;
}

/* The beginning is kept. At most a pipe's content in one go: it may write faster than we read. */
static void take_errors(struct running *running)
{
    char buffer[4096];
    ssize_t got = 1;

    for (int turn = 0; turn < 16 && (got = read(running->errors, buffer, sizeof buffer)) > 0; turn++) {
        size_t room = sizeof running->said - running->said_length;
        size_t kept = (size_t)got < room ? (size_t)got : room;

        memcpy(running->said + running->said_length, buffer, kept);
        running->said_length += kept;
    }
    if (got == 0)
        close_one(&running->errors);
}

/* Serves its pipes until it has ended. NULL, or why it must be killed. */
static const char *attend(struct running *running)
{
    int64_t until = clock_monotonic_us() + (int64_t)running->command->timeout_ms * 1000;

    for (;;) {
        struct pollfd fds[] = {{running->process, POLLIN, 0},
                               {running->in, POLLOUT, 0},
                               {running->out, POLLIN, 0},
                               {running->errors, POLLIN, 0}};
        int64_t left = (until - clock_monotonic_us() + 999) / 1000;

        if (left <= 0)
            return "its time is over";
        if (poll(fds, sizeof fds / sizeof *fds, (int)left) < 0 && errno != EINTR)
            return strerrordesc_np(errno);
        if (fds[1].revents != 0)
            feed(running);
        if (running->out >= 0 && !take_output(running)) /* whatever there is, also when it has ended */
            return "it wrote too much";
        if (running->errors >= 0)
            take_errors(running);
        if (fds[0].revents != 0)
            return NULL;
    }
}

/* Its end, in words; false when it was not a good one. */
static bool judge(const struct running *running, const char *killed, int status, char *fault)
{
    int said = (int)running->said_length;
    const char *colon = said > 0 ? ": " : "";

    if (killed != NULL)
        snprintf(fault, COMMAND_FAULT, "%s: killed: %s%s%.*s", running->command->argv[0], killed, colon, said,
                 running->said);
    else if (WIFSIGNALED(status))
        snprintf(fault, COMMAND_FAULT, "%s: ended by signal %d%s%.*s", running->command->argv[0],
                 WTERMSIG(status), colon, said, running->said);
    else if (WEXITSTATUS(status) != 0)
        snprintf(fault, COMMAND_FAULT, "%s: exit status %d%s%.*s", running->command->argv[0],
                 WEXITSTATUS(status), colon, said, running->said);
    else
        return true;
    return false;
}

bool command_run(const struct command *command, struct text *output, char fault[static COMMAND_FAULT])
{
    struct running running = {
        .command = command, .process = -1, .in = -1, .out = -1, .errors = -1, .output = output};
    const char *killed;
    int status = 0;
    bool good = false;

    if (!start(&running)) {
        snprintf(fault, COMMAND_FAULT, "%s: cannot be started: %s", command->argv[0], strerrordesc_np(errno));
        goto done;
    }
    running.process = pidfd_open(running.pid, 0);
    killed = running.process >= 0 ? attend(&running) : strerrordesc_np(errno);
    if (killed != NULL)
        (void)kill(-running.pid, SIGKILL);
    while (waitpid(running.pid, &status, 0) < 0 && errno == EINTR)
        ;
    good = judge(&running, killed, status, fault);

done:
    close_one(&running.process);
    close_one(&running.in);
    close_one(&running.out);
    close_one(&running.errors);
    return good;
}
