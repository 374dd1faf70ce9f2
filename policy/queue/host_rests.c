// SPDX-License-Identifier: BSD-2-Clause
/* host_rests.c - Hosts that an operator has put to rest: destinations with one of them in their
 * names, or among those that have no room there, rest, also those that are made meanwhile. They are
 * few. */
#include "queue_moves.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static void drop(struct queue *q, struct host_rest *r)
{
    DL_DELETE(q->host_rests, r);
    free(r->why);
    free(r);
}

void host_rests_fini(struct queue *q)
{
    while (q->host_rests)
        drop(q, q->host_rests);
}

static struct host_rest *find(struct queue *q, const char *host)
{
    struct host_rest *r;
    DL_FOREACH (q->host_rests, r)
        if (strcmp(r->host, host) == 0)
            return r;
    return NULL;
}

/* Those whose time is over. */
static void sweep(struct queue *q, int64_t now_ms)
{
    struct host_rest *r;
    struct host_rest *next;
    DL_FOREACH_SAFE (q->host_rests, r, next)
        if (r->until_ms <= now_ms)
            drop(q, r);
}

void host_rest_set(struct queue *q, const char *host, int64_t for_ms, const char *why,
                   int64_t now_ms)
{
    struct host_rest *r = find(q, host);
    if (r)
        drop(q, r);
    sweep(q, now_ms);
    if (for_ms <= 0)
        return;
    const char *copy = NULL;
    r = names_struct(sizeof(*r), host, &copy);
    r->host = copy;
    r->why = xstrdup(why);
    r->until_ms = now_ms + for_ms;
    DL_APPEND(q->host_rests, r);
}

bool queue_host_rests(const struct queue *q, const char *host, int64_t now_ms)
{
    const struct host_rest *r;
    DL_FOREACH (q->host_rests, r)
        if (strcmp(r->host, host) == 0 && r->until_ms > now_ms)
            return true;
    return false;
}

/* "mx1.club.example,mx2.club.example" */
static bool is_among(struct span hosts, const char *host)
{
    while (hosts.len > 0)
        if (span_equal(span_take(&hosts, ','), span_of(host)))
            return true;
    return false;
}

static bool is_marked(const struct destination *d, const char *host)
{
    uint64_t mark = pointer_table_text(host);
    for (size_t i = 0; i < d->mark_count; i++)
        if (d->marks[i] == mark)
            return true;
    return false;
}

bool host_rest_covers(const struct destination *d, const char *host)
{
    struct span words = span_of(d->name);
    struct span hosts = span_take(&words, ' ');
    while (hosts.len > 0 && hosts.ptr[hosts.len - 1] != ':')
        hosts.len--;
    hosts.len -= hosts.len > 0;
    return is_among(hosts, host) || is_marked(d, host);
}

const char *host_rests_of(const struct queue *q, const struct destination *d, int64_t *until_ms_r,
                          int64_t now_ms)
{
    const struct host_rest *longest = NULL;
    const struct host_rest *r;
    DL_FOREACH (q->host_rests, r)
        if (r->until_ms > now_ms && host_rest_covers(d, r->host) &&
            (!longest || r->until_ms > longest->until_ms))
            longest = r;
    *until_ms_r = longest ? longest->until_ms : 0;
    return longest ? longest->why : NULL;
}
