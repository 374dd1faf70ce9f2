// SPDX-License-Identifier: BSD-2-Clause
/* sts_discovery.c - Finds out a domain's policy, step by step as mta_sts.h says.
 *
 * Happy path: the TXT record - the addresses of the policy host - a turn (sts_turns.h) - the
 * policy, by the fetcher and from those addresses only - the store has it - found.
 *
 * Each tenant that has mail for the domain goes this way by itself, and once more for class
 * security: at each step it has turns of its own, so that none waits for what another one has
 * asked before. Only one of them fetches at a time; what the first one finds out is all others'
 * answer, too.
 *
 * Failure modes:
 * - of the policy host, of what it says: mta_sts.h knows what counts then
 * - of DNS: it is told to those only who wait for this one, and not asked again for this tenant for
 *   a minute
 * - of our own (the fetcher is busy or gone; a minute is over, and others of the tenant's are still
 *   before it): the fetcher is asked again, and in the end nothing is noted of the domain. However
 *   many wait, each waits: there are no more of them than the queue looks up domains
 * - the store cannot write it: that is in the log, and the policy counts until the relay ends
 */
#include "sts_parts.h"

#include "clock.h"
#include "sts_fetch.h"
#include "sts_lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    ADDRESSES_MS = 10 * 1000,
    TTL_LEAST_S = 5,
    TTL_MOST_S = 3600,
    FAILED_S = 60,       /* so long nobody asks again why there is none */
    TURN_MS = 60 * 1000, /* it waits so long to be fetched: no mail waits longer for it */
    AGAIN_MS = 500,      /* until the fetcher is asked once more; then twice as long each time */
    AGAIN_MAX = 6
};

struct sts_discovery {
    struct sts_discovery *next, *prev;             /* of the service's */
    struct sts_discovery *entry_next, *entry_prev; /* of the entry's */
    struct sts *sts;
    struct sts_entry *entry; /* NULL: it is abandoned, and ends when what is under way has */
    struct settings *settings;
    struct mta_sts machine;
    struct sts_reason reason;
    char domain[ADDRESS_DOMAIN_MAX + 1], tenant[64];
    int64_t since_ms;       /* it is waited for */
    struct sts_place place; /* to fetch */
    bool past_caches;       /* the next question */
    uint32_t ttl_s;
    struct sts_lookup *lookup;
    char addresses[STS_FETCH_ADDRESSES];
    struct ip host; /* the first of them */
    struct fetch *fetch;
    bool rides;       /* another one of the same domain fetches */
    unsigned again;   /* so often the fetcher could not */
    int64_t again_ms; /* when it is asked once more; 0: it is not to be */
    struct buf raw;
    struct sts_terms *terms;
    bool stored; /* is handed to the store; read, as `since_ms` is, with the table locked */
};

static void go_on(struct sts_discovery *d, enum mta_sts_next next);
static void begin_fetches(struct sts *s);

/* ---- who asks ---- */

const struct sts_discovery *sts_discovery_for(const struct sts_entry *e, const char *tenant,
                                              bool urgent, bool fresh)
{
    const struct sts_discovery *d;
    for (d = e->discoveries; d; d = d->entry_next) {
        bool own = d->reason.aim == MTA_STS_TO_SEND && d->reason.urgent >= urgent &&
                   strcmp(d->tenant, tenant) == 0;
        if ((own || d->stored) && d->reason.fresh >= fresh)
            return d;
    }
    return NULL;
}

int64_t sts_discovery_since_ms(const struct sts_discovery *d)
{
    return d->since_ms;
}

/* ---- the end ---- */

static void free_discovery(struct sts_discovery *d)
{
    struct sts *s = d->sts;
    DL_DELETE(s->discoveries, d);
    sts_place_leave(&s->turns, &d->place);
    mta_sts_fini(&d->machine);
    buf_fini(&d->raw);
    sts_terms_drop(d->terms);
    settings_drop(d->settings);
    free(d);
    if (!s->closing)
        begin_fetches(s);
}

/* With the table locked. */
static void leave_entry(struct sts_discovery *d)
{
    DL_DELETE2(d->entry->discoveries, d, entry_prev, entry_next);
    d->entry = NULL;
}

static void abandon(struct sts_discovery *d)
{
    leave_entry(d);
    sts_lookup_cancel(d->lookup);
    d->lookup = NULL;
    if (d->fetch)
        fetch_kill(d->fetch);
    else if (!d->stored)
        free_discovery(d);
}

void sts_discovery_abandon(struct sts_entry *e)
{
    while (e->discoveries)
        abandon(e->discoveries);
}

void sts_discoveries_free(struct sts *s)
{
    while (s->discoveries)
        free_discovery(s->discoveries);
}

unsigned sts_discoveries_refreshing(struct sts *s)
{
    const struct sts_discovery *d;
    unsigned count = 0;
    for (struct sts_party *p = s->table.parties; p; p = p->hh.next)
        p->refreshes = 0;
    DL_FOREACH (s->discoveries, d) {
        if (d->reason.aim == MTA_STS_TO_SEND)
            continue;
        count++;
        if (d->entry)
            d->entry->party->refreshes++;
    }
    return count;
}

/* ---- one for all ---- */

/* Does one of those for the same domain fetch? */
static bool is_fetched(const struct sts_entry *e)
{
    const struct sts_discovery *d;
    for (d = e->discoveries; d; d = d->entry_next)
        if (d->fetch)
            return true;
    return false;
}

static void wait_for_turn(struct sts_discovery *d)
{
    d->rides = false;
    d->again_ms = 0;
    sts_place_wait(&d->sts->turns, &d->place, &d->host);
}

/* Who has let it fetch for him does so himself, if it has not been his answer. */
static void release_riders(struct sts_entry *e)
{
    struct sts_discovery *d;
    if (is_fetched(e))
        return;
    for (d = e->discoveries; d; d = d->entry_next)
        if (d->rides)
            wait_for_turn(d);
}

/* ---- the verdict ---- */

/* Nothing was tried, as that has failed just now: what is known of the cause stays. */
static bool has_failed_before(const struct mta_sts *m)
{
    return m->why == MTA_STS_WHY_FAILED_BEFORE;
}

/* How long what was found may be told before DNS is asked again: at most as long as it counts. */
static int64_t fresh_ms(const struct sts_discovery *d)
{
    const struct sts_entry *e = d->entry;
    int64_t now_ms = clock_now_ms();
    int64_t left_ms = mta_sts_expires_ms(&e->kept, now_ms) - now_ms;
    uint32_t ttl_s = d->ttl_s < TTL_LEAST_S ? TTL_LEAST_S : d->ttl_s;
    if (d->machine.result != TLS_RESULT_NONE || ttl_s == UINT32_MAX)
        ttl_s = FAILED_S;
    int64_t fresh_ms = (int64_t)(ttl_s > TTL_MOST_S ? TTL_MOST_S : ttl_s) * 1000;
    return e->terms && left_ms < fresh_ms ? left_ms : fresh_ms;
}

static void publish(struct sts_discovery *d)
{
    struct sts *s = d->sts;
    struct sts_entry *e = d->entry;
    int64_t now_ms = clock_steady_ms();
    pthread_mutex_lock(&s->table.mutex);
    sts_terms_drop(e->terms);
    e->terms = d->terms;
    d->terms = NULL;
    e->result = d->machine.result;
    if (!has_failed_before(&d->machine) || !d->machine.reason[0] || !e->reason[0])
        snprintf(e->reason, sizeof(e->reason), "%s", d->machine.reason);
    e->found_ms = now_ms;
    e->fresh_until_ms = now_ms + fresh_ms(d);
    e->checked_ms = d->reason.fresh ? now_ms : e->checked_ms;
    sts_table_weigh(e);
    leave_entry(d);
    pthread_mutex_unlock(&s->table.mutex);
    free_discovery(d);
    s->found(s, e, NULL);
}

/* What came of a fetch; with the table locked. A delivery that needs none says nothing of it. */
static void note_try(struct sts_discovery *d)
{
    const struct mta_sts *m = &d->machine;
    struct sts_try *last = &d->entry->last;
    if (has_failed_before(m) && last->why != MTA_STS_WHY_NOTHING)
        last->made |= d->reason.aim == MTA_STS_ON_COMMAND;
    else if (m->change != MTA_STS_UNCHANGED || d->reason.aim == MTA_STS_ON_COMMAND)
        *last = (struct sts_try){.made = true, .why = m->why, .status = m->status};
}

/* Those who wait for it go on without; nobody knows more of the domain than before. */
static void give_up(struct sts_discovery *d)
{
    struct sts *s = d->sts;
    struct sts_entry *e = d->entry;
    char gap[sizeof(d->machine.reason)];
    memcpy(gap, d->machine.reason, sizeof(gap));
    pthread_mutex_lock(&s->table.mutex);
    if (d->ttl_s == UINT32_MAX)
        sts_table_silence(e, d->tenant, clock_steady_ms() + FAILED_S * 1000);
    sts_table_in_vain(e, d->tenant, d->reason.urgent, clock_steady_ms());
    note_try(d);
    leave_entry(d);
    pthread_mutex_unlock(&s->table.mutex);
    release_riders(e);
    free_discovery(d);
    s->found(s, e, gap);
}

/* Is what `d` has found out the other's answer, too? Of what looks more closely only if that has
 * seen the same record; when nothing has changed, not of a refresh either. */
static bool answers(const struct sts_discovery *d, const struct sts_discovery *other)
{
    bool changed = d->machine.change != MTA_STS_UNCHANGED;
    bool same = changed && d->machine.id[0] && strcmp(d->machine.id, other->machine.id) == 0;
    return (other->reason.fresh <= d->reason.fresh || same) &&
           (changed || other->reason.aim == MTA_STS_TO_SEND);
}

static void end_others(const struct sts_discovery *d)
{
    struct sts_discovery *other;
    struct sts_discovery *next;
    pthread_mutex_lock(&d->sts->table.mutex);
    for (other = d->entry->discoveries; other; other = next) {
        next = other->entry_next;
        if (other != d && !other->stored && answers(d, other))
            abandon(other);
    }
    pthread_mutex_unlock(&d->sts->table.mutex);
    release_riders(d->entry);
}

static void on_written(struct sts_write *w)
{
    struct sts_discovery *d = w->context;
    if (d->entry)
        publish(d);
    else
        free_discovery(d);
}

/* What counts is known; what changes in what is kept is written before anybody uses it. */
static void decided(struct sts_discovery *d)
{
    struct sts *s = d->sts;
    struct sts_entry *e = d->entry;
    enum mta_sts_change change = d->machine.change;
    static const enum sts_write_what whats[] = {[MTA_STS_UNCHANGED] = STS_WRITE_USE,
                                                [MTA_STS_STORE] = STS_WRITE_ALL,
                                                [MTA_STS_BRIEF] = STS_WRITE_DROP,
                                                [MTA_STS_FAILED] = STS_WRITE_FAILURE};
    if (d->machine.untried) {
        give_up(d);
        return;
    }
    sts_tell_change(&d->machine, d->domain);
    end_others(d);
    if (d->machine.policy)
        d->terms = sts_terms_new(d->machine.policy,
                                 d->machine.policy == &e->kept.policy ? e->kept.id : d->machine.id);
    pthread_mutex_lock(&s->table.mutex);
    note_try(d);
    mta_sts_keep(&d->machine, &e->kept, clock_now_ms());
    struct sts_write *w =
        change == MTA_STS_UNCHANGED ? NULL : sts_write_new(s, e, whats[change], buf_span(&d->raw));
    e->written_shared = w ? e->use_count > 1 : e->written_shared;
    d->since_ms = w ? clock_steady_ms() : d->since_ms; /* for whoever joins now */
    d->stored = w != NULL;
    pthread_mutex_unlock(&s->table.mutex);
    if (!w) {
        publish(d);
        return;
    }
    w->done = on_written;
    w->context = d;
    e->written_ms = w->kept.used_ms;
    sts_write_put(w);
}

/* ---- the policy host ---- */

static void ended(struct sts_discovery *d, enum mta_sts_end end, enum mta_sts_why why)
{
    const struct mta_sts_response response = {.end = end, .why = why};
    go_on(d, mta_sts_fetched(&d->machine, &response, clock_now_ms()));
}

static void ask_again_later(struct sts_discovery *d)
{
    d->again_ms = clock_steady_ms() + ((int64_t)AGAIN_MS << d->again);
    d->again++;
    release_riders(d->entry);
}

/* Its tenant has waited in vain for a turn: for longer than any mail waits. */
static bool has_no_turn(const struct sts_discovery *d, int64_t now_ms)
{
    return d->entry && sts_place_waits(&d->place) && now_ms - d->since_ms >= TURN_MS;
}

void sts_discoveries_tick(struct sts *s)
{
    struct sts_discovery *d;
    struct sts_discovery *next;
    int64_t now_ms = clock_steady_ms();
    DL_FOREACH_SAFE (s->discoveries, d, next) {
        if (d->entry && d->again_ms > 0 && d->again_ms <= now_ms)
            wait_for_turn(d);
        else if (has_no_turn(d, now_ms))
            ended(d, MTA_STS_UNTRIED, MTA_STS_WHY_TOO_MANY_WAIT); /* only this one goes */
    }
    begin_fetches(s);
}

static void on_fetched(void *context, const struct fetch_result *result)
{
    struct sts_discovery *d = context;
    struct sts *s = d->sts;
    const struct mta_sts_response response = sts_fetch_response(result);
    d->fetch = NULL;
    sts_place_leave(&s->turns, &d->place);
    if (!d->entry) {
        free_discovery(d);
        return;
    }
    if (response.end == MTA_STS_ANSWERED && response.status == 200)
        buf_add(&d->raw, result->answer);
    if (response.end == MTA_STS_UNTRIED && d->again < AGAIN_MAX)
        ask_again_later(d);
    else
        go_on(d, mta_sts_fetched(&d->machine, &response, clock_now_ms())); /* it may have ended */
    begin_fetches(s);
}

static void fetch(struct sts_discovery *d)
{
    struct fetch_order order;
    struct buf nothing;
    buf_init(&nothing, 1);
    sts_fetch_order(d->settings->config, d->domain, d->addresses, &order);
    d->fetch = fetch_start(d->sts->loop, d->sts->fetcher, &order, &nothing, on_fetched, d);
}

static void begin_fetches(struct sts *s)
{
    struct sts_discovery *d;
    while (!s->closing && (d = sts_turns_next(&s->turns))) {
        d->rides = d->entry && is_fetched(d->entry);
        if (d->rides)
            sts_place_leave(&s->turns, &d->place);
        else
            fetch(d);
    }
}

static void on_addresses(void *context, const struct ip *ips, size_t count, bool failed)
{
    struct sts_discovery *d = context;
    d->lookup = NULL;
    if (!sts_fetch_addresses(d->settings->config, ips, count, d->addresses, &d->host)) {
        d->ttl_s = failed ? UINT32_MAX : d->ttl_s;
        ended(d, failed ? MTA_STS_UNTRIED : MTA_STS_UNREACHABLE,
              sts_fetch_no_address(count, failed));
        return;
    }
    wait_for_turn(d);
    begin_fetches(d->sts);
}

static void look_up_host(struct sts_discovery *d)
{
    const struct sts_lookup_query query = {.domain = d->domain,
                                           .tenant = d->tenant,
                                           .urgent = d->reason.urgent,
                                           .merit = d->reason.merit,
                                           .timeout_ms = ADDRESSES_MS};
    d->lookup = sts_lookup_addresses(d->sts->resolver, &query, on_addresses, d);
}

/* ---- the TXT record ---- */

static void on_record(void *context, const struct dns_answer *txt)
{
    struct sts_discovery *d = context;
    d->lookup = NULL;
    d->ttl_s = txt->status == DNS_FAILED ? UINT32_MAX : txt->ttl_s;
    d->past_caches = true; /* a failure is cached, too */
    go_on(d, mta_sts_told(&d->machine, txt, clock_now_ms()));
}

static void look_up_record(struct sts_discovery *d)
{
    int64_t now_ms = clock_now_ms();
    int64_t after_ms = d->machine.ask_at_ms - now_ms;
    int64_t left_ms = d->machine.begun_ms + MTA_STS_QUESTIONS_MS - d->machine.ask_at_ms;
    const struct sts_lookup_query query = {
        .domain = d->domain,
        .tenant = d->tenant,
        .urgent = d->reason.urgent,
        .merit = d->reason.merit,
        .after_ms = after_ms > 0 && after_ms < MTA_STS_QUESTIONS_MS ? (unsigned)after_ms : 0,
        .timeout_ms = left_ms > 0 && left_ms < MTA_STS_QUESTIONS_MS ? (unsigned)left_ms
                                                                    : MTA_STS_QUESTIONS_MS,
        .fresh = d->past_caches ? d->settings->config : NULL};
    d->lookup = sts_lookup_record(d->sts->resolver, &query, on_record, d);
}

static void go_on(struct sts_discovery *d, enum mta_sts_next next)
{
    switch (next) {
    case MTA_STS_ASK:
        look_up_record(d);
        return;
    case MTA_STS_FETCH:
        look_up_host(d);
        return;
    case MTA_STS_DECIDED:
        decided(d);
        return;
    }
    UNREACHABLE();
}

struct sts_discovery *sts_discover(struct sts *s, struct sts_entry *e,
                                   const struct sts_reason *reason)
{
    struct sts_discovery *d = xcalloc(1, sizeof(*d));
    CHECK(!s->closing);
    d->sts = s;
    d->entry = e;
    d->settings = settings_hold(s->settings);
    d->reason = *reason;
    d->past_caches = reason->fresh;
    d->since_ms = clock_steady_ms();
    snprintf(d->domain, sizeof(d->domain), "%s", e->domain);
    buf_init_peer(&d->raw, MTA_STS_BODY_MAX);
    DL_APPEND(s->discoveries, d);
    pthread_mutex_lock(&s->table.mutex);
    snprintf(d->tenant, sizeof(d->tenant), "%s",
             reason->tenant ? reason->tenant : e->party->tenant);
    DL_APPEND2(e->discoveries, d, entry_prev, entry_next);
    pthread_mutex_unlock(&s->table.mutex);
    d->reason.tenant = d->tenant;
    d->place = (struct sts_place){.tenant = d->tenant,
                                  .domain = d->domain,
                                  .urgent = reason->urgent,
                                  .rank = reason->aim == MTA_STS_TO_SEND ? 0 : 1,
                                  .merit = reason->merit,
                                  .what = d};
    go_on(d, mta_sts_begin(&d->machine, &e->kept, reason->aim, clock_now_ms()));
    return d;
}
