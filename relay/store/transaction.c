// SPDX-License-Identifier: BSD-2-Clause
/* transaction.c - Each job of a batch in order; a command's failure is undone alone, any other
 * undoes all.
 *
 * What fails because of its own content (a row that breaks a rule of the tables, a value that is
 * too large) would fail at every attempt, and is told from what fails because of the disk.
 */
#include "transaction.h"

#include "accept.h"
#include "accept_policy.h"
#include "access.h"
#include "clock.h"
#include "db.h"
#include "ends.h"
#include "events.h"
#include "reports.h"
#include "settle.h"

#include <stdlib.h>

/* Nothing was to be kept of it; but that, too, was part of the transaction. */
static bool was_decided(const struct store_job *job)
{
    return job->is_duplicate || job->refusal.code != 0 || job->dropped;
}

static bool note(struct database *db, const struct store_job *job, int64_t now_ms, struct err *err)
{
    struct database_event event = {.at_ms = now_ms,
                                   .kind = "dialogue",
                                   .message = job->note_message,
                                   .recipient = "",
                                   .enhanced = "",
                                   .reply = job->note,
                                   .remote = ""};
    return !job->note || rows_event(db, &event, err);
}

static bool apply(const struct transaction *t, struct store_job *job, struct err *err)
{
    int64_t now_ms = clock_now_ms();
    struct database *db = t->db;
    bool ok = !access_allows(db, job, t->accounts) || !job->mail || !job->throttle ||
              accept_policy_decide(db, job, now_ms, err);
    if (ok && job->report_of != 0)
        ok = reports_tell(t->reports, db, job, now_ms, err);
    if (was_decided(job)) {
        job->ok = false;
        return ok;
    }
    ok = ok && (!job->mail || rows_accept(db, job, err));
    for (size_t i = 0; ok && i < job->outcome_count; i++)
        ok = rows_settle(db, &job->outcomes[i], now_ms, err) &&
             rows_end(db, job->outcomes[i].message, err);
    return ok && note(db, job, now_ms, err);
}

/* A command's change stands alone: when it fails, only it is undone. */
static bool apply_command(struct database *db, struct store_job *job, struct err *err)
{
    if (!rows_savepoint(db, err))
        return false;
    db->revised = db->revised || !job->reads;
    job->ok = job->run(db, job->context, &job->err);
    return job->ok ? rows_release(db, err) : rows_undo(db, err);
}

/* As if it had not been looked at. */
static void forget_decisions(struct store_job *job)
{
    free(job->decisions);
    free(job->refusals);
    job->decisions = NULL;
    job->refusals = NULL;
    job->observed = 0;
    job->is_duplicate = false; /* what it repeats may be in this very batch */
    job->refusal.code = 0;
    job->dropped = false;
}

/* Commands have answered already, up to the one where it stopped. */
static void fail_all(struct store_job *jobs, const struct store_job *bad, const struct err *err)
{
    bool passed = false;
    for (struct store_job *job = jobs; job; job = job->next) {
        bool tried = job->ok || was_decided(job);
        passed = passed || job == bad;
        job->bad = job == bad;
        job->again = tried && bad && job != bad && (!job->run || passed);
        if (tried)
            job->err = *err;
        job->ok = false;
        if (!job->run)
            forget_decisions(job);
    }
}

bool transaction_run(const struct transaction *t, struct store_job *jobs, struct err *err)
{
    const struct store_job *bad = NULL;
    bool ok = rows_simple(t->db, SQL_BEGIN, err);
    for (struct store_job *job = jobs; ok && job; job = job->next) {
        if (!job->ok)
            continue;
        ok = job->run ? apply_command(t->db, job, err) : apply(t, job, err);
        if (!ok && rows_is_refused(t->db))
            bad = job;
    }
    if (ok && rows_simple(t->db, SQL_COMMIT, err))
        return true;
    rows_rollback(t->db);
    fail_all(jobs, bad, err);
    return false;
}
