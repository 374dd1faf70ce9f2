// SPDX-License-Identifier: BSD-2-Clause
/* shell.c - The shell's part, played: connections to servers of the world, and what the queue decides
 * about them. */
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- connections ---- */

struct connection *connection_of(uint64_t id)
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

/* It is not back, as it seemed. */
static void settles_all_the_same(const struct queue_attempt *a)
{
    for (size_t i = 0; i < a->count; i++)
        recipient_of(a->message, a->numbers[i])->state = RECIPIENT_UNDER_WAY;
    settle_later(a, false, false);
}

void ends(struct connection *c, enum queue_failure how, const char *why)
{
    const struct queue_attempt *a = c->attempt;
    note_end(c);
    release_server(c);
    leave_all_held(c);
    c->state = LINE_CLOSED;
    trace("#%llx fails: %s", (unsigned long long)c->id, why);
    if (a)
        comes_back(a);
    bool back = queue_connection_failed(sim.queue, c->id, how, why, sim.now_ms);
    if (a && !back)
        settles_all_the_same(a);
}

/* Over the message that it carries: the onlooker knows it by that. */
static void breaks(struct connection *c)
{
    for (size_t i = 0; i < c->attempt->count; i++)
        recipient_of(c->attempt->message, c->attempt->numbers[i])->suspect = true;
    ends(c, QUEUE_FAIL_BROKE, "it broke");
}

void closes(struct connection *c)
{
    note_end(c);
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

void tries(struct connection *c)
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
    else if ((s->kind == SERVER_HANGS || s->kind == SERVER_SILENT || bad) && probes && count > 1)
        step(c, PROBE_MS, EVENT_PROBES, 0);
    else if (s->kind == SERVER_HANGS || s->kind == SERVER_SILENT || bad)
        step(c, count > 1 ? RACE_MS : CONNECT_TIMEOUT_MS, EVENT_FAILED, 0);
    else if (s->accepts > 0 && s->now >= s->accepts)
        step(c, s->greet_ms, EVENT_FAILED, 1);
    else {
        s->now++;
        c->has_server = true;
        step(c, s->greet_ms, EVENT_GREETED, 0);
    }
}

/* The next one is tried beside it. */
void probes_on(struct connection *c)
{
    struct queue_address a = address_of(c->server);
    size_t server = c->server;
    if (!queue_address_probes_on(sim.queue, c->id, &a)) {
        address_fails(c, false);
        return;
    }
    c->server = SERVERS_MAX; /* it is held for another while */
    later(PROBED_MS, (struct event){.kind = EVENT_PROBED, .what = server});
    tries(c);
}

void probe_ends(size_t server)
{
    struct queue_address a = address_of(server);
    sim.world.servers[server].held--;
    queue_probe_ended(sim.queue, &a, QUEUE_PROBE_FAILED, sim.now_ms);
}

void address_fails(struct connection *c, bool refused)
{
    struct queue_address a = address_of(c->server);
    release_server(c);
    leave_all_held(c);
    if (refused)
        queue_address_refused(sim.queue, c->id, &a, sim.now_ms);
    else
        queue_address_failed(sim.queue, c->id, &a, sim.now_ms);
    c->refused = c->refused || refused;
    tries(c);
}

void speaks(struct connection *c)
{
    c->state = LINE_BUSY;
    check_bound(c->attempt);
    check_not_starved(c);
    const struct server *s = &sim.world.servers[c->server];
    if (s->kind == SERVER_STALLS || s->kind == SERVER_MUTE)
        step(c, s->kind == SERVER_MUTE ? MUTE_MS : STALL_MS, EVENT_STUCK, 0);
    else
        step(c, s->message_ms, EVENT_SPOKEN, 0);
}

void greeted(struct connection *c)
{
    struct queue_address a = address_of(c->server);
    queue_address_spoke(sim.queue, c->id, &a);
    if (!queue_opened(sim.queue, c->id, &a, sim.now_ms)) {
        closes(c);
        return;
    }
    trace("#%llx is open", (unsigned long long)c->id);
    speaks(c);
}

static void takes(struct connection *c, const struct queue_attempt *a)
{
    c->attempt = a;
    c->took_ms = sim.now_ms;
    c->spoke_ms = -1;
    trace("#%llx takes %lld of %s for %s, class %d, %zu recipients", (unsigned long long)c->id,
          (long long)a->message, a->tenant, a->domain, (int)a->class, a->count);
    check_begins(a, true);
    check_carries(c);
    check_limits(c);
    note_turn(c);
}

/* It is refused at MAIL, and the server says no more. */
static void turned_away(struct connection *c)
{
    static const char *const said[] = {"450 4.7.1 too much", "451 4.7.1 later", "452 4.3.1 no room"};
    const struct queue_attempt *a = c->attempt;
    const struct queue_attempt *next = NULL;
    enum queue_refusal what = c->used ? QUEUE_REFUSES_LATER : QUEUE_REFUSES_FIRST;
    trace("#%llx is refused", (unsigned long long)c->id);
    note_end(c);
    comes_back(a);
    if (!queue_turned_away(sim.queue, c->id, what, said[sim.world.seed % COUNT_OF(said)], sim.now_ms))
        settles_all_the_same(a);
    c->attempt = NULL;
    HOLDS(queue_message_done(sim.queue, c->id, QUEUE_SPOKEN, false, &next, sim.now_ms) == QUEUE_NEXT_CLOSE, "it goes on");
    step(c, travel(), EVENT_CLOSE, 0);
}

void spoken(struct connection *c)
{
    struct world *w = &sim.world;
    const struct queue_attempt *a = c->attempt;
    const struct queue_attempt *next = NULL;
    bool first_tenants = recipient_of(a->message, a->numbers[0])->tenant == 0;
    if (w->turns_away > 0 && first_tenants && world_random(w, 100) < w->turns_away) {
        turned_away(c);
        return;
    }
    if (w->turns_away > 0)
        queue_mail_taken(sim.queue, c->id, sim.now_ms);
    c->used = true;
    uint64_t dice = world_random(w, 100);
    if (dice < w->loses / 2) {
        if (world_random(w, 2) == 0)
            ends(c, QUEUE_FAIL_LOST, "it was lost");
        else
            breaks(c);
        return;
    }
    if (dice < w->loses) {
        ends(c, QUEUE_FAIL_REFUSED, "421 at MAIL");
        return;
    }
    /* As if each recipient had a transaction of his own. */
    bool part = a->count > 1 && queue_rest_waits(sim.queue, c->id, sim.now_ms);
    settle_later(a, world_random(w, 100) >= w->defers, part);
    note_end(c);
    c->attempt = NULL;
    enum queue_spoken spoken = a->message % 16 == 0 ? QUEUE_NOT_SPOKEN : QUEUE_SPOKEN;
    switch (queue_message_done(sim.queue, c->id, spoken, world_random(w, 50) > 0, &next, sim.now_ms)) {
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

/* Of the tenant with thousands of domains: each leads somewhere else, where its message is not wanted any more. */
static bool is_of_many(const struct queue_decision *d)
{
    static const char begin[] = "many";
    char name[40];
    char host[48];
    const char *hosts[] = {host};
    if (d->attempt && d->attempt->message >= MANY_FIRST) { /* it came too late */
        queue_settled(sim.queue, d->attempt, NULL, sim.now_ms);
        return true;
    }
    if (d->kind != QUEUE_RESOLVE || strncmp(d->domain, begin, strlen(begin)) != 0)
        return false;
    snprintf(name, sizeof(name), "%s", d->domain);
    snprintf(host, sizeof(host), "mx.%s", name);
    queue_drop(sim.queue, MANY_FIRST + strtol(name + strlen(begin), NULL, 10), 0, sim.now_ms);
    struct queue_answer answer = {
        .hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = sim.trust, .valid_ms = 600000};
    queue_resolved(sim.queue, name, &answer, sim.now_ms);
    return true;
}

static void on_decision(const struct queue_decision *d)
{
    struct connection *c = NULL;
    sim.decisions++;
    if (is_of_many(d))
        return;
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
    case QUEUE_HURRY:
        c = connection_of(d->connection);
        HOLDS(c && c->state == LINE_BUSY && c->attempt, "HURRY to what is not busy");
        trace("HURRY #%llx", (unsigned long long)d->connection);
        if (c->server < SERVERS_MAX && sim.world.servers[c->server].kind == SERVER_STALLS)
            step(c, HURRY_MS, EVENT_STUCK, 0);
        break;
    case QUEUE_SETTLE:
        HOLDS(!sim.paused, "SETTLE while paused");
        trace("SETTLE %lld for %s, reason %d: %s", (long long)d->attempt->message,
              d->attempt->domain, (int)d->reason, d->text);
        check_begins(d->attempt, false);
        settle_later(d->attempt, d->reason == QUEUE_EXPIRED || d->result == 2, false);
        break;
    case QUEUE_EVENT:
        trace("EVENT %s %s: %s", d->destination,
              d->reason == QUEUE_SHARE_USED ? "holds up a tenant"
              : d->rest_ms > 0              ? "rests"
                                            : "is tried again",
              d->text);
        note_rest_of_one(d);
        break;
    }
}

void decide_all(void)
{
    struct queue_decision d;
    while (queue_decide(sim.queue, &d, sim.now_ms))
        on_decision(&d);
}
