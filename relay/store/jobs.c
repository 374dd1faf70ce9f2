// SPDX-License-Identifier: BSD-2-Clause
/* jobs.c - What is handed to the store and comes back: made and freed by those who ask. */
#include "jobs.h"

#include <stdlib.h>

struct store_job *store_job_new(void (*answer)(struct store_job *job), void *owner)
{
    struct store_job *job = xcalloc(1, sizeof(*job));
    buf_init(&job->body, SIZE_MAX / 2);
    job->answer = answer;
    job->owner = owner;
    return job;
}

void store_job_free(struct store_job *job)
{
    if (!job)
        return;
    mail_free(job->mail);
    buf_fini(&job->body);
    free(job->outcomes);
    free(job->decisions);
    free(job->refusals);
    free(job->once);
    free(job->note);
    free(job->reported);
    free(job);
}

struct store_outcome *store_job_add_outcome(struct store_job *job)
{
    job->outcomes = xgrow(job->outcomes, job->outcome_count + 1, sizeof(*job->outcomes));
    struct store_outcome *outcome = &job->outcomes[job->outcome_count++];
    *outcome = (struct store_outcome){0};
    return outcome;
}

struct store_job *jobs_cut(struct store_job *list, size_t max)
{
    for (size_t i = 1; list->next && i < max; i++)
        list = list->next;
    struct store_job *rest = list->next;
    list->next = NULL;
    return rest;
}

bool jobs_have_bad(const struct store_job *list)
{
    while (list && !list->bad)
        list = list->next;
    return list != NULL;
}

void jobs_move(struct store_job *list, int64_t step_ms)
{
    for (struct store_job *job = step_ms != 0 ? list : NULL; job; job = job->next) {
        if (job->mail) {
            job->mail->created_ms += step_ms;
            job->mail->expires_ms += step_ms;
        }
        for (size_t i = 0; i < job->outcome_count; i++)
            job->outcomes[i].due_ms += step_ms;
    }
}
