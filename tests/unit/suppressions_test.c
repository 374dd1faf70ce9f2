// SPDX-License-Identifier: BSD-2-Clause
/* suppressions_test.c - The suppression list in a store: which address an entry holds for, how
 * answers on several days add up, how entries end, and what an older store brings along. */
#include "table.h"

#include "db.h"
#include "last_answers.h"
#include "store.h"
#include "suppress_brake.h"
#include "suppressions.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { AT_NOON = 12 };

static char place[64];
static const int64_t hour_ms = INT64_C(3600) * 1000;
static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

static int set_up(void **state)
{
    struct err err = {0};
    char template[] = "/tmp/sealpost-suppress-XXXXXX";
    (void)state;
    snprintf(place, sizeof(place), "%s/state", mkdtemp(template));
    return store_create(place, &err) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    char root[64];
    (void)state;
    snprintf(root, sizeof(root), "%.*s", (int)(strlen(place) - strlen("/state")), place);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool kept_back(struct database *db, const char *address, enum stream_class class,
                      int64_t now_ms)
{
    struct err err = {0};
    struct suppress_entry entry;
    struct mail *m = mail_new();
    snprintf(m->tenant, sizeof(m->tenant), "t");
    m->class = class;
    bool is = database_suppressed(db, m, address, now_ms, &entry, &err);
    assert_int_equal(err.kind, ERR_NONE);
    mail_free(m);
    return is;
}

static void answer_for(struct database *db, const char *address, unsigned needed, int64_t now_ms,
                       int64_t expires_ms)
{
    bool first = false;
    struct err err = {0};
    struct suppress_entry e = {.reason = SUPPRESS_BOUNCE,
                               .needed = needed,
                               .created_ms = now_ms,
                               .expires_ms = expires_ms,
                               .tenant = "t",
                               .source = "mx.test"};
    snprintf(e.address, sizeof(e.address), "%s", address);
    assert_true(database_suppress_answer(db, &e, now_ms, &first, &err));
}

static void answer(struct database *db, const char *address, int64_t now_ms, int64_t expires_ms)
{
    answer_for(db, address, 1, now_ms, expires_ms);
}

/* The first answer holds back what can wait; another day's, everything; and after its time nothing
 * is left of either. */
static bool over_days(struct database *db, void *context, struct err *err)
{
    int64_t first = 20000 * day_ms + AT_NOON * hour_ms;
    int64_t ends = first + 90 * day_ms;
    (void)context;
    (void)err;
    answer(db, "Bob@corp.test", first, ends);
    assert_true(kept_back(db, "bob@CORP.test", STREAM_CONFIRMATION, first));
    assert_false(kept_back(db, "bob@corp.test", STREAM_SECURITY, first));
    assert_false(kept_back(db, "bob+x@corp.test", STREAM_DIGEST, first));
    answer(db, "bob@corp.test", first + hour_ms, ends + hour_ms);
    assert_false(kept_back(db, "bob@corp.test", STREAM_SECURITY, first + hour_ms));
    answer(db, "bob+x@corp.test", first + day_ms, ends + day_ms); /* somebody else, for all we know */
    assert_false(kept_back(db, "bob@corp.test", STREAM_SECURITY, first + day_ms));
    answer(db, "bob@corp.test", first + day_ms, ends + day_ms);
    assert_true(kept_back(db, "bob@corp.test", STREAM_SECURITY, first + day_ms));
    assert_true(kept_back(db, "bob@corp.test", STREAM_DIGEST, ends + hour_ms)); /* it was extended */
    assert_false(kept_back(db, "bob@corp.test", STREAM_DIGEST, ends + day_ms));
    answer(db, "bob@corp.test", ends + 2 * day_ms, ends + 92 * day_ms); /* and begins anew */
    assert_true(kept_back(db, "bob@corp.test", STREAM_CONFIRMATION, ends + 2 * day_ms));
    assert_false(kept_back(db, "bob@corp.test", STREAM_SECURITY, ends + 2 * day_ms));
    return true;
}

static void count_one(void *context, const struct suppress_entry *e)
{
    (void)e;
    ++*(int *)context;
}

static int listed(struct database *db, const char *address)
{
    struct err err = {0};
    int count = 0;
    struct suppressions_filter f = {.address = address, .reason = -1};
    assert_true(database_suppressions(db, &f, 10, count_one, &count, &err));
    return count;
}

/* A mailbox that is only disabled: nothing until another day has said so, too, or somebody who knows better. */
static bool on_two_days(struct database *db, void *context, struct err *err)
{
    int64_t first = 20000 * day_ms + AT_NOON * hour_ms;
    int64_t ends = first + 90 * day_ms;
    bool changed = false;
    (void)context;
    answer_for(db, "off@corp.test", 2, first, ends);
    answer_for(db, "off@corp.test", 2, first + hour_ms, ends);
    assert_false(kept_back(db, "off@corp.test", STREAM_DIGEST, first + hour_ms));
    assert_int_equal(listed(db, "off@corp.test"), 0);
    answer_for(db, "off@corp.test", 2, first + day_ms, ends);
    assert_true(kept_back(db, "off@corp.test", STREAM_DIGEST, first + day_ms));
    assert_int_equal(listed(db, "off@corp.test"), 1);
    answer_for(db, "gone@corp.test", 2, first, ends);
    answer_for(db, "gone@corp.test", 1, first + hour_ms, ends); /* the surer word counts at once */
    assert_true(kept_back(db, "gone@corp.test", STREAM_DIGEST, first + hour_ms));
    answer_for(db, "gone@corp.test", 2, first + 2 * hour_ms, ends);
    assert_true(kept_back(db, "gone@corp.test", STREAM_DIGEST, first + 2 * hour_ms));
    answer_for(db, "told@corp.test", 2, first, ends);
    struct suppress_entry e = {
        .reason = SUPPRESS_BOUNCE, .created_ms = first, .tenant = "t", .address = "told@corp.test"};
    assert_true(database_suppress(db, &e, first, &changed, err) && changed);
    assert_true(kept_back(db, "told@corp.test", STREAM_DIGEST, first));
    assert_true(kept_back(db, "told@corp.test", STREAM_DIGEST, ends + day_ms)); /* as was said: for ever */
    assert_true(database_suppress(db, &e, first, &changed, err) && !changed);
    answer_for(db, "over@corp.test", 2, first, first + hour_ms);
    snprintf(e.address, sizeof(e.address), "over@corp.test");
    e.expires_ms = ends;
    assert_true(database_suppress(db, &e, first + day_ms, &changed, err) && changed);
    assert_true(kept_back(db, "over@corp.test", STREAM_DIGEST, first + 2 * day_ms));
    answer_for(db, "late@corp.test", 2, first, first + hour_ms); /* what has ended counts no more */
    answer_for(db, "late@corp.test", 2, first + day_ms, ends);
    assert_false(kept_back(db, "late@corp.test", STREAM_DIGEST, first + day_ms));
    return true;
}

/* The kind: what is run once more, as its transaction was undone, is counted twice. What was counted before it stays. */
static bool undone(struct database *db, void *context, struct err *err)
{
    struct rows_mark mark;
    (void)context;
    for (int counts = 0; counts < 2; counts++) {
        db->brake = suppress_brake_new();
        db->brake_answers = 1;
        assert_true(rows_savepoint(db, &mark, err));
        db->brake_answers += (size_t)counts;
        assert_true(rows_undo(db, &mark, err));
        assert_true((db->brake == NULL) == (counts > 0) && db->brake_answers == 1);
        suppress_brake_free(db->brake);
        db->brake = NULL;
    }
    return true;
}

static void a_brake_forgets_what_is_undone(void **state)
{
    struct err err = {0};
    (void)state;
    assert_true(store_run_alone(place, undone, NULL, &err));
}

static bool is_listed(struct database *db, const char *tenant, const char *address, int64_t now_ms, struct err *err)
{
    bool was = false;
    assert_true(database_was_answered_today(db, tenant, address, now_ms, &was, err));
    return was;
}

/* Says `count` times of "NAME0@far.test", "NAME1@far.test" … that there is no such mailbox, or (NULL) that all is well. */
static void answers(struct database *db, const char *tenant, const char *name, unsigned count, bool returned, int64_t now_ms, struct err *err)
{
    for (unsigned i = 0; i < count; i++) {
        char address[64];
        snprintf(address, sizeof(address), "%s%u@far.test", name ? name : "well", i);
        const struct last_answer a = {.tenant = tenant, .address = address, .site = "far.test", .source = "mx.far.test", .needed = 1,
                                      .suppress_ms = name ? 30 * day_ms : 0, .returned = returned};
        assert_true(last_answers_heed(db, &a, now_ms, err));
    }
}

/* Whoever has got mail can say that it came back: that takes nothing off the list, and stops no refusal and no other tenant. */
static bool apart(struct database *db, void *context, struct err *err)
{
    static const char *const tenants[] = {"eve", "bob", "carl"};
    int64_t now_ms = 1000 * day_ms + AT_NOON * hour_ms;
    (void)context;
    for (size_t i = 0; i < COUNT_OF(tenants); i++) {
        answers(db, tenants[i], NULL, 100, false, now_ms, err);
        answers(db, tenants[i], "refused", 2, false, now_ms, err);
        for (unsigned k = 0; k < 30; k++) /* one recipient counts once a day */
            answers(db, tenants[i], "again", 1, true, now_ms + k, err);
        answers(db, tenants[i], "back", 30, true, now_ms, err);
        for (unsigned k = 0; k < 30; k++) {
            char address[64];
            snprintf(address, sizeof(address), "back%u@far.test", k);
            assert_int_equal(is_listed(db, tenants[i], address, now_ms, err), k < 18); /* 19 with the one before */
        }
        assert_true(is_listed(db, tenants[i], "refused0@far.test", now_ms, err));
        answers(db, tenants[i], "later", 2, false, now_ms, err);
        assert_true(is_listed(db, tenants[i], "later1@far.test", now_ms, err));
    }
    answers(db, "eve", "accident", 30, false, now_ms, err); /* while refusals are held back, so is what comes back */
    answers(db, "eve", "late", 1, true, now_ms + hour_ms / 12, err);
    assert_false(is_listed(db, "eve", "late0@far.test", now_ms, err));
    assert_true(is_listed(db, "eve", "back0@far.test", now_ms, err));
    return true;
}

static void what_comes_back_counts_apart(void **state)
{
    struct err err = {0};
    (void)state;
    assert_true(store_run_alone(place, apart, NULL, &err));
}

static void what_must_be_said_twice(void **state)
{
    struct err err = {0};
    (void)state;
    assert_true(store_run_alone(place, on_two_days, NULL, &err));
}

static void answers_on_several_days(void **state)
{
    struct err err = {0};
    (void)state;
    assert_true(store_run_alone(place, over_days, NULL, &err));
}

/* One that holds for every spelling is found, listed and removed by each. */
static bool every_spelling(struct database *db, void *context, struct err *err)
{
    struct suppress_entry e = {.reason = SUPPRESS_FLOOD,
                               .every_spelling = true,
                               .created_ms = 1,
                               .address = "j.Doe+1@gmail.com"};
    struct suppressions_filter f = {.address = "JDOE@googlemail.com", .reason = -1};
    bool changed = false;
    int64_t removed = 0;
    (void)context;
    assert_true(database_suppress(db, &e, 1, &changed, err) && changed);
    assert_true(kept_back(db, "j.d.o.e+other@gmail.com", STREAM_CONFIRMATION, 2));
    assert_false(kept_back(db, "jane@gmail.com", STREAM_CONFIRMATION, 2));
    assert_true(database_unsuppress(db, &f, "test", 2, &removed, err));
    assert_int_equal(removed, 1);
    assert_false(kept_back(db, "j.doe+1@gmail.com", STREAM_CONFIRMATION, 2));
    return true;
}

static void a_stop_of_all_mail(void **state)
{
    struct err err = {0};
    (void)state;
    assert_true(store_run_alone(place, every_spelling, NULL, &err));
}

/* What a store of version 6 holds: everything in the form that counts. */
static const char older[] =
    "ALTER TABLE suppression DROP COLUMN every_spelling; ALTER TABLE suppression DROP COLUMN answers;"
    "ALTER TABLE suppression DROP COLUMN answered; ALTER TABLE once DROP COLUMN content;"
    "DROP TABLE return_path; DROP TABLE speed; DROP TABLE pause; DROP TABLE report; DROP TABLE rest; ALTER TABLE recipient DROP COLUMN report;"
    "DROP TABLE sent; DROP TABLE event_of; DROP TABLE indexed;"
    "DROP TABLE sts_policy; "
    "DROP TABLE tlsrpt; DROP TABLE tlsrpt_policy; DROP TABLE tlsrpt_report; DROP TABLE tlsrpt_share; DROP TABLE tlsrpt_place;"
    "ALTER TABLE event DROP COLUMN first_time; ALTER TABLE event DROP COLUMN tls_policy;"
    "ALTER TABLE event DROP COLUMN tls_result; ALTER TABLE event DROP COLUMN tlsa;"
    "ALTER TABLE event DROP COLUMN category; ALTER TABLE event DROP COLUMN rule; ALTER TABLE event DROP COLUMN source; ALTER TABLE suppression DROP COLUMN needed;"
    "ALTER TABLE recipient DROP COLUMN category;"
    "ALTER TABLE message DROP COLUMN tls_need; DROP TABLE webhook; DROP TABLE outbox; ALTER TABLE recipient DROP COLUMN delays;"
    "CREATE INDEX event_message ON event(message);"
    "PRAGMA user_version = 6;"
    "INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote)"
    " VALUES(1000, 'bounced', 1, 'Bob+gone@corp.test', 550, '5.1.1', '', 'mx');"
    "INSERT INTO suppression(address, tenant, stream, reason, source, created, expires) VALUES"
    " ('bob@corp.test', 't', '', 1, 'mx', 1000, 0), ('amy@corp.test', 't', '', 1, 'mx', 900, 0),"
    " ('eve@corp.test', 't', '', 0, 'page', 900, 0), ('jdoe@gmail.com', 't', '', 3, 'command', 1, 0);";

static bool of_before(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    assert_true(kept_back(db, "bob+gone@corp.test", STREAM_CONFIRMATION, 2000)); /* its event told */
    assert_false(kept_back(db, "bob@corp.test", STREAM_DIGEST, 2000));
    assert_true(kept_back(db, "amy@corp.test", STREAM_CONFIRMATION, 2000)); /* nobody knows better */
    assert_false(kept_back(db, "amy@corp.test", STREAM_SECURITY, 2000));
    assert_false(kept_back(db, "amy@corp.test", STREAM_DIGEST, 91 * day_ms));
    assert_true(kept_back(db, "eve+news@corp.test", STREAM_DIGEST, 2000)); /* as it was asked for */
    assert_true(kept_back(db, "j.doe@gmail.com", STREAM_SECURITY, 91 * day_ms));
    return true;
}

static void what_an_older_store_brings(void **state)
{
    struct err err = {0};
    char path[128];
    struct database *db = NULL;
    sqlite3 *handle = NULL;
    (void)state;
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, older, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    assert_true(database_open(place, DATABASE_SERVE, &db, &err)); /* as the relay does at its start */
    database_close(db);
    assert_true(store_run_alone(place, of_before, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_on_several_days, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_must_be_said_twice, set_up, tear_down), cmocka_unit_test_setup_teardown(a_brake_forgets_what_is_undone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_back_counts_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_of_all_mail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_an_older_store_brings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
