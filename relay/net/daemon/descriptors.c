// SPDX-License-Identifier: BSD-2-Clause
/* descriptors.c - Reserves the file descriptors that the relay itself needs, and divides the rest
 * by fixed shares. */
#include "descriptors.h"

#include "log.h"
#include "return_sessions.h"
#include "tls_reporter.h"
#include "webhook_sender.h"
#include "zone_prober.h"

#include <stdio.h>
#include <sys/resource.h>

enum {
    OWN = 104,          /* the store, the page, the helper, a reload, what is read for commands; 24
                           fetches of policies, and what their resolver needs besides sockets */
    OWN_PER_SHARD = 24, /* besides its listeners: its loop, its resolver's thread; the same again,
                           and sockets, for what is looked up anew */
    LEAST = 40,         /* to share out */
    COMMANDS_LEAST = 12,
    DNS_LEAST = 8,   /* of each resolver: those of shards, and two others */
    DNS_OTHERS = 2,  /* of alignment, of MTA-STS */
    PER_CLIENT = 2,  /* the connection, and the body of a large message */
    PER_HTTP = 4,    /* the connection, both ends of a socket pair, and one that is being closed */
    PER_ATTEMPT = 4, /* its connection, its record, and two connections that are kept for reuse */
    HTTP_LEAST = 2,
    HTTP_MAX = 1000,
    ATTEMPTS_MAX = 4000,
    QUERIES_MAX = 512,
    TCP_QUERIES_LEAST = 2,
    TCP_QUERIES_MAX = 64,
    PROBES_MAX = 8, /* zone probers at once */
    PROBES_PART = 32,
    PROBE_LEAST = 2, /* resolvers: its own, and one for a server */
    PROBE_USUAL =
        8, /* rather several zones at once, as a server may be silent, than more servers */
    COMMANDS_MAX = 1000
};

static unsigned take_all(void)
{
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 1024;
    return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}

static unsigned at_most(unsigned number, unsigned limit)
{
    return number < limit ? number : limit;
}

static void say(const struct descriptors *d, const struct config *c)
{
    if (d->clients >= c->connections && d->attempts >= ATTEMPTS_MAX / 4 &&
        d->http_connections >= HTTP_MAX / 4)
        return;
    char text[160];
    snprintf(text, sizeof(text),
             "%u descriptors are enough for %u clients, %u visits and %u deliveries at once: raise "
             "LimitNOFILE or ulimit -n",
             d->all, at_most(d->clients, c->connections), d->http_connections, d->attempts);
    log_end(log_text(log_number(log_number(log_begin(LOG_WARN, "fewer_connections"), "limit",
                                           at_most(d->clients, c->connections)),
                                "count", c->connections),
                     "what", text));
}

static unsigned at_least(unsigned number, unsigned least)
{
    return number > least ? number : least;
}

/* Those that are turned away, or whose place somebody has, hold a descriptor until they are
 * closed. */
static unsigned passing(unsigned open)
{
    return at_least(open / 8, 2);
}

/* What nobody shares. */
static unsigned own(const struct config *c)
{
    unsigned reporter = c->tlsrpt.contact[0] ? TLS_REPORTER_DESCRIPTORS : 0;
    unsigned returns = c->takes_returns ? RETURN_SESSIONS_OPEN : 0;
    return OWN + reporter + returns + WEBHOOK_SENDER_DESCRIPTORS +
           (OWN_PER_SHARD + (unsigned)c->listener_count) * c->shards;
}

/* Each zone prober has a resolver of its own, and one for each server of the zone. */
static void divide_probes(unsigned rest, struct descriptors *d)
{
    unsigned all = PROBE_LEAST + rest / PROBES_PART / ZONE_PROBER_DESCRIPTORS;
    d->probes = at_most(at_least(all / PROBE_USUAL, 1), PROBES_MAX);
    d->probe_servers = at_most(all / d->probes - 1, ZONE_PROBE_SERVERS_MAX);
}

bool descriptors_divide(unsigned all, const struct config *config, struct descriptors *d)
{
    unsigned least = own(config) + COMMANDS_LEAST + HTTP_LEAST * PER_HTTP +
                     DNS_LEAST * (config->shards + DNS_OTHERS) +
                     PROBE_LEAST * ZONE_PROBER_DESCRIPTORS;
    *d = (struct descriptors){.all = all, .needed = least + LEAST};
    if (all < d->needed)
        return false;
    unsigned rest = all - least;
    unsigned dns = DNS_LEAST + rest / 16 / (config->shards + DNS_OTHERS);
    d->mail_open = rest / 2 / PER_CLIENT;
    d->clients = d->mail_open - passing(d->mail_open);
    d->attempts = at_most(rest / 4 / PER_ATTEMPT, ATTEMPTS_MAX);
    d->http_open = HTTP_LEAST + at_most(rest / 8 / PER_HTTP, HTTP_MAX);
    d->http_connections = d->http_open - at_least(d->http_open / 8, 1);
    d->tcp_queries = at_most(at_least(dns / 4, TCP_QUERIES_LEAST), TCP_QUERIES_MAX);
    d->queries = at_most(dns - d->tcp_queries, QUERIES_MAX);
    d->commands = at_most(COMMANDS_LEAST + rest / 32, COMMANDS_MAX);
    divide_probes(rest, d);
    return true;
}

unsigned descriptors_sum(const struct descriptors *d, const struct config *config)
{
    return own(config) + d->mail_open * PER_CLIENT + d->attempts * PER_ATTEMPT +
           d->http_open * PER_HTTP + (d->queries + d->tcp_queries) * (config->shards + DNS_OTHERS) +
           d->probes * (d->probe_servers + 1) * ZONE_PROBER_DESCRIPTORS + d->commands;
}

bool descriptors_share(const struct config *config, struct descriptors *d, struct err *err)
{
    if (!descriptors_divide(take_all(), config, d))
        return err_set(err, ERR_LIMIT,
                       "%u file descriptors are too few, %u are needed with %u shards: raise "
                       "LimitNOFILE or ulimit -n",
                       d->all, d->needed, config->shards);
    say(d, config);
    return true;
}

/* As much of `clients` as it was of `connections`. */
static unsigned part(unsigned limit, unsigned connections, unsigned clients)
{
    if (limit >= connections)
        return clients;
    return (unsigned)((uint64_t)limit * clients / connections) + 1;
}

void descriptors_limit(const struct descriptors *d, struct config *config)
{
    config->queries = d->queries;
    config->tcp_queries = d->tcp_queries;
    config->commands = d->commands;
    config->probes = d->probes;
    config->probe_servers = d->probe_servers;
    if (config->connections <= d->clients)
        return;
    config->per_address = part(config->per_address, config->connections, d->clients);
    config->per_network = part(config->per_network, config->connections, d->clients);
    config->connections = d->clients;
}
