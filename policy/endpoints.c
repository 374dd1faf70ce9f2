// SPDX-License-Identifier: BSD-2-Clause
/* endpoints.c - A hash by address and port.
 *
 * Invariants: 1. in_use <= connections_max, and spoken <= in_use; 2. an endpoint is in the table
 * while it has a connection, somebody who waits, or failures that are not too old; 3. `probing`
 * holds only while there is a connection that is not known to have failed.
 */
#include "endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <uthash.h>

enum {
    REST_FIRST_MS = 5 * 1000,
    REST_MAX_MS = 10 * 60 * 1000,
    FORGOTTEN_MS = 60 * 60 * 1000 /* after its rest is over */
};

struct key {
    unsigned char bytes[16];
    uint32_t v6, port; /* no gaps: it is hashed as it lies */
};

struct entry {
    struct key key;
    unsigned in_use, spoken, failures;
    bool probing;
    int64_t rest_until_ms;
    char why[ENDPOINTS_WHY];
    struct endpoints_waiter *waiters;
    UT_hash_handle hh;
};

struct endpoints {
    unsigned connections_max;
    size_t idle_max;
    struct entry *all; /* in the order in which they came */
};

struct endpoints *endpoints_new(unsigned connections_max, size_t remembered_max)
{
    struct endpoints *e = xcalloc(1, sizeof(*e));
    e->connections_max = connections_max;
    e->idle_max = remembered_max;
    return e;
}

static void forget(struct endpoints *e, struct entry *entry)
{
    HASH_DEL(e->all, entry);
    free(entry);
}

void endpoints_free(struct endpoints *e)
{
    struct entry *entry;
    struct entry *next;
    if (!e)
        return;
    HASH_ITER (hh, e->all, entry, next)
        forget(e, entry);
    free(e);
}

static struct entry *find(const struct endpoints *e, const struct endpoint *at)
{
    struct key key = {.v6 = at->ip.v6, .port = at->port};
    struct entry *entry = NULL;
    memcpy(key.bytes, at->ip.bytes, at->ip.v6 ? 16 : 4);
    HASH_FIND(hh, e->all, &key, sizeof(key), entry);
    return entry;
}

static bool is_idle(const struct entry *entry)
{
    return entry->in_use == 0 && !entry->waiters;
}

/* Room for one more, at the cost of the oldest that nobody uses. */
static void make_room(struct endpoints *e)
{
    struct entry *entry = e->all;
    while (entry && HASH_COUNT(e->all) >= e->idle_max) {
        struct entry *next = entry->hh.next;
        if (is_idle(entry))
            forget(e, entry);
        entry = next;
    }
}

static struct entry *find_or_add(struct endpoints *e, const struct endpoint *at)
{
    struct entry *entry = find(e, at);
    if (entry)
        return entry;
    make_room(e);
    entry = xcalloc(1, sizeof(*entry));
    entry->key.v6 = at->ip.v6;
    entry->key.port = at->port;
    memcpy(entry->key.bytes, at->ip.bytes, at->ip.v6 ? 16 : 4);
    HASH_ADD(hh, e->all, key, sizeof(entry->key), entry);
    return entry;
}

enum endpoints_answer endpoints_take(struct endpoints *e, const struct endpoint *at, int64_t now_ms)
{
    struct entry *entry = find_or_add(e, at);
    if (entry->failures > 0 && now_ms >= entry->rest_until_ms + FORGOTTEN_MS)
        entry->failures = 0;
    bool suspect = entry->failures > 0 && entry->spoken == 0;
    if (suspect && (entry->probing || now_ms < entry->rest_until_ms))
        return ENDPOINT_RESTS;
    if (entry->in_use >= e->connections_max)
        return ENDPOINT_FULL;
    entry->in_use++;
    entry->probing = suspect;
    return suspect ? ENDPOINT_PROBE : ENDPOINT_FREE;
}

void endpoints_spoke(struct endpoints *e, const struct endpoint *at)
{
    struct entry *entry = find(e, at);
    CHECK(entry && entry->spoken < entry->in_use);
    entry->spoken++;
    entry->failures = 0;
    entry->probing = false;
}

void endpoints_failed(struct endpoints *e, const struct endpoint *at, const char *why,
                      int64_t now_ms)
{
    struct entry *entry = find(e, at);
    CHECK(entry && entry->in_use > 0);
    if (entry->spoken > 0)
        return;
    entry->probing = false;
    if (entry->failures > 0 && now_ms < entry->rest_until_ms)
        return; /* those that were under way when it failed are one failure */
    int64_t rest_ms = REST_FIRST_MS;
    for (unsigned i = 0; i < entry->failures && rest_ms < REST_MAX_MS; i++)
        rest_ms *= 2;
    entry->failures++;
    entry->rest_until_ms = now_ms + (rest_ms < REST_MAX_MS ? rest_ms : REST_MAX_MS);
    snprintf(entry->why, sizeof(entry->why), "%s", why);
}

void endpoints_release(struct endpoints *e, const struct endpoint *at, bool spoke)
{
    struct entry *entry = find(e, at);
    CHECK(entry && entry->in_use > 0 && (!spoke || entry->spoken > 0));
    entry->in_use--;
    entry->spoken -= spoke;
    if (entry->in_use == 0)
        entry->probing = false; /* it was given up before anything was known */
    if (is_idle(entry) && entry->failures == 0)
        forget(e, entry);
}

int64_t endpoints_rest_ms(const struct endpoints *e, const struct endpoint *at, int64_t now_ms,
                          char *why_r)
{
    const struct entry *entry = find(e, at);
    why_r[0] = '\0';
    if (!entry || entry->failures == 0 || entry->spoken > 0)
        return 0;
    snprintf(why_r, ENDPOINTS_WHY, "%s", entry->why);
    if (now_ms < entry->rest_until_ms)
        return entry->rest_until_ms - now_ms;
    return entry->probing ? REST_FIRST_MS : 0;
}

void endpoints_resume(struct endpoints *e)
{
    struct entry *entry;
    struct entry *next;
    HASH_ITER (hh, e->all, entry, next) {
        entry->failures = 0;
        entry->probing = false;
        entry->rest_until_ms = 0;
        if (is_idle(entry))
            forget(e, entry);
    }
}

/* ---- waiting ---- */

void endpoints_wait(struct endpoints *e, struct endpoints_waiter *w)
{
    struct entry *entry = find_or_add(e, &w->at);
    CHECK(!w->listed);
    DL_APPEND(entry->waiters, w);
    w->listed = true;
}

static void unlist(struct entry *entry, struct endpoints_waiter *w)
{
    DL_DELETE(entry->waiters, w);
    w->listed = false;
}

bool endpoints_leave(struct endpoints *e, struct endpoints_waiter *w)
{
    if (!w->listed)
        return false;
    struct entry *entry = find(e, &w->at);
    CHECK(entry);
    unlist(entry, w);
    if (is_idle(entry) && entry->failures == 0)
        forget(e, entry);
    return true;
}

bool endpoints_wanted(const struct endpoints *e, const struct endpoint *at)
{
    const struct entry *entry = find(e, at);
    return entry && entry->waiters;
}

struct endpoints_waiter *endpoints_next(struct endpoints *e, const struct endpoint *at,
                                        int64_t now_ms, bool *granted_r)
{
    struct entry *entry = find(e, at);
    struct endpoints_waiter *w = entry ? entry->waiters : NULL;
    *granted_r = false;
    if (!w)
        return NULL;
    bool rests = entry->failures > 0 && entry->spoken == 0 && now_ms < entry->rest_until_ms;
    if (!rests && entry->in_use >= e->connections_max)
        return NULL;
    unlist(entry, w);
    if (!rests) {
        entry->in_use++;
        *granted_r = true;
    }
    return w;
}
