// SPDX-License-Identifier: BSD-2-Clause
/* schema_test.c - What the build has made of sql/ and schema/: every statement is one, without its comments, on the
 * tables as they are; and a store of each older version becomes what a new one is.
 */
#include "store_stage.h"

#include "db.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void every_statement_is_one(void **state)
{
    struct database *db = NULL;
    struct err err = {0};
    (void)state;
    assert_true(database_open(place, DATABASE_SERVE, &db, &err));
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_stmt *s = NULL;
        const char *rest = "";
        EXPECT(sqlite3_prepare_v2(db->handle, sql_texts[i], -1, &s, &rest) == SQLITE_OK, sql_texts[i]);
        EXPECT(s && !*rest, sql_texts[i]);
        EXPECT(!strstr(sql_texts[i], "--") && !strpbrk(sql_texts[i], "\n{}"), sql_texts[i]);
        sqlite3_finalize(s);
    }
    database_close(db);
}

/* All that the schema says, in the order of its making. */
static void read_schema(sqlite3 *handle, char *text_r, size_t size)
{
    sqlite3_stmt *s = NULL;
    size_t len = 0;
    int version = 0;
    assert_int_equal(sqlite3_prepare_v2(handle, "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY rowid", -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < 4; i++)
            len += (size_t)snprintf(text_r + len, size - len, "%s\n", (const char *)sqlite3_column_text(s, i));
        assert_true(len < size);
    }
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_prepare_v2(handle, "PRAGMA user_version", -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW)
        version = sqlite3_column_int(s, 0);
    assert_int_equal(version, SQL_SCHEMA_VERSION);
    sqlite3_finalize(s);
}

/* For the step that asks for it: the tables are empty. */
static void counted_as(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    sqlite3_result_value(context, values[0]);
}

/* As the program of that version has left it. */
static void make_store(const char *path, int version)
{
    sqlite3 *handle = NULL;
    unlink(path);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_create_function(handle, "counted_as", 2, SQLITE_UTF8, NULL, counted_as, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < version; i++)
        EXPECT(sqlite3_exec(handle, sql_schema[i], NULL, NULL, NULL) == SQLITE_OK, sql_schema[i]);
    sqlite3_close(handle);
}

static void each_older_version_becomes_this_one(void **state)
{
    static char fresh[64 * 1024], brought_up[sizeof(fresh)];
    char path[128];
    struct database *db = NULL;
    struct err err = {0};
    (void)state;
    assert_true(database_open(place, DATABASE_SERVE, &db, &err));
    read_schema(db->handle, fresh, sizeof(fresh));
    database_close(db);
    snprintf(path, sizeof(path), "%s/state.db", place);
    for (int version = 1; version < SQL_SCHEMA_VERSION; version++) {
        make_store(path, version);
        assert_true(database_open(place, DATABASE_SERVE, &db, &err));
        read_schema(db->handle, brought_up, sizeof(brought_up));
        database_close(db);
        assert_string_equal(brought_up, fresh);
    }
}

/* ---- the size of pages ---- */

static int64_t number(const char *sql)
{
    char path[128];
    sqlite3 *handle = NULL;
    sqlite3_stmt *s = NULL;
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(handle);
    return value;
}

/* As an earlier release has left it after a crash: with 500 events, of which some are in the log only. They are of now: a store
 * that runs for some seconds forgets old ones. */
static void make_large_pages(sqlite3 **handle_r)
{
    static const char some[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)"
        " INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote)"
        " SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 + i, 'accepted', i, 'a@dest.test', 250, '', '', '' FROM n";
    char path[128];
    snprintf(path, sizeof(path), "%s/state.db", place);
    unlink(path);
    assert_int_equal(sqlite3_open(path, handle_r), SQLITE_OK);
    assert_int_equal(sqlite3_create_function(*handle_r, "counted_as", 2, SQLITE_UTF8, NULL, counted_as, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(*handle_r, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 9; i++)
        EXPECT(sqlite3_exec(*handle_r, sql_schema[i], NULL, NULL, NULL) == SQLITE_OK, sql_schema[i]);
    assert_int_equal(sqlite3_exec(*handle_r, some, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(*handle_r, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(*handle_r, some, NULL, NULL, NULL), SQLITE_OK);
}

/* What a power loss may leave: a name that is gone comes back, unless the directory has been synced since. */
static bool log_is_gone; /* for good */
static int renames;

int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);

int __wrap_fsync(int fd)
{
    char log[128];
    struct stat s;
    snprintf(log, sizeof(log), "%s/state.db-wal", place);
    assert_int_equal(fstat(fd, &s), 0);
    if (S_ISDIR(s.st_mode) && access(log, F_OK) != 0)
        log_is_gone = true;
    if (S_ISREG(s.st_mode))
        assert_int_equal(s.st_mode & 0777, 0600);
    return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    renames++;
    assert_true(log_is_gone);
    return __real_rename(from, to);
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[4 << 20];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    assert_true(in && out);
    size_t len = fread(bytes, 1, sizeof(bytes), in);
    assert_true(len < sizeof(bytes));
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* What the process that was killed has left. */
static void leave_log(sqlite3 *handle)
{
    static const char *const names[] = {"state.db", "state.db-wal"};
    char from[128], to[128];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(from, sizeof(from), "%s/%s", place, names[i]);
        snprintf(to, sizeof(to), "%s/%s.kept", place, names[i]);
        copy_file(from, to);
    }
    sqlite3_close(handle);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(from, sizeof(from), "%s/%s.kept", place, names[i]);
        snprintf(to, sizeof(to), "%s/%s", place, names[i]);
        assert_int_equal(__real_rename(from, to), 0);
    }
}

static void the_log_is_gone_for_good_before_the_copy_has_its_name(void **state)
{
    sqlite3 *handle = NULL;
    struct err err = {0};
    char path[128];
    struct stat s;
    (void)state;
    make_large_pages(&handle);
    leave_log(handle);
    snprintf(path, sizeof(path), "%s/state.db-wal", place);
    assert_int_equal(stat(path, &s), 0);
    assert_true(s.st_size > 4096);
    log_is_gone = false;
    renames = 0;
    mode_t mask = umask(0); /* of whom nothing else keeps the copy private */
    assert_true(database_use_small_pages(place, &err));
    umask(mask);
    assert_int_equal(renames, 1);
    assert_int_equal(number("PRAGMA page_size"), 2048);
    assert_int_equal(number("SELECT count(*) FROM event"), 500);
}

static void a_store_of_a_newer_release_stays_as_it_is(void **state)
{
    sqlite3 *handle = NULL;
    struct err err = {0};
    (void)state;
    make_large_pages(&handle);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    leave_log(handle); /* which alone knows */
    renames = 0;
    assert_true(database_use_small_pages(place, &err));
    assert_int_equal(renames, 0);
    assert_int_equal(number("PRAGMA page_size"), 4096);
    assert_int_equal(number("PRAGMA user_version"), 99);
}

static void a_store_with_large_pages_gets_small_ones(void **state)
{
    char path[128];
    struct stat s;
    sqlite3 *handle = NULL;
    (void)state;
    make_large_pages(&handle);
    snprintf(path, sizeof(path), "%s/state.db.new", place);
    FILE *rest = fopen(path, "we"); /* of a start that did not come to its end */
    assert_non_null(rest);
    fputs("half a copy", rest);
    fclose(rest);
    store_stop(start()); /* while another has it open: nothing is copied over it */
    assert_int_equal(number("PRAGMA page_size"), 4096);
    assert_int_equal(number("SELECT count(*) FROM event"), 500);
    assert_int_not_equal(stat(path, &s), 0);
    sqlite3_close(handle);
    store_stop(start());
    assert_int_equal(number("PRAGMA page_size"), 2048);
    assert_int_equal(number("SELECT count(*) FROM event"), 500);
    assert_int_equal(number("SELECT count(*) FROM event_of"), 500);
    assert_int_equal(number("PRAGMA user_version"), SQL_SCHEMA_VERSION);
    assert_int_not_equal(stat(path, &s), 0);
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
}

/* ---- room for the upgrade ---- */

static unsigned long free_bytes; /* 0: as it is */

int __real_statvfs(const char *path, struct statvfs *disk);
int __wrap_statvfs(const char *path, struct statvfs *disk);

int __wrap_statvfs(const char *path, struct statvfs *disk)
{
    int result = __real_statvfs(path, disk);
    if (free_bytes > 0)
        disk->f_bavail = free_bytes / disk->f_frsize;
    return result;
}

static void an_upgrade_without_room_says_how_much_it_needs(void **state)
{
    static const char many[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote)"
        " SELECT i, 'accepted', 9007199254740992 + i, 'a@dest.test', 250, '', '', '' FROM n";
    sqlite3 *handle = NULL;
    struct database *db = NULL;
    struct err err = {0};
    (void)state;
    make_large_pages(&handle);
    assert_int_equal(sqlite3_exec(handle, many, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    int64_t pages = number("PRAGMA page_count");
    free_bytes = 6 << 20;
    assert_false(database_open(place, DATABASE_SERVE, &db, &err));
    assert_int_equal(err.kind, ERR_FULL);
    assert_non_null(strstr(err.text, "needs 6282 KB on its disk to bring it up, and 6144 KB are free: make room, or run the earlier release"));
    assert_int_equal(number("PRAGMA user_version"), 9);
    assert_int_equal(number("PRAGMA page_count"), pages);
    free_bytes = 7 << 20;
    assert_true(database_open(place, DATABASE_SERVE, &db, &err));
    database_close(db);
    free_bytes = 0;
    assert_int_equal(number("SELECT count(*) FROM event_of"), 100500);
    assert_true((number("PRAGMA page_count") - pages) * 4096 < INT64_C(100500) * 32); /* and as much in the log */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_statement_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_with_large_pages_gets_small_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_log_is_gone_for_good_before_the_copy_has_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_of_a_newer_release_stays_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_upgrade_without_room_says_how_much_it_needs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_older_version_becomes_this_one, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
