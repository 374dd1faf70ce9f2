// SPDX-License-Identifier: BSD-2-Clause
/* opener.c - A request is the number of a file; the answer is an errno value, with the open file
 * attached if it is 0. The names are copied at the fork, so that no other file can be requested,
 * except for names that match an include pattern of that time. */
#include "opener.h"
#include "log.h"
#include "passing.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 2, NAME_MAX_LEN = 1024, NAMES_MAX = 64 * 1024 };

/* Copies, made before the fork. */
struct names {
    char **list;
    size_t count;
};

struct opener {
    int fd;
    struct names paths, patterns;
};

/* `number`: of a path or a pattern. */
struct question {
    uint32_t serial, number;
    enum { OPEN, OPEN_MATCH, MATCH } what;
    char name[NAME_MAX_LEN]; /* for OPEN_MATCH */
};

struct answer {
    uint32_t serial;
    int32_t error;
};

static void copy_names(const char *const *list, size_t count, struct names *names_r)
{
    names_r->list = xcalloc(count + 1, sizeof(*names_r->list));
    for (size_t i = 0; i < count; i++)
        if (list[i][0])
            names_r->list[names_r->count++] = xstrdup(list[i]);
}

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

static bool fits(const char *pattern, const char *path)
{
    return fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD) == 0;
}

static int match(const char *pattern, struct buf *names_r)
{
    glob_t found = {0};
    int result = glob(pattern, GLOB_ERR, NULL, &found);
    int error = result == 0              ? 0
                : result == GLOB_NOMATCH ? ENOENT
                : result == GLOB_NOSPACE ? ENOMEM
                                         : errno;
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
        buf_add(names_r, (struct span){found.gl_pathv[i], strlen(found.gl_pathv[i]) + 1});
    globfree(&found);
    return names_r->overflow ? E2BIG : error;
}

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

static bool give(int socket, struct answer answer, int file, const struct buf *names)
{
    const struct iovec parts[] = {{&answer, sizeof(answer)}, {names->ptr, names->len}};
    return pass_files(socket, parts, COUNT_OF(parts), &file, file >= 0);
}

/* Is it about that? */
static bool is_allowed(const struct opener *o, const struct question *q)
{
    if (q->what == OPEN)
        return q->number < o->paths.count;
    return q->number < o->patterns.count &&
           (q->what == MATCH || fits(o->patterns.list[q->number], q->name));
}

/* False when the relay is gone. */
static bool serve_one(const struct opener *o, int socket)
{
    struct question q = {0};
    struct buf names;
    int file = -1;
    int error = 0;
    ssize_t got = recv(socket, &q, sizeof(q), 0);
    if (got < 0 && errno == EINTR)
        return true;
    q.name[sizeof(q.name) - 1] = '\0';
    if (got < (ssize_t)offsetof(struct question, name) || !is_allowed(o, &q))
        return false;
    buf_init(&names, NAMES_MAX);
    if (q.what == MATCH)
        error = match(o->patterns.list[q.number], &names);
    else if ((file = open_regular(q.what == OPEN ? o->paths.list[q.number] : q.name)) < 0)
        error = errno;
    bool ok = give(socket, (struct answer){q.serial, error}, file, &names);
    if (file >= 0)
        close(file);
    buf_fini(&names);
    return ok;
}

static _Noreturn void be_opener(const struct opener *o, const struct opener_files *files,
                                const char *state_dir, int socket)
{
    struct err err = {0};
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN); /* it ends with the relay */
    if (dup2(socket, 3) < 0 || close_range(4, ~0U, 0) != 0 ||
        !sandbox_become_opener(state_dir, files->places, files->place_count, &err)) {
        log_fault("opener_failed", &err);
        _exit(1);
    }
    while (serve_one(o, 3))
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

bool opener_start(const char *state_dir, const struct opener_files *files, struct opener **opener_r,
                  struct err *err)
{
    int ends[2];
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    *opener_r = NULL;
    if (!is_needed(state_dir))
        return true;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return err_set(err, ERR_SYSTEM, "making the opener's socket: %s", strerror(errno));
    struct opener *o = xcalloc(1, sizeof(*o));
    copy_names(files->paths, files->path_count, &o->paths);
    copy_names(files->patterns, files->pattern_count, &o->patterns);
    pid_t pid = _Fork(); /* as the helper */
    if (pid == 0)
        be_opener(o, files, state_dir, ends[1]);
    close(ends[1]);
    o->fd = ends[0];
    if (pid > 0 && setsockopt(o->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0) {
        *opener_r = o;
        return true;
    }
    opener_close(o);
    return err_set(err, ERR_SYSTEM, "making the opener: %s", strerror(errno));
}

int opener_socket(const struct opener *o)
{
    return o ? o->fd : -1;
}

void opener_close(struct opener *o)
{
    if (!o)
        return;
    close(o->fd);
    free_names(&o->paths);
    free_names(&o->patterns);
    free(o);
}

/* The answer to this question: an errno and the file; what comes late for an older one is closed.
 * `names` may be NULL. */
static int take(const struct opener *o, uint32_t serial, struct buf *names, int *file_r)
{
    for (;;) {
        struct answer answer = {0};
        int files[PASSING_MAX];
        char *to = names ? buf_reserve(names, NAMES_MAX) : NULL;
        const struct iovec parts[] = {{&answer, sizeof(answer)}, {to, to ? NAMES_MAX : 0}};
        ssize_t got = take_files(o->fd, parts, COUNT_OF(parts), files);
        if (got < (ssize_t)sizeof(answer))
            return got < 0 && errno == EAGAIN ? ETIMEDOUT : EPIPE;
        if (answer.serial == serial) {
            if (to)
                buf_commit(names, (size_t)got - sizeof(answer));
            *file_r = files[0];
            return answer.error;
        }
        if (files[0] >= 0)
            close(files[0]);
    }
}

static int ask(const struct opener *o, struct question *q, struct buf *names, int *file_r)
{
    static uint32_t serial; /* on the main thread only */
    size_t len = offsetof(struct question, name) + strlen(q->name) + 1;
    q->serial = ++serial;
    if (send(o->fd, q, len, MSG_NOSIGNAL) != (ssize_t)len)
        return errno == ECONNRESET ? EPIPE : errno;
    return take(o, q->serial, names, file_r);
}

/* False: it is not about that. */
static bool find(const struct opener *o, const char *path, struct question *q)
{
    for (size_t i = 0; o && i < o->paths.count; i++) {
        *q = (struct question){.number = (uint32_t)i, .what = OPEN};
        if (strcmp(o->paths.list[i], path) == 0)
            return true;
    }
    for (size_t i = 0; o && i < o->patterns.count; i++) {
        *q = (struct question){.number = (uint32_t)i, .what = OPEN_MATCH};
        if (fits(o->patterns.list[i], path))
            return span_copy(span_of(path), q->name, sizeof(q->name));
    }
    return false;
}

int opener_open(const struct opener *o, const char *path)
{
    struct question q;
    int file = -1;
    if (!find(o, path, &q))
        return open_regular(path);
    errno = ask(o, &q, NULL, &file);
    return file;
}

int opener_match(const struct opener *o, const char *pattern, struct buf *names_r)
{
    for (size_t i = 0; o && i < o->patterns.count; i++) {
        struct question q = {.number = (uint32_t)i, .what = MATCH};
        int file = -1;
        if (strcmp(o->patterns.list[i], pattern) == 0)
            return ask(o, &q, names_r, &file);
    }
    return match(pattern, names_r);
}

const char *opener_why(int error)
{
    return error == EPIPE ? "the process that opens it for the relay has ended: restart the relay"
                          : strerror(error);
}

const char *opener_advice(int error)
{
    return error == EACCES || error == EPERM
               ? "; see sealpost(1) for who must be able to read it, at the start and at a reload"
               : "";
}
