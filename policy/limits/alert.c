// SPDX-License-Identifier: BSD-2-Clause
/* alert.c - Maps audit verbs to kinds of alerts, and collects the alerts of one kind into batches.
 * A kind has the name of its verb; several verbs belong to "key", and all others to "admin". */
#include "alert.h"

#include "check.h"

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
                                    [ALERT_DNSSEC] = "dnssec"};

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
    [ALERT_DNSSEC] = "DNSSEC does not work: mail goes without DANE, or waits"};

const char *alert_sentence(enum alert_kind kind)
{
    return sentences[kind];
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
    return span_starts_nocase(what, SPAN("key")) ? ALERT_KEY : ALERT_ADMIN;
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

void alert_batch_add(struct alert_batch *b, struct span what, int64_t at_ms)
{
    if (b->count++ == 0)
        b->first_ms = at_ms;
    count_verb(b, what);
}

bool alert_batch_due(const struct alert_batch *b, int64_t now_ms)
{
    return b->count > 0 && now_ms >= b->next_ms;
}

void alert_batch_take(struct alert_batch *b, int64_t now_ms, int64_t interval_ms)
{
    *b = (struct alert_batch){.next_ms = now_ms + interval_ms};
}
