// SPDX-License-Identifier: BSD-2-Clause
/* job_weight.c - What a job costs all who share the store: its rows, and a row of the outbox for
 * each endpoint that is told of one of its events. So who has many endpoints has fewer messages
 * written in a turn. Endpoints that hear of some streams only are counted as if they heard of all.
 */
#include "job_weight.h"

#include "shares.h"
#include "webhooks.h"

/* An event, what is known of its recipient and of refusals, and an entry of a list. */
enum { BYTES_A_ROW = 32 * 1024, ROWS_OF_RETURN = 4 };

static size_t told(const struct share *s, const char *kind)
{
    enum webhook_type type = WEBHOOK_PING;
    return s && kind && webhook_type_of(kind, &type) ? s->told[type] : 0;
}

/* A delay is told when it begins, and once more near its end (outbox.c), which tries do not say. */
static size_t told_of(const struct share *s, const struct store_outcome *o)
{
    return o->state == MAIL_WAITING && o->tries > 1 ? 0 : told(s, o->kind);
}

static size_t accept_work(const struct store_accept *a, const struct shares *shares, bool tells)
{
    if (!a->mail)
        return 1;
    const struct share *s = tells ? shares_look(shares, a->mail->tenant) : NULL;
    return 1 + a->mail->envelope.count * (1 + told(s, "accepted")) + a->body.len / BYTES_A_ROW;
}

static size_t settle_work(const struct store_settle *s, const struct shares *shares)
{
    const struct share *share = shares_look(shares, s->tenant);
    size_t work = 1 + s->session_count;
    for (size_t i = 0; i < s->count; i++)
        work += 1 + told_of(share, &s->outcomes[i]);
    return work;
}

/* Whose mail comes back by a complaint is found out while it is written: as if all could hear. */
static size_t change_work(const struct store_change *c, const struct shares *shares)
{
    if (!c->tells)
        return 1;
    return ROWS_OF_RETURN +
           (c->tenant[0] ? told(shares_look(shares, c->tenant), c->tells) : WEBHOOKS_OF_TENANT);
}

static size_t work_of(const struct job *job, const struct shares *shares)
{
    switch (job->kind) {
    case JOB_ACCEPT:
        return accept_work(&job->as.accept, shares, true);
    case JOB_REPORT:
        return accept_work(&job->as.accept, shares, false);
    case JOB_SETTLE:
        return settle_work(&job->as.settle, shares);
    case JOB_CHANGE:
        return change_work(&job->as.change, shares);
    case JOB_TELL:
        return 1;
    }
    UNREACHABLE();
}

void job_weigh(struct job *job, const struct shares *shares)
{
    job->work = work_of(job, shares);
}
