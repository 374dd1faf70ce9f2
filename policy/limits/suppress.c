// SPDX-License-Identifier: BSD-2-Clause
/* suppress.c - Two tables: which reasons keep back which classes, and which answers mean that there
 * is no such mailbox. */
#include "suppress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const names[SUPPRESS_REASONS] = {[SUPPRESS_UNSUBSCRIBE] = "unsubscribe",
                                                    [SUPPRESS_BOUNCE] = "bounce",
                                                    [SUPPRESS_COMPLAINT] = "complaint",
                                                    [SUPPRESS_MANUAL] = "manual",
                                                    [SUPPRESS_FLOOD] = "flood"};

const char *suppress_reason_name(enum suppress_reason reason)
{
    CHECK((unsigned)reason < SUPPRESS_REASONS);
    return names[reason];
}

bool suppress_reason_parse(struct span name, enum suppress_reason *reason_r)
{
    size_t i = 0;
    bool found = span_among(name, names, COUNT_OF(names), &i);
    if (found)
        *reason_r = (enum suppress_reason)i;
    return found;
}

/* The mildest class that a reason keeps back when its entry names no stream; milder ones pass. */
static const enum stream_class from[SUPPRESS_REASONS] = {
    [SUPPRESS_UNSUBSCRIBE] = STREAM_NOTIFICATION, [SUPPRESS_BOUNCE] = STREAM_SECURITY,
    [SUPPRESS_COMPLAINT] = STREAM_NOTIFICATION,   [SUPPRESS_MANUAL] = STREAM_SECURITY,
    [SUPPRESS_FLOOD] = STREAM_CONFIRMATION,
};

bool suppress_applies(const struct suppress_entry *e, const char *tenant, const char *stream,
                      enum stream_class class, int64_t now_ms)
{
    if ((e->expires_ms != 0 && e->expires_ms <= now_ms) ||
        (e->tenant[0] && strcmp(e->tenant, tenant) != 0))
        return false;
    enum stream_class mildest = from[e->reason];
    if (e->reason == SUPPRESS_BOUNCE && e->answers < SUPPRESS_ANSWERS_FOR_SECURITY)
        mildest = STREAM_CONFIRMATION;
    if (!e->stream[0])
        return class >= mildest;
    bool named = strcmp(e->stream, stream) == 0;
    return named && (class != STREAM_SECURITY || mildest == STREAM_SECURITY);
}

/* "2026-11-23", in UTC. */
static void print_day(int64_t ms, char *text_r, size_t size)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm = {0};
    gmtime_r(&s, &tm);
    strftime(text_r, size, "%Y-%m-%d", &tm);
}

struct verdict suppress_verdict(const struct suppress_entry *e)
{
    char day[16];
    print_day(e->created_ms, day, sizeof(day));
    switch (e->reason) {
    case SUPPRESS_UNSUBSCRIBE:
        return e->stream[0]
                   ? verdict_make(550, "5.7.1", "Recipient has unsubscribed from \"%s\" on %s",
                                  e->stream, day)
                   : verdict_make(550, "5.7.1",
                                  "Recipient has unsubscribed from all optional mail on %s", day);
    case SUPPRESS_BOUNCE:
        return verdict_make(550, "5.7.1",
                            "Recipient's server said on %s that there is no such mailbox: sealpost "
                            "suppress remove, when it was wrong",
                            day);
    case SUPPRESS_COMPLAINT:
        return verdict_make(550, "5.7.1", "Recipient has complained about mail on %s", day);
    case SUPPRESS_MANUAL:
        return verdict_make(550, "5.7.1", "Recipient is on the suppression list since %s", day);
    case SUPPRESS_FLOOD:
        return verdict_make(550, "5.7.1",
                            "Recipient has stopped all mail for a day on %s, being flooded", day);
    case SUPPRESS_REASONS:
        break;
    }
    UNREACHABLE();
}

/* ---- answers ---- */

/* What a 5xx must say, in code and words, to be about the mailbox. `words` are looked for without
 * regard to case; NULL: the code is enough. */
static const struct {
    const char *enhanced, *words;
} hard[] = {
    {"5.1.1", NULL},                      /* bad destination mailbox */
    {"5.1.3", NULL},                      /* bad destination mailbox syntax */
    {"5.1.6", NULL},                      /* moved, no forwarding address */
    {"5.1.10", NULL},                     /* null MX (RFC 7505) */
    {"5.1.2", NULL},                      /* no such domain */
    {"5.2.1", "inactive"},                /* disabled; the same code also says "too fast" */
    {"5.2.1", "disabled"},                /* */
    {"5.2.1", "does not exist"},          /* */
    {"5.5.0", "mailbox unavailable"},     /* Outlook.com */
    {"", "user unknown"},                 /* no enhanced code */
    {"", "no such user"},                 /* */
    {"", "does not exist"},               /* */
    {"", "no mailbox here by that name"}, /* qmail */
    {"", "doesn't have a yahoo"},         /* Yahoo 554 dd */
    {"", "this user doesn't have an account"},
    {"", "unknown recipient"},
    {"", "recipient not found"},
    {"", "mailbox not found"},
};

/* Words that turn even those into something else: policy, a mailbox that is full or busy, a limit
 * on how much is taken, a trouble that passes, and the sender, whom many servers judge only at
 * RCPT. */
static const char *const soft[] = {
    "spam",         "policy",       "reputation",  "blocked",      "blacklist",    "blocklist",
    "spf",          "dkim",         "dmarc",       "relay access", "relaying",     "to relay",
    "authentic",    "quota",        "full",        " rate",        "ratelimit",    "too quickly",
    "too many",     "too much",     "too fast",    "too often",    "limit",        "exceed",
    "throttl",      "per hour",     "this hour",   "per day",      "per minute",   "temporar",
    "again later",  "try later",    "greylist",    "graylist",     "busy",         "overload",
    "sender",       "callout",      "callback",    "verification", "verify",       "mail from",
    "from address", "return path",  "return-path", "reverse-path", "reverse path", "envelope from",
    "your domain",  "your address", "your server", "your ip",      "your host",
};

static bool says(const char *text, const char *words)
{
    struct span s = span_of(text);
    struct span w = span_of(words);
    for (size_t i = 0; i + w.len <= s.len; i++)
        if (span_starts_nocase(span_from(s, i), w))
            return true;
    return false;
}

bool suppress_is_hard(const struct verdict *answer, struct span sender)
{
    char named[ADDRESS_MAX + 1];
    if (answer->code < 500 || answer->code > 599 || answer->code == 552)
        return false;
    if (sender.len > 0 && span_copy(sender, named, sizeof(named)) && says(answer->text, named))
        return false;
    for (size_t i = 0; i < COUNT_OF(soft); i++)
        if (says(answer->text, soft[i]))
            return false;
    for (size_t i = 0; i < COUNT_OF(hard); i++)
        if (strcmp(answer->enhanced, hard[i].enhanced) == 0 &&
            (!hard[i].words || says(answer->text, hard[i].words)))
            return true;
    return false;
}

bool suppress_is_another_day(int64_t last_ms, int64_t now_ms)
{
    static const int64_t day_ms = INT64_C(24) * 3600 * 1000;
    return now_ms / day_ms > last_ms / day_ms && now_ms - last_ms >= day_ms / 2;
}
