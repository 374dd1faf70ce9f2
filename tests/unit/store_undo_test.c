// SPDX-License-Identifier: BSD-2-Clause
/* store_undo_test.c - A change that fails half-way leaves nothing behind, in the rows or in memory,
 * and costs nothing that grows with the queue.
 */
#include "store_stage.h"

#include "db.h"
#include "ends.h"
#include "jobs.h"
#include "spool.h"

#include <sqlite3.h>
#include <stdlib.h>

enum { MANY = 100000, MESSAGE = 1000 };

/* Run inside the store's transaction, on its thread. */
static bool run(struct store *store, bool (*what)(struct database *, void *, struct err *),
                void *context)
{
    return run_change(store, what, context) == STORE_CHANGED;
}

static struct store_accept *make_job(struct store *store, struct waiter *w, const char *tenant,
                                     size_t size, uint64_t room)
{
    static struct throttle_settings off = {.mode = THROTTLE_OFF};
    struct store_accept *a = new_accept(w);
    a->mail = make_mail(store, 1);
    snprintf(a->mail->tenant, sizeof(a->mail->tenant), "%s", tenant);
    a->throttle = &off;
    a->room = (struct database_room){.all = room, .tenant = room};
    char *text = xcalloc(size + 1, 1);
    memset(text, 'x', size);
    buf_add(&a->body, span_of(text));
    free(text);
    return a;
}

/* The code of the refusal; 0: it was accepted. */
static int offer(struct store *store, const char *tenant, size_t size, uint64_t room)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = make_job(store, &w, tenant, size, room);
    store_put(store, &a->job);
    wait_for(&w);
    int code = a->refusal.code;
    assert_true(a->result == STORE_ACCEPTED || (a->result == STORE_OVER_QUOTA && code != 0));
    store_job_free(&a->job);
    return code;
}

/* MANY messages of a tenant, where the first one lies; none has a recipient that is due. */
static bool fill(struct database *db, void *context, struct err *err)
{
    static const char sql[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO message SELECT m.id - n.i, m.created, m.expires, 'many', m.credential,"
        " m.stream, m.class, m.sender, m.envelope_id, m.report, m.smtputf8, m.from_domain, m.helo,"
        " m.peer, m.protocol, m.header_utf8, m.body_8bit, m.dialogue, m.segment, m.offset, 1000, 0"
        " FROM message m, n";
    (void)context;
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ||
           err_set(err, ERR_STORE, "%s", sqlite3_errmsg(db->handle));
}

/* How many rows all statements together have gone through without an index. */
static bool count_steps(struct database *db, void *context, struct err *err)
{
    int64_t *steps = context;
    (void)err;
    *steps = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db->handle, NULL); s;
         s = sqlite3_next_stmt(db->handle, s))
        *steps += sqlite3_stmt_status(s, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
    return true;
}

static bool do_nothing(struct database *db, void *context, struct err *err)
{
    (void)db;
    (void)context;
    return err_set(err, ERR_NOT_FOUND, "no such thing");
}

/* Removes a message, which is more than it can do. */
static bool end_and_fail(struct database *db, void *context, struct err *err)
{
    int64_t id = *(int64_t *)context;
    struct rows *s = rows_prepare(db, SQL_QUEUE_SET);
    rows_int(s, 1, id);
    rows_int(s, 2, 0);
    rows_int(s, 3, MAIL_DONE);
    rows_int(s, 4, 0);
    if (!rows_run(db, s, err) || !rows_end(db, id, err))
        return false;
    rows_note_due(db, &(struct database_due){.message = id, .domain = "gone.test"});
    return err_set(err, ERR_STORE, "half-way");
}

static void what_a_failed_command_costs_does_not_grow_with_the_queue(void **state)
{
    const uint64_t room = (MANY + 4) * (uint64_t)MESSAGE;
    int64_t before = 0;
    int64_t after = 0;
    (void)state;
    struct store *store = start();
    accept(store, 1, "x\r\n");
    assert_true(run(store, fill, NULL));
    store_stop(store);
    store = start(); /* counted here */
    assert_int_equal(offer(store, "many", MESSAGE, room), 0);
    assert_true(run(store, count_steps, &before));
    for (int i = 0; i < 3; i++) {
        assert_false(run(store, do_nothing, NULL));
        assert_int_equal(offer(store, "many", MESSAGE, room), 0);
    }
    assert_true(run(store, count_steps, &after));
    assert_in_range(after - before, 0, 100);
    assert_int_equal(offer(store, "many", MESSAGE, room), 452); /* they are all known still */
    assert_int_equal(offer(store, "other", MESSAGE, room), 0);
    store_stop(store);
}

static void what_is_undone_is_undone_in_memory_too(void **state)
{
    enum { ROOM = 5 * MESSAGE };
    char text[4 * MESSAGE + 1] = "";
    struct err err = {0};
    struct database *db = NULL;
    struct mail *m = NULL;
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    struct store *store = start();
    int64_t id = accept(store, 1, text); /* alone in its segment, and of tenant "" */
    size_t told = due_count;
    assert_int_equal(offer(store, "", 2 * MESSAGE, ROOM), 452);
    for (int i = 0; i < 3; i++)
        assert_false(run(store, end_and_fail, &id));
    assert_int_equal(due_count, told);
    assert_int_equal(offer(store, "", 2 * MESSAGE, ROOM), 452);
    assert_int_equal(offer(store, "", MESSAGE, ROOM), 0);
    settle(store, id, 0, MAIL_WAITING); /* another batch: an empty segment would be unlinked */
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    assert_true(database_mail(db, id, &m, &err));
    struct spool_message message;
    assert_true(spool_open(place, id, &m->place, &message, &err));
    spool_close(&message);
    mail_free(m);
    database_close(db);
    settle(store, id, 0, MAIL_DONE);
    assert_int_equal(offer(store, "", 4 * MESSAGE, ROOM), 0);
    store_stop(store);
}

static void keep_use(void *context, const char *tenant,
                     const struct database_use use[DATABASE_COUNTED])
{
    (void)tenant;
    memcpy(context, use, DATABASE_COUNTED * sizeof(*use));
}

static int64_t in_the_rows(const char *tenant, enum database_share kind)
{
    struct err err = {0};
    struct database *db = NULL;
    struct database_use use[DATABASE_COUNTED];
    const struct database_room room = {0};
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    assert_true(database_uses(db, tenant, &room, keep_use, use, &err));
    database_close(db);
    return use[kind].bytes;
}

/* What the store's thread has counted. */
static bool look_at_waiting(struct database *db, void *context, struct err *err)
{
    (void)err;
    int64_t *bytes = context;
    for (int i = 0; i < 3; i++) {
        const char tenant[] = {(char)('a' + i), '\0'};
        bytes[i] = shares_find(&db->shares, tenant)->bytes[DATABASE_WAITING];
    }
    return true;
}

/* New mail, a change that fails, or an outcome. */
static struct store_job *make_any(struct store *store, struct waiter *w, unsigned *seed,
                                  int64_t *some)
{
    static const char *const tenants[] = {"a", "b", "c"};
    int kind = some ? rand_r(seed) % 4 : 0;
    if (kind < 2)
        return &make_job(store, w, tenants[rand_r(seed) % 3], (size_t)(rand_r(seed) % 3000) + 1,
                         INT64_MAX)
                    ->job;
    if (kind == 2)
        return &new_change(w, end_and_fail, some)->job;
    struct store_settle *s = new_settle(w);
    struct store_outcome *o = store_settle_add(s);
    *o = (struct store_outcome){.message = *some,
                                .state = MAIL_DONE,
                                .answer = verdict_make(250, "2.0.0", "OK"),
                                .kind = "delivered"};
    return &s->job;
}

/* Many kinds of work in random order, many of them in one batch and some of it undone: what is kept
 * in memory is what a count of the rows says. */
static void shares_are_what_the_rows_say(void **state)
{
    enum { ROUNDS = 200, BATCH = 12 };
    static const char *const tenants[] = {"a", "b", "c"};
    static int64_t ids[ROUNDS * BATCH];
    unsigned seed = 4711;
    size_t count = 0;
    (void)state;
    struct store *store = start();
    for (int round = 0; round < ROUNDS; round++) {
        struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, BATCH};
        struct store_job *jobs[BATCH];
        for (int i = 0; i < BATCH; i++)
            jobs[i] =
                make_any(store, &w, &seed, count > 0 ? &ids[(size_t)rand_r(&seed) % count] : NULL);
        for (int i = 0; i < BATCH; i++)
            store_put(store, jobs[i]);
        wait_for(&w);
        for (int i = 0; i < BATCH; i++) {
            const struct job *job = job_of(jobs[i]);
            if (job->kind == JOB_ACCEPT && job->as.accept.result == STORE_ACCEPTED)
                ids[count++] = job->as.accept.mail->id;
            store_job_free(jobs[i]);
        }
    }
    int64_t waiting[3];
    assert_true(run(store, look_at_waiting, waiting));
    for (size_t i = 0; i < COUNT_OF(tenants); i++) {
        uint64_t bytes = (uint64_t)in_the_rows(tenants[i], DATABASE_STORAGE);
        assert_true(waiting[i] > 0);
        assert_int_equal(in_the_rows(tenants[i], DATABASE_WAITING), waiting[i]);
        assert_true(bytes > 2 * MESSAGE);
        assert_int_equal(offer(store, tenants[i], MESSAGE, bytes + MESSAGE - 1), 452);
        assert_int_equal(offer(store, tenants[i], MESSAGE, bytes + MESSAGE), 0);
    }
    store_stop(store);
}

/* ---- what was only counted (promise C6) ---- */

static bool refuse_five(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    shares_refuse(&db->shares, DATABASE_EVENTS, "eve", 5, 1000, 900);
    return true;
}

static bool execute(struct database *db, void *sql, struct err *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ||
           err_set(err, ERR_STORE, "%s", sqlite3_errmsg(db->handle));
}

static bool add_up(struct database *db, void *context, struct err *err)
{
    int64_t *total = context;
    sqlite3_stmt *s = NULL;
    (void)err;
    assert_int_equal(sqlite3_prepare_v2(db->handle,
                                        "SELECT sum(CAST(substr(reply, instr(reply, ': ') + 2) AS "
                                        "INTEGER)) FROM event WHERE kind = 'share_used_up'",
                                        -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    *total = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return true;
}

/* The first five are told at once, the next ones only after a minute. */
static void what_was_only_counted_is_told_at_the_stop(void **state)
{
    int64_t total = 0;
    (void)state;
    struct store *store = start();
    for (int i = 0; i < 4; i++)
        assert_true(run(store, refuse_five, NULL));
    store_stop(store);
    store = start();
    assert_true(run(store, add_up, &total));
    assert_int_equal(total, 20);
    store_stop(store);
}

static void what_could_not_be_written_down_is_told_later(void **state)
{
    static char breaks[] =
        "CREATE TRIGGER broken BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'broken'); END";
    static char mends[] = "DROP TRIGGER broken";
    int64_t total = 0;
    (void)state;
    struct store *store = start();
    assert_true(run(store, execute, breaks));
    assert_true(run(store, refuse_five, NULL));
    assert_true(run(store, do_nothing, NULL) == false); /* after the housekeeping that failed */
    assert_true(run(store, execute, mends));
    store_stop(store);
    store = start();
    assert_true(run(store, add_up, &total));
    assert_int_equal(total, 5);
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_failed_command_costs_does_not_grow_with_the_queue,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_undone_is_undone_in_memory_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares_are_what_the_rows_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_only_counted_is_told_at_the_stop, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_could_not_be_written_down_is_told_later, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
