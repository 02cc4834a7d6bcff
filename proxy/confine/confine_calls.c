#include "proxy/confine/confine_internal.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the gate, libevent, OpenSSL and the C library's resolver call. Others are refused with EPERM. */
static const int allowed[] = {
    /* memory */
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(mmap), SCMP_SYS(mprotect),
    SCMP_SYS(mremap), SCMP_SYS(munlock), SCMP_SYS(munmap),
    /* threads, time, signals */
    SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(exit),
    SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(getcpu), SCMP_SYS(getpid), SCMP_SYS(getppid),
    SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(membarrier),
    SCMP_SYS(nanosleep), SCMP_SYS(prctl), SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list), SCMP_SYS(sigaltstack),
    SCMP_SYS(sysinfo), SCMP_SYS(time), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(uname),
    /* who we are: asked, not changed */
    SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getresgid), SCMP_SYS(getresuid),
    SCMP_SYS(getrlimit), SCMP_SYS(getuid),
    /* events */
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(pselect6), SCMP_SYS(select), SCMP_SYS(signalfd4),
    /* descriptors and files */
    SCMP_SYS(access), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(copy_file_range), SCMP_SYS(dup),
    SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64),
    SCMP_SYS(fallocate), SCMP_SYS(fchmod), SCMP_SYS(fcntl), SCMP_SYS(fdatasync), SCMP_SYS(flock),
    SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(ftruncate), SCMP_SYS(getcwd),
    SCMP_SYS(getdents64), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_init1), SCMP_SYS(inotify_rm_watch),
    SCMP_SYS(ioctl), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(lseek), SCMP_SYS(lstat), SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64),
    SCMP_SYS(preadv), SCMP_SYS(preadv2), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2),
    SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(readv), SCMP_SYS(rename),
    SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(stat), SCMP_SYS(statfs),
    SCMP_SYS(statx), SCMP_SYS(sync_file_range), SCMP_SYS(umask), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    SCMP_SYS(utimensat), SCMP_SYS(write), SCMP_SYS(writev),
    /* sockets */
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(listen), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown), SCMP_SYS(socket), SCMP_SYS(socketpair)};

/* What neither the gate nor a program of its checkpoint command has any use for, and an intruder would. */
static const int deadly[] = {
    /* other processes */
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(ptrace),
    /* name spaces and mounts */
    SCMP_SYS(chroot), SCMP_SYS(mount), SCMP_SYS(move_mount), SCMP_SYS(open_by_handle_at), SCMP_SYS(open_tree),
    SCMP_SYS(pivot_root), SCMP_SYS(setns), SCMP_SYS(swapon), SCMP_SYS(umount2), SCMP_SYS(unshare),
    /* the kernel */
    SCMP_SYS(bpf), SCMP_SYS(delete_module), SCMP_SYS(finit_module), SCMP_SYS(init_module),
    SCMP_SYS(kexec_file_load), SCMP_SYS(kexec_load), SCMP_SYS(perf_event_open), SCMP_SYS(reboot),
    SCMP_SYS(userfaultfd),
    /* its keys */
    SCMP_SYS(add_key), SCMP_SYS(keyctl), SCMP_SYS(request_key),
    /* calls that no filter sees */
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(io_uring_setup)};

/* The same where no program is ever started. */
static const int deadly_alone[] = {
    /* programs */
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork)};

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int fault = 0;

    for (size_t i = 0; fault == 0 && i < count; i++)
        fault = seccomp_rule_add(filter, action, calls[i], 0);
    return fault;
}

/* A thread is made by clone; by clone3 only where a filter could look at its arguments, which it cannot.
 * Signals go to ourselves. */
static int add_conditional(scmp_filter_ctx filter)
{
    scmp_datum_t self = (scmp_datum_t)getpid();
    int fault = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    if (fault == 0)
        fault = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (fault == 0)
        fault = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_EQ, self, 0));
    if (fault == 0)
        fault = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self, 0));
    /* Limits are read; SELinux's and setxid's ways of setting are not needed any more. */
    if (fault == 0)
        fault = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
    return fault;
}

static int fill(scmp_filter_ctx filter, bool programs)
{
    int fault = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT_OF(deadly));

    if (fault != 0 || programs)
        return fault;
    fault = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly_alone, COUNT_OF(deadly_alone));
    if (fault == 0)
        fault = add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT_OF(allowed));
    return fault != 0 ? fault : add_conditional(filter);
}

enum confine_result confine_calls(bool programs, char *error, size_t error_size)
{
    scmp_filter_ctx filter;
    bool lacking = false;
    int fault;

    if (seccomp_api_get() < 3) /* killing the whole process needs Linux 4.14 */
        return CONFINE_LACKING;
    filter = seccomp_init(programs ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
    fault = filter != NULL ? fill(filter, programs) : -ENOMEM;
    if (fault == 0) {
        fault = seccomp_load(filter);
        lacking = fault != 0 && fault != -ENOMEM; /* built without it, or what runs us forbids it */
    }
    if (filter != NULL)
        seccomp_release(filter);
    if (fault == 0 || lacking)
        return lacking ? CONFINE_LACKING : CONFINE_DONE;
    (void)snprintf(error, error_size, "cannot restrict system calls (seccomp): %s", strerrordesc_np(-fault));
    return CONFINE_FAILED;
}
