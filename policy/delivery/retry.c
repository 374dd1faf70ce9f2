// SPDX-License-Identifier: BSD-2-Clause
/* retry.c - Turns a reply into done, later or never, and computes the time of the next try. A
 * failure of the relay itself does not count as a try, but it does not stop the message from
 * expiring, as its sender is waiting for an answer. */
#include "retry.h"

#include "reply.h"

#include <stdio.h>
#include <string.h>

enum { SECONDS = 1000, ASKED_MAX_MS = 3600 * SECONDS };
enum { OWN_FAULT_PAUSE_MS = 30 * 1000, LAST_SHARE = 20, LAST_MAX_MS = 30 * 1000 };

static int64_t jitter(int64_t delay_ms, uint32_t random)
{
    int64_t tenth = delay_ms / 10;
    return tenth > 0 ? delay_ms - tenth + (int64_t)(random % (uint64_t)(2 * tenth + 1)) : delay_ms;
}

/* RFC 6647 section 4.5: most ask for five minutes, some for one; what was asked for never comes too
 * early. In ms. */
static int64_t greylist_ms(const struct retry_input *in)
{
    static const int64_t usual[2][3] = {
        [false] = {310 * SECONDS, 600 * SECONDS, 900 * SECONDS},
        [true] = {15 * SECONDS, 47 * SECONDS, 250 * SECONDS}}; /* of class security */
    static const int64_t least[2] = {[false] = 60 * SECONDS, [true] = 15 * SECONDS};
    const bool urgent = in->class == STREAM_SECURITY;
    const bool own = in->stream && in->stream->retry_count > 0;
    int64_t schedule_ms = stream_delay_ms(in->stream, in->class, in->tries + 1);
    int64_t asked_ms = reply_delay_ms(span_of(in->answer.text));
    int64_t random_ms = in->random % (5 * SECONDS);
    if (asked_ms > ASKED_MAX_MS)
        asked_ms = 0;
    if (own || in->tries >= COUNT_OF(usual[0]))
        return asked_ms > schedule_ms ? asked_ms + SECONDS + random_ms
                                      : jitter(schedule_ms, in->random);
    if (asked_ms > 0)
        return (asked_ms >= least[urgent] ? asked_ms + SECONDS : least[urgent]) + random_ms;
    return usual[urgent][in->tries] + random_ms;
}

/* When the last attempt begins. */
static int64_t last_ms(const struct retry_input *in)
{
    int64_t life_ms = in->expires_ms - in->created_ms;
    int64_t share_ms = life_ms > 0 ? life_ms / LAST_SHARE : 0;
    return in->expires_ms - (share_ms < LAST_MAX_MS ? share_ms : LAST_MAX_MS);
}

static int64_t delay_ms(const struct retry_input *in)
{
    if (in->not_attempted)
        return jitter(OWN_FAULT_PAUSE_MS, in->random);
    if (in->greylisted)
        return greylist_ms(in);
    return jitter(stream_delay_ms(in->stream, in->class, in->tries + 1), in->random);
}

struct retry_decision retry_decide(const struct retry_input *in)
{
    bool counts = !in->not_attempted && !(in->no_host && (in->tries > 0 || in->answer.code < 500));
    unsigned tries = in->tries + counts; /* 0 with 5yz: it was refused when it came */
    struct retry_decision d = {.what = RETRY_DONE, .tries = tries};
    if (in->answer.what == VERDICT_ACCEPT)
        return d;
    d.what = RETRY_NEVER;
    d.expired = in->answer.what == VERDICT_DEFER && in->now_ms >= last_ms(in);
    if (in->answer.what == VERDICT_REJECT || d.expired)
        return d;
    d.what = RETRY_LATER;
    d.due_ms = in->now_ms + delay_ms(in);
    if (d.due_ms > last_ms(in))
        d.due_ms = last_ms(in);
    return d;
}

int64_t retry_look_ms(int64_t waited_ms, bool urgent)
{
    int64_t least_ms = urgent ? 500 : 2000;
    int64_t most_ms = urgent ? 1000 : 20 * 1000;
    if (waited_ms < least_ms)
        return least_ms;
    return waited_ms < most_ms ? waited_ms : most_ms;
}

/* FNV-1a over all of it, then mixed so that neighbours are far apart. */
uint32_t retry_random(int64_t message, const char *domain, unsigned tries)
{
    uint64_t h = 14695981039346656037U ^ (uint64_t)message;
    for (; *domain; domain++)
        h = (h ^ (unsigned char)*domain) * 1099511628211U;
    h = (h ^ tries) * 1099511628211U;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdU;
    return (uint32_t)(h >> 32);
}

struct verdict retry_expired(const struct verdict *last)
{
    if (last->code >= 400) { /* a host that refused all mail may have said it with a 5yz */
        struct verdict v = *last;
        v.what = VERDICT_DEFER;
        if (strcmp(v.enhanced, RETRY_OUR_SETTINGS) == 0) /* nothing that a sender could mend */
            snprintf(v.enhanced, sizeof(v.enhanced), "4.4.7");
        return v;
    }
    return verdict_make(451, "4.4.7", "Expired before it could be sent");
}
