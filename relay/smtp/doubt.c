// SPDX-License-Identifier: BSD-2-Clause
/* doubt.c - Which of a server's answers is the one to the end of the message?
 *
 * A message is taken by the 2yz to its final dot and by nothing else (RFC 5321 sections 3.3 and
 * 4.2.5), but some servers speak before they have it, and then once more. Whoever takes the first
 * answer for the last one sends a message twice, or never.
 *
 * - Refused before the dot has been said: it is not said at all. So the message cannot have been
 *   taken, and the refusal is its answer.
 * - Answered before all of it was there, or with a 4yz, by which it would be sent again: QUIT is
 *   said, and the server goes through what it has read up to there. One answer more, 221: the
 *   first one stands. Two: the first of these is the answer to the dot.
 * - The connection ends instead: a refusal stands, and so does nothing else.
 */
#include "answer.h"
#include "delivery_parts.h"
#include "rcpts.h"

static const char wants_more[] = "protocol error: the server's answer asks for more";

/* It is about all mail just now, not about this message. */
static enum delivery_stage leaves(struct delivery *d, const struct verdict *v)
{
    d->trouble = *v;
    d->doubted = (struct verdict){0};
    delivery_loses(d, NULL, LOSS_CLOSED);
    return QUIT;
}

static enum delivery_stage stands(struct delivery *d)
{
    return d->doubted.code == 421 ? leaves(d, &d->doubted) : delivery_settles(d, &d->doubted);
}

/* While the message is being said. A yes may be followed by the answer to the dot. */
static enum delivery_stage before_the_dot(struct delivery *d, const struct verdict *v)
{
    if (v->code == 421)
        return leaves(d, v);
    if (v->code >= 400)
        return delivery_settles(d, v);
    if (v->what != VERDICT_ACCEPT)
        return delivery_breaks(d, wants_more);
    d->doubted = *v;
    return BODY;
}

static enum delivery_stage begins(struct delivery *d, const struct verdict *v)
{
    d->doubted = *v;
    if (v->code < 400 && v->what != VERDICT_ACCEPT)
        d->doubted = verdict_make(451, "4.5.0", "%s", wants_more);
    delivery_say_quit(d);
    return BODY;
}

/* Some answer QUIT with anything: a refusal gives way only to one that another one follows. */
static enum delivery_stage after_quit(struct delivery *d, const struct verdict *v)
{
    bool yes = d->doubted.what == VERDICT_ACCEPT;
    if (d->second.code != 0)
        return delivery_settles(d, &d->second);
    if (v->code == 421 && yes)
        return delivery_breaks(d, NULL); /* it is told of the early yes */
    if (v->code == 221 || v->code == 421)
        return stands(d);
    if (v->code < 400 && v->what != VERDICT_ACCEPT)
        return delivery_breaks(d, wants_more);
    if (yes)
        return delivery_settles(d, v);
    d->second = *v;
    return BODY;
}

enum delivery_stage doubt_answered(struct delivery *d, const struct verdict *v)
{
    if (d->saying_body)
        return before_the_dot(d, v);
    if (d->doubted.code != 0)
        return after_quit(d, v);
    if (d->answered_early || v->code / 100 == 4 || v->code / 100 == 3)
        return begins(d, v);
    rcpts_answer_all(d->mail, v);
    d->want = DELIVERY_DONE;
    return READY;
}

void doubt_message_said(struct delivery *d)
{
    d->answered_early = d->in.len > 0 || d->answer->lines > 0;
    if (d->doubted.code != 0)
        delivery_say_quit(d);
}
