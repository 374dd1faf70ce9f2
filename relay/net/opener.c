// SPDX-License-Identifier: BSD-2-Clause
/* opener.c - A question is the number of a file; the answer is an errno, with the open file
 * attached when that is 0. Names go over once, at the fork, so that nobody can ask for others.
 */
#include "opener.h"
#include "log.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 2 };

struct opener {
    int fd;
    char **paths;
    size_t count;
};

struct question {
    uint32_t serial, file;
};

struct answer {
    uint32_t serial;
    int32_t error;
};

/* No device, no pipe that makes us wait. */
static int open_regular(const char *path)
{
    struct stat s;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || (fstat(fd, &s) == 0 && S_ISREG(s.st_mode)))
        return fd;
    close(fd);
    errno = S_ISDIR(s.st_mode) ? EISDIR : EINVAL;
    return -1;
}

/* ---- in the opener ---- */

static bool give(int socket, struct answer answer, int file)
{
    char room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&answer, sizeof(answer)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (file >= 0) {
        message.msg_control = room;
        message.msg_controllen = sizeof(room);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &file, sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
}

/* False when the relay is gone. */
static bool serve_one(int socket, char **paths, size_t count)
{
    struct question q;
    ssize_t got = recv(socket, &q, sizeof(q), 0);
    if (got < 0 && errno == EINTR)
        return true;
    if (got != (ssize_t)sizeof(q) || q.file >= count)
        return false;
    int file = open_regular(paths[q.file]);
    bool ok = give(socket, (struct answer){q.serial, file >= 0 ? 0 : errno}, file);
    if (file >= 0)
        close(file);
    return ok;
}

static _Noreturn void be_opener(const struct opener *o, const char *state_dir, int socket)
{
    struct err err = {0};
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN); /* it ends with the relay */
    if (dup2(socket, 3) < 0 || close_range(4, ~0U, 0) != 0 ||
        !sandbox_become_opener(state_dir, (const char *const *)o->paths, o->count, &err)) {
        log_fault("opener_failed", &err);
        _exit(1);
    }
    while (serve_one(3, o->paths, o->count))
        ;
    _exit(0);
}

/* ---- in the relay ---- */

/* Would the relay lose the right to read what root may read? */
static bool is_needed(const char *state_dir)
{
    struct stat s;
    return geteuid() == 0 && stat(state_dir, &s) == 0 && s.st_uid != 0;
}

bool opener_start(const char *state_dir, const char *const *paths, size_t count,
                  struct opener **opener_r, struct err *err)
{
    int ends[2];
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    *opener_r = NULL;
    if (!is_needed(state_dir))
        return true;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set(err, ERR_SYSTEM, "making the opener's socket: %s", strerror(errno));
    struct opener *o = xcalloc(1, sizeof(*o));
    o->paths = xcalloc(count + 1, sizeof(*o->paths));
    for (size_t i = 0; i < count; i++)
        if (paths[i][0])
            o->paths[o->count++] = xstrdup(paths[i]);
    pid_t pid = _Fork(); /* as the helper */
    if (pid == 0)
        be_opener(o, state_dir, ends[1]);
    close(ends[1]);
    o->fd = ends[0];
    if (pid > 0 && setsockopt(o->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0) {
        *opener_r = o;
        return true;
    }
    opener_close(o);
    return err_set(err, ERR_SYSTEM, "making the opener: %s", strerror(errno));
}

void opener_close(struct opener *o)
{
    if (!o)
        return;
    close(o->fd);
    for (size_t i = 0; i < o->count; i++)
        free(o->paths[i]);
    free(o->paths);
    free(o);
}

/* The answer to this question; what comes late for an older one is closed. */
static int take(const struct opener *o, uint32_t serial)
{
    for (;;) {
        struct answer answer = {0};
        char room[CMSG_SPACE(sizeof(int))];
        struct iovec part = {&answer, sizeof(answer)};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
        int file = -1;
        ssize_t got = recvmsg(o->fd, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        const struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&file, CMSG_DATA(c), sizeof(int));
        if (got != (ssize_t)sizeof(answer)) {
            errno = got < 0 && errno == EAGAIN ? ETIMEDOUT : EPIPE;
            return -1;
        }
        if (answer.serial == serial) {
            errno = answer.error;
            return file;
        }
        if (file >= 0)
            close(file);
    }
}

int opener_open(const struct opener *o, const char *path)
{
    static uint32_t serial; /* on the main thread only */
    for (size_t i = 0; o && i < o->count; i++) {
        if (strcmp(o->paths[i], path) != 0)
            continue;
        const struct question q = {++serial, (uint32_t)i};
        if (send(o->fd, &q, sizeof(q), MSG_NOSIGNAL) != (ssize_t)sizeof(q))
            return -1;
        return take(o, q.serial);
    }
    return open_regular(path);
}
