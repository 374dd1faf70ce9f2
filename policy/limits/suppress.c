// SPDX-License-Identifier: BSD-2-Clause
/* suppress.c - Which reasons suppress which classes of mail, and whether a reply that says that a
 * mailbox does not exist may mean somebody else. */
#include "suppress.h"

#include "ip.h"

#include <ctype.h>
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
    [SUPPRESS_COMPLAINT] = STREAM_CONFIRMATION,   [SUPPRESS_MANUAL] = STREAM_SECURITY,
    [SUPPRESS_FLOOD] = STREAM_CONFIRMATION,
};

bool suppress_applies(const struct suppress_entry *e, const char *tenant, const char *stream,
                      enum stream_class class, int64_t now_ms)
{
    if ((e->expires_ms != 0 && e->expires_ms <= now_ms) ||
        (e->tenant[0] && strcmp(e->tenant, tenant) != 0))
        return false;
    enum stream_class mildest = from[e->reason];
    if (e->reason == SUPPRESS_BOUNCE && e->answers < e->needed)
        return false;
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
                            "Recipient's server said on %s that there is no such mailbox: if that "
                            "is wrong, run 'sealpost suppress remove ADDRESS'",
                            day);
    case SUPPRESS_COMPLAINT:
        return verdict_make(550, "5.7.1", "Recipient has complained about mail on %s", day);
    case SUPPRESS_MANUAL:
        return verdict_make(550, "5.7.1", "Recipient is on the suppression list since %s", day);
    case SUPPRESS_FLOOD:
        return verdict_make(550, "5.7.1",
                            "Recipient has stopped all mail for a day on %s, after a flood", day);
    case SUPPRESS_REASONS:
        break;
    }
    UNREACHABLE();
}

/* ---- answers ---- */

static bool is_part_of_name(struct span text, size_t i)
{
    return i < text.len && (isalnum((unsigned char)text.ptr[i]) || text.ptr[i] == '-');
}

/* As a word, or as a name: "club.test" is in "mail.club.test", and not in "myclub.test". */
static bool names_it(struct span text, struct span name)
{
    for (size_t i = 0; name.len > 0 && i + name.len <= text.len; i++)
        if (span_starts_nocase(span_from(text, i), name) &&
            (i == 0 || !is_part_of_name(text, i - 1)) && !is_part_of_name(text, i + name.len))
            return true;
    return false;
}

static bool is_among(const struct ip *ip, const char *const *ips, size_t count)
{
    struct ip one;
    for (size_t i = 0; i < count; i++)
        if (ip_parse(ips[i], &one) && ip_equal(&one, ip))
            return true;
    return false;
}

/* A literal address of the Internet, of these or, with NULL, any. */
static bool names_ip(struct span text, const char *const *ips, size_t count)
{
    while (text.len > 0) {
        struct ip ip;
        char word[48];
        size_t len = 0;
        while (len < text.len && (isxdigit((unsigned char)text.ptr[len]) || text.ptr[len] == '.' ||
                                  text.ptr[len] == ':'))
            len++;
        struct span end = span_first(text, len);
        while (end.len > 0 && ispunct((unsigned char)end.ptr[end.len - 1]))
            end.len--;
        if (span_copy(end, word, sizeof(word)) && ip_parse(word, &ip) &&
            (!ips || is_among(&ip, ips, count)))
            return true;
        text = span_from(text, len > 0 ? len : 1);
    }
    return false;
}

/* What is said beside the recipient's own address, in `text_r`. */
static struct span without_recipient(const char *said, struct span rcpt, char *text_r, size_t size)
{
    struct span text = {text_r, 0};
    snprintf(text_r, size, "%s", said);
    text.len = strlen(text_r);
    for (size_t i = 0; rcpt.len > 0 && i + rcpt.len <= text.len; i++)
        if (span_starts_nocase(span_from(text, i), rcpt))
            memset(text_r + i, ' ', rcpt.len);
    return text;
}

static struct span domain_of(struct span address)
{
    size_t at = span_find(address, '@');
    return at < address.len ? span_from(address, at + 1) : SPAN_NONE;
}

/* Does it name us, or who sends? A domain that is the recipient's, too, says nothing. */
static bool names_us(struct span text, const struct suppress_sides *sides)
{
    const struct span ours[] = {sides->sender, sides->hostname, domain_of(sides->sender),
                                sides->from_domain};
    struct span to = domain_of(sides->recipient);
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (!names_it(to, ours[i]) && names_it(text, ours[i]))
            return true;
    return sides->ip_count > 0 && names_ip(text, sides->ips, sides->ip_count);
}

unsigned suppress_after(const struct reply_judgement *judgement, const struct verdict *answer,
                        const struct suppress_sides *sides)
{
    char memory[sizeof(answer->text)];
    struct span text = without_recipient(answer->text, sides->recipient, memory, sizeof(memory));
    bool bare_ip = !answer->enhanced[0] && names_ip(text, NULL, 0); /* it may be what is unknown */
    return bare_ip || names_us(text, sides) ? 0 : judgement->suppress_after;
}

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

int64_t suppress_for_ms(enum reply_category category, unsigned days)
{
    enum { DOMAIN_DAYS = 30 };
    bool shorter = category == REPLY_DOMAIN_UNKNOWN && days > DOMAIN_DAYS;
    return (shorter ? DOMAIN_DAYS : (int64_t)days) * day_ms;
}

bool suppress_is_another_day(int64_t last_ms, int64_t now_ms)
{
    return now_ms / day_ms > last_ms / day_ms && now_ms - last_ms >= day_ms / 2;
}
