// SPDX-License-Identifier: BSD-2-Clause
/* onlooker.c - Who is under way, what the limits are and who is next, counted without the queue. */
#include "simulation.h"

#include "aside.h"
#include "class_turns.h"
#include "shares.h"

#include <stdio.h>
#include <string.h>

enum { BESIDE_MS = 30 * 1000 }; /* three runs at an address */

/* ---- recipients ---- */

struct recipient *recipient_of(int64_t message, unsigned number)
{
    return &sim.world.recipients[sim.first_of_message[message] + number];
}

struct site *site_of(const struct recipient *r)
{
    return &sim.world.sites[sim.world.domains[r->domain].site];
}

/* It stands nowhere yet. */
static bool is_aside(const struct recipient *r)
{
    return is_held_aside(sim.queue, r->message, r->number);
}

/* Receivers hold up mail of this tenant's, by what they say to MAIL. */
static bool may_be_limited(size_t tenant)
{
    return sim.world.turns_away > 0 && tenant == 0;
}

/* Who broke a connection goes after all of the same tenant, class and domain that had come when he stood there again;
 * but who is turned away goes behind, too. */
static void check_suspects_wait(const struct recipient *first)
{
    const struct world *w = &sim.world;
    int64_t since_ms = first->due_ms > first->back_ms ? first->due_ms : first->back_ms;
    if (may_be_limited(first->tenant))
        return;
    for (size_t i = 0; first->suspect && first->expires_ms > sim.now_ms && i < w->recipient_count; i++) {
        const struct recipient *r = &w->recipients[i];
        bool same = r->tenant == first->tenant && r->class == first->class && r->domain == first->domain;
        bool stands = r->added && r->state == RECIPIENT_WAITS && r->due_ms < sim.now_ms && !is_aside(r);
        HOLDS(!same || r->suspect || !stands || r->comes_ms >= since_ms || r->expires_ms <= sim.now_ms,
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
    check_suspects_wait(recipient_of(a->message, a->numbers[0]));
}

void comes_back(const struct queue_attempt *a)
{
    for (size_t i = 0; i < a->count; i++) {
        struct recipient *r = recipient_of(a->message, a->numbers[i]);
        r->state = RECIPIENT_WAITS;
        if (!r->suspect) /* untried, that one keeps its place */
            r->back_ms = sim.now_ms;
    }
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
        bool may_wait = w->stuck != STUCK_NONE && r->tenant == 0 && (!urgent || w->stuck == STUCK_ANY);
        may_wait = may_wait || may_be_limited(r->tenant);
        if (w->sites[site].healthy && w->domains[r->domain].kind == NAMES_GOOD && !may_wait)
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

/* May another tenant's mail go first, as that tenant has a connection at the destination already? */
static bool has_a_place(const struct connection *added, size_t tenant)
{
    bool has = false;
    if (recipient_of(added->attempt->message, added->attempt->numbers[0])->tenant == tenant)
        return false;
    for (size_t i = 0; i < CONNECTIONS_MAX && !has; i++) {
        const struct connection *c = &sim.connections[i];
        has = c != added && c->state != LINE_CLOSED && c->attempt &&
              strcmp(c->destination, added->destination) == 0 &&
              recipient_of(c->attempt->message, c->attempt->numbers[0])->tenant == tenant;
    }
    return has;
}

/* Does other mail stand that this connection could carry, and whose? */
static bool plain_stands(const struct connection *c, bool stands_r[TENANTS_MAX])
{
    const struct world *w = &sim.world;
    bool any = false;
    for (size_t i = 0; i < w->recipient_count; i++) {
        const struct recipient *r = &w->recipients[i];
        struct queue_domain_view view;
        if (!r->added || is_aside(r) || r->state != RECIPIENT_WAITS || r->due_ms >= sim.now_ms ||
            r->expires_ms <= sim.now_ms || r->class == STREAM_SECURITY ||
            w->domains[r->domain].site != c->site || sim.trust_of[r->domain] != c->trust ||
            turns_of(c->destination)->rests_until_ms[r->tenant] > sim.now_ms || may_be_limited(r->tenant))
            continue;
        queue_find_domain(sim.queue, w->domains[r->domain].name, &view, sim.now_ms);
        if (view.state == QUEUE_DOMAIN_LEADS)
            any = stands_r[r->tenant] = true;
    }
    return any;
}

void note_rest_of_one(const struct queue_decision *d)
{
    unsigned tenant = 0;
    if (d->rest_ms > 0 && sscanf(d->text, "mail of tenant t%u only: ", &tenant) == 1)
        turns_of(d->destination)->rests_until_ms[tenant] = sim.now_ms + d->rest_ms;
}

/* It is another's turn; that his server then fails is no matter. */
void note_turn(const struct connection *c)
{
    if (c->attempt->class != STREAM_SECURITY)
        turns_of(c->destination)->passed = 0;
}

/* Turns as the queue charges them: a recipient, or a tenth of a second, up to ten seconds. */
static int64_t charged_ms(const struct connection *c, int64_t since_ms)
{
    int64_t took_ms = sim.now_ms - since_ms;
    int64_t least_ms = (int64_t)c->attempt->count * 100;
    int64_t most_ms = (int64_t)TURNS_AHEAD * 100;
    took_ms = took_ms > most_ms ? most_ms : took_ms;
    return took_ms < least_ms ? least_ms : took_ms;
}

static size_t tenant_of(const struct connection *c)
{
    return recipient_of(c->attempt->message, c->attempt->numbers[0])->tenant;
}

/* Who is under way there is served meanwhile. */
static bool is_under_way(const struct connection *added, size_t tenant)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *c = &sim.connections[i];
        if (c != added && c->state != LINE_CLOSED && c->attempt &&
            strcmp(c->destination, added->destination) == 0 && tenant_of(c) == tenant)
            return true;
    }
    return false;
}

/* Might no more connections carry anything but codes, there or, `elsewhere`, of all or over other routes to the
 * same provider? One that is being opened, and hangs, has its place there until it is given up. */
static bool plain_is_full(const struct connection *added, bool *elsewhere_r)
{
    unsigned all = sim.world.settings.connections;
    size_t plain = 0;
    size_t here = 0;
    size_t opening = 0;
    size_t routes = 0;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *c = &sim.connections[i];
        if (c == added || c->state == LINE_CLOSED || !c->attempt || c->attempt->class == STREAM_SECURITY)
            continue;
        bool is_here = strcmp(c->destination, added->destination) == 0;
        plain++;
        here += is_here;
        opening += is_here && c->state == LINE_OPENING;
        routes += !is_here && same_provider(c, added);
    }
    *elsewhere_r = routes > 0 || opening > 0 || plain + reserve_at(all, sim.urgent_ms, sim.now_ms) >= all;
    return here > 0 || *elsewhere_r;
}

void check_known(void)
{
    struct queue_destination_view view;
    for (size_t i = 0; i < sim.turns_count; i++)
        HOLDS(queue_find_destination(sim.queue, sim.turns[i].destination, &view, sim.now_ms), "%s is forgotten",
              sim.turns[i].destination);
}

/* The same for two destinations of one machine, where an address is left after a run, by each that has one. */
static void note_end_beside(struct connection *c)
{
    int64_t had_ms = c->spoke_ms < 0 ? 0 : charged_ms(c, c->spoke_ms);
    bool theirs = c->site == sim.world.domains[1].site || tenant_of(c) == 1; /* that they go elsewhere is in their part, too */
    if (c->passes_beside)
        sim.beside_ms += had_ms;
    else if (theirs)
        sim.beside_ms = sim.beside_ms > had_ms ? sim.beside_ms - had_ms : 0;
    c->passes_beside = false;
}

/* Is mail of the second tenant's left standing at the other destination, which has no connection there? */
static bool stands_beside(const struct connection *added)
{
    const struct world *w = &sim.world;
    struct queue_domain_view view;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *c = &sim.connections[i];
        if (c != added && c->state != LINE_CLOSED && c->site == w->domains[1].site)
            return false;
    }
    queue_find_domain(sim.queue, w->domains[1].name, &view, sim.now_ms);
    for (size_t i = 0; i < w->recipient_count && view.state == QUEUE_DOMAIN_LEADS; i++) {
        const struct recipient *r = &w->recipients[i];
        if (r->added && !is_aside(r) && r->state == RECIPIENT_WAITS && r->due_ms < sim.now_ms &&
            r->expires_ms > sim.now_ms && r->domain == 1 && r->tenant == 1)
            return true;
    }
    return false;
}

/* `full`: it could have no connection elsewhere, either. */
static void check_beside(struct connection *c, bool full)
{
    const struct recipient *r = recipient_of(c->attempt->message, c->attempt->numbers[0]);
    bool code = r->domain == 0 && r->tenant == 0 && r->class == STREAM_SECURITY;
    c->passes_beside = code && !full && stands_beside(c);
    HOLDS(!c->passes_beside || sim.beside_ms <= (int64_t)(TURNS_AHEAD + TURNS_SPREAD) * 100 + BESIDE_MS,
          "codes of t0 had %lld ms at the machine of %s before other mail of t1", (long long)sim.beside_ms,
          sim.world.domains[1].name);
}

/* What a tenant calls security goes first within its fair part only: it does not take much more of
 * the connections' time than another whose mail stands there. */
void note_end(struct connection *c)
{
    struct turns *turns = turns_of(c->destination);
    if (!c->attempt)
        return;
    if (sim.world.beside)
        note_end_beside(c);
    size_t tenant = tenant_of(c);
    int64_t had_ms = c->spoke_ms < 0 ? 0 : charged_ms(c, c->spoke_ms);
    if (c->attempt->class == STREAM_SECURITY)
        turns->codes_ms[tenant] += charged_ms(c, c->took_ms);
    for (size_t i = 0; i < TENANTS_MAX; i++) {
        int64_t *behind_ms = &turns->ahead_ms[i][tenant];
        *behind_ms = *behind_ms > had_ms ? *behind_ms - had_ms : 0;
        if (c->attempt->class == STREAM_SECURITY && c->passes[i])
            turns->ahead_ms[tenant][i] += had_ms;
    }
    memset(c->passes, 0, sizeof(c->passes));
    c->spoke_ms = -1;
}

/* Its message begins: does class security leave something to the others? */
void check_not_starved(struct connection *c)
{
    struct turns *turns = turns_of(c->destination);
    bool stands[TENANTS_MAX] = {0};
    bool passes = plain_stands(c, stands) && c->attempt->class == STREAM_SECURITY;
    size_t tenant = tenant_of(c);
    bool full_elsewhere = false;
    bool full = plain_is_full(c, &full_elsewhere);
    if (!passes)
        turns->passed = 0;
    else if (!full_elsewhere)
        turns->passed++;
    HOLDS(turns->passed <= STARVED, "%u times class security went first to %s", turns->passed,
          c->destination);
    c->spoke_ms = sim.now_ms;
    if (sim.world.beside)
        check_beside(c, full_elsewhere);
    for (size_t i = 0; i < TENANTS_MAX && c->attempt->class == STREAM_SECURITY; i++) {
        int64_t *ahead_ms = &turns->ahead_ms[tenant][i];
        bool may_go = stands[i] && !full && !is_under_way(c, i) && turns->rests_until_ms[i] <= sim.now_ms;
        c->passes[i] = i != tenant && may_go;
        if (!stands[i])
            *ahead_ms = 0;
        HOLDS(!c->passes[i] || *ahead_ms <= (int64_t)(TURNS_AHEAD + TURNS_SPREAD) * 100,
              "codes of t%zu had %lld ms at %s before other mail of t%zu", tenant, (long long)*ahead_ms,
              c->destination, i);
    }
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
    for (size_t i = 0; i < w->recipient_count && codes < PASSED_MAX; i++) {
        const struct recipient *r = &w->recipients[i];
        bool stands = r->added && r->state == RECIPIENT_WAITS && r->due_ms < sim.now_ms &&
                      r->expires_ms > sim.now_ms && r->class == STREAM_SECURITY && !is_aside(r);
        struct queue_domain_view view;
        if (!stands || w->domains[r->domain].site != c->site || c->trust != sim.trust ||
            has_a_place(c, r->tenant) || turns->codes_ms[r->tenant] > (int64_t)TURNS_AHEAD * 100 ||
            turns->rests_until_ms[r->tenant] > sim.now_ms || may_be_limited(r->tenant) ||
            (c->state == LINE_OPENING && has_its_share(c, r->tenant)))
            continue;
        queue_find_domain(sim.queue, w->domains[r->domain].name, &view, sim.now_ms);
        if (view.state == QUEUE_DOMAIN_LEADS)
            fail("%lld/%u of t%zu, of class security, was passed over", (long long)r->message, r->number,
                 r->tenant);
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
