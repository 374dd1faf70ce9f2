// SPDX-License-Identifier: BSD-2-Clause
/* dns_cache.c - A hash table by name and type. An entry has an answer, a lookup in progress, or
 * both.
 *
 * Each entry is charged to who asks for it: one who asks much, or slowly, takes nothing from the
 * others. Lookups are begun in turns; when entries take more memory than there is, who has most
 * gives up first what it has not asked for longest.
 *
 * libunbound has a cache of its own below this one. The TTL of an answer from there is a remainder,
 * which ends when the original one does. In the last tenth of a record's life libunbound fetches it
 * again in the background ("prefetch"), so asking twice near the end is a refresh.
 */
#include "dns_cache.h"

#include "clock.h"
#include "dns_query.h"
#include "party_turns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum {
    LIFE_MIN_S = 60,
    LIFE_MAX_S = 3600,
    LIFE_FAILED_S = 10,
    TIMEOUT_MS = 10 * 1000,
    TICK_MS = 500,
    REMEMBERED_MS = 5000, /* after the end, to know a remainder */
    MEMORY_PART = 32,     /* of limits.memory */
    LOOKUP_BYTES = 1000,  /* of one that is not answered yet */
    MISSED_MAX = 2        /* in a row, of a server that has answered before */
};

struct asker {
    char name[64];
    struct entry *entries; /* the longest not asked for first */
    size_t bytes;
    UT_hash_handle hh;
};

struct entry {
    struct dns_cache *owner;
    enum dns_type type;
    struct dns_answer *answer; /* NULL: none yet */
    int64_t expires_ms, refresh_ms;
    struct party_turn *turn;  /* of a lookup that waits or is under way; NULL: none */
    struct dns_query *lookup; /* NULL: none under way */
    int64_t started_ms;       /* that */
    bool awaited;             /* somebody was told that it is pending */
    struct asker *asker;      /* who pays for it */
    size_t bytes;
    struct entry *next, *prev; /* asker->entries */
    UT_hash_handle hh;
    size_t name_at; /* in key */
    char key[];     /* as long as it is: there may be many */
};

struct dns_cache {
    struct dns dns;
    struct dns_queries *lookups;
    struct party_turns *turns;
    struct entry *entries;
    struct asker *askers;
    char asker[64]; /* who asks just now */
    size_t bytes, bytes_max;
    bool single;       /* one server is asked */
    bool heard;        /* it has answered something */
    unsigned missed;   /* questions that it has not answered, none answered between them */
    bool silent;       /* it is asked no more, as each question takes so long */
    bool ended;        /* nobody is asked any more */
    uv_timer_t *timer; /* freed in its close callback */
    uv_timer_t *soon;  /* the same: begins lookups, and forgets what is too much */
    void (*changed)(void *context);
    void *context;
};

static const struct dns_answer pending = {.status = DNS_PENDING};
static const struct dns_answer failed = {.status = DNS_FAILED, .ttl_s = LIFE_FAILED_S};

/* ---- who asks ---- */

static struct asker *need_asker(struct dns_cache *a)
{
    struct asker *k = NULL;
    HASH_FIND_STR(a->askers, a->asker, k);
    if (k)
        return k;
    k = xcalloc(1, sizeof(*k));
    snprintf(k->name, sizeof(k->name), "%s", a->asker);
    HASH_ADD_STR(a->askers, name, k);
    return k;
}

static void uncharge(struct entry *e)
{
    DL_DELETE(e->asker->entries, e);
    e->asker->bytes -= e->bytes;
    e->owner->bytes -= e->bytes;
}

static void charge(struct entry *e, struct asker *k, size_t bytes)
{
    e->asker = k;
    e->bytes = bytes;
    DL_APPEND(k->entries, e);
    k->bytes += bytes;
    e->owner->bytes += bytes;
}

/* Of several who ask for it the one that has least pays. */
static void note_asked(struct entry *e)
{
    struct asker *k = need_asker(e->owner);
    uncharge(e);
    charge(e, e->asker->bytes < k->bytes ? e->asker : k, e->bytes);
}

static void forget_idle_askers(struct dns_cache *a)
{
    struct asker *k;
    struct asker *next;
    HASH_ITER (hh, a->askers, k, next) {
        if (k->entries)
            continue;
        HASH_DEL(a->askers, k);
        free(k);
    }
}

/* ---- entries ---- */

static void on_soon(uv_timer_t *timer);

/* When what has been told is not needed any more. */
static void go_on_soon(struct dns_cache *a)
{
    if (!uv_is_active((uv_handle_t *)a->soon))
        uv_timer_start(a->soon, on_soon, 0, 0);
}

static void on_left(void *context, struct party_turn *turn)
{
    struct dns_cache *a = context;
    dns_queries_charge(a->lookups, a->turns);
    party_turns_end(a->turns, turn);
    go_on_soon(a);
}

/* What is under way keeps its turn as long as it takes room from others. */
static void stop_lookup(struct entry *e)
{
    if (e->lookup)
        dns_query_leave(e->lookup, e->turn, on_left, e->owner);
    else
        party_turns_end(e->owner->turns, e->turn);
    e->lookup = NULL;
    e->turn = NULL;
}

static void free_entry(struct entry *e)
{
    HASH_DEL(e->owner->entries, e);
    stop_lookup(e);
    uncharge(e);
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

/* Something that was asked was answered, or was not. */
static void note_heard(struct dns_cache *a, bool answered)
{
    a->heard = a->heard || answered;
    a->missed = answered ? 0 : a->missed + 1;
    a->silent = a->single && a->missed >= (a->heard ? MISSED_MAX : 1);
}

/* Takes `answer`. */
static void settle(struct entry *e, struct dns_answer *answer)
{
    struct dns_cache *a = e->owner;
    int64_t now_ms = clock_steady_ms();
    bool awaited = e->awaited;
    e->awaited = false;
    dns_queries_charge(a->lookups, a->turns);
    party_turn_leads_to(a->turns, e->turn, answer->canonical);
    stop_lookup(e);
    go_on_soon(a);
    if (answer->status == DNS_FAILED && e->answer && now_ms < e->expires_ms) {
        e->refresh_ms = now_ms + life_ms(answer); /* what we have still holds */
        dns_answer_free(answer);
        return;
    }
    set_times(e, answer, now_ms);
    dns_answer_free(e->answer);
    e->answer = answer;
    uncharge(e);
    charge(e, e->asker, sizeof(*e) + strlen(e->key) + dns_answer_bytes(answer));
    if (awaited)
        a->changed(a->context);
}

static void fail(struct entry *e)
{
    settle(e, dns_answer_new(DNS_FAILED, 0));
}

static void on_answer(void *context, struct dns_answer *answer)
{
    struct entry *e = context;
    e->lookup = NULL;
    note_heard(e->owner, answer->status != DNS_FAILED || answer->refused);
    settle(e, answer);
}

static bool start(struct entry *e)
{
    struct dns_cache *a = e->owner;
    if (!e->turn && !a->silent) {
        const char *name = e->key + e->name_at;
        const struct party_ask ask = {.tenant = a->asker, .domain = name, .name = name, .what = e};
        e->turn = party_turns_wait(a->turns, &ask);
        e->started_ms = clock_steady_ms();
        go_on_soon(a);
    }
    return e->turn != NULL;
}

/* Its time begins here: what waits for its turn is nobody's silence. */
static void begin_lookups(struct dns_cache *a)
{
    struct entry *e;
    dns_queries_charge(a->lookups, a->turns);
    party_turns_look(a->turns, clock_steady_ms());
    while ((e = party_turns_next(a->turns))) {
        e->started_ms = clock_steady_ms();
        if (!a->silent)
            e->lookup = dns_query_start(a->lookups, e->key + e->name_at, e->type, on_answer, e);
        if (!e->lookup)
            fail(e);
    }
}

/* NULL: nobody has anything. */
static struct asker *who_has_most(const struct dns_cache *a)
{
    struct asker *most = NULL;
    for (struct asker *k = a->askers; k; k = k->hh.next)
        if (k->entries && (!most || k->bytes > most->bytes))
            most = k;
    return most;
}

/* What somebody waits for has failed, which takes less and which he hears; it is forgotten when
 * that was not enough. */
static void forget_too_much(struct dns_cache *a)
{
    struct asker *most;
    while (a->bytes > a->bytes_max && (most = who_has_most(a))) {
        if (most->entries->awaited)
            fail(most->entries);
        else
            free_entry(most->entries);
    }
}

static void on_soon(uv_timer_t *timer)
{
    struct dns_cache *a = timer->data;
    forget_too_much(a);
    begin_lookups(a);
}

/* What has taken too long has failed; what nobody has refreshed is forgotten. */
/* What is asked for all has waited in vain for so long, too: whoever has much to ask would have
 * ever more that waits, and that nobody needs by the time it is asked. */
static bool is_over(const struct entry *e, int64_t now_ms)
{
    bool counts = e->lookup || (e->turn && !e->owner->single);
    return counts && now_ms - e->started_ms > TIMEOUT_MS;
}

static void on_tick(uv_timer_t *timer)
{
    struct dns_cache *a = timer->data;
    struct entry *e;
    struct entry *next;
    int64_t now_ms = clock_steady_ms();
    HASH_ITER (hh, a->entries, e, next) {
        if (is_over(e, now_ms)) {
            if (e->lookup) /* else nobody has been asked */
                note_heard(a, false);
            fail(e);
        } else if (!e->turn && now_ms > e->expires_ms + REMEMBERED_MS) {
            free_entry(e);
        }
    }
    forget_idle_askers(a);
    if (party_turns_wait_there(a->turns))
        go_on_soon(a); /* more may be allowed by now */
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
    if (e) {
        note_asked(e);
        return e;
    }
    e = xcalloc(1, sizeof(*e) + len + 1);
    memcpy(e->key, key, len + 1);
    e->name_at = (size_t)at;
    e->type = type;
    e->owner = a;
    HASH_ADD_KEYPTR(hh, a->entries, e->key, len, e);
    charge(e, need_asker(a), sizeof(*e) + len + LOOKUP_BYTES);
    return e;
}

static const struct dns_answer *ask(void *context, const char *name, enum dns_type type)
{
    struct dns_cache *a = context;
    int64_t now_ms = clock_steady_ms();
    struct entry *e = find(a, name, type);
    if (a->ended)
        return e->answer ? e->answer : &failed;
    if (e->answer && now_ms < e->expires_ms) {
        if (now_ms >= e->refresh_ms)
            (void)start(e);
        e->answer->ttl_s = (uint32_t)((e->expires_ms - now_ms + 999) / 1000);
        return e->answer;
    }
    if (!start(e))
        return &failed;
    e->awaited = true;
    return &pending;
}

void dns_cache_ask_for(struct dns_cache *a, const char *tenant)
{
    snprintf(a->asker, sizeof(a->asker), "%s", tenant);
}

void dns_cache_ask_no_more(struct dns_cache *a)
{
    a->ended = true;
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
    a->single = stub && stub->zone;
    a->changed = changed;
    a->context = context;
    a->turns = party_turns_new(dns_queries_most(config, stub) / 2);
    party_turns_spread(a->turns, DNS_QUERY_LASTS_MS);
    party_turns_meter(a->turns);
    a->bytes_max = ((size_t)config->memory_mb << 20) / MEMORY_PART;
    a->soon = xcalloc(1, sizeof(*a->soon));
    a->soon->data = a;
    uv_timer_init(loop, a->soon);
    a->timer = xcalloc(1, sizeof(*a->timer));
    a->timer->data = a;
    uv_timer_init(loop, a->timer);
    uv_timer_start(a->timer, on_tick, TICK_MS, TICK_MS);
    *answers_r = a;
    return true;
}

bool dns_cache_new_few(uv_loop_t *loop, const struct config *config, void (*changed)(void *context),
                       void *context, struct dns_cache **answers_r, struct err *err)
{
    static const struct dns_queries_stub few = {.queries = DNS_CACHE_FEW_QUERIES,
                                                .streams = DNS_CACHE_FEW_STREAMS};
    return dns_cache_new(loop, config, &few, changed, context, answers_r, err);
}

void dns_cache_free(struct dns_cache *a)
{
    struct entry *e;
    struct entry *next;
    if (!a)
        return;
    HASH_ITER (hh, a->entries, e, next)
        free_entry(e);
    forget_idle_askers(a);
    dns_queries_free(a->lookups);
    party_turns_free(a->turns);
    uv_close((uv_handle_t *)a->soon, (uv_close_cb)free);
    uv_close((uv_handle_t *)a->timer, (uv_close_cb)free);
    free(a);
}
