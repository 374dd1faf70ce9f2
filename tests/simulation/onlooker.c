// SPDX-License-Identifier: BSD-2-Clause
/* onlooker.c - Who is under way, what the limits are and who is next, counted without the queue. */
#include "simulation.h"

#include "shares.h"

#include <stdio.h>
#include <string.h>

/* ---- recipients ---- */

struct recipient *recipient_of(int64_t message, unsigned number)
{
    return &sim.world.recipients[sim.first_of_message[message] + number];
}

struct site *site_of(const struct recipient *r)
{
    return &sim.world.sites[sim.world.domains[r->domain].site];
}

/* Who broke a connection begins when nobody else of the same tenant, class and domain is due. */
static void check_suspects_last(const struct recipient *first)
{
    const struct world *w = &sim.world;
    bool counts = first->suspect && w->settings.standing == 0; /* others may be held aside */
    for (size_t i = 0; counts && i < w->recipient_count; i++) {
        const struct recipient *r = &w->recipients[i];
        bool same = r->tenant == first->tenant && r->class == first->class && r->domain == first->domain;
        HOLDS(!same || r->suspect || !r->added || r->state != RECIPIENT_WAITS ||
                  r->due_ms >= sim.now_ms || r->expires_ms <= sim.now_ms ||
                  first->expires_ms <= sim.now_ms,
              "%lld/%u broke a connection, and goes before %lld/%u", (long long)first->message,
              first->number, (long long)r->message, r->number);
    }
}

void check_begins(const struct queue_attempt *a, bool on_connection)
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
        HOLDS(r->suspect == recipient_of(a->message, a->numbers[0])->suspect,
              "%lld/%u: who broke a connection is with who did not", (long long)a->message,
              a->numbers[i]);
        r->state = RECIPIENT_UNDER_WAY;
    }
    check_suspects_last(recipient_of(a->message, a->numbers[0]));
}

void comes_back(const struct queue_attempt *a)
{
    for (size_t i = 0; i < a->count; i++)
        recipient_of(a->message, a->numbers[i])->state = RECIPIENT_WAITS;
}

/* Its message begins now. */
void check_bound(const struct queue_attempt *a)
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

/* ---- limits, as an onlooker counts them ---- */

unsigned limit_of(const struct site *s)
{
    unsigned provider = 0;
    if (strstr(s->hosts[0].name, "outlook"))
        provider = 20;
    else if (strstr(s->hosts[0].name, ".fr"))
        provider = 2;
    else if (strstr(s->hosts[0].name, ".wp.pl"))
        provider = 5;
    if (s->connections > 0)
        return s->connections;
    return provider ? provider : sim.world.settings.per_destination;
}

static const char *provider_of(const struct site *s)
{
    const char *dot = strchr(s->hosts[0].name, '.');
    return s->hosts[0].name[0] == 'm' && dot ? dot : NULL;
}

static struct turns *turns_of(const char *destination)
{
    for (size_t i = 0; i < sim.turns_count; i++)
        if (strcmp(sim.turns[i].destination, destination) == 0)
            return &sim.turns[i];
    CHECK(sim.turns_count < COUNT_OF(sim.turns));
    struct turns *t = &sim.turns[sim.turns_count++];
    snprintf(t->destination, sizeof(t->destination), "%s", destination);
    t->urgent_ms = NEVER_MS;
    return t;
}

void check_limits(const struct connection *added)
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
    bool adds_plain = added->attempt->class != STREAM_SECURITY;
    int64_t urgent_ms = adds_plain ? sim.urgent_ms : NEVER_MS; /* more may be left from before */
    int64_t urgent_here_ms = adds_plain ? turns_of(added->destination)->urgent_ms : NEVER_MS;
    HOLDS(plain <= capacity - reserve_at(capacity, urgent_ms, sim.now_ms),
          "%u take the reserve of %u", plain, capacity);
    if (!provider_of(site)) {
        HOLDS(here <= limit, "%u connections to %s, limit %u", here, added->destination, limit);
        HOLDS(plain_here <= limit - reserve_at(limit, urgent_here_ms, sim.now_ms),
              "%u to %s take the reserve of %u",
              plain_here, added->destination, limit);
    }
    HOLDS(!provider_of(site) || at_provider <= limit_there,
          "%u connections to provider %s, limit %u", at_provider, provider_of(site), limit_there);
}

static bool same_provider(const struct connection *a, const struct connection *b)
{
    const char *one = provider_of(&sim.world.sites[a->site]);
    const char *other = provider_of(&sim.world.sites[b->site]);
    return one && other && strcmp(one, other) == 0;
}

/* Were so many connections at work for that tenant, before this one, that its security mail might
 * have no more? At a provider one that has done nothing yet may be enough. */
static bool has_its_share(const struct connection *added, size_t tenant)
{
    unsigned held = 0;
    unsigned urgent = 0;
    unsigned left = sim.world.settings.connections;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *c = &sim.connections[i];
        if (c == added || c->state == LINE_CLOSED)
            continue;
        left--;
        bool is_theirs =
            c->attempt && recipient_of(c->attempt->message, c->attempt->numbers[0])->tenant == tenant;
        if (same_provider(c, added) && (is_theirs || !c->attempt))
            return true;
        held += is_theirs;
        urgent += is_theirs && c->attempt->class == STREAM_SECURITY;
    }
    return urgent > 0 && !is_within_share(held, left);
}

/* Does other mail stand that this connection could carry? */
static bool plain_stands(const struct connection *c)
{
    const struct world *w = &sim.world;
    for (size_t i = 0; i < w->recipient_count && w->settings.standing == 0; i++) {
        const struct recipient *r = &w->recipients[i];
        struct queue_domain_view view;
        if (!r->added || r->state != RECIPIENT_WAITS || r->due_ms >= sim.now_ms ||
            r->expires_ms <= sim.now_ms || r->class == STREAM_SECURITY ||
            w->domains[r->domain].site != c->site || sim.trust_of[r->domain] != c->trust)
            continue;
        queue_find_domain(sim.queue, w->domains[r->domain].name, &view);
        if (view.state == QUEUE_DOMAIN_LEADS)
            return true;
    }
    return false;
}

/* Its message begins: does class security leave something to the others? */
void check_not_starved(const struct connection *c)
{
    struct turns *turns = turns_of(c->destination);
    bool passes = c->attempt->class == STREAM_SECURITY && plain_stands(c);
    turns->passed = passes ? turns->passed + 1 : 0;
    HOLDS(turns->passed <= STARVED, "%u times class security went first to %s", turns->passed,
          c->destination);
}

/* Is security mail left standing that this connection could have taken? But when it has been first
 * so often, something else is, once; and what is held aside stands nowhere. */
void check_urgent_first(const struct connection *c)
{
    const struct world *w = &sim.world;
    struct turns *turns = turns_of(c->destination);
    unsigned codes = turns->codes;
    turns->codes = c->attempt->class == STREAM_SECURITY ? codes + 1 : 0;
    if (c->attempt->class == STREAM_SECURITY) {
        sim.urgent_ms = turns->urgent_ms = sim.now_ms;
        return;
    }
    bool none_held = w->settings.standing == 0;
    for (size_t i = 0; i < w->recipient_count && codes < PASSED_MAX && none_held; i++) {
        const struct recipient *r = &w->recipients[i];
        bool stands = r->added && r->state == RECIPIENT_WAITS && r->due_ms < sim.now_ms &&
                      r->expires_ms > sim.now_ms && r->class == STREAM_SECURITY;
        struct queue_domain_view view;
        if (!stands || w->domains[r->domain].site != c->site || c->trust != sim.trust ||
            (c->state == LINE_OPENING && has_its_share(c, r->tenant)))
            continue;
        queue_find_domain(sim.queue, w->domains[r->domain].name, &view);
        if (view.state == QUEUE_DOMAIN_LEADS)
            fail("%lld/%u of class security was passed over", (long long)r->message, r->number);
    }
}

void check_carries(const struct connection *c)
{
    const struct recipient *r = recipient_of(c->attempt->message, c->attempt->numbers[0]);
    HOLDS(c->attempt->trust == c->trust && c->trust == sim.trust_of[r->domain],
          "#%llx carries what it may not: trust", (unsigned long long)c->id);
    HOLDS(site_of(r) == &sim.world.sites[c->site], "#%llx carries what it may not: hosts",
          (unsigned long long)c->id);
    HOLDS(c->attempt->connection == c->id, "attempt knows another connection");
}
