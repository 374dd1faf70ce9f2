// SPDX-License-Identifier: BSD-2-Clause
/* world.c - Drawn from a seed: small worlds, in which something is wrong. */
#include "world.h"

#include <stdio.h>

enum { STUCK_LEAST = 8 };

uint64_t world_random(struct world *w, uint64_t below)
{
    w->random += 0x9e3779b97f4a7c15;
    uint64_t x = w->random;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    x ^= x >> 31;
    return below > 0 ? x % below : 0;
}

static int64_t between(struct world *w, int64_t low, int64_t high)
{
    return low + (int64_t)world_random(w, (uint64_t)(high - low + 1));
}

static bool one_in(struct world *w, uint64_t n)
{
    return world_random(w, n) == 0;
}

static void make_server(struct world *w, struct server *s, unsigned bad_of_ten)
{
    *s = (struct server){.kind = SERVER_GOOD,
                         .greet_ms = between(w, 1, 400),
                         .message_ms = between(w, 5, 1500)};
    if (world_random(w, 10) < bad_of_ten)
        s->kind = (enum server_kind)between(
            w, SERVER_HANGS, w->stuck == STUCK_NONE ? SERVER_SILENT : SERVER_MUTE);
    s->bad_from_ms = between(w, 0, 60 * 1000);
    s->bad_until_ms = s->bad_from_ms + between(w, 1000, 200 * 1000);
    if (one_in(w, 4))
        s->accepts = (unsigned)between(w, 1, 4);
}

/* Some are a provider's, of which one name is enough, some share hosts, some only machines. */
static void make_host(struct world *w, struct host *h, size_t site, size_t at)
{
    static const char *const provider[] = {"mail.protection.outlook.com", "free.fr", "wp.pl"};
    h->server_count = (size_t)between(w, 1, SERVERS_OF_HOST);
    snprintf(h->name, sizeof(h->name), "host%zu.site%zu.example", at, site);
    if (site % 4 == 3)
        snprintf(h->name, sizeof(h->name), "mx%zu-%zu.%s", site, at, provider[(site / 4) % 3]);
    for (size_t i = 0; i < h->server_count; i++)
        h->servers[i] = (size_t)world_random(w, w->server_count);
}

static void judge_site(struct world *w, struct site *s)
{
    s->healthy = true;
    s->stuck = false;
    s->pace_ms = 0;
    for (size_t i = 0; i < s->host_count; i++)
        for (size_t k = 0; k < s->hosts[i].server_count; k++) {
            const struct server *server = &w->servers[s->hosts[i].servers[k]];
            int64_t pace_ms = server->greet_ms + server->message_ms;
            s->stuck = s->stuck || server->kind == SERVER_STALLS || server->kind == SERVER_MUTE;
            s->healthy = s->healthy && server->kind == SERVER_GOOD && server->accepts == 0;
            s->pace_ms = pace_ms > s->pace_ms ? pace_ms : s->pace_ms;
        }
    w->bad_sites += !s->healthy;
}

static void make_site(struct world *w, size_t at)
{
    struct site *s = &w->sites[at];
    *s = (struct site){.host_count = (size_t)between(w, 1, HOSTS_OF_SITE),
                       .port = 25,
                       .connections = at % 4 == 3 || one_in(w, 2) ? 0 : (unsigned)between(w, 1, 20),
                       .route = one_in(w, 4) ? "verify" : ""};
    for (size_t i = 0; i < s->host_count; i++)
        make_host(w, &s->hosts[i], at, i);
    judge_site(w, s);
}

static void make_domain(struct world *w, size_t at, unsigned mute_of_ten)
{
    struct name *d = &w->domains[at];
    *d = (struct name){.site = (size_t)world_random(w, w->site_count),
                         .kind = NAMES_GOOD,
                         .answer_ms = between(w, 0, 300)};
    snprintf(d->name, sizeof(d->name), "d%zu.example", at);
    if (world_random(w, 10) < mute_of_ten) {
        d->kind = one_in(w, 3) ? NAMES_GONE : NAMES_MUTE;
        d->answer_ms = d->kind == NAMES_MUTE ? 20 * 1000 : 50;
    }
}

/* Its mail leads to the machine that is made next, of which it is the only use. */
static void leads_to_flood(struct world *w, struct name *d, unsigned connections)
{
    struct site *s = &w->sites[d->site];
    d->kind = NAMES_GOOD;
    d->answer_ms = 50;
    s->connections = connections;
    s->host_count = s->hosts[0].server_count = 1;
    s->hosts[0].servers[0] = w->server_count;
}

/* Two tenants send to one slow site of its own machine, the first one security only; or to two such sites. */
static void make_flood(struct world *w, bool beside)
{
    const struct site *s = &w->sites[w->domains[0].site];
    unsigned connections = (unsigned)between(w, 1, 3);
    if (w->server_count == SERVERS_MAX || s->hosts[0].name[0] == 'm') /* a provider's */
        return;
    w->flood = true;
    if (w->tenant_count < 2)
        w->tenant_count = 2;
    w->beside = beside && w->domain_count > 1 && w->domains[1].site != w->domains[0].site &&
                w->sites[w->domains[1].site].hosts[0].name[0] != 'm';
    for (size_t i = 0; i < 1 + (size_t)w->beside; i++)
        leads_to_flood(w, &w->domains[i], connections);
    w->servers[w->server_count++] = (struct server){
        .kind = SERVER_GOOD, .greet_ms = between(w, 1, 100), .message_ms = between(w, 500, 1500)};
    w->bad_sites = 0;
    for (size_t i = 0; i < w->site_count; i++)
        judge_site(w, &w->sites[i]);
}

/* May that tenant's mail of this class go there? */
static bool may_go(const struct world *w, size_t domain, size_t tenant, enum stream_class class)
{
    bool may_get_stuck = tenant == 0 && (w->stuck == STUCK_ANY || class != STREAM_SECURITY);
    return may_get_stuck || !w->sites[w->domains[domain].site].stuck;
}

static void make_message(struct world *w, int64_t message)
{
    static const enum stream_class classes[] = {STREAM_SECURITY, STREAM_CONFIRMATION,
                                                STREAM_NOTIFICATION, STREAM_DIGEST, STREAM_DIGEST};
    enum stream_class class = classes[world_random(w, COUNT_OF(classes))];
    size_t tenant = (size_t)world_random(w, w->tenant_count);
    size_t domain = (size_t)world_random(w, w->domain_count);
    int64_t comes_ms = between(w, 0, w->comes_for_ms);
    size_t count = (size_t)between(w, 1, one_in(w, 8) ? 20 : 3);
    if (w->flood && one_in(w, 2)) {
        class = one_in(w, 2) ? STREAM_SECURITY : STREAM_DIGEST;
        tenant = class == STREAM_SECURITY ? 0 : 1;
        domain = w->beside ? tenant : 0;
        comes_ms /= 4;
        count = 1;
    }
    for (size_t i = 0; i < count && w->recipient_count < RECIPIENTS_MAX; i++) {
        for (size_t k = 0; k < w->domain_count && !may_go(w, domain, tenant, class); k++)
            domain = (domain + 1) % w->domain_count;
        if (!may_go(w, domain, tenant, class))
            return;
        struct recipient *r = &w->recipients[w->recipient_count++];
        *r = (struct recipient){.message = message,
                                .number = (unsigned)i,
                                .class = class,
                                .tenant = tenant,
                                .domain = domain,
                                .comes_ms = comes_ms,
                                .due_ms = comes_ms,
                                .expires_ms = comes_ms + between(w, 60, 900) * 1000};
        if (one_in(w, 10))
            r->due_ms += between(w, 1, 20 * 1000);
        if (one_in(w, 3))
            domain = (size_t)world_random(w, w->domain_count);
    }
}

static bool share_a_server(const struct site *a, const struct site *b)
{
    for (size_t i = 0; i < a->host_count * SERVERS_OF_HOST; i++)
        for (size_t k = 0; k < b->host_count * SERVERS_OF_HOST; k++) {
            const struct host *h = &a->hosts[i / SERVERS_OF_HOST];
            const struct host *g = &b->hosts[k / SERVERS_OF_HOST];
            if (i % SERVERS_OF_HOST < h->server_count && k % SERVERS_OF_HOST < g->server_count &&
                h->servers[i % SERVERS_OF_HOST] == g->servers[k % SERVERS_OF_HOST])
                return true;
        }
    return a->hosts[0].name[0] == 'm' && b->hosts[0].name[0] == 'm'; /* of one provider */
}

/* How long mail that is due may wait for its message to begin, where all is well at its site: what
 * others hold up is given up after five seconds, and there are so many of them for each place; and
 * whatever waits at the same site, or for the same machines or places, may go before it. Security
 * mail waits for places behind bad sites only, and at its site for what is under way and for its
 * like; beyond its tenant's fair part for the turns of the others. */
static void make_bounds(struct world *w)
{
    int64_t work_ms = 0;
    unsigned part = w->stuck == STUCK_NONE ? 4 : 16; /* that the others have for themselves */
    int64_t places = w->settings.connections / part > 0 ? w->settings.connections / part : 1;
    int64_t bad_ms = 6000 * (1 + 2 * (int64_t)w->bad_sites / places);
    for (size_t i = 0; i < w->recipient_count; i++)
        work_ms += w->sites[w->domains[w->recipients[i].domain].site].pace_ms;
    for (size_t at = 0; at < w->site_count; at++) {
        int64_t all_ms = 0;
        int64_t urgent_ms = 0;
        for (size_t i = 0; i < w->recipient_count; i++) {
            const struct site *s = &w->sites[w->domains[w->recipients[i].domain].site];
            int64_t pace_ms = share_a_server(s, &w->sites[at]) ? s->pace_ms : 0;
            all_ms += 2 * pace_ms;
            urgent_ms += w->recipients[i].class == STREAM_SECURITY ? pace_ms : 0;
        }
        w->bound_ms[0][at] = 30 * 1000 + 2 * bad_ms + 2 * all_ms + 2 * work_ms / places;
        int64_t in_turn_ms = ((int64_t)w->tenant_count + 1) * urgent_ms;
        w->bound_ms[1][at] =
            8 * 1000 + bad_ms + 4 * w->sites[at].pace_ms + (in_turn_ms < 2 * all_ms ? in_turn_ms : 2 * all_ms);
    }
}

/* A provider is one destination: what is wrong at one of its sites is felt at the others. */
static void spread_trouble(struct world *w)
{
    for (size_t i = 0; i < w->site_count; i++)
        for (size_t k = 3; k < w->site_count; k += 4)
            if (i % 4 == 3 && !w->sites[k].healthy)
                w->sites[i].healthy = false;
}

void world_make(struct world *w, uint64_t seed)
{
    *w = (struct world){.seed = seed, .random = seed * 0x2545f4914f6cdd1d + 1};
    w->stuck = seed % 4 != 2 ? STUCK_NONE : seed % 8 == 2 ? STUCK_PLAIN : STUCK_ANY;
    unsigned bad_of_ten = (unsigned)between(w, 0, 7);
    unsigned mute_of_ten = one_in(w, 2) ? 0 : (unsigned)between(w, 0, 5);
    w->settings = (struct queue_settings){
        .connections = (unsigned)(one_in(w, 3) ? between(w, 2, 8) : between(w, 8, 60)),
        .per_destination = (unsigned)between(w, 1, 20),
        .idle_max = (unsigned)between(w, 1, 20),
        .lookups = (unsigned)between(w, 2, 20),
        .settling = (unsigned)between(w, 1, 8),
        .shards = (unsigned)between(w, 1, 8)};
    if (w->stuck != STUCK_NONE) /* of fewer the first tenant may have all, one of each pool */
        w->settings.connections += STUCK_LEAST;
    if (one_in(w, 3)) /* some are held aside */
        w->settings.standing = (unsigned)between(w, 1, one_in(w, 2) ? 16 : 300);
    w->server_count = (size_t)between(w, 1, SERVERS_MAX);
    w->site_count = (size_t)between(w, 1, SITES_MAX);
    w->domain_count = (size_t)between(w, 1, DOMAINS_MAX);
    w->tenant_count = (size_t)between(w, 1, TENANTS_MAX);
    if (w->domain_count % 3 == 0) /* few answers have room at once */
        w->settings.answers = 4096 * w->domain_count;
    w->comes_for_ms = between(w, 0, 120 * 1000);
    w->defers = one_in(w, 2) ? 0 : (unsigned)between(w, 0, 30);
    w->loses = one_in(w, 2) ? 0 : (unsigned)between(w, 0, 20);
    w->stale = one_in(w, 2) ? 0 : (unsigned)between(w, 0, 50);
    for (size_t i = 0; i < w->server_count; i++)
        make_server(w, &w->servers[i], bad_of_ten);
    for (size_t i = 0; i < w->site_count; i++)
        make_site(w, i);
    for (size_t i = 0; i < w->domain_count; i++)
        make_domain(w, i, mute_of_ten);
    w->turns_away = w->tenant_count > 1 && seed % 8 == 3 ? (unsigned)(20 + seed * 7 % 81) : 0;
    if (w->stuck == STUCK_NONE && seed % 8 == 5)
        make_flood(w, seed % 16 == 13);
    spread_trouble(w);
    int64_t messages = w->flood ? 250 : between(w, 1, 250);
    for (int64_t i = 1; i <= messages; i++)
        make_message(w, i);
    if (one_in(w, 4)) {
        w->paused_from_ms = between(w, 0, 60 * 1000);
        w->paused_until_ms = w->paused_from_ms + between(w, 1, 20 * 1000);
    }
    w->many_ms = seed % 128 == 9 ? between(w, 0, 2 * w->comes_for_ms + 120 * 1000) : -1;
    w->reload_ms = one_in(w, 3) ? between(w, 0, w->comes_for_ms) : -1;
    make_bounds(w);
}
