// SPDX-License-Identifier: BSD-2-Clause
/* reply_action.h - What follows from a reply beyond its own message: whose mail waits.
 *
 * Rows in a file of their own (policy/reply/actions.txt) say it, those of providers before those
 * for everybody: by the provider, by how the reply was judged (reply.h), by its codes and its
 * words. What is done then, and whose mail that is, is the queue's: queue_pause.h.
 */
#ifndef REPLY_ACTION_H
#define REPLY_ACTION_H

#include "reply.h"

enum reply_do {
    REPLY_DO_NOTHING,
    REPLY_DO_SLOW,           /* mail to that destination goes apart */
    REPLY_DO_PAUSE,          /* mail to that domain waits */
    REPLY_DO_PAUSE_SOURCE,   /* the same; said before RCPT: to all domains there */
    REPLY_DO_PAUSE_DOMAIN,   /* mail of that sending domain waits, to where it was refused */
    REPLY_DO_SLOW_RECIPIENT, /* mail to that mailbox waits */
    REPLY_DO_RETRY_SOON,     /* the message comes again at greylisting's times */
    REPLY_DO_ALARM,          /* the operator is told */
    REPLY_DOS
};
/* "nothing", "slow" …, as rows have it. */
const char *reply_do_name(enum reply_do what);

struct reply_action {
    enum reply_do what;
    char row[REPLY_RULE_NAME]; /* its name in actions.txt */
    unsigned times;            /* so many of them trigger it, at least 1, */
    int64_t within_ms;         /* in so long; 0 with 1 */
    int64_t for_ms;            /* so long at first; 0: what is done has no time */
};

/* What follows from a reply that was judged so. It takes no memory but the stack. */
struct reply_action reply_action(const struct reply_input *in,
                                 const struct reply_judgement *judged);

#endif
