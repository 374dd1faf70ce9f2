// SPDX-License-Identifier: BSD-2-Clause
/* next_hop.c - Finds a domain's hosts: those of the smart host if the domain's route has one,
 * otherwise its MX.
 *
 * Its policy (MTA-STS) is asked for at the same time. Mail that would wait for that on a connection
 * would hold up others' at the same host: so it waits here, where it holds nothing.
 */
#include "next_hop.h"

#include "attempt.h"

#include <stdlib.h>
#include <utlist.h>

struct next_hop {
    struct next_hop *next, *prev;
    struct deliveries *home;
    struct dispatch_work *work;
    struct settings *settings; /* held */
    const struct config_route *route;
    struct mx_answer answer; /* while the policy is waited for */
    struct sts_ask *ask;
};

static void end(struct next_hop *h)
{
    DL_DELETE(h->home->next_hops, h);
    sts_ask_cancel(h->ask);
    hosts_fini(&h->answer.hosts);
    dispatch_work_free(h->work);
    settings_drop(h->settings);
    free(h);
}

static void found(struct next_hop *h)
{
    struct mx_answer answer = h->answer; /* its hosts are handed on */
    h->answer.hosts = (struct hosts){0};
    dispatch_resolved(h->work->dispatch, h->work, h->settings, h->route, &answer);
    end(h);
}

static void on_policy(void *context, struct sts_answer *answer)
{
    struct next_hop *h = context;
    sts_answer_fini(answer); /* what counts is asked for by each attempt */
    h->ask = NULL;
    found(h);
}

static void on_hosts(void *context, struct mx_answer *answer)
{
    struct next_hop *h = context;
    h->answer = *answer;
    if (answer->result == MX_FOUND)
        h->ask = domain_policy_await(h->home, h->route, h->work, on_policy, h);
    if (!h->ask)
        found(h);
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
    DL_APPEND(home->next_hops, h);
    bool direct = h->route->host[0] != '\0';
    const struct resolver_query query = {.config = h->settings->config,
                                         .domain = direct ? h->route->host : work->domain,
                                         .tenant = work->tenant,
                                         .urgent = work->urgent,
                                         .port = h->route->port,
                                         .direct = direct};
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
