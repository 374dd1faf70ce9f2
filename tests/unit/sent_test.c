// SPDX-License-Identifier: BSD-2-Clause
/* sent_test.c - What recipients have had: a store of an earlier release counts on, and after a crash
 * anywhere nothing is lost, nothing is counted twice, and each event is found by its message.
 */
#include "store_stage.h"

#include "clock.h"
#include "db.h"
#include "queued.h"
#include "secret.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

static struct throttle_settings throttle;

/* As a session makes it, with all that is decided about a recipient. */
static enum store_accept_result take(struct store *store, const char *recipient, const char *once,
                                     bool has_fingerprint, int64_t *id_r)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = new_accept(&w);
    a->mail = make_mail(store, 0);
    snprintf(a->mail->tenant, sizeof(a->mail->tenant), "default");
    envelope_add(&a->mail->envelope, span_of(recipient), "dest.test", SPAN_NONE, 0);
    a->throttle = &throttle;
    a->has_fingerprint = has_fingerprint;
    a->room = (struct database_room){.all = INT64_MAX};
    a->once = once ? xstrdup(once) : NULL;
    buf_add(&a->body, SPAN("Subject: x\r\n\r\nbody\r\n"));
    *id_r = a->mail->id;
    store_put(store, &a->job);
    wait_for(&w);
    enum store_accept_result result = a->result;
    store_job_free(&a->job);
    return result;
}

static sqlite3 *open_file(const char *name)
{
    char path[128];
    sqlite3 *handle = NULL;
    snprintf(path, sizeof(path), "%s/%s", place, name);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    return handle;
}

static int64_t number(sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(handle, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

/* ---- a store of version 9 ---- */

/* Rows were named by a MAC of the whole text. */
static void add_older(sqlite3 *handle, const char *sql, const char *text, size_t len, int64_t a,
                      int64_t b)
{
    sqlite3_stmt *s = NULL;
    unsigned char mac[16];
    unsigned char key[32];
    assert_int_equal(sqlite3_prepare_v2(handle,
                                        "SELECT value FROM instance WHERE name = 'rate_key'", -1,
                                        &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    memcpy(key, sqlite3_column_blob(s, 0), sizeof(key));
    sqlite3_finalize(s);
    secret_mac((struct span){(const char *)key, sizeof(key)}, (struct span){text, len}, mac);
    int64_t fingerprint = 0;
    memcpy(&fingerprint, mac, sizeof(fingerprint));
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &s, NULL), SQLITE_OK);
    sqlite3_bind_blob(s, 1, mac, sizeof(mac), SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, a);
    sqlite3_bind_int64(s, 3, b);
    sqlite3_bind_int64(s, 4, fingerprint);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    sqlite3_finalize(s);
}

static void add_older_text(sqlite3 *handle, const char *sql, const char *text, int64_t a, int64_t b)
{
    add_older(handle, sql, text, strlen(text), a, b);
}

static bool look_at_bucket(struct database *db, void *context, struct err *err)
{
    struct address whom;
    assert_true(address_parse(SPAN("old@dest.test"), &whom));
    return database_buckets(db, "default", &whom, STREAM_NOTIFICATION, NULL, context, err);
}

static const char add_waiting[] =
    "INSERT INTO recipient(message, number, address, domain, original, notify, state, tries, due,"
    " delay_told, code, enhanced, reply, remote, fingerprint)"
    " VALUES(?2, 0, 'alike@dest.test', 'dest.test', '', 0, 0, 0, ?3, 0, 0, '', '', '', ?4)";

static void make_older(int64_t now_ms, int64_t today)
{
    static const char alike[] = "alike\ndefault\nalike@dest.test\n";
    char text[sizeof(alike) - 1 + FINGERPRINT_BYTES] = {0};
    char once[200];
    sqlite3 *handle = open_file("state.db");
    add_older_text(handle, "INSERT INTO rate(key, tat, day) VALUES(?1, ?2, ?3)",
                   "recipient\n\n\nold@dest.test", now_ms + 50000, now_ms + 70000);
    add_older_text(handle, "INSERT INTO known(key, day) VALUES(?1, ?2)",
                   "known\ndefault\nold@dest.test", today, 0);
    int len = snprintf(once, sizeof(once), "once\ndefault\nonce@dest.test\n<1@club.test>\n");
    memset(once + len, 0, CONTENT_BYTES);
    add_older(handle, "INSERT INTO once(key, message, at) VALUES(?1, ?2, ?3)", once,
              (size_t)len + CONTENT_BYTES, 77, now_ms - 1000);
    memcpy(text, alike, sizeof(alike) - 1);
    char *insert = sqlite3_mprintf(
        "INSERT INTO message VALUES(9, %lld, %lld, 'default', '', '', %d, 'a@club.test', '', 0, 0,"
        " 'club.test', '', '', '', 0, 0, 0, 1, 0, 10, 0)",
        (long long)now_ms, (long long)now_ms + 1000000, STREAM_NOTIFICATION);
    assert_int_equal(sqlite3_exec(handle, insert, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_free(insert);
    add_older(handle, add_waiting, text, sizeof(text), 9, now_ms + 500000);
    sqlite3_close(handle);
}

static void a_store_of_before_counts_on(void **state)
{
    struct throttle_bucket buckets[THROTTLE_BUCKETS] = {0};
    int64_t now_ms = clock_now_ms();
    int64_t id = 0;
    (void)state;
    throttle_defaults(&throttle);
    make_older(now_ms, throttle_day(now_ms));
    struct store *store = start();
    run_change(store, look_at_bucket, buckets);
    assert_int_equal(buckets[THROTTLE_RECIPIENT].tat_ms, now_ms + 50000);
    assert_int_equal(buckets[THROTTLE_RECIPIENT].day_ms, now_ms + 70000);
    assert_int_equal(take(store, "once@dest.test", "<1@club.test>", false, &id), STORE_DUPLICATE);
    assert_int_equal(take(store, "once@dest.test", "<2@club.test>", false, &id), STORE_ACCEPTED);
    assert_int_equal(take(store, "alike@dest.test", NULL, true, &id), STORE_DUPLICATE);
    assert_int_equal(take(store, "old@dest.test", NULL, false, &id), STORE_ACCEPTED);
    assert_int_equal(take(store, "new@dest.test", NULL, false, &id), STORE_ACCEPTED);
    run_change(store, look_at_bucket, buckets);
    assert_true(buckets[THROTTLE_RECIPIENT].tat_ms > now_ms + 50000);
    store_stop(store);
    sqlite3 *handle = open_file("state.db");
    assert_int_equal(number(handle, "SELECT sum(count) FROM newcomers"), 2); /* once@ and new@ */
    sqlite3_close(handle);
}

/* ---- a crash ---- */

enum { WAL_HEADER = 32, FRAME_HEADER = 24, MESSAGES = 150 };

static char *read_file(const char *name, size_t *len_r)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", place, name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char *bytes = xcalloc(8 << 20, 1);
    *len_r = fread(bytes, 1, 8 << 20, f);
    assert_int_equal(fclose(f), 0);
    return bytes;
}

static void write_file(const char *name, const char *bytes, size_t len)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", place, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* What holds in each state that a crash can leave. */
static void check_crashed(size_t frames, int64_t *indexed_r)
{
    static const struct {
        const char *label, *sql;
    } faults[] = {
        {"each event is on exactly one side",
         "SELECT count(*) FROM event e, indexed WHERE message <> 0 AND (id > up_to) = EXISTS("
         "SELECT 1 FROM event_of o WHERE o.message = e.message AND o.event = e.id)"},
        {"the index has no event that is not there",
         "SELECT count(*) FROM event_of o WHERE NOT EXISTS(SELECT 1 FROM event e WHERE e.id = "
         "o.event "
         "AND e.message = o.message)"},
        {"each message has its event, and no other has one",
         "SELECT (SELECT count(*) FROM message) <> (SELECT count(DISTINCT message) FROM event)"},
        {"each first-time recipient is counted once",
         "SELECT (SELECT count(*) FROM message) <> (SELECT coalesce(sum(count), 0) FROM newcomers) "
         "+"
         " (SELECT count(*) FROM event, indexed WHERE id > up_to AND first_time = 'default')"},
        {"each message is remembered",
         "SELECT count(*) FROM message WHERE id NOT IN (SELECT message FROM sent)"},
        {"nothing is remembered of a message that is not there",
         "SELECT count(*) FROM sent WHERE message NOT IN (SELECT id FROM message UNION SELECT 0)"},
    };
    sqlite3 *handle = open_file("crashed.db");
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (number(handle, faults[i].sql) != 0)
            fail_msg("with %zu frames: %s", frames, faults[i].label);
    *indexed_r = number(handle, "SELECT up_to FROM indexed");
    sqlite3_close(handle);
}

static void whatever_a_crash_leaves_is_whole(void **state)
{
    char once[40];
    char recipient[40];
    size_t len = 0;
    size_t wal_len = 0;
    int64_t id = 0;
    int64_t indexed = 0;
    int64_t last = 0;
    int moves = 0;
    (void)state;
    throttle_defaults(&throttle);
    throttle.first_time.per_day = 100000;
    struct store *store = start();
    sqlite3 *reader = open_file("state.db"); /* so that the log is not brought home */
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM indexed", NULL, NULL, NULL), SQLITE_OK);
    char *main_file = read_file("state.db", &len);
    for (unsigned i = 0; i < MESSAGES; i++) {
        snprintf(once, sizeof(once), "<%u@club.test>", i);
        snprintf(recipient, sizeof(recipient), "member%u@dest.test", i);
        assert_int_equal(take(store, recipient, once, true, &id), STORE_ACCEPTED);
        settle(store, id, 0, MAIL_WAITING);
    }
    char *wal = read_file("state.db-wal", &wal_len);
    sqlite3_close(reader);
    store_stop(store);
    size_t frame = FRAME_HEADER + ((size_t)(unsigned char)wal[10] << 8);
    size_t frames = (wal_len - WAL_HEADER) / frame;
    assert_true(frames > MESSAGES);
    for (size_t i = 0; i <= frames; i++) {
        if (i % 5 != 0 &&
            i + 400 < frames) /* all of the end, where events are put into the index */
            continue;
        write_file("crashed.db", main_file, len);
        write_file("crashed.db-wal", wal, WAL_HEADER + i * frame + (i < frames ? frame / 2 : 0));
        last = indexed;
        check_crashed(i, &indexed);
        moves += indexed != last;
    }
    assert_true(moves > 0);
    free(main_file);
    free(wal);
}

/* ---- the same again and again ---- */

static void what_was_said_often_is_remembered_once(void **state)
{
    int64_t id = 0;
    (void)state;
    throttle_defaults(&throttle);
    throttle.tenant.every_ms = throttle.recipient.every_ms = 0;
    throttle.tenant.per_day = throttle.recipient.per_day = 0;
    throttle.classes[STREAM_NOTIFICATION] = (struct throttle_limit){0};
    struct store *store = start();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(take(store, "b@dest.test", NULL, true, &id), STORE_ACCEPTED);
        settle(store, id, 0, MAIL_DONE);
    }
    assert_int_equal(take(store, "b@dest.test", NULL, true, &id), STORE_ACCEPTED);
    int64_t other = 0;
    assert_int_equal(take(store, "b@dest.test", NULL, true, &other), STORE_DUPLICATE);
    store_stop(store);
    sqlite3 *handle = open_file("state.db");
    assert_int_equal(number(handle, "SELECT count(*) FROM sent WHERE message <> 0"), 1);
    assert_int_equal(number(handle, "SELECT max(message) FROM sent"), id);
    sqlite3_close(handle);
}

/* ---- the index by message ---- */

static void count_event(void *context, const struct database_event *event)
{
    (void)event;
    (*(int *)context)++;
}

struct asked {
    int64_t first, last;
    int found_first, found_last, found_by_id;
};

static bool ask(struct database *db, void *context, struct err *err)
{
    struct asked *a = context;
    char id[40];
    struct database_search q = {.message_id = id, .until_ms = INT64_MAX, .limit = 1000};
    snprintf(id, sizeof(id), "<none@club.test>");
    return database_trace(db, a->first, count_event, &a->found_first, err) &&
           database_trace(db, a->last, count_event, &a->found_last, err) &&
           database_search_events(db, &q, count_event, &a->found_by_id, err);
}

static void every_story_is_whole_at_any_time(void **state)
{
    struct asked a = {0};
    (void)state;
    throttle_defaults(&throttle);
    throttle.mode = THROTTLE_OFF;
    struct store *store = start();
    assert_int_equal(take(store, "b@dest.test", NULL, false, &a.first), STORE_ACCEPTED);
    for (int i = 1; i <= 400; i++) {
        settle(store, a.first, 0, MAIL_WAITING);
        if (i % 40 != 0)
            continue;
        assert_int_equal(take(store, "b@dest.test", NULL, false, &a.last), STORE_ACCEPTED);
        a.found_first = a.found_last = 0;
        run_change(store, ask, &a);
        assert_int_equal(a.found_first, 1 + i);
        assert_int_equal(a.found_last, 1);
        assert_int_equal(a.found_by_id, 0);
    }
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_of_before_counts_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whatever_a_crash_leaves_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_said_often_is_remembered_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_story_is_whole_at_any_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
