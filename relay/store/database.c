// SPDX-License-Identifier: BSD-2-Clause
/* database.c - Opening SQLite, and saying the statements of sql.h with typed values.
 *
 * Write-ahead log with synchronous=FULL: a commit is on stable storage when COMMIT returns.
 * secure_delete is off, as Debian compiles it on, at twice the cost. The writing connection also
 * runs the checkpoints, and nobody else does.
 */
#include "db.h"
#include "log.h"
#include "schema.h"
#include "secret.h"
#include "shares.h"
#include "top_talkers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool pragmas(struct database *db, enum database_mode mode, struct err *err)
{
    const char *write =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;"
        "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=1000;";
    const char *read = "PRAGMA query_only=ON; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;";
    return sqlite3_exec(db->handle, mode == DATABASE_READ ? read : write, NULL, NULL, NULL) ==
               SQLITE_OK ||
           rows_fault(db, err, "setting up the database");
}

static bool say(struct database *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* From an older version, or from nothing (0), in one transaction. */
static bool bring_up(struct database *db, int64_t version, struct err *err)
{
    static const char *const steps[] = {SQL_SCHEMA_1, SQL_SCHEMA_2, SQL_SCHEMA_3,
                                        SQL_SCHEMA_4, SQL_SCHEMA_5, SQL_SCHEMA_6,
                                        SQL_SCHEMA_7, SQL_SCHEMA_8, SQL_SCHEMA_9};
    _Static_assert(COUNT_OF(steps) == SQL_SCHEMA_VERSION, "a step from each older version");
    bool ok = say(db, "BEGIN IMMEDIATE");
    for (int64_t i = version; ok && i < SQL_SCHEMA_VERSION; i++)
        ok = say(db, steps[i]);
    return (ok && say(db, "COMMIT")) || rows_fault(db, err, "making the tables");
}

static bool has_captured(struct database *db)
{
    struct err err = {0};
    sqlite3_stmt *s = rows_prepare(db, SQL_HAS_CAPTURED);
    bool has = rows_next(db, s, &err);
    log_fault("store_fault", &err);
    sqlite3_reset(s);
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

/* What SQLite's file format has at the beginning: its name, and our version from octet 60 on. */
static bool check_head(const char *path, struct err *err)
{
    enum { NAME = 16, VERSION = 60, HEAD = 64 };
    unsigned char head[HEAD];
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(head, 1, sizeof(head), f) : 0;
    if (!f)
        return err_set(err, ERR_STORE, "%s%s", strerror(errno),
                       errno == ENOENT ? ": make it with \"sealpost init DOMAIN\"" : "");
    fclose(f);
    if (len == 0)
        return err_set(err, ERR_STORE, "is empty: restore it from a backup");
    if (len < sizeof(head) || memcmp(head, "SQLite format 3", NAME) != 0)
        return err_set(err, ERR_STORE, "is not a database: restore it from a backup");
    int64_t version = 0;
    for (size_t i = VERSION; i < HEAD; i++)
        version = version << 8 | head[i];
    return (version > 0 && version <= SQL_SCHEMA_VERSION) || refuse_version(version, err);
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
        ok = err_set(err, ERR_STORE, "%s: it must belong to the relay's account", strerror(errno));
    return ok || err_wrap(err, "database %.200s", path);
}

static bool check_version(struct database *db, enum database_mode mode, struct err *err)
{
    if (mode == DATABASE_CREATE)
        return bring_up(db, 0, err);
    sqlite3_stmt *s = rows_prepare(db, SQL_VERSION);
    int64_t version = rows_next(db, s, err) ? sqlite3_column_int64(s, 0) : -1;
    sqlite3_reset(s);
    if (version == SQL_SCHEMA_VERSION)
        return true;
    if (version == 3 && has_captured(db)) /* an earlier program set the number back by mistake */
        version = 4;
    if (version >= 1 && version < SQL_SCHEMA_VERSION && mode == DATABASE_WRITE)
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

bool database_open(const char *state_dir, enum database_mode mode, struct database **db_r,
                   struct err *err)
{
    char path[4096];
    static const int flags[] = {
        [DATABASE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
        [DATABASE_WRITE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
        [DATABASE_READ] = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
    };
    struct database *db = xcalloc(1, sizeof(*db));
    db->writes = mode == DATABASE_WRITE;
    snprintf(path, sizeof(path), "%s/state.db", state_dir);
    if (mode == DATABASE_WRITE)
        keep_private(path);
    bool ok = sqlite3_open_v2(path, &db->handle, flags[mode], NULL) == SQLITE_OK ||
              rows_fault(db, err, "opening it");
    if (ok)
        sqlite3_busy_timeout(db->handle, 5000);
    ok = ok && top_talkers_functions(db, err) && pragmas(db, mode, err) &&
         check_version(db, mode, err);
    if (!ok) {
        database_close(db);
        return err_wrap(err, "database %s", path);
    }
    *db_r = db;
    return true;
}

void database_close(struct database *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->handle);
    shares_fini(&db->shares);
    secret_keyed_free(db->keyed);
    free(db->due.items);
    free(db->released.items);
    free(db);
}
