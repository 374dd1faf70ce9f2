// SPDX-License-Identifier: BSD-2-Clause
/* destination_look.c - What a delivery to a domain would learn from DNS, and decide by it before it
 * has connected, for people: by what deliveries go by (mx.h, dane.h, host_policy.h). */
#include "destination_look.h"

#include "host_policy.h"
#include "reachable.h"
#include "server.h"

#include <stdlib.h>

struct look {
    struct mx_query query;
    struct destination_look *found;
    const struct config *config;
    bool done; /* the MX answer is known */
};

static enum mx_reach on_reach(void *context, const struct ip *ip, const char **why_r)
{
    const struct look *l = context;
    return reachable(l->config, ip, l->found->route->port, why_r);
}

static bool look_up_hosts(struct look *l, const struct dns *dns)
{
    struct mx_answer *mx = &l->found->mx;
    if (l->done)
        return true;
    mx_evaluate(&l->query, dns, mx);
    l->done = mx->result != MX_PENDING;
    if (!l->done)
        hosts_fini(&mx->hosts);
    return l->done;
}

/* As next_hop.c asks: nothing where addresses and alias are not signed. */
static bool look_up_records(const struct look *l, size_t i, const struct dns *dns)
{
    const struct host *host = &l->found->mx.hosts.all[i];
    struct dane_answer *answer = &l->found->dane[i];
    const struct host_situation s = destination_look_situation(l->found, i);
    const struct dane_query query = {.host = host->name,
                                     .canonical = host->canonical,
                                     .secure = host->secure,
                                     .port = l->found->route->port};
    if (answer->state != DANE_PENDING)
        return true;
    if (!host_policy_asks(&s) || (!host->secure && !host->canonical)) {
        answer->state = DANE_NONE;
        return true;
    }
    dane_evaluate(&query, dns, answer);
    if (answer->state == DANE_PENDING)
        dane_answer_fini(answer);
    return answer->state != DANE_PENDING;
}

static bool look_up(void *context, const struct dns *dns)
{
    struct look *l = context;
    bool all = look_up_hosts(l, dns);
    for (size_t i = 0; all && i < l->found->mx.hosts.count; i++)
        all = look_up_records(l, i, dns) && all;
    return all;
}

struct host_situation destination_look_situation(const struct destination_look *look, size_t host)
{
    struct host_situation s = {.fixed = look->route->tls != DELIVERY_TLS_MAY,
                               .encrypts = look->route->tls >= DELIVERY_TLS_REQUIRE,
                               .verifies = look->route->trust.level == TRUST_VERIFIED,
                               .secure = look->mx.hosts.secure,
                               .mode = look->dane_mode,
                               .dane = look->dane[host].state,
                               .sts_mode = look->route->mta_sts};
    host_policy_say_domain(&s, look->sts, look->no_policy, look->mx.hosts.all[host].name);
    return s;
}

bool destination_look(const struct config *config, const char *domain,
                      struct destination_look *look_r, struct err *err)
{
    const struct config_route *route = config_route(config, domain);
    bool blind = config->dnssec == CONFIG_DNSSEC_OFF; /* deliveries find nothing secure, either */
    *look_r =
        (struct destination_look){.route = route, .dane_mode = blind ? DANE_MODE_OFF : route->dane};
    struct look l = {.found = look_r, .config = config};
    l.query = (struct mx_query){.domain = route->host[0] ? route->host : domain,
                                .hostname = config->hostname,
                                .direct = route->host[0] != '\0',
                                .reach = on_reach,
                                .context = &l};
    return server_resolve(config, look_up, &l, err);
}

void destination_look_fini(struct destination_look *look)
{
    for (size_t i = 0; i < HOSTS_MAX; i++)
        dane_answer_fini(&look->dane[i]);
    hosts_fini(&look->mx.hosts);
}
