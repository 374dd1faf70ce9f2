// SPDX-License-Identifier: BSD-2-Clause
/* spacing.c - A level between what is taken and what is refused.
 *
 *   free ──(refused)──▶ searching ──(taken, but for a tenth of what is refused)──▶ holding
 *                        ▲     │ ▲                                                   │
 *              (one taken)     │ ╰────────────(its time is over: a little more)──────╯
 *                        │     ╰─(refused, and nothing is taken any more)─▶ closed
 *                        ╰────────────────────────────────────────────────────╯
 */
#include "spacing.h"

#include "check.h"

#include <math.h>

static const double minute_ms = 60 * 1000, seen_ms = 10 * 1000;
static const double step_least = 2, step_most = 8, step_part = 20; /* messages: a level is taken */
enum { STEP_MS = 2000 };
enum { HOLD_MS = 30 * 1000, HOLD_MAX_MS = 60 * 1000, FORGET_MS = 60 * 60 * 1000 };
enum { CLOSED_CUTS = 3, FALL_CUTS = 6 };          /* at the floor; anywhere */
static const double lowest = 1, first_least = 60; /* messages a minute */
static const double below_good = 0.95;
static const double near_bad = 0.92;   /* of it: the search is over */
static const double same_bad = 0.8;    /* of the last one */
static const double grows = 1.15;      /* while nothing is refused */
static const double grows_hold = 1.06; /* after a hold */
static const double far = 4;           /* from what is taken to what is refused */
static const double opens = 4;         /* with each message that is taken after nothing was */
static const double pressed = 0.7;     /* of the level: it is used */

void spacing_check(const struct spacing *s)
{
    CHECK(s->level == 0 || s->level >= lowest);
    CHECK(s->seen >= 0 && s->good >= 0 && s->bad >= 0 && s->before >= 0);
    CHECK(s->hold_for_ms >= 0 && s->hold_for_ms <= HOLD_MAX_MS);
    CHECK(s->level > 0 || s->state == SPACING_SEARCHES);
}

bool spacing_is_on(const struct spacing *s, int64_t now_ms)
{
    return s->level > 0 && s->refused_ms + FORGET_MS > now_ms;
}

static int64_t between_us(double level)
{
    return (int64_t)(minute_ms * 1000.0 / level);
}

int64_t spacing_next_ms(const struct spacing *s, int64_t now_ms)
{
    return spacing_is_on(s, now_ms) ? (s->next_us + 999) / 1000 : now_ms;
}

void spacing_goes(struct spacing *s, int64_t now_ms)
{
    if (!spacing_is_on(s, now_ms))
        return;
    if (s->next_us < now_ms * 1000)
        s->next_us = now_ms * 1000;
    s->next_us += between_us(s->level);
}

/* ---- what is taken ---- */

void spacing_seen(struct spacing *s, int64_t now_ms)
{
    s->seen = s->seen * exp(-(double)(now_ms - s->seen_ms) / seen_ms) + 1;
    s->seen_ms = now_ms;
}

/* From the next message on; the one after the last one waits no longer than the level says. */
static void set_level(struct spacing *s, double level, int64_t now_ms)
{
    s->level = level > lowest ? level : lowest;
    s->step_ms = now_ms;
    s->taken = 0;
    if (s->next_us > now_ms * 1000 + between_us(s->level))
        s->next_us = now_ms * 1000 + between_us(s->level);
}

/* It takes mail again: what was refused while it did not says nothing. */
static void reopen(struct spacing *s)
{
    s->state = SPACING_OPENS;
    s->bad = 0;
    s->hold_for_ms = 0;
}

/* Up to what it had before; then it is looked for how much it takes. */
static void open_more(struct spacing *s, int64_t now_ms)
{
    double most = s->before * below_good;
    double level = s->level * opens;
    s->good = s->level;
    if (level >= most) {
        level = most > s->level ? most : s->level;
        s->state = SPACING_SEARCHES;
    }
    set_level(s, level, now_ms);
}

/* Far apart, as after the limit has changed, it is the middle of their sizes: the middle of their
 * numbers would be near the level that was refused. */
static double between(double good, double bad)
{
    return bad > good * far ? sqrt(good * bad) : (good + bad) / 2;
}

static void grow(struct spacing *s, int64_t now_ms)
{
    if (s->bad > 0 || s->good == 0) /* what is taken above a hold may be what was saved in it */
        s->good = s->level;
    if (s->bad == 0)
        set_level(s, s->level * grows, now_ms);
    else if (s->level < s->bad * near_bad)
        set_level(s, between(s->level, s->bad), now_ms);
    else if (s->hold_ms <= now_ms) {
        s->bad = 0;
        set_level(s, s->level * grows_hold, now_ms);
    }
}

/* Of a slow one few messages say as much as many of a fast one; and when its limit has gone up each
 * step takes as long as its messages. */
static unsigned step_messages(const struct spacing *s)
{
    double few = step_least + s->level / step_part;
    return (unsigned)(few < step_most ? few : step_most);
}

/* Enough has been taken, for long enough; if there was less mail than the level allows it has not
 * been tried. */
static bool is_shown(struct spacing *s, int64_t now_ms)
{
    int64_t for_ms = now_ms - s->step_ms;
    if (s->taken < step_messages(s) || for_ms < STEP_MS)
        return false;
    if (s->taken >= pressed * s->level * (double)for_ms / minute_ms)
        return true;
    s->step_ms = now_ms;
    s->taken = 0;
    return false;
}

void spacing_taken(struct spacing *s, int64_t went_ms, int64_t now_ms)
{
    spacing_seen(s, now_ms);
    if (!spacing_is_on(s, now_ms) || went_ms < s->cut_ms)
        return;
    s->cuts = 0;
    s->taken++;
    if (s->state == SPACING_CLOSED)
        reopen(s);
    if (s->state == SPACING_OPENS)
        open_more(s, now_ms);
    else if (is_shown(s, now_ms))
        grow(s, now_ms);
}

/* ---- what is refused ---- */

void spacing_anew(struct spacing *s)
{
    *s = (struct spacing){.seen = s->seen, .seen_ms = s->seen_ms};
}

static void begin(struct spacing *s, int64_t now_ms)
{
    double rate = s->seen * exp(-(double)(now_ms - s->seen_ms) / seen_ms) * minute_ms / seen_ms;
    spacing_anew(s);
    s->level = rate > first_least ? rate : first_least;
}

/* It is tried again later each time that it is refused about where it was before. Not much later:
 * a limit may be twenty times as high by then, and that is all that shows it. */
static void hold(struct spacing *s, double bad, double last, int64_t now_ms)
{
    bool same = last > 0 && bad > last * same_bad && bad < last / same_bad;
    s->hold_for_ms = same && s->hold_for_ms > 0 ? s->hold_for_ms * 2 : HOLD_MS;
    if (s->hold_for_ms > HOLD_MAX_MS)
        s->hold_for_ms = HOLD_MAX_MS;
    s->hold_ms = now_ms + s->hold_for_ms;
}

static double lower(struct spacing *s)
{
    static const double cut[] = {0.7, 0.5, 0.25};
    unsigned i = s->cuts < COUNT_OF(cut) ? s->cuts : COUNT_OF(cut) - 1;
    if (s->cuts == 0 && s->good > 0 && s->good < s->level * below_good)
        return s->level > s->good * far ? between(s->good, s->level) : s->good * below_good;
    s->good = 0;
    return s->level * cut[i];
}

/* Did it go when the level that was set last let it? A code does not ask: what it is told as soon
 * as the level has been lowered is about the one before. */
static bool went_in_turn(const struct spacing *s, int64_t went_ms)
{
    return went_ms * 1000 >= s->cut_ms * 1000 + between_us(s->level);
}

bool spacing_refused(struct spacing *s, int64_t went_ms, int64_t now_ms)
{
    bool was_on = spacing_is_on(s, now_ms);
    if (!was_on)
        begin(s, now_ms);
    s->refused_ms = now_ms;
    if (was_on && !went_in_turn(s, went_ms))
        return false;
    if (s->cuts == 0)
        s->before = s->level;
    double last = s->bad > 0 ? s->bad : s->good;
    s->bad = s->level;
    hold(s, s->bad, last, now_ms);
    double level = lower(s);
    s->cuts++;
    s->cut_ms = now_ms;
    bool falls = s->cuts >= FALL_CUTS || (s->cuts >= CLOSED_CUTS && level <= lowest);
    if (falls)
        s->state = SPACING_CLOSED;
    else if (s->state == SPACING_OPENS)
        s->state = SPACING_SEARCHES;
    set_level(s, level, now_ms);
    s->next_us = now_ms * 1000 + between_us(s->level);
    return true;
}

/* ---- after a restart ---- */

static double within(double level)
{
    return level >= lowest && level < INT32_MAX ? level : 0;
}

void spacing_restore(struct spacing *s, bool closed, int64_t now_ms)
{
    double level = within(s->level);
    if (level == 0 || s->refused_ms > now_ms) {
        *s = (struct spacing){0};
        return;
    }
    bool held = s->hold_for_ms >= HOLD_MS && s->hold_for_ms <= HOLD_MAX_MS;
    *s = (struct spacing){.state = closed ? SPACING_CLOSED : SPACING_SEARCHES,
                          .level = level,
                          .good = within(s->good),
                          .bad = within(s->bad),
                          .before = within(s->before),
                          .refused_ms = s->refused_ms,
                          .hold_for_ms = held ? s->hold_for_ms : HOLD_MS,
                          .cuts = closed ? CLOSED_CUTS : 0};
    s->hold_ms = now_ms + s->hold_for_ms;
    s->cut_ms = s->step_ms = now_ms;
}
