// SPDX-License-Identifier: BSD-2-Clause
/* zone_prober.c - Finds the zones of the names, their NS records and addresses with the resolver,
 * and then makes a context of libunbound for each server.
 *
 * An IPv6 address is used only if there is no IPv4 address: both are the same server, and not every
 * relay has IPv6.
 */
#include "zone_prober.h"

#include "dns_cache.h"
#include "dns_query.h"
#include "log.h"
#include "server.h"
#include "waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zone_prober {
    uv_loop_t *loop;
    const struct config *config;
    const char *const *names;
    size_t name_count;
    void (*changed)(void *context);
    void *context;
    struct dns_cache *resolver;
    struct dns_cache *servers[ZONE_PROBE_SERVERS_MAX];
    size_t servers_max;
    struct zone_probe survey;
    bool ready;
};

/* ---- the truth ---- */

bool zone_probe_answers_for(const struct zone_probe *s, const struct zone_probe_server *server,
                            const char *name)
{
    if (!dns_name_within(name, server->zone))
        return false;
    for (size_t i = 0; i < s->count; i++)
        if (strlen(s->servers[i].zone) > strlen(server->zone) &&
            dns_name_within(name, s->servers[i].zone))
            return false;
    return true;
}

static const struct dns_answer *ask_truth(void *context, const char *name, enum dns_type type)
{
    const struct zone_probe *s = context;
    for (size_t i = 0; i < s->count; i++) {
        if (!zone_probe_answers_for(s, &s->servers[i], name))
            continue;
        const struct dns *dns = s->servers[i].dns;
        const struct dns_answer *a = dns->ask(dns->context, name, type);
        /* That a zone is signed is for the resolver to say, which validates. */
        if (a->status == DNS_FOUND && type == DNS_SOA)
            break;
        if (a->status != DNS_FAILED)
            return a;
    }
    return s->resolver->ask(s->resolver->context, name, type);
}

/* ---- finding the servers ---- */

static bool add_server(struct zone_prober *s, const char *zone, const char *name,
                       const struct dns_rr *rr, enum dns_type type)
{
    struct zone_probe *v = &s->survey;
    struct err err = {0};
    struct buf ip;
    if (v->count == s->servers_max)
        return false;
    struct zone_probe_server *server = &v->servers[v->count];
    snprintf(server->zone, sizeof(server->zone), "%s", zone);
    snprintf(server->name, sizeof(server->name), "%s", name);
    buf_init(&ip, sizeof(server->ip) - 1);
    dns_rr_print(type, rr, &ip);
    snprintf(server->ip, sizeof(server->ip), "%s", buf_text(&ip));
    buf_fini(&ip);
    const struct dns_queries_stub stub = {.zone = server->zone,
                                          .ip = server->ip,
                                          .queries = ZONE_PROBER_QUERIES,
                                          .streams = ZONE_PROBER_STREAMS};
    if (!dns_cache_new(s->loop, s->config, &stub, s->changed, s->context, &s->servers[v->count],
                       &err)) {
        log_fault("survey_failed", &err);
        return false;
    }
    server->dns = dns_cache_dns(s->servers[v->count++]);
    return true;
}

/* One server's address; `open`: take it, as all is known. False: DNS is pending. */
static bool find_address(struct zone_prober *s, const char *zone, const char *name, bool open)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    const struct dns *dns = s->survey.resolver;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const struct dns_answer *a = dns->ask(dns->context, name, types[i]);
        if (a->status == DNS_PENDING)
            return false;
        for (size_t k = 0; open && k < a->count; k++)
            (void)add_server(s, zone, name, &a->rrs[k], types[i]);
        if (a->count > 0)
            return true;
    }
    return true;
}

static bool find_servers(struct zone_prober *s, const char *zone, bool open)
{
    const struct dns *dns = s->survey.resolver;
    const struct dns_answer *a = dns->ask(dns->context, zone, DNS_NS);
    bool known = a->status != DNS_PENDING;
    for (size_t i = 0; i < a->count; i++) {
        char name[DNS_NAME_MAX + 1];
        if (span_copy(a->rrs[i].data, name, sizeof(name)) && *name &&
            !find_address(s, zone, name, open))
            known = false;
    }
    return known;
}

/* All zones, each once; false: DNS is pending. */
static bool find_all(struct zone_prober *s, bool open)
{
    char zones[ZONE_PROBE_NAMES_MAX][DNS_NAME_MAX + 1];
    size_t count = 0;
    bool known = true;
    for (size_t i = 0; i < s->name_count && i < ZONE_PROBE_NAMES_MAX; i++) {
        bool secure = false;
        bool seen = false;
        enum dns_status status = dns_zone(s->survey.resolver, s->names[i], zones[count], &secure);
        known = known && status != DNS_PENDING;
        for (size_t k = 0; status == DNS_FOUND && k < count; k++)
            seen = seen || strcmp(zones[k], zones[count]) == 0;
        if (status != DNS_FOUND || seen)
            continue;
        known = find_servers(s, zones[count++], open) && known;
    }
    return known;
}

const struct zone_probe *zone_prober_look(struct zone_prober *s)
{
    if (!s->ready && !find_all(s, false))
        return NULL;
    if (!s->ready)
        (void)find_all(s, true);
    s->ready = true;
    return &s->survey;
}

bool zone_prober_new(uv_loop_t *loop, const struct config *config, const char *const *names,
                     size_t count, void (*changed)(void *context), void *context,
                     struct zone_prober **zone_prober_r, struct err *err)
{
    struct zone_prober *s = xcalloc(1, sizeof(*s));
    *s = (struct zone_prober){.loop = loop,
                              .config = config,
                              .names = names,
                              .name_count = count,
                              .changed = changed,
                              .context = context,
                              .servers_max = config->probe_servers ? config->probe_servers
                                                                   : ZONE_PROBE_SERVERS_MAX};
    const struct dns_queries_stub few = {.queries = ZONE_PROBER_QUERIES,
                                         .streams = ZONE_PROBER_STREAMS};
    if (!dns_cache_new(loop, config, &few, changed, context, &s->resolver, err)) {
        free(s);
        return false;
    }
    s->survey.resolver = dns_cache_dns(s->resolver);
    s->survey.truth = (struct dns){ask_truth, &s->survey};
    *zone_prober_r = s;
    return true;
}

void zone_prober_free(struct zone_prober *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->survey.count; i++)
        dns_cache_free(s->servers[i]);
    dns_cache_free(s->resolver);
    free(s);
}

/* ---- for commands ---- */

static void ask_no_more(struct zone_prober *s)
{
    dns_cache_ask_no_more(s->resolver);
    for (size_t i = 0; i < s->survey.count; i++)
        dns_cache_ask_no_more(s->servers[i]);
}

bool zone_probe_run(const struct config *config, const char *const *names, size_t count,
                    zone_probe_step *step, void *context, struct err *err)
{
    struct zone_prober *s = NULL;
    struct waiting w;
    bool done = false;
    waiting_start(&w, config);
    bool ok = zone_prober_new(&w.loop, config, names, count, waiting_changed, &w, &s, err);
    while (ok && !done) {
        bool changed = waiting_turn(&w);
        if (w.over)
            ask_no_more(s);
        const struct zone_probe *survey = changed ? zone_prober_look(s) : NULL;
        done = survey && step(context, survey);
    }
    zone_prober_free(s);
    waiting_stop(&w);
    return ok;
}
