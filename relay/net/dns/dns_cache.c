// SPDX-License-Identifier: BSD-2-Clause
/* dns_cache.c - A hash table by name and type. An entry has an answer, a lookup in progress, or
 * both.
 *
 * libunbound has a cache of its own below this one. The TTL of an answer from there is a remainder,
 * which ends when the original one does. In the last tenth of a record's life libunbound fetches it
 * again in the background ("prefetch"), so asking twice near the end is a refresh.
 */
#include "dns_cache.h"

#include "clock.h"
#include "dns_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum {
    LIFE_MIN_S = 60,
    LIFE_MAX_S = 3600,
    LIFE_FAILED_S = 10,
    TIMEOUT_MS = 10 * 1000,
    TICK_MS = 500,
    REMEMBERED_MS = 5000, /* after the end, to know a remainder */
    ENTRIES_MAX = 100000
};

struct entry {
    struct dns_cache *owner;
    enum dns_type type;
    struct dns_answer *answer; /* NULL: none yet */
    int64_t expires_ms, refresh_ms;
    struct dns_query *lookup; /* NULL: none under way */
    int64_t started_ms;
    bool awaited; /* somebody was told that it is pending */
    UT_hash_handle hh;
    size_t name_at; /* in key */
    char key[];     /* as long as it is: there may be 100,000 */
};

struct dns_cache {
    struct dns dns;
    struct dns_queries *lookups;
    struct entry *entries;
    bool single; /* one server is asked */
    bool silent; /* it did not answer once: it is asked no more, as each question takes so long */
    uv_timer_t *timer; /* freed in its close callback */
    void (*changed)(void *context);
    void *context;
};

static const struct dns_answer pending = {.status = DNS_PENDING};
static const struct dns_answer failed = {.status = DNS_FAILED, .ttl_s = LIFE_FAILED_S};

/* ---- entries ---- */

static void free_entry(struct entry *e)
{
    HASH_DEL(e->owner->entries, e);
    dns_query_cancel(e->lookup);
    dns_answer_free(e->answer);
    free(e);
}

static int64_t life_ms(const struct dns_answer *a)
{
    uint32_t s = a->status == DNS_FAILED ? LIFE_FAILED_S
                 : a->ttl_s < LIFE_MIN_S ? LIFE_MIN_S
                 : a->ttl_s > LIFE_MAX_S ? LIFE_MAX_S
                                         : a->ttl_s;
    return (int64_t)s * 1000;
}

static bool is_remainder(const struct entry *e, const struct dns_answer *answer, int64_t now_ms)
{
    int64_t left_ms = e->expires_ms > now_ms ? e->expires_ms - now_ms : 0;
    return e->answer && e->answer->status != DNS_FAILED && answer->status != DNS_FAILED &&
           (int64_t)answer->ttl_s * 1000 <= left_ms + 2000;
}

static void set_times(struct entry *e, const struct dns_answer *answer, int64_t now_ms)
{
    if (is_remainder(e, answer, now_ms)) {
        e->expires_ms = now_ms + ((int64_t)answer->ttl_s + 1) * 1000;
        e->refresh_ms = now_ms + 1000;
    } else {
        e->expires_ms = now_ms + life_ms(answer);
        e->refresh_ms = now_ms + life_ms(answer) / 100 * 92;
    }
}

/* Takes `answer`. */
static void settle(struct entry *e, struct dns_answer *answer)
{
    int64_t now_ms = clock_steady_ms();
    bool awaited = e->awaited;
    e->lookup = NULL;
    e->awaited = false;
    if (answer->status == DNS_FAILED && !answer->refused)
        e->owner->silent = e->owner->single;
    if (answer->status == DNS_FAILED && e->answer && now_ms < e->expires_ms) {
        e->refresh_ms = now_ms + life_ms(answer); /* what we have still holds */
        dns_answer_free(answer);
        return;
    }
    set_times(e, answer, now_ms);
    dns_answer_free(e->answer);
    e->answer = answer;
    if (awaited)
        e->owner->changed(e->owner->context);
}

static void on_answer(void *context, struct dns_answer *answer)
{
    settle(context, answer);
}

static bool start(struct entry *e, int64_t now_ms)
{
    if (!e->lookup && !e->owner->silent) {
        e->lookup = dns_query_start(e->owner->lookups, e->key + e->name_at, e->type, on_answer, e);
        e->started_ms = now_ms;
    }
    return e->lookup != NULL;
}

/* What has taken too long has failed; what nobody has refreshed is forgotten. */
static void on_tick(uv_timer_t *timer)
{
    struct dns_cache *a = timer->data;
    struct entry *e;
    struct entry *next;
    int64_t now_ms = clock_steady_ms();
    HASH_ITER (hh, a->entries, e, next) {
        if (e->lookup && now_ms - e->started_ms > TIMEOUT_MS) {
            dns_query_cancel(e->lookup);
            settle(e, dns_answer_new(DNS_FAILED, 0));
        } else if (!e->lookup && now_ms > e->expires_ms + REMEMBERED_MS) {
            free_entry(e);
        }
    }
}

/* ---- asking ---- */

static struct entry *find(struct dns_cache *a, const char *name, enum dns_type type)
{
    char key[DNS_NAME_MAX + 16];
    struct entry *e = NULL;
    int at = snprintf(key, sizeof(key), "%d ", (int)type);
    snprintf(key + at, sizeof(key) - (size_t)at, "%s", name);
    size_t len = strlen(key);
    HASH_FIND(hh, a->entries, key, len, e);
    if (e || HASH_COUNT(a->entries) >= ENTRIES_MAX)
        return e;
    e = xcalloc(1, sizeof(*e) + len + 1);
    memcpy(e->key, key, len + 1);
    e->name_at = (size_t)at;
    e->type = type;
    e->owner = a;
    HASH_ADD_KEYPTR(hh, a->entries, e->key, len, e);
    return e;
}

static const struct dns_answer *ask(void *context, const char *name, enum dns_type type)
{
    struct dns_cache *a = context;
    int64_t now_ms = clock_steady_ms();
    struct entry *e = find(a, name, type);
    if (!e)
        return &failed;
    if (e->answer && now_ms < e->expires_ms) {
        if (now_ms >= e->refresh_ms)
            (void)start(e, now_ms);
        e->answer->ttl_s = (uint32_t)((e->expires_ms - now_ms + 999) / 1000);
        return e->answer;
    }
    if (!start(e, now_ms))
        return &failed;
    e->awaited = true;
    return &pending;
}

const struct dns *dns_cache_dns(struct dns_cache *a)
{
    return &a->dns;
}

/* ---- the whole ---- */

bool dns_cache_new(uv_loop_t *loop, const struct config *config,
                   const struct dns_queries_stub *stub, void (*changed)(void *context),
                   void *context, struct dns_cache **answers_r, struct err *err)
{
    struct dns_cache *a = xcalloc(1, sizeof(*a));
    if (!dns_queries_new(loop, config, stub, &a->lookups, err)) {
        free(a);
        return false;
    }
    a->dns = (struct dns){ask, a};
    a->single = stub != NULL;
    a->changed = changed;
    a->context = context;
    a->timer = xcalloc(1, sizeof(*a->timer));
    a->timer->data = a;
    uv_timer_init(loop, a->timer);
    uv_timer_start(a->timer, on_tick, TICK_MS, TICK_MS);
    *answers_r = a;
    return true;
}

void dns_cache_free(struct dns_cache *a)
{
    struct entry *e;
    struct entry *next;
    if (!a)
        return;
    HASH_ITER (hh, a->entries, e, next)
        free_entry(e);
    uv_close((uv_handle_t *)a->timer, (uv_close_cb)free);
    dns_queries_free(a->lookups);
    free(a);
}
