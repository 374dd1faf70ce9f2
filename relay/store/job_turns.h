// SPDX-License-Identifier: BSD-2-Clause
/* job_turns.h - More jobs than one batch may hold: tenants' mail by turns, and beside it all else.
 *
 * For one thread. No tenant waits for the mail of another to be written, however much that one has
 * put; of one tenant all mail comes in its order, and so do the jobs that are no mail.
 */
#ifndef JOB_TURNS_H
#define JOB_TURNS_H

#include "jobs.h"

struct job_lane;

struct job_list {
    struct job *first, **last;
};

struct job_turns {
    struct job_list others;        /* outcomes, changes, notes */
    struct job_lane *lanes;        /* by tenant; none is empty */
    struct job_lane *turn, **tail; /* whose turn it is, and who follows */
};

void job_turns_init(struct job_turns *t);
/* Takes all of `list`. */
void job_turns_add(struct job_turns *t, struct job *list);
bool job_turns_is_empty(const struct job_turns *t);
/* A batch of up to `max` jobs and JOB_BATCH_WORK, at least one; NULL: there is none. While mail
 * waits, all else has the first half of it, and what mail leaves over. */
struct job *job_turns_take(struct job_turns *t, size_t max);
/* jobs_move() of all that waits. */
void job_turns_move(struct job_turns *t, int64_t step_ms);

#endif
