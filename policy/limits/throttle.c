// SPDX-License-Identifier: BSD-2-Clause
/* throttle.c - GCRA in integer milliseconds, and the decision to accept, pace, defer or reject.
 *
 * The daily limit is a second GCRA: so that no period of 24 hours exceeds `per_day`, half of it may
 * be used at once and the other half is spread over the day.
 */
#include "throttle.h"

#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum { FLOOD_FACTOR = 5, LEASE = 16 };

static const char *const key_names[THROTTLE_KEYS] = {
    [THROTTLE_CLASS] = "class",
    [THROTTLE_TENANT] = "tenant",
    [THROTTLE_RECIPIENT] = "recipient",
    [THROTTLE_DOMAIN] = "domain",
    [THROTTLE_RATE] = "rate",
    [THROTTLE_FLOOD] = "flood",
    [THROTTLE_FIRST_TIME] = "first_time",
    [THROTTLE_REPORT] = "report",
};
const char *throttle_key_name(enum throttle_key key)
{
    CHECK((unsigned)key < THROTTLE_KEYS);
    return key_names[key];
}

void throttle_defaults(struct throttle_settings *s)
{
    *s = (struct throttle_settings){
        .mode = THROTTLE_ENFORCE,
        .classes = {[STREAM_SECURITY] = {3 * MINUTE, 5, 15, 0, 2 * MINUTE},
                    [STREAM_CONFIRMATION] = {5 * MINUTE, 6, 30, 0, 15 * MINUTE},
                    [STREAM_NOTIFICATION] = {15 * MINUTE, 4, 20, 0, 6 * HOUR},
                    [STREAM_INVITATION] = {1 * HOUR, 2, 3, 0, 6 * HOUR},
                    [STREAM_DIGEST] = {1 * HOUR, 3, 6, 0, 6 * HOUR}},
        .tenant = {2 * MINUTE, 10, 60, 3, 0},
        .recipient = {1 * MINUTE, 20, 120, 3, 0},
        .domain = {2 * SECOND, 60, 0, 0, 6 * HOUR},
        .rate = {0, 1, 0, 0, 0},
        .alike = {10 * MINUTE, 1, 0, 0, 0},
        .first_time = {0, 1, 200, 0, 0},
        .report = {1 * MINUTE, 20, 0, 10, 6 * HOUR},
    };
}

bool throttle_is_large(const char *domain)
{
    static const char *const large[] = {
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com",  "live.com",
        "msn.com",   "icloud.com",     "me.com",      "mac.com",      "yahoo.com",
        "ymail.com", "aol.com",        "gmx.de",      "gmx.net",      "gmx.com",
        "web.de",    "t-online.de",    "orange.fr",   "free.fr",      "libero.it",
        "mail.ru",   "yandex.ru",      "proton.me",   "fastmail.com", "comcast.net",
        "qq.com",    "163.com",        "naver.com",
    };
    for (size_t i = 0; i < COUNT_OF(large); i++)
        if (strcmp(domain, large[i]) == 0)
            return true;
    return strncmp(domain, "yahoo.", 6) == 0 || strncmp(domain, "hotmail.", 8) == 0;
}

struct throttle_limit throttle_limit_of(const struct throttle_settings *s, enum throttle_key key,
                                        enum stream_class class)
{
    struct throttle_limit flood = s->tenant;
    switch (key) {
    case THROTTLE_CLASS:
        return s->classes[class];
    case THROTTLE_TENANT:
        return s->tenant;
    case THROTTLE_RECIPIENT:
        return s->recipient;
    case THROTTLE_DOMAIN:
        return s->domain;
    case THROTTLE_RATE:
        return s->rate;
    case THROTTLE_FLOOD:
        flood.burst *= FLOOD_FACTOR;
        flood.per_day = flood.reserve = 0;
        return flood;
    case THROTTLE_FIRST_TIME:
        return s->first_time;
    case THROTTLE_REPORT:
        return s->report;
    case THROTTLE_KEYS:
        break;
    }
    UNREACHABLE();
}

static const char *const limit_names[] = {
    "security", "confirmation", "notification", "invitation", "digest", "tenant", "recipient",
    "domain",   "rate",         "alike",        "first_time", "report", NULL};

const char *const *throttle_limit_names(void)
{
    return limit_names;
}

struct throttle_limit *throttle_limit_named(struct throttle_settings *s, struct span name)
{
    struct throttle_limit *const limits[] = {&s->classes[STREAM_SECURITY],
                                             &s->classes[STREAM_CONFIRMATION],
                                             &s->classes[STREAM_NOTIFICATION],
                                             &s->classes[STREAM_INVITATION],
                                             &s->classes[STREAM_DIGEST],
                                             &s->tenant,
                                             &s->recipient,
                                             &s->domain,
                                             &s->rate,
                                             &s->alike,
                                             &s->first_time,
                                             &s->report};
    size_t i = 0;
    _Static_assert(COUNT_OF(limits) + 1 == COUNT_OF(limit_names), "one name for each limit");
    return span_among(name, limit_names, COUNT_OF(limits), &i) ? limits[i] : NULL;
}

struct throttle_settings throttle_for_stream(const struct throttle_settings *s, const char *stream,
                                             enum stream_class class, bool *own_r)
{
    struct throttle_settings own = *s;
    *own_r = false;
    for (size_t i = 0; stream[0] && !*own_r && i < s->stream_count; i++) {
        *own_r = strcmp(s->streams[i].name, stream) == 0;
        if (*own_r)
            own.classes[class] = s->streams[i].limit;
    }
    return own;
}

/* ---- one bucket ---- */

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Half at once, the rest over the day. */
static void split_day(uint32_t per_day, int64_t *burst_r, int64_t *every_r)
{
    *burst_r = (per_day + 1) / 2;
    *every_r = per_day > *burst_r ? (DAY + per_day - *burst_r - 1) / (per_day - *burst_r) : DAY;
}

/* The theoretical arrival time, no further ahead than a full window. */
static int64_t bounded(int64_t tat_ms, int64_t every_ms, int64_t burst, int64_t hold_ms,
                       int64_t now_ms)
{
    return at_most(at_least(tat_ms, now_ms), now_ms + every_ms * burst + hold_ms);
}

int64_t throttle_wait_ms(const struct throttle_bucket *b, const struct throttle_limit *l,
                         bool security, int64_t now_ms)
{
    int64_t wait_ms = 0;
    int64_t burst = l->burst;
    int64_t every_ms = l->every_ms;
    if (!security)
        burst = at_least(1, burst - (int64_t)l->reserve);
    if (every_ms > 0)
        wait_ms = bounded(b->tat_ms, every_ms, l->burst, l->hold_ms, now_ms) -
                  (burst - 1) * every_ms - now_ms;
    if (l->per_day > 0) {
        split_day(l->per_day, &burst, &every_ms);
        wait_ms = at_least(wait_ms, bounded(b->day_ms, every_ms, burst, l->hold_ms, now_ms) -
                                        (burst - 1) * every_ms - now_ms);
    }
    return at_least(wait_ms, 0);
}

void throttle_take(struct throttle_bucket *b, const struct throttle_limit *l, int64_t now_ms)
{
    int64_t burst = 0;
    int64_t every_ms = 0;
    if (l->every_ms > 0)
        b->tat_ms = bounded(b->tat_ms, l->every_ms, l->burst, l->hold_ms, now_ms) + l->every_ms;
    if (l->per_day > 0) {
        split_day(l->per_day, &burst, &every_ms);
        b->day_ms = bounded(b->day_ms, every_ms, burst, l->hold_ms, now_ms) + every_ms;
    }
}

/* After a clock was set back: from here on it is one window, and that passes. */
static void bring_back(struct throttle_bucket *b, const struct throttle_limit *l, int64_t now_ms)
{
    int64_t burst = 0;
    int64_t every_ms = 0;
    if (l->every_ms > 0)
        b->tat_ms = at_most(b->tat_ms, now_ms + l->every_ms * l->burst + l->hold_ms);
    if (l->per_day > 0) {
        split_day(l->per_day, &burst, &every_ms);
        b->day_ms = at_most(b->day_ms, now_ms + every_ms * burst + l->hold_ms);
    }
}

uint32_t throttle_left(const struct throttle_bucket *b, const struct throttle_limit *l,
                       bool security, int64_t now_ms)
{
    struct throttle_bucket copy = *b;
    uint32_t left = 0;
    if (l->every_ms == 0 && l->per_day == 0)
        return UINT32_MAX;
    for (; left < 10000 && throttle_wait_ms(&copy, l, security, now_ms) == 0; left++)
        throttle_take(&copy, l, now_ms);
    return left;
}

uint32_t throttle_lease(const struct throttle_limit *l)
{
    int64_t least = INT64_MAX;
    int64_t burst = 0;
    int64_t every_ms = 0;
    if (l->every_ms > 0)
        least = l->burst;
    if (l->per_day > 0)
        split_day(l->per_day, &burst, &every_ms);
    if (l->per_day > 0)
        least = at_most(least, burst);
    return l->every_ms == 0 && l->per_day == 0 ? 0 : (uint32_t)at_most(least / 4, LEASE);
}

struct throttle_bucket throttle_ahead(const struct throttle_bucket *b,
                                      const struct throttle_limit *l, uint32_t count)
{
    struct throttle_bucket ahead = *b;
    int64_t burst = 0;
    int64_t every_ms = 0;
    if (l->every_ms > 0)
        ahead.tat_ms += l->every_ms * count;
    if (l->per_day > 0) {
        split_day(l->per_day, &burst, &every_ms);
        ahead.day_ms += every_ms * count;
    }
    return ahead;
}

int64_t throttle_expires_ms(const struct throttle_bucket *b)
{
    return at_least(b->tat_ms, b->day_ms);
}

/* ---- recipients that are new to a tenant ---- */

enum { HISTORY_DAYS = 7, GROWTH = 3 };

int64_t throttle_day(int64_t now_ms)
{
    return now_ms / DAY;
}

uint32_t throttle_new_recipients_limit(const struct throttle_settings *s,
                                       const struct throttle_new_recipients *n, int64_t now_ms)
{
    uint32_t usual = n->most < UINT32_MAX / GROWTH ? n->most * GROWTH : UINT32_MAX;
    if (s->first_time.per_day == 0 || n->since_day == 0 ||
        n->since_day + HISTORY_DAYS > throttle_day(now_ms))
        return 0;
    return usual > s->first_time.per_day ? usual : s->first_time.per_day;
}

int64_t throttle_new_recipients_wait_ms(const struct throttle_settings *s,
                                        const struct throttle_new_recipients *n, int64_t now_ms)
{
    uint32_t limit = throttle_new_recipients_limit(s, n, now_ms);
    return limit > 0 && n->today >= limit ? (throttle_day(now_ms) + 1) * DAY - now_ms : 0;
}

/* ---- all of them ---- */

/* One key of a message. A slot in the future is given away only by keys with a `hold`, as whoever
 * comes next may be the one who wants to log in; and those do not keep security mail waiting. */
static int64_t key_wait_ms(const struct throttle_settings *s, enum throttle_key key,
                           enum stream_class class, struct throttle_bucket *b, int64_t now_ms,
                           bool *may_hold)
{
    struct throttle_limit limit = throttle_limit_of(s, key, class);
    bool security = class == STREAM_SECURITY;
    bring_back(b, &limit, now_ms);
    if (security && key != THROTTLE_CLASS && limit.hold_ms > 0)
        return 0;
    int64_t wait_ms = throttle_wait_ms(b, &limit, security, now_ms);
    *may_hold = *may_hold && wait_ms <= limit.hold_ms;
    return wait_ms;
}

/* Is it the day's limit that lets it wait? */
static bool is_daily(const struct throttle_settings *s, enum throttle_key key,
                     enum stream_class class, const struct throttle_bucket *b, int64_t now_ms,
                     int64_t wait_ms)
{
    struct throttle_limit limit = throttle_limit_of(s, key, class);
    limit.per_day = 0;
    return throttle_wait_ms(b, &limit, class == STREAM_SECURITY, now_ms) < wait_ms;
}

/* The strictest of the keys from `first` on decides. */
static void find_strictest(const struct throttle_settings *s, enum throttle_key first,
                           enum stream_class class, struct throttle_bucket *buckets, int64_t now_ms,
                           struct throttle_decision *d, bool *may_hold)
{
    for (unsigned k = first; k < THROTTLE_FLOOD; k++) {
        int64_t wait_ms =
            key_wait_ms(s, (enum throttle_key)k, class, &buckets[k], now_ms, may_hold);
        if (wait_ms > d->wait_ms) {
            d->wait_ms = wait_ms;
            d->key = (enum throttle_key)k;
            d->daily = is_daily(s, d->key, class, &buckets[k], now_ms, wait_ms);
        }
    }
}

/* A refusal: only how often that happens is charged. */
static void refuse(const struct throttle_settings *s, struct throttle_bucket *flooded,
                   int64_t now_ms, struct throttle_decision *d)
{
    struct throttle_limit flood = throttle_limit_of(s, THROTTLE_FLOOD, STREAM_SECURITY);
    bring_back(flooded, &flood, now_ms);
    d->what = THROTTLE_DEFER;
    if (d->key == THROTTLE_RATE)
        return;
    d->first = flooded->tat_ms <= now_ms;
    if (throttle_wait_ms(flooded, &flood, true, now_ms) > 0)
        d->what = THROTTLE_REJECT;
    else
        throttle_take(flooded, &flood, now_ms);
}

struct throttle_decision throttle_glance(const struct throttle_settings *s,
                                         struct throttle_bucket buckets[THROTTLE_BUCKETS],
                                         int64_t now_ms)
{
    struct throttle_decision d = {.what = THROTTLE_PASS};
    bool may_hold = true;
    find_strictest(s, THROTTLE_TENANT, STREAM_SECURITY, buckets, now_ms, &d, &may_hold);
    if (d.wait_ms > 0)
        refuse(s, &buckets[THROTTLE_FLOOD], now_ms, &d);
    return d;
}

bool throttle_repeats(const struct throttle_decision *d)
{
    return d->what == THROTTLE_REPEATED || d->what == THROTTLE_COLLAPSED;
}

bool throttle_refuses(const struct throttle_decision *d)
{
    return d->what == THROTTLE_DEFER || d->what == THROTTLE_REJECT ||
           d->what == THROTTLE_SUPPRESSED;
}

struct throttle_decision throttle_decide(const struct throttle_settings *s, enum stream_class class,
                                         enum stream_on_limit on_limit,
                                         struct throttle_bucket buckets[THROTTLE_BUCKETS],
                                         int64_t now_ms)
{
    struct throttle_decision d = {.what = THROTTLE_PASS};
    bool may_hold = true;
    find_strictest(s, THROTTLE_CLASS, class, buckets, now_ms, &d, &may_hold);
    may_hold = may_hold && on_limit == STREAM_PACE && d.wait_ms <= s->classes[class].hold_ms;
    if (d.wait_ms > 0 && may_hold)
        d.what = THROTTLE_PACE;
    else if (d.wait_ms > 0)
        refuse(s, &buckets[THROTTLE_FLOOD], now_ms, &d);
    if (d.what == THROTTLE_DEFER && d.key != THROTTLE_RATE && on_limit == STREAM_REJECT)
        d.what = THROTTLE_REJECT;
    for (unsigned k = 0; d.what <= THROTTLE_PACE && k < THROTTLE_FLOOD; k++) {
        struct throttle_limit limit = throttle_limit_of(s, (enum throttle_key)k, class);
        throttle_take(&buckets[k], &limit, now_ms);
    }
    return d;
}

struct throttle_decision throttle_charge_rate(const struct throttle_settings *s,
                                              enum stream_class class, struct throttle_bucket *rate,
                                              int64_t now_ms)
{
    struct throttle_limit limit = throttle_limit_of(s, THROTTLE_RATE, class);
    struct throttle_decision d = {.what = THROTTLE_PASS, .key = THROTTLE_RATE};
    bool may_hold = true;
    d.wait_ms = key_wait_ms(s, THROTTLE_RATE, class, rate, now_ms, &may_hold);
    if (may_hold) {
        throttle_take(rate, &limit, now_ms);
        return d;
    }
    d.what = THROTTLE_DEFER;
    d.daily = is_daily(s, THROTTLE_RATE, class, rate, now_ms, d.wait_ms);
    return d;
}

struct verdict throttle_about(const struct verdict *v, const struct throttle_decision *d,
                              const char *recipient)
{
    if (d->key == THROTTLE_RATE || d->key == THROTTLE_FIRST_TIME)
        return *v;
    return verdict_make(v->code, v->enhanced, "%.120s: %.270s", recipient, v->text);
}

struct verdict throttle_verdict(const struct throttle_settings *s, enum stream_class class,
                                const struct throttle_decision *d)
{
    struct throttle_limit l = throttle_limit_of(s, d->key, class);
    int64_t wait_s = (d->wait_ms + 999) / 1000;
    if (d->key == THROTTLE_RATE)
        return verdict_make(452, d->daily ? "4.5.3" : "4.4.5",
                            "%s of this account is used up: try again in %lld s",
                            d->daily ? "Daily quota" : "Sending rate", (long long)wait_s);
    if (d->key == THROTTLE_FIRST_TIME)
        return verdict_make(450, "4.7.28",
                            "Too many recipients today that this account has never written to "
                            "before (limit \"first_time\"): try again in %lld s",
                            (long long)wait_s);
    if (d->what == THROTTLE_REJECT)
        return verdict_make(550, "5.7.28",
                            "Too much mail for this recipient for too long (limit \"%s\"): stop "
                            "sending to it for now",
                            throttle_key_name(d->key));
    if (d->key != THROTTLE_CLASS)
        return verdict_make(450, "4.7.28",
                            "Recipient limit \"%s\" is used up (%u at once, then 1 per %lld s, %u "
                            "a day): try again in %lld s",
                            throttle_key_name(d->key), l.burst, (long long)(l.every_ms / 1000),
                            l.per_day, (long long)wait_s);
    return verdict_make(450, "4.7.28",
                        "Recipient limit \"%s\" for class \"%s\" is used up (%u at once, then 1 "
                        "per %lld s, %u a day): try again in %lld s",
                        throttle_key_name(d->key), stream_class_name(class), l.burst,
                        (long long)(l.every_ms / 1000), l.per_day, (long long)wait_s);
}
