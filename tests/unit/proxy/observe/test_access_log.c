#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/base/clock.h"
#include "proxy/observe/access_log.h"
#include "tests/unit/proxy/folder.h"

#include <pthread.h>
#include <sys/resource.h>

static struct folder folder;
static int real_stderr;

/* What the operational log says goes to a file. */
static int set_up(void **state)
{
    (void)state;
    folder = folder_make();
    int file = open(folder_path(&folder, "stderr"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    real_stderr = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    close(file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    folder_remove(&folder);
    return 0;
}

static void hand(struct access_log *log, const char *lines)
{
    struct text text = {0};

    text_add_string(&text, lines);
    access_log_hand(log, &text);
    assert_int_equal(text.length, 0);
    text_free(&text);
}

static void assert_file(const char *name, const char *expected)
{
    struct text text = folder_read(&folder, name);

    assert_string_equal(text.data, expected);
    text_free(&text);
}

/* Did the operational log say so? */
static bool was_logged(const char *what)
{
    struct text text = folder_read(&folder, "stderr");
    bool found = strstr(text.data, what) != NULL;

    text_free(&text);
    return found;
}

static void wait_for_file(const char *name)
{
    int64_t deadline = clock_monotonic_us() + 5000000;

    while (access(folder_path(&folder, name), F_OK) != 0) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(1000);
    }
}

static void appends_lines(void **state)
{
    struct stat status;

    (void)state;
    struct access_log *log = access_log_open(folder_path(&folder, "access"));
    hand(log, "one\ntwo\n");
    hand(log, "");
    hand(log, "three\n");
    access_log_close(log);
    log = access_log_open(folder_path(&folder, "access"));
    hand(log, "four\n");
    access_log_close(log);
    assert_file("access", "one\ntwo\nthree\nfour\n");
    assert_int_equal(stat(folder_path(&folder, "access"), &status), 0);
    assert_int_equal(status.st_mode & 07, 0);
}

static void reopens(void **state)
{
    (void)state;
    struct access_log *log = access_log_open(folder_path(&folder, "rotated"));
    hand(log, "before\n");
    access_log_close(log);
    log = access_log_open(folder_path(&folder, "rotated"));
    assert_int_equal(rename(folder_path(&folder, "rotated"), folder_path(&folder, "rotated.1")), 0);
    access_log_reopen(log);
    hand(log, "after\n");
    wait_for_file("rotated");
    access_log_close(log);
    assert_file("rotated.1", "before\n");
    assert_file("rotated", "after\n");
}

static void keeps_the_file_when_reopening_fails(void **state)
{
    (void)state;
    assert_int_equal(mkdir(folder_path(&folder, "gone"), 0700), 0);
    struct access_log *log = access_log_open(folder_path(&folder, "gone/access"));
    assert_int_equal(rename(folder_path(&folder, "gone"), folder_path(&folder, "moved")), 0);
    access_log_reopen(log);
    hand(log, "still here\n");
    access_log_close(log);
    assert_file("moved/access", "still here\n");
    assert_true(was_logged("cannot open"));
}

static void refuses_a_file_that_cannot_be_opened(void **state)
{
    (void)state;
    assert_null(access_log_open(folder_path(&folder, "no/such/folder")));
    assert_true(was_logged("no/such/folder: No such file or directory"));
}

static void drops_everything_without_a_path(void **state)
{
    (void)state;
    struct access_log *log = access_log_open(NULL);
    hand(log, "nobody reads this\n");
    access_log_reopen(log);
    access_log_close(log);
    access_log_close(NULL);
}

static void writes_to_stderr(void **state)
{
    (void)state;
    struct access_log *log = access_log_open("-");
    hand(log, "{\"on\":\"stderr\"}\n");
    access_log_reopen(log);
    access_log_close(log);
    assert_true(was_logged("{\"on\":\"stderr\"}\n"));
}

/* A pipe that nobody reads: handing over must not wait, and what finds no room is counted. */
static void a_full_pipe_holds_up_nobody(void **state)
{
    struct text batch = {0};
    char buffer[65536];
    size_t lines = 0, handed = 0;

    (void)state;
    assert_int_equal(mkfifo(folder_path(&folder, "pipe"), 0600), 0);
    int reader = open(folder_path(&folder, "pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct access_log *log = access_log_open(folder_path(&folder, "pipe"));
    assert_non_null(log);

    int64_t begun = clock_monotonic_us();
    for (int i = 0; i < 12 * 16; i++) { /* 12 MiB */
        for (int j = 0; j < 1024; j++, handed++)
            text_add_format(&batch, "%063d\n", i);
        access_log_hand(log, &batch);
    }
    assert_true(clock_monotonic_us() - begun < 5000000);
    text_free(&batch);

    pthread_t closer;
    assert_int_equal(pthread_create(&closer, NULL, (void *(*)(void *))(void (*)(void))access_log_close, log),
                     0);
    fcntl(reader, F_SETFL, 0); /* blocks from now on, to the end that the close brings */
    for (ssize_t count; (count = read(reader, buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < count; i++)
            lines += buffer[i] == '\n';
    pthread_join(closer, NULL);
    close(reader);

    char lost[64];
    assert_true(lines < handed);
    assert_true(lines >= 8 * 1024 * 1024 / 64);
    (void)snprintf(lost, sizeof lost, "\"lines that were lost: %zu\"", handed - lines);
    assert_true(was_logged(lost));
}

static void wait_for_log(const char *what)
{
    int64_t deadline = clock_monotonic_us() + 5000000;

    while (!was_logged(what)) {
        assert_true(clock_monotonic_us() < deadline);
        usleep(1000);
    }
}

/* A full disk, here a bound on the size of files: the log goes on, says so, and never glues two lines
 * together. */
static void a_full_disk_is_survived(void **state)
{
    struct rlimit before, small;
    struct text batch = {0};

    (void)state;
    struct access_log *log = access_log_open(folder_path(&folder, "full"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 100005, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 10010; i++)
        text_add_format(&batch, "%09d\n", i);
    access_log_hand(log, &batch);
    text_free(&batch);
    wait_for_log("full: File too large");
    wait_for_log("\"lines that were lost: 10\"");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    hand(log, "last\n");
    access_log_close(log);

    struct text text = folder_read(&folder, "full");
    assert_string_equal(text.data + 100000 - 10, "000009999\n00001\nlast\n");
    text_free(&text);
}

/* SIGPIPE would end the process. */
static void a_reader_that_goes_away_is_survived(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(folder_path(&folder, "broken"), 0600), 0);
    int reader = open(folder_path(&folder, "broken"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct access_log *log = access_log_open(folder_path(&folder, "broken"));
    assert_non_null(log);
    close(reader);
    hand(log, "nobody\n");
    wait_for_log("broken: Broken pipe");
    access_log_close(log);
    assert_true(was_logged("\"lines that were lost: 1\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_lines),
        cmocka_unit_test(reopens),
        cmocka_unit_test(keeps_the_file_when_reopening_fails),
        cmocka_unit_test(refuses_a_file_that_cannot_be_opened),
        cmocka_unit_test(drops_everything_without_a_path),
        cmocka_unit_test(writes_to_stderr),
        cmocka_unit_test(a_full_pipe_holds_up_nobody),
        cmocka_unit_test(a_full_disk_is_survived),
        cmocka_unit_test(a_reader_that_goes_away_is_survived),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
