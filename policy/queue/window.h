// SPDX-License-Identifier: BSD-2-Clause
/* window.h - How many connections a destination bears, as it shows; and its rest when it bears
 * none.
 *
 * The window starts at 2 and gains 1/w with each message while four fifths of it are used, so that
 * each round of messages adds one. A refused connection sets it to what works, and for a minute,
 * then two, up to ten, it does not grow past that. A destination of which no connection works rests
 * for 5 s, then 10 s, up to ten minutes; then one connection probes it. Plain values.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
    double size;
    unsigned limit;   /* as configured, at least 1 */
    unsigned ceiling; /* it has refused more than that; 0: never */
    int64_t ceiling_until_ms, ceiling_for_ms;
    unsigned failures; /* in a row */
    bool failing;      /* and it has not been told that this is over */
    int64_t rest_until_ms;
    int64_t asked_until_ms; /* somebody has ended the rest before then, to see; 0: nobody */
};

/* Is it what these functions leave behind? */
void window_check(const struct window *w);

void window_init(struct window *w, unsigned limit);
void window_set_limit(struct window *w, unsigned limit);

/* Connections at most, just now. */
unsigned window_size(const struct window *w);
/* Is it known to bear no more? */
bool window_is_capped(const struct window *w, int64_t now_ms);

/* A message has gone through while `in_use` connections were there. */
void window_succeeded(struct window *w, unsigned in_use, int64_t now_ms);
/* All its connections have been busy with the same for some time, and nothing is refused. */
void window_is_slow(struct window *w, int64_t now_ms);
/* A connection was refused while `working` others worked. */
void window_refused(struct window *w, unsigned working, int64_t now_ms);

/* Nothing works: rest, for so long at most. False: it rested already, and the rest is not made
 * longer. */
bool window_rest(struct window *w, int64_t most_ms, int64_t now_ms);
bool window_rests(const struct window *w, int64_t now_ms);
/* A connection was greeted. True: that ends a rest, or the failures after one. */
bool window_greeted(struct window *w);
/* Forget the rest and what was refused; the next connection will tell. It is still failing, and
 * failures are still counted: nothing has worked since. When it fails too, before the rest would
 * have been over, that goes on as it was. */
void window_forget(struct window *w);

#endif
