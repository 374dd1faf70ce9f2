// SPDX-License-Identifier: BSD-2-Clause
/* sts_discovery.c - Finds out a domain's policy, step by step as mta_sts.h says.
 *
 * Happy path: the TXT record - the addresses of the policy host - a turn (sts_turns.h) - the
 * policy, by the fetcher and from those addresses only - the store has it - found.
 *
 * Failure modes: of DNS, of the policy host, of what it says: mta_sts.h knows what counts then. The
 * store cannot write it: that is in the log, and the policy counts until the relay ends.
 */
#include "sts_parts.h"

#include "clock.h"
#include "log.h"
#include "sts_lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    ADDRESSES_MS = 10 * 1000,
    TTL_LEAST_S = 5,
    TTL_MOST_S = 3600,
    FAILED_S = 60,    /* so long nobody asks again why there is none */
    WAITING_MAX = 200 /* policies of one tenant that wait to be fetched */
};

struct sts_discovery {
    struct sts_discovery *next, *prev;
    struct sts *sts;
    struct sts_entry *entry; /* NULL: it is abandoned, and ends when what is under way has */
    struct settings *settings;
    struct mta_sts machine;
    struct sts_reason reason;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct sts_place place; /* to fetch; and who asks */
    bool past_caches;       /* the next question */
    uint32_t ttl_s;
    struct sts_lookup *lookup;
    char addresses[STS_FETCH_ADDRESSES];
    struct fetch *fetch;
    struct buf raw;
    struct sts_terms *terms;
    bool stored; /* has been handed to the store */
};

static void go_on(struct sts_discovery *d, enum mta_sts_next next);
static void begin_fetches(struct sts *s);

/* ---- who asks ---- */

static const char *tenant_of(const struct sts_discovery *d)
{
    return d->place.claims[0].tenant;
}

int64_t sts_discovery_joined(struct sts_entry *e, const char *tenant, bool urgent)
{
    struct sts_discovery *d = e->discovery;
    int64_t since_ms =
        sts_place_claim(&d->sts->turns, &d->place, tenant, urgent, clock_steady_ms())->since_ms;
    begin_fetches(d->sts);
    return since_ms;
}

static bool may_wait(const struct sts_discovery *d)
{
    const struct sts_discovery *other;
    size_t own = 0;
    DL_FOREACH (d->sts->discoveries, other)
        own += sts_place_waits(&other->place) && strcmp(tenant_of(other), tenant_of(d)) == 0;
    return own < WAITING_MAX;
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

void sts_discovery_abandon(struct sts_entry *e)
{
    struct sts_discovery *d = e->discovery;
    if (!d)
        return;
    e->discovery = NULL;
    d->entry = NULL;
    sts_lookup_cancel(d->lookup);
    d->lookup = NULL;
    if (d->fetch)
        fetch_kill(d->fetch);
    else if (!d->stored)
        free_discovery(d);
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
        if (d->reason.aim != MTA_STS_TO_REFRESH)
            continue;
        count++;
        if (d->entry)
            d->entry->party->refreshes++;
    }
    return count;
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
    if (e->once)
        return 0;
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
    e->once = d->terms && !e->kept.there;
    d->terms = NULL;
    e->result = d->machine.result;
    snprintf(e->reason, sizeof(e->reason), "%s", d->machine.reason);
    e->fresh_until_ms = now_ms + fresh_ms(d);
    e->checked_ms = d->reason.fresh ? now_ms : e->checked_ms;
    e->discovery = NULL;
    sts_table_weigh(e);
    pthread_mutex_unlock(&s->table.mutex);
    free_discovery(d);
    s->found(s, e);
}

static void on_written(struct sts_write *w)
{
    struct sts_discovery *d = w->context;
    if (d->entry)
        publish(d);
    else
        free_discovery(d);
}

static void note(const struct sts_discovery *d)
{
    const struct mta_sts *m = &d->machine;
    char what[80];
    if (m->change == MTA_STS_STORE) {
        snprintf(what, sizeof(what), "%s id %s", mta_sts_mode_name(m->fetched.mode), m->id);
        log_end(log_text(log_text(log_begin(LOG_INFO, "sts_policy"), "domain", d->domain), "what",
                         what));
    } else if (m->change == MTA_STS_FAILED) {
        struct log_line *line = log_text(log_begin(LOG_WARN, "sts_failed"), "domain", d->domain);
        line = log_text(line, "tls_result", tls_result_name(m->failure));
        log_end(
            log_text(line, "what",
                     m->policy ? "the policy that is kept counts" : "mail goes without a policy"));
    }
}

/* What counts is known; what changes in what is kept is written before anybody uses it. */
static void decided(struct sts_discovery *d)
{
    struct sts *s = d->sts;
    struct sts_entry *e = d->entry;
    enum mta_sts_change change = d->machine.change;
    static const enum sts_write_what whats[] = {[MTA_STS_UNCHANGED] = STS_WRITE_USE,
                                                [MTA_STS_STORE] = STS_WRITE_ALL,
                                                [MTA_STS_FORGET] = STS_WRITE_DROP,
                                                [MTA_STS_FAILED] = STS_WRITE_FAILURE};
    note(d);
    if (d->machine.policy)
        d->terms = sts_terms_new(d->machine.policy,
                                 d->machine.policy == &e->kept.policy ? e->kept.id : d->machine.id);
    pthread_mutex_lock(&s->table.mutex);
    mta_sts_keep(&d->machine, &e->kept, clock_now_ms());
    struct sts_write *w =
        change == MTA_STS_UNCHANGED ? NULL : sts_write_new(s, e, whats[change], buf_span(&d->raw));
    pthread_mutex_unlock(&s->table.mutex);
    if (!w) {
        publish(d);
        return;
    }
    w->done = on_written;
    w->context = d;
    d->stored = true;
    e->written_ms = w->kept.used_ms;
    sts_write_put(w);
}

/* ---- the policy host ---- */

static void unreachable(struct sts_discovery *d, const char *why)
{
    const struct mta_sts_response response = {.end = MTA_STS_UNREACHABLE, .why = why};
    go_on(d, mta_sts_fetched(&d->machine, &response, clock_now_ms()));
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
    go_on(d, mta_sts_fetched(&d->machine, &response, clock_now_ms())); /* it may have ended */
    begin_fetches(s);
}

static void fetch(struct sts_discovery *d)
{
    struct fetch_order order;
    struct buf nothing;
    buf_init(&nothing, 1);
    sts_fetch_order(d->domain, d->addresses, &order);
    d->fetch = fetch_start(d->sts->loop, d->sts->fetcher, &order, &nothing, on_fetched, d);
}

static void begin_fetches(struct sts *s)
{
    struct sts_discovery *d;
    while (!s->closing && (d = sts_turns_next(&s->turns)))
        fetch(d);
}

static void on_addresses(void *context, const struct ip *ips, size_t count, bool failed)
{
    struct sts_discovery *d = context;
    struct ip host = {.v6 = false};
    d->lookup = NULL;
    if (!sts_fetch_addresses(d->settings->config, ips, count, d->addresses, &host)) {
        unreachable(d, sts_fetch_no_address(count, failed));
        return;
    }
    if (!may_wait(d)) {
        unreachable(d, "too-many-wait");
        return;
    }
    sts_place_wait(&d->sts->turns, &d->place, &host);
    begin_fetches(d->sts);
}

static void look_up_host(struct sts_discovery *d)
{
    const struct sts_lookup_query query = {.domain = d->domain,
                                           .tenant = tenant_of(d),
                                           .urgent = d->reason.urgent,
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
        .tenant = tenant_of(d),
        .urgent = d->reason.urgent,
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

void sts_discover(struct sts *s, struct sts_entry *e, const struct sts_reason *reason)
{
    struct sts_discovery *d = xcalloc(1, sizeof(*d));
    CHECK(!e->discovery && !s->closing);
    d->sts = s;
    d->entry = e;
    d->settings = settings_hold(s->settings);
    d->reason = *reason;
    d->past_caches = reason->fresh;
    d->place = (struct sts_place){.rank = reason->aim == MTA_STS_TO_REFRESH ? 1 : 0, .what = d};
    sts_place_claim(&s->turns, &d->place, reason->tenant ? reason->tenant : sts_table_tenant(e),
                    reason->urgent, clock_steady_ms());
    snprintf(d->domain, sizeof(d->domain), "%s", e->domain);
    buf_init_peer(&d->raw, MTA_STS_BODY_MAX);
    DL_APPEND(s->discoveries, d);
    pthread_mutex_lock(&s->table.mutex);
    e->discovery = d;
    pthread_mutex_unlock(&s->table.mutex);
    go_on(d, mta_sts_begin(&d->machine, &e->kept, reason->aim, clock_now_ms()));
}
