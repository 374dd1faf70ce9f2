// SPDX-License-Identifier: BSD-2-Clause
/* retry.c - When to try again. What is our own fault costs the message neither a try nor its life.
 */
#include "retry.h"

enum { OWN_FAULT_PAUSE_MS = 30 * 1000 };

static int64_t jitter(int64_t delay_ms, uint32_t random)
{
    int64_t tenth = delay_ms / 10;
    return tenth > 0 ? delay_ms - tenth + (int64_t)(random % (uint64_t)(2 * tenth + 1)) : delay_ms;
}

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct retry_decision retry_decide(const struct retry_input *in)
{
    struct retry_decision d = {.what = RETRY_DONE, .tries = in->tries + 1};
    if (in->answer.what == VERDICT_ACCEPT)
        return d;
    if (in->answer.what == VERDICT_REJECT) {
        d.what = RETRY_NEVER;
        return d;
    }
    if (in->not_attempted) {
        d.what = RETRY_LATER;
        d.tries = in->tries;
        d.due_ms = later_of(in->now_ms + jitter(OWN_FAULT_PAUSE_MS, in->random), in->not_before_ms);
        return d;
    }
    if (in->now_ms >= in->expires_ms) {
        d.what = RETRY_NEVER;
        d.expired = true;
        return d;
    }
    d.what = RETRY_LATER;
    d.due_ms =
        later_of(in->now_ms + jitter(stream_delay_ms(in->stream, in->class, d.tries), in->random),
                 in->not_before_ms);
    if (d.due_ms > in->expires_ms)
        d.due_ms = in->expires_ms;
    return d;
}
