// SPDX-License-Identifier: BSD-2-Clause
/* descriptors.c - What the relay needs for itself comes first; the rest is parted by fixed shares,
 * and counted with what one of each kind can hold at its worst. */
#include "descriptors.h"

#include "log.h"

#include <stdio.h>
#include <sys/resource.h>

enum {
    OWN = 64, /* the store, the control socket, the helper, commands */
    OWN_PER_SHARD = 16,
    LEAST = 48,      /* to share out */
    PER_HTTP = 3,    /* the connection, and both ends of a socket pair */
    PER_ATTEMPT = 4, /* its connection, its record, and two connections that are kept for reuse */
    HTTP_MAX = 1000,
    ATTEMPTS_MAX = 4000,
    QUERIES_MAX = 512
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

bool descriptors_share(const struct config *config, struct descriptors *d, struct err *err)
{
    unsigned own = OWN + OWN_PER_SHARD * config->shards;
    d->all = take_all();
    if (d->all < own + LEAST)
        return err_set(err, ERR_LIMIT,
                       "%u file descriptors are too few, %u are needed with %u shards: raise "
                       "LimitNOFILE or ulimit -n",
                       d->all, own + LEAST, config->shards);
    unsigned rest = d->all - own;
    d->clients = rest / 2;
    d->attempts = at_most(rest / 4 / PER_ATTEMPT, ATTEMPTS_MAX);
    d->http_connections = at_most(rest / 8 / PER_HTTP, HTTP_MAX);
    d->queries = at_most(rest / 8 / (config->shards + 1), QUERIES_MAX);
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
    if (config->connections <= d->clients)
        return;
    config->per_address = part(config->per_address, config->connections, d->clients);
    config->per_network = part(config->per_network, config->connections, d->clients);
    config->connections = d->clients;
}
