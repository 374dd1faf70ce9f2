// SPDX-License-Identifier: BSD-2-Clause
/* bodies.c - The bytes of a batch's new mail, written and synced before its rows are. */
#include "bodies.h"

static void refuse_new_mail(struct store_job *jobs)
{
    for (struct store_job *job = jobs; job; job = job->next)
        if (job->mail && job->outcome_count == 0)
            job->ok = err_set(&job->err, ERR_FULL, "the disk is nearly full: new mail is refused");
}

void bodies_write(struct segments *segments, struct store_job *jobs)
{
    struct err err = {0};
    for (struct store_job *job = jobs; job; job = job->next)
        job->ok = true;
    if (segments_disk_is_low(segments))
        refuse_new_mail(jobs);
    for (struct store_job *job = jobs; job; job = job->next) {
        if (job->ok && job->mail && job->mail->place.segment == 0)
            segments_add(segments, job->mail->id, buf_span(&job->body), &job->mail->place);
    }
    if (segments_sync(segments, &err))
        return;
    for (struct store_job *job = jobs; job; job = job->next) {
        if (job->ok && job->mail && job->body.len > 0) {
            job->mail->place = (struct mail_place){0};
            job->ok = false;
            job->err = err;
        }
    }
}
