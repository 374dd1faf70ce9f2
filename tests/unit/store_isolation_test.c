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

static sem_t gate;

static bool wait_at_gate(struct database *db, void *context, struct err *err)
{
    (void)db;
    (void)context;
    (void)err;
    sem_wait(&gate);
    return true;
}

/* The thread is busy until all of them are there: they are one batch. */
static void put_together(struct store *store, struct store_job **jobs, size_t count,
                         struct waiter *w)
{
    struct waiter own = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_job *keeper = store_job_new(on_answer, &own);
    sem_init(&gate, 0, 0);
    keeper->run = wait_at_gate;
    store_put(store, keeper);
    usleep(50 * 1000);
    for (size_t i = 0; i < count; i++)
        store_put(store, jobs[i]);
    sem_post(&gate);
    wait_for(&own);
    store_job_free(keeper);
    wait_for(w);
}

static struct store_job *make_job(struct store *store, struct waiter *w, const char *address)
{
    static struct throttle_settings throttle;
    struct store_job *job = store_job_new(on_answer, w);
    throttle_defaults(&throttle);
    job->mail = make_mail(store, 0);
    envelope_add(&job->mail->envelope, span_of(address), "dest.test", SPAN_NONE, 0);
    job->throttle = &throttle;
    job->once = xstrdup("<1@club.test>");
    buf_add(&job->body, SPAN("Subject: x\r\n\r\nbody\r\n"));
    return job;
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
        assert_int_equal(jobs[i]->ok, i != BAD);
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
    struct store_job *job = store_job_new(on_answer, w);
    struct store_outcome *o = store_job_add_outcome(job);
    *o = (struct store_outcome){.message = id,
                                .state = MAIL_DONE,
                                .tries = 1,
                                .answer = verdict_make(250, "2.0.0", "OK"),
                                .kind = "delivered"};
    return job;
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
        ids[i] = jobs[i]->mail->id;
        assert_true(jobs[i]->ok);
        store_job_free(jobs[i]);
    }
    w.left = COUNT - 1; /* the bad one is kept, and tried again */
    for (size_t i = 0; i < COUNT; i++)
        jobs[i] = make_outcome(&w, ids[i]);
    put_together(store, jobs, COUNT, &w);
    for (size_t i = 0; i < COUNT; i++) {
        if (i == BAD)
            continue; /* the store has it */
        assert_true(jobs[i]->ok);
        store_job_free(jobs[i]);
    }
    for (int i = 0; i < 15; i++) { /* while it is, delivery goes on */
        assert_false(store_paused(store));
        usleep(100 * 1000);
    }
    accept(store, 1, "y\r\n");
    w.left = 1;
    assert_false(store_stop(store)); /* something was not recorded */
    assert_false(jobs[BAD]->ok);
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
    jobs[2] = store_job_new(on_answer, &w);
    jobs[2]->run = add_domain;
    jobs[2]->context = (void *)(uintptr_t) "club.test";
    put_together(store, jobs, 3, &w);
    assert_true(jobs[0]->ok && !jobs[1]->ok && jobs[2]->ok);
    for (size_t i = 0; i < 3; i++)
        store_job_free(jobs[i]);
    store_stop(store);
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    assert_int_equal(database_user_domains(db, &(struct identity){.allowed = "club.test"}), 1);
    database_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_bad_row_is_refused_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_outcome_that_cannot_be_recorded_holds_up_nobody, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_command_behind_a_bad_row_is_run, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
