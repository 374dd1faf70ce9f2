// SPDX-License-Identifier: BSD-2-Clause
/* store_read_test.c - The store's reader: what it answers, in which order, and that nobody is left without an answer. */
#include "clock.h"
#include "store_read.h"
#include "store_stage.h"
#include "suppressions.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Answers in the order in which they came; the first of a crowd may be made to stay on the reader's thread. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct store_question *came[2000];
    size_t count;
    bool stalls, stands; /* the reader stays in the next answer; it does */
} answers = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void on_read(struct store_question *q)
{
    pthread_mutex_lock(&answers.mutex);
    answers.came[answers.count++] = q;
    answers.stands = answers.stalls;
    pthread_cond_broadcast(&answers.changed);
    while (answers.stalls)
        pthread_cond_wait(&answers.changed, &answers.mutex);
    answers.stands = false;
    pthread_mutex_unlock(&answers.mutex);
}

static void stall(bool on)
{
    pthread_mutex_lock(&answers.mutex);
    answers.stalls = on;
    pthread_cond_broadcast(&answers.changed);
    pthread_mutex_unlock(&answers.mutex);
}

static void wait_until_it_stands(void)
{
    pthread_mutex_lock(&answers.mutex);
    while (!answers.stands)
        pthread_cond_wait(&answers.changed, &answers.mutex);
    pthread_mutex_unlock(&answers.mutex);
}

static void ask(struct store *store, struct store_question *q)
{
    q->answer = on_read;
    store_ask(store, q);
}

static struct store_question *answer(struct store *store, struct store_question *q)
{
    answers.count = 0;
    ask(store, q);
    pthread_mutex_lock(&answers.mutex);
    while (answers.count == 0)
        pthread_cond_wait(&answers.changed, &answers.mutex);
    pthread_mutex_unlock(&answers.mutex);
    assert_ptr_equal(answers.came[0], q);
    return q;
}

static bool add_suppression(struct database *db, void *context, struct err *err)
{
    bool changed = false;
    return database_suppress(db, context, clock_now_ms(), &changed, err);
}

static void run(struct store *store, bool (*what)(struct database *, void *, struct err *), void *context)
{
    assert_int_equal(run_change(store, what, context), STORE_CHANGED);
}

static int64_t accept_from(struct store *store, const char *protocol, const char *const *recipients)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = new_accept(&w);
    a->mail = make_mail(store, 0);
    snprintf(a->mail->protocol, sizeof(a->mail->protocol), "%s", protocol);
    for (; *recipients; recipients++)
        envelope_add(&a->mail->envelope, span_of(*recipients), "dest.test", SPAN_NONE, 0);
    buf_add(&a->body, SPAN("x"));
    int64_t id = a->mail->id;
    store_put(store, &a->job);
    wait_for(&w);
    assert_true(store_has_accepted(a));
    store_job_free(&a->job);
    return id;
}

static void test_fetch(void **state)
{
    static const char *const recipients[] = {"a@dest.test", "gone@dest.test", "c@dest.test", "gone@dest.test", NULL};
    static const unsigned numbers[] = {1, 2};
    struct suppress_entry entry = {.address = "gone@dest.test", .reason = SUPPRESS_MANUAL, .source = "test", .created_ms = clock_now_ms()};
    struct store *store = start();
    (void)state;
    int64_t id = accept_from(store, "ESMTPSA", recipients);
    int64_t ours = accept_from(store, "", recipients); /* a report: it always goes */
    struct store_question *q = answer(store, store_fetch(id, numbers, 2));
    assert_true(q->ok);
    assert_int_equal(q->mail->envelope.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(q->suppressed[i].code, 0);
    store_question_free(q);
    run(store, add_suppression, &entry);
    q = answer(store, store_fetch(id, numbers, 2));
    assert_true(q->ok);
    assert_string_equal(q->mail->envelope.rcpts[1].address, "gone@dest.test");
    assert_int_equal(q->suppressed[1].code, 550);
    assert_int_equal(q->suppressed[2].code, 0);
    assert_int_equal(q->suppressed[3].code, 0); /* not asked about */
    store_question_free(q);
    q = answer(store, store_fetch(ours, numbers, 2));
    assert_true(q->ok && q->suppressed[1].code == 0);
    store_question_free(q);
    settle(store, id, 1, MAIL_DONE); /* whoever waits no more is not looked up */
    q = answer(store, store_fetch(id, numbers, 2));
    assert_true(q->ok && q->suppressed[1].code == 0);
    store_question_free(q);
    q = answer(store, store_fetch(12345, numbers, 2));
    assert_false(q->ok);
    assert_int_equal(q->err.kind, ERR_NOT_FOUND);
    assert_null(q->mail);
    store_question_free(q);
    assert_true(store_stop(store));
}

static void test_glance(void **state)
{
    struct throttle_settings settings;
    struct store *store = start();
    (void)state;
    throttle_defaults(&settings);
    struct store_question *q = answer(store, store_glance(&settings, "default", "b@dest.test", "dest.test"));
    assert_true(q->ok);
    assert_int_equal(q->decision.what, THROTTLE_PASS);
    store_question_free(q);
    assert_true(store_stop(store));
}

/* While it is busy others wait for it, and what is urgent is read next; nobody who asked late waits for more than one who asked before. */
static void test_urgent_first(void **state)
{
    enum { CROWD = 1000 };
    struct store *store = start();
    struct store_question *urgent = NULL;
    (void)state;
    answers.count = 0;
    stall(true);
    ask(store, store_fetch(-1, NULL, 0));
    wait_until_it_stands();
    for (unsigned i = 0; i < CROWD; i++)
        ask(store, store_fetch(i + 1, NULL, 0));
    urgent = store_fetch(CROWD + 1, NULL, 0);
    urgent->urgent = true;
    ask(store, urgent);
    stall(false);
    assert_true(store_stop(store)); /* answers all of them */
    assert_int_equal(answers.count, CROWD + 2);
    assert_ptr_equal(answers.came[1], urgent);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(answers.came[i + 2]->message, i + 1);
    for (size_t i = 0; i < answers.count; i++)
        store_question_free(answers.came[i]);
}

/* A tenant with a thousand recipients to be looked at: another one's, and mail that is fetched, are read after one of them each. */
static void test_turns(void **state)
{
    enum { CROWD = 1000 };
    struct throttle_settings settings;
    struct store *store = start();
    struct store_question *of_bob = NULL;
    struct store_question *fetched = NULL;
    (void)state;
    throttle_defaults(&settings);
    answers.count = 0;
    stall(true);
    ask(store, store_fetch(-1, NULL, 0));
    wait_until_it_stands();
    for (unsigned i = 0; i < CROWD; i++)
        ask(store, store_glance(&settings, "eve", "a@dest.test", "dest.test"));
    ask(store, of_bob = store_glance(&settings, "bob", "b@dest.test", "dest.test"));
    ask(store, fetched = store_fetch(1, NULL, 0));
    stall(false);
    assert_true(store_stop(store));
    assert_int_equal(answers.count, CROWD + 3);
    assert_ptr_equal(answers.came[2], of_bob);
    assert_ptr_equal(answers.came[3], fetched);
    for (size_t i = 0; i < answers.count; i++)
        store_question_free(answers.came[i]);
}

/* The reader is still at the answer before, which it has read: what is asked behind a commit sees it all the same. */
static void test_behind_a_commit(void **state)
{
    static const char *const recipients[] = {"a@dest.test", NULL};
    struct store *store = start();
    (void)state;
    int64_t first = accept_from(store, "ESMTPSA", recipients);
    answers.count = 0;
    stall(true);
    ask(store, store_fetch(first, NULL, 0));
    wait_until_it_stands();
    ask(store, store_fetch(accept_from(store, "ESMTPSA", recipients), NULL, 0));
    stall(false);
    assert_true(store_stop(store));
    assert_int_equal(answers.count, 2);
    for (size_t i = 0; i < answers.count; i++) {
        assert_true(answers.came[i]->ok);
        store_question_free(answers.came[i]);
    }
}

/* Behind the store's back. */
static void change(const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A read that fails fails alone, and what comes after it works again. */
static void test_faults(void **state)
{
    static const char *const recipients[] = {"a@dest.test", NULL};
    static const unsigned numbers[] = {0};
    struct store *store = start();
    (void)state;
    int64_t id = accept_from(store, "ESMTPSA", recipients);
    change("ALTER TABLE suppression RENAME TO elsewhere");
    struct store_question *q = answer(store, store_fetch(id, numbers, 1));
    assert_false(q->ok);
    assert_int_equal(q->err.kind, ERR_STORE);
    store_question_free(q);
    q = answer(store, store_fetch(id, NULL, 0)); /* which does not need it */
    assert_true(q->ok);
    store_question_free(q);
    change("ALTER TABLE elsewhere RENAME TO suppression");
    q = answer(store, store_fetch(id, numbers, 1));
    assert_true(q->ok);
    store_question_free(q);
    assert_true(store_stop(store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fetch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_glance, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_urgent_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_behind_a_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
