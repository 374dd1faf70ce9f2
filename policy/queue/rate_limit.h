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
    struct rate_limit *next, *prev; /* tenant->limits, while it holds up nothing */
    struct destination *destination;
    struct tenant *tenant;
    struct lane *lane; /* NULL: all of the destination's */
    enum limit_state state;
    bool alone;    /* nobody else's mail is there: it is shown as about all */
    bool told;     /* the operator knows that it lasts */
    bool hastened; /* RESTS: for new mail of class security */
    uint32_t place;
    int64_t wake_ms;       /* queue.limit_wakes */
    int64_t since_ms;      /* it has held up mail */
    int64_t rested_ms;     /* RESTS: since then */
    int64_t turn_ms;       /* RESTS: when its tenant's turn to ask comes to it; 0: not known yet */
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
/* Is mail that it is about spoken of just now, but for `own`? */
bool rate_limit_is_tried(const struct rate_limit *l, const struct connection *own);

#endif
