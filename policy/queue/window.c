// SPDX-License-Identifier: BSD-2-Clause
/* window.c - Growth by success or while all are slow, a ceiling by refusal, rest by failure. */
#include "window.h"

#include "check.h"

enum {
    FIRST_SIZE = 2,
    CEILING_FIRST_MS = 60 * 1000,
    CEILING_MAX_MS = 10 * 60 * 1000,
    REST_FIRST_MS = 5 * 1000,
    REST_MAX_MS = 10 * 60 * 1000
};
static const double used_enough = 0.8;

void window_check(const struct window *w)
{
    CHECK(w->limit >= 1 && w->size >= 1 && w->size <= w->limit);
    CHECK(w->ceiling_until_ms == 0 || w->ceiling >= 1);
    CHECK(w->ceiling_for_ms >= 0 && w->ceiling_for_ms <= CEILING_MAX_MS);
    CHECK(!w->failing || w->failures > 0);
}

void window_init(struct window *w, unsigned limit)
{
    *w = (struct window){.size = FIRST_SIZE, .limit = 1};
    window_set_limit(w, limit);
}

void window_set_limit(struct window *w, unsigned limit)
{
    w->limit = limit > 0 ? limit : 1;
    if (w->size > w->limit)
        w->size = w->limit;
}

unsigned window_size(const struct window *w)
{
    return w->size > 1 ? (unsigned)w->size : 1;
}

bool window_is_capped(const struct window *w, int64_t now_ms)
{
    return w->ceiling > 0 && w->ceiling_until_ms > now_ms;
}

void window_succeeded(struct window *w, unsigned in_use, int64_t now_ms)
{
    double most = w->limit;
    if (window_is_capped(w, now_ms) && w->ceiling < w->limit)
        most = w->ceiling;
    if (in_use < used_enough * window_size(w) || w->size >= most)
        return;
    w->size += 1 / w->size;
    if (w->size > most)
        w->size = most;
}

void window_is_slow(struct window *w, int64_t now_ms)
{
    if (window_is_capped(w, now_ms) || w->size >= w->limit)
        return;
    w->size += 1;
    if (w->size > w->limit)
        w->size = w->limit;
}

void window_refused(struct window *w, unsigned working, int64_t now_ms)
{
    unsigned bears = working > 0 ? working : 1;
    bool again = w->ceiling > 0 && !window_is_capped(w, now_ms) && bears <= w->ceiling;
    if (bears > w->limit)
        bears = w->limit;
    if (!window_is_capped(w, now_ms)) {
        w->ceiling_for_ms = again ? w->ceiling_for_ms * 2 : CEILING_FIRST_MS;
        if (w->ceiling_for_ms > CEILING_MAX_MS)
            w->ceiling_for_ms = CEILING_MAX_MS;
    }
    w->ceiling = bears;
    w->ceiling_until_ms = now_ms + w->ceiling_for_ms;
    if (w->size > bears)
        w->size = bears;
}

bool window_rests(const struct window *w, int64_t now_ms)
{
    return w->rest_until_ms > now_ms;
}

bool window_rest(struct window *w, int64_t most_ms, int64_t now_ms)
{
    if (window_rests(w, now_ms))
        return false; /* those that were under way when it failed count as one failure */
    if (w->asked_until_ms > now_ms) {
        int64_t left_ms = w->asked_until_ms - now_ms;
        w->rest_until_ms = now_ms + (left_ms < most_ms ? left_ms : most_ms);
        w->asked_until_ms = 0;
        w->failing = true;
        return true;
    }
    w->asked_until_ms = 0;
    int64_t rest_ms = REST_FIRST_MS;
    for (unsigned i = 0; i < w->failures && rest_ms < REST_MAX_MS; i++)
        rest_ms *= 2;
    if (rest_ms > REST_MAX_MS)
        rest_ms = REST_MAX_MS;
    w->failures++;
    w->failing = true;
    w->rest_until_ms = now_ms + (rest_ms < most_ms ? rest_ms : most_ms);
    return true;
}

bool window_greeted(struct window *w)
{
    bool was_failing = w->failing;
    w->failures = 0;
    w->failing = false;
    w->rest_until_ms = w->asked_until_ms = 0;
    return was_failing;
}

void window_forget(struct window *w)
{
    if (w->rest_until_ms > w->asked_until_ms)
        w->asked_until_ms = w->rest_until_ms;
    w->rest_until_ms = 0;
    w->ceiling = 0;
    w->ceiling_until_ms = w->ceiling_for_ms = 0;
}
