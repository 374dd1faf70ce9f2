// SPDX-License-Identifier: BSD-2-Clause
/* sqlite_store.c - The engine that keeps the store in SQLite, on one thread: take all that waits,
 * write the bodies, commit once, answer.
 *
 *   job_queue_take()    jobs that were put meanwhile, in their order or by turns
 *   bodies_write()      the bytes of new mail, synced
 *   transaction_run()   the rows of all jobs, one commit
 *   publish()           what is due, released or changed, to those who keep it in memory
 *   answer_all()        to each who waits; outcomes that are not recorded stay here
 *   bring_log_home()    pages of the log into the database
 *   make_reports(), try_again(), housekeeping_run()   what nobody waits for
 *
 * Failure modes:
 * - bodies cannot be written: the accepts of this batch are refused, the rest goes on
 * - the transaction cannot be committed: accepts are refused, outcomes wait
 * - one job is bad in itself: it fails alone (transaction.c); outcomes of that kind are tried
 *   again, and hold up nobody
 * - the end comes before outcomes are recorded: each message is in the log, and left to the next
 *   start (C3)
 */
#include "bodies.h"
#include "checkpoints.h"
#include "clock.h"
#include "db.h"
#include "directory_parts.h"
#include "duplicates.h"
#include "event_shares.h"
#include "events.h"
#include "housekeeping.h"
#include "job_queue.h"
#include "jobs.h"
#include "log.h"
#include "queue_rows.h"
#include "reader.h"
#include "report_rows.h"
#include "reports.h"
#include "sandbox.h"
#include "segments.h"
#include "share_notices.h"
#include "spool_record.h"
#include "state_lock.h"
#include "store_engine.h"
#include "throttle_rows.h"
#include "transaction.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH_MAX = 200,
    RETRY_PAUSE_MS = 1000,
    CLOCK_SLACK_MS = 2000,
    DUE_AT_ONCE = 1000,
    REPORT_TOLD_MS = 60 * 1000
};

struct sqlite_store {
    struct store base;
    int lock_fd;
    struct database *db;
    struct segments *segments;
    pthread_t thread;
    struct message_ids ids;
    atomic_bool paused;
    struct job_queue job_queue;

    /* the thread's own */
    struct job *unrecorded;   /* outcomes that could not be committed yet */
    struct reports reporting; /* as it was set */
    bool failing;             /* the last transaction could not be committed */
    bool lost;                /* an outcome was answered without being recorded */
    int64_t report_told_ms;   /* when it was last said that one is bad in itself */
    int64_t step_ms;          /* the clock has been set; the rows have not moved yet */
    struct checkpoints checkpoints;
    struct housekeeping house;
};

static struct sqlite_store *own(struct store *store)
{
    return OWNER_OF(store, struct sqlite_store, base);
}

/* ---- from any thread ---- */

static int64_t new_id(struct store *store)
{
    return message_ids_new(&own(store)->ids);
}

static int64_t new_segment(struct store *store)
{
    return segments_reserve(own(store)->segments);
}

static bool is_paused(struct store *store)
{
    return atomic_load(&own(store)->paused);
}

static void put(struct store *store, struct store_job *job)
{
    job_queue_put(&own(store)->job_queue, job_of(job));
}

/* ---- one batch ---- */

/* The wall clock changes on this thread only, so that rows and steady times always fit together. */
static void tell_due(struct sqlite_store *store)
{
    struct due_list *due = &store->db->due;
    int64_t offset_ms = clock_offset_ms();
    for (size_t i = 0; i < due->count; i++) {
        due->items[i].due_ms -= offset_ms;
        due->items[i].expires_ms -= offset_ms;
    }
    if (due->count > 0)
        store->base.events.due(store->base.events.context, due->items, due->count);
    due->count = 0;
}

/* What the transaction has changed, for those who keep it in memory. */
static void publish(struct sqlite_store *store, struct job *jobs)
{
    struct database *db = store->db;
    directory_follow(store->base.directory, &db->changes);
    for (size_t i = 0; i < db->changes.count; i++)
        store->base.events.changed(store->base.events.context, db->changes.items[i]->what,
                                   db->changes.items[i]->name);
    for (struct job *job = jobs; job; job = job->next)
        if (job_has_accepted(job))
            segments_keep(store->segments, &job->as.accept.mail->place);
    for (size_t i = 0; i < db->released.count; i++)
        segments_release(store->segments, &db->released.items[i]);
    segments_sweep(store->segments);
    recent_note(&store->base.recent, jobs, db->revised);
    if (db->revised) /* behind that: whoever has seen the new number finds nothing older there */
        atomic_fetch_add(&store->base.revision, 1);
    tell_due(store);
    if (db->outbox_news)
        atomic_fetch_add(&store->base.outbox_news, 1);
    rows_forget(db);
}

/* Said when it begins and when it is over, not each time that it is tried. */
static void set_paused(struct sqlite_store *store, bool paused, const struct err *why)
{
    if (atomic_exchange(&store->paused, paused) == paused)
        return;
    if (paused)
        log_fault("delivery_paused", why);
    else
        log_event(LOG_WARN, "delivery_resumed", "what", "the store can write again");
}

/* The operator is told once of each message. */
static void log_unrecorded(struct job *job)
{
    const struct store_settle *s = &job->as.settle;
    if (!job->logged && s->count > 0)
        log_end(log_text(log_id(log_begin(LOG_ERROR, "unrecorded"), s->outcomes[0].message),
                         "reply", s->job.err.text));
    job->logged = true;
}

static void give_up(struct sqlite_store *store, struct job *job)
{
    struct store_settle *s = &job->as.settle;
    log_unrecorded(job);
    store->lost = true;
    s->result = STORE_GIVEN_UP;
    for (size_t i = 0; i < s->count; i++)
        s->outcomes[i].result = STORE_GIVEN_UP;
}

/* A report is owed still, and made once more; of one that is bad in itself, and of what else nobody
 * waits for, the log tells. */
static void answer(struct sqlite_store *store, struct job *job)
{
    struct store_job *any = &job->as.any;
    if (any->answer) {
        any->answer(any);
        return;
    }
    bool bad_report = job->state == JOB_BAD && job->kind == JOB_REPORT;
    if (bad_report && store->report_told_ms + REPORT_TOLD_MS < clock_steady_ms()) {
        store->report_told_ms = clock_steady_ms();
        log_end(log_text(log_id(log_begin(LOG_ERROR, "not_reported"), job->as.report.of), "reply",
                         any->err.text));
    }
    if (job->state != JOB_DONE && job->kind != JOB_REPORT)
        log_event(LOG_ERROR, "store_failed", "reply", any->err.text);
    store_job_free(any);
}

/* Outcomes stay here until they are recorded. What is bad in itself is tried again as well. */
static bool stays(struct sqlite_store *store, struct job *job)
{
    if (job->kind != JOB_SETTLE || job->state == JOB_DONE)
        return false;
    if (atomic_load(&store->base.giving_up)) {
        give_up(store, job);
        return false;
    }
    if (job->state == JOB_BAD)
        log_unrecorded(job);
    job->next = store->unrecorded;
    store->unrecorded = job;
    return true;
}

/* The first that delivery has to wait for, which is not what is bad in itself; NULL: none. */
static const struct job *holds_up(const struct job *unrecorded)
{
    while (unrecorded && unrecorded->state == JOB_BAD)
        unrecorded = unrecorded->next;
    return unrecorded;
}

/* A body of its own that nobody has accepted: no row tells of it. */
static void drop_body(const struct sqlite_store *store, const struct job *job)
{
    if (job->has_spooled && !store_has_accepted(&job->as.accept))
        spool_unlink(store->base.state_dir, job->as.accept.mail->place.segment);
}

static void answer_all(struct sqlite_store *store, struct job *jobs, const struct err *err)
{
    while (jobs) {
        struct job *job = jobs;
        jobs = job->next;
        job->next = NULL;
        drop_body(store, job);
        if (!stays(store, job))
            answer(store, job);
    }
    const struct job *first = holds_up(store->unrecorded);
    set_paused(store, store->failing || first, first ? &first->as.any.err : err);
}

static void bring_log_home(struct sqlite_store *store)
{
    checkpoints_step(&store->checkpoints, store->db, job_queue_is_waited_for(&store->job_queue));
}

static void run_batch(struct sqlite_store *store, struct job *jobs)
{
    struct err err = {0};
    const struct transaction t = {store->db, &store->reporting, store->base.directory};
    bodies_write(store->segments, jobs);
    store->failing = !transaction_run(&t, jobs, &err);
    if (!store->failing)
        publish(store, jobs);
    answer_all(store, jobs, &err);
    bring_log_home(store);
}

/* What senders are owed, when it is due: in batches of its own. */
static void make_reports(struct sqlite_store *store)
{
    struct err err = {0};
    struct job *jobs = NULL;
    int64_t first = 0;
    if (atomic_load(&store->paused) || store->db->report_due_ms > clock_now_ms())
        return;
    pthread_mutex_lock(&store->base.reports_mutex);
    store->reporting = store->base.reports;
    pthread_mutex_unlock(&store->base.reports_mutex);
    bool ok =
        report_rows_look(store->db, 0, &first, &err) &&
        reports_make(&store->reporting, &store->ids, store->db, store->base.state_dir, &jobs, &err);
    if (jobs)
        run_batch(store, jobs);
    if (ok && report_rows_look(store->db, first, &first, &err))
        return;
    store->db->report_due_ms = clock_now_ms() + RETRY_PAUSE_MS;
    log_event(LOG_ERROR, "not_reported", "reply", err.text);
}

/* How long there may be nothing to do. */
static int64_t pause_ms(const struct sqlite_store *store)
{
    int64_t house_ms = housekeeping_wait_ms(&store->house, clock_now_ms());
    int64_t report_ms = store->db->report_due_ms - clock_now_ms();
    if (store->unrecorded || store->failing)
        return house_ms < RETRY_PAUSE_MS ? house_ms : RETRY_PAUSE_MS;
    if (report_ms < 0)
        return 0;
    return report_ms < house_ms ? report_ms : house_ms;
}

/* ---- the thread ---- */

/* Nothing waits to be recorded, but the last commit failed: does a small one work again? */
static void probe(struct sqlite_store *store)
{
    struct err err = {0};
    bool ok = rows_simple(store->db, SQL_BEGIN, &err) && rows_simple(store->db, SQL_PROBE, &err) &&
              rows_simple(store->db, SQL_COMMIT, &err);
    store->failing = !ok;
    if (store->failing)
        rows_rollback(store->db);
    set_paused(store, store->failing, &err);
}

/* Outcomes that could not be recorded: once more, all of them. */
static void try_again(struct sqlite_store *store)
{
    struct job *list = store->unrecorded;
    store->unrecorded = NULL;
    while (list) {
        struct job *rest = jobs_cut(list, BATCH_MAX);
        run_batch(store, list);
        list = rest;
    }
}

/* When the clock has been set, all that waits moves with it: in the jobs and in the rows. */
static void follow_clock(struct sqlite_store *store, struct job *batch)
{
    struct err err = {0};
    int64_t step_ms = job_queue_follow_clock(&store->job_queue);
    jobs_move(batch, step_ms);
    jobs_move(store->unrecorded, step_ms);
    store->step_ms += step_ms;
    /* Not "step_ms == 0": two steps that could not be written down may have undone each other. */
    if (clock_holds(clock_epoch()))
        return;
    if (!rows_move(store->db, store->step_ms, &err)) {
        log_fault("store_fault", &err);
        return;
    }
    recent_clear(&store->base.recent);
    clock_moved();
    store->base.events.stepped(store->base.events.context, store->step_ms);
    store->step_ms = 0;
}

/* What was refused while it came is told with all else. */
static void note_receiving(struct sqlite_store *store)
{
    char tenant[64];
    unsigned count = 0;
    uint64_t bytes = 0;
    while (receiving_refused(&store->base.receiving, tenant, &count, &bytes))
        shares_refuse(&store->db->shares, DATABASE_RECEIVING, tenant, count, bytes, bytes);
    shares_keep(&store->db->shares); /* there is no open transaction */
}

static void *run_thread(void *context)
{
    struct sqlite_store *store = context;
    struct err err = {0};
    bool stopping = false;
    CHECK(sandbox_calls(SANDBOX_STORE, &err));
    for (;;) {
        struct job *batch =
            job_queue_take(&store->job_queue, BATCH_MAX, pause_ms(store), &stopping);
        follow_clock(store, batch);
        if (batch)
            run_batch(store, batch);
        make_reports(store);
        if (!batch && stopping)
            break;
        try_again(store);
        if (!batch && store->failing && !store->unrecorded)
            probe(store);
        note_receiving(store);
        if (stopping && store->failing)
            continue; /* each step would wait for the disk, too */
        housekeeping_run(&store->house, store->base.state_dir, store->db, store->segments,
                         clock_now_ms());
        bring_log_home(store);
    }
    note_receiving(store);
    if (!store->failing) {
        share_notices_tell_last(store->db, clock_now_ms());
        event_shares_save(store->db);
        throttle_rows_settle(store->db);
    }
    while (store->unrecorded) {
        struct job *job = store->unrecorded;
        store->unrecorded = job->next;
        give_up(store, job);
        answer(store, job);
    }
    return NULL;
}

/* ---- start and stop ---- */

static bool find_last_id(struct sqlite_store *store, struct err *err)
{
    struct rows *s = rows_prepare(store->db, SQL_LAST_ID);
    while (rows_next(store->db, s, err))
        atomic_store(&store->ids.last, rows_get_int(s, 0));
    return err->kind == ERR_NONE;
}

/* By the last event: it is not written yet by the clock, which has been set back while nobody ran;
 * or nobody ran since then, and no endpoint was asked. */
static bool mend_clock(struct sqlite_store *store, struct err *err)
{
    int64_t ahead_ms = 0;
    int64_t now_ms = clock_now_ms();
    struct rows *s = rows_prepare(store->db, SQL_LAST_AT);
    while (rows_next(store->db, s, err))
        ahead_ms = rows_get_int(s, 0) - now_ms;
    return err->kind == ERR_NONE &&
           (ahead_ms >= 0 ||
            rows_run(store->db, ROWS(store->db, SQL_WEBHOOKS_UNASKED, INT(-ahead_ms), INT(now_ms)),
                     err)) &&
           (ahead_ms <= CLOCK_SLACK_MS || rows_move(store->db, -ahead_ms, err));
}

static void collect_place(void *context, const struct mail_place *place)
{
    struct sqlite_store *store = context;
    segments_keep(store->segments, place);
}

static void collect_due(void *context, const struct database_due *due)
{
    struct sqlite_store *store = context;
    rows_note_due(store->db, due);
    if (store->db->due.count == DUE_AT_ONCE)
        tell_due(store);
}

/* The reader goes first: who closes the database last brings its log home. */
static void close_all(struct sqlite_store *store)
{
    reader_stop(store->base.reader);
    database_close(store->db);
    segments_free(store->segments);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    job_queue_fini(&store->job_queue);
}

static bool start(struct store *base, struct err *err)
{
    struct sqlite_store *store = own(base);
    store->lock_fd = -1;
    job_queue_init(&store->job_queue);
    bool ok = state_lock_take(base->state_dir, &store->lock_fd, err);
    ok = ok && database_use_small_pages(base->state_dir, err) &&
         database_open(base->state_dir, DATABASE_SERVE, &store->db, err) &&
         segments_open(base->state_dir, &store->segments, err) &&
         event_shares_load(store->db, clock_now_ms(), err) &&
         rows_index_all_events(store->db, err) && find_last_id(store, err) &&
         duplicates_key(store->db, base->content_key, err) && mend_clock(store, err) &&
         directory_open(store->db, &base->directory, err) &&
         database_waiting(store->db, collect_place, collect_due, store, err) &&
         reader_start(base->state_dir, store->db->leases, &base->reader, err);
    if (ok) {
        base->leases = store->db->leases;
        store->job_queue.shares = &store->db->shares;
        tell_due(store);
        segments_sweep_unknown(store->segments);
    }
    if (ok && pthread_create(&store->thread, NULL, run_thread, store) != 0)
        ok = err_set(err, ERR_SYSTEM, "starting the store's thread failed");
    if (!ok)
        close_all(store);
    if (!ok && err->kind == ERR_FULL)
        err_wrap(err, "%.200s cannot be opened, make room on its disk and start again",
                 base->state_dir);
    return ok;
}

static bool stop(struct store *base)
{
    struct sqlite_store *store = own(base);
    struct err err = {0};
    job_queue_stop(&store->job_queue);
    pthread_join(store->thread, NULL);
    if (!store->failing && !rows_index_all_events(store->db, &err)) /* the next start does it */
        log_fault("store_fault", &err);
    close_all(store);
    return !store->lost;
}

const struct store_engine store_engine_sqlite = {.size = sizeof(struct sqlite_store),
                                                 .create = state_lock_create,
                                                 .run_alone = state_lock_run_alone,
                                                 .start = start,
                                                 .stop = stop,
                                                 .put = put,
                                                 .new_id = new_id,
                                                 .new_segment = new_segment,
                                                 .paused = is_paused};
