// SPDX-License-Identifier: BSD-2-Clause
/* submission_reply.c - Replies and log lines: one line for each result (queued, paced, collapsed,
 * repeated, refused). */
#include "submission_reply.h"

#include "log.h"

struct verdict submission_reply_failure(const struct err *err)
{
    return err->kind == ERR_FULL
               ? verdict_make(452, "4.3.1", "Insufficient system storage: try again later")
               : verdict_make(451, "4.3.0", "Message could not be stored: try again later");
}

/* Every recipient has its slot later: the application is told when the first one is. */
static int64_t paced_s(const struct store_accept *a)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; a->decisions && i < a->mail->envelope.count; i++) {
        const struct throttle_decision *d = &a->decisions[i];
        bool paced = d->what == THROTTLE_PACE || d->what == THROTTLE_REPLACES;
        int64_t wait_ms = paced ? d->wait_ms : 0;
        first_ms = wait_ms < first_ms ? wait_ms : first_ms;
    }
    return a->decisions ? (first_ms + 999) / 1000 : 0;
}

/* Nothing new is sent, because of another message. */
static struct verdict repeated(const struct throttle_decision *d)
{
    char other[MAIL_ID_TEXT];
    mail_id_print(d->other, other);
    return d->what == THROTTLE_COLLAPSED
               ? verdict_make(250, "2.0.0", "collapsed into %s", other)
               : verdict_make(250, "2.0.0", "duplicate of %s, not sent again", other);
}

struct verdict submission_reply_answer(const struct store_accept *a, struct buf *more)
{
    char id[MAIL_ID_TEXT];
    int64_t wait_s = paced_s(a);
    mail_id_print(a->mail->id, id);
    switch (a->result) {
    case STORE_REFUSED:
    case STORE_STALE:
    case STORE_OVER_QUOTA:
        return a->refusal;
    case STORE_UNDECIDED:
    case STORE_NO_ROOM:
    case STORE_FAILED:
        return submission_reply_failure(&a->job.err);
    case STORE_DUPLICATE:
        buf_addf(more, "Ok: queued as %s\n", id);
        return repeated(&a->decisions[0]);
    case STORE_CAPTURED:
        buf_addf(more, "Ok: queued as %s\n", id);
        if (a->capture == DOMAIN_HELD_BY_HAND)
            return verdict_make(250, "2.0.0", "held: whoever runs the relay holds the mail of %s",
                                a->mail->from_domain);
        return verdict_make(250, "2.0.0",
                            "held: the DNS records of %s are not right yet, see 'sealpost dns %s "
                            "--check'",
                            a->mail->from_domain, a->mail->from_domain);
    case STORE_ACCEPTED:
        if (wait_s == 0)
            return verdict_make(250, "2.0.0", "Ok: queued as %s", id);
        buf_addf(more, "Ok: queued as %s\n", id);
        return verdict_make(250, "2.0.0", "paced, next slot in %lld s", (long long)wait_s);
    }
    UNREACHABLE();
}

void submission_reply_log(const struct store_accept *a)
{
    const struct mail *m = a->mail;
    if (store_has_accepted(a)) {
        struct log_line *line = log_id(log_begin(LOG_INFO, "accepted"), m->id);
        line = log_text(log_text(log_text(line, "user", m->credential), "peer", m->peer), "from",
                        m->envelope.sender);
        if (m->message_id)
            line = log_text(line, "message_id", m->message_id);
        log_end(log_number(log_number(line, "count", (int64_t)m->envelope.count), "size",
                           m->place.length));
    }
    if (store_has_accepted(a) && a->observed > 0)
        log_end(log_number(
            log_text(log_id(log_begin(LOG_WARN, "would_throttle"), m->id), "user", m->credential),
            "count", a->observed));
    if (a->result == STORE_DUPLICATE)
        log_end(
            log_text(log_text(log_id(log_begin(LOG_INFO, a->decisions[0].what == THROTTLE_COLLAPSED
                                                             ? "collapsed"
                                                             : "repeated"),
                                     a->decisions[0].other),
                              "user", m->credential),
                     "peer", m->peer));
}
