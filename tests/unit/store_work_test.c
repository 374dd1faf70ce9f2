// SPDX-License-Identifier: BSD-2-Clause
/* store_work_test.c - What one message costs the database: no statement on its way scans, sorts or
 * builds a table of its own, and it dirties few pages.
 */
#include "store_stage.h"

#include "db.h"

#include <stdlib.h>

static struct throttle_settings throttle;

/* As a session makes it, with all that is decided about a recipient. */
static struct store_job *make_job(struct store *store, struct waiter *w, unsigned number)
{
    char address[64];
    struct store_job *job = store_job_new(on_answer, w);
    job->mail = make_mail(store, 0);
    snprintf(job->mail->tenant, sizeof(job->mail->tenant), "default");
    snprintf(job->mail->credential, sizeof(job->mail->credential), "app");
    snprintf(job->mail->from_domain, sizeof(job->mail->from_domain), "club.test");
    snprintf(address, sizeof(address), "member%u@dest.test", number);
    envelope_add(&job->mail->envelope, span_of(address), "dest.test", SPAN_NONE, 0);
    job->throttle = &throttle;
    job->has_fingerprint = true;
    job->may_capture = true;
    job->marked = true;
    job->accounts = store_accounts(store);
    job->room = (struct database_room){INT64_MAX, 0};
    job->once = xcalloc(64, 1);
    snprintf(job->once, 64, "<%u@club.test>", number);
    buf_add(&job->body, SPAN("Subject: x\r\n\r\nbody\r\n"));
    return job;
}

static int64_t take(struct store *store, unsigned number)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_job *job = make_job(store, &w, number);
    int64_t id = job->mail->id;
    store_put(store, job);
    wait_for(&w);
    assert_true(job->ok);
    store_job_free(job);
    return id;
}

static void ask(struct store *store, bool (*what)(struct database *, void *, struct err *),
                void *context)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_job *job = store_job_new(on_answer, &w);
    job->run = what;
    job->context = context;
    store_put(store, job);
    wait_for(&w);
    assert_true(job->ok);
    store_job_free(job);
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
        sqlite3_stmt *s = db->statements[i];
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
        const char *text = sqlite3_sql(db->statements[i]);
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
    for (unsigned i = 0; i < 5; i++) {
        int64_t id = take(store, i);
        settle(store, id, 0, MAIL_WAITING);
        settle(store, id, 0, MAIL_DONE);
        take(store, 10 + i); /* and some that stay */
    }
    ask(store, look, &before);
    int64_t id = take(store, 20);
    ask(store, look, &accepted);
    settle(store, id, 0, MAIL_WAITING);
    ask(store, look, &deferred);
    settle(store, id, 0, MAIL_DONE);
    ask(store, look, &delivered);
    struct question q = {&before, &delivered, 0};
    ask(store, explain, &q);
    printf("accepted: %d statements, %d pages; deferred: %d, %d; delivered: %d, %d\n",
           sum(&before, &accepted), accepted.pages - before.pages, sum(&accepted, &deferred),
           deferred.pages - accepted.pages, sum(&deferred, &delivered),
           delivered.pages - deferred.pages);
    assert_int_equal(q.wrong, 0);
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_s_way_builds_no_tables_and_scans_none, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
