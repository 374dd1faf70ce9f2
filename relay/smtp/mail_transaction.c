// SPDX-License-Identifier: BSD-2-Clause
/* mail_transaction.c - The client's stages of a message: MAIL, RCPT, DATA, content, RSET (RFC 5321
 * section 3.3). Those before the first message are in hello.c. */
#include "delivery_parts.h"
#include "dots.h"
#include "meaning.h"
#include "offers.h"
#include "rcpts.h"

void transaction_say_mail(struct delivery *d)
{
    offers_say_mail(d->mail, &d->offers, &d->out);
    if (!d->offers.pipelining)
        return;
    for (size_t i = 0; i < d->mail->count; i++)
        offers_say_rcpt(&d->mail->rcpts[i], &d->offers, &d->out);
    buf_add(&d->out, SPAN("DATA\r\n"));
    d->ahead = (unsigned)d->mail->count + 1;
}

/* It has taken messages on this connection, and does not take this one now: another connection may
 * be all that it wants. What is in flight ends with this one. */
static enum delivery_stage takes_no_more(struct delivery *d, const struct verdict *v)
{
    d->trouble = *v;
    if (d->ahead == 0)
        delivery_say_quit(d);
    delivery_loses(d, NULL, LOSS_CLOSED);
    return QUIT;
}

enum delivery_stage transaction_mail_answered(struct delivery *d, const struct verdict *v)
{
    d->asked = 0;
    if (v->what == VERDICT_ACCEPT)
        return RCPT;
    if (d->mails > 1 && !meaning_is_sender(v)) /* a fresh connection will tell */
        return takes_no_more(d, v);
    d->mail_refused = *v;
    return d->ahead > 0
               ? RCPT
               : RSET; /* the burst is in flight: its answers must be collected all the same */
}

void transaction_say_rcpt(struct delivery *d)
{
    offers_say_rcpt(&d->mail->rcpts[d->asked], &d->offers, &d->out);
}

enum delivery_stage transaction_rcpt_answered(struct delivery *d, const struct verdict *v)
{
    struct delivery_rcpt *rcpt = &d->mail->rcpts[d->asked++];
    struct verdict *answer = &rcpt->answer;
    d->taken_in_vain = d->taken_in_vain || (d->mail_refused.code && v->what == VERDICT_ACCEPT);
    rcpt->own = d->mail_refused.code == 0 && v->what != VERDICT_ACCEPT;
    *answer = d->mail_refused.code != 0 ? d->mail_refused : *v; /* a refused MAIL speaks for all */
    bool too_many = d->mail_refused.code == 0 && rcpts_are_too_many(v);
    rcpt->too_many = too_many && rcpts_accepted(d->mail) > 0;
    if (rcpt->too_many || (too_many && v->code == 552))
        answer->what = VERDICT_DEFER;
    if (d->asked < d->mail->count)
        return RCPT;
    return d->ahead > 0 || rcpts_accepted(d->mail) > 0 ? DATA : RSET;
}

void transaction_say_data(struct delivery *d)
{
    buf_add(&d->out, SPAN("DATA\r\n"));
}

/* MAIL was refused, and yet it takes a message for whom it has taken: even an empty one would reach
 * them. Only the end of the connection ends this. */
static enum delivery_stage wants_it_in_vain(struct delivery *d)
{
    d->trouble = verdict_make(451, "4.5.0", "protocol error: MAIL was refused, but DATA was not");
    rcpts_answer_all(d->mail, &d->mail_refused);
    d->want = DELIVERY_DONE;
    return READY;
}

enum delivery_stage transaction_data_answered(struct delivery *d, const struct verdict *v)
{
    bool wanted = d->mail_refused.code == 0 && rcpts_accepted(d->mail) > 0;
    if (v->code == 354 && wanted) {
        *d->dots = (struct dots_out){0};
        d->saying_body = true;
        d->want = DELIVERY_BODY;
        return BODY;
    }
    if (v->code == 354 && d->taken_in_vain)
        return wants_it_in_vain(d);
    if (v->code == 354) { /* RFC 2920 section 3.1: nobody was accepted: an empty message */
        buf_add(&d->out, SPAN(".\r\n"));
        return BODY;
    }
    if (v->what == VERDICT_ACCEPT)
        return delivery_breaks(d, "protocol error: DATA answered with neither 354 nor a refusal");
    if (wanted)
        rcpts_answer_all(d->mail, v);
    return RSET;
}

/* Of an empty message, which nobody is to get. The answer to any other message is that of its end,
 * and never comes here: doubt.c. */
enum delivery_stage transaction_body_answered(struct delivery *d, const struct verdict *v)
{
    (void)d;
    (void)v;
    return RSET;
}

void transaction_say_rset(struct delivery *d)
{
    buf_add(&d->out, SPAN("RSET\r\n"));
}

/* Nobody refuses RSET: the answer may be another command's, and so may all before it. Where there
 * is one recipient, or MAIL was refused, it is the message all the same that was not wanted. */
enum delivery_stage transaction_rset_answered(struct delivery *d, const struct verdict *v)
{
    bool ok = v->what == VERDICT_ACCEPT && v->code != 220;
    if (d->mail_refused.code != 0)
        rcpts_answer_all(d->mail, &d->mail_refused);
    else if (!ok && d->mail->count > 1)
        return delivery_breaks(d, "protocol error: RSET was refused, so no answer is certain");
    for (size_t i = 0; i < d->mail->count; i++)
        d->mail->rcpts[i].own = d->mail->rcpts[i].own && ok;
    if (!ok) /* of no more use */
        d->trouble = verdict_make(451, "4.5.0", "RSET was answered: %d %s", v->code, v->text);
    d->want = DELIVERY_DONE;
    return READY;
}
