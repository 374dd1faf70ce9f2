// SPDX-License-Identifier: BSD-2-Clause
/* jobs.h - Inside the store: a job with what only the store knows of it, and lists of them. */
#ifndef JOBS_H
#define JOBS_H

#include "store_jobs.h"

enum job_kind { JOB_ACCEPT, JOB_SETTLE, JOB_CHANGE, JOB_TELL, JOB_REPORT };

/*   READY ─▶ DONE       it was run, and holds with the commit
 *     │ └──▶ BAD        undone alone: a change has failed, or the database does not take it for
 *     │                 what it is, and would not the next time
 *     ├────▶ FAILED     undone with all others: the transaction could not be written
 *     └────▶ LEFT_OUT   its bytes could not be written, so that it was not run
 */
enum job_state { JOB_READY, JOB_DONE, JOB_BAD, JOB_FAILED, JOB_LEFT_OUT };

/* A report on a message, to its sender, about these recipients of it (reports.c). */
struct report {
    struct store_accept accept; /* its mail is the report; NULL: only the books are put right */
    int64_t of;
    unsigned *numbers; /* owned */
    size_t count;
    bool fails;    /* about a failure, too: it waits rather than be dropped */
    bool unquoted; /* the message could not be read: job.err */
    bool dropped;  /* that mailbox has had its share of reports, which is an event */
};

struct job {
    struct job *next;
    enum job_kind kind;
    enum job_state state;
    size_t work;      /* job_weight.h */
    bool logged;      /* that its outcomes are not recorded */
    bool has_spooled; /* its bytes lay in a segment of their own before it was put */
    union {
        struct store_job any; /* what each of the others begins with */
        struct store_accept accept;
        struct store_settle settle;
        struct store_change change;
        struct store_tell tell;
        struct report report;
    } as;
};

struct job *job_of(struct store_job *any);
struct report *job_new_report(void);

/* The new mail that it brings; NULL: none. */
struct store_accept *job_new_mail(struct job *job);
/* Has its new mail been committed? */
bool job_has_accepted(const struct job *job);
/* It is in this state, because of `why`. */
void job_fail(struct job *job, enum job_state state, const struct err *why);
/* As if it had not been run. */
void job_forget(struct job *job);

/* Its work, as a batch counts it: no job counts for more than half a batch, so that it finds its
 * place beside others. */
size_t job_work(const struct job *job);

/* Of a batch: who puts one job must not wait long for those that are being run. */
enum { JOB_BATCH_WORK = 600 };

/* Cut `list` after at most `max` jobs and JOB_BATCH_WORK, but not before the first; returns what is
 * left. */
struct job *jobs_cut(struct job *list, size_t max);
/* The clock has been set: what they say is due, was created or expires so much later. */
void jobs_move(struct job *list, int64_t step_ms);
/* Of the clock by which its times were made; 0: it is not said. */
int64_t job_offset_ms(const struct job *job);

#endif
