// SPDX-License-Identifier: BSD-2-Clause
/* shim.c - Preloaded into the relay: counts what it does to its disk, and lets it fail or die there.
 *
 * CRASH_CONTROL names the page of control.h. CRASH_TRACE, if set, names a file that gets every
 * change of the state directory, with its bytes, and every sync, so that a disk can be made of it
 * that has lost power: see power.py. A change is written down after it is done, a sync before and
 * after; so what the trace calls synced was written before that sync began.
 */
#include "control.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct {
    struct control *control;
    int trace; /* -1: none */
    pthread_mutex_t mutex;
} shim = {.trace = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- the real ones ---- */

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void set_up(void)
{
    const char *path = getenv("CRASH_CONTROL");
    const char *trace = getenv("CRASH_TRACE");
    int fd = path ? (int)syscall(SYS_open, path, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at == MAP_FAILED)
        return;
    shim.control = at;
    atomic_store(&shim.control->pid, getpid());
    if (trace)
        shim.trace = (int)syscall(SYS_open, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* ---- what is it? ---- */

static bool ends(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool path_of(int fd, char *path_r)
{
    char link[40];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path_r, PATH_MAX - 1);
    path_r[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static enum control_point write_point(const char *path)
{
    return ends(path, ".seg")            ? CONTROL_SEGMENT_WRITE
           : ends(path, "/state.db-wal") ? CONTROL_LOG_WRITE
           : ends(path, "/state.db")     ? CONTROL_CHECKPOINT_WRITE
                                         : CONTROL_NOWHERE;
}

static enum control_point sync_point(const char *path)
{
    return ends(path, ".seg")                             ? CONTROL_SEGMENT_SYNC
           : ends(path, "/state.db-wal")                  ? CONTROL_LOG_SYNC
           : ends(path, "/state.db")                      ? CONTROL_CHECKPOINT_SYNC
           : ends(path, "/spool") || ends(path, "/state") ? CONTROL_DIRECTORY_SYNC
                                                          : CONTROL_NOWHERE;
}

/* ---- what is to go wrong? ---- */

static void die(void)
{
    syscall(SYS_tgkill, getpid(), gettid(), SIGKILL); /* the relay may call no other kind of kill */
    for (;;)
        pause();
}

/* Returns the error to fail with, or 0; `after_r`: die when it is done. */
static int arrive(enum control_point point, bool *after_r)
{
    struct control *c = shim.control;
    *after_r = false;
    if (!c || point == CONTROL_NOWHERE)
        return 0;
    atomic_fetch_add(&c->hits[point], 1);
    if (atomic_load(&c->point) != (int64_t)point || atomic_fetch_sub(&c->countdown, 1) > 1)
        return 0;
    int64_t action = atomic_load(&c->action);
    if (action == CONTROL_KILL_BEFORE)
        die();
    *after_r = action == CONTROL_KILL_AFTER || action == CONTROL_KILL_AMID;
    if (action != CONTROL_EIO && action != CONTROL_ENOSPC)
        return 0;
    if (atomic_fetch_sub(&c->times, 1) <= 0)
        return 0;
    return action == CONTROL_EIO ? EIO : ENOSPC;
}

/* ---- the trace ---- */

struct record {
    uint32_t kind, path_len;
    int64_t offset, len;
};

static void trace(char kind, const char *path, int64_t offset, const struct iovec *parts, int count,
                  int64_t len)
{
    struct record record = {(uint32_t)kind, (uint32_t)strlen(path), offset, len};
    if (shim.trace < 0)
        return;
    pthread_mutex_lock(&shim.mutex);
    syscall(SYS_write, shim.trace, &record, sizeof(record));
    syscall(SYS_write, shim.trace, path, record.path_len);
    for (int i = 0; i < count && len > 0; i++) {
        size_t part = (int64_t)parts[i].iov_len < len ? parts[i].iov_len : (size_t)len;
        syscall(SYS_write, shim.trace, parts[i].iov_base, part);
        len -= (int64_t)part;
    }
    pthread_mutex_unlock(&shim.mutex);
}

/* ---- writes ---- */

/* It dies amid this write: how much of it is done, another part each time. */
static int cut_off(const struct iovec *parts, int count, struct iovec *parts_r)
{
    struct control *c = shim.control;
    size_t len = 0;
    int64_t hits = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    for (int i = 0; i < CONTROL_POINTS; i++)
        hits += atomic_load(&c->hits[i]);
    size_t left = len > 0 ? (size_t)hits * 7919 % len : 0;
    int used = 0;
    for (; used < count && left > 0; used++) {
        parts_r[used] = parts[used];
        if (parts_r[used].iov_len > left)
            parts_r[used].iov_len = left;
        left -= parts_r[used].iov_len;
    }
    return used;
}

static ssize_t put(int fd, const struct iovec *parts, int count, off_t offset)
{
    char path[PATH_MAX];
    bool after = false;
    enum control_point point = path_of(fd, path) ? write_point(path) : CONTROL_NOWHERE;
    int error = arrive(point, &after);
    if (error) {
        errno = error;
        return -1;
    }
    struct iovec some[IOV_MAX];
    if (after && atomic_load(&shim.control->action) == CONTROL_KILL_AMID) {
        count = cut_off(parts, count, some);
        parts = some;
    }
    ssize_t done = count > 0 ? REAL(pwritev)(fd, parts, count, offset) : 0;
    if (point != CONTROL_NOWHERE && done > 0)
        trace('W', path, offset, parts, count, done);
    if (after)
        die();
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    return put(fd, &part, 1, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return put(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return put(fd, parts, count, offset);
}

static int cut(int fd, off_t len)
{
    char path[PATH_MAX];
    int done = REAL(ftruncate)(fd, len);
    if (done == 0 && path_of(fd, path) && write_point(path) != CONTROL_NOWHERE)
        trace('T', path, len, NULL, 0, 0);
    return done;
}

int ftruncate(int fd, off_t len)
{
    return cut(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
    return cut(fd, len);
}

/* ---- syncs ---- */

static int sync_with(int (*sync_real)(int fd), int fd)
{
    char path[PATH_MAX];
    bool after = false;
    enum control_point point = path_of(fd, path) ? sync_point(path) : CONTROL_NOWHERE;
    int error = arrive(point, &after);
    if (error) {
        errno = error;
        return -1;
    }
    if (point != CONTROL_NOWHERE)
        trace('B', path, 0, NULL, 0, 0);
    int done = sync_real(fd);
    if (point != CONTROL_NOWHERE && done == 0)
        trace('S', path, 0, NULL, 0, 0);
    if (after)
        die();
    return done;
}

int fdatasync(int fd)
{
    return sync_with(REAL(fdatasync), fd);
}

int fsync(int fd)
{
    return sync_with(REAL(fsync), fd);
}

/* ---- names ---- */

static int open_with(const char *path, int flags, mode_t mode)
{
    bool after = false;
    enum control_point kind = write_point(path);
    bool creates = (flags & O_CREAT) && kind != CONTROL_NOWHERE && access(path, F_OK) != 0;
    int error =
        arrive(creates && kind == CONTROL_SEGMENT_WRITE ? CONTROL_SEGMENT_CREATE : CONTROL_NOWHERE,
               &after);
    if (error) {
        errno = error;
        return -1;
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && creates)
        trace('C', path, 0, NULL, 0, 0);
    if (after)
        die();
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_with(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_with(path, flags | O_LARGEFILE, mode);
}

int unlink(const char *path)
{
    bool after = false;
    bool known = write_point(path) != CONTROL_NOWHERE;
    int error = arrive(ends(path, ".seg") ? CONTROL_SEGMENT_UNLINK : CONTROL_NOWHERE, &after);
    if (error) {
        errno = error;
        return -1;
    }
    int done = (int)syscall(SYS_unlink, path);
    if (done == 0 && known)
        trace('U', path, 0, NULL, 0, 0);
    if (after)
        die();
    return done;
}

/* ---- the clock ---- */

static int64_t clock_step_ms(void)
{
    return shim.control ? atomic_load(&shim.control->clock_ms) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int done = REAL(clock_gettime)(id, now);
    if (done == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += clock_step_ms() / 1000;
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int done = REAL(gettimeofday)(now, zone);
    if (done == 0)
        now->tv_sec += clock_step_ms() / 1000;
    return done;
}

time_t time(time_t *now_r)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now_r)
        *now_r = now.tv_sec;
    return now.tv_sec;
}
