// SPDX-License-Identifier: BSD-2-Clause
/* store_isolation_test.c - What the database does not take, for what it is, harms nobody else's
 * mail: neither what is in the same batch, nor what comes later.
 */
#include "store_stage.h"

#include "accounts.h"

#include <semaphore.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT = 6, BAD = 3 };

/* "bad@" breaks a rule of the tables, when it is accepted or when it is settled. */
static void forbid(const char *trigger)
{
    char path[128];
    sqlite3 *raw = NULL;
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, trigger, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(raw);
}

static sem_t gate, at_gate;

static bool wait_at_gate(struct database *db, void *context, struct err *err)
{
    (void)db;
    (void)context;
    (void)err;
    sem_post(&at_gate);
    sem_wait(&gate);
    return true;
}

/* The thread is busy until all of them are there: they are one batch. */
static void put_together(struct store *store, struct store_job **jobs, size_t count,
                         struct waiter *w)
{
    struct waiter own = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_change *keeper = new_change(&own, wait_at_gate, NULL);
    sem_init(&gate, 0, 0);
    sem_init(&at_gate, 0, 0);
    store_put(store, &keeper->job);
    sem_wait(&at_gate); /* not in their batch */
    for (size_t i = 0; i < count; i++)
        store_put(store, jobs[i]);
    sem_post(&gate);
    wait_for(&own);
    store_job_free(&keeper->job);
    wait_for(w);
}

static struct store_job *make_job(struct store *store, struct waiter *w, const char *address)
{
    static struct throttle_settings throttle;
    struct store_accept *a = new_accept(w);
    throttle_defaults(&throttle);
    a->mail = make_mail(store, 0);
    envelope_add(&a->mail->envelope, span_of(address), "dest.test", SPAN_NONE, 0);
    a->throttle = &throttle;
    a->once = xstrdup("<1@club.test>");
    buf_add(&a->body, SPAN("Subject: x\r\n\r\nbody\r\n"));
    return &a->job;
}

static const struct store_accept *accept_of(struct store_job *job)
{
    return OWNER_OF(job, struct store_accept, job);
}

static enum store_settle_result settled(struct store_job *job)
{
    return OWNER_OF(job, struct store_settle, job)->result;
}

static enum store_change_result changed(struct store_job *job)
{
    return OWNER_OF(job, struct store_change, job)->result;
}

static const char *name_of(size_t i)
{
    static const char *const names[COUNT] = {"a@dest.test",   "b@dest.test", "c@dest.test",
                                             "bad@dest.test", "d@dest.test", "e@dest.test"};
    return names[i];
}

static bool add_domain(struct database *db, void *context, struct err *err)
{
    const struct database_domain domain = {context, "default", 1, false};
    return database_add_domain(db, &domain, err);
}

static void one_bad_row_is_refused_alone(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, COUNT};
    struct store_job *jobs[COUNT];
    (void)state;
    forbid("CREATE TRIGGER rule BEFORE INSERT ON recipient WHEN new.address LIKE 'bad@%' BEGIN "
           "SELECT RAISE(ABORT, 'a rule of the tables'); END");
    struct store *store = start();
    for (size_t i = 0; i < COUNT; i++)
        jobs[i] = make_job(store, &w, name_of(i));
    put_together(store, jobs, COUNT, &w);
    assert_int_equal(due_count, COUNT - 1);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(accept_of(jobs[i])->result, i != BAD ? STORE_ACCEPTED : STORE_FAILED);
        if (i == BAD)
            assert_non_null(strstr(jobs[i]->err.text, "a rule of the tables"));
        store_job_free(jobs[i]);
    }
    assert_false(store_paused(store));
    store_stop(store);
    due_count = 0;
    store_stop(start());
    assert_int_equal(due_count, COUNT - 1);
}

static struct store_job *make_outcome(struct waiter *w, int64_t id)
{
    struct store_settle *s = new_settle(w);
    struct store_outcome *o = store_settle_add(s);
    *o = (struct store_outcome){.message = id,
                                .state = MAIL_DONE,
                                .tries = 1,
                                .answer = verdict_make(250, "2.0.0", "OK"),
                                .kind = "delivered"};
    return &s->job;
}

static void one_outcome_that_cannot_be_recorded_holds_up_nobody(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, COUNT};
    struct store_job *jobs[COUNT];
    int64_t ids[COUNT];
    (void)state;
    forbid("CREATE TRIGGER rule BEFORE UPDATE ON recipient WHEN new.address LIKE 'bad@%' BEGIN "
           "SELECT RAISE(ABORT, 'a rule of the tables'); END");
    struct store *store = start();
    for (size_t i = 0; i < COUNT; i++)
        jobs[i] = make_job(store, &w, name_of(i));
    put_together(store, jobs, COUNT, &w);
    for (size_t i = 0; i < COUNT; i++) {
        ids[i] = accept_of(jobs[i])->mail->id;
        assert_int_equal(accept_of(jobs[i])->result, STORE_ACCEPTED);
        store_job_free(jobs[i]);
    }
    w.left = COUNT - 1; /* the bad one is kept, and tried again */
    for (size_t i = 0; i < COUNT; i++)
        jobs[i] = make_outcome(&w, ids[i]);
    put_together(store, jobs, COUNT, &w);
    for (size_t i = 0; i < COUNT; i++) {
        if (i == BAD)
            continue; /* the store has it */
        assert_int_equal(settled(jobs[i]), STORE_RECORDED);
        store_job_free(jobs[i]);
    }
    for (int i = 0; i < 15; i++) { /* while it is, delivery goes on */
        assert_false(store_paused(store));
        usleep(100 * 1000);
    }
    accept(store, 1, "y\r\n");
    w.left = 1;
    assert_false(store_stop(store)); /* something was not recorded */
    assert_int_equal(settled(jobs[BAD]), STORE_GIVEN_UP);
    store_job_free(jobs[BAD]);
    due_count = 0;
    store_stop(start());
    assert_int_equal(due_count, 2); /* it is delivered again */
}

/* A command of the same batch that was not run yet is run. */
static void a_command_behind_a_bad_row_is_run(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 3};
    struct store_job *jobs[3];
    struct err err = {0};
    struct database *db = NULL;
    (void)state;
    forbid("CREATE TRIGGER rule BEFORE INSERT ON recipient WHEN new.address LIKE 'bad@%' BEGIN "
           "SELECT RAISE(ABORT, 'a rule of the tables'); END");
    struct store *store = start();
    jobs[0] = make_job(store, &w, "a@dest.test");
    jobs[1] = make_job(store, &w, "bad@dest.test");
    jobs[2] = &new_change(&w, add_domain, (void *)(uintptr_t) "club.test")->job;
    put_together(store, jobs, 3, &w);
    assert_int_equal(accept_of(jobs[0])->result, STORE_ACCEPTED);
    assert_int_equal(accept_of(jobs[1])->result, STORE_FAILED);
    assert_int_equal(changed(jobs[2]), STORE_CHANGED);
    for (size_t i = 0; i < 3; i++)
        store_job_free(jobs[i]);
    store_stop(store);
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    bool is_there = false;
    assert_true(database_is_domain(db, "club.test", &is_there, &err) && is_there);
    database_close(db);
}

static bool count_runs(struct database *db, void *context, struct err *err)
{
    (void)db;
    (void)err;
    ++*(int *)context;
    return true;
}

/* Whatever stands before or behind a bad row is run once and kept, in one commit: two bad ones, one
 * of them behind a change, which cannot be run twice. */
static void a_change_before_a_bad_row_is_run_once_and_kept(void **state)
{
    enum { ALL = 5 };
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, ALL};
    struct store_job *jobs[ALL];
    int runs = 0;
    (void)state;
    forbid("CREATE TRIGGER rule BEFORE INSERT ON recipient WHEN new.address LIKE 'bad@%' BEGIN "
           "SELECT RAISE(ABORT, 'a rule of the tables'); END");
    struct store *store = start();
    jobs[0] = make_job(store, &w, "bad@dest.test");
    jobs[1] = &new_change(&w, count_runs, &runs)->job;
    jobs[2] = make_job(store, &w, "a@dest.test");
    jobs[3] = make_job(store, &w, "bad@dest.test");
    jobs[4] = make_job(store, &w, "b@dest.test");
    put_together(store, jobs, ALL, &w);
    assert_int_equal(runs, 1);
    assert_int_equal(due_count, 2);
    assert_int_equal(accept_of(jobs[0])->result, STORE_FAILED);
    assert_int_equal(changed(jobs[1]), STORE_CHANGED);
    assert_int_equal(accept_of(jobs[2])->result, STORE_ACCEPTED);
    assert_int_equal(accept_of(jobs[3])->result, STORE_FAILED);
    assert_int_equal(accept_of(jobs[4])->result, STORE_ACCEPTED);
    for (size_t i = 0; i < ALL; i++)
        store_job_free(jobs[i]);
    store_stop(store);
    due_count = 0;
    store_stop(start());
    assert_int_equal(due_count, 2);
}

static bool add_and_refuse(struct database *db, void *context, struct err *err)
{
    return add_domain(db, context, err) && err_set(err, ERR_USAGE, "not today");
}

/* Such a change has no savepoint of its own: the batch is run once more when it, or another, is bad. */
static void a_repeatable_change_fails_alone_too(void **state)
{
    enum { ALL = 4 };
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, ALL};
    struct store_job *jobs[ALL];
    struct store_change *counts = new_change(&w, count_runs, NULL);
    struct store_change *refused = new_change(&w, add_and_refuse, (void *)(uintptr_t) "club.test");
    struct err err = {0};
    struct database *db = NULL;
    int runs = 0;
    bool is = true;
    (void)state;
    counts->context = &runs;
    counts->repeatable = refused->repeatable = true;
    struct store *store = start();
    jobs[0] = make_job(store, &w, "a@dest.test");
    jobs[1] = &counts->job;
    jobs[2] = &refused->job;
    jobs[3] = make_job(store, &w, "b@dest.test");
    put_together(store, jobs, ALL, &w);
    assert_int_equal(runs, 2);
    assert_int_equal(due_count, 2);
    assert_int_equal(accept_of(jobs[0])->result, STORE_ACCEPTED);
    assert_int_equal(changed(jobs[1]), STORE_CHANGED);
    assert_int_equal(changed(jobs[2]), STORE_CHANGE_REFUSED);
    assert_string_equal(jobs[2]->err.text, "not today");
    assert_int_equal(accept_of(jobs[3])->result, STORE_ACCEPTED);
    for (size_t i = 0; i < ALL; i++)
        store_job_free(jobs[i]);
    store_stop(store);
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    assert_true(database_is_domain(db, "club.test", &is, &err));
    assert_false(is);
    database_close(db);
}

/* It has two recipients, the second of which is bad: the first goes with it, and its savepoint. */
static void a_bad_row_in_the_middle_of_a_message_takes_all_of_it(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 3};
    struct store_job *jobs[3];
    (void)state;
    forbid("CREATE TRIGGER rule BEFORE INSERT ON sent WHEN new.message <> 0"
           " AND (SELECT count(*) FROM sent WHERE message <> 0) = 2 BEGIN "
           "SELECT RAISE(ABORT, 'a rule of the tables'); END");
    struct store *store = start();
    jobs[0] = make_job(store, &w, "a@dest.test");
    jobs[1] = make_job(store, &w, "b@dest.test");
    envelope_add(&OWNER_OF(jobs[1], struct store_accept, job)->mail->envelope,
                 SPAN("c@dest.test"), "dest.test", SPAN_NONE, 0);
    jobs[2] = make_job(store, &w, "d@dest.test");
    put_together(store, jobs, 3, &w);
    assert_int_equal(accept_of(jobs[0])->result, STORE_ACCEPTED);
    assert_int_equal(accept_of(jobs[1])->result, STORE_FAILED);
    assert_null(accept_of(jobs[1])->decisions);
    assert_int_equal(accept_of(jobs[2])->result, STORE_ACCEPTED);
    assert_int_equal(due_count, 2);
    for (size_t i = 0; i < 3; i++)
        store_job_free(jobs[i]);
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_bad_row_is_refused_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_outcome_that_cannot_be_recorded_holds_up_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_command_behind_a_bad_row_is_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_before_a_bad_row_is_run_once_and_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_repeatable_change_fails_alone_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_row_in_the_middle_of_a_message_takes_all_of_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
