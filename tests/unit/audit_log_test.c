// SPDX-License-Identifier: BSD-2-Clause
/* audit_log_test.c - The audit trail alone: what is written is chained, whatever it says; what is changed, put in or
 * taken out is found; and the tables themselves refuse to do that.
 */
#include "store_stage.h"

#include "audit.h"

#include <sqlite3.h>
#include <stdlib.h>

static sqlite3 *open_raw(void)
{
    char path[128];
    sqlite3 *raw = NULL;
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    return raw;
}

static void with_database(store_on_change *run, void *context)
{
    struct err err = {0};
    if (!store_run_alone(place, run, context, &err))
        fail_msg("%s", err.text);
}

static bool write_three(struct database *db, void *context, struct err *err)
{
    (void)context;
    return database_audit(db, "uid 0", "domain_add", "club.test", err) &&
           database_note(db, AUDIT_RELAY, "key", "s1._domainkey.club.test", "active", err) &&
           database_audit(db, "uid 0", "user_add", "app", err);
}

static bool verify(struct database *db, void *context, struct err *err)
{
    return database_audit_verify(db, NULL, context, err);
}

static void what_is_written_is_a_chain(void **state)
{
    struct audit_verdict v;
    (void)state;
    with_database(verify, &v);
    assert_true(v.rows == 0 && v.broken == 0 && !v.found && v.head[0] == '\0');
    with_database(write_three, NULL);
    with_database(verify, &v);
    assert_true(v.rows == 3 && v.broken == 0 && strlen(v.head) == 64);
}

/* ---- what is not believed ---- */

/* Drop whatever guards the table, as somebody can who has the file, and do this to it. */
static void tamper(const char *sql)
{
    sqlite3 *raw = open_raw();
    sqlite3_stmt *s = NULL;
    char *why = NULL;
    char drops[1024] = "";
    assert_int_equal(sqlite3_prepare_v2(raw, "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'",
                                        -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        size_t len = strlen(drops);
        snprintf(drops + len, sizeof(drops) - len, "DROP TRIGGER %s;", (const char *)sqlite3_column_text(s, 0));
    }
    sqlite3_finalize(s);
    assert_true(drops[0]);
    if (sqlite3_exec(raw, drops, NULL, NULL, &why) != SQLITE_OK || sqlite3_exec(raw, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(raw);
}

static void the_tables_refuse_to_change_a_row(void **state)
{
    static const char *const statements[] = {
        "UPDATE audit SET about = 'x'",
        "UPDATE audit SET hash = hash || 'x' WHERE seq = 1",
        "UPDATE OR REPLACE audit SET seq = 2 WHERE seq = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE seq = 3",
    };
    struct audit_verdict v;
    (void)state;
    with_database(write_three, NULL);
    sqlite3 *raw = open_raw();
    for (size_t i = 0; i < COUNT_OF(statements); i++)
        EXPECT(sqlite3_exec(raw, statements[i], NULL, NULL, NULL) != SQLITE_OK, statements[i]);
    sqlite3_close(raw);
    with_database(verify, &v);
    assert_true(v.rows == 3 && v.broken == 0);
}

static void what_is_changed_is_found(void **state)
{
    static const struct {
        const char *label, *sql;
        int64_t rows, broken;
    } rows[] = {
        {"who", "UPDATE audit SET who = 'uid 1' WHERE seq = 2", 3, 2},
        {"what", "UPDATE audit SET what = 'domain_delete' WHERE seq = 1", 3, 1},
        {"about whom", "UPDATE audit SET about = 'other.test' WHERE seq = 1", 3, 1},
        {"when", "UPDATE audit SET at = at + 1 WHERE seq = 3", 3, 3},
        {"the hash", "UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = 1", 3, 1},
        {"two at once: the first is told", "UPDATE audit SET at = at + 1 WHERE seq > 1", 3, 2},
        {"one in the middle is gone", "DELETE FROM audit WHERE seq = 2", 2, 3},
        {"the first is gone", "DELETE FROM audit WHERE seq = 1", 2, 2},
        {"and the others have moved up", "DELETE FROM audit WHERE seq = 1; UPDATE audit SET seq = seq - 1", 2, 1},
        {"one is put in", "INSERT INTO audit SELECT 4, at, who, what, about, hash FROM audit WHERE seq = 3", 4, 4},
        {"one before the first, which nobody is shown",
         "INSERT INTO audit SELECT 0, at, who, what, about, hash FROM audit WHERE seq = 1", 3, 0},
        {"what belongs to one column is in the next",
         "UPDATE audit SET who = who || char(10) || what, what = '' WHERE seq = 1", 3, 1},
        {"nothing instead of a text", "UPDATE audit SET about = '' WHERE seq = 3", 3, 3},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct audit_verdict v;
        void *own = NULL;
        assert_int_equal(set_up(&own), 0);
        with_database(write_three, NULL);
        tamper(rows[i].sql);
        with_database(verify, &v);
        EXPECT(v.rows == rows[i].rows, rows[i].label);
        EXPECT(v.broken == rows[i].broken, rows[i].label);
        assert_int_equal(tear_down(&own), 0);
    }
}

static const char *expected;

static bool verify_expected(struct database *db, void *context, struct err *err)
{
    return database_audit_verify(db, expected, context, err);
}

/* What was taken from the end leaves a chain: who has kept the last hash misses it. */
static void the_end_is_missed_by_its_hash(void **state)
{
    struct audit_verdict before;
    struct audit_verdict v;
    (void)state;
    with_database(write_three, NULL);
    with_database(verify, &before);
    expected = before.head;
    with_database(verify_expected, &v);
    assert_true(v.found && v.broken == 0);
    with_database(write_three, NULL); /* one of before is found later, too */
    with_database(verify_expected, &v);
    assert_true(v.found && v.rows == 6);
    tamper("DELETE FROM audit WHERE seq > 2");
    with_database(verify_expected, &v);
    assert_true(!v.found && v.broken == 0 && v.rows == 2);
    expected = "";
    with_database(verify_expected, &v);
    assert_false(v.found);
}

/* A row behind the break is found by nobody: it may be a forgery with a hash of before. */
static void nothing_is_found_behind_a_break(void **state)
{
    struct audit_verdict before;
    struct audit_verdict v;
    (void)state;
    with_database(write_three, NULL);
    with_database(verify, &before);
    expected = before.head;
    tamper("UPDATE audit SET about = 'x' WHERE seq = 2");
    with_database(verify_expected, &v);
    assert_true(v.broken == 2 && !v.found);
}

/* ---- what is written ---- */

static bool write_hostile(struct database *db, void *context, struct err *err)
{
    char *about = context;
    return database_audit(db, about, "user_add", about, err);
}

struct seen {
    size_t count;
    char who[300], about[2000];
};

static void on_row(void *context, const struct audit_row *row)
{
    struct seen *s = context;
    s->count++;
    snprintf(s->who, sizeof(s->who), "%s", row->who);
    snprintf(s->about, sizeof(s->about), "%s", row->about);
    assert_int_equal(row->seq, s->count);
}

static bool read_all(struct database *db, void *context, struct err *err)
{
    return database_audit_rows(db, 0, 1000, on_row, context, err);
}

/* Line feeds would let one column speak for the next, and one line of a listing for another. */
static void hostile_texts_are_one_line_and_fit(void **state)
{
    static char longest[5000];
    struct seen s = {0};
    struct audit_verdict v;
    char all[128] = "";
    (void)state;
    for (int c = 1; c < 128; c++)
        all[c - 1] = (char)c;
    memset(longest, 'x', sizeof(longest) - 1);
    with_database(write_hostile, all);
    with_database(read_all, &s);
    assert_int_equal(s.count, 1);
    for (const char *p = s.about; *p; p++)
        assert_true(*p >= ' ' && *p != 0x7f);
    assert_int_equal(strlen(s.about), 127);
    with_database(write_hostile, (void *)(uintptr_t) "'); DROP TABLE audit; --");
    with_database(write_hostile, (void *)(uintptr_t) "");
    with_database(write_hostile, (void *)(uintptr_t) "\xff\xfe žába");
    with_database(write_hostile, longest);
    s = (struct seen){0};
    with_database(read_all, &s);
    assert_int_equal(s.count, 5);
    assert_true(strlen(s.who) == 127 && strlen(s.about) == 1023);
    with_database(verify, &v);
    assert_true(v.rows == 5 && v.broken == 0);
}

static bool page_of(struct database *db, void *context, struct err *err)
{
    const int64_t *from = context;
    struct seen s = {.count = (size_t)from[0]};
    bool ok = database_audit_rows(db, from[0], from[1], on_row, &s, err);
    assert_int_equal(s.count - (size_t)from[0], from[2]);
    return ok;
}

static void pages(void **state)
{
    static int64_t rows[][3] = {{0, 2, 2}, {2, 2, 1}, {3, 2, 0}, {0, 0, 0}, {0, INT64_MAX, 3}, {INT64_MAX - 4, 1, 0}};
    (void)state;
    with_database(write_three, NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        with_database(page_of, rows[i]);
}

/* ---- alerts ---- */

static bool alerted(struct database *db, void *context, struct err *err)
{
    int64_t seq = 0;
    (void)context;
    assert_true(database_audit_last(db, &seq, err) && seq == 0);
    assert_true(database_alerted(db, "mail", &seq, err) && seq == -1);
    assert_true(database_set_alerted(db, "mail", 7, err));
    assert_true(database_set_alerted(db, "mail", INT64_MAX, err));
    assert_true(database_set_alerted(db, "it's; --", 0, err));
    assert_true(database_alerted(db, "mail", &seq, err) && seq == INT64_MAX);
    assert_true(database_alerted(db, "it's; --", &seq, err) && seq == 0);
    assert_true(database_alerted(db, "webhook", &seq, err) && seq == -1);
    return write_three(db, NULL, err) && database_audit_last(db, &seq, err) && seq == 3;
}

static void how_far_each_way_of_telling_has_come(void **state)
{
    (void)state;
    with_database(alerted, NULL);
}

/* A change that fails takes its row along, and the next one has its number. */
static bool write_and_fail(struct database *db, void *context, struct err *err)
{
    return write_three(db, context, err) && err_set(err, ERR_USAGE, "not today");
}

static void what_is_undone_leaves_no_row(void **state)
{
    struct err err = {0};
    struct audit_verdict v;
    (void)state;
    assert_false(store_run_alone(place, write_and_fail, NULL, &err));
    assert_string_equal(err.text, "not today");
    with_database(write_three, NULL);
    with_database(verify, &v);
    assert_true(v.rows == 3 && v.broken == 0);
}

/* A fault while reading is one, and no chain that is whole. */
static bool verify_broken_table(struct database *db, void *context, struct err *err)
{
    struct audit_verdict *v = context;
    assert_false(database_audit_verify(db, NULL, v, err));
    assert_int_equal(err->kind, ERR_STORE);
    return true;
}

static void a_table_that_cannot_be_read_is_a_fault(void **state)
{
    struct audit_verdict v;
    (void)state;
    tamper("ALTER TABLE audit RENAME TO other");
    with_database(verify_broken_table, &v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_a_chain),
        TEST(the_tables_refuse_to_change_a_row),
        cmocka_unit_test(what_is_changed_is_found),
        TEST(the_end_is_missed_by_its_hash),
        TEST(nothing_is_found_behind_a_break),
        TEST(hostile_texts_are_one_line_and_fit),
        TEST(pages),
        TEST(how_far_each_way_of_telling_has_come),
        TEST(what_is_undone_leaves_no_row),
        TEST(a_table_that_cannot_be_read_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
