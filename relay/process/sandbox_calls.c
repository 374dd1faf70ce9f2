// SPDX-License-Identifier: BSD-2-Clause
/* sandbox_calls.c - System call filter (seccomp). A call that is not listed fails with ENOSYS, so
 * that a library that tries a new call falls back to an older one. Calls that only an intruder
 * would use end the process. */
#include "sandbox.h"

#include "check.h"
#include "sandbox_parts.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifdef __s390__
enum { CLONE_FLAGS_AT = 1 };
#else
enum { CLONE_FLAGS_AT = 0 };
#endif

#define CALLS_MEMORY                                                                       \
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), \
        SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(membarrier)
#define CALLS_THREADS                                                                      \
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),     \
        SCMP_SYS(sched_getaffinity), SCMP_SYS(set_tid_address), SCMP_SYS(gettid),          \
        SCMP_SYS(tgkill), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall), \
        SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),          \
        SCMP_SYS(sigaltstack)
#define CALLS_SELF                                                                              \
    SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), \
        SCMP_SYS(getegid), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage),             \
        SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(getrandom)
#define CALLS_TIME                                                              \
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), \
        SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time)
#define CALLS_OPEN                                                                                 \
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),           \
        SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(poll), SCMP_SYS(ppoll),        \
        SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), \
        SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(pipe), SCMP_SYS(dup)
/* Files that are open, and what is known of others: a reader of the database. */
#define CALLS_READING                                                                           \
    SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), \
        SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),           \
        SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(statfs), SCMP_SYS(fstatfs)
#define CALLS_FILES                                                                            \
    CALLS_READING, SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(getcwd), SCMP_SYS(getdents64),   \
        SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(fsync), SCMP_SYS(fdatasync),           \
        SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(unlink),       \
        SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),         \
        SCMP_SYS(umask), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchown), SCMP_SYS(flock), \
        SCMP_SYS(utimensat)
#define CALLS_STREAMS                                                                          \
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),                \
        SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), \
        SCMP_SYS(getpeername)
/* socket() and socketpair() are below. */
#define CALLS_SOCKETS                                                                         \
    SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), \
        SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(select), SCMP_SYS(pselect6)
#define CALLS_SHUT_IN SCMP_SYS(prctl), SCMP_SYS(seccomp)
#define CALLS_ALL CALLS_MEMORY, CALLS_THREADS, CALLS_SELF, CALLS_TIME, CALLS_OPEN

static const int relay_calls[] = {CALLS_ALL, CALLS_FILES, CALLS_STREAMS, CALLS_SOCKETS,
                                  CALLS_SHUT_IN};
static const int store_calls[] = {CALLS_ALL, CALLS_FILES};
static const int reader_calls[] = {CALLS_ALL, CALLS_READING};
static const int page_calls[] = {CALLS_ALL, CALLS_READING, CALLS_STREAMS};
static const int opener_calls[] = {CALLS_MEMORY,        CALLS_THREADS,    SCMP_SYS(recvfrom),
                                   SCMP_SYS(sendmsg),   SCMP_SYS(openat), SCMP_SYS(newfstatat),
                                   SCMP_SYS(readlink),  SCMP_SYS(fstat),  SCMP_SYS(close),
                                   SCMP_SYS(getdents64)};
static const int fetcher_calls[] = {CALLS_ALL,         CALLS_READING,      CALLS_STREAMS,
                                    SCMP_SYS(connect), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
                                    SCMP_SYS(open),    SCMP_SYS(openat),   SCMP_SYS(getdents64),
                                    SCMP_SYS(wait4),   SCMP_SYS(alarm),    SCMP_SYS(setitimer)};

/* Calls that may be made with some arguments only. */
enum {
    FOR_RELAY = 1 << SANDBOX_RELAY,
    FOR_FETCHER = 1 << SANDBOX_FETCHER,
    FOR_NETWORK = FOR_RELAY | FOR_FETCHER,
    FOR_ALL = FOR_NETWORK | 1 << SANDBOX_STORE | 1 << SANDBOX_WEB
};
enum {
    NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                 CLONE_NEWPID | CLONE_NEWNET
};

static const struct narrow {
    int call;
    unsigned roles;
    struct scmp_arg_cmp argument;
} narrow_calls[] = {
    /* Threads, and in no other namespace; clone3(), whose flags no filter sees, does not exist. */
    {SCMP_SYS(clone),
     FOR_RELAY,
     {CLONE_FLAGS_AT, SCMP_CMP_MASKED_EQ, NAMESPACES | CLONE_THREAD, CLONE_THREAD}},
    /* Processes: nothing but the signal at the end, and where the child notes its own number. */
    {SCMP_SYS(clone),
     FOR_FETCHER,
     {CLONE_FLAGS_AT, SCMP_CMP_MASKED_EQ, NAMESPACES | CLONE_THREAD | CLONE_VM, 0}},
    {SCMP_SYS(socket), FOR_NETWORK, {0, SCMP_CMP_EQ, AF_INET, 0}},
    {SCMP_SYS(socket), FOR_NETWORK, {0, SCMP_CMP_EQ, AF_INET6, 0}},
    /* The fetcher, which has the relay's account, reaches no control socket. */
    {SCMP_SYS(socket), FOR_RELAY, {0, SCMP_CMP_EQ, AF_UNIX, 0}},
    {SCMP_SYS(socketpair), FOR_NETWORK, {0, SCMP_CMP_EQ, AF_UNIX, 0}},
    /* Nothing that types into the operator's terminal. */
    {SCMP_SYS(ioctl), FOR_ALL, {1, SCMP_CMP_EQ, FIONBIO, 0}},
    {SCMP_SYS(ioctl), FOR_ALL, {1, SCMP_CMP_EQ, FIOCLEX, 0}},
    {SCMP_SYS(ioctl), FOR_ALL, {1, SCMP_CMP_EQ, FIONREAD, 0}},
    {SCMP_SYS(ioctl), FOR_ALL, {1, SCMP_CMP_EQ, TCGETS, 0}},
    {SCMP_SYS(ioctl), FOR_RELAY, {1, SCMP_CMP_EQ, TIOCOUTQ, 0}}, /* a socket's, too */
};

/* Whoever tries these is not the relay any more. */
static const int fatal_calls[] = {SCMP_SYS(execve),
                                  SCMP_SYS(execveat),
                                  SCMP_SYS(ptrace),
                                  SCMP_SYS(process_vm_readv),
                                  SCMP_SYS(process_vm_writev),
                                  SCMP_SYS(mount),
                                  SCMP_SYS(umount2),
                                  SCMP_SYS(pivot_root),
                                  SCMP_SYS(chroot),
                                  SCMP_SYS(bpf),
                                  SCMP_SYS(init_module),
                                  SCMP_SYS(finit_module),
                                  SCMP_SYS(kexec_load),
                                  SCMP_SYS(reboot),
                                  SCMP_SYS(keyctl),
                                  SCMP_SYS(add_key),
                                  SCMP_SYS(userfaultfd),
                                  SCMP_SYS(unshare),
                                  SCMP_SYS(setns),
                                  SCMP_SYS(perf_event_open)};

static const struct role {
    const int *calls;
    size_t count;
} roles[] = {
    [SANDBOX_RELAY] = {relay_calls, COUNT_OF(relay_calls)},
    [SANDBOX_STORE] = {store_calls, COUNT_OF(store_calls)},
    [SANDBOX_READER] = {reader_calls, COUNT_OF(reader_calls)},
    [SANDBOX_WEB] = {page_calls, COUNT_OF(page_calls)},
    [SANDBOX_OPENER] = {opener_calls, COUNT_OF(opener_calls)},
    [SANDBOX_FETCHER] = {fetcher_calls, COUNT_OF(fetcher_calls)},
};

static bool has_seccomp; /* found out by the first filter, before there are threads */

bool sandbox_has_calls(void)
{
    return has_seccomp;
}

bool sandbox_calls(enum sandbox_role role, struct err *err)
{
    static bool shut_in; /* changed before there are threads */
    if (role == SANDBOX_RELAY || role == SANDBOX_OPENER || role == SANDBOX_FETCHER)
        shut_in = has_seccomp;
    if (sanitized || !shut_in)
        return true;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    bool ok = filter != NULL;
    for (size_t i = 0; ok && i < roles[role].count; i++)
        ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, roles[role].calls[i], 0) == 0;
    for (size_t i = 0; ok && i < COUNT_OF(narrow_calls); i++)
        if (narrow_calls[i].roles & 1U << role)
            ok = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, narrow_calls[i].call, 1,
                                        &narrow_calls[i].argument) == 0;
    for (size_t i = 0; ok && i < COUNT_OF(fatal_calls); i++)
        ok = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, fatal_calls[i], 0) == 0;
    ok = ok && seccomp_load(filter) == 0;
    if (filter)
        seccomp_release(filter);
    return ok || err_set(err, ERR_SYSTEM, "giving up privileges: seccomp: %s", strerror(errno));
}

void sandbox_begin(void)
{
    static const int rings[] = {SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
                                SCMP_SYS(io_uring_register)};
    setenv("UV_USE_IO_URING", "0", 1); /* for a kernel without seccomp */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    for (size_t i = 0; filter && i < COUNT_OF(rings); i++)
        CHECK(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), rings[i], 0) == 0);
    has_seccomp = filter && seccomp_load(filter) == 0;
    seccomp_release(filter);
}
