#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/listen/unix_socket.h"
#include "tests/unit/proxy/folder.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct folder folder;

static int set_up(void **state)
{
    (void)state;
    folder = folder_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* Used, left over, and another's: for both types of socket. */
static void comes_and_goes(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    const char *path = folder_path(&folder, "a.sock");
    char error[256] = "";
    struct stat status;

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_true(unix_socket_is_free(path, types[i], error, sizeof error));
        int fd = unix_socket_listen(path, types[i], 0640, 4, error, sizeof error);
        assert_true(fd >= 0);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0640);
        struct unix_socket_file first = unix_socket_file(path);

        assert_false(unix_socket_is_free(path, types[i], error, sizeof error));
        assert_non_null(strstr(error, "another process listens there"));
        assert_false(unix_socket_is_free(path, types[1 - i], error, sizeof error)); /* of whatever type */
        assert_int_equal(unix_socket_listen(path, types[i], 0640, 4, error, sizeof error), -1);
        assert_int_equal(stat(path, &status), 0);

        assert_int_equal(close(fd), 0); /* the file is left over */
        assert_true(unix_socket_is_free(path, types[i], error, sizeof error));
        int again = unix_socket_listen(path, types[i], 0640, 4, error, sizeof error);
        assert_true(again >= 0);
        struct unix_socket_file second = unix_socket_file(path);
        if (second.inode != first.inode) { /* a file system may use a number again at once */
            unix_socket_unlink(path, &first);
            assert_int_equal(stat(path, &status), 0);
        }
        unix_socket_unlink(path, &(struct unix_socket_file){0});
        assert_int_equal(stat(path, &status), 0);
        unix_socket_unlink(path, &second);
        assert_int_not_equal(stat(path, &status), 0);
        assert_int_equal(close(again), 0);
    }
}

static void leaves_other_files_alone(void **state)
{
    const char *path = folder_write(&folder, "b.sock", "a file");
    char error[256] = "", longer[200];
    struct stat status;

    (void)state;
    assert_int_equal(unix_socket_listen(path, SOCK_STREAM, 0600, 4, error, sizeof error), -1);
    assert_non_null(strstr(error, "no socket"));
    assert_int_equal(unix_socket_file(path).inode, 0);
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISREG(status.st_mode));

    memset(longer, 'a', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(unix_socket_listen(longer, SOCK_STREAM, 0600, 4, error, sizeof error), -1);
    assert_int_equal(unix_socket_listen("/nowhere/at/all", SOCK_STREAM, 0600, 4, error, sizeof error), -1);
    assert_non_null(strstr(error, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_and_goes),
        cmocka_unit_test(leaves_other_files_alone),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
