// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_places.c - Keeps the hosts that DNS returned for each domain, and makes work for the
 * shards with them.
 *
 * The core knows hosts by name only. The addresses are kept here until the core says that it has
 * forgotten the answer, for which a tenant pays there.
 */
#include "dispatch_parts.h"

#include "host_facts.h"
#include "party_turns.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dispatch_hosts *dispatch_hosts_hold(struct dispatch_hosts *hosts)
{
    atomic_fetch_add(&hosts->holders, 1);
    return hosts;
}

void dispatch_hosts_drop(struct dispatch_hosts *hosts)
{
    if (!hosts || atomic_fetch_sub(&hosts->holders, 1) != 1)
        return;
    hosts_fini(&hosts->hosts);
    host_facts_drop(hosts->facts);
    free(hosts);
}

void dispatch_work_free(struct dispatch_work *work)
{
    if (!work)
        return;
    dispatch_hosts_drop(work->hosts);
    host_facts_drop(work->facts);
    free(work);
}

static struct dispatch_hosts *make_hosts(void)
{
    struct dispatch_hosts *hosts = xcalloc(1, sizeof(*hosts));
    atomic_init(&hosts->holders, 1);
    return hosts;
}

/* Each connection has an order of its own, so that equal hosts and their addresses share. */
static struct dispatch_hosts *in_turn(const struct dispatch_hosts *from, uint64_t turn)
{
    struct dispatch_hosts *hosts = make_hosts();
    uint64_t random = 0;
    secret_random(&random, sizeof(random));
    hosts_in_turn(&from->hosts, turn, random, &hosts->hosts);
    hosts->facts = host_facts_hold(from->facts);
    return hosts;
}

struct place *dispatch_find_place(struct dispatch *d, const char *domain)
{
    struct place *p = NULL;
    HASH_FIND_STR(d->places, domain, p);
    return p;
}

void dispatch_set_place(struct dispatch *d, const char *domain, const struct dispatch_hosts *from,
                        unsigned port)
{
    struct place *p = dispatch_find_place(d, domain);
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        snprintf(p->domain, sizeof(p->domain), "%s", domain);
        HASH_ADD_STR(d->places, domain, p);
    }
    dispatch_hosts_drop(p->hosts);
    p->hosts = make_hosts();
    p->hosts->hosts = from->hosts;
    p->hosts->facts = host_facts_hold(from->facts);
    p->port = port;
}

static void drop_place(struct dispatch *d, struct place *p)
{
    HASH_DEL(d->places, p);
    dispatch_hosts_drop(p->hosts);
    free(p);
}

void dispatch_forget_place(void *context, const char *domain)
{
    struct dispatch *d = context;
    struct place *p = dispatch_find_place(d, domain);
    if (p)
        drop_place(d, p);
}

size_t dispatch_place_bytes(const struct dispatch_hosts *from)
{
    return sizeof(struct place) + sizeof(struct dispatch_hosts) + hosts_bytes(&from->hosts) +
           host_facts_bytes(from->facts);
}

struct dispatch_work *dispatch_make_work(struct dispatch *d, const struct queue_decision *decision)
{
    struct dispatch_work *work = xcalloc(1, sizeof(*work));
    work->dispatch = d;
    work->kind = decision->kind;
    work->reason = decision->reason;
    work->connection = decision->connection;
    work->attempt = decision->attempt;
    work->result = (enum mx_result)decision->result;
    span_put(span_of(decision->text ? decision->text : ""), work->text, sizeof(work->text));
    struct hop hop;
    hop_read(decision->attempt  ? decision->attempt->domain
             : decision->domain ? decision->domain
                                : "",
             &hop);
    memcpy(work->domain, hop.domain, sizeof(work->domain));
    memcpy(work->source, hop.source, sizeof(work->source));
    work->need = hop.need;
    const struct queue_attempt *attempt = decision->attempt;
    const char *tenant = attempt ? attempt->tenant : decision->tenant;
    span_put(span_of(tenant ? tenant : ""), work->tenant, sizeof(work->tenant));
    work->urgent = attempt ? attempt->class == STREAM_SECURITY : decision->urgent;
    work->merit = attempt ? PARTY_MERIT_MOST : decision->merit;
    work->anew = decision->anew;
    if (decision->connection != 0 && decision->attempt) {
        struct place *p = dispatch_find_place(d, decision->attempt->domain);
        CHECK(p != NULL); /* it leads there, so the core knows it */
        work->hosts = decision->kind == QUEUE_OPEN
                          ? in_turn(p->hosts, d->first_turn + decision->turn)
                          : dispatch_hosts_hold(p->hosts);
    }
    return work;
}

void dispatch_drop_places(struct dispatch *d)
{
    struct place *p;
    struct place *next;
    HASH_ITER (hh, d->places, p, next)
        drop_place(d, p);
}
