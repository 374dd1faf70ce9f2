// SPDX-License-Identifier: BSD-2-Clause
/* rate_limit.h - What is known of one limit at MAIL. rate_limits.c says when it begins and ends,
 * limited.c what it holds up. */
#ifndef RATE_LIMIT_H
#define RATE_LIMIT_H

#include "queue_state.h"

enum { REPLY_MAX = 16 };

enum limit_state {
    LIMIT_SUSPECTED,
    LIMIT_RESTS,
    LIMIT_ASKS, /* one message at a time may go */
    LIMIT_KNOWN
};

struct rate_limit {
    struct rate_limit *next, *prev; /* tenant->limits, while it holds up nothing; or asks.waiting */
    struct destination *destination;
    struct tenant *tenant;
    struct lane *lane; /* NULL: all of the destination's */
    enum limit_state state;
    bool alone;    /* nobody else's mail is there: it is shown as about all */
    bool told;     /* the operator knows that it lasts */
    bool hastened; /* RESTS: for new mail of class security */
    bool urgent;   /* RESTS: class security waits for its turn */
    uint32_t place;
    uint32_t turn;         /* RESTS: in tenant->asks.best, when its rest is over; else 0 */
    int64_t wake_ms;       /* queue.limit_wakes */
    int64_t since_ms;      /* it has held up mail */
    int64_t rested_ms;     /* RESTS: since then */
    int64_t known_ms;      /* until then one refusal shows it again */
    uint64_t refused;      /* last, as queue.serial counts */
    unsigned row;          /* such refusals, none taken between them */
    uint32_t sender;       /* whose mail was refused last; 0: not known */
    unsigned others;       /* messages of others that were taken since then, and none of his */
    char reply[REPLY_MAX]; /* its codes */
    struct window rest;    /* only its rest */
    char *why;             /* RESTS, ASKS */
};

/* It holds up mail. */
static inline bool rate_limit_is_active(const struct rate_limit *l)
{
    return l->state == LIMIT_RESTS || l->state == LIMIT_ASKS;
}

/* Of that tenant, at all hosts of the destination or those of one lane. NULL: there is none. */
struct rate_limit *rate_limit_find(const struct destination *d, const struct tenant *tenant,
                                   const struct lane *lane_or_null);
/* RESTS: when that ends if mail of class security comes now. */
int64_t rate_limit_soon_ms(const struct rate_limit *l, int64_t now_ms);
/* Is mail that it is about spoken of just now, but for `own`? */
bool rate_limit_is_tried(const struct rate_limit *l, const struct connection *own);

/* ---- ask_turns.c ---- */

static inline bool ask_turn_is_awaited(const struct rate_limit *l)
{
    return l->turn != 0;
}

/* Its rest is over. Whoever waits is looked at again at its `wake_ms`: then ask_turn_next(). */
void ask_turn_wait(struct queue *q, struct rate_limit *l, int64_t now_ms);
/* Class security waits for it, if it has no turn yet. */
void ask_turn_is_urgent(struct rate_limit *l);
/* It waits no more; one that does not may be given. */
void ask_turn_leave(struct queue *q, struct rate_limit *l);
/* The tenant's time has come: which of its limits asks. It still waits. */
struct rate_limit *ask_turn_next(struct queue *q, struct tenant *tenant, int64_t now_ms);

#endif
