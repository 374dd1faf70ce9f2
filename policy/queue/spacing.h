// SPDX-License-Identifier: BSD-2-Clause
/* spacing.h - How many messages a minute a destination takes, as its answers show.
 *
 * Nothing is known until a server says "too fast": mail then goes at a level, one message after the
 * other with the same time between them (GCRA: one number says when the next may go). The level is
 * looked for between one that was taken and one that was refused, and what is above is tried again
 * after half a minute, then one. A server that takes nothing at all is asked once a
 * minute; when it takes one, the level it had before is soon there again. An hour without a refusal
 * forgets all. Plain values; times in ms of one steady clock.
 */
#ifndef SPACING_H
#define SPACING_H

#include <stdbool.h>
#include <stdint.h>

enum spacing_state {
    SPACING_SEARCHES, /* or holds what it has found */
    SPACING_CLOSED,   /* nothing is taken */
    SPACING_OPENS     /* it is again */
};

struct spacing {
    enum spacing_state state;
    double level;        /* messages a minute; 0: as many as there are */
    double good, bad;    /* levels that were taken, and that were refused; 0: none is known */
    double before;       /* the first of those refused in a row: it opens up to there */
    double seen;         /* messages that were taken, decaying */
    int64_t seen_ms;     /* when that was counted */
    int64_t next_us;     /* when the next message may go */
    int64_t cut_ms;      /* when the level went down: what went before says nothing of it */
    int64_t step_ms;     /* since then it is tried */
    int64_t refused_ms;  /* the last refusal */
    int64_t hold_ms;     /* nothing is tried before then that has been refused */
    int64_t hold_for_ms; /* the last time so long */
    unsigned taken;      /* of the messages at this level */
    unsigned cuts;       /* in a row, nothing taken between them */
};

/* When plain mail may go on; what is not after `now_ms` is now. Class security does not ask. */
int64_t spacing_next_ms(const struct spacing *s, int64_t now_ms);
/* Is there a level just now? */
bool spacing_is_on(const struct spacing *s, int64_t now_ms);

/* A message goes now, of whatever class. */
void spacing_goes(struct spacing *s, int64_t now_ms);
/* One that went at `went_ms` was taken. */
void spacing_taken(struct spacing *s, int64_t went_ms, int64_t now_ms);
/* One was taken that has nothing to do with the level: how much was before one begins. */
void spacing_seen(struct spacing *s, int64_t now_ms);
/* There is no level any more. */
void spacing_anew(struct spacing *s);
/* One that went at `went_ms` was refused as one too many. True: the level is another one. Of what
 * went before the level that was set last let it, it says nothing. */
bool spacing_refused(struct spacing *s, int64_t went_ms, int64_t now_ms);

/* It has a level, what was taken and refused, and when the last time, from before a restart: the
 * rest begins now. What is out of bounds is brought into them. `closed`: nothing was taken. */
void spacing_restore(struct spacing *s, bool closed, int64_t now_ms);

/* Is it what these functions leave behind? */
void spacing_check(const struct spacing *s);

#endif
