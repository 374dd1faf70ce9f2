// SPDX-License-Identifier: BSD-2-Clause
/* next_hop.c - By the route that the settings have for the domain: its smart host, or the domain's
 * mail servers. */
#include "next_hop.h"

#include "settings.h"
#include "shard.h"

#include <stdlib.h>
#include <utlist.h>

struct next_hop {
    struct next_hop *next, *prev;
    struct shard *shard;
    struct dispatch_work *work;
    struct settings *settings; /* held */
    const struct config_route *route;
};

static void end(struct next_hop *h)
{
    DL_DELETE(h->shard->next_hops, h);
    dispatch_work_free(h->work);
    settings_drop(h->settings);
    free(h);
}

static void on_hosts(void *context, struct resolver_answer *answer)
{
    struct next_hop *h = context;
    dispatch_resolved(h->work->dispatch, h->work->domain, h->settings, h->route, answer);
    end(h);
}

void next_hop_find(struct shard *s, struct dispatch_work *work)
{
    if (!s->resolver) {
        dispatch_work_free(work);
        return;
    }
    struct next_hop *h = xcalloc(1, sizeof(*h));
    h->shard = s;
    h->work = work;
    h->settings = settings_hold(s->settings);
    h->route = config_route(h->settings->config, work->domain);
    DL_APPEND(s->next_hops, h);
    bool direct = h->route->host[0] != '\0';
    const struct resolver_query query = {.config = h->settings->config,
                                         .domain = direct ? h->route->host : work->domain,
                                         .tenant = work->tenant,
                                         .urgent = work->urgent,
                                         .port = h->route->port,
                                         .direct = direct};
    resolver_find(s->resolver, &query, on_hosts, h);
}

void next_hop_abandon_all(struct shard *s)
{
    resolver_free(s->resolver);
    s->resolver = NULL;
    while (s->next_hops)
        end(s->next_hops);
}
