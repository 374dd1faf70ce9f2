// SPDX-License-Identifier: BSD-2-Clause
/* dispatch.c - Events into the core, decisions out of it, under one lock.
 *
 * The lock is held for one event and what it decides: nothing is read, written or waited for under
 * it but inbox_post(), and the store's inbox when a destination rests. The core's time is
 * clock_steady_ms(). Its wake-up is a timer of the main loop, which other threads set through the
 * loop's inbox.
 *
 * What DNS has said of a domain is kept beside the core, which knows hosts by their names only: for
 * as long as the core knows the domain.
 */
#include "dispatch_parts.h"

#include "clock.h"
#include "secret.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSED_CHECK_MS = 500, LONGEST_MS = 60 * 1000, FORGET_MS = 60 * 1000, AT_ONCE = 64 };

/* How long an answer is used; libunbound keeps it by its own time to live. */
static const int64_t valid_ms = 60 * 1000;
static const int64_t unresolvable_ms = 10 * 1000;

/* ---- hosts and work ---- */

struct dispatch_hosts *dispatch_hosts_hold(struct dispatch_hosts *hosts)
{
    atomic_fetch_add(&hosts->holders, 1);
    return hosts;
}

void dispatch_hosts_drop(struct dispatch_hosts *hosts)
{
    if (!hosts || atomic_fetch_sub(&hosts->holders, 1) != 1)
        return;
    hosts_fini(&hosts->hosts);
    free(hosts);
}

void dispatch_work_free(struct dispatch_work *work)
{
    if (!work)
        return;
    dispatch_hosts_drop(work->hosts);
    free(work);
}

static struct dispatch_hosts *make_hosts(void)
{
    struct dispatch_hosts *hosts = xcalloc(1, sizeof(*hosts));
    atomic_init(&hosts->holders, 1);
    return hosts;
}

/* Each connection has an order of its own, so that equal hosts and their addresses share. */
static struct dispatch_hosts *in_turn(const struct dispatch_hosts *from, uint64_t turn)
{
    struct dispatch_hosts *hosts = make_hosts();
    uint64_t random = 0;
    secret_random(&random, sizeof(random));
    hosts_in_turn(&from->hosts, turn, random, &hosts->hosts);
    return hosts;
}

struct place *dispatch_find_place(struct dispatch *d, const char *domain)
{
    struct place *p = NULL;
    HASH_FIND_STR(d->places, domain, p);
    return p;
}

static void set_place(struct dispatch *d, const char *domain, const struct hosts *hosts,
                      unsigned port)
{
    struct place *p = dispatch_find_place(d, domain);
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        snprintf(p->domain, sizeof(p->domain), "%s", domain);
        HASH_ADD_STR(d->places, domain, p);
    }
    dispatch_hosts_drop(p->hosts);
    p->hosts = make_hosts();
    p->hosts->hosts = *hosts;
    p->port = port;
}

static void drop_place(struct dispatch *d, struct place *p)
{
    HASH_DEL(d->places, p);
    dispatch_hosts_drop(p->hosts);
    free(p);
}

/* Those of domains that the core no longer knows. */
static void forget_places(struct dispatch *d, int64_t now_ms)
{
    struct place *p;
    struct place *next;
    if (now_ms < d->forget_ms)
        return;
    d->forget_ms = now_ms + FORGET_MS;
    HASH_ITER (hh, d->places, p, next) {
        struct queue_domain_view view;
        queue_find_domain(d->queue, p->domain, &view);
        if (view.state == QUEUE_DOMAIN_UNKNOWN)
            drop_place(d, p);
    }
}

static struct dispatch_work *make_work(struct dispatch *d, const struct queue_decision *decision)
{
    struct dispatch_work *work = xcalloc(1, sizeof(*work));
    work->dispatch = d;
    work->kind = decision->kind;
    work->reason = decision->reason;
    work->connection = decision->connection;
    work->attempt = decision->attempt;
    work->result = (enum resolver_result)decision->result;
    snprintf(work->text, sizeof(work->text), "%s", decision->text ? decision->text : "");
    snprintf(work->domain, sizeof(work->domain), "%s", decision->domain ? decision->domain : "");
    snprintf(work->tenant, sizeof(work->tenant), "%s", decision->tenant ? decision->tenant : "");
    work->urgent = decision->urgent;
    if (decision->connection != 0 && decision->attempt) {
        struct place *p = dispatch_find_place(d, decision->attempt->domain);
        CHECK(p != NULL); /* it leads there, so the core knows it */
        work->hosts = decision->kind == QUEUE_OPEN
                          ? in_turn(p->hosts, d->first_turn + decision->turn)
                          : dispatch_hosts_hold(p->hosts);
    }
    return work;
}

/* ---- decisions ---- */

/* Names are looked up, and outcomes without a connection settled, by each shard in turn. */
static struct deliveries *home_of(struct dispatch *d, const struct queue_decision *decision)
{
    if (decision->kind == QUEUE_RESOLVE || decision->kind == QUEUE_SETTLE)
        return d->homes[d->turn++ % d->shard_count];
    return d->homes[decision->shard];
}

static void on_wake(struct inbox_item *item);

struct wake {
    struct inbox_item item;
    struct dispatch *dispatch;
};

static void on_timer(uv_timer_t *timer);

static void set_timer(struct dispatch *d, int64_t now_ms)
{
    int64_t wait_ms = d->wake_ms - now_ms;
    uv_timer_start(&d->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

/* The timer is set by its own thread. */
static void arm(struct dispatch *d, int64_t now_ms)
{
    int64_t wake_ms = queue_wake_ms(d->queue);
    int64_t latest_ms = now_ms + (d->paused ? PAUSED_CHECK_MS : LONGEST_MS);
    if (wake_ms > latest_ms)
        wake_ms = latest_ms;
    if (d->wake_ms > now_ms && d->wake_ms <= wake_ms)
        return; /* it comes in time */
    d->wake_ms = wake_ms;
    if (pthread_equal(pthread_self(), d->main)) {
        set_timer(d, now_ms);
        return;
    }
    struct wake *w = xcalloc(1, sizeof(*w));
    w->item.run = on_wake;
    w->dispatch = d;
    inbox_post(&d->inbox, &w->item);
}

/* After each event, with the lock held. */
static void decide(struct dispatch *d, int64_t now_ms)
{
    struct queue_decision decision;
    if (!d->running)
        return;
    bool paused = store_paused(d->store);
    if (paused != d->paused)
        queue_pause(d->queue, paused, now_ms);
    d->paused = paused;
    while (queue_decide(d->queue, &decision, now_ms)) {
        if (decision.kind == QUEUE_EVENT) {
            dispatch_tell(d, &decision, now_ms);
            continue;
        }
        if (decision.kind == QUEUE_RESOLVE && decision.domain[0] == '\0') {
            queue_unresolvable(d->queue, "", RESOLVER_FAILED, "", unresolvable_ms, now_ms);
            continue;
        }
        struct dispatch_work *work = make_work(d, &decision);
        work->home = home_of(d, &decision);
        work->item.run = work->home->arrived;
        inbox_post(&work->home->worker->inbox, &work->item);
    }
    forget_places(d, now_ms);
    arm(d, now_ms);
}

int64_t dispatch_begin(struct dispatch *d)
{
    pthread_mutex_lock(&d->mutex);
    return clock_steady_ms();
}

void dispatch_end(struct dispatch *d, int64_t now_ms)
{
    decide(d, now_ms);
    d->resumed_by = NULL;
    d->commanded = false;
    pthread_mutex_unlock(&d->mutex);
}

static void on_timer(uv_timer_t *timer)
{
    struct dispatch *d = timer->data;
    int64_t now_ms = dispatch_begin(d);
    d->wake_ms = 0; /* it is set to nothing now, though it may have come a little early */
    dispatch_end(d, now_ms);
}

static void on_wake(struct inbox_item *item)
{
    struct dispatch *d = ((struct wake *)item)->dispatch;
    free(item);
    int64_t now_ms = dispatch_begin(d);
    if (d->running)
        set_timer(d, now_ms);
    pthread_mutex_unlock(&d->mutex);
}

/* ---- what waits ---- */

/* "retry" means now: no rest keeps it back, and DNS is asked anew. */
static void retry_domains(struct dispatch *d, const struct database_due *due, size_t count,
                          int64_t now_ms)
{
    const char *last = "";
    for (size_t i = 0; i < count; i++) {
        if (!due[i].retried || strcmp(due[i].domain, last) == 0)
            continue;
        last = due[i].domain;
        d->resumed_by = "tried again by 'queue retry'";
        queue_resume_domain(d->queue, last, now_ms);
        dispatch_resume_place(d, dispatch_find_place(d, last));
        queue_forget_answers(d->queue, last, now_ms);
    }
}

void dispatch_add(struct dispatch *d, const struct database_due *due, size_t count)
{
    struct queue_entry entries[AT_ONCE];
    int64_t now_ms = dispatch_begin(d);
    for (size_t done = 0; done < count;) {
        size_t n = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (size_t i = 0; i < n; i++) {
            const struct database_due *from = &due[done + i];
            entries[i] = (struct queue_entry){.message = from->message,
                                              .number = from->number,
                                              .class = from->class,
                                              .tenant = from->tenant,
                                              .domain = from->domain,
                                              .due_ms = from->due_ms,
                                              .expires_ms = from->expires_ms};
        }
        queue_add(d->queue, entries, n, now_ms);
        done += n;
    }
    retry_domains(d, due, count, now_ms);
    dispatch_end(d, now_ms);
}

/* ---- from shards ---- */

uint64_t dispatch_trust(const struct settings *settings, const struct config_route *route)
{
    char text[TRUST_KEY + 32];
    unsigned char digest[16];
    uint64_t trust = 0;
    trust_key(&route->trust, text);
    size_t used = strlen(text);
    snprintf(text + used, sizeof(text) - used, " %llu", (unsigned long long)settings->generation);
    secret_digest(span_of(text), digest);
    memcpy(&trust, digest, sizeof(trust));
    return trust | 1;
}

static bool shows_as(const struct config_route *route, const char *label)
{
    char own[TRUST_LABEL];
    trust_label(&route->trust, own);
    return strcmp(own, label) == 0;
}

/* What a route demands, as people read it. Nothing shown may tell of a password, so of logins that
 * show alike, the same user name with other passwords, those of later routes have a number. */
static void label_route(const struct config *config, const struct config_route *route,
                        char label_r[TRUST_LABEL])
{
    unsigned before = 0;
    trust_label(&route->trust, label_r);
    for (size_t i = 0; i < config->route_count; i++) {
        const struct config_route *other = &config->routes[i];
        if (memcmp(other->trust.login, route->trust.login, sizeof(other->trust.login)) == 0)
            break;
        before += shows_as(other, label_r);
    }
    size_t len = strlen(label_r);
    if (before > 0)
        snprintf(label_r + len, TRUST_LABEL - len, "-%u", before + 1);
}

void dispatch_resolved(struct dispatch *d, const char *domain, const struct settings *settings,
                       const struct config_route *route, struct resolver_answer *answer)
{
    const char *names[HOSTS_MAX];
    char demanded[TRUST_LABEL];
    label_route(settings->config, route, demanded);
    for (size_t i = 0; i < answer->hosts.count; i++)
        names[i] = answer->hosts.all[i].name;
    struct queue_answer found = {.hosts = names,
                                 .host_count = answer->hosts.count,
                                 .port = route->port,
                                 .route = demanded,
                                 .trust = dispatch_trust(settings, route),
                                 .valid_ms = valid_ms};
    int64_t now_ms = dispatch_begin(d);
    if (answer->result == RESOLVER_FOUND) {
        set_place(d, domain, &answer->hosts, route->port);
        queue_resolved(d->queue, domain, &found, now_ms);
    } else {
        queue_unresolvable(d->queue, domain, (int)answer->result, answer->why, unresolvable_ms,
                           now_ms);
        hosts_fini(&answer->hosts);
    }
    dispatch_end(d, now_ms);
}

enum queue_next dispatch_message_done(struct dispatch *d, uint64_t connection, bool reusable,
                                      struct dispatch_work **next_r)
{
    const struct queue_attempt *attempt = NULL;
    int64_t now_ms = dispatch_begin(d);
    enum queue_next next = queue_message_done(d->queue, connection, reusable, &attempt, now_ms);
    *next_r = NULL;
    if (next == QUEUE_NEXT_SEND) {
        struct queue_decision decision = {
            .kind = QUEUE_SEND, .connection = connection, .attempt = attempt};
        *next_r = make_work(d, &decision);
    }
    dispatch_end(d, now_ms);
    return next;
}

bool dispatch_is_urgent_next(struct dispatch *d, uint64_t connection)
{
    int64_t now_ms = dispatch_begin(d);
    bool urgent = queue_is_urgent_next(d->queue, connection, now_ms);
    pthread_mutex_unlock(&d->mutex); /* a question, after which nothing is to be decided */
    return urgent;
}

bool dispatch_failed(struct dispatch *d, uint64_t connection, enum queue_failure how,
                     const char *why)
{
    int64_t now_ms = dispatch_begin(d);
    bool untried = queue_connection_failed(d->queue, connection, how, why, now_ms);
    dispatch_end(d, now_ms);
    return untried;
}

void dispatch_closed(struct dispatch *d, uint64_t connection)
{
    int64_t now_ms = dispatch_begin(d);
    queue_connection_closed(d->queue, connection, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_settled(struct dispatch *d, const struct queue_attempt *attempt, const bool *left)
{
    int64_t due_ms[QUEUE_RECIPIENTS_MAX] = {0};
    int64_t now_ms = dispatch_begin(d);
    for (size_t i = 0; left && i < attempt->count; i++)
        due_ms[i] = left[i] ? now_ms : 0;
    queue_settled(d->queue, attempt, due_ms, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_again(struct dispatch *d, const struct queue_attempt *attempt, int64_t again_in_ms)
{
    int64_t now_ms = dispatch_begin(d);
    queue_gave_back(d->queue, attempt, again_in_ms, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_outdated(struct dispatch *d, const struct queue_attempt *attempt)
{
    int64_t now_ms = dispatch_begin(d);
    queue_forget_answers(d->queue, attempt->domain, now_ms);
    queue_gave_back(d->queue, attempt, 0, now_ms);
    dispatch_end(d, now_ms);
}

/* ---- start and stop ---- */

struct dispatch *dispatch_new(uv_loop_t *loop)
{
    struct dispatch *d = xcalloc(1, sizeof(*d));
    pthread_mutex_init(&d->mutex, NULL);
    d->queue = queue_new(&d->settings, clock_steady_ms());
    d->main = pthread_self();
    secret_random(&d->first_turn, sizeof(d->first_turn));
    d->first_turn >>= 1; /* it grows */
    inbox_init(&d->inbox, loop);
    uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    return d;
}

void dispatch_configure(struct dispatch *d, const struct config *config, unsigned connections)
{
    int64_t now_ms = dispatch_begin(d);
    d->settings = (struct queue_settings){.connections = connections,
                                          .per_destination = config->site_connections,
                                          .idle_max = connections / 2,
                                          .shards = (unsigned)d->shard_count,
                                          .idle_ms = (int64_t)config->idle_reuse_s * 1000};
    queue_configure(d->queue, &d->settings, now_ms);
    queue_forget_answers(d->queue, NULL, now_ms);
    d->resumed_by = "tried again after a reload";
    queue_resume(d->queue, NULL, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_run(struct dispatch *d, struct deliveries *const *homes, size_t count,
                  struct store *store, struct incidents *incidents)
{
    int64_t now_ms = dispatch_begin(d);
    d->homes = homes;
    d->shard_count = count;
    d->store = store;
    d->incidents = incidents;
    d->running = true;
    d->settings.shards = (unsigned)count;
    queue_configure(d->queue, &d->settings, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_drain(struct dispatch *d)
{
    int64_t now_ms = dispatch_begin(d);
    queue_drain(d->queue, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_stop(struct dispatch *d)
{
    dispatch_begin(d);
    d->running = false;
    uv_timer_stop(&d->timer);
    pthread_mutex_unlock(&d->mutex);
    inbox_close(&d->inbox);
    uv_close((uv_handle_t *)&d->timer, NULL);
}

void dispatch_free(struct dispatch *d)
{
    struct place *p;
    struct place *next;
    HASH_ITER (hh, d->places, p, next)
        drop_place(d, p);
    while (d->inbox.first) { /* what came too late; each is one block */
        struct inbox_item *item = d->inbox.first;
        d->inbox.first = item->next;
        free(item);
    }
    queue_free(d->queue);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}
