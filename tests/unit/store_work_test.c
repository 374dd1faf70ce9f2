// SPDX-License-Identifier: BSD-2-Clause
/* store_work_test.c - What one message costs the database: no statement on its way scans, sorts or
 * builds a table of its own, and it dirties few pages.
 */
#include "store_stage.h"

#include "db.h"

#include <sqlite3.h>
#include <stdlib.h>

static struct throttle_settings throttle;

/* As a session makes it, with all that is decided about a recipient. */
static struct store_accept *make_job(struct store *store, struct waiter *w, unsigned number)
{
    char address[64];
    struct database_user user;
    struct store_accept *a = new_accept(w);
    a->mail = make_mail(store, 0);
    snprintf(a->mail->tenant, sizeof(a->mail->tenant), "default");
    snprintf(a->mail->credential, sizeof(a->mail->credential), "app");
    snprintf(a->mail->from_domain, sizeof(a->mail->from_domain), "club.test");
    snprintf(address, sizeof(address), "member%u@dest.test", number);
    envelope_add(&a->mail->envelope, span_of(address), "dest.test", SPAN_NONE, 0);
    a->throttle = &throttle;
    a->has_fingerprint = true;
    a->may_capture = true;
    a->credential = directory_find(store_directory(store), SPAN("app"), &user);
    assert_non_null(a->credential);
    a->room = (struct database_room){.all = INT64_MAX};
    a->once = xcalloc(64, 1);
    snprintf(a->once, 64, "<%u@club.test>", number);
    buf_add(&a->body, SPAN("Subject: x\r\n\r\nbody\r\n"));
    return a;
}

static int64_t take(struct store *store, unsigned number)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = make_job(store, &w, number);
    int64_t id = a->mail->id;
    store_put(store, &a->job);
    wait_for(&w);
    assert_int_equal(a->result, STORE_ACCEPTED);
    store_job_free(&a->job);
    return id;
}

static bool add_accounts(struct database *db, void *context, struct err *err)
{
    const struct database_user user = {
        .identity = {.name = "app", .tenant = "default", .allowed = "club.test"}};
    (void)context;
    return database_add_domain(db, &(struct database_domain){"club.test", "default", 1, false},
                               err) &&
           database_add_user(db, &user, err);
}

struct work {
    int runs[SQL_COUNT];
    int scanned[SQL_COUNT];
    int pages;
};

static bool look(struct database *db, void *context, struct err *err)
{
    struct work *w = context;
    int most = 0;
    (void)err;
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_stmt *s = (sqlite3_stmt *)db->statements[i];
        w->runs[i] = s ? sqlite3_stmt_status(s, SQLITE_STMTSTATUS_RUN, 0) : 0;
        w->scanned[i] = s ? sqlite3_stmt_status(s, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) : 0;
    }
    return sqlite3_db_status(db->handle, SQLITE_DBSTATUS_CACHE_WRITE, &w->pages, &most, 0) ==
           SQLITE_OK;
}

/* Those that have run between `from` and `to`: what is wrong with them is printed and counted. */
struct question {
    const struct work *from, *to;
    int wrong;
};

static bool explain(struct database *db, void *context, struct err *err)
{
    static const char *const dear[] = {"OpenEphemeral", "SorterOpen", "OpenAutoindex"};
    struct question *q = context;
    (void)err;
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_stmt *program = NULL;
        if (q->to->runs[i] == q->from->runs[i])
            continue;
        const char *text = sqlite3_sql((sqlite3_stmt *)db->statements[i]);
        if (q->to->scanned[i] != q->from->scanned[i]) {
            printf("scans: %s\n", text);
            q->wrong++;
        }
        char *explained = sqlite3_mprintf("EXPLAIN %s", text);
        CHECK(sqlite3_prepare_v2(db->handle, explained, -1, &program, NULL) == SQLITE_OK);
        while (sqlite3_step(program) == SQLITE_ROW)
            for (size_t k = 0; k < COUNT_OF(dear); k++)
                if (strcmp((const char *)sqlite3_column_text(program, 1), dear[k]) == 0) {
                    printf("%s: %s\n", dear[k], text);
                    q->wrong++;
                }
        sqlite3_finalize(program);
        sqlite3_free(explained);
    }
    return true;
}

static int sum(const struct work *from, const struct work *to)
{
    int all = 0;
    for (int i = 0; i < SQL_COUNT; i++)
        all += to->runs[i] - from->runs[i];
    return all;
}

static void a_message_s_way_builds_no_tables_and_scans_none(void **state)
{
    static struct work before, accepted, deferred, delivered;
    (void)state;
    throttle_defaults(&throttle);
    struct store *store = start();
    run_change(store, add_accounts, NULL);
    for (unsigned i = 0; i < 5; i++) {
        int64_t id = take(store, i);
        settle(store, id, 0, MAIL_WAITING);
        settle(store, id, 0, MAIL_DONE);
        take(store, 10 + i); /* and some that stay */
    }
    run_change(store, look, &before);
    int64_t id = take(store, 20);
    run_change(store, look, &accepted);
    settle(store, id, 0, MAIL_WAITING);
    run_change(store, look, &deferred);
    settle(store, id, 0, MAIL_DONE);
    run_change(store, look, &delivered);
    struct question q = {&before, &delivered, 0};
    run_change(store, explain, &q);
    printf("accepted: %d statements, %d pages; deferred: %d, %d; delivered: %d, %d\n",
           sum(&before, &accepted), accepted.pages - before.pages, sum(&accepted, &deferred),
           deferred.pages - accepted.pages, sum(&deferred, &delivered),
           delivered.pages - deferred.pages);
    assert_int_equal(q.wrong, 0);
    store_stop(store);
}

/* ---- a batch of repeated mail ---- */

enum { REPEATED = 100 };

static struct store_accept *make_repeated(struct store *store, struct waiter *w)
{
    char address[64];
    struct store_accept *a = make_job(store, w, 0);
    for (unsigned i = 1; i < REPEATED; i++) {
        snprintf(address, sizeof(address), "member%u@dest.test", i);
        envelope_add(&a->mail->envelope, span_of(address), "dest.test", SPAN_NONE, 0);
    }
    return a;
}

/* It keeps the store's thread until all that is to be one batch is there. */
static bool wait_for_rest(struct database *db, void *context, struct err *err)
{
    (void)db;
    (void)err;
    wait_for(context);
    return true;
}

static bool look_at_steps(struct database *db, void *context, struct err *err)
{
    sqlite3_stmt *s = (sqlite3_stmt *)db->statements[SQL_ONCE];
    int *steps = context;
    (void)err;
    *steps = s ? sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 0) : 0;
    return true;
}

/* Steps for each message of a batch of so many. */
static int repeat(struct store *store, size_t messages)
{
    struct store_accept *jobs[64];
    struct waiter rest = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, messages + 1};
    struct store_job all_there = {.answer = NULL, .owner = &rest};
    int before = 0;
    int after = 0;
    run_change(store, look_at_steps, &before);
    struct store_change *first = new_change(&w, wait_for_rest, &rest);
    store_put(store, &first->job);
    for (size_t i = 0; i < messages; i++) {
        jobs[i] = make_repeated(store, &w);
        store_put(store, &jobs[i]->job);
    }
    on_answer(&all_there);
    wait_for(&w);
    store_job_free(&first->job);
    for (size_t i = 0; i < messages; i++) {
        assert_int_equal(jobs[i]->result, STORE_DUPLICATE);
        store_job_free(&jobs[i]->job);
    }
    run_change(store, look_at_steps, &after);
    return (after - before) / (int)messages;
}

static void a_message_of_a_large_batch_of_repeated_ones_costs_what_one_alone_does(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    (void)state;
    throttle_defaults(&throttle);
    struct store *store = start();
    run_change(store, add_accounts, NULL);
    struct store_accept *a = make_repeated(store, &w);
    store_put(store, &a->job);
    wait_for(&w);
    assert_int_equal(a->result, STORE_ACCEPTED);
    store_job_free(&a->job);
    int few = repeat(store, 6);
    int many = repeat(store, 60);
    printf("steps for each message: %d in a batch of 6, %d in one of 60\n", few, many);
    assert_true(few > 0);
    assert_true(many < 2 * few);
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_s_way_builds_no_tables_and_scans_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_message_of_a_large_batch_of_repeated_ones_costs_what_one_alone_does, set_up,
            tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
