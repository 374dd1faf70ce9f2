// SPDX-License-Identifier: BSD-2-Clause
/* alert.c - Maps audit verbs to kinds of alerts, and collects the alerts of one kind into batches.
 * A kind has the name of its verb, and may have one for its end; several verbs belong to "key" and
 * to "webhook_disabled", and all others to "admin". */
#include "alert.h"

#include "check.h"

#include <stdio.h>

static const char *const names[] = {[ALERT_LOCKED] = "locked",
                                    [ALERT_IDENTITY] = "identity_refused",
                                    [ALERT_FLOOD] = "flood",
                                    [ALERT_CERTIFICATE] = "certificate",
                                    [ALERT_KEY] = "key",
                                    [ALERT_ROUTE] = "route",
                                    [ALERT_ADMIN] = "admin",
                                    [ALERT_DESTINATION] = "destination_rests",
                                    [ALERT_CONNECTIONS] = "connections_full",
                                    [ALERT_SHARE] = "share_used_up",
                                    [ALERT_DISK] = "disk_full",
                                    [ALERT_DNSSEC] = "dnssec",
                                    [ALERT_DNS] = "dns_silent",
                                    [ALERT_SUPPRESSION] = "suppression_paused",
                                    [ALERT_PROCESS] = "process_ended",
                                    [ALERT_WEBHOOK] = "webhook_disabled",
                                    [ALERT_PAUSE] = "mail_paused"};

static const char *const sentences[] = {
    [ALERT_LOCKED] = "somebody guesses passwords, and is locked out",
    [ALERT_IDENTITY] = "a credential tried to send as somebody else",
    [ALERT_FLOOD] = "a recipient was protected from more mail",
    [ALERT_CERTIFICATE] = "look at a certificate",
    [ALERT_KEY] = "look at a DKIM key",
    [ALERT_ROUTE] = "a smart host does not take our mail",
    [ALERT_ADMIN] = "a command has changed something",
    [ALERT_DESTINATION] = "mail to a destination waits, as it rests",
    [ALERT_CONNECTIONS] = "a tenant has too many client connections",
    [ALERT_SHARE] = "a tenant has used up its share",
    [ALERT_DISK] = "look at the disk",
    [ALERT_DNSSEC] = "DNSSEC does not work: mail goes without DANE, or waits",
    [ALERT_DNS] = "look at DNS: mail waits while it gives no answer",
    [ALERT_SUPPRESSION] = "a receiver says of many mailboxes that they do not exist",
    [ALERT_PROCESS] = "a process of the relay has ended",
    [ALERT_WEBHOOK] = "look at a webhook",
    [ALERT_PAUSE] = "a receiver refuses mail for its source or sender, and more of it waits"};

/* Of those whose end is told as well. */
static const struct {
    const char *name, *sentence;
} ends[ALERT_KINDS] = {[ALERT_DNS] = {"dns_answers", "DNS answers again, and mail goes"}};

static bool is_end(enum alert_kind kind, struct span what)
{
    return ends[kind].name && span_equal(what, span_of(ends[kind].name));
}

const char *alert_sentence(enum alert_kind kind, struct span what)
{
    return is_end(kind, what) ? ends[kind].sentence : sentences[kind];
}

const char *alert_end_name(enum alert_kind kind)
{
    return ends[kind].name ? ends[kind].name : names[kind];
}

const char *alert_name(enum alert_kind kind)
{
    return names[kind];
}

bool alert_parse(struct span name, enum alert_kind *kind_r)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (span_equal(name, span_of(names[i]))) {
            *kind_r = (enum alert_kind)i;
            return true;
        }
    return false;
}

enum alert_kind alert_kind_of(struct span what)
{
    enum alert_kind kind = ALERT_ADMIN;
    if (alert_parse(what, &kind))
        return kind;
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (is_end((enum alert_kind)i, what))
            return (enum alert_kind)i;
    if (span_starts_nocase(what, SPAN("webhook_")))
        return ALERT_WEBHOOK;
    return span_starts_nocase(what, SPAN("key")) ? ALERT_KEY : ALERT_ADMIN;
}

/* ---- whose ---- */

static const char before_whose[] = " (mail of tenant ";

void alert_print_whose(const char *tenant, char *text_r, size_t size)
{
    snprintf(text_r, size, "%s%s)", before_whose, tenant);
}

/* What stands before may be a server's words: the last counts, and only at the end. */
struct span alert_whose(struct span about)
{
    struct span mark = span_of(before_whose);
    struct span found = SPAN_NONE;
    if (about.len == 0 || about.ptr[about.len - 1] != ')')
        return SPAN_NONE;
    struct span rest = span_first(about, about.len - 1);
    for (size_t at = span_search(rest, mark); at < rest.len; at = span_search(rest, mark))
        found = rest = span_from(rest, at + mark.len);
    return found;
}

/* ---- batches ---- */

/* The last place is for all that have none. */
static void count_verb(struct alert_batch *b, struct span what)
{
    size_t i = 0;
    while (i < ALERT_VERBS - 1 && i < b->verb_count && !span_equal(what, span_of(b->verbs[i].name)))
        i++;
    if (i == b->verb_count) {
        struct span name = i == ALERT_VERBS - 1 ? SPAN("other") : what;
        bool fits = span_copy(span_first(name, sizeof(b->verbs[i].name) - 1), b->verbs[i].name,
                              sizeof(b->verbs[i].name));
        CHECK(fits);
        b->verb_count++;
    }
    b->verbs[i].count++;
}

static size_t count_whose(const struct alert_batch *b, struct span whose)
{
    size_t count = 0;
    for (size_t i = 0; i < b->named_count; i++)
        count += span_equal(whose, span_of(b->named[i].whose));
    return count;
}

/* Where one more is named. When all places are taken, who has none yet gets that of who has two. */
static size_t find_place(const struct alert_batch *b, struct span whose)
{
    size_t i = b->named_count;
    if (i < ALERT_NAMED || count_whose(b, whose) > 0)
        return i;
    for (i = ALERT_NAMED; i > 0; i--)
        if (count_whose(b, span_of(b->named[i - 1].whose)) > 1)
            return i - 1;
    return ALERT_NAMED;
}

static void cut(struct span text, char *to_r, size_t size)
{
    bool fits = span_copy(span_first(text, size - 1), to_r, size);
    CHECK(fits);
}

/* What it is about stands before what has happened to it. */
static void name_it(struct alert_batch *b, struct span about)
{
    char whose[sizeof(b->named[0].whose)];
    char name[sizeof(b->named[0].about)];
    cut(alert_whose(about), whose, sizeof(whose));
    cut(span_first(about, span_search(about, SPAN(": "))), name, sizeof(name));
    for (size_t i = 0; i < b->named_count; i++)
        if (span_equal(span_of(name), span_of(b->named[i].about)))
            return;
    size_t i = find_place(b, span_of(whose));
    if (i == ALERT_NAMED)
        return;
    cut(span_of(name), b->named[i].about, sizeof(b->named[i].about));
    cut(span_of(whose), b->named[i].whose, sizeof(b->named[i].whose));
    b->named_count += i == b->named_count;
}

void alert_batch_add(struct alert_batch *b, struct span what, struct span about, int64_t at_ms)
{
    if (b->count++ == 0)
        b->first_ms = at_ms;
    count_verb(b, what);
    name_it(b, about);
}

bool alert_batch_due(const struct alert_batch *b, int64_t now_ms)
{
    return b->count > 0 && now_ms >= b->next_ms;
}

void alert_batch_take(struct alert_batch *b, int64_t now_ms, int64_t interval_ms)
{
    *b = (struct alert_batch){.next_ms = now_ms + interval_ms};
}
