// SPDX-License-Identifier: BSD-2-Clause
/* site.c - Slots, waiting and resting, under one lock.
 *
 * Invariants:
 *   1. in_use <= limit at the moment a slot is granted (a limit that shrinks takes effect as slots
 *      come back).
 *   2. An idle connection holds its slot; a waiter of another shard makes one of them go.
 *   3. A party is in one list at most, and `listed` tells; whoever takes it out of the list is the
 *      only one to act on it.
 */
#include "site.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <uthash.h>

enum { LIMIT_FIRST = 5, REST_FIRST_MS = 5 * 1000, REST_MAX_MS = 10 * 60 * 1000 };

struct site {
    char *key;
    struct sites *sites;
    unsigned limit, in_use, failures;
    int64_t rest_until_ms;
    char why[200];
    struct site_party *waiters, *idle;
    UT_hash_handle hh;
};

struct sites {
    pthread_mutex_t mutex;
    unsigned connections_max, idle, idle_max;
    struct site *all;
};

struct sites *sites_new(unsigned connections_max, unsigned idle_max)
{
    struct sites *sites = xcalloc(1, sizeof(*sites));
    pthread_mutex_init(&sites->mutex, NULL);
    sites->connections_max = connections_max;
    sites->idle_max = idle_max;
    return sites;
}

void sites_free(struct sites *sites)
{
    struct site *site;
    struct site *next;
    HASH_ITER (hh, sites->all, site, next) {
        HASH_DEL(sites->all, site);
        free(site->key);
        free(site);
    }
    pthread_mutex_destroy(&sites->mutex);
    free(sites);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct site *sites_find(struct sites *sites, const struct hosts *hosts, unsigned port,
                        const struct trust *demanded)
{
    const char *names[HOSTS_MAX];
    char key[HOSTS_MAX * (ADDRESS_DOMAIN_MAX + 1) + TRUST_KEY + 16];
    char trust[TRUST_KEY];
    trust_key(demanded, trust);
    size_t used = (size_t)snprintf(key, sizeof(key), "%u %s", port, trust);
    for (size_t i = 0; i < hosts->count; i++)
        names[i] = hosts->all[i].name;
    qsort(names, hosts->count, sizeof(names[0]), by_name);
    for (size_t i = 0; i < hosts->count; i++)
        used += (size_t)snprintf(key + used, sizeof(key) - used, " %s", names[i]);
    struct site *site = NULL;
    pthread_mutex_lock(&sites->mutex);
    HASH_FIND_STR(sites->all, key, site);
    if (!site) {
        site = xcalloc(1, sizeof(*site));
        site->key = xstrdup(key);
        site->sites = sites;
        site->limit = LIMIT_FIRST < sites->connections_max ? LIMIT_FIRST : sites->connections_max;
        HASH_ADD_KEYPTR(hh, sites->all, site->key, strlen(site->key), site);
    }
    pthread_mutex_unlock(&sites->mutex);
    return site;
}

/* ---- with the lock held ---- */

static void unlist(struct site_party **list, struct site_party *party)
{
    DL_DELETE(*list, party);
    party->listed = false;
}

static void list(struct site_party **list_of, struct site_party *party)
{
    CHECK(!party->listed);
    DL_APPEND(*list_of, party);
    party->listed = true;
    party->granted = false;
}

/* Whose connection may go to the other. */
static struct site_party *fitting(struct site_party *list_of, const struct site_party *other)
{
    for (; list_of; list_of = list_of->next)
        if (list_of->inbox == other->inbox && list_of->settings == other->settings)
            return list_of;
    return NULL;
}

static void tell(struct site_party **list_of, struct site_party *party, bool granted)
{
    unlist(list_of, party);
    party->granted = granted;
    inbox_post(party->inbox, &party->item);
}

/* Give free slots to those who wait; when there is none, make an idle connection go. */
static void serve(struct site *site)
{
    while (site->waiters && site->in_use < site->limit) {
        site->in_use++;
        tell(&site->waiters, site->waiters, true);
    }
    if (site->waiters && site->idle) {
        tell(&site->idle, site->idle, false);
        site->sites->idle--;
    }
}

/* ---- the public face ---- */

enum site_answer site_take(struct site *site, struct site_party *party, int64_t now_ms,
                           struct site_party **idle_r)
{
    enum site_answer answer = SITE_WAIT;
    pthread_mutex_lock(&site->sites->mutex);
    *idle_r = fitting(site->idle, party);
    if (*idle_r) {
        unlist(&site->idle, *idle_r);
        site->sites->idle--;
        answer = SITE_IDLE;
    } else if (site->rest_until_ms > now_ms) {
        answer = SITE_RESTING;
    } else if (site->in_use < site->limit && !site->waiters) {
        site->in_use++;
        answer = SITE_GRANTED;
    } else {
        list(&site->waiters, party);
        serve(site);
    }
    pthread_mutex_unlock(&site->sites->mutex);
    return answer;
}

struct site_party *site_next(struct site *site, struct site_party *self, bool *may_idle_r)
{
    pthread_mutex_lock(&site->sites->mutex);
    struct site_party *waiter = site->in_use <= site->limit ? fitting(site->waiters, self) : NULL;
    if (waiter)
        unlist(&site->waiters, waiter);
    *may_idle_r = !waiter && !site->waiters && site->in_use <= site->limit &&
                  site->sites->idle < site->sites->idle_max;
    if (*may_idle_r) {
        list(&site->idle, self);
        site->sites->idle++;
    }
    pthread_mutex_unlock(&site->sites->mutex);
    return waiter;
}

static bool leave(struct site *site, struct site_party **list_of, struct site_party *self)
{
    pthread_mutex_lock(&site->sites->mutex);
    bool listed = self->listed;
    if (listed)
        unlist(list_of, self);
    if (listed && list_of == &site->idle)
        site->sites->idle--;
    pthread_mutex_unlock(&site->sites->mutex);
    return listed;
}

bool site_leave_idle(struct site *site, struct site_party *self)
{
    return leave(site, &site->idle, self);
}

bool site_leave_wait(struct site *site, struct site_party *self)
{
    return leave(site, &site->waiters, self);
}

void site_release(struct site *site)
{
    pthread_mutex_lock(&site->sites->mutex);
    CHECK(site->in_use > 0);
    site->in_use--;
    serve(site);
    pthread_mutex_unlock(&site->sites->mutex);
}

void site_succeeded(struct site *site)
{
    pthread_mutex_lock(&site->sites->mutex);
    site->failures = 0;
    site->rest_until_ms = 0;
    if (site->limit < site->sites->connections_max)
        site->limit++;
    serve(site);
    pthread_mutex_unlock(&site->sites->mutex);
}

void site_failed(struct site *site, const char *why, int64_t now_ms)
{
    pthread_mutex_lock(&site->sites->mutex);
    int64_t rest = REST_FIRST_MS;
    for (unsigned i = 0; i < site->failures && rest < REST_MAX_MS; i++)
        rest *= 2;
    if (site->rest_until_ms <=
        now_ms) /* those that were under way when it failed count as one failure */
        site->failures++;
    site->rest_until_ms = now_ms + (rest < REST_MAX_MS ? rest : REST_MAX_MS);
    site->limit = site->limit > 1 ? site->limit / 2 : 1;
    snprintf(site->why, sizeof(site->why), "%s", why);
    while (site->waiters)
        tell(&site->waiters, site->waiters, false);
    pthread_mutex_unlock(&site->sites->mutex);
}

int64_t site_rest_ms(struct site *site, int64_t now_ms, char *why_r)
{
    pthread_mutex_lock(&site->sites->mutex);
    int64_t rest_ms = site->rest_until_ms > now_ms ? site->rest_until_ms - now_ms : 0;
    snprintf(why_r, sizeof(site->why), "%s", site->why);
    pthread_mutex_unlock(&site->sites->mutex);
    return rest_ms;
}
