// SPDX-License-Identifier: BSD-2-Clause
/* checkpoints_test.c - Nobody's answer waits until the log is brought into the database, and the log
 * does not grow without end while readers come and go. What it holds is on the disk before it begins
 * anew.
 */
#include "store_stage.h"

#include "checkpoints.h"

#include "db.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 2048 + 24 };

/* ---- what SQLite does to the database's own file ---- */

static struct {
    _Atomic bool in_job;    /* a job has begun, and its answer has not been given */
    _Atomic unsigned syncs; /* of the database */
    _Atomic unsigned early; /* of these, before an answer */
    _Atomic bool broken;    /* they fail */
} disk;

static bool is_database(int fd)
{
    char name[40];
    char path[PATH_MAX];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(name, path, sizeof(path) - 1);
    path[len > 0 ? len : 0] = '\0';
    return span_ends_nocase(span_of(path), SPAN("/state.db"));
}

/* In place of the system's, for SQLite too. */
static int sync_file(int fd)
{
    if (is_database(fd)) {
        disk.syncs++;
        disk.early += disk.in_job;
        if (disk.broken) {
            errno = EIO;
            return -1;
        }
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int fdatasync(int fd)
{
    return sync_file(fd);
}

int fsync(int fd)
{
    return sync_file(fd);
}

/* ---- what is written ---- */

static void run(struct database *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db->handle, sql, NULL, NULL, NULL), SQLITE_OK);
}

static bool write_pages(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    disk.in_job = true;
    run(db, "CREATE TABLE IF NOT EXISTS filler(bytes BLOB)");
    run(db, "INSERT INTO filler VALUES(zeroblob(100000))"); /* 50 pages */
    return true;
}

static void on_end(struct store_job *job)
{
    disk.in_job = false;
    on_answer(job);
}

static void no_answer_waits_for_a_checkpoint(void **state)
{
    (void)state;
    struct store *store = start();
    disk.syncs = 0;
    disk.early = 0;
    for (int i = 0; i < 60; i++) { /* 3000 pages */
        struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
        struct store_change *c = new_change(&w, write_pages, NULL);
        c->job.answer = on_end;
        store_put(store, &c->job);
        wait_for(&w);
        assert_int_equal(c->result, STORE_CHANGED);
        store_job_free(&c->job);
    }
    store_stop(store);
    assert_int_equal(disk.early, 0);
    assert_in_range(disk.syncs, 2, 60); /* in pieces, but not each time */
}

/* ---- readers that come and go ---- */

struct readers {
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    unsigned begun; /* transactions, of both together */
    bool over;
};

/* Two do this: each begins before the other ends, so that there is one at every moment. */
static void *read_on(void *context)
{
    struct readers *r = context;
    struct database *db = NULL;
    struct err err = {0};
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    pthread_mutex_lock(&r->mutex);
    while (!r->over) {
        pthread_mutex_unlock(&r->mutex);
        assert_true(database_begin_reading(db, &err));
        run(db, "SELECT count(*) FROM event");
        pthread_mutex_lock(&r->mutex);
        unsigned mine = ++r->begun;
        pthread_cond_broadcast(&r->turn);
        while (r->begun == mine && !r->over)
            pthread_cond_wait(&r->turn, &r->mutex);
        database_end_reading(db);
    }
    pthread_mutex_unlock(&r->mutex);
    database_close(db);
    return NULL;
}

static int64_t log_bytes(void)
{
    char path[PATH_MAX];
    struct stat s;
    snprintf(path, sizeof(path), "%s/state.db-wal", place);
    return stat(path, &s) == 0 ? (int64_t)s.st_size : 0;
}

static void readers_without_a_gap_do_not_let_the_log_grow(void **state)
{
    struct readers r = {.mutex = PTHREAD_MUTEX_INITIALIZER, .turn = PTHREAD_COND_INITIALIZER};
    struct checkpoints checkpoints = {0};
    struct database *db = NULL;
    struct err err = {0};
    pthread_t threads[2];
    (void)state;
    assert_true(database_open(place, DATABASE_SERVE, &db, &err));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (int i = 0; i < 600; i++) { /* 30,000 pages */
        assert_true(write_pages(db, NULL, &err));
        checkpoints_step(&checkpoints, db, false);
    }
    pthread_mutex_lock(&r.mutex);
    r.over = true;
    pthread_cond_broadcast(&r.turn);
    pthread_mutex_unlock(&r.mutex);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_in_range(log_bytes(), 500 * PAGE, 15000 * PAGE);
    database_close(db);
}

/* What is busy puts it off, and what cannot be written is tried again. */
static void it_is_put_off_and_tried_again(void **state)
{
    struct checkpoints checkpoints = {0};
    struct database *db = NULL;
    struct err err = {0};
    (void)state;
    assert_true(database_open(place, DATABASE_SERVE, &db, &err));
    disk.syncs = 0;
    for (int i = 0; i < 30; i++) {
        assert_true(write_pages(db, NULL, &err));
        checkpoints_step(&checkpoints, db, true);
    }
    assert_int_equal(disk.syncs, 0);
    disk.broken = true;
    for (int i = 0; i < 30; i++) {
        assert_true(write_pages(db, NULL, &err));
        checkpoints_step(&checkpoints, db, false);
    }
    assert_in_range(disk.syncs, 2, 6);
    assert_true(checkpoints.failing);
    disk.broken = false;
    unsigned before = db->log_pages;
    for (int i = 0; i < 30; i++) {
        assert_true(write_pages(db, NULL, &err));
        checkpoints_step(&checkpoints, db, false);
    }
    assert_false(checkpoints.failing);
    assert_true(before > 1500 && db->log_pages < 1000);
    database_close(db);
}

/* ---- what a sync has lost ---- */

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    char path[PATH_MAX];
    char bytes[8192];
    snprintf(path, sizeof(path), "%s/%s", from_dir, name);
    FILE *from = fopen(path, "rb");
    snprintf(path, sizeof(path), "%s/%s", to_dir, name);
    FILE *to = fopen(path, "wb");
    assert_true(from && to);
    for (size_t len; (len = fread(bytes, 1, sizeof(bytes), from)) > 0;)
        assert_int_equal(fwrite(bytes, 1, len, to), len);
    assert_int_equal(fclose(to), 0);
    fclose(from);
}

static int64_t number_of(struct sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &s, NULL), SQLITE_OK);
    int64_t number = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
    sqlite3_finalize(s);
    return number;
}

/* The power is cut: of the database there is what was synced, of the log what it has now. */
static void expect_on_disk(const char *synced, int64_t rows)
{
    char path[PATH_MAX];
    struct sqlite3 *handle = NULL;
    copy_file(place, synced, "state.db-wal");
    snprintf(path, sizeof(path), "%s/state.db", synced);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(number_of(handle, "SELECT count(*) FROM filler"), rows);
    assert_int_equal(number_of(handle, "SELECT count(*) FROM pragma_integrity_check WHERE "
                                       "integrity_check <> 'ok'"),
                     0);
    sqlite3_close(handle);
}

/* A sync that fails may have lost what was written before it, and a later one says nothing of that.
 * What a reader has kept apart was written by an earlier call. */
static void what_a_failed_sync_has_lost_is_still_in_the_log(void **state)
{
    char synced[PATH_MAX];
    struct database *db = NULL, *reader = NULL;
    struct err err = {0};
    (void)state;
    snprintf(synced, sizeof(synced), "%s/synced", place);
    assert_int_equal(mkdir(synced, 0700), 0);
    for (int in_parts = 0; in_parts < 2; in_parts++) {
        int64_t rows = 100 * (in_parts + 1);
        assert_true(database_open(place, DATABASE_SERVE, &db, &err));
        assert_true(database_open(place, DATABASE_READ, &reader, &err));
        assert_true(database_checkpoint(db, 1000, &err));
        copy_file(place, synced, "state.db");
        assert_true(write_pages(db, NULL, &err));
        if (in_parts) {
            assert_true(database_begin_reading(reader, &err));
            run(reader, "SELECT count(*) FROM event");
        }
        assert_true(write_pages(db, NULL, &err));
        if (in_parts) {
            assert_true(database_checkpoint(db, 0, &err)); /* what the reader sees */
            database_end_reading(reader);
        }
        disk.broken = true;
        assert_false(database_checkpoint(db, 0, &err));
        disk.broken = false;
        for (int i = 2; i < 100; i++) {
            assert_true(write_pages(db, NULL, &err));
            bool ok = database_checkpoint(db, 0, &err);
            assert_true(ok != in_parts);
            if (ok)
                copy_file(place, synced, "state.db");
        }
        expect_on_disk(synced, rows);
        database_close(reader);
        database_close(db);
        if (in_parts)
            expect_on_disk(synced, rows);
    }
    assert_true(database_open(place, DATABASE_SERVE, &db, &err));
    assert_true(database_checkpoint(db, 1000, &err));
    assert_int_equal(number_of(db->handle, "SELECT count(*) FROM filler"), 200);
    database_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_answer_waits_for_a_checkpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_without_a_gap_do_not_let_the_log_grow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_is_put_off_and_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_failed_sync_has_lost_is_still_in_the_log, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
