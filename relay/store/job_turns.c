// SPDX-License-Identifier: BSD-2-Clause
/* job_turns.c - Deficit round robin over the tenants whose mail waits.
 *
 *   job_turns_add()    a tenant that has none waiting yet joins behind the others
 *   job_turns_take()   whoever's turn it is has a little more credit, and takes what that pays for
 *
 * Work is counted, not messages: a message to a hundred recipients costs its tenant several turns,
 * and many more if sixteen endpoints are told of each.
 * Who joins may take one turn's worth, whatever it had left the last time: nobody saves up.
 */
#include "job_turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { TURN_WORK = 25 };

struct job_lane {
    char tenant[64];
    struct job_list jobs;
    size_t credit;
    struct job_lane *next; /* in turn */
    UT_hash_handle hh;
};

/* What may still go into a batch, and its end. */
struct batch {
    size_t jobs, work;
    bool empty;
    struct job **last;
};

/* ---- lists ---- */

static void list_init(struct job_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void list_add(struct job_list *list, struct job *job)
{
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
}

/* The first of the list, if the batch has room for it. */
static bool pass(struct job_list *list, struct batch *to)
{
    struct job *job = list->first;
    size_t work = job_work(job);
    if (to->jobs == 0 || (work > to->work && !to->empty))
        return false;
    list->first = job->next;
    if (!list->first)
        list->last = &list->first;
    job->next = NULL;
    *to->last = job;
    to->last = &job->next;
    to->empty = false;
    to->jobs--;
    to->work -= work < to->work ? work : to->work;
    return true;
}

/* ---- lanes ---- */

static void join(struct job_turns *t, struct job_lane *lane)
{
    lane->next = NULL;
    *t->tail = lane;
    t->tail = &lane->next;
}

/* Whose turn it is leaves the row. */
static struct job_lane *step_out(struct job_turns *t)
{
    struct job_lane *lane = t->turn;
    t->turn = lane->next;
    if (!t->turn)
        t->tail = &t->turn;
    return lane;
}

static struct job_lane *lane_of(struct job_turns *t, const char *tenant)
{
    struct job_lane *lane = NULL;
    HASH_FIND_STR(t->lanes, tenant, lane);
    if (lane)
        return lane;
    lane = xcalloc(1, sizeof(*lane));
    snprintf(lane->tenant, sizeof(lane->tenant), "%s", tenant);
    lane->credit = TURN_WORK;
    list_init(&lane->jobs);
    HASH_ADD_STR(t->lanes, tenant, lane);
    join(t, lane);
    return lane;
}

void job_turns_init(struct job_turns *t)
{
    *t = (struct job_turns){0};
    list_init(&t->others);
    t->tail = &t->turn;
}

void job_turns_add(struct job_turns *t, struct job *list)
{
    while (list) {
        struct job *job = list;
        list = job->next;
        const struct store_accept *mail = job_new_mail(job);
        list_add(mail ? &lane_of(t, mail->mail->tenant)->jobs : &t->others, job);
    }
}

bool job_turns_is_empty(const struct job_turns *t)
{
    return !t->others.first && !t->turn;
}

/* ---- a batch ---- */

static void take_others(struct job_turns *t, struct batch *to)
{
    while (t->others.first && pass(&t->others, to))
        continue;
}

/* What its credit pays for. False: the batch is full, and the turn is not over. */
static bool take_turn(struct job_lane *lane, struct batch *to)
{
    while (lane->jobs.first && lane->jobs.first->work <= lane->credit) {
        size_t work = lane->jobs.first->work;
        if (!pass(&lane->jobs, to))
            return false;
        lane->credit -= work;
    }
    return true;
}

static void take_mail(struct job_turns *t, struct batch *to)
{
    while (t->turn && to->jobs > 0 && to->work > 0) {
        if (!take_turn(t->turn, to))
            return;
        struct job_lane *lane = step_out(t);
        if (lane->jobs.first) {
            lane->credit += TURN_WORK; /* for its next turn */
            join(t, lane);
            continue;
        }
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table */
        HASH_DEL(t->lanes, lane);
        free(lane);
    }
}

struct job *job_turns_take(struct job_turns *t, size_t max)
{
    struct job *first = NULL;
    struct batch to = {.jobs = max, .work = JOB_BATCH_WORK, .empty = true, .last = &first};
    if (t->turn) {
        const size_t jobs_kept = max - max / 2;
        const size_t work_kept = to.work - to.work / 2;
        to.jobs -= jobs_kept;
        to.work -= work_kept;
        take_others(t, &to);
        to.jobs += jobs_kept;
        to.work += work_kept;
        take_mail(t, &to);
    }
    take_others(t, &to);
    return first;
}

void job_turns_move(struct job_turns *t, int64_t step_ms)
{
    jobs_move(t->others.first, step_ms);
    for (struct job_lane *lane = t->turn; lane; lane = lane->next)
        jobs_move(lane->jobs.first, step_ms);
}
