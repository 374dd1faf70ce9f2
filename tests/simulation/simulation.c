// SPDX-License-Identifier: BSD-2-Clause
/* simulation.c - The core of the queue in worlds that go wrong, hours in milliseconds.
 *
 * usage: simulation [--seed N] [--runs N] [--trace]
 *
 * Each run draws a world from its seed and plays it in virtual time: the shell's part is played
 * here, with the delay that a decision has on its way to a shard. Checked at each step: capacity,
 * the reserve, the limits of destinations, providers and addresses, that a connection carries only
 * what it was opened for, that nobody is under way twice, that security mail is next. At the end:
 * that everybody's story has ended in time, and that mail to healthy sites had not to wait longer
 * than world.c's bound. The first run that fails is played again with its trace, and ends the
 * program.
 */
#include "world.h"

#include "address_book.h"
#include "queue_connection.h"
#include "queue_view.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 512, TRIED_MAX = HOSTS_OF_SITE * SERVERS_OF_HOST };
enum { TRAVEL_MS = 3, STORE_MS = 10, CONNECT_TIMEOUT_MS = 30 * 1000, RACE_MS = 2000, PROBE_MS = 100 };

enum event_kind {
    EVENT_COMES,
    EVENT_RETRY,  /* by a person */
    EVENT_NAMES,  /* DNS has answered */
    EVENT_OPEN,   /* a decision has reached its shard */
    EVENT_SEND,
    EVENT_CLOSE,
    EVENT_TRY,    /* the next address */
    EVENT_FAILED, /* this address */
    EVENT_GREETED,
    EVENT_SPOKEN, /* the message has been */
    EVENT_SETTLED,
    EVENT_PAUSE,
    EVENT_GO_ON,
    EVENT_RELOAD
};

struct event {
    int64_t at_ms;
    uint64_t order, connection;
    enum event_kind kind;
    size_t what;
    const struct queue_attempt *attempt;
    bool gone, part; /* EVENT_SETTLED: for good; of the first only */
};

enum line_state { LINE_CLOSED, LINE_OPENING, LINE_BUSY, LINE_IDLE };

struct connection {
    uint64_t id, trust;
    enum line_state state;
    size_t site, server;
    const struct queue_attempt *attempt;
    const char *destination;
    size_t tried[TRIED_MAX], tried_count;
    bool refused, has_server, plain;
    unsigned steps; /* an event of an earlier step is out of date */
};

struct simulation {
    struct world world;
    struct queue *queue;
    int64_t now_ms;
    struct event *events;
    size_t event_count, event_size;
    uint64_t order, trust;
    uint64_t trust_of[DOMAINS_MAX]; /* as last answered */
    struct connection connections[CONNECTIONS_MAX];
    size_t first_of_message[512];
    uint64_t decisions;
    bool paused; /* as the queue has been told */
};

static struct simulation sim;
static bool tracing;
static jmp_buf over;

static void trace(const char *format, ...) PRINTF_LIKE(1, 2);
static void trace(const char *format, ...)
{
    va_list arguments;
    if (!tracing)
        return;
    printf("%9.3f  ", (double)sim.now_ms / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

static _Noreturn void fail(const char *format, ...) PRINTF_LIKE(1, 2);
static _Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    printf("seed %llu, at %.3f s: ", (unsigned long long)sim.world.seed,
           (double)sim.now_ms / 1000);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    longjmp(over, 1);
}

#define HOLDS(condition, ...) ((condition) ? (void)0 : fail(__VA_ARGS__))

/* ---- events ---- */

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void later(int64_t in_ms, struct event e)
{
    e.at_ms = sim.now_ms + in_ms;
    e.order = ++sim.order;
    if (sim.event_count == sim.event_size) {
        sim.event_size = sim.event_size ? sim.event_size * 2 : 1024;
        sim.events = xgrow(sim.events, sim.event_size, sizeof(*sim.events));
    }
    size_t i = sim.event_count++;
    for (; i > 0 && sooner(&e, &sim.events[(i - 1) / 2]); i = (i - 1) / 2)
        sim.events[i] = sim.events[(i - 1) / 2];
    sim.events[i] = e;
}

static struct event next_event(void)
{
    struct event first = sim.events[0];
    struct event last = sim.events[--sim.event_count];
    size_t i = 0;
    for (size_t child = 1; child < sim.event_count; child = 2 * i + 1) {
        if (child + 1 < sim.event_count && sooner(&sim.events[child + 1], &sim.events[child]))
            child++;
        if (!sooner(&sim.events[child], &last))
            break;
        sim.events[i] = sim.events[child];
        i = child;
    }
    sim.events[i] = last;
    return first;
}

static int64_t travel(void)
{
    return (int64_t)world_random(&sim.world, TRAVEL_MS + 1);
}

/* ---- recipients ---- */

static struct recipient *recipient_of(int64_t message, unsigned number)
{
    return &sim.world.recipients[sim.first_of_message[message] + number];
}

static struct site *site_of(const struct recipient *r)
{
    return &sim.world.sites[sim.world.domains[r->domain].site];
}

static void check_begins(const struct queue_attempt *a, bool on_connection)
{
    HOLDS(a->count >= 1 && a->count <= QUEUE_RECIPIENTS_MAX, "attempt of %zu", a->count);
    for (size_t i = 0; i < a->count; i++) {
        struct recipient *r = recipient_of(a->message, a->numbers[i]);
        const struct name *d = &sim.world.domains[r->domain];
        HOLDS(r->state != RECIPIENT_UNDER_WAY, "%lld/%u is under way twice", (long long)a->message,
              a->numbers[i]);
        HOLDS(r->state == RECIPIENT_WAITS, "%lld/%u is over already", (long long)a->message,
              a->numbers[i]);
        HOLDS(r->due_ms <= sim.now_ms, "%lld/%u is not due", (long long)a->message, a->numbers[i]);
        HOLDS(r->class == a->class && strcmp(d->name, a->domain) == 0, "%lld/%u: wrong class or domain",
              (long long)a->message, a->numbers[i]);
        HOLDS(i == 0 || a->numbers[i - 1] < a->numbers[i], "%lld: not in order",
              (long long)a->message);
        HOLDS(!on_connection || r->expires_ms + 6000 > sim.now_ms, "%lld/%u is sent late",
              (long long)a->message, a->numbers[i]);
        r->state = RECIPIENT_UNDER_WAY;
    }
}

static void comes_back(const struct queue_attempt *a)
{
    for (size_t i = 0; i < a->count; i++)
        recipient_of(a->message, a->numbers[i])->state = RECIPIENT_WAITS;
}

/* Its message begins now. */
static void check_bound(const struct queue_attempt *a)
{
    const struct world *w = &sim.world;
    for (size_t i = 0; i < a->count; i++) {
        const struct recipient *r = recipient_of(a->message, a->numbers[i]);
        size_t site = w->domains[r->domain].site;
        bool urgent = r->class == STREAM_SECURITY;
        int64_t bound_ms = w->bound_ms[urgent][site] + w->paused_until_ms - w->paused_from_ms;
        if (w->sites[site].healthy && w->domains[r->domain].kind == NAMES_GOOD)
            HOLDS(sim.now_ms - r->due_ms <= bound_ms,
                  "%lld/%u (class %d) waited %.1f s at a healthy site, bound %.1f s",
                  (long long)a->message, a->numbers[i], (int)r->class,
                  (double)(sim.now_ms - r->due_ms) / 1000, (double)bound_ms / 1000);
    }
}

static void add(struct recipient *r)
{
    char tenant[16];
    snprintf(tenant, sizeof(tenant), "t%zu", r->tenant);
    struct queue_entry e = {.message = r->message,
                            .number = r->number,
                            .class = r->class,
                            .tenant = tenant,
                            .domain = sim.world.domains[r->domain].name,
                            .due_ms = r->due_ms,
                            .expires_ms = r->expires_ms};
    r->added = true;
    queue_add(sim.queue, &e, 1, sim.now_ms);
}

/* ---- limits, as an onlooker counts them ---- */

static unsigned limit_of(const struct site *s)
{
    unsigned provider = 0;
    if (strstr(s->hosts[0].name, "outlook"))
        provider = 20;
    else if (strstr(s->hosts[0].name, ".fr"))
        provider = 2;
    if (s->connections > 0)
        return s->connections;
    return provider ? provider : sim.world.settings.per_destination;
}

static const char *provider_of(const struct site *s)
{
    const char *dot = strchr(s->hosts[0].name, '.');
    return s->hosts[0].name[0] == 's' && dot ? dot : NULL;
}

static void check_limits(const struct connection *added)
{
    const struct world *w = &sim.world;
    const struct site *site = &w->sites[added->site];
    unsigned all = 0, plain = 0, here = 0, plain_here = 0, at_provider = 0, limit_there = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *c = &sim.connections[i];
        if (c->state == LINE_CLOSED)
            continue;
        const struct site *s = &w->sites[c->site];
        bool carries_plain = c->attempt && c->attempt->class != STREAM_SECURITY;
        all++;
        plain += carries_plain;
        if (strcmp(c->destination, added->destination) == 0) {
            here++;
            plain_here += carries_plain;
        }
        if (provider_of(s) && provider_of(site) && strcmp(provider_of(s), provider_of(site)) == 0) {
            at_provider++;
            limit_there = limit_of(s) > limit_there ? limit_of(s) : limit_there;
        }
    }
    if (strstr(site->hosts[0].name, "outlook") && limit_there < 20)
        limit_there = 20;
    unsigned capacity = w->settings.connections;
    unsigned limit = limit_of(site);
    HOLDS(all <= capacity, "%u connections, capacity %u", all, capacity);
    HOLDS(plain <= capacity - reserve_of(capacity), "%u take the reserve of %u", plain, capacity);
    if (!provider_of(site)) {
        HOLDS(here <= limit, "%u connections to %s, limit %u", here, added->destination, limit);
        HOLDS(plain_here <= limit - reserve_of(limit), "%u to %s take the reserve of %u",
              plain_here, added->destination, limit);
    }
    HOLDS(!provider_of(site) || at_provider <= limit_there,
          "%u connections to provider %s, limit %u", at_provider, provider_of(site), limit_there);
}

/* Is security mail left standing that this connection could have taken? */
static void check_urgent_first(const struct connection *c)
{
    const struct world *w = &sim.world;
    if (c->attempt->class == STREAM_SECURITY)
        return;
    for (size_t i = 0; i < w->recipient_count; i++) {
        const struct recipient *r = &w->recipients[i];
        bool stands = r->added && r->state == RECIPIENT_WAITS && r->due_ms < sim.now_ms &&
                      r->expires_ms > sim.now_ms && r->class == STREAM_SECURITY;
        struct queue_domain_view view;
        if (!stands || w->domains[r->domain].site != c->site || c->trust != sim.trust)
            continue;
        queue_find_domain(sim.queue, w->domains[r->domain].name, &view);
        if (view.state == QUEUE_DOMAIN_LEADS)
            fail("%lld/%u of class security was passed over", (long long)r->message, r->number);
    }
}

/* ---- connections ---- */

static struct connection *connection_of(uint64_t id)
{
    struct connection *c = &sim.connections[(uint32_t)id % CONNECTIONS_MAX];
    return c->id == id && c->state != LINE_CLOSED ? c : NULL;
}

static void step(struct connection *c, int64_t in_ms, enum event_kind kind, size_t what)
{
    later(in_ms, (struct event){
                     .kind = kind, .connection = c->id, .what = what << 8 | (++c->steps & 0xff)});
}

static struct queue_address address_of(size_t server)
{
    struct queue_address a = {.port = 25};
    memcpy(a.ip, &server, sizeof(server));
    return a;
}

static void release_server(struct connection *c)
{
    if (c->has_server)
        sim.world.servers[c->server].now--;
    c->has_server = false;
}

static void leave_all_held(struct connection *c)
{
    if (c->tried_count > 0 && c->state != LINE_CLOSED && c->server < SERVERS_MAX)
        sim.world.servers[c->server].held--;
    c->server = SERVERS_MAX;
}

/* `part`: all but the first go again at once. */
static void settle_later(const struct queue_attempt *a, bool gone, bool part)
{
    later(STORE_MS + travel(),
          (struct event){.kind = EVENT_SETTLED, .attempt = a, .gone = gone, .part = part});
}

static void ends(struct connection *c, enum queue_failure how, const char *why)
{
    const struct queue_attempt *a = c->attempt;
    release_server(c);
    leave_all_held(c);
    c->state = LINE_CLOSED;
    trace("#%llx fails: %s", (unsigned long long)c->id, why);
    if (a)
        comes_back(a);
    bool back = queue_connection_failed(sim.queue, c->id, how, why, sim.now_ms);
    if (!a || back)
        return;
    for (size_t i = 0; i < a->count; i++)
        recipient_of(a->message, a->numbers[i])->state = RECIPIENT_UNDER_WAY;
    settle_later(a, false, false);
}

static void closes(struct connection *c)
{
    release_server(c);
    leave_all_held(c);
    c->state = LINE_CLOSED;
    trace("#%llx closed", (unsigned long long)c->id);
    if (c->attempt)
        comes_back(c->attempt);
    queue_connection_closed(sim.queue, c->id, sim.now_ms);
}

static bool has_tried(const struct connection *c, size_t server)
{
    for (size_t i = 0; i < c->tried_count; i++)
        if (c->tried[i] == server)
            return true;
    return false;
}

static size_t list_candidates(const struct connection *c, struct queue_address *candidates,
                              size_t *servers)
{
    const struct site *s = &sim.world.sites[c->site];
    size_t count = 0;
    for (size_t i = 0; i < s->host_count; i++)
        for (size_t k = 0; k < s->hosts[i].server_count; k++)
            if (!has_tried(c, s->hosts[i].servers[k])) {
                servers[count] = s->hosts[i].servers[k];
                candidates[count++] = address_of(s->hosts[i].servers[k]);
            }
    return count;
}

static void tries(struct connection *c)
{
    struct queue_address candidates[TRIED_MAX];
    size_t servers[TRIED_MAX];
    size_t count = list_candidates(c, candidates, servers);
    size_t at = 0;
    bool probes = false;
    if (count == 0 ||
        !queue_address_take(sim.queue, c->id, candidates, count, &at, &probes, sim.now_ms)) {
        if (c->refused)
            ends(c, QUEUE_FAIL_REFUSED, "no host takes it");
        else if (count == 0)
            ends(c, QUEUE_FAIL_CONNECT, "no host answers");
        else
            ends(c, QUEUE_FAIL_NO_ADDRESS, "no address now");
        return;
    }
    struct server *s = &sim.world.servers[servers[at]];
    unsigned limit = limit_of(&sim.world.sites[c->site]);
    HOLDS(++s->held <= limit, "%u connections to server %zu, limit %u", s->held, servers[at], limit);
    c->tried[c->tried_count++] = c->server = servers[at];
    bool bad = s->kind == SERVER_TURNS_BAD && sim.now_ms >= s->bad_from_ms &&
               sim.now_ms < s->bad_until_ms;
    trace("#%llx tries server %zu", (unsigned long long)c->id, servers[at]);
    if (s->kind == SERVER_REFUSES)
        step(c, 5, EVENT_FAILED, 0);
    else if (s->kind == SERVER_HANGS || s->kind == SERVER_SILENT || bad)
        step(c, count == 1 ? CONNECT_TIMEOUT_MS : probes ? PROBE_MS : RACE_MS, EVENT_FAILED, 0);
    else if (s->accepts > 0 && s->now >= s->accepts)
        step(c, s->greet_ms, EVENT_FAILED, 1);
    else {
        s->now++;
        c->has_server = true;
        step(c, s->greet_ms, EVENT_GREETED, 0);
    }
}

static void address_fails(struct connection *c, bool refused)
{
    struct queue_address a = address_of(c->server);
    release_server(c);
    leave_all_held(c);
    queue_address_failed(sim.queue, c->id, &a, sim.now_ms);
    c->refused = c->refused || refused;
    tries(c);
}

static void speaks(struct connection *c)
{
    c->state = LINE_BUSY;
    check_bound(c->attempt);
    step(c, sim.world.servers[c->server].message_ms, EVENT_SPOKEN, 0);
}

static void greeted(struct connection *c)
{
    struct queue_address a = address_of(c->server);
    if (!queue_opened(sim.queue, c->id, &a, sim.now_ms)) {
        closes(c);
        return;
    }
    trace("#%llx is open", (unsigned long long)c->id);
    speaks(c);
}

static void check_carries(const struct connection *c)
{
    const struct recipient *r = recipient_of(c->attempt->message, c->attempt->numbers[0]);
    HOLDS(c->attempt->trust == c->trust && c->trust == sim.trust_of[r->domain],
          "#%llx carries what it may not: trust", (unsigned long long)c->id);
    HOLDS(site_of(r) == &sim.world.sites[c->site], "#%llx carries what it may not: hosts",
          (unsigned long long)c->id);
    HOLDS(c->attempt->connection == c->id, "attempt knows another connection");
}

static void takes(struct connection *c, const struct queue_attempt *a)
{
    c->attempt = a;
    trace("#%llx takes %lld for %s, class %d, %zu recipients", (unsigned long long)c->id,
          (long long)a->message, a->domain, (int)a->class, a->count);
    check_begins(a, true);
    check_carries(c);
    check_limits(c);
}

static void spoken(struct connection *c)
{
    struct world *w = &sim.world;
    const struct queue_attempt *a = c->attempt;
    const struct queue_attempt *next = NULL;
    uint64_t dice = world_random(w, 100);
    if (dice < w->loses / 2) {
        ends(c, QUEUE_FAIL_LOST, "it broke");
        return;
    }
    if (dice < w->loses) {
        ends(c, QUEUE_FAIL_REFUSED, "421 at MAIL");
        return;
    }
    /* As if each recipient had a transaction of his own. */
    bool part = a->count > 1 && queue_is_urgent_next(sim.queue, c->id, sim.now_ms);
    settle_later(a, world_random(w, 100) >= w->defers, part);
    c->attempt = NULL;
    switch (queue_message_done(sim.queue, c->id, world_random(w, 50) > 0, &next, sim.now_ms)) {
    case QUEUE_NEXT_SEND:
        takes(c, next);
        check_urgent_first(c);
        speaks(c);
        break;
    case QUEUE_NEXT_IDLE:
        trace("#%llx is idle", (unsigned long long)c->id);
        c->state = LINE_IDLE;
        break;
    case QUEUE_NEXT_CLOSE:
        trace("#%llx is to close", (unsigned long long)c->id);
        step(c, travel(), EVENT_CLOSE, 0);
        break;
    }
}

/* ---- decisions ---- */

static void on_open(const struct queue_decision *d)
{
    struct connection *c = &sim.connections[(uint32_t)d->connection % CONNECTIONS_MAX];
    const struct recipient *r = recipient_of(d->attempt->message, d->attempt->numbers[0]);
    HOLDS(c->state == LINE_CLOSED, "slot %u is taken", (unsigned)(uint32_t)d->connection);
    HOLDS(d->shard < sim.world.settings.shards, "shard %u", d->shard);
    *c = (struct connection){.id = d->connection,
                             .trust = d->attempt->trust,
                             .state = LINE_OPENING,
                             .site = sim.world.domains[r->domain].site,
                             .server = SERVERS_MAX,
                             .destination = d->destination};
    trace("OPEN #%llx on shard %u to %s", (unsigned long long)c->id, d->shard, d->destination);
    takes(c, d->attempt);
    check_urgent_first(c);
    step(c, travel(), EVENT_OPEN, 0);
}

static void on_send(const struct queue_decision *d)
{
    struct connection *c = connection_of(d->connection);
    HOLDS(c && c->state == LINE_IDLE, "SEND on what is not idle");
    c->state = LINE_BUSY;
    takes(c, d->attempt);
    check_urgent_first(c);
    step(c, travel(), EVENT_SEND, 0);
}

static void on_decision(const struct queue_decision *d)
{
    struct connection *c = NULL;
    sim.decisions++;
    switch (d->kind) {
    case QUEUE_RESOLVE:
        trace("RESOLVE %s", d->domain);
        for (size_t i = 0; i < sim.world.domain_count; i++)
            if (strcmp(sim.world.domains[i].name, d->domain) == 0)
                later(sim.world.domains[i].answer_ms + travel(),
                      (struct event){.kind = EVENT_NAMES, .what = i});
        break;
    case QUEUE_OPEN:
        HOLDS(!sim.paused, "OPEN while paused");
        on_open(d);
        break;
    case QUEUE_SEND:
        HOLDS(!sim.paused, "SEND while paused");
        on_send(d);
        break;
    case QUEUE_CLOSE:
        c = connection_of(d->connection);
        HOLDS(c && c->state != LINE_BUSY, "CLOSE of what is not there, or busy");
        trace("CLOSE #%llx, reason %d", (unsigned long long)d->connection, (int)d->reason);
        later(travel(), (struct event){.kind = EVENT_CLOSE, .connection = c->id, .what = SIZE_MAX});
        break;
    case QUEUE_SETTLE:
        HOLDS(!sim.paused, "SETTLE while paused");
        trace("SETTLE %lld for %s, reason %d: %s", (long long)d->attempt->message,
              d->attempt->domain, (int)d->reason, d->text);
        check_begins(d->attempt, false);
        settle_later(d->attempt, d->reason == QUEUE_EXPIRED || d->result == 2, false);
        break;
    case QUEUE_EVENT:
        trace("EVENT %s %s: %s", d->destination, d->rest_ms > 0 ? "rests" : "is tried again",
              d->text);
        break;
    }
}

static void decide_all(void)
{
    struct queue_decision d;
    while (queue_decide(sim.queue, &d, sim.now_ms))
        on_decision(&d);
}

/* ---- what happens ---- */

static void on_names(size_t at)
{
    const struct name *d = &sim.world.domains[at];
    const struct site *s = &sim.world.sites[d->site];
    const char *hosts[HOSTS_OF_SITE];
    if (d->kind != NAMES_GOOD) {
        queue_unresolvable(sim.queue, d->name, d->kind == NAMES_GONE ? 2 : 1, "DNS gave no answer",
                           5000, sim.now_ms);
        return;
    }
    for (size_t i = 0; i < s->host_count; i++)
        hosts[i] = s->hosts[s->host_count - 1 - i].name;
    struct queue_answer answer = {.hosts = hosts,
                                  .host_count = s->host_count,
                                  .port = s->port,
                                  .route = s->route,
                                  .trust = sim.trust,
                                  .connections = s->connections,
                                  .valid_ms = 1000 + (int64_t)world_random(&sim.world, 60000)};
    sim.trust_of[at] = sim.trust;
    queue_resolved(sim.queue, d->name, &answer, sim.now_ms);
}

static void on_settled(const struct queue_attempt *a, bool gone, bool part)
{
    int64_t due_ms[QUEUE_RECIPIENTS_MAX] = {0};
    for (size_t i = 0; i < a->count; i++) {
        struct recipient *r = recipient_of(a->message, a->numbers[i]);
        HOLDS(r->state == RECIPIENT_UNDER_WAY, "%lld/%u comes back from nowhere",
              (long long)a->message, a->numbers[i]);
        if (part && i > 0) {
            r->state = RECIPIENT_WAITS;
            r->due_ms = due_ms[i] = sim.now_ms;
            continue;
        }
        r->tries++;
        if (gone || sim.now_ms >= r->expires_ms) {
            r->state = RECIPIENT_OVER;
            continue;
        }
        r->state = RECIPIENT_WAITS;
        r->due_ms = sim.now_ms + (int64_t)world_random(&sim.world, 60 * 1000);
        if (r->due_ms > r->expires_ms)
            r->due_ms = r->expires_ms;
        due_ms[i] = r->due_ms;
    }
    trace("settled %lld", (long long)a->message);
    queue_settled(sim.queue, a, due_ms, sim.now_ms);
}

/* Somebody says "retry": what waits is due now. What is under way is left alone. */
static void on_retry(void)
{
    for (size_t i = 0; i < sim.world.recipient_count; i++) {
        struct recipient *r = &sim.world.recipients[i];
        if (!r->added || r->state != RECIPIENT_WAITS || world_random(&sim.world, 2) == 0)
            continue;
        if (r->due_ms > sim.now_ms)
            r->due_ms = sim.now_ms;
        add(r);
    }
    queue_resume(sim.queue, NULL, sim.now_ms);
    trace("retry by a person");
}

static void on_connection(const struct event *e)
{
    struct connection *c = connection_of(e->connection);
    bool told = e->kind == EVENT_CLOSE && e->what == SIZE_MAX;
    if (!c || (!told && (e->what & 0xff) != (c->steps & 0xff)))
        return;
    if (told || e->kind == EVENT_CLOSE)
        closes(c);
    else if (e->kind == EVENT_OPEN || e->kind == EVENT_TRY)
        tries(c);
    else if (e->kind == EVENT_FAILED)
        address_fails(c, e->what >> 8 == 1);
    else if (e->kind == EVENT_GREETED)
        greeted(c);
    else if (e->kind == EVENT_SPOKEN)
        spoken(c);
    else if (e->kind == EVENT_SEND && world_random(&sim.world, 100) < sim.world.stale)
        ends(c, QUEUE_FAIL_STALE, "it was dead");
    else if (e->kind == EVENT_SEND)
        speaks(c);
}

static void on_event(const struct event *e)
{
    switch (e->kind) {
    case EVENT_COMES:
        add(&sim.world.recipients[e->what]);
        break;
    case EVENT_RETRY:
        on_retry();
        break;
    case EVENT_NAMES:
        on_names(e->what);
        break;
    case EVENT_SETTLED:
        on_settled(e->attempt, e->gone, e->part);
        break;
    case EVENT_PAUSE:
    case EVENT_GO_ON:
        trace("%s", e->kind == EVENT_PAUSE ? "the store cannot commit" : "the store goes on");
        sim.paused = e->kind == EVENT_PAUSE;
        queue_pause(sim.queue, sim.paused, sim.now_ms);
        break;
    case EVENT_RELOAD:
        trace("reload");
        sim.trust++;
        queue_forget_answers(sim.queue, NULL, sim.now_ms);
        break;
    case EVENT_OPEN:
    case EVENT_SEND:
    case EVENT_CLOSE:
    case EVENT_TRY:
    case EVENT_FAILED:
    case EVENT_GREETED:
    case EVENT_SPOKEN:
        on_connection(e);
        break;
    }
}

/* ---- a run ---- */

static int64_t begin(uint64_t seed)
{
    int64_t end_ms = 0;
    free(sim.events);
    sim = (struct simulation){.trust = 1};
    world_make(&sim.world, seed);
    struct world *w = &sim.world;
    sim.queue = queue_new(&w->settings, 0);
    for (size_t i = 0; i < w->recipient_count; i++) {
        const struct recipient *r = &w->recipients[i];
        if (r->number == 0)
            sim.first_of_message[r->message] = i;
        later(r->comes_ms, (struct event){.kind = EVENT_COMES, .what = i});
        end_ms = r->expires_ms > end_ms ? r->expires_ms : end_ms;
    }
    if (w->paused_until_ms > 0) {
        later(w->paused_from_ms, (struct event){.kind = EVENT_PAUSE});
        later(w->paused_until_ms, (struct event){.kind = EVENT_GO_ON});
    }
    if (w->reload_ms >= 0)
        later(w->reload_ms, (struct event){.kind = EVENT_RELOAD});
    if (seed % 3 == 0)
        later((int64_t)world_random(w, 300000), (struct event){.kind = EVENT_RETRY});
    return end_ms;
}

static void check_end(void)
{
    const struct world *w = &sim.world;
    struct queue_counts n;
    for (size_t i = 0; i < w->recipient_count; i++)
        HOLDS(w->recipients[i].state == RECIPIENT_OVER, "%lld/%u (class %d, %s) is lost: state %d",
              (long long)w->recipients[i].message, w->recipients[i].number,
              (int)w->recipients[i].class, w->domains[w->recipients[i].domain].name,
              (int)w->recipients[i].state);
    queue_count(sim.queue, &n, sim.now_ms);
    HOLDS(n.waiting + n.ready + n.under_way + n.attempts + n.settling + n.resolving == 0,
          "something is left in the queue");
    HOLDS(n.connections == 0, "%zu connections are left", n.connections);
    HOLDS(n.tenants == 0, "%zu tenants are left", n.tenants);
}

static void play(uint64_t seed)
{
    int64_t end_ms = begin(seed) + 120 * 1000;
    uint64_t idle_rounds = 0;
    while (sim.now_ms <= end_ms) {
        int64_t wake_ms = queue_wake_ms(sim.queue);
        int64_t event_ms = sim.event_count > 0 ? sim.events[0].at_ms : INT64_MAX;
        if (wake_ms == INT64_MAX && event_ms == INT64_MAX)
            break;
        uint64_t decisions = sim.decisions;
        int64_t before_ms = sim.now_ms;
        if (wake_ms < event_ms) {
            sim.now_ms = wake_ms > sim.now_ms ? wake_ms : sim.now_ms;
        } else {
            struct event e = next_event();
            sim.now_ms = e.at_ms;
            on_event(&e);
            decisions = UINT64_MAX;
        }
        decide_all();
        bool idle = sim.now_ms == before_ms && decisions == sim.decisions;
        idle_rounds = idle ? idle_rounds + 1 : 0;
        HOLDS(idle_rounds < 100, "it wakes again and again, and does nothing");
    }
    check_end();
}

/* A broken CHECK of ours: say which run it was. */
static void on_abort(int number)
{
    char text[80];
    int len = snprintf(text, sizeof(text), "seed %llu aborts\n",
                       (unsigned long long)sim.world.seed);
    if (write(1, text, (size_t)len) < 0)
        _exit(2);
    signal(number, SIG_DFL);
}

static bool run(uint64_t seed)
{
    bool ok = setjmp(over) == 0;
    if (ok)
        play(seed);
    queue_free(sim.queue);
    sim.queue = NULL;
    return ok;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint64_t runs = 2000;
    uint64_t decisions = 0;
    struct timespec began;
    struct timespec now;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            tracing = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10), runs = 1;
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            runs = strtoull(argv[++i], NULL, 10);
        else
            return printf("usage: simulation [--seed N] [--runs N] [--trace]\n"), 2;
    }
    signal(SIGABRT, on_abort);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (uint64_t i = 0; i < runs; i++) {
        if (!run(seed + i)) {
            bool traced = tracing;
            tracing = true;
            if (!traced)
                run(seed + i);
            return 1;
        }
        decisions += sim.decisions;
        if (sim.decisions > 20000)
            printf("seed %llu: %llu decisions\n", (unsigned long long)(seed + i), (unsigned long long)sim.decisions);
        if (i % 500 == 499 || i + 1 == runs) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            printf("%llu runs, %llu decisions, %ld s\n", (unsigned long long)(i + 1),
                   (unsigned long long)decisions, (long)(now.tv_sec - began.tv_sec));
            fflush(stdout);
        }
    }
    free(sim.events);
    return 0;
}
