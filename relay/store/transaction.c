// SPDX-License-Identifier: BSD-2-Clause
/* transaction.c - Each job of a batch in order, all in one transaction; one that fails for what it
 * is fails alone.
 *
 * What fails because of its own content (a row that breaks a rule of the tables, a value that is
 * too large, a change that is refused) would fail at every attempt, and is told from what fails
 * because of the disk: that undoes all.
 *
 * A savepoint for each job would make this simple, but costs each message two statements that are
 * nearly never of use. So there is none until a row is refused: then all is undone and the batch is
 * run once more, with savepoints. A change may not be run twice, as it may have told somebody what
 * it found; so from the first one on that is not `repeatable`, each job of a batch has its
 * savepoint.
 *
 * Failure modes:
 * - a job is bad: it alone is undone, and the others are committed
 * - anything else (BEGIN, a statement, COMMIT): nothing is written, and all jobs have failed
 */
#include "transaction.h"

#include "accept.h"
#include "accept_policy.h"
#include "access.h"
#include "change_rows.h"
#include "clock.h"
#include "db.h"
#include "ends.h"
#include "events.h"
#include "settle.h"
#include "tlsrpt_reports.h"
#include "tlsrpt_rows.h"

/* ---- one job ---- */

/* Exactly once: what says that it is sent comes with the mail, or not at all. */
static bool run_tls_report(struct database *db, struct store_accept *a, struct err *err)
{
    bool queued = false;
    if (!tlsrpt_rows_queue(db, a, &queued, err))
        return false;
    if (queued)
        return rows_accept(db, a, err);
    a->result = STORE_DUPLICATE;
    return true;
}

static bool run_accept(const struct transaction *t, struct store_accept *a, struct err *err)
{
    bool ok = access_check(t->db, t->directory, a, err) &&
              (a->result != STORE_UNDECIDED || !a->throttle ||
               accept_policy_decide(t->db, a, clock_now_ms(), err));
    return ok && (a->result != STORE_UNDECIDED ||
                  (a->tls_report ? run_tls_report(t->db, a, err) : rows_accept(t->db, a, err)));
}

static bool run_report(const struct transaction *t, struct report *r, struct err *err)
{
    return reports_tell(t->reports, t->db, r, clock_now_ms(), err) &&
           (!r->accept.mail || r->dropped || rows_accept(t->db, &r->accept, err));
}

static bool run_settle(struct database *db, struct store_settle *s, struct err *err)
{
    int64_t now_ms = clock_now_ms();
    for (size_t i = 0; i < s->count; i++)
        if (!rows_settle(db, &s->outcomes[i], now_ms, err) ||
            !rows_end(db, s->outcomes[i].message, err))
            return false;
    for (size_t i = 0; i < s->session_count; i++)
        if (!tlsrpt_rows_count(db, &s->sessions[i], s->tenant, now_ms, err))
            return false;
    s->result = STORE_RECORDED;
    return true;
}

static bool run_tell(struct database *db, struct store_tell *t, struct err *err)
{
    if (t->event.at_ms == 0)
        t->event.at_ms = clock_now_ms();
    t->result = STORE_TOLD;
    return rows_event(db, &t->event, err);
}

static bool run_change(struct database *db, struct store_change *c, struct err *err)
{
    db->revised = db->revised || !c->reads;
    c->result = STORE_CHANGED;
    return c->run(db, c->context, err);
}

static bool run_one(const struct transaction *t, struct job *job, struct err *err)
{
    switch (job->kind) {
    case JOB_ACCEPT:
        return run_accept(t, &job->as.accept, err);
    case JOB_SETTLE:
        return run_settle(t->db, &job->as.settle, err);
    case JOB_CHANGE:
        return run_change(t->db, &job->as.change, err);
    case JOB_TELL:
        return run_tell(t->db, &job->as.tell, err);
    case JOB_REPORT:
        return run_report(t, &job->as.report, err);
    }
    UNREACHABLE();
}

/* Would it fail each time? */
static bool is_bad(const struct transaction *t, const struct job *job)
{
    return job->kind == JOB_CHANGE || rows_is_refused(t->db);
}

/* In a savepoint: when it is bad, only it is undone. False: the transaction cannot go on. */
static bool run_apart(const struct transaction *t, struct job *job, struct err *err)
{
    struct rows_mark mark;
    if (!rows_savepoint(t->db, &mark, err))
        return false;
    if (run_one(t, job, err))
        return rows_release(t->db, &mark, err);
    if (!is_bad(t, job))
        return false;
    job_forget(job);
    job_fail(job, JOB_BAD, err);
    return rows_undo(t->db, &mark, err);
}

/* ---- the batch ---- */

static bool is_run_once(const struct job *job)
{
    return job->kind == JOB_CHANGE && !job->as.change.repeatable;
}

enum end { COMMITTED, ONE_IS_BAD, NOT_WRITTEN };

static enum end run_all(const struct transaction *t, struct job *jobs, bool apart, struct err *err)
{
    if (!rows_simple(t->db, SQL_BEGIN, err))
        return NOT_WRITTEN;
    for (struct job *job = jobs; job; job = job->next) {
        if (job->state != JOB_READY)
            continue;
        apart = apart || is_run_once(job);
        if (!(apart ? run_apart(t, job, err) : run_one(t, job, err)))
            return !apart && is_bad(t, job) ? ONE_IS_BAD : NOT_WRITTEN;
        if (!rows_index_events(t->db, err)) /* so that the next one has few to look through */
            return NOT_WRITTEN;
        if (job->state == JOB_READY)
            job->state = JOB_DONE;
    }
    bool ok = change_rows_read(t->db, err) && rows_simple(t->db, SQL_COMMIT, err);
    return ok ? COMMITTED : NOT_WRITTEN;
}

static void undo_all(const struct transaction *t, struct job *jobs)
{
    rows_rollback(t->db);
    for (struct job *job = jobs; job; job = job->next)
        if (job->state == JOB_DONE || job->state == JOB_READY)
            job_forget(job);
}

bool transaction_run(const struct transaction *t, struct job *jobs, struct err *err)
{
    enum end end = run_all(t, jobs, false, err);
    if (end == ONE_IS_BAD) {
        undo_all(t, jobs);
        end = run_all(t, jobs, true, err);
    }
    if (end == COMMITTED)
        return true;
    undo_all(t, jobs);
    for (struct job *job = jobs; job; job = job->next)
        if (job->state == JOB_READY)
            job_fail(job, JOB_FAILED, err);
    return false;
}
