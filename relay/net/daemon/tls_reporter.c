// SPDX-License-Identifier: BSD-2-Clause
/* tls_reporter.c - Looks for reports that are due, some at a time, and starts an errand for each;
 * and answers which domains want any.
 *
 * What DNS says is kept by a cache of the reporter's own, so that a slow domain holds up itself
 * only. A domain that turns out to want none is forgotten at once, with what was counted today.
 */
#include "tls_reporter.h"

#include "clock.h"
#include "dns_cache.h"
#include "log.h"
#include "tls_report_errand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    TICK_MS = 1000,
    LOOK_MS = 10 * 1000,
    SWEEP_MS = 3600 * 1000,
    FORGET_MS = 60 * 1000,
    ERRANDS_MAX = TLS_REPORTER_ERRANDS,
    ERRANDS_OF_ONE = ERRANDS_MAX / TLSRPT_BUSY, /* tenant */
    DUE_MAX = 2 * ERRANDS_MAX,
    WANTED_LEAST_MS = 5 * 60 * 1000,
    UNWANTED_LEAST_MS = 3600 * 1000,
    LOOKUPS_MAX = 500 /* of a tenant */
};

/* A domain of which shards want to know. */
struct lookup {
    struct tlsrpt_question question;
    struct lookup *next, *prev;
};

/* What one look has found. */
struct look {
    struct tls_reporter *reporter;
    bool sweep;
    int64_t late; /* too late for them */
    char busy[TLSRPT_BUSY][64];
    struct tlsrpt_entry due[DUE_MAX];
    size_t count;
};

struct tls_reporter {
    struct errand_owner owner;
    struct suffixes *suffixes;
    uv_timer_t tick, again;
    struct tlsrpt_wishes *wishes;
    struct dns_cache *answers;
    struct lookup *lookups; /* list */
    struct errand *errands[ERRANDS_MAX];
    size_t errand_count;
    struct look *looking;                 /* NULL: not under way */
    int64_t look_ms, sweep_ms, forget_ms; /* when next; by the steady clock */
    bool closing;
};

/* ---- errands ---- */

static void on_ended(void *context, struct errand *e)
{
    struct tls_reporter *r = context;
    for (size_t i = 0; i < r->errand_count; i++)
        if (r->errands[i] == e) {
            r->errands[i] = r->errands[--r->errand_count];
            break;
        }
    errand_free(e);
    r->look_ms = 0; /* there may be more */
}

static bool is_under_way(const struct tls_reporter *r, const struct tlsrpt_entry *entry)
{
    for (size_t i = 0; i < r->errand_count; i++)
        if (errand_is_about(r->errands[i], entry->day, entry->domain))
            return true;
    return false;
}

static size_t count_of(const struct tls_reporter *r, const char *tenant)
{
    size_t count = 0;
    for (size_t i = 0; i < r->errand_count; i++)
        count += strcmp(errand_tenant(r->errands[i]), tenant) == 0;
    return count;
}

static void start(struct tls_reporter *r, const struct tlsrpt_entry *entry)
{
    if (r->errand_count == ERRANDS_MAX || is_under_way(r, entry) ||
        count_of(r, entry->tenant) >= ERRANDS_OF_ONE)
        return;
    struct errand *e = errand_new(&r->owner, entry);
    r->errands[r->errand_count++] = e;
    errand_step(e);
}

/* ---- looking for what is due ---- */

static void note_due(void *context, const struct tlsrpt_entry *entry)
{
    struct look *l = context;
    if (l->count < DUE_MAX)
        l->due[l->count++] = *entry;
}

static bool run_look(struct database *db, void *context, struct err *err)
{
    struct look *l = context;
    int64_t now_ms = clock_now_ms();
    return (!l->sweep || database_tlsrpt_sweep(db, now_ms, &l->late, err)) &&
           database_tlsrpt_due(db, now_ms, l->busy, DUE_MAX, note_due, l, err);
}

static void on_looked(void *context, struct store_job *job)
{
    struct tls_reporter *r = context;
    struct look *l = r->looking;
    r->looking = NULL;
    if (OWNER_OF(job, struct store_change, job)->result != STORE_CHANGED)
        l->count = 0;
    if (l->late > 0)
        log_end(log_text(log_number(log_begin(LOG_WARN, "tls_report_dropped"), "count", l->late),
                         "reply", "the relay has not come to them in two days"));
    for (size_t i = 0; !r->closing && i < l->count; i++)
        start(r, &l->due[i]);
    free(l);
    store_job_free(job);
}

/* Who has all the errands that one tenant may have at a time: whatever their places do, the others'
 * reports go out meanwhile. */
static void note_busy(const struct tls_reporter *r, char busy_r[TLSRPT_BUSY][64])
{
    size_t count = 0;
    for (size_t i = 0; i < r->errand_count && count < TLSRPT_BUSY; i++) {
        const char *tenant = errand_tenant(r->errands[i]);
        bool noted = count > 0 && strcmp(busy_r[count - 1], tenant) == 0;
        if (!noted && count_of(r, tenant) >= ERRANDS_OF_ONE)
            snprintf(busy_r[count++], 64, "%s", tenant);
    }
}

static void look(struct tls_reporter *r)
{
    int64_t now_ms = clock_steady_ms();
    struct look *l = r->looking = xcalloc(1, sizeof(*l));
    l->sweep = r->sweep_ms <= now_ms;
    note_busy(r, l->busy);
    if (l->sweep)
        r->sweep_ms = now_ms + SWEEP_MS;
    r->look_ms = now_ms + LOOK_MS;
    struct store_change *change = store_change_new(run_look, l);
    change->reads = !l->sweep;
    store_call(&r->owner.calls, &change->job, on_looked, r);
}

/* ---- what domains want ---- */

struct unwanted {
    int64_t day;
    char domain[DNS_NAME_MAX + 1];
};

static bool run_unwanted(struct database *db, void *context, struct err *err)
{
    const struct unwanted *u = context;
    return database_tlsrpt_unwanted(db, u->day, u->domain, err);
}

static void forget_today(struct tls_reporter *r, const char *domain)
{
    struct unwanted *u = xcalloc(1, sizeof(*u));
    u->day = clock_now_ms() / TLSRPT_DAY_MS;
    snprintf(u->domain, sizeof(u->domain), "%s", domain);
    struct store_change *change = store_change_new(run_unwanted, u);
    change->forget = free;
    change->repeatable = true;
    store_put(r->owner.calls.store, &change->job);
}

static void answer(struct tls_reporter *r, const char *domain, const struct dns_answer *a)
{
    struct tlsrpt_record record;
    int64_t for_ms = a ? (int64_t)a->ttl_s * 1000 : 0;
    if (a && a->status == DNS_FAILED) {
        tlsrpt_wishes_tell(r->wishes, domain, TLSRPT_WISH_UNKNOWN, WANTED_LEAST_MS);
    } else if (a && tlsrpt_record_read(a, &record) == TLSRPT_WANTS_REPORTS) {
        tlsrpt_wishes_tell(r->wishes, domain, TLSRPT_WISH_REPORTS,
                           for_ms > WANTED_LEAST_MS ? for_ms : WANTED_LEAST_MS);
    } else {
        tlsrpt_wishes_tell(r->wishes, domain, TLSRPT_WISH_NONE,
                           for_ms > UNWANTED_LEAST_MS ? for_ms : UNWANTED_LEAST_MS);
        forget_today(r, domain);
    }
}

/* False: DNS is pending. */
static bool look_up(struct tls_reporter *r, const struct tlsrpt_question *q)
{
    char name[DNS_NAME_MAX + 16];
    const struct dns *dns = r->owner.dns;
    const struct dns_answer *a = NULL;
    snprintf(name, sizeof(name), "_smtp._tls.%s", q->domain);
    if (dns_name_valid(span_of(name))) {
        dns_cache_ask_for(r->answers, q->tenant);
        a = dns->ask(dns->context, name, DNS_TXT);
    }
    if (a && a->status == DNS_PENDING)
        return false;
    answer(r, q->domain, a);
    return true;
}

/* Of a tenant so many wait; what it asks beyond them is asked again later (tlsrpt_wishes.c). */
static bool may_wait(const struct tls_reporter *r, const struct tlsrpt_question *q)
{
    const struct lookup *l;
    size_t own = 0;
    DL_FOREACH (r->lookups, l) {
        if (strcmp(l->question.domain, q->domain) == 0)
            return false;
        own += strcmp(l->question.tenant, q->tenant) == 0;
    }
    return own < LOOKUPS_MAX;
}

static void on_question(struct inbox_item *item)
{
    struct tlsrpt_question *q = OWNER_OF(item, struct tlsrpt_question, item);
    struct tls_reporter *r = q->context;
    struct lookup *l = NULL;
    if (!r->closing && may_wait(r, q) && !look_up(r, q)) {
        l = xcalloc(1, sizeof(*l));
        l->question = *q;
        DL_APPEND(r->lookups, l);
    }
    free(q);
}

static void on_again(uv_timer_t *timer)
{
    struct tls_reporter *r = timer->data;
    struct lookup *l;
    struct lookup *next;
    DL_FOREACH_SAFE (r->lookups, l, next)
        if (look_up(r, &l->question)) {
            DL_DELETE(r->lookups, l);
            free(l);
        }
    struct errand *waiting[ERRANDS_MAX]; /* a step may end one */
    size_t count = r->errand_count;
    memcpy(waiting, r->errands, sizeof(waiting));
    for (size_t i = 0; i < count; i++)
        errand_step(waiting[i]);
}

/* Many answers come at once: all are looked at together, after them. */
static void on_changed(void *context)
{
    struct tls_reporter *r = context;
    uv_timer_start(&r->again, on_again, 0, 0);
}

/* ---- the whole ---- */

static void on_tick(uv_timer_t *timer)
{
    struct tls_reporter *r = timer->data;
    int64_t now_ms = clock_steady_ms();
    if (!r->looking && r->look_ms <= now_ms && r->errand_count < ERRANDS_MAX)
        look(r);
    if (r->forget_ms > now_ms)
        return;
    tlsrpt_wishes_sweep(r->wishes);
    r->forget_ms = now_ms + FORGET_MS;
}

struct tlsrpt_wishes *tls_reporter_wishes(struct tls_reporter *r)
{
    return r->wishes;
}

void tls_reporter_change_config(struct tls_reporter *r, const struct config *config)
{
    if (r)
        r->owner.config = config;
}

bool tls_reporter_new(uv_loop_t *loop, const struct companions *companions,
                      const struct config *config, struct store *store,
                      struct tls_reporter **reporter_r, struct err *err)
{
    struct tls_reporter *r = xcalloc(1, sizeof(*r));
    if (!dns_cache_new_few(loop, config, on_changed, r, &r->answers, err)) {
        free(r);
        return false;
    }
    r->suffixes = suffixes_new();
    r->owner = (struct errand_owner){.loop = loop,
                                     .companions = companions,
                                     .config = config,
                                     .calls.store = store,
                                     .maker.loop = loop,
                                     .answers = r->answers,
                                     .dns = dns_cache_dns(r->answers),
                                     .bounds = tlsrpt_bounds_new(),
                                     .suffixes = r->suffixes,
                                     .ended = on_ended,
                                     .context = r};
    inbox_init(&r->owner.calls.inbox, loop);
    r->wishes = tlsrpt_wishes_new(&r->owner.calls.inbox, on_question, r);
    uv_timer_init(loop, &r->tick);
    uv_timer_init(loop, &r->again);
    r->tick.data = r->again.data = r;
    uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
    *reporter_r = r;
    return true;
}

void tls_reporter_close(struct tls_reporter *r)
{
    struct errand *all[ERRANDS_MAX];
    if (!r)
        return;
    size_t count = r->errand_count;
    r->closing = true;
    memcpy(all, r->errands, sizeof(all));
    for (size_t i = 0; i < count; i++)
        errand_abandon(all[i]);
    uv_close((uv_handle_t *)&r->tick, NULL);
    uv_close((uv_handle_t *)&r->again, NULL);
    inbox_close(&r->owner.calls.inbox);
    dns_cache_free(r->answers);
    r->answers = NULL;
}

void tls_reporter_free(struct tls_reporter *r)
{
    struct lookup *l;
    struct lookup *next;
    if (!r)
        return;
    DL_FOREACH_SAFE (r->lookups, l, next)
        free(l);
    for (size_t i = 0; i < r->errand_count; i++)
        errand_free(r->errands[i]);
    free(r->looking);
    tlsrpt_bounds_free(r->owner.bounds);
    suffixes_free(r->suffixes);
    tlsrpt_wishes_free(r->wishes);
    free(r);
}
