// SPDX-License-Identifier: BSD-2-Clause
/* wal_vfs.c - The frames of one commit, gathered into one write.
 *
 * SQLite writes each frame of its write-ahead log with two calls, 24 bytes and a page. This VFS is
 * SQLite's own for every file but the log: there, writes that follow one another are kept until
 * the log is synced, is read where they lie, or they fill the buffer, and are then one write.
 *
 * That is safe because of the order in which SQLite commits with synchronous=FULL: all frames are
 * written, the log is synced, and only then other connections are told of them in the shared
 * memory. What is in the buffer has been told to nobody, and an error of the late write is that of
 * the sync or of the read that needed it: the transaction fails. What can be torn by a crash is
 * what could be torn before, as frames carry checksums and the last one of a commit its mark.
 */
#include "wal_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

/* Less than 128 KiB, which SQLite's own write takes for nothing. */
enum { GATHERED = 64 * 1024 };

/* SQLite gives room for this and for its own file behind it. */
struct wal {
    sqlite3_file file;
    unsigned char *buffer; /* NULL: nothing was written yet, or there is no memory for it */
    sqlite3_int64 at;      /* where in the log the buffer begins */
    int len;
};

static sqlite3_vfs *system_vfs;

static sqlite3_file *real(struct wal *w)
{
    return (sqlite3_file *)(w + 1);
}

static struct wal *wal_of(sqlite3_file *file)
{
    return (struct wal *)file;
}

/* What cannot be written is forgotten: its transaction fails, and the next writes there again. */
static int flush(struct wal *w)
{
    int len = w->len;
    w->len = 0;
    return len == 0 ? SQLITE_OK : real(w)->pMethods->xWrite(real(w), w->buffer, len, w->at);
}

static int on_close(sqlite3_file *file)
{
    struct wal *w = wal_of(file);
    int kept = flush(w);
    int closed = real(w)->pMethods->xClose(real(w));
    sqlite3_free(w->buffer);
    return kept == SQLITE_OK ? closed : kept;
}

static int on_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 at)
{
    struct wal *w = wal_of(file);
    bool apart = at + len <= w->at || at >= w->at + w->len;
    if (!apart && flush(w) != SQLITE_OK)
        return SQLITE_IOERR_WRITE; /* which undoes the whole transaction, as a full disk need not */
    return real(w)->pMethods->xRead(real(w), bytes, len, at);
}

static int on_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct wal *w = wal_of(file);
    if (at != w->at + w->len || len > GATHERED - w->len) {
        int kept = flush(w);
        if (kept != SQLITE_OK)
            return kept;
        w->at = at;
    }
    if (!w->buffer)
        w->buffer = sqlite3_malloc(GATHERED);
    if (!w->buffer || len > GATHERED)
        return real(w)->pMethods->xWrite(real(w), bytes, len, at);
    memcpy(w->buffer + w->len, bytes, (size_t)len);
    w->len += len;
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct wal *w = wal_of(file);
    int kept = flush(w);
    return kept == SQLITE_OK ? real(w)->pMethods->xTruncate(real(w), size) : kept;
}

static int on_sync(sqlite3_file *file, int flags)
{
    struct wal *w = wal_of(file);
    int kept = flush(w);
    return kept == SQLITE_OK ? real(w)->pMethods->xSync(real(w), flags) : kept;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size_r)
{
    struct wal *w = wal_of(file);
    int kept = flush(w);
    return kept == SQLITE_OK ? real(w)->pMethods->xFileSize(real(w), size_r) : kept;
}

static int on_lock(sqlite3_file *file, int level)
{
    return real(wal_of(file))->pMethods->xLock(real(wal_of(file)), level);
}

static int on_unlock(sqlite3_file *file, int level)
{
    return real(wal_of(file))->pMethods->xUnlock(real(wal_of(file)), level);
}

static int on_check_lock(sqlite3_file *file, int *reserved_r)
{
    return real(wal_of(file))->pMethods->xCheckReservedLock(real(wal_of(file)), reserved_r);
}

static int on_control(sqlite3_file *file, int what, void *argument)
{
    return real(wal_of(file))->pMethods->xFileControl(real(wal_of(file)), what, argument);
}

static int on_sector_size(sqlite3_file *file)
{
    return real(wal_of(file))->pMethods->xSectorSize(real(wal_of(file)));
}

static int on_characteristics(sqlite3_file *file)
{
    return real(wal_of(file))->pMethods->xDeviceCharacteristics(real(wal_of(file)));
}

/* Version 1: a log has no shared memory and is not mapped. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector_size,
    .xDeviceCharacteristics = on_characteristics,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_r)
{
    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return system_vfs->xOpen(system_vfs, name, file, flags, flags_r);
    struct wal *w = wal_of(file);
    *w = (struct wal){0};
    int opened = system_vfs->xOpen(system_vfs, name, real(w), flags, flags_r);
    if (opened != SQLITE_OK)
        return opened;
    w->file.pMethods = &methods;
    return SQLITE_OK;
}

static sqlite3_vfs gathering;
static bool registered;

static void register_once(void)
{
    system_vfs = sqlite3_vfs_find(NULL);
    if (!system_vfs)
        return;
    gathering = *system_vfs; /* all but opening is the system's, with its own state */
    gathering.pNext = NULL;
    gathering.zName = "wal";
    gathering.szOsFile = (int)sizeof(struct wal) + system_vfs->szOsFile;
    gathering.xOpen = on_open;
    registered = sqlite3_vfs_register(&gathering, 0) == SQLITE_OK;
}

const char *wal_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_once);
    return registered ? gathering.zName : NULL;
}
