// SPDX-License-Identifier: BSD-2-Clause
/* next_hop.c - Finds a domain's hosts: those of the smart host if the domain's route has one,
 * otherwise its MX. Then what TLS with them must show: their TLSA records, and the domain's policy
 * (MTA-STS), which is asked for at the same time as the MX.
 *
 * Mail that would wait for that on a connection would hold up others' at the same host or address,
 * whom whoever answers DNS for this domain may choose. So it waits here, where it holds nothing.
 *
 * When that is doubted, as a host has not shown it, records and policy are asked for once more past
 * all caches, and what has no answer then is as it was before. MX and addresses count for as long
 * as their TTL says; but all of them are waited for then.
 */
#include "next_hop.h"

#include "attempt.h"
#include "clock.h"
#include "host_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

/* The TLSA records of one host. */
struct look {
    struct next_hop *hop;
    struct dane_lookup *lookup; /* NULL: none under way */
    bool fresh;
};

struct next_hop {
    struct next_hop *next, *prev;
    struct deliveries *home;
    struct dispatch_work *work;
    struct settings *settings; /* held */
    const struct config_route *route;
    const struct config_source *source; /* NULL: any */
    struct mx_answer answer;            /* while the rest is waited for */
    struct host_facts *facts;
    struct sts_ask *ask;
    struct look looks[HOSTS_MAX]; /* beside the hosts */
    size_t pending;               /* so many answers are waited for */
};

static void end(struct next_hop *h)
{
    DL_DELETE(h->home->next_hops, h);
    sts_ask_cancel(h->ask);
    for (size_t i = 0; i < HOSTS_MAX && h->home->resolver; i++)
        dane_lookup_cancel(h->looks[i].lookup);
    host_facts_drop(h->facts);
    hosts_fini(&h->answer.hosts);
    dispatch_work_free(h->work);
    settings_drop(h->settings);
    free(h);
}

static void found(struct next_hop *h)
{
    struct mx_answer answer = h->answer; /* its hosts are handed on */
    h->answer.hosts = (struct hosts){0};
    if (h->facts)
        h->facts->found_ms = clock_steady_ms();
    if (h->facts && h->work->anew)
        h->facts->anew_ms = h->facts->found_ms;
    h->work->facts = h->facts;
    h->facts = NULL;
    dispatch_resolved(h->work->dispatch, h->work, h->settings, h->route, &answer);
    end(h);
}

static void one_is_known(struct next_hop *h)
{
    if (--h->pending == 0)
        found(h);
}

/* ---- the domain's policy ---- */

static void on_policy(void *context, struct sts_answer *answer)
{
    struct next_hop *h = context;
    h->ask = NULL;
    sts_answer_fini(&h->facts->policy);
    h->facts->policy = *answer;
    one_is_known(h);
}

static void ask_for_policy(struct next_hop *h)
{
    h->ask = domain_policy_find(h->home, h->route, h->work, &h->facts->policy, on_policy, h);
    h->pending += h->ask != NULL;
}

/* ---- TLSA records ---- */

static void look_up(struct look *l);

static void on_records(void *context, struct dane_answer *answer)
{
    struct look *l = context;
    struct next_hop *h = l->hop;
    l->lookup = NULL;
    if (l->fresh && answer->state == DANE_FAILED) {
        dane_answer_fini(answer);
        l->fresh = false;
        look_up(l);
        return;
    }
    h->facts->all[l - h->looks].tlsa = *answer;
    one_is_known(h);
}

static void look_up(struct look *l)
{
    struct next_hop *h = l->hop;
    const struct dane_lookup_query query = {.host = &h->answer.hosts.all[l - h->looks],
                                            .tenant = h->work->tenant,
                                            .domain = h->work->domain,
                                            .urgent = h->work->urgent,
                                            .merit = h->work->merit,
                                            .port = h->route->port,
                                            .fresh = l->fresh ? h->settings->config : NULL};
    l->lookup = dane_lookup_start(h->home->resolver, &query, on_records, l);
}

/* Nothing is asked where addresses and alias are not signed. */
static void ask_for_records(struct next_hop *h)
{
    const struct host_situation s = {.fixed = h->route->tls != DELIVERY_TLS_MAY,
                                     .waived = h->work->need == TLS_NEED_WAIVED,
                                     .mode = h->route->dane};
    if (!host_policy_asks(&s))
        return;
    for (size_t i = 0; i < h->answer.hosts.count; i++) {
        const struct host *one = &h->answer.hosts.all[i];
        h->facts->all[i].tlsa.state = DANE_NONE;
        if (!one->secure && !one->canonical)
            continue;
        h->looks[i] = (struct look){.hop = h, .fresh = h->work->anew};
        h->pending++;
        look_up(&h->looks[i]);
    }
}

/* ---- the hosts ---- */

/* What its source has no address for cannot be reached from there, and nothing else is tried. */
static void keep_families(struct next_hop *h)
{
    const struct config_source *s = h->source;
    struct mx_answer *a = &h->answer;
    if (!s || a->result != MX_FOUND)
        return;
    a->hosts.from = s->mark;
    if (!s->ipv4[0])
        hosts_leave_family(&a->hosts, false);
    if (!s->ipv6[0])
        hosts_leave_family(&a->hosts, true);
    if (hosts_have_ips(&a->hosts))
        return;
    a->result = MX_SOURCE;
    snprintf(a->why, sizeof(a->why),
             "its hosts have no IPv%d address, and mail from source \"%s\" leaves from %s only: "
             "give the source an ipv%d",
             s->ipv4[0] ? 4 : 6, s->name, s->ipv4[0] ? s->ipv4 : s->ipv6, s->ipv4[0] ? 6 : 4);
}

static void on_hosts(void *context, struct mx_answer *answer)
{
    struct next_hop *h = context;
    h->answer = *answer;
    keep_families(h);
    h->pending = 1;
    if (h->answer.result == MX_FOUND) {
        h->facts = host_facts_new(&h->answer.hosts);
        h->facts->urgent = h->work->urgent;
        snprintf(h->facts->tenant, sizeof(h->facts->tenant), "%s", h->work->tenant);
        ask_for_policy(h);
        ask_for_records(h);
    }
    one_is_known(h);
}

void next_hop_find(struct deliveries *home, struct dispatch_work *work)
{
    if (!home->resolver) {
        dispatch_work_free(work);
        return;
    }
    struct next_hop *h = xcalloc(1, sizeof(*h));
    h->home = home;
    h->work = work;
    h->settings = settings_hold(home->worker->settings);
    h->route = config_route(h->settings->config, work->domain);
    h->source = config_source(h->settings->config, work->source);
    DL_APPEND(home->next_hops, h);
    bool one_family = h->source && (!h->source->ipv4[0] || !h->source->ipv6[0]);
    bool direct = h->route->host[0] != '\0';
    const struct resolver_query query = {.config = h->settings->config,
                                         .domain = direct ? h->route->host : work->domain,
                                         .tenant = work->tenant,
                                         .urgent = work->urgent,
                                         .merit = work->merit,
                                         .port = h->route->port,
                                         .direct = direct,
                                         .patient = work->anew || one_family};
    domain_policy_prefetch(home, h->route, work);
    resolver_find(home->resolver, &query, on_hosts, h);
}

void next_hop_abandon_all(struct deliveries *home)
{
    resolver_free(home->resolver);
    home->resolver = NULL;
    while (home->next_hops)
        end(home->next_hops);
}
