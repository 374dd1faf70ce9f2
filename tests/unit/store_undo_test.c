// SPDX-License-Identifier: BSD-2-Clause
/* store_undo_test.c - A change that fails half-way leaves nothing behind, in the rows or in memory,
 * and costs nothing that grows with the queue.
 */
#include "store_stage.h"

#include "db.h"
#include "ends.h"
#include "spool.h"

#include <stdlib.h>

enum { MANY = 100000, MESSAGE = 1000 };

/* Run inside the store's transaction, on its thread. */
static bool run(struct store *store, bool (*what)(struct database *, void *, struct err *),
                void *context)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_job *job = store_job_new(on_answer, &w);
    job->run = what;
    job->context = context;
    store_put(store, job);
    wait_for(&w);
    bool ok = job->ok;
    store_job_free(job);
    return ok;
}

static struct store_job *make_job(struct store *store, struct waiter *w, const char *tenant,
                                  size_t size, uint64_t room)
{
    static struct throttle_settings off = {.mode = THROTTLE_OFF};
    struct store_job *job = store_job_new(on_answer, w);
    job->mail = make_mail(store, 1);
    snprintf(job->mail->tenant, sizeof(job->mail->tenant), "%s", tenant);
    job->throttle = &off;
    job->room = (struct database_room){room, room};
    char *text = xcalloc(size + 1, 1);
    memset(text, 'x', size);
    buf_add(&job->body, span_of(text));
    free(text);
    return job;
}

/* The code of the refusal; 0: it was accepted. */
static int offer(struct store *store, const char *tenant, size_t size, uint64_t room)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_job *job = make_job(store, &w, tenant, size, room);
    store_put(store, job);
    wait_for(&w);
    int code = job->refusal.code;
    assert_true(job->ok || code != 0);
    store_job_free(job);
    return code;
}

/* MANY messages of a tenant, where the first one lies; none has a recipient that is due. */
static bool fill(struct database *db, void *context, struct err *err)
{
    static const char sql[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
        " INSERT INTO message SELECT m.id - n.i, m.created, m.expires, 'many', m.credential,"
        " m.stream, m.class, m.sender, m.envelope_id, m.report, m.smtputf8, m.from_domain, m.helo,"
        " m.peer, m.protocol, m.header_utf8, m.body_8bit, m.dialogue, m.segment, m.offset, 1000"
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
    sqlite3_stmt *s = rows_prepare(db, SQL_QUEUE_SET);
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

static int64_t in_the_rows(const char *tenant)
{
    struct err err = {0};
    struct database *db = NULL;
    int64_t bytes = 0;
    uint64_t limit = 0;
    const struct database_room room = {0};
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    assert_true(database_stored(db, tenant, &room, &bytes, &limit, &err));
    database_close(db);
    return bytes;
}

/* New mail, a change that fails, or an outcome. */
static struct store_job *make_any(struct store *store, struct waiter *w, unsigned *seed,
                                  int64_t *some)
{
    static const char *const tenants[] = {"a", "b", "c"};
    int kind = some ? rand_r(seed) % 4 : 0;
    if (kind < 2)
        return make_job(store, w, tenants[rand_r(seed) % 3], (size_t)(rand_r(seed) % 3000) + 1,
                        INT64_MAX);
    struct store_job *job = store_job_new(on_answer, w);
    if (kind == 2) {
        job->run = end_and_fail;
        job->context = some;
        return job;
    }
    struct store_outcome *o = store_job_add_outcome(job);
    *o = (struct store_outcome){.message = *some,
                                .state = MAIL_DONE,
                                .answer = verdict_make(250, "2.0.0", "OK"),
                                .kind = "delivered"};
    return job;
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
            if (jobs[i]->mail && jobs[i]->ok)
                ids[count++] = jobs[i]->mail->id;
            store_job_free(jobs[i]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(tenants); i++) {
        uint64_t bytes = (uint64_t)in_the_rows(tenants[i]);
        assert_true(bytes > 2 * MESSAGE);
        assert_int_equal(offer(store, tenants[i], MESSAGE, bytes + MESSAGE - 1), 452);
        assert_int_equal(offer(store, tenants[i], MESSAGE, bytes + MESSAGE), 0);
    }
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_failed_command_costs_does_not_grow_with_the_queue,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_undone_is_undone_in_memory_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares_are_what_the_rows_say, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
