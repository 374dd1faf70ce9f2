// SPDX-License-Identifier: BSD-2-Clause
/* sts.c - The service: who asks is answered from the table, or waits for a discovery.
 *
 * Happy path: ask - to the service's thread - discovery - found - back to the asker's loop.
 *
 * Failure modes:
 * - a policy host is slow: who waits goes on without a policy, at a time that is counted from his
 *   tenant's first question about the domain (sts_discovery_joined()); what is found later counts
 *   for the next
 * - a tenant asks for more than is looked into at once: its own domains wait for each other
 *   (sts_turns.h), and for their memory it loses its own (sts_table.c)
 * - the relay ends: nobody is answered any more
 */
#include "sts_parts.h"

#include "clock.h"
#include "sts_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    FETCHES = 24, /* at once; the fetcher has more, for others */
    WEIGHT_MOST = 16 * 1024,
    TICK_MS = 250,
    UPKEEP_TICKS = 40,     /* so many ticks from one upkeep to the next */
    CHECKED_MS = 3 * 1000, /* what was looked at past all caches is not looked at again */
    URGENT_MS = 10 * 1000, /* who waits for it, from the first question of his tenant on */
    USUAL_MS = 60 * 1000   /* the same of others */
};

struct sts_ask {
    struct inbox_item item; /* to the service, and back */
    struct sts_ask *next, *prev;
    struct sts *sts;
    struct worker *worker;
    sts_on_answer *done; /* NULL: cancelled. The asker's, as is `context` */
    void *context;
    enum sts_wish wish;
    bool urgent;
    char domain[ADDRESS_DOMAIN_MAX + 1], tenant[64];
    struct sts_answer answer;
};

/* What is asked with each message is in normal form: only what the file says is looked at. */
bool sts_domain(const struct config_route *route, const char *domain, char *name_r)
{
    if (route->mta_sts < STS_MODE_REPORT || route->tls != DELIVERY_TLS_MAY)
        return false;
    if (route->host[0])
        return mta_sts_domain(span_of(route->host), name_r);
    return domain[0] != '[' &&
           span_copy(span_of(domain), name_r, DNS_NAME_MAX + 1 - strlen("_mta-sts."));
}

/* ---- what is known ---- */

/* Does what is kept count, as it was published? */
static bool holds(const struct sts_entry *e)
{
    int64_t now_ms = clock_now_ms();
    return e->terms && e->kept.there && mta_sts_expires_ms(&e->kept, now_ms) > now_ms;
}

static void fill_in(const struct sts_entry *e, bool terms, struct sts_answer *answer_r)
{
    *answer_r = (struct sts_answer){.terms = terms ? sts_terms_hold(e->terms) : NULL,
                                    .result = terms ? TLS_RESULT_NONE : e->result};
    snprintf(answer_r->reason, sizeof(answer_r->reason), "%s", terms ? "" : e->reason);
}

/* Has DNS just failed for this tenant? */
static bool is_silent(struct sts_entry *e, const char *tenant)
{
    pthread_mutex_lock(&e->table->mutex);
    int64_t until_ms = sts_table_silent_ms(e, tenant);
    pthread_mutex_unlock(&e->table->mutex);
    return clock_steady_ms() < until_ms;
}

/* With the table locked. `stale_r`: DNS is to be asked again. */
static bool know(struct sts_entry *e, const char *tenant, struct sts_answer *answer_r,
                 bool *stale_r)
{
    int64_t now_ms = clock_steady_ms();
    *stale_r = now_ms >= e->fresh_until_ms && now_ms >= sts_table_silent_ms(e, tenant);
    if (!holds(e) && now_ms >= e->fresh_until_ms)
        return false;
    fill_in(e, holds(e), answer_r);
    e->kept.used_ms = clock_now_ms();
    sts_table_used(e, tenant);
    return true;
}

struct note {
    struct inbox_item item;
    struct sts *sts;
    char domain[ADDRESS_DOMAIN_MAX + 1], tenant[64];
    bool urgent;
    uint64_t merit;
};

static void post_note(struct sts *s, const struct sts_query *query,
                      void (*run)(struct inbox_item *item))
{
    struct note *n = xcalloc(1, sizeof(*n));
    n->item = (struct inbox_item){.run = run, .drop = inbox_free};
    n->sts = s;
    n->urgent = query->urgent;
    n->merit = query->merit;
    snprintf(n->domain, sizeof(n->domain), "%s", query->domain);
    snprintf(n->tenant, sizeof(n->tenant), "%s", query->tenant ? query->tenant : "");
    inbox_post(&s->inbox, &n->item);
}

/* `tenant`: NULL is an operator. */
static struct sts_entry *need(struct sts *s, const char *domain, const char *tenant)
{
    pthread_mutex_lock(&s->table.mutex);
    struct sts_entry *e = tenant ? NULL : sts_table_find(&s->table, domain);
    e = e ? e : sts_table_need(&s->table, domain, tenant ? tenant : "");
    e->asked_for = false;
    pthread_mutex_unlock(&s->table.mutex);
    return e;
}

static void make_room(struct sts *s)
{
    pthread_mutex_lock(&s->table.mutex);
    sts_table_make_room(&s->table, clock_now_ms());
    pthread_mutex_unlock(&s->table.mutex);
}

static void on_prefetch(struct inbox_item *item)
{
    struct note *n = (struct note *)item;
    struct sts *s = n->sts;
    struct sts_entry *e = need(s, n->domain, n->tenant);
    const struct sts_reason reason = {
        .tenant = n->tenant, .urgent = n->urgent, .merit = n->merit, .aim = MTA_STS_TO_SEND};
    if (!sts_discovery_for(e, n->tenant, n->urgent, false) && !is_silent(e, n->tenant) &&
        clock_steady_ms() >= e->fresh_until_ms)
        sts_discover(s, e, &reason);
    make_room(s);
    free(n);
}

bool sts_know(struct sts *s, const struct sts_query *query, struct sts_answer *answer_r)
{
    bool stale = false;
    bool known = false;
    bool look = false;
    pthread_mutex_lock(&s->table.mutex);
    struct sts_entry *e = sts_table_find(&s->table, query->domain);
    if (e)
        known = know(e, query->tenant, answer_r, &stale);
    if (known && stale && !e->asked_for && !e->discoveries) /* beside what goes by it already */
        look = e->asked_for = true;
    pthread_mutex_unlock(&s->table.mutex);
    if (look)
        post_note(s, query, on_prefetch);
    return known;
}

bool sts_found(struct sts *s, const struct sts_query *query, struct sts_answer *answer_r,
               int64_t *at_ms_r)
{
    pthread_mutex_lock(&s->table.mutex);
    const struct sts_entry *e = sts_table_find(&s->table, query->domain);
    bool found = e && e->found_ms > 0 && clock_steady_ms() - e->found_ms < USUAL_MS;
    if (found) {
        fill_in(e, e->terms != NULL, answer_r);
        *at_ms_r = e->found_ms;
    }
    pthread_mutex_unlock(&s->table.mutex);
    return found;
}

static bool takes_long(const struct sts_discovery *d, bool urgent)
{
    return clock_steady_ms() - sts_discovery_since_ms(d) >= (urgent ? URGENT_MS : USUAL_MS);
}

bool sts_in_vain(struct sts *s, const struct sts_query *query, int64_t *at_ms_r)
{
    int64_t now_ms = clock_steady_ms();
    *at_ms_r = 0;
    pthread_mutex_lock(&s->table.mutex);
    const struct sts_entry *e = sts_table_find(&s->table, query->domain);
    const struct sts_discovery *d =
        e ? sts_discovery_for(e, query->tenant, query->urgent, false) : NULL;
    if (e &&
        (now_ms < sts_table_silent_ms(e, query->tenant) || (d && takes_long(d, query->urgent))))
        *at_ms_r = now_ms;
    else if (e)
        *at_ms_r = sts_table_in_vain_ms(e, query->tenant, query->urgent);
    pthread_mutex_unlock(&s->table.mutex);
    return *at_ms_r > 0;
}

void sts_prefetch(struct sts *s, const struct sts_query *query)
{
    pthread_mutex_lock(&s->table.mutex);
    struct sts_entry *e = sts_table_find(&s->table, query->domain);
    bool needless = e && clock_steady_ms() < e->fresh_until_ms;
    if (e && !needless)
        e->asked_for = true;
    pthread_mutex_unlock(&s->table.mutex);
    if (!needless)
        post_note(s, query, on_prefetch);
}

/* ---- asking ---- */

static void on_answered(struct inbox_item *item)
{
    struct sts_ask *a = (struct sts_ask *)item;
    if (a->done)
        a->done(a->context, &a->answer);
    else
        sts_answer_fini(&a->answer);
    free(a);
}

static void on_dropped(struct inbox_item *item)
{
    struct sts_ask *a = (struct sts_ask *)item;
    sts_answer_fini(&a->answer);
    free(a);
}

static void send_back(struct sts_ask *a)
{
    a->item = (struct inbox_item){.run = on_answered, .drop = on_dropped};
    inbox_post(&a->worker->inbox, &a->item);
}

/* `gap`: why nothing was found out, if it was not. */
static void answer(struct sts_entry *e, struct sts_ask *a, const char *gap)
{
    fill_in(e, holds(e), &a->answer);
    if (gap && !a->answer.terms) {
        a->answer.result = TLS_RESULT_STS_POLICY_FETCH_ERROR;
        snprintf(a->answer.reason, sizeof(a->answer.reason), "%s", gap);
    }
    send_back(a);
}

/* The one that it waits for. */
static const struct sts_discovery *discovery_of(const struct sts_entry *e, const struct sts_ask *a)
{
    return sts_discovery_for(e, a->tenant, a->urgent, a->wish == STS_TO_DOUBT);
}

/* Those for whom nothing is under way any more. */
static void answer_ended(struct sts_entry *e, const char *gap)
{
    struct sts_ask *a;
    struct sts_ask *next;
    DL_FOREACH_SAFE (e->asks, a, next) {
        if (discovery_of(e, a))
            continue;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the list */
        DL_DELETE(e->asks, a);
        answer(e, a, gap);
    }
}

static void on_found(struct sts *s, struct sts_entry *e, const char *gap)
{
    answer_ended(e, gap);
    make_room(s);
}

/* Is there something to find out for it? */
static bool needs_discovery(struct sts_entry *e, const struct sts_ask *a)
{
    int64_t now_ms = clock_steady_ms();
    if (a->wish == STS_TO_DOUBT)
        return e->checked_ms == 0 || now_ms - e->checked_ms >= CHECKED_MS;
    return !holds(e) && now_ms >= e->fresh_until_ms && !is_silent(e, a->tenant);
}

static void on_asked(struct inbox_item *item)
{
    struct sts_ask *a = (struct sts_ask *)item;
    struct sts *s = a->sts;
    struct sts_entry *e = need(s, a->domain, a->tenant);
    const struct sts_reason reason = {.tenant = a->tenant,
                                      .urgent = a->urgent,
                                      .merit = PARTY_MERIT_MOST,
                                      .fresh = a->wish == STS_TO_DOUBT,
                                      .aim = MTA_STS_TO_SEND};
    bool under_way = discovery_of(e, a) != NULL;
    if (!under_way && !needs_discovery(e, a)) {
        answer(e, a,
               is_silent(e, a->tenant) ? mta_sts_why_name(MTA_STS_WHY_TXT_LOOKUP_FAILED) : NULL);
        return;
    }
    if (!under_way)
        sts_discover(s, e, &reason);
    if (takes_long(discovery_of(e, a), a->urgent))
        answer(e, a, mta_sts_why_name(MTA_STS_WHY_NO_ANSWER_IN_TIME));
    else
        DL_APPEND(e->asks, a);
}

struct sts_ask *sts_ask(struct sts *s, struct worker *w, const struct sts_query *query,
                        enum sts_wish wish, sts_on_answer *done, void *context)
{
    struct sts_ask *a = xcalloc(1, sizeof(*a));
    a->item = (struct inbox_item){.run = on_asked, .drop = on_dropped};
    a->sts = s;
    a->worker = w;
    a->done = done;
    a->context = context;
    a->wish = wish;
    a->urgent = query->urgent;
    snprintf(a->domain, sizeof(a->domain), "%s", query->domain);
    snprintf(a->tenant, sizeof(a->tenant), "%s", query->tenant);
    inbox_post(&s->inbox, &a->item);
    return a;
}

void sts_ask_cancel(struct sts_ask *ask)
{
    if (ask)
        ask->done = NULL;
}

/* ---- by itself ---- */

static void answer_late(struct sts_entry *e)
{
    struct sts_ask *a;
    struct sts_ask *next;
    DL_FOREACH_SAFE (e->asks, a, next) {
        if (!takes_long(discovery_of(e, a), a->urgent))
            continue;
        DL_DELETE(e->asks, a);
        answer(e, a, mta_sts_why_name(MTA_STS_WHY_NO_ANSWER_IN_TIME));
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct sts *s = timer->data;
    struct sts_entry *e;
    struct sts_entry *next;
    if (s->discoveries) {
        HASH_ITER (hh, s->table.entries, e, next)
            answer_late(e);
        sts_discoveries_tick(s);
    }
    if (s->ticks++ % UPKEEP_TICKS == 0)
        sts_upkeep(s);
}

/* ---- commands ---- */

static void on_refresh(struct inbox_item *item)
{
    struct note *n = (struct note *)item;
    struct sts_entry *e = need(n->sts, n->domain, NULL);
    const struct sts_reason reason = {.urgent = true, .fresh = true, .aim = MTA_STS_ON_COMMAND};
    sts_discover(n->sts, e, &reason);
    free(n);
}

static void refresh(struct sts *s, const char *domain)
{
    pthread_mutex_lock(&s->table.mutex);
    struct sts_entry *e = sts_table_find(&s->table, domain);
    if (e) {
        e->asked_for = true; /* whoever looks now sees it busy */
        e->last.made = false;
    }
    pthread_mutex_unlock(&s->table.mutex);
    post_note(s, &(struct sts_query){.domain = domain}, on_refresh);
}

/* The store has forgotten it already: it does once more, behind what was begun before that. */
static void on_forget(struct inbox_item *item)
{
    struct note *n = (struct note *)item;
    struct sts *s = n->sts;
    struct sts_entry *e = sts_table_find(&s->table, n->domain);
    if (e) {
        pthread_mutex_lock(&s->table.mutex);
        sts_discovery_abandon(e);
        answer_ended(e, NULL);
        sts_write_put(sts_write_new(s, e, STS_WRITE_DROP, SPAN_NONE));
        sts_table_drop(e);
        pthread_mutex_unlock(&s->table.mutex);
    }
    free(n);
}

static void forget(struct sts *s, const char *domain)
{
    post_note(s, &(struct sts_query){.domain = domain}, on_forget);
}

static void stands(struct sts *s, const char *domain, struct sts_standing *standing_r)
{
    *standing_r = (struct sts_standing){0};
    pthread_mutex_lock(&s->table.mutex);
    const struct sts_entry *e = sts_table_find(&s->table, domain);
    if (e) {
        *standing_r =
            (struct sts_standing){.known = true,
                                  .busy = e->discoveries || e->asked_for,
                                  .counts = holds(e),
                                  .mode = holds(e) ? e->terms->policy.mode : MTA_STS_MODE_NONE,
                                  .result = holds(e) ? TLS_RESULT_NONE : e->result,
                                  .last = e->last};
        snprintf(standing_r->reason, sizeof(standing_r->reason), "%s", e->reason);
    }
    pthread_mutex_unlock(&s->table.mutex);
}

const struct sts_calls sts_calls = {.refresh = refresh, .forget = forget, .stands = stands};

/* ---- start and stop ---- */

static bool may_go(const struct sts_entry *e)
{
    return !e->discoveries && !e->asks;
}

/* What the store has of it goes, too. */
static void on_going(void *context, struct sts_entry *e)
{
    struct sts *s = context;
    if (e->kept.there || e->kept.failed_id[0])
        sts_write_put(sts_write_new(s, e, STS_WRITE_DROP, SPAN_NONE));
}

bool sts_new(uv_loop_t *loop, struct settings *settings, const struct fetcher *fetcher,
             struct store *store, struct sts **sts_r, struct err *err)
{
    struct sts *s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->settings = settings_hold(settings);
    s->fetcher = fetcher;
    s->store = store;
    s->found = on_found;
    sts_turns_init(&s->turns, FETCHES);
    sts_table_init(&s->table, WEIGHT_MOST);
    s->table.may_go = may_go;
    s->table.going = on_going;
    s->table.context = s;
    inbox_init(&s->inbox, loop);
    uv_timer_init(loop, &s->tick);
    s->tick.data = s;
    *sts_r = s;
    if (!sts_load(s, err) || !resolver_new(loop, settings->config, &s->resolver, err))
        return false;
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    return true;
}

void sts_change_settings(struct sts *s, struct settings *settings)
{
    struct settings *before = s->settings;
    s->settings = settings_hold(settings);
    settings_drop(before);
}

void sts_close(struct sts *s)
{
    struct sts_entry *e;
    struct sts_entry *next;
    s->closing = true;
    HASH_ITER (hh, s->table.entries, e, next) {
        sts_discovery_abandon(e);
        answer_ended(e, NULL); /* there is nobody who would hear it */
    }
    resolver_free(s->resolver);
    s->resolver = NULL;
    uv_close((uv_handle_t *)&s->tick, NULL);
    inbox_close(&s->inbox);
}

void sts_free(struct sts *s)
{
    if (!s)
        return;
    sts_discoveries_free(s);
    sts_turns_fini(&s->turns);
    sts_table_fini(&s->table);
    settings_drop(s->settings);
    free(s);
}
