// SPDX-License-Identifier: BSD-2-Clause
/* bodies.c - The bytes of a batch's new mail, written and synced before its rows are. When that
 * fails the new mail is left out of the batch; all else in it goes on.
 */
#include "bodies.h"

static void refuse_new_mail(struct job *jobs, const struct err *why)
{
    for (struct job *job = jobs; job; job = job->next)
        if (job_new_mail(job))
            job_fail(job, JOB_LEFT_OUT, why);
}

void bodies_write(struct segments *segments, struct job *jobs)
{
    struct err err = {0};
    for (struct job *job = jobs; job; job = job->next) {
        const struct store_accept *a = job_new_mail(job);
        job->state = JOB_READY;
        job->has_spooled = a && a->mail->place.segment != 0;
    }
    if (!segments_has_room(segments, &err))
        refuse_new_mail(jobs, &err);
    for (struct job *job = jobs; job; job = job->next) {
        struct store_accept *a = job_new_mail(job);
        if (a && job->state == JOB_READY && !job->has_spooled)
            segments_add(segments, a->mail->id, buf_span(&a->body), &a->mail->place);
    }
    if (segments_sync(segments, &err))
        return;
    for (struct job *job = jobs; job; job = job->next) {
        struct store_accept *a = job_new_mail(job);
        if (a && job->state == JOB_READY && !job->has_spooled) {
            a->mail->place = (struct mail_place){0};
            job_fail(job, JOB_LEFT_OUT, &err);
        }
    }
}
