// SPDX-License-Identifier: BSD-2-Clause
/* database.c - Opening SQLite: its file, its settings, its tables, the functions we add to it.
 *
 * Write-ahead log with synchronous=FULL: a commit is on stable storage when COMMIT returns.
 * secure_delete is off, as Debian compiles it on, at twice the cost. The writing connection also
 * runs the checkpoints, and nobody else does: that of the relay when checkpoints.c says so, one of
 * a command as SQLite does by itself, within commits.
 */
#include "db.h"
#include "log.h"
#include "outbox.h"
#include "secret.h"
#include "segments.h"
#include "shares.h"
#include "suppress_brake.h"
#include "wal_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A commit writes whole pages, of which a message changes some hundred bytes. In still smaller ones
 * a row of `recipient` with the reply of its last attempt would need a second page. */
enum { PAGE_SIZE = 2048 };
enum { BUSY_MS = 5000 };
enum { LOG_BYTES = 4608 * 1024 }; /* as it mostly is at most (checkpoints.c) */

/* A larger store takes too long to be copied when the relay starts. */
static const off_t COPY_MAX = (off_t)1024 * 1024 * 1024;

static bool pragmas(struct database *db, enum database_mode mode, struct err *err)
{
    const char *write =
        "PRAGMA page_size=2048; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
        "secure_delete=OFF;"
        "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;";
    const char *read = "PRAGMA query_only=ON; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;";
    return sqlite3_exec(db->handle, mode == DATABASE_READ ? read : write, NULL, NULL, NULL) ==
               SQLITE_OK ||
           rows_fault(db, err, "setting up the database");
}

/* ---- ours, for statements to use ---- */

static struct span domain_of(struct span address)
{
    for (size_t i = address.len; i > 0; i--)
        if (address.ptr[i - 1] == '@')
            return span_from(address, i);
    return address;
}

/* counted_as(address, how): 0 its form that counts, 1 the domain of that, 2 the form of exactly
 * this mailbox */
static void counted_as(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *text = (const char *)sqlite3_value_text(values[0]);
    char form[ADDRESS_CANONICAL_MAX + 1];
    CHECK(count == 2);
    int how = sqlite3_value_int(values[1]);
    if (how == 2)
        address_same_form(text ? text : "", form);
    else
        address_counted_as(text ? text : "", form);
    struct span s = span_of(form);
    if (how == 1)
        s = domain_of(s);
    sqlite3_result_text(context, s.ptr, (int)s.len, SQLITE_TRANSIENT);
}

static bool add_functions(struct database *db, struct err *err)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    return sqlite3_create_function(db->handle, "counted_as", 2, flags, NULL, counted_as, NULL,
                                   NULL) == SQLITE_OK ||
           err_set(err, ERR_STORE, "the database cannot add a function");
}

/* ---- its tables ---- */

static bool say(struct database *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Version 10 writes the index of events by message anew before it drops the old one, in a
 * transaction that lies in the log first. */
enum { NEW_INDEX = 10, INDEXED_BYTES = 32 };

/* Before a transaction that would take all there is and then fail. */
static bool check_room(struct database *db, int64_t version, struct err *err)
{
    int64_t events = 0;
    struct statvfs disk;
    if (version == 0 || version >= NEW_INDEX)
        return true;
    if (!rows_run_int(db, rows_prepare(db, SQL_EVENT_COUNT), &events, err))
        return err_wrap(err, "counting its events");
    if (statvfs(sqlite3_db_filename(db->handle, "main"), &disk) != 0)
        return true; /* it is tried */
    uint64_t need = (uint64_t)events * INDEXED_BYTES * 2;
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    return need <= room ||
           err_set(err, ERR_FULL,
                   "this release needs %llu KB on its disk to bring it up, and %llu KB are free: "
                   "make room, or run the earlier release",
                   (unsigned long long)need / 1024 + 1, (unsigned long long)room / 1024);
}

/* From an older version, or from nothing (0), in one transaction. */
static bool bring_up(struct database *db, int64_t version, struct err *err)
{
    if (!check_room(db, version, err))
        return false;
    bool ok = say(db, "BEGIN IMMEDIATE");
    for (int64_t i = version; ok && i < SQL_SCHEMA_VERSION; i++)
        ok = say(db, sql_schema[i]);
    if (!ok || !say(db, "COMMIT"))
        return rows_fault(db, err, "making the tables");
    if (version > 0)
        log_end(log_number(log_number(log_begin(LOG_INFO, "store_upgraded"), "from", version), "to",
                           SQL_SCHEMA_VERSION));
    return true;
}

static bool has_captured(struct database *db)
{
    struct err err = {0};
    struct rows *s = rows_prepare(db, SQL_HAS_CAPTURED);
    bool has = rows_next(db, s, &err);
    log_fault("store_fault", &err);
    rows_reset(s);
    return has;
}

static bool refuse_version(int64_t version, struct err *err)
{
    if (version > SQL_SCHEMA_VERSION)
        return err_set(
            err, ERR_STORE,
            "was written by a newer release of Sealpost (version %lld of the store, this "
            "release has %d): run that release",
            (long long)version, SQL_SCHEMA_VERSION);
    if (version == 0)
        return err_set(err, ERR_STORE, "is not a store of Sealpost: restore it from a backup");
    return err_set(err, ERR_STORE,
                   "is of an earlier release (version %lld of the store, this release has %d): "
                   "\"sealpost serve\" brings it up",
                   (long long)version, SQL_SCHEMA_VERSION);
}

/* What SQLite's file format has at the beginning: its name, the size of its pages, their number
 * (which holds when two counters are equal), and our version. */
enum { NAME = 16, PAGES = 16, CHANGED = 24, COUNT = 28, VERSION = 60, COUNTED = 92, HEAD = 96 };

static uint32_t number_at(const unsigned char *head, size_t at)
{
    return (uint32_t)head[at] << 24 | (uint32_t)head[at + 1] << 16 | (uint32_t)head[at + 2] << 8 |
           head[at + 3];
}

/* 0: it is no database. */
static unsigned page_size_of(const unsigned char head[HEAD])
{
    unsigned size = (unsigned)head[PAGES] << 8 | head[PAGES + 1];
    return memcmp(head, "SQLite format 3", NAME) != 0 ? 0 : size == 1 ? 65536 : size;
}

static bool is_there(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && s.st_size > 0;
}

/* Are all its pages there? What the log has may not be in the file yet. */
static bool check_length(const char *path, const unsigned char head[HEAD], struct err *err)
{
    char log[4104];
    struct stat s;
    uint64_t whole = (uint64_t)number_at(head, COUNT) * page_size_of(head);
    snprintf(log, sizeof(log), "%s-wal", path);
    return number_at(head, CHANGED) != number_at(head, COUNTED) || is_there(log) ||
           stat(path, &s) != 0 || (uint64_t)s.st_size >= whole ||
           err_set(err, ERR_STORE, "is cut short (%lld of %llu bytes): restore it from a backup",
                   (long long)s.st_size, (unsigned long long)whole);
}

static bool check_head(const char *path, struct err *err)
{
    unsigned char head[HEAD];
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(head, 1, sizeof(head), f) : 0;
    if (!f)
        return err_set(err, ERR_STORE, "%s%s", strerror(errno),
                       errno == ENOENT ? ": make it with \"sealpost init DOMAIN\"" : "");
    fclose(f);
    if (len == 0)
        return err_set(err, ERR_STORE, "is empty: restore it from a backup");
    if (len < sizeof(head) || page_size_of(head) == 0)
        return err_set(err, ERR_STORE, "is not a database: restore it from a backup");
    int64_t version = number_at(head, VERSION);
    return version > 0 && version <= SQL_SCHEMA_VERSION ? check_length(path, head, err)
                                                        : refuse_version(version, err);
}

bool database_check_file(const char *state_dir, struct err *err)
{
    char path[4096];
    struct stat s = {0};
    snprintf(path, sizeof(path), "%s/state.db", state_dir);
    bool ok =
        (stat(path, &s) != 0 || S_ISREG(s.st_mode) || err_set(err, ERR_STORE, "is not a file")) &&
        check_head(path, err);
    if (ok && access(path, R_OK | W_OK) != 0)
        ok = err_set(err, ERR_STORE, "%s%s", strerror(errno),
                     errno == EACCES ? ": it must belong to the relay's account" : "");
    return ok || err_wrap(err, "database %.200s", path);
}

/* ---- the size of its pages ---- */

/* The same of a file. */
static unsigned page_size(const char *path)
{
    unsigned char head[HEAD] = {0};
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(head, 1, sizeof(head), f) : 0;
    if (f)
        fclose(f);
    return len == sizeof(head) ? page_size_of(head) : 0;
}

/* A log that is not empty holds frames of the larger pages, and must be gone before the copy has
 * the name. */
static bool bring_log_home(struct database *db, struct err *err)
{
    int result =
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (result == SQLITE_BUSY)
        return err_set(err, ERR_STORE, "another process reads it");
    return result == SQLITE_OK || rows_fault(db, err, "bringing its log home");
}

/* What is of another release is told when it is opened. */
static bool is_ours(struct database *db, struct err *err)
{
    int64_t version = 0;
    return rows_run_int(db, rows_prepare(db, SQL_VERSION), &version, err) && version >= 1 &&
           version <= SQL_SCHEMA_VERSION;
}

/* VACUUM takes an empty file, which nobody else can read from the beginning on. */
static bool make_private(const char *copy, struct err *err)
{
    int fd = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_STORE, "making its copy: %s", strerror(errno));
    close(fd);
    return true;
}

static bool vacuum_into(struct database *db, const char *copy, struct err *err)
{
    char *sql = sqlite3_mprintf("PRAGMA page_size=%d; VACUUM INTO %Q", PAGE_SIZE, copy);
    bool ok = (sql && say(db, sql)) || rows_fault(db, err, "copying it");
    sqlite3_free(sql);
    return ok;
}

/* Who closes it last removes the log: when it stays, another has it open. */
static bool copy_to(const char *path, const char *copy, struct err *err)
{
    struct database db = {0};
    char log[4200];
    bool ok = sqlite3_open_v2(path, &db.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                              wal_vfs()) == SQLITE_OK ||
              rows_fault(&db, err, "opening it");
    ok = ok && is_ours(&db, err) && make_private(copy, err) && vacuum_into(&db, copy, err) &&
         bring_log_home(&db, err);
    rows_fini(&db);
    if (sqlite3_close(db.handle) != SQLITE_OK)
        ok = err_set(err, ERR_STORE, "it cannot be closed");
    snprintf(log, sizeof(log), "%s-wal", path);
    return ok && (access(log, F_OK) != 0 || err_set(err, ERR_STORE, "another process has it open"));
}

static bool sync_path(const char *path, int flags, struct err *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_set(err, ERR_STORE, "syncing %.200s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool take_name(const char *path, const char *copy, struct err *err)
{
    return rename(copy, path) == 0 ||
           err_set(err, ERR_STORE, "renaming its copy: %s", strerror(errno));
}

/* The copy is on the disk before it has the name; and the old log is gone from there, as it would
 * be taken for the copy's. */
static bool replace(const char *state_dir, const char *path, const char *copy, struct err *err)
{
    return copy_to(path, copy, err) && sync_path(copy, O_RDWR, err) &&
           sync_path(state_dir, O_RDONLY | O_DIRECTORY, err) && take_name(path, copy, err);
}

/* It is worth it, and there is room. */
static bool has_large_pages(const char *state_dir, const char *path)
{
    struct stat s;
    unsigned size = page_size(path);
    return size != 0 && size != PAGE_SIZE && lstat(path, &s) == 0 && S_ISREG(s.st_mode) &&
           s.st_size <= COPY_MAX && (uint64_t)s.st_size <= segments_disk_left(state_dir) / 2;
}

bool database_use_small_pages(const char *state_dir, struct err *err)
{
    char path[4096];
    char copy[4104];
    struct err why = {0};
    snprintf(path, sizeof(path), "%s/state.db", state_dir);
    snprintf(copy, sizeof(copy), "%s.new", path);
    unlink(copy); /* of a start that did not come to its end */
    if (!has_large_pages(state_dir, path))
        return true;
    if (replace(state_dir, path, copy, &why))
        return sync_path(state_dir, O_RDONLY | O_DIRECTORY, err) ||
               err_wrap(err, "database %.200s has got smaller pages", path);
    unlink(copy);
    if (why.kind != ERR_NONE)
        err_wrap(&why, "database %.200s keeps its larger pages", path);
    log_fault("store_fault", &why);
    return true;
}

static bool check_version(struct database *db, enum database_mode mode, struct err *err)
{
    if (mode == DATABASE_CREATE)
        return bring_up(db, 0, err);
    struct rows *s = rows_prepare(db, SQL_VERSION);
    int64_t version = rows_next(db, s, err) ? rows_get_int(s, 0) : -1;
    rows_reset(s);
    if (version == SQL_SCHEMA_VERSION)
        return true;
    if (version == 3 && has_captured(db)) /* an earlier program set the number back by mistake */
        version = 4;
    if (version >= 1 && version < SQL_SCHEMA_VERSION && mode == DATABASE_SERVE)
        return bring_up(db, version, err);
    return version < 0 ? err_wrap(err, "reading the schema version") : refuse_version(version, err);
}

/* A store of an earlier release, or one that was copied here. */
static void keep_private(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char name[4104];
    struct stat s;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        snprintf(name, sizeof(name), "%s%s", path, parts[i]);
        if (lstat(name, &s) == 0 && S_ISREG(s.st_mode) && (s.st_mode & 0077) != 0)
            (void)!chmod(name, s.st_mode & 0700);
    }
}

/* As long as the log becomes between two checkpoints, in one piece: blocks that are allocated one
 * by one, between those of the spool, lie scattered, and each sync writes where, too. */
static void allocate_log(const char *state_dir)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/state.db-wal", state_dir);
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && segments_disk_left(state_dir) / 64 > LOG_BYTES)
        (void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOG_BYTES);
    if (fd >= 0)
        close(fd); /* SQLite has no locks on this file, which would go with it */
}

static int on_commit(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct database *db = context;
    (void)handle;
    (void)name;
    db->log_pages = (unsigned)pages;
    return SQLITE_OK;
}

/* Pages of the log that a reader keeps apart from the rest are written without a sync, and SQLite
 * counts them as home. A sync that fails later may have lost them, and they would not be written
 * again: so the log stays as it is, and the next start, which reads all of it, brings it home. */
static bool keep_log(struct database *db, struct err *err)
{
    db->log_kept = true;
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return err_wrap(err, "mend the disk, then restart (until then the log grows)");
}

bool database_checkpoint(struct database *db, int wait_ms, struct err *err)
{
    int how = wait_ms > 0 ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int pages = 0, home = 0;
    if (db->log_kept)
        return err_set(err, ERR_STORE, "its log is kept until the next start");
    sqlite3_busy_timeout(db->handle, wait_ms);
    int result = sqlite3_wal_checkpoint_v2(db->handle, NULL, how, &pages, &home);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    if (result != SQLITE_OK && result != SQLITE_BUSY) {
        (void)!rows_fault(db, err, "bringing its log home");
        return db->log_in_parts && keep_log(db, err);
    }
    if (pages >= 0) /* else nothing was done: another one does it */
        db->log_in_parts = home < pages;
    return true;
}

bool database_open(const char *state_dir, enum database_mode mode, struct database **db_r,
                   struct err *err)
{
    char path[4096];
    static const int flags[] = {
        [DATABASE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
        [DATABASE_SERVE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
        [DATABASE_WRITE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
        [DATABASE_READ] = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
    };
    struct database *db = xcalloc(1, sizeof(*db));
    db->writes = mode == DATABASE_SERVE || mode == DATABASE_WRITE;
    snprintf(path, sizeof(path), "%s/state.db", state_dir);
    if (db->writes)
        keep_private(path);
    bool ok = sqlite3_open_v2(path, &db->handle, flags[mode], wal_vfs()) == SQLITE_OK ||
              rows_fault(db, err, "opening it");
    if (ok)
        sqlite3_busy_timeout(db->handle, BUSY_MS);
    ok = ok && add_functions(db, err) && pragmas(db, mode, err) && check_version(db, mode, err);
    if (!ok) {
        database_close(db);
        return err_wrap(err, "database %s", path);
    }
    if (mode == DATABASE_SERVE) {
        sqlite3_wal_hook(db->handle, on_commit, db); /* instead of SQLite's own, for checkpoints */
        allocate_log(state_dir);
        db->leases = leases_new();
    }
    *db_r = db;
    return true;
}

/* SQLite then uses the oldest page again, instead of memory for one more. */
void database_limit_cache(uint64_t bytes)
{
    sqlite3_soft_heap_limit64((sqlite3_int64)bytes);
}

void database_trim_cache(struct database *db)
{
    sqlite3_int64 most = sqlite3_soft_heap_limit64(-1);
    if (most > 0 && sqlite3_memory_used() > most + most / 4) /* there was more before */
        sqlite3_db_release_memory(db->handle);
}

void database_close(struct database *db)
{
    if (!db)
        return;
    outbox_fini(db);
    rows_fini(db);
    sqlite3_close(db->handle);
    shares_fini(&db->shares);
    if (db->writes)
        leases_free(db->leases);
    suppress_brake_free(db->brake);
    changes_fini(&db->changes);
    secret_keyed_free(db->keyed);
    secret_clear(db->rate_key, sizeof(db->rate_key));
    free(db->due.items);
    free(db->released.items);
    free(db);
}
