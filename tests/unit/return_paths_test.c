// SPDX-License-Identifier: BSD-2-Clause
/* return_paths_test.c - What is kept for what comes back: counted once, forgotten in time and without going through what is not over, moved with
 * the clock; and a report that says why is heard after one that does not. */
#include "store_stage.h"

#include "came_back.h"
#include "clock.h"
#include "db.h"
#include "housekeeping.h"
#include "queue_rows.h"
#include "return_paths.h"
#include "segments.h"
#include "suppressions.h"

#include <sqlite3.h>
#include <stdlib.h>

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

static void say(struct database *db, const char *sql)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db->handle));
}

static int64_t number(struct database *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

/* So many messages, made from that time on, each of the day on which it ends. */
static void add(struct database *db, int64_t at_ms, int64_t until, unsigned count)
{
    char sql[600];
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %u) "
             "INSERT INTO return_path SELECT %lld + i, 0, %lld, 'a@dest.test', 't', '', 'app', 'b@club.test', 'club.test', '', 0 FROM n",
             count, (long long)(at_ms * 65536), (long long)until);
    say(db, sql);
}

static struct database *open_one(void)
{
    struct err err = {0};
    struct database *db = NULL;
    if (!database_open(place, DATABASE_WRITE, &db, &err))
        fail_msg("%s", err.text);
    return db;
}

static void only_what_may_be_over_is_looked_at(void **state)
{
    (void)state;
    struct database *db = open_one();
    int64_t now_ms = clock_now_ms();
    int64_t today = now_ms / day_ms;
    add(db, now_ms - 20 * day_ms, today - 1, 3);     /* over */
    add(db, now_ms - 19 * day_ms, today + 2, 3);     /* it had longer */
    add(db, now_ms - 13 * day_ms, today + 1, 30000); /* none of these can be */
    add(db, now_ms + 4000 * day_ms, today - 1, 3);   /* made when the clock was wrong */
    unsigned steps = 1;
    while (return_paths_sweep(db, now_ms))
        steps++;
    assert_in_range(steps, 1, 3);
    assert_int_equal(number(db, "SELECT count(*) FROM return_path"), 30003);
    assert_int_equal(db->return_paths_swept, 0); /* the next one begins anew */
    database_close(db);
}

static void many_that_are_over_go_in_few_steps(void **state)
{
    (void)state;
    struct database *db = open_one();
    int64_t now_ms = clock_now_ms();
    unsigned steps = 1;
    add(db, now_ms - 20 * day_ms, now_ms / day_ms - 1, 30000);
    while (return_paths_sweep(db, now_ms))
        steps++;
    assert_in_range(steps, 2, 4);
    assert_int_equal(number(db, "SELECT count(*) FROM return_path"), 0);
    database_close(db);
}

/* That one sweep has more to do is no reason for the others to begin anew. */
static void each_sweep_comes_in_its_own_time(void **state)
{
    (void)state;
    struct err err = {0};
    struct segments *segments = NULL;
    struct housekeeping h = {0};
    struct database *db = open_one();
    int64_t now_ms = clock_now_ms();
    assert_true(segments_open(place, &segments, &err));
    add(db, now_ms - 20 * day_ms, now_ms / day_ms - 1, 50000);
    housekeeping_run(&h, place, db, segments, now_ms);
    int64_t left = number(db, "SELECT count(*) FROM return_path");
    assert_true(left > 0);
    struct suppress_entry e = {.address = "b@dest.test", .reason = SUPPRESS_FLOOD, .source = "x", .created_ms = 1, .expires_ms = now_ms - 1};
    bool changed = false;
    say(db, "BEGIN");
    assert_true(database_suppress(db, &e, now_ms - 10, &changed, &err));
    say(db, "COMMIT");
    int64_t before = number(db, "SELECT count(*) FROM suppression");
    assert_true(before > 0);
    housekeeping_run(&h, place, db, segments, now_ms + 1500);
    assert_true(number(db, "SELECT count(*) FROM return_path") < left);
    assert_int_equal(number(db, "SELECT count(*) FROM suppression"), before);
    housekeeping_run(&h, place, db, segments, now_ms + 601 * 1000);
    assert_true(number(db, "SELECT count(*) FROM suppression") < before);
    segments_free(segments);
    database_close(db);
}

struct kept {
    int64_t id, bytes[3];
};

/* On the store's thread. */
static bool in_keep(struct database *db, void *context, struct err *err)
{
    struct kept *k = context;
    const struct store_outcome o = {.message = k->id, .number = 0, .site = "far.test"};
    for (size_t i = 0; i < COUNT_OF(k->bytes); i++) {
        if (!return_paths_keep(db, &o, clock_now_ms(), err))
            return false;
        k->bytes[i] = db->shares.bytes[DATABASE_EVENTS];
    }
    return true;
}

static void what_is_kept_again_is_counted_once(void **state)
{
    (void)state;
    struct store *store = start();
    struct kept k = {.id = accept(store, 1, "Subject: x\r\n\r\nx\r\n")};
    assert_int_equal(run_change(store, in_keep, &k), STORE_CHANGED);
    assert_true(store_stop(store));
    assert_true(k.bytes[0] > 0);
    assert_int_equal(k.bytes[1], k.bytes[0]);
    assert_int_equal(k.bytes[2], k.bytes[0]);
}

static void they_move_with_the_clock(void **state)
{
    (void)state;
    struct err err = {0};
    struct database *db = open_one();
    int64_t now_ms = clock_now_ms();
    int64_t today = now_ms / day_ms;
    add(db, now_ms, today + 14, 1);
    assert_true(rows_move(db, 400 * day_ms, &err));
    assert_int_equal(number(db, "SELECT until FROM return_path"), today + 414);
    assert_true(rows_move(db, -100 * day_ms, &err));
    assert_int_equal(number(db, "SELECT until FROM return_path"), today + 314);
    for (int i = 0; i < 50; i++)
        assert_true(rows_move(db, i % 2 ? -3000 : 3000, &err)); /* is no day */
    assert_int_equal(number(db, "SELECT until FROM return_path"), today + 314);
    database_close(db);
}

/* ---- what comes back ---- */

static const struct returns_judgement no_such_user = {
    .answer = {.what = VERDICT_REJECT, .code = 550, .enhanced = "5.1.1", .text = "no such user"},
    .reply = {.category = REPLY_MAILBOX_UNKNOWN, .rule = "x", .suppress_after = 1},
    .suppress_after = 1};

static struct came_back *came(int64_t id, const struct returns_judgement *why)
{
    struct came_back *c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->subject = (struct returns_subject){.message = id, .number = 0};
    snprintf(c->sender, sizeof(c->sender), "b-x@bounce.club.test");
    c->hostname = "mx.club.test";
    c->suppress_days = 90;
    c->claims.count = 1;
    c->claims.list[0].event = RETURNS_EVENT_RETURNED;
    c->claims.list[0].judged = why != NULL;
    if (why)
        c->claims.list[0].judgement = *why;
    snprintf(c->claims.list[0].address, sizeof(c->claims.list[0].address), "a@dest.test");
    return c;
}

static enum came_back_result come_back(struct database *db, int64_t id, const struct returns_judgement *why)
{
    struct err err = {0};
    struct came_back *c = came(id, why);
    if (!database_came_back(db, c, &err))
        fail_msg("%s", err.text);
    enum came_back_result result = c->result;
    free(c);
    return result;
}

static bool in_a_reason(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    const int64_t id = (clock_now_ms() - 3600 * 1000) * 65536;
    add(db, clock_now_ms() - 3600 * 1000, clock_now_ms() / day_ms + 14, 1);
    assert_int_equal(come_back(db, id, NULL), CAME_BACK_NOTED);
    assert_int_equal(come_back(db, id, NULL), CAME_BACK_AGAIN);
    assert_int_equal(number(db, "SELECT count(*) FROM suppression"), 0);
    assert_int_equal(come_back(db, id, &no_such_user), CAME_BACK_NOTED);
    assert_int_equal(number(db, "SELECT count(*) FROM suppression"), 1);
    assert_int_equal(come_back(db, id, &no_such_user), CAME_BACK_AGAIN); /* each counts once */
    assert_int_equal(come_back(db, id, NULL), CAME_BACK_AGAIN);
    assert_int_equal(number(db, "SELECT count(*) FROM event WHERE kind = 'returned'"), 2);
    return true;
}

static void a_reason_is_heard_after_a_report_without_one(void **state)
{
    (void)state;
    struct err err = {0};
    if (!store_run_alone(place, in_a_reason, NULL, &err))
        fail_msg("%s", err.text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(only_what_may_be_over_is_looked_at),
                                       TEST(many_that_are_over_go_in_few_steps),
                                       TEST(each_sweep_comes_in_its_own_time),
                                       TEST(what_is_kept_again_is_counted_once),
                                       TEST(they_move_with_the_clock),
                                       TEST(a_reason_is_heard_after_a_report_without_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
