// SPDX-License-Identifier: BSD-2-Clause
/* webhook_course.c - Two tables of waits: an event's, and an endpoint's that goes on failing. */
#include "webhook_course.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/* Before the second attempt, the third … */
static const int64_t waits_ms[WEBHOOK_ATTEMPTS - 1] = {5 * SECOND, 5 * MINUTE, 30 * MINUTE,
                                                       2 * HOUR,   5 * HOUR,   10 * HOUR,
                                                       14 * HOUR,  20 * HOUR,  24 * HOUR};

/* After its first failure, the second … */
static const int64_t rests_ms[] = {SECOND,      5 * SECOND, 10 * SECOND,
                                   30 * SECOND, MINUTE,     5 * MINUTE};

static const int64_t asked_for_most_ms = 24 * HOUR;

enum {
    NOT_ASKED_MS = SECOND,
    OVERLOAD_MS = 30 * SECOND, /* 429, 502, 503 and 504 without Retry-After */
    GONE = 410
};

static bool is_taken(const struct webhook_answer *a)
{
    return a->how == WEBHOOK_ANSWERED && a->status >= 200 && a->status <= 299;
}

static bool is_overload(const struct webhook_answer *a)
{
    return a->how == WEBHOOK_ANSWERED &&
           (a->status == 429 || (a->status >= 502 && a->status <= 504));
}

static int64_t asked_for(const struct webhook_answer *a)
{
    if (a->how != WEBHOOK_ANSWERED || a->retry_after_s <= 0)
        return 0;
    return a->retry_after_s < asked_for_most_ms / 1000 ? a->retry_after_s * 1000
                                                       : asked_for_most_ms;
}

struct webhook_next webhook_course_next(unsigned tries, const struct webhook_answer *a,
                                        uint32_t chance)
{
    if (is_taken(a))
        return (struct webhook_next){WEBHOOK_TAKEN, 0, tries + 1};
    if (a->how == WEBHOOK_NOT_ASKED)
        return (struct webhook_next){WEBHOOK_AGAIN, NOT_ASKED_MS, tries};
    if (a->how == WEBHOOK_ANSWERED && a->status == GONE)
        return (struct webhook_next){WEBHOOK_GONE, 0, tries};
    if (tries + 1 >= WEBHOOK_ATTEMPTS)
        return (struct webhook_next){WEBHOOK_GIVEN_UP, 0, tries + 1};
    int64_t wait_ms = waits_ms[tries] > asked_for(a) ? waits_ms[tries] : asked_for(a);
    return (struct webhook_next){WEBHOOK_AGAIN, wait_ms + wait_ms / 10 * (chance % 1000) / 1000,
                                 tries + 1};
}

struct webhook_course webhook_course_resumed(int64_t failed_ms)
{
    const int64_t most_ms = webhook_patience_ms - HOUR;
    bool failing = failed_ms >= 0;
    return (struct webhook_course){.failing = failing,
                                   .unreached = failing,
                                   .failed_ms = !failing              ? 0
                                                : failed_ms < most_ms ? failed_ms
                                                                      : most_ms};
}

unsigned webhook_course_may(const struct webhook_course *c, unsigned in_flight, int64_t steady_ms)
{
    unsigned window = c->failures > 0 || c->window == 0 ? 1 : c->window;
    if (c->rest_ms > steady_ms || in_flight >= window)
        return 0;
    return window - in_flight;
}

/* How much longer it has failed. What was sent before has waited since the last failure; for a new
 * event it was perhaps not asked at all meanwhile, beyond its longest rest. */
static int64_t failed_since(const struct webhook_course *c, unsigned tries, int64_t steady_ms)
{
    int64_t gap_ms = c->last_ms > 0 && steady_ms > c->last_ms ? steady_ms - c->last_ms : 0;
    int64_t most_ms = rests_ms[COUNT_OF(rests_ms) - 1];
    return tries > 0 || gap_ms < most_ms ? gap_ms : most_ms;
}

/* Those that were sent together fail together, and count once. */
static void fail(struct webhook_course *c, const struct webhook_answer *a, unsigned tries,
                 int64_t steady_ms)
{
    bool counted = c->rest_ms > steady_ms;
    c->failures += !counted;
    c->window = 0;
    c->failed_ms += failed_since(c, tries, steady_ms);
    c->failing = true;
    c->last_ms = steady_ms;
    c->unreached = c->unreached || a->how == WEBHOOK_UNREACHED;
    unsigned row = c->failures < COUNT_OF(rests_ms) ? c->failures : COUNT_OF(rests_ms);
    int64_t rest_ms = row > 0 ? rests_ms[row - 1] : 0;
    if (is_overload(a) && rest_ms < OVERLOAD_MS)
        rest_ms = OVERLOAD_MS;
    if (rest_ms < asked_for(a))
        rest_ms = asked_for(a);
    if (c->rest_ms < steady_ms + rest_ms)
        c->rest_ms = steady_ms + rest_ms;
}

bool webhook_course_learn(struct webhook_course *c, const struct webhook_answer *a, unsigned tries,
                          int64_t steady_ms)
{
    bool missed = c->unreached;
    if (a->how == WEBHOOK_NOT_ASKED) {
        if (c->rest_ms < steady_ms + NOT_ASKED_MS)
            c->rest_ms = steady_ms + NOT_ASKED_MS;
        return false;
    }
    if (!is_taken(a)) {
        fail(c, a, tries, steady_ms);
        return false;
    }
    unsigned window = c->window < WEBHOOK_AT_ONCE ? c->window + 1 : WEBHOOK_AT_ONCE;
    *c = (struct webhook_course){.window = window};
    return missed;
}

bool webhook_course_is_over(const struct webhook_course *c)
{
    return c->failing && c->failed_ms >= webhook_patience_ms;
}
