// SPDX-License-Identifier: BSD-2-Clause
/* capture.c - Asked in the transaction that accepts: what `dns --check` ends holds for the very
 * next message. */
#include "capture.h"

#include "accounts.h"
#include "events.h"

#include <stdio.h>
#include <string.h>

bool capture_look(struct database *db, struct store_job *job, struct err *err)
{
    if (job->may_capture)
        job->captured = database_is_captured(db, job->mail->from_domain, err);
    return err->kind == ERR_NONE;
}

bool capture_holds(const struct store_job *job, size_t i)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    if (!job->captured)
        return false;
    (void)address_counted_as(job->mail->envelope.rcpts[i].address, form);
    for (size_t k = 0; k < job->operator_count; k++)
        if (strcmp(job->operators[k], form) == 0)
            return false;
    return true;
}

void capture_end(struct store_job *job)
{
    bool any = false;
    for (size_t i = 0; job->captured && !any && i < job->mail->envelope.count; i++)
        any = capture_holds(job, i);
    job->captured = any;
}

bool capture_note(struct database *db, const struct mail *m, size_t i, struct err *err)
{
    static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
    char text[ADDRESS_DOMAIN_MAX + 100];
    snprintf(text, sizeof(text), "captured: the DNS records of %s are not right yet",
             m->from_domain);
    return rows_mail_event(db, m, i, "held", &taken, text, err);
}
