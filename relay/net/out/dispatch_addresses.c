// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_addresses.c - Events of addresses, which the core counts and lets rest. */
#include "dispatch_parts.h"

#include "destinations.h"

#include <stdio.h>
#include <string.h>

static struct queue_address address_of(const struct ip *ip, unsigned port, uint32_t from)
{
    struct queue_address a = {.port = (uint16_t)port, .from = from};
    if (ip->v6) {
        memcpy(a.ip, ip->bytes, 16);
    } else {
        a.ip[10] = a.ip[11] = 0xff;
        memcpy(a.ip + 12, ip->bytes, 4);
    }
    return a;
}

static struct queue_address address_at(const struct endpoint *at)
{
    return address_of(&at->ip, at->port, at->from);
}

bool dispatch_take_address(struct dispatch *d, uint64_t connection, const struct candidates *c,
                           size_t *which_r, bool *probes_r)
{
    struct queue_address left[CANDIDATES_MAX];
    size_t which[CANDIDATES_MAX];
    size_t count = candidates_list_left(c, which);
    size_t index = 0;
    for (size_t i = 0; i < count; i++) {
        left[i] = address_at(&c->all[which[i]].at);
        left[i].host = c->all[which[i]].mark;
    }
    int64_t now_ms = dispatch_begin(d);
    bool taken = queue_address_take(d->queue, connection, left, count, &index, probes_r, now_ms);
    dispatch_end(d, now_ms);
    if (taken)
        *which_r = which[index];
    return taken;
}

typedef void queue_on_address(struct queue *q, uint64_t connection, const struct queue_address *a,
                              int64_t now_ms);

static void tell(struct dispatch *d, queue_on_address *event, uint64_t connection,
                 const struct endpoint *at)
{
    struct queue_address address = address_at(at);
    int64_t now_ms = dispatch_begin(d);
    event(d->queue, connection, &address, now_ms);
    dispatch_end(d, now_ms);
}

/* The same; returns how long it rests, if that was its first failure in a row. */
static int64_t tell_rest(struct dispatch *d, queue_on_address *event, uint64_t connection,
                         const struct endpoint *at)
{
    struct queue_address address = address_at(at);
    unsigned failures = 0;
    int64_t now_ms = dispatch_begin(d);
    event(d->queue, connection, &address, now_ms);
    int64_t rest_ms = queue_address_rest_ms(d->queue, &address, &failures, now_ms);
    dispatch_end(d, now_ms);
    return failures == 1 ? rest_ms : 0;
}

int64_t dispatch_address_failed(struct dispatch *d, uint64_t connection, const struct endpoint *at)
{
    return tell_rest(d, queue_address_failed, connection, at);
}

void dispatch_address_refused(struct dispatch *d, uint64_t connection, const struct endpoint *at)
{
    tell(d, queue_address_refused, connection, at);
}

int64_t dispatch_address_stalled(struct dispatch *d, uint64_t connection, const struct endpoint *at)
{
    return tell_rest(d, queue_address_stalled, connection, at);
}

void dispatch_address_left(struct dispatch *d, uint64_t connection, const struct endpoint *at)
{
    tell(d, queue_address_left, connection, at);
}

void dispatch_address_spoke(struct dispatch *d, uint64_t connection, const struct endpoint *at)
{
    struct queue_address address = address_at(at);
    dispatch_begin(d);
    queue_address_spoke(d->queue, connection, &address);
    pthread_mutex_unlock(&d->mutex); /* nothing can follow from it */
}

bool dispatch_probes_on(struct dispatch *d, uint64_t connection, const struct endpoint *at)
{
    struct queue_address address = address_at(at);
    dispatch_begin(d);
    bool on = queue_address_probes_on(d->queue, connection, &address);
    pthread_mutex_unlock(&d->mutex);
    return on;
}

void dispatch_probe_ended(struct dispatch *d, const struct endpoint *at, enum queue_probe what)
{
    struct queue_address address = address_at(at);
    int64_t now_ms = dispatch_begin(d);
    queue_probe_ended(d->queue, &address, what, now_ms);
    dispatch_end(d, now_ms);
}

bool dispatch_opened(struct dispatch *d, uint64_t connection, const struct endpoint *peer)
{
    struct queue_address address = address_at(peer);
    int64_t now_ms = dispatch_begin(d);
    bool wanted = queue_opened(d->queue, connection, &address, now_ms);
    dispatch_end(d, now_ms);
    return wanted;
}

size_t dispatch_list_addresses(const struct hosts *hosts, unsigned port,
                               struct queue_address addresses_r[HOSTS_MAX * HOSTS_IPS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < hosts->count; i++)
        for (size_t k = 0; k < hosts->all[i].count && k < HOSTS_IPS_MAX; k++) {
            addresses_r[count] = address_of(&hosts->all[i].ips[k], port, hosts->from);
            addresses_r[count++].host = hosts_name_mark(hosts->all[i].name);
        }
    return count;
}

static void add_avoided(const struct host *host, const struct ip *ip,
                        const struct queue_address_view *rest, struct destinations_detail *detail)
{
    if (detail->avoided_count == DESTINATIONS_AVOIDED)
        return;
    struct destinations_avoided *one = &detail->avoided[detail->avoided_count];
    snprintf(one->host, sizeof(one->host), "%s", host->name);
    ip_print(ip, one->ip);
    one->rest = *rest;
    for (size_t i = 0; i < detail->avoided_count; i++)
        if (strcmp(detail->avoided[i].host, one->host) == 0 &&
            strcmp(detail->avoided[i].ip, one->ip) == 0)
            return;
    detail->avoided_count++;
}

void dispatch_add_avoided(const struct dispatch *d, const struct place *place,
                          struct destinations_detail *detail, int64_t now_ms)
{
    const struct hosts *hosts = &place->hosts->hosts;
    for (size_t i = 0; i < hosts->count; i++)
        for (size_t k = 0; k < hosts->all[i].count; k++) {
            const struct ip *ip = &hosts->all[i].ips[k];
            const struct queue_address address = address_of(ip, place->port, hosts->from);
            struct queue_address_view rest;
            queue_find_address(d->queue, &address, &rest, now_ms);
            if (rest.rest_ms > 0)
                add_avoided(&hosts->all[i], ip, &rest, detail);
        }
}

void dispatch_resume_place(struct dispatch *d, const struct place *place_or_null)
{
    const struct hosts *hosts = place_or_null ? &place_or_null->hosts->hosts : NULL;
    for (size_t i = 0; hosts && i < hosts->count; i++)
        for (size_t k = 0; k < hosts->all[i].count; k++) {
            struct queue_address a =
                address_of(&hosts->all[i].ips[k], place_or_null->port, hosts->from);
            queue_resume_addresses(d->queue, &a, 1);
        }
}
