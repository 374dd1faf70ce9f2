// SPDX-License-Identifier: BSD-2-Clause
/* store.c - The store's thread: take all that waits, write the bodies, commit once, answer.
 *
 * States of a recipient, and the function that makes each move (all inside the transaction):
 *
 *          rows_accept             rows_settle              rows_end
 *   (none) ──────────▶ waiting ───────────────────▶ done ───────────▶ (row gone, its events stay)
 *                      │ ▲  │                                ▲
 *                      │ │  └─────────────────────▶ bounced ─┘
 *                      │ │       rows_settle
 *                      ▼ │
 *                     held
 *
 *   waiting ─▶ held     rows_settle (damaged record), database_queue_change (hold)
 *   held ─▶ waiting     database_queue_change (release)
 *   waiting ─▶ waiting  rows_settle (later), database_queue_change (retry)
 *   waiting ─▶ done     duplicates_replace (a newer one says the same)
 *   any ─▶ done         database_queue_change (delete)
 *   any ─▶ waiting      database_queue_change (return): with its last answer, then bounced
 *
 * A message whose sender is owed a report stays until that is accepted (reports.c).
 *
 * Guaranteed:
 *   1. An accept is answered ok only after its bytes are synced and its rows committed (C1).
 *   2. After any crash a recipient is in exactly one of these states, as a transaction is whole or
 *      not at all (C2). The transaction that settles a failure also owes its report (C6).
 *   3. An outcome is kept and tried again until it is recorded; meanwhile store_paused() stops
 *      delivery (C5).
 *   4. A segment is unlinked only after the commit that settled its last message.
 *   5. Orphans (bytes without a row) were never acknowledged; they are removed at the next start.
 *
 * Failure modes:
 * - bodies cannot be written: the accepts of this batch are refused, the rest goes on
 * - the transaction cannot be committed: accepts are refused, outcomes wait
 * - one command's change fails: undone alone, by a savepoint
 * - the database does not take one job's rows for what they are: the others are run each by itself;
 *   an outcome among such is tried again, and holds up nobody
 */
#include "store.h"

#include "bodies.h"
#include "clock.h"
#include "db.h"
#include "duplicates.h"
#include "housekeeping.h"
#include "job_queue.h"
#include "jobs.h"
#include "log.h"
#include "message_ids.h"
#include "queue_rows.h"
#include "recent.h"
#include "report_rows.h"
#include "reports.h"
#include "sandbox.h"
#include "segments.h"
#include "state_lock.h"
#include "transaction.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_MAX = 200, RETRY_PAUSE_MS = 1000, CLOCK_SLACK_MS = 2000, DUE_AT_ONCE = 1000 };

struct store {
    char *state_dir;
    int lock_fd;
    struct database *db;
    struct segments *segments;
    struct store_events events;
    unsigned char content_key[CONTENT_KEY];
    pthread_t thread;
    struct message_ids ids;
    _Atomic uint64_t accounts;
    atomic_bool paused, giving_up;
    struct job_queue job_queue;
    struct recent recent;
    pthread_mutex_t reports_mutex; /* guards `reports` */
    struct reports reports;

    /* the thread's own */
    struct store_job *unrecorded; /* outcomes that could not be committed yet */
    struct reports reporting;     /* as it was set */
    bool failing;                 /* the last transaction could not be committed */
    bool lost;                    /* an outcome was answered without being recorded */
    int64_t step_ms;              /* the clock has been set; the rows have not moved yet */
    struct housekeeping house;
};

/* ---- from any thread ---- */

int64_t store_new_id(struct store *store)
{
    return message_ids_new(&store->ids);
}

const unsigned char *store_content_key(const struct store *store)
{
    return store->content_key;
}

int64_t store_new_segment(struct store *store)
{
    return segments_reserve(store->segments);
}

uint64_t store_accounts(const struct store *store)
{
    return atomic_load(&store->accounts);
}

bool store_paused(struct store *store)
{
    return atomic_load(&store->paused);
}

void store_give_up(struct store *store)
{
    atomic_store(&store->giving_up, true);
}

struct mail *store_recent(struct store *store, int64_t id)
{
    return recent_take(&store->recent, id);
}

void store_put(struct store *store, struct store_job *job)
{
    job_queue_put(&store->job_queue, job);
}

/* ---- one batch ---- */

/* The wall clock changes on this thread only, so that rows and steady times always fit together. */
static void tell_due(struct store *store)
{
    struct due_list *due = &store->db->due;
    int64_t offset_ms = clock_offset_ms();
    for (size_t i = 0; i < due->count; i++) {
        due->items[i].due_ms -= offset_ms;
        due->items[i].expires_ms -= offset_ms;
    }
    if (due->count > 0)
        store->events.due(store->events.context, due->items, due->count);
    due->count = 0;
}

/* What the transaction has changed, for those who keep it in memory. */
static void publish(struct store *store, struct store_job *jobs)
{
    struct database *db = store->db;
    if (db->accounts_changed)
        atomic_fetch_add(&store->accounts, 1);
    for (struct store_job *job = jobs; job; job = job->next)
        if (job->ok && job->mail)
            segments_keep(store->segments, &job->mail->place);
    for (size_t i = 0; i < db->released.count; i++)
        segments_release(store->segments, &db->released.items[i]);
    segments_sweep(store->segments);
    recent_note(&store->recent, jobs, db->revised);
    tell_due(store);
    rows_forget(db);
}

static bool transact(struct store *store, struct store_job *jobs, struct err *err)
{
    const struct transaction t = {store->db, &store->reporting, atomic_load(&store->accounts)};
    if (!transaction_run(&t, jobs, err))
        return false;
    publish(store, jobs);
    return true;
}

/* One of them cannot be written: the others by themselves. False: it is not only that one. */
static bool run_each(struct store *store, struct store_job *jobs, struct err *err)
{
    bool works = true;
    for (struct store_job *job = jobs; works && job; job = job->next) {
        struct store_job *rest = job->next;
        if (!job->again)
            continue;
        job->next = NULL;
        job->ok = true;
        works = transact(store, job, err) || job->bad;
        job->next = rest;
    }
    return works;
}

/* Said when it begins and when it is over, not each time that it is tried. */
static void set_paused(struct store *store, bool paused, const struct err *why)
{
    if (atomic_exchange(&store->paused, paused) == paused)
        return;
    if (paused)
        log_fault("delivery_paused", why);
    else
        log_event(LOG_WARN, "delivery_resumed", "what", "the store can write again");
}

/* What is bad in itself is tried again as well, but it holds up nobody; it is said once. */
static void note_bad(struct store_job *job)
{
    if (job->bad && !job->told)
        log_end(log_text(log_id(log_begin(LOG_ERROR, "unrecorded"), job->outcomes[0].message),
                         "reply", job->err.text));
    job->told = job->told || job->bad;
}

/* The first that delivery has to wait for; NULL: none. */
static const struct store_job *holds_up(const struct store_job *unrecorded)
{
    while (unrecorded && unrecorded->bad)
        unrecorded = unrecorded->next;
    return unrecorded;
}

/* Answer each job; those with outcomes that are not recorded stay here while there is time. */
static void answer_all(struct store *store, struct store_job *jobs, const struct err *err)
{
    bool patient = !atomic_load(&store->giving_up);
    while (jobs) {
        struct store_job *job = jobs;
        jobs = job->next;
        job->next = NULL;
        if (!job->ok && job->outcome_count > 0 && patient) {
            note_bad(job);
            if (job->mail && job->body.len > 0)
                job->mail->place = (struct mail_place){0};
            job->next = store->unrecorded;
            store->unrecorded = job;
            continue;
        }
        store->lost = store->lost || (!job->ok && job->outcome_count > 0);
        job->answer(job);
    }
    const struct store_job *first = holds_up(store->unrecorded);
    set_paused(store, store->failing || first, first ? &first->err : err);
}

static void run_batch(struct store *store, struct store_job *jobs)
{
    struct err err = {0};
    bodies_write(store->segments, jobs);
    if (transact(store, jobs, &err))
        store->failing = false;
    else
        store->failing = !jobs_have_bad(jobs) || !run_each(store, jobs, &err);
    answer_all(store, jobs, &err);
}

/* What senders are owed, when it is due: in batches of its own. */
static void make_reports(struct store *store)
{
    struct err err = {0};
    struct store_job *jobs = NULL;
    int64_t first = 0;
    if (atomic_load(&store->paused) || store->db->report_due_ms > clock_now_ms())
        return;
    pthread_mutex_lock(&store->reports_mutex);
    store->reporting = store->reports;
    pthread_mutex_unlock(&store->reports_mutex);
    bool ok =
        report_rows_look(store->db, 0, &first, &err) &&
        reports_make(&store->reporting, &store->ids, store->db, store->state_dir, &jobs, &err);
    if (jobs)
        run_batch(store, jobs);
    if (ok && report_rows_look(store->db, first, &first, &err))
        return;
    store->db->report_due_ms = clock_now_ms() + RETRY_PAUSE_MS;
    log_event(LOG_ERROR, "not_reported", "reply", err.text);
}

/* How long there may be nothing to do. */
static int64_t pause_ms(const struct store *store)
{
    int64_t house_ms = housekeeping_wait_ms(&store->house, clock_now_ms());
    int64_t report_ms = store->db->report_due_ms - clock_now_ms();
    if (store->unrecorded || store->failing)
        return house_ms < RETRY_PAUSE_MS ? house_ms : RETRY_PAUSE_MS;
    if (report_ms < 0)
        return 0;
    return report_ms < house_ms ? report_ms : house_ms;
}

void store_set_reports(struct store *store, const char *hostname,
                       const struct throttle_settings *throttle)
{
    struct reports r = {.mode = throttle->mode, .limit = throttle->report};
    snprintf(r.hostname, sizeof(r.hostname), "%s", hostname);
    pthread_mutex_lock(&store->reports_mutex);
    store->reports = r;
    pthread_mutex_unlock(&store->reports_mutex);
}

/* ---- the thread ---- */

/* Nothing waits to be recorded, but the last commit failed: does a small one work again? */
static void probe(struct store *store)
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
static void try_again(struct store *store)
{
    struct store_job *list = store->unrecorded;
    store->unrecorded = NULL;
    while (list) {
        struct store_job *rest = jobs_cut(list, BATCH_MAX);
        run_batch(store, list);
        list = rest;
    }
}

/* When the clock has been set, all that waits moves with it: in the jobs and in the rows. */
static void follow_clock(struct store *store, struct store_job *batch)
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
    recent_clear(&store->recent);
    clock_moved();
    store->events.stepped(store->events.context, store->step_ms);
    store->step_ms = 0;
}

static void *run_thread(void *context)
{
    struct store *store = context;
    struct err err = {0};
    bool stopping = false;
    CHECK(sandbox_calls(SANDBOX_STORE, &err));
    for (;;) {
        struct store_job *batch =
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
        housekeeping_run(&store->house, store->state_dir, store->db, store->segments,
                         clock_now_ms());
    }
    while (store->unrecorded) { /* they are delivered again after the next start (C3) */
        struct store_job *job = store->unrecorded;
        store->unrecorded = job->next;
        store->lost = true;
        job->answer(job);
    }
    return NULL;
}

/* ---- start and stop ---- */

static bool find_last_id(struct store *store, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(store->db, SQL_LAST_ID);
    while (rows_next(store->db, s, err))
        atomic_store(&store->ids.last, sqlite3_column_int64(s, 0));
    return err->kind == ERR_NONE;
}

/* The last event is not written yet by the clock: it has been set back while nobody ran. */
static bool mend_clock(struct store *store, struct err *err)
{
    int64_t ahead_ms = 0;
    sqlite3_stmt *s = rows_prepare(store->db, SQL_LAST_AT);
    while (rows_next(store->db, s, err))
        ahead_ms = sqlite3_column_int64(s, 0) - clock_now_ms();
    return err->kind == ERR_NONE &&
           (ahead_ms <= CLOCK_SLACK_MS || rows_move(store->db, -ahead_ms, err));
}

static void collect_due(void *context, const struct database_due *due)
{
    struct store *store = context;
    rows_note_due(store->db, due);
    if (store->db->due.count == DUE_AT_ONCE)
        tell_due(store);
}

static void free_store(struct store *store)
{
    database_close(store->db);
    segments_free(store->segments);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    job_queue_fini(&store->job_queue);
    recent_fini(&store->recent);
    pthread_mutex_destroy(&store->reports_mutex);
    free(store->state_dir);
    free(store);
}

bool store_start(const char *state_dir, const struct store_events *events, struct store **store_r,
                 struct err *err)
{
    struct store *store = xcalloc(1, sizeof(*store));
    store->state_dir = xstrdup(state_dir);
    store->events = *events;
    store->lock_fd = -1;
    job_queue_init(&store->job_queue);
    recent_init(&store->recent);
    pthread_mutex_init(&store->reports_mutex, NULL);
    bool ok = state_lock_take(state_dir, &store->lock_fd, err) &&
              database_open(state_dir, DATABASE_WRITE, &store->db, err) &&
              segments_open(state_dir, &store->segments, err) &&
              housekeeping_begin(store->db, store->segments, err) && find_last_id(store, err) &&
              duplicates_key(store->db, store->content_key, err) && mend_clock(store, err) &&
              database_waiting(store->db, collect_due, store, err);
    if (ok) {
        tell_due(store);
        segments_sweep_unknown(store->segments);
    }
    if (ok && pthread_create(&store->thread, NULL, run_thread, store) != 0)
        ok = err_set(err, ERR_SYSTEM, "starting the store's thread failed");
    if (!ok) {
        free_store(store);
        return false;
    }
    *store_r = store;
    return true;
}

bool store_stop(struct store *store)
{
    job_queue_stop(&store->job_queue);
    pthread_join(store->thread, NULL);
    bool lost = store->lost;
    free_store(store);
    return !lost;
}
