// SPDX-License-Identifier: BSD-2-Clause
/* optout.c - Entries of the suppression list that a recipient has made. A mark is the time at which
 * an entry was made; it fits that entry while its source is "page". Two entries of one kind never
 * have the same: none is taken back in the millisecond in which it was made.
 */
#include "optout.h"

#include "suppressions.h"

#include <stdio.h>
#include <string.h>

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;
static const char by_page[] = "page";
static const char by_others_too[] = "page, repeated";

/* The entry of a kind: its key on the list. Whoever floods a mailbox may spell it in every way. */
static struct suppress_entry entry_of(const struct optout *who, enum optout_kind kind)
{
    bool flood = kind == OPTOUT_FLOOD;
    struct suppress_entry e = {.reason = flood ? SUPPRESS_FLOOD : SUPPRESS_UNSUBSCRIBE,
                               .every_spelling = flood};
    if (flood)
        address_counted_as(who->recipient, e.address);
    else
        address_same_form(who->recipient, e.address);
    snprintf(e.tenant, sizeof(e.tenant), "%s", who->tenant);
    if (kind == OPTOUT_STREAM)
        snprintf(e.stream, sizeof(e.stream), "%s", who->stream);
    return e;
}

struct search {
    const struct suppress_entry *key;
    struct suppress_entry *found_r;
};

/* There may be two: of exactly this mailbox, and of each of its spellings. */
static void keep_entry(void *context, const struct suppress_entry *e)
{
    const struct search *s = context;
    if (strcmp(e->address, s->key->address) == 0)
        *s->found_r = *e;
}

/* What the list has under that key; created_ms 0: nothing. */
static bool find_entry(struct database *db, const struct suppress_entry *key,
                       struct suppress_entry *found_r, struct err *err)
{
    struct search s = {key, found_r};
    struct suppressions_filter f = {.address = key->address,
                                    .tenant = key->tenant,
                                    .stream = key->stream,
                                    .reason = (int)key->reason};
    *found_r = (struct suppress_entry){0};
    return database_suppressions(db, &f, 2, keep_entry, &s, err);
}

static bool fits(const struct suppress_entry *e, int64_t mark)
{
    return mark > 0 && e->created_ms == mark && strcmp(e->source, by_page) == 0;
}

/* ---- how things stand ---- */

struct standing {
    const struct optout *who;
    int64_t now_ms;
    struct optout_standing *result;
};

static void add_entry(void *context, const struct suppress_entry *e)
{
    const struct standing *s = context;
    if (!suppress_applies(e, s->who->tenant, s->who->stream, STREAM_DIGEST, s->now_ms))
        return;
    enum optout_kind kind = e->reason == SUPPRESS_FLOOD ? OPTOUT_FLOOD
                            : e->stream[0]              ? OPTOUT_STREAM
                                                        : OPTOUT_ALL;
    int64_t *since_ms = &s->result->since_ms[kind];
    bool ours = e->reason == SUPPRESS_FLOOD || e->reason == SUPPRESS_UNSUBSCRIBE;
    if (*since_ms == 0 || e->created_ms < *since_ms)
        *since_ms = e->created_ms;
    if (kind == OPTOUT_FLOOD)
        s->result->until_ms = e->expires_ms;
    if (ours && fits(e, s->who->marks[kind]))
        s->result->can_undo = true;
    if (ours && strcmp(e->source, by_page) == 0 && s->now_ms - e->created_ms < day_ms)
        s->result->is_new = true;
}

bool database_optout_standing(struct database *db, const struct optout *who, int64_t now_ms,
                              struct optout_standing *standing_r, struct err *err)
{
    enum { ENTRIES_MAX = 1000 };
    struct standing s = {who, now_ms, standing_r};
    struct suppressions_filter f = {.address = who->recipient, .reason = -1};
    *standing_r = (struct optout_standing){0};
    return database_suppressions(db, &f, ENTRIES_MAX, add_entry, &s, err);
}

/* ---- ending ---- */

static bool add_new(struct database *db, struct suppress_entry *e, bool one_click, int64_t now_ms,
                    struct err *err)
{
    bool changed = false;
    e->created_ms = now_ms;
    snprintf(e->source, sizeof(e->source), "%s", one_click ? "one-click" : by_page);
    return database_suppress(db, e, now_ms, &changed, err);
}

bool database_optout(struct database *db, const struct optout *who, enum optout_kind kind,
                     bool one_click, int64_t now_ms, int64_t *mark_r, struct err *err)
{
    struct suppress_entry e = entry_of(who, kind);
    struct suppress_entry old;
    e.expires_ms = kind == OPTOUT_FLOOD ? now_ms + day_ms : 0;
    *mark_r = 0;
    if (!find_entry(db, &e, &old, err))
        return false;
    bool over = old.expires_ms > 0 && old.expires_ms <= now_ms;
    if (over && !database_suppress_end(db, &old, "expiry", now_ms, err))
        return false;
    if (old.created_ms == 0 || over) {
        *mark_r = one_click ? 0 : now_ms;
        return add_new(db, &e, one_click, now_ms, err);
    }
    bool same = !one_click && fits(&old, who->marks[kind]);
    bool others = !same && strcmp(old.source, by_page) == 0;
    old.expires_ms = old.expires_ms > 0 ? e.expires_ms : 0;
    old.created_ms = same ? now_ms : old.created_ms;
    if (others)
        snprintf(old.source, sizeof(old.source), "%s", by_others_too);
    *mark_r = same ? now_ms : 0;
    return database_suppress_again(db, &old, err);
}

/* ---- taking it back ---- */

bool database_optout_undo(struct database *db, const struct optout *who, int64_t now_ms,
                          int64_t *count_r, struct err *err)
{
    *count_r = 0;
    for (unsigned kind = 0; kind < OPTOUT_KINDS; kind++) {
        const struct suppress_entry key = entry_of(who, (enum optout_kind)kind);
        struct suppress_entry found;
        if (!find_entry(db, &key, &found, err))
            return false;
        if (!fits(&found, who->marks[kind]) || found.created_ms >= now_ms)
            continue;
        if (!database_suppress_end(db, &found, by_page, now_ms, err))
            return false;
        (*count_r)++;
    }
    return true;
}
