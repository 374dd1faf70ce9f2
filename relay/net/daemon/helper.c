// SPDX-License-Identifier: BSD-2-Clause
/* helper.c - Receives one datagram for each program to run, with a socket attached that becomes its
 * standard input and error output, or the fetcher's only descriptor. No shell is involved, and all
 * arguments are the relay's.
 *
 * _Fork() is used because libuv's handlers of fork() close and reopen descriptors by numbers that
 * have been reused here.
 */
#include "helper.h"

#include "fetcher.h"
#include "passing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_MAX = 1400, LIFE_S = 30, TOKEN_LIFE_S = 10, PAUSE_MS = 20, KEY_MAX = 64 * 1024 };

/* What comes along with a request. */
enum { STREAM, FILE_OF_KEY, DESCRIPTORS = PASSING_MAX };

/* ---- in the helper ---- */

/* What it may run. */
struct programs {
    struct helper_programs names;
    int fetcher; /* its file */
};

/* What the file holds, to be read as often as the program likes: a file that was opened for us
 * cannot be opened again. Of a pair of files (K*.key, K*.private) that would be half. */
static void give_key(int file, char *path_r, size_t size)
{
    char key[KEY_MAX];
    size_t len = 0;
    ssize_t got = 0;
    while (len < sizeof(key) && (got = read(file, key + len, sizeof(key) - len)) > 0)
        len += (size_t)got;
    int memory = got == 0 && memchr(key, '{', len) ? memfd_create("key", 0) : -1;
    if (memory >= 0 && write(memory, key, len) == (ssize_t)len)
        snprintf(path_r, size, "/dev/fd/%d", memory);
    explicit_bzero(key, sizeof(key));
}

static _Noreturn void run_program(const char *command, const char *request,
                                  const int given[DESCRIPTORS])
{
    const char *argument = request + 1;
    const char *name = "nsupdate";
    int stream = given[STREAM];
    char key[32] = "";
    static const int usual[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        signal(usual[i], SIG_DFL);
    alarm(LIFE_S); /* survives exec */
    umask(0022);
    if (dup2(stream, STDIN_FILENO) < 0 || dup2(stream, STDOUT_FILENO) < 0 ||
        dup2(stream, STDERR_FILENO) < 0)
        _exit(126);
    if (request[0] == HELPER_COMMAND) {
        name = command;
        execl(name, name, argument, (char *)NULL);
    } else if (argument[0]) {
        if (given[FILE_OF_KEY] >= 0)
            give_key(given[FILE_OF_KEY], key, sizeof(key));
        execlp(name, name, "-k", key[0] ? key : argument, (char *)NULL);
    } else {
        execlp(name, name, (char *)NULL);
    }
    dprintf(STDERR_FILENO, "%s %s\n", name,
            errno == ENOENT ? "is not there: install it" : "cannot be run");
    _exit(127);
}

/* Only one of those that are known. Its error output is not looked at: it might show a token. */
static _Noreturn void run_token(const struct helper_programs *names, const char *request,
                                int stream)
{
    const char *command = request + 1;
    const char *user = command + strlen(command) + 1;
    static const int usual[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        signal(usual[i], SIG_DFL);
    alarm(TOKEN_LIFE_S);
    umask(0077);
    if (setpgid(0, 0) != 0 || dup2(stream, STDIN_FILENO) < 0 || dup2(stream, STDOUT_FILENO) < 0 ||
        nowhere < 0 || dup2(nowhere, STDERR_FILENO) < 0)
        _exit(126);
    for (size_t i = 0; i < names->token_count; i++)
        if (strcmp(names->tokens[i], command) == 0)
            execl(command, command, user, (char *)NULL);
    _exit(127);
}

/* Some handle or ignore an alarm. False: its time is over. */
static bool wait_for_token(pid_t pid, int *status)
{
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    for (int left_ms = (TOKEN_LIFE_S + 1) * 1000; left_ms > 0; left_ms -= PAUSE_MS) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended != 0)
            return ended == pid;
        nanosleep(&pause, NULL);
    }
    return false;
}

/* Wait for the program, and say how it ended. */
static _Noreturn void attend(const struct helper_programs *names, const char *request,
                             const int given[DESCRIPTORS])
{
    bool token = request[0] == HELPER_TOKEN;
    char line[32];
    int status = 0;
    pid_t pid = _Fork();
    if (pid == 0 && token)
        run_token(names, request, given[STREAM]);
    if (pid == 0)
        run_program(names->command, request, given);
    if (pid < 0 || !(token ? wait_for_token(pid, &status) : waitpid(pid, &status, 0) == pid))
        status = -1;
    if (pid > 0 && token)
        kill(-pid, SIGKILL); /* what it has left behind, which may hold its output open */
    int len = snprintf(line, sizeof(line), "\nexit %d\n", status);
    ssize_t put = send(given[STREAM], line, (size_t)len, MSG_NOSIGNAL);
    _exit(put == len ? 0 : 1);
}

static void close_given(const int given[DESCRIPTORS])
{
    for (size_t i = 0; i < DESCRIPTORS; i++)
        if (given[i] >= 0)
            close(given[i]);
}

/* One request: which program, its argument ended by a zero, the socket, perhaps a file. False when
 * the relay is gone. */
static bool serve_one(const struct programs *programs, int fd)
{
    char request[REQUEST_MAX] = {0};
    const struct iovec part = {request, sizeof(request) - 1};
    int given[DESCRIPTORS];
    if (take_files(fd, &part, 1, given) <= 0)
        return false;
    if (given[STREAM] < 0)
        return true;
    pid_t pid = _Fork();
    if (pid == 0) {
        signal(SIGCHLD, SIG_DFL);
        if (request[0] == HELPER_FETCHER)
            fetcher_become(programs->fetcher, programs->names.fetcher, given[STREAM]);
        attend(&programs->names, request, given);
    }
    close_given(given);
    return true;
}

/* None of the relay's sockets: while the helper has them, nobody else could. */
static int keep_only(int fd)
{
    if (dup2(fd, 3) < 0 || close_range(4, ~0U, 0) != 0 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
        _exit(1);
    return 3;
}

static _Noreturn void be_helper(const struct helper_programs *names, int fd)
{
    fd = keep_only(fd);
    const struct programs programs = {*names, open(names->fetcher, O_PATH | O_CLOEXEC)};
    signal(SIGTERM, SIG_IGN); /* it ends with the relay, which may still need it */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* nobody waits for those who attend, or for what programs leave */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    while (serve_one(&programs, fd))
        ;
    _exit(0);
}

/* ---- in the relay ---- */

bool helper_start(const struct helper_programs *programs, int *fd_r, struct err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set(err, ERR_SYSTEM, "making the helper's socket: %s", strerror(errno));
    pid_t pid = _Fork();
    if (pid == 0)
        be_helper(programs, ends[1]);
    close(ends[1]);
    *fd_r = ends[0];
    if (pid > 0)
        return true;
    close(ends[0]);
    *fd_r = -1;
    return err_set(err, ERR_SYSTEM, "making the helper: %s", strerror(errno));
}

/* One end of a socket of this type goes along with the request, the other one is the caller's. */
static bool ask(int fd, struct span request, int type, int file, int *end_r, struct err *err)
{
    int ends[2];
    const struct iovec part = {(void *)(uintptr_t)request.ptr, request.len};
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set(err, ERR_SYSTEM, "making a socket for a program: %s", strerror(errno));
    const int given[DESCRIPTORS] = {ends[1], file};
    bool ok = pass_files(fd, &part, 1, given, file >= 0 ? DESCRIPTORS : 1) ||
              err_set(err, ERR_SYSTEM, "asking the helper: %s",
                      errno == EPIPE ? "it has ended: restart the relay" : strerror(errno));
    close(ends[1]);
    if (ok)
        *end_r = ends[0];
    else
        close(ends[0]);
    return ok;
}

bool helper_run(int fd, enum helper_program program, const char *argument, int file, int *stream_r,
                struct err *err)
{
    char request[REQUEST_MAX];
    int len = snprintf(request, sizeof(request), "%c%s", (char)program, argument);
    if (len + 1 > REQUEST_MAX - 1)
        return err_set(err, ERR_SYSTEM, "asking the helper: the argument is too long");
    return ask(fd, (struct span){request, (size_t)len + 1}, SOCK_STREAM, file, stream_r, err);
}

bool helper_run_token(int fd, const char *command, const char *user, int *stream_r, struct err *err)
{
    char request[REQUEST_MAX];
    int len = snprintf(request, sizeof(request), "%c%s%c%s", HELPER_TOKEN, command, 0, user);
    if (len + 1 > REQUEST_MAX - 1)
        return err_set(err, ERR_SYSTEM, "asking the helper: the argument is too long");
    return ask(fd, (struct span){request, (size_t)len + 1}, SOCK_STREAM, -1, stream_r, err);
}

bool helper_run_fetcher(int fd, int *socket_r, struct err *err)
{
    static const char request[] = {HELPER_FETCHER, '\0'};
    return ask(fd, (struct span){request, sizeof(request)}, SOCK_SEQPACKET, -1, socket_r, err);
}
