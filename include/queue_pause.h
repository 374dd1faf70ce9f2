// SPDX-License-Identifier: BSD-2-Clause
/* queue_pause.h - Mail that waits as a server has refused some for what it is, from whom, or for
 * whom: told to the queue, asked of it, kept over a restart. Who waits for whom is in pauses.c.
 * Times are of the queue's clock. */
#ifndef QUEUE_PAUSE_H
#define QUEUE_PAUSE_H

#include "queue.h"

enum queue_pause_kind {
    QUEUE_PAUSE_SOURCE,  /* all mail: it was about us */
    QUEUE_PAUSE_SENDER,  /* mail of one sending domain */
    QUEUE_PAUSE_MAILBOX, /* mail to one mailbox */
    QUEUE_PAUSE_ALARM,   /* none: the operator is told */
    QUEUE_PAUSE_KINDS
};
/* "mail", "sender_domain", "mailbox", "alarm". */
const char *queue_pause_kind_name(enum queue_pause_kind kind);
/* False: there is none of that name. */
MUST_CHECK bool queue_pause_kind_of(const char *name, enum queue_pause_kind *kind_r);

enum queue_pause_state {
    QUEUE_PAUSE_COUNTS, /* it was not met often enough yet */
    QUEUE_PAUSE_RESTS,
    QUEUE_PAUSE_ASKS,  /* one message at a time may go */
    QUEUE_PAUSE_GROWS, /* some are taken: one connection, and one more for each */
    QUEUE_PAUSE_OVER,
    QUEUE_PAUSE_STATES
};
/* "paused", "asks", "grows" of those that show. */
const char *queue_pause_state_name(enum queue_pause_state state);

/* What was said to a message, and what follows from it. Texts are copied. */
struct queue_refusal_said {
    enum queue_pause_kind kind;
    const char *about; /* the sending domain, or the mailbox; "" */
    const char *row;   /* that says so, of actions.txt */
    const char *why;   /* the reply */
    bool early;        /* before any recipient was named: not about one domain's mail */
    bool narrow;       /* never about more than that domain's mail */
    unsigned times;    /* so many such replies in a row show it, at least 1, */
    int64_t within_ms; /* in so long */
    int64_t for_ms;    /* it waits so long at first */
};
void queue_was_refused(struct queue *q, const struct queue_attempt *attempt,
                       const struct queue_refusal_said *said, int64_t now_ms);

/* For how long, in ms, does this attempt's mail of that sending domain, or to that mailbox, wait?
 * 0: it goes now; where it was paused it is the one that tries. */
int64_t queue_pause_waits(struct queue *q, const struct queue_attempt *attempt,
                          enum queue_pause_kind kind, const char *about, int64_t now_ms);

struct queue_pause {
    const char *destination;
    const char *tenant; /* whose mail; "": of all */
    const char *domain; /* of its recipients; "": all there */
    const char *about, *row, *why;
    enum queue_pause_kind kind;
    enum queue_pause_state state;
    int64_t since_ms, until_ms, for_ms; /* until_ms: of a rest; or then another one may try */
    unsigned allowed;                   /* GROWS: connections */
};
enum { QUEUE_PAUSE_TEXTS = 6 };
typedef void queue_on_pause(void *context, const struct queue_pause *pause);

/* Those that hold back mail just now, or try whether they still have to. Borrowed for the call. */
void queue_each_pause(const struct queue *q, queue_on_pause *on_pause, void *context);

/* Has any changed since it was taken to be kept? */
bool queue_pauses_changed(const struct queue *q);
/* Those that have, 200 at most: the others the next time. Of one that is OVER nothing is kept. */
void queue_take_pauses(struct queue *q, queue_on_pause *on_pause, void *context);
/* What was taken could not be kept: all are taken once more. */
void queue_pauses_unkept(struct queue *q);
/* As it was before a restart. One that would be forgotten by now does nothing; values out of bounds
 * are brought into them. */
void queue_restore_pause(struct queue *q, const struct queue_pause *kept, int64_t now_ms);

#endif
