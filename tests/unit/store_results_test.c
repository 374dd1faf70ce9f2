// SPDX-License-Identifier: BSD-2-Clause
/* store_results_test.c - Each result that the store can give, and what goes with it: a refusal to be
 * said, an error, a line in the log.
 */
#include "store_stage.h"

#include "accounts.h"
#include "clock.h"
#include "db.h"
#include "log.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- a disk that is full, when a test wants it ---- */

static bool disk_is_full;
int __real_statvfs(const char *path, struct statvfs *disk_r);
int __wrap_statvfs(const char *path, struct statvfs *disk_r);

int __wrap_statvfs(const char *path, struct statvfs *disk_r)
{
    int result = __real_statvfs(path, disk_r);
    if (disk_is_full)
        disk_r->f_bavail = 0;
    return result;
}

/* ---- the log ---- */

static int own_stderr = -1;
static FILE *heard;

static void hear(void)
{
    own_stderr = dup(STDERR_FILENO);
    heard = tmpfile();
    assert_true(heard && dup2(fileno(heard), STDERR_FILENO) == STDERR_FILENO);
}

/* How many lines with both words there were since hear(). */
static unsigned hear_no_more(const char *event, const char *word)
{
    char line[2000];
    unsigned count = 0;
    assert_int_equal(dup2(own_stderr, STDERR_FILENO), STDERR_FILENO);
    close(own_stderr);
    rewind(heard);
    while (fgets(line, sizeof(line), heard))
        count += strstr(line, event) && strstr(line, word);
    fclose(heard);
    return count;
}

/* ---- the database, from outside ---- */

static sqlite3 *open_raw(void)
{
    char path[128];
    sqlite3 *raw = NULL;
    snprintf(path, sizeof(path), "%s/state.db", place);
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    sqlite3_busy_timeout(raw, 10 * 1000); /* the store may be keeping house */
    return raw;
}

static void run_raw(sqlite3 *raw, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(raw, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}

static void forbid(const char *table)
{
    char sql[256];
    sqlite3 *raw = open_raw();
    snprintf(sql, sizeof(sql), "CREATE TRIGGER rule BEFORE INSERT ON %s BEGIN SELECT RAISE(ABORT, 'a rule'); END", table);
    run_raw(raw, sql);
    sqlite3_close(raw);
}

/* ---- accept ---- */

static struct throttle_settings throttle;

static struct store_accept *make(struct store *store, struct waiter *w, const char *once)
{
    struct store_accept *a = new_accept(w);
    throttle_defaults(&throttle);
    a->mail = make_mail(store, 1);
    snprintf(a->mail->from_domain, sizeof(a->mail->from_domain), "club.test");
    a->throttle = &throttle;
    a->once = xstrdup(once);
    buf_add(&a->body, SPAN("Subject: x\r\n\r\nbody\r\n"));
    return a;
}

static void put(struct store *store, struct store_job *job, struct waiter *w)
{
    w->left = 1;
    store_put(store, job);
    wait_for(w);
}

/* It is freed; only what is in memory of a result is said. */
static void expect(struct store *store, struct store_accept *a, struct waiter *w,
                   enum store_accept_result result, int code)
{
    size_t before = due_count;
    put(store, &a->job, w);
    assert_int_equal(a->result, result);
    assert_int_equal(store_has_accepted(a), result == STORE_ACCEPTED || result == STORE_CAPTURED);
    assert_int_equal(due_count - before, result == STORE_ACCEPTED ? 1 : 0);
    assert_int_equal(a->refusal.code, code);
    bool failed = result == STORE_FAILED || result == STORE_NO_ROOM;
    assert_int_equal(a->job.err.text[0] != '\0', failed);
    store_job_free(&a->job);
}

static void new_mail_is_accepted_or_the_answer_says_why_not(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    (void)state;
    struct store *store = start();
    expect(store, make(store, &w, "<1@club.test>"), &w, STORE_ACCEPTED, 0);
    expect(store, make(store, &w, "<1@club.test>"), &w, STORE_DUPLICATE, 0);

    struct store_accept *a = make(store, &w, "key");
    a->keyed = true;
    expect(store, a, &w, STORE_ACCEPTED, 0);
    a = make(store, &w, "key");
    a->keyed = true;
    a->content[0] = 1; /* something else under the same key */
    expect(store, a, &w, STORE_REFUSED, 550);

    a = make(store, &w, "<2@club.test>");
    throttle.classes[STREAM_NOTIFICATION].burst = 1;
    a->on_limit = STREAM_DEFER;
    expect(store, a, &w, STORE_REFUSED, 450);

    a = make(store, &w, "<4@club.test>");
    a->room = (struct database_room){.all = 10, .tenant = 10};
    expect(store, a, &w, STORE_OVER_QUOTA, 552);

    disk_is_full = true;
    usleep(150 * 1000); /* one with much room is looked at a few times a second */
    expect(store, make(store, &w, "<5@club.test>"), &w, STORE_NO_ROOM, 0);
    disk_is_full = false;
    forbid("recipient");
    expect(store, make(store, &w, "<6@club.test>"), &w, STORE_FAILED, 0);
    store_stop(store);
}

/* ---- with an account ---- */

static bool add_account(struct database *db, void *context, struct err *err)
{
    const struct database_user user = {.identity = {.name = "app", .tenant = "default", .allowed = "club.test"}};
    (void)context;
    return database_add_domain(db, &(struct database_domain){"club.test", "default", 1, false}, err) &&
           database_add_user(db, &user, err);
}

static bool delete_account(struct database *db, void *context, struct err *err)
{
    (void)context;
    return database_delete_user(db, "app", err);
}

static bool delete_domain(struct database *db, void *context, struct err *err)
{
    (void)context;
    return database_delete_domain(db, "club.test", err);
}

/* Its client has logged in before. */
static void mail_of_an_account_that_is_changed_meanwhile_is_refused(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct database_user user;
    (void)state;
    struct store *store = start();
    assert_int_equal(run_change(store, add_account, NULL), STORE_CHANGED);
    struct credential *credential = directory_find(store_directory(store), SPAN("app"), &user);
    assert_non_null(credential);
    static const struct {
        store_on_change *change;
        enum store_accept_result result;
        int code;
    } steps[] = {{NULL, STORE_ACCEPTED, 0}, {delete_account, STORE_STALE, 451}, {delete_domain, STORE_STALE, 550}};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct store_accept *a = make(store, &w, i == 0 ? "<1@club.test>" : "<2@club.test>");
        a->credential = credential_hold(credential);
        if (steps[i].change)
            assert_int_equal(run_change(store, steps[i].change, NULL), STORE_CHANGED);
        expect(store, a, &w, steps[i].result, steps[i].code);
    }
    credential_drop(credential);
    store_stop(store);
}

static bool add_captured_domain(struct database *db, void *context, struct err *err)
{
    const struct database_domain domain = {context, "default", 1, true};
    return database_add_domain(db, &domain, err);
}

/* Operators get their mail, and then there is nothing to be said. */
static void mail_of_a_captured_domain_is_held(void **state)
{
    static const char *const operators[] = {"b@dest.test"};
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    (void)state;
    struct store *store = start();
    assert_int_equal(run_change(store, add_captured_domain, (void *)(uintptr_t) "club.test"), STORE_CHANGED);
    struct store_accept *a = make(store, &w, "<1@club.test>");
    a->may_capture = true;
    expect(store, a, &w, STORE_CAPTURED, 0);
    a = make(store, &w, "<2@club.test>");
    a->may_capture = true;
    a->operators = operators;
    a->operator_count = 1;
    expect(store, a, &w, STORE_ACCEPTED, 0);
    store_stop(store);
}

/* ---- settle ---- */

static struct store_settle *make_settle(struct waiter *w, int64_t id, unsigned recipients)
{
    struct store_settle *s = new_settle(w);
    for (unsigned i = 0; i < recipients; i++)
        *store_settle_add(s) = (struct store_outcome){.message = id,
                                                      .number = i,
                                                      .state = MAIL_WAITING,
                                                      .tries = 1,
                                                      .due_ms = clock_now_ms() + 60000,
                                                      .answer = verdict_make(451, "4.0.0", "later"),
                                                      .kind = "deferred"};
    return s;
}

/* Of two recipients a person has deleted one. */
static void outcomes_are_recorded_or_superseded(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    (void)state;
    struct store *store = start();
    int64_t id = accept(store, 2, "x\r\n");
    settle(store, id, 0, MAIL_DONE);
    struct store_settle *s = make_settle(&w, id, 2);
    put(store, &s->job, &w);
    assert_int_equal(s->result, STORE_RECORDED);
    assert_int_equal(s->outcomes[0].result, STORE_SUPERSEDED);
    assert_int_equal(s->outcomes[1].result, STORE_RECORDED);
    store_job_free(&s->job);
    store_stop(store);
}

/* While the database cannot be written: new mail, changes and notes fail at once and outcomes wait;
 * with store_give_up() they are given up, each message in the log, and delivered again. */
static void what_cannot_be_written_has_failed_or_is_given_up(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    char text[MAIL_ID_TEXT];
    (void)state;
    struct store *store = start();
    int64_t id = accept(store, 1, "x\r\n");
    struct store_settle *s = make_settle(&w, id, 1);
    struct store_change *c = new_change(&w, add_captured_domain, (void *)(uintptr_t) "club.test");
    struct store_tell *t = store_tell_new(&(struct database_event){.kind = "dialogue"});
    t->job.answer = on_answer;
    t->job.owner = &w;
    hear();
    sqlite3 *raw = open_raw();
    run_raw(raw, "BEGIN IMMEDIATE");
    w.left = 2;
    store_put(store, &s->job);
    store_put(store, &c->job);
    store_put(store, &t->job);
    wait_for(&w);
    assert_int_equal(c->result, STORE_CHANGE_FAILED);
    assert_true(c->job.err.text[0]);
    assert_int_equal(t->result, STORE_NOT_TOLD);
    assert_true(t->job.err.text[0]);
    pthread_mutex_lock(&w.mutex);
    w.left = 1;
    pthread_mutex_unlock(&w.mutex);
    store_give_up(store);
    wait_for(&w);
    assert_int_equal(s->result, STORE_GIVEN_UP);
    assert_int_equal(s->outcomes[0].result, STORE_GIVEN_UP);
    assert_true(s->job.err.text[0]);
    sqlite3_close(raw);
    assert_false(store_stop(store));
    mail_id_print(id, text);
    assert_int_equal(hear_no_more("unrecorded", text), 1);
    store_job_free(&s->job);
    store_job_free(&c->job);
    store_job_free(&t->job);
    due_count = 0;
    store_stop(start());
    assert_int_equal(due_count, 1);
}

/* ---- change and tell ---- */

static bool add_and_refuse(struct database *db, void *context, struct err *err)
{
    return add_captured_domain(db, context, err) && err_set(err, ERR_USAGE, "not today");
}

static bool find(struct database *db, void *context, struct err *err)
{
    return database_capture_of(db, context, err);
}

static void a_change_that_is_refused_is_undone_and_says_why(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    char domain[] = "club.test";
    (void)state;
    struct store *store = start();
    struct store_change *c = new_change(&w, add_and_refuse, domain);
    put(store, &c->job, &w);
    assert_int_equal(c->result, STORE_CHANGE_REFUSED);
    assert_int_equal(c->job.err.kind, ERR_USAGE);
    assert_string_equal(c->job.err.text, "not today");
    store_job_free(&c->job);
    assert_int_equal(run_change(store, find, domain), STORE_CHANGE_REFUSED);
    assert_int_equal(run_change(store, add_captured_domain, domain), STORE_CHANGED);
    assert_int_equal(run_change(store, find, domain), STORE_CHANGED);
    store_stop(store);
}

/* No page more for this connection: what SQLite says on a disk that is full. */
static bool fill_the_disk(struct database *db, void *context, struct err *err)
{
    char name[32];
    (void)context;
    if (sqlite3_exec(db->handle, "PRAGMA max_page_count = 1", NULL, NULL, NULL) != SQLITE_OK)
        return err_set(err, ERR_USAGE, "no pragma");
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof(name), "d%d.test", i);
        if (!add_captured_domain(db, name, err))
            return false;
    }
    return err_set(err, ERR_USAGE, "there was room for everything");
}

static bool lift_the_limit(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    return sqlite3_exec(db->handle, "PRAGMA max_page_count = 1000000", NULL, NULL, NULL) == SQLITE_OK;
}

static bool store_trouble(struct database *db, void *context, struct err *err)
{
    return add_captured_domain(db, context, err) && err_set(err, ERR_STORE, "database: disk I/O error");
}

/* What the disk could not take is no refusal: the answer tells what happened, and that it may be tried again. */
static void a_change_that_the_disk_cannot_take_has_failed_and_says_so(void **state)
{
    static const struct {
        const char *label;
        store_on_change *run;
        enum err_kind kind;
        const char *said;
    } rows[] = {{"a full disk", fill_the_disk, ERR_FULL, "the disk is full"},
                {"a fault of the database", store_trouble, ERR_STORE, "disk I/O error"}};
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    char domain[] = "club.test";
    (void)state;
    struct store *store = start();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct store_change *c = new_change(&w, rows[i].run, domain);
        put(store, &c->job, &w);
        EXPECT(c->result == STORE_CHANGE_FAILED, rows[i].label);
        EXPECT(c->job.err.kind == rows[i].kind, rows[i].label);
        EXPECT(strstr(c->job.err.text, rows[i].said) != NULL, rows[i].label);
        store_job_free(&c->job);
        assert_int_equal(run_change(store, lift_the_limit, NULL), STORE_CHANGED);
        assert_int_equal(run_change(store, find, domain), STORE_CHANGE_REFUSED); /* nothing is left of it */
    }
    assert_int_equal(run_change(store, add_captured_domain, domain), STORE_CHANGED);
    store_stop(store);
}

static void note(void *context, const struct database_event *event)
{
    snprintf(context, 200, "%s %s %d %s %s %s %s", event->kind, event->recipient, event->code, event->reply,
             event->remote, event->credential, event->sender);
}

/* The texts are copied, and those that are not given are empty. */
static void a_note_is_told_to_the_events(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct err err = {0};
    struct database *db = NULL;
    char text[200] = "";
    char reply[] = "no such domain";
    (void)state;
    struct store *store = start();
    struct store_tell *t = store_tell_new(
        &(struct database_event){.kind = "refused", .code = 550, .reply = reply, .credential = "app"});
    memset(reply, '-', sizeof(reply) - 1);
    t->job.answer = on_answer;
    t->job.owner = &w;
    put(store, &t->job, &w);
    assert_int_equal(t->result, STORE_TOLD);
    assert_in_range(t->event.at_ms, clock_now_ms() - 60000, clock_now_ms());
    store_job_free(&t->job);
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    assert_true(database_events(db, 0, 10, note, text, &err));
    database_close(db);
    assert_string_equal(text, "refused  550 no such domain  app ");
    store_stop(store);
}

/* The store frees them, and their contexts; what has failed is in the log. */
static void jobs_that_nobody_waits_for_are_run_too(void **state)
{
    (void)state;
    struct store *store = start();
    struct store_change *c = store_change_new(add_captured_domain, xstrdup("club.test"));
    c->forget = free;
    store_put(store, &c->job);
    assert_int_equal(run_change(store, find, (void *)(uintptr_t) "club.test"), STORE_CHANGED);
    forbid("event");
    hear();
    store_tell(store, &(struct database_event){.kind = "refused"});
    store_stop(store);
    assert_int_equal(hear_no_more("store_failed", "a rule"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_mail_is_accepted_or_the_answer_says_why_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mail_of_an_account_that_is_changed_meanwhile_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mail_of_a_captured_domain_is_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(outcomes_are_recorded_or_superseded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_has_failed_or_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_that_is_refused_is_undone_and_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_that_the_disk_cannot_take_has_failed_and_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_note_is_told_to_the_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jobs_that_nobody_waits_for_are_run_too, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
