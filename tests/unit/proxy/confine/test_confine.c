#include "proxy/confine/confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Nothing of this can be undone, so each case runs in a child, whose status is looked at: 0 or the number of
 * what was wrong; or the signal that ended it, negative. */
static int in_child(int (*body)(const char *), const char *argument)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(body(argument));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static char folder[] = "/tmp/portcullis-confine-XXXXXX";

static int make_folder(void **state)
{
    char path[64];
    (void)state;

    if (mkdtemp(folder) == NULL)
        return 1;
    static const char *const names[] = {"read", "write", "other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (mkdir(path, 0700) != 0)
            return 1;
        (void)snprintf(path, sizeof path, "%s/%s/file", folder, names[i]);
        int file = open(path, O_CREAT | O_WRONLY, 0600);
        if (file < 0 || close(file) != 0)
            return 1;
    }
    (void)snprintf(path, sizeof path, "%s/link", folder);
    return symlink("other/file", path);
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;

    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int opens(const char *name, int flags)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, flags, 0600);
    if (file < 0)
        return errno;
    (void)close(file);
    return 0;
}

static struct confine_files *with(const char *name, unsigned access, bool around)
{
    struct confine_files *files = confine_files_new();
    char path[96];

    if (files == NULL)
        _exit(77);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (around ? confine_files_allow_around : confine_files_allow)(files, path, access);
    return files;
}

/* landlock_restrict_self(2) wants no_new_privs, which confine_identity sets. */
static bool enforce(struct confine_files *files)
{
    char error[200];

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           confine_files_enforce(files, error, sizeof error) == CONFINE_DONE;
}

static int read_only(const char *unused)
{
    (void)unused;
    if (!enforce(with("read", CONFINE_READ, false)))
        return 1;
    return opens("read/file", O_RDONLY) != 0            ? 2
           : opens("read/file", O_WRONLY) != EACCES     ? 3
           : opens("read/new", O_CREAT | O_WRONLY) == 0 ? 4
           : opens("other/file", O_RDONLY) != EACCES    ? 5
                                                        : 0;
}

static int read_and_write(const char *unused)
{
    char old[96], new[96];
    (void)unused;

    if (!enforce(with("write", CONFINE_READ | CONFINE_WRITE, false)))
        return 1;
    if (opens("write/new", O_CREAT | O_EXCL | O_RDWR) != 0)
        return 2;
    (void)snprintf(old, sizeof old, "%s/write/new", folder);
    (void)snprintf(new, sizeof new, "%s/other/new", folder);
    if (rename(old, new) == 0)
        return 3; /* out of where we may write */
    return unlink(old) != 0 ? 4 : opens("other/new", O_CREAT | O_WRONLY) != EACCES ? 5 : 0;
}

static int through_a_link(const char *unused)
{
    (void)unused;
    if (!enforce(with("link", CONFINE_READ, true)))
        return 1;
    return opens("link", O_RDONLY);
}

static int one_file(const char *unused)
{
    (void)unused;
    if (!enforce(with("write/file", CONFINE_READ | CONFINE_WRITE, false)))
        return 1;
    return opens("write/file", O_RDWR) != 0 ? 2 : opens("write/second", O_CREAT | O_RDWR) != EACCES ? 3 : 0;
}

/* Older kernels (landlock before version 4) restrict files only. */
static int binds_nothing(const char *unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int before = socket(AF_INET, SOCK_STREAM, 0), after = socket(AF_INET, SOCK_STREAM, 0);
    (void)unused;

    if (bind(before, (struct sockaddr *)&address, sizeof address) != 0 || listen(before, 1) != 0)
        return 1;
    if (!enforce(with("read", CONFINE_READ, false)))
        return 2;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 4)
        return 0;
    return bind(after, (struct sockaddr *)&address, sizeof address) != -1 || errno != EACCES ? 3 : 0;
}

static void test_files(void **state)
{
    static const struct {
        const char *name;
        int (*body)(const char *);
    } cases[] = {
        {"read only", read_only}, {"read and write", read_and_write}, {"through a link", through_a_link},
        {"one file", one_file},   {"binds nothing", binds_nothing},
    };
    (void)state;

    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
        print_message("this kernel has no landlock\n");
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int result = in_child(cases[i].body, NULL);
        if (result != 0)
            print_error("%s: %d\n", cases[i].name, result);
        assert_int_equal(result, 0);
    }
}

static int confine_then(const char *what, bool programs)
{
    char error[200];

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        confine_calls(programs, error, sizeof error) != CONFINE_DONE)
        return 77;
    if (strcmp(what, "execve") == 0)
        (void)execl("/bin/true", "true", (char *)NULL);
    else if (strcmp(what, "fork") == 0)
        (void)!fork();
    else if (strcmp(what, "ptrace") == 0)
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    else if (strcmp(what, "kill") == 0)
        (void)kill(1, 0);
    else if (strcmp(what, "mount") == 0)
        (void)mount("none", "/tmp", "tmpfs", 0, NULL);
    return errno;
}

static int alone(const char *what)
{
    return confine_then(what, false);
}

static int with_programs(const char *what)
{
    return confine_then(what, true);
}

static void *nothing(void *arg)
{
    return arg;
}

static int starts_a_thread(const char *unused)
{
    pthread_t thread;
    char error[200];
    void *result = NULL;
    (void)unused;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        confine_calls(false, error, sizeof error) != CONFINE_DONE)
        return 77;
    if (pthread_create(&thread, NULL, nothing, error) != 0 || pthread_join(thread, &result) != 0)
        return 1;
    return result == error ? 0 : 2;
}

static void test_calls(void **state)
{
    static const struct {
        const char *what;
        int (*body)(const char *);
        int expected;
    } cases[] = {
        {"execve", alone, -SIGSYS},
        {"ptrace", alone, -SIGSYS},
        {"mount", alone, -SIGSYS},
        {"fork", alone, EPERM},
        {"kill", alone, EPERM},
        {"", starts_a_thread, 0},
        {"ptrace", with_programs, -SIGSYS},
        {"execve", with_programs, 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int result = in_child(cases[i].body, cases[i].what);
        if (result == 77)
            skip();
        if (result != cases[i].expected)
            print_error("case %zu, %s: %d\n", i, cases[i].what, result);
        assert_int_equal(result, cases[i].expected);
    }
}

static int becomes_nobody(const char *unused)
{
    const struct passwd *nobody = getpwnam("nobody");
    char error[200];
    (void)unused;

    if (nobody == NULL || confine_identity("nobody", NULL, error, sizeof error) != CONFINE_DONE)
        return 1;
    if (geteuid() != nobody->pw_uid || getuid() != nobody->pw_uid || getegid() != nobody->pw_gid)
        return 2;
    if (setuid(0) == 0 || prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 3;
    return getgroups(0, NULL) != 1 ? 4 : 0;
}

static int names_a_stranger(const char *unused)
{
    char error[200] = "";
    (void)unused;

    return confine_identity("no-such-account", NULL, error, sizeof error) == CONFINE_FAILED &&
                   strstr(error, "no-such-account") != NULL
               ? 0
               : 1;
}

static int nobody_becomes_root(const char *unused)
{
    char error[200] = "";

    if (becomes_nobody(unused) != 0)
        return 1;
    return confine_identity("root", NULL, error, sizeof error) == CONFINE_FAILED &&
                   strstr(error, "only root") != NULL
               ? 0
               : 2;
}

static void test_identity(void **state)
{
    (void)state;
    assert_int_equal(in_child(names_a_stranger, NULL), 0);
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_child(becomes_nobody, NULL), 0);
    assert_int_equal(in_child(nobody_becomes_root, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
