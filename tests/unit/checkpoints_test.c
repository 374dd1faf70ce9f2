// SPDX-License-Identifier: BSD-2-Clause
/* checkpoints_test.c - Nobody's answer waits until the log is brought into the database, and the log
 * does not grow without end while readers come and go.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_answer_waits_for_a_checkpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_without_a_gap_do_not_let_the_log_grow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_is_put_off_and_tried_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
