// SPDX-License-Identifier: BSD-2-Clause
/* disk_notices_test.c - What is told of a disk that is full, stays at the border, cannot be written to, and has room again. */
#include "store_stage.h"

#include "clock.h"
#include "db.h"
#include "disk_notices.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/statvfs.h>

enum { MB = 1024 * 1024, KEPT_MB = 64, SECOND_MS = 1000, HOUR_S = 3600 };

static uint64_t free_mb = 100000;
static struct database *db;
static struct disk_notices notices;
static int64_t now_ms;

int __wrap_statvfs(const char *path, struct statvfs *disk_r);
int __wrap_statvfs(const char *path, struct statvfs *disk_r)
{
    (void)path;
    memset(disk_r, 0, sizeof(*disk_r));
    disk_r->f_frsize = MB;
    disk_r->f_blocks = 1000000;
    disk_r->f_bavail = disk_r->f_bfree = free_mb;
    return 0;
}

static int open_store(void **state)
{
    struct err err = {0};
    notices = (struct disk_notices){0};
    free_mb = 100000;
    if (set_up(state) != 0 || !database_open(place, DATABASE_SERVE, &db, &err))
        return -1;
    now_ms = clock_now_ms();
    return 0;
}

static int close_store(void **state)
{
    database_close(db);
    return tear_down(state);
}

static void look_for(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++)
        disk_notices_look(&notices, place, db, now_ms += SECOND_MS);
}

static int64_t rows(const char *like)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db->handle, "SELECT count(*) FROM audit WHERE what = 'disk_full' AND about LIKE ?1", -1, &s, NULL), SQLITE_OK);
    sqlite3_bind_text(s, 1, like, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return count;
}

static void once_when_it_begins_and_once_when_it_is_over(void **state)
{
    (void)state;
    look_for(10);
    assert_int_equal(rows("%"), 0);
    free_mb = KEPT_MB;
    look_for(600);
    assert_int_equal(rows("%is full but for%"), 1);
    assert_int_equal(rows("%"), 1);
    free_mb = 3 * KEPT_MB;
    look_for(600);
    assert_int_equal(rows("%has room again%"), 1);
    assert_int_equal(rows("%"), 2);
}

/* New mail takes what has become free: the trail, which only grows, does not fill the disk. */
static void at_the_border_it_is_said_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        free_mb = KEPT_MB + (i & 1) * 10;
        look_for(1);
    }
    assert_int_equal(rows("%"), 1);
}

static void what_comes_and_goes_is_said_once_an_hour(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HOUR_S - 60; i++) {
        free_mb = i & 1 ? 1000 : 0;
        look_for(1);
    }
    assert_int_equal(rows("%is full but for%"), 1);
    assert_int_equal(rows("%has room again%"), 1);
    free_mb = 1000;
    look_for(HOUR_S);
    free_mb = 0;
    look_for(1);
    assert_int_equal(rows("%is full but for%"), 2);
}

/* It is written when there is room, and before its end. */
static void what_cannot_be_written_is_owed(void **state)
{
    (void)state;
    free_mb = 0;
    assert_int_equal(sqlite3_exec(db->handle, "PRAGMA query_only = ON", NULL, NULL, NULL), SQLITE_OK);
    look_for(5);
    free_mb = 1000;
    look_for(5);
    assert_int_equal(rows("%"), 0);
    assert_int_equal(sqlite3_exec(db->handle, "PRAGMA query_only = OFF", NULL, NULL, NULL), SQLITE_OK);
    look_for(5);
    assert_int_equal(rows("%is full but for%"), 1);
    assert_int_equal(rows("%has room again%"), 1);
    assert_int_equal(rows("%"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(once_when_it_begins_and_once_when_it_is_over, open_store, close_store),
        cmocka_unit_test_setup_teardown(at_the_border_it_is_said_once, open_store, close_store),
        cmocka_unit_test_setup_teardown(what_comes_and_goes_is_said_once_an_hour, open_store, close_store),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_owed, open_store, close_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
