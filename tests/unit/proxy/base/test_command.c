#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/clock.h"
#include "proxy/base/command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Runs a shell's line. */
static bool run(const char *line, struct span input, unsigned timeout_ms, struct text *output,
                char fault[static COMMAND_FAULT])
{
    char copy[512], shell[] = "sh", option[] = "-c";
    char *argv[] = {shell, option, copy, NULL};

    assert_true(snprintf(copy, sizeof copy, "%s", line) < (int)sizeof copy);
    return command_run(&(struct command){argv, input, 4096, timeout_ms}, output, fault);
}

static void says_how_it_ended(void **state)
{
    static const struct {
        const char *line;
        bool good;
        const char *output, *fault;
    } rows[] = {
        {"cat", true, "input", ""},
        {"true", true, "", ""},
        {"exec <&-; echo done", true, "done\n", ""}, /* need not read its input */
        {"cat; exit 3", false, "input", "sh: exit status 3"},
        {"echo no way >&2; exit 1", false, "", "sh: exit status 1: no way\n"},
        {"kill -9 $$", false, "", "sh: ended by signal 9"},
        {"kill -PIPE $$; echo lived", false, "", "sh: ended by signal 13"},
        {"yes", false, NULL, "sh: killed: it wrote too much"},
        {"yes >&2", false, "", NULL},
        {"no-such-program-here", false, "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text output = {0};
        char fault[COMMAND_FAULT] = "";
        bool good = run(rows[i].line, span_of("input"), rows[i].fault == NULL ? 300 : 20000, &output, fault);

        if (good != rows[i].good || (rows[i].fault != NULL && strcmp(fault, rows[i].fault) != 0))
            fail_msg("%s: %d, %s", rows[i].line, good, fault);
        if (rows[i].output != NULL)
            assert_true(span_is((struct span){output.data, output.length}, rows[i].output));
        text_free(&output);
    }
}

static void a_missing_program_is_told(void **state)
{
    char name[] = "/nowhere/program", fault[COMMAND_FAULT] = "";
    char *argv[] = {name, NULL};
    struct text output = {0};

    (void)state;
    assert_false(command_run(&(struct command){argv, span_of("x"), 10, 1000}, &output, fault));
    assert_string_equal(fault, "/nowhere/program: cannot be started: No such file or directory");
    text_free(&output);
}

/* The whole group goes, also what the program started and what will not listen. */
static void time_is_bounded(void **state)
{
    struct text output = {0};
    char fault[COMMAND_FAULT] = "";
    int64_t before = clock_monotonic_us();

    (void)state;
    assert_false(
        run("trap '' TERM; sleep 60 & echo $!; echo slow >&2; wait", span_of("x"), 200, &output, fault));
    assert_true(clock_monotonic_us() - before < 20 * 1000000);
    assert_string_equal(fault, "sh: killed: its time is over: slow\n");
    pid_t child = (pid_t)atol(output.data);
    assert_true(child > 0);
    int64_t deadline = clock_monotonic_us() + 20 * 1000000;
    while (kill(child, 0) == 0) { /* until its new parent has collected it */
        char stat[64], letter = 'Z';
        (void)snprintf(stat, sizeof stat, "/proc/%ld/stat", (long)child);
        FILE *file = fopen(stat, "r");
        if (file == NULL || fscanf(file, "%*d %*s %c", &letter) != 1 || letter == 'Z') {
            if (file != NULL)
                fclose(file);
            break;
        }
        fclose(file);
        assert_true(clock_monotonic_us() < deadline);
        usleep(1000);
    }
    text_free(&output);
}

/* A child of the program that keeps the pipes open does not hold us up. */
static void does_not_wait_for_what_it_left_behind(void **state)
{
    struct text output = {0};
    char fault[COMMAND_FAULT] = "";
    int64_t before = clock_monotonic_us();

    (void)state;
    assert_true(run("sleep 30 & echo $!", span_of("x"), 20000, &output, fault));
    assert_true(clock_monotonic_us() - before < 10 * 1000000);
    (void)kill((pid_t)atol(output.data), SIGKILL);
    text_free(&output);
}

static void large_input_flows(void **state)
{
    size_t size = 1 << 20;
    char *input = malloc(size), fault[COMMAND_FAULT] = "";
    struct text output = {0};

    (void)state;
    memset(input, 'x', size);
    assert_true(run("wc -c", (struct span){input, size}, 20000, &output, fault));
    assert_int_equal(atol(output.data), size);
    text_free(&output);
    free(input);
}

/* It gets no secret of ours, no descriptor, and a signal mask to live with. */
static void gets_little_of_ours(void **state)
{
    struct text output = {0};
    char fault[COMMAND_FAULT] = "";
    sigset_t all, before;

    (void)state;
    assert_int_equal(setenv("SNYK_TOKEN", "marked-secret", 1), 0);
    assert_int_equal(setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1), 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int open = dup(1); /* without close-on-exec */
    bool ran =
        run("env; ls /proc/self/fd; grep SigBlk /proc/self/status", span_of("x"), 20000, &output, fault);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(open);
    assert_true(ran);
    assert_null(strstr(output.data, "marked-secret"));
    assert_non_null(strstr(output.data, "PATH="));
    assert_non_null(strstr(output.data, "HTTPS_PROXY=http://127.0.0.1:1\n"));
    /* The fourth is the directory that ls reads. */
    assert_non_null(strstr(output.data, "\n0\n1\n2\n3\nSigBlk:\t0000000000000000"));
    text_free(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_how_it_ended), cmocka_unit_test(a_missing_program_is_told),
        cmocka_unit_test(time_is_bounded),   cmocka_unit_test(does_not_wait_for_what_it_left_behind),
        cmocka_unit_test(large_input_flows), cmocka_unit_test(gets_little_of_ours),
    };

    signal(SIGPIPE, SIG_IGN); /* as the gate does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
