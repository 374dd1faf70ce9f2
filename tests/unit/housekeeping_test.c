// SPDX-License-Identifier: BSD-2-Clause
/* housekeeping_test.c - Forgetting old events: with the index by message, all or nothing, and in one commit.
 */
#include "store_stage.h"

#include "clock.h"
#include "db.h"
#include "events.h"
#include "housekeeping.h"
#include "segments.h"

#include <sqlite3.h>

enum { OLD = 40, NEW = 30 };

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

static struct database *db;
static struct segments *segments;
static int commits;

static int on_commit(void *context)
{
    (void)context;
    commits++;
    return 0;
}

static void say(const char *sql)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db->handle));
}

static int64_t number(const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static void add(int64_t message, int64_t at_ms)
{
    struct err err = {0};
    const struct database_event e = {.at_ms = at_ms,
                                     .kind = "accepted",
                                     .message = message,
                                     .recipient = "a@dest.test",
                                     .enhanced = "",
                                     .reply = "",
                                     .remote = ""};
    assert_true(database_add_event(db, &e, &err));
}

/* Old events and new ones, which are in the index, and behind them some that are not. */
static int open_all(void **state)
{
    struct err err = {0};
    int64_t now_ms = clock_now_ms();
    if (set_up(state) != 0 || !database_open(place, DATABASE_WRITE, &db, &err) ||
        !segments_open(place, &segments, &err))
        return -1;
    say("BEGIN");
    for (int i = 1; i <= OLD; i++)
        add(i, now_ms - 8 * day_ms);
    for (int i = 1; i <= NEW; i++)
        add(OLD + i, now_ms);
    say("COMMIT");
    if (!rows_index_all_events(db, &err))
        return -1;
    say("BEGIN");
    for (int i = 0; i < 1000; i++) /* more than a step looks at */
        add(1000, now_ms);
    say("COMMIT");
    sqlite3_commit_hook(db->handle, on_commit, NULL);
    return 0;
}

static int close_all(void **state)
{
    segments_free(segments);
    database_close(db);
    return tear_down(state);
}

/* A step of a store whose counts and the like have been swept just now. */
static void run(void)
{
    int64_t now_ms = clock_now_ms();
    struct housekeeping h = {.shares_ms = now_ms + 5000};
    for (size_t i = 0; i < HOUSEKEEPING_SWEEPS; i++)
        h.sweep_ms[i] = now_ms + 100000;
    commits = 0;
    housekeeping_run(&h, place, db, segments, now_ms);
}

static void a_step_is_one_commit_and_folds_nothing_behind_what_it_looks_at(void **state)
{
    (void)state;
    say("UPDATE indexed SET up_to = 1000"); /* as in a long history */
    run();
    assert_int_equal(commits, 1);
    assert_int_equal(number("SELECT count(*) FROM event"), NEW + 1000);
    assert_int_equal(number("SELECT count(*) FROM event_of"), NEW);
    assert_int_equal(number("SELECT up_to FROM indexed"), 1000);
}

/* Else its newcomers are never counted. */
static void what_is_not_in_the_index_is_put_there_first(void **state)
{
    (void)state;
    say("UPDATE indexed SET up_to = 1");
    say("DELETE FROM event_of");
    run();
    assert_int_equal(number("SELECT count(*) FROM event_of"), NEW + 1000);
    assert_int_equal(number("SELECT up_to FROM indexed"), OLD + NEW + 1000);
}

static void what_cannot_be_deleted_in_one_table_stays_in_the_other(void **state)
{
    static const char *const tables[] = {"event", "event_of"};
    char sql[200];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        snprintf(sql, sizeof(sql), "CREATE TRIGGER no BEFORE DELETE ON %s BEGIN SELECT raise(FAIL, 'no'); END", tables[i]);
        say(sql);
        run();
        assert_int_equal(number("SELECT count(*) FROM event WHERE message <> 1000"), OLD + NEW);
        assert_int_equal(number("SELECT count(*) FROM event_of WHERE message <> 1000"), OLD + NEW);
        say("DROP TRIGGER no");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_step_is_one_commit_and_folds_nothing_behind_what_it_looks_at, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_is_not_in_the_index_is_put_there_first, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_cannot_be_deleted_in_one_table_stays_in_the_other, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
