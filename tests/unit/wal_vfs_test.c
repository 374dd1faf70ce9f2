// SPDX-License-Identifier: BSD-2-Clause
/* wal_vfs_test.c - Gathered frames: the same database as with SQLite's own VFS, whatever is done to
 * it, and a commit that is torn anywhere is there whole or not at all.
 */
#include "wal_vfs.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { HEADER = 32, FRAME = 24 + 4096 };

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "%s/wal_vfs_test.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

static const char *path(const char *name)
{
    static char text[4][128];
    static unsigned at;
    char *one = text[at++ % 4];
    snprintf(one, sizeof(text[0]), "%s/%s", dir, name);
    return one;
}

static int remove_dir(void **state)
{
    (void)state;
    static const char *const names[] = {"a.db",     "a.db-wal", "a.db-shm", "b.db",    "b.db-wal",
                                        "b.db-shm", "t.db",     "t.db-wal", "t.db-shm"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlink(path(names[i]));
    return rmdir(dir);
}

static void run(sqlite3 *db, const char *sql)
{
    char *error = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
}

static sqlite3 *open_with(const char *name, const char *vfs)
{
    sqlite3 *db = NULL;
    assert_int_equal(
        sqlite3_open_v2(path(name), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
        SQLITE_OK);
    run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
    return db;
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static bool is_whole(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    bool ok = strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
    sqlite3_finalize(s);
    return ok;
}

/* ---- the same as without ---- */

static const char schema[] = "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB NOT NULL);";

/* Rows, how many bytes, and of what: two that say the same have the same table. */
static void assert_same(sqlite3 *a, sqlite3 *b)
{
    static const char *const sums[] = {"SELECT count(*) FROM t",
                                       "SELECT coalesce(sum(k * length(v) % 1000003), 0) FROM t",
                                       "SELECT coalesce(sum(k % 97 * unicode(hex(v))), 0) FROM t"};
    for (size_t i = 0; i < COUNT_OF(sums); i++)
        assert_int_equal(number(a, sums[i]), number(b, sums[i]));
}

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed / 65536 % below;
}

/* One step: with a key and a length of its own. */
static void draw_step(unsigned *seed, char *sql, size_t size)
{
    unsigned key = draw(seed, 300);
    unsigned len = draw(seed, 9000);
    switch (draw(seed, 5)) {
    case 0:
        snprintf(sql, size, "INSERT OR REPLACE INTO t VALUES(%u, zeroblob(%u))", key, len);
        break;
    case 1:
        snprintf(sql, size, "UPDATE t SET v = zeroblob(length(v) + 1) WHERE k %% 7 = %u", key % 7);
        break;
    case 2:
        snprintf(sql, size, "DELETE FROM t WHERE k = %u", key);
        break;
    case 3:
        snprintf(sql, size,
                 "SAVEPOINT s; UPDATE t SET v = x'00' WHERE k > %u; ROLLBACK TO s; RELEASE s", key);
        break;
    case 4:
        snprintf(sql, size,
                 "SAVEPOINT s; INSERT OR REPLACE INTO t VALUES(%u, zeroblob(%u)); RELEASE s", key,
                 len);
        break;
    }
}

/* One transaction of many steps on both: with savepoints that are rolled back, and so many pages
 * that some are written before the commit, and again. */
static void play(sqlite3 *a, sqlite3 *b, unsigned *seed)
{
    char sql[200];
    run(a, "BEGIN IMMEDIATE");
    run(b, "BEGIN IMMEDIATE");
    for (unsigned count = draw(seed, 60); count > 0; count--) {
        draw_step(seed, sql, sizeof(sql));
        run(a, sql);
        run(b, sql);
    }
    const char *end = draw(seed, 5) == 0 ? "ROLLBACK" : "COMMIT";
    run(a, end);
    run(b, end);
}

static void it_is_the_same_database(void **state)
{
    (void)state;
    unsigned seed = 20261127;
    sqlite3 *ours = open_with("a.db", wal_vfs());
    sqlite3 *plain = open_with("b.db", NULL);
    sqlite3 *reader = open_with("a.db", wal_vfs());
    sqlite3 *stranger = open_with("a.db", NULL); /* another program, as the command line's */
    run(ours, schema);
    run(plain, schema);
    run(ours, "PRAGMA cache_size=5; PRAGMA wal_autocheckpoint=50;");
    run(plain, "PRAGMA cache_size=5; PRAGMA wal_autocheckpoint=50;");
    for (int i = 0; i < 60; i++) {
        play(ours, plain, &seed);
        assert_same(ours, plain);
        assert_same(reader, plain);
        assert_same(stranger, plain);
    }
    assert_true(is_whole(ours));
    sqlite3_close(stranger);
    sqlite3_close(reader);
    sqlite3_close(ours);
    sqlite3_close(plain);
    ours = open_with("a.db", NULL);
    plain = open_with("b.db", NULL);
    assert_same(ours, plain);
    assert_true(is_whole(ours));
    sqlite3_close(ours);
    sqlite3_close(plain);
}

/* ---- torn ---- */

static void copy(const char *from, const char *to, off_t most)
{
    char bytes[4096];
    int in = open(path(from), O_RDONLY | O_CLOEXEC);
    int out = open(path(to), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; most > 0 && (n = read(in, bytes, sizeof(bytes))) > 0; most -= n) {
        size_t take = n < most ? (size_t)n : (size_t)most;
        assert_int_equal(write(out, bytes, take), take);
    }
    close(in);
    close(out);
}

static off_t size_of(const char *name)
{
    struct stat s;
    return stat(path(name), &s) == 0 ? s.st_size : 0;
}

/* What is there after a crash that left so much of the log. */
static int64_t rows_after(off_t log)
{
    copy("a.db", "t.db", INT64_MAX);
    copy("a.db-wal", "t.db-wal", log);
    (void)unlink(path("t.db-shm"));
    sqlite3 *db = open_with("t.db", wal_vfs());
    int64_t rows = number(db, "SELECT count(*) FROM t");
    assert_true(is_whole(db));
    sqlite3_close(db);
    return rows;
}

static void a_commit_is_there_whole_or_not_at_all(void **state)
{
    (void)state;
    sqlite3 *db = open_with("a.db", wal_vfs());
    run(db, "PRAGMA wal_autocheckpoint=0;");
    run(db, schema);
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    run(db, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
            " INSERT INTO t SELECT i, zeroblob(100) FROM n");
    off_t before = size_of("a.db-wal");
    run(db, "WITH RECURSIVE n(i) AS (VALUES(101) UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
            " INSERT INTO t SELECT i, zeroblob(2000) FROM n");
    off_t after = size_of("a.db-wal");
    off_t frames = (after - before) / FRAME;
    assert_true(frames > 40); /* more than one buffer, so that some of it goes out early */
    assert_int_equal((after - HEADER) % FRAME, 0);
    static const off_t into[] = {0, 24, 512};
    for (off_t frame = 0; frame < frames; frame++)
        for (size_t i = 0; i < COUNT_OF(into); i++)
            assert_int_equal(rows_after(before + frame * FRAME + into[i]), 100);
    assert_int_equal(rows_after(after), 200);
    sqlite3_close(db);
}

/* ---- no room ---- */

static void limit_size(rlim_t most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static const char grow[] =
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
    " INSERT INTO t(v) SELECT zeroblob(3000) FROM n";

/* The log may not grow on from any byte: the commit fails, nothing of it is there, and the next one
 * works as soon as there is room. */
static void a_full_disk_fails_the_commit(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    sqlite3 *db = open_with("a.db", wal_vfs());
    run(db, schema);
    run(db, "PRAGMA wal_autocheckpoint=0;");
    int64_t rows = 0;
    for (off_t room = 0; room < 40 * FRAME; room += FRAME + FRAME / 3 + 7) {
        limit_size((rlim_t)(size_of("a.db-wal") + room));
        assert_int_not_equal(sqlite3_exec(db, grow, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(number(db, "SELECT count(*) FROM t"), rows);
        limit_size(RLIM_INFINITY);
        run(db, grow);
        rows += 60;
        sqlite3 *other = open_with("a.db", NULL);
        assert_int_equal(number(other, "SELECT count(*) FROM t"), rows);
        sqlite3_close(other);
        run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
    assert_true(is_whole(db));
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_the_same_database, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_commit_is_there_whole_or_not_at_all, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_full_disk_fails_the_commit, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
