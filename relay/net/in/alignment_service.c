// SPDX-License-Identifier: BSD-2-Clause
/* alignment_service.c - A pair is judged when it is asked for; while DNS is pending it waits, and
 * is judged again when answers have come.
 *
 * Happy path: ask - judge: pending - DNS answers - judge: decided - all who asked are told.
 *
 * Failure modes:
 * - DNS is slow: after 3 seconds those who asked are told "unknown"; when the answers come the pair
 *   is judged for the next one
 * - DNS fails: "unknown" is the verdict, for a few seconds
 * - keys or settings change: the epoch moves on, and what shards remember is out of date
 */
#include "alignment_service.h"

#include "clock.h"
#include "directory.h"
#include "dns_cache.h"
#include "log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum { PATIENCE_MS = 3000, TICK_MS = 50, UNKNOWN_S = 5, PAIRS_MAX = 10000, EPOCHS = 1024 };

struct pair {
    char key[2 * ADDRESS_DOMAIN_MAX + 68];
    char author[ADDRESS_DOMAIN_MAX + 1], return_domain[ADDRESS_DOMAIN_MAX + 1];
    char tenant[64]; /* that asked last */
    char origin[64]; /* "", or whose mail it is about */
    struct alignment_key keys[ALIGNMENT_KEYS_MAX];
    size_t key_count;
    unsigned keys_epoch, judged_epoch;
    struct alignment alignment;
    enum alignment_state logged;
    int64_t pending_ms;                         /* since when it waits for DNS */
    struct alignment_service_question *waiting; /* list */
    UT_hash_handle hh;
};

struct alignment_service {
    struct inbox inbox;
    const struct config *config;
    struct directory *directory;
    struct dns_cache *answers;
    struct suffixes *suffixes;
    struct pair *pairs;
    size_t waiting;
    atomic_uint epochs[EPOCHS]; /* by the hash of a From domain */
    uv_timer_t patience, again;
};

/* ---- judging ---- */

static void note_key(void *context, const struct database_key *key)
{
    struct pair *p = context;
    if (key->life.state != KEY_ACTIVE || p->key_count == ALIGNMENT_KEYS_MAX)
        return;
    struct alignment_key *to = &p->keys[p->key_count++];
    to->algorithm = key->life.algorithm;
    snprintf(to->selector, sizeof(to->selector), "%s", key->life.selector);
    snprintf(to->public_key, sizeof(to->public_key), "%s", key->public_key);
}

static void read_keys(struct alignment_service *a, struct pair *p)
{
    unsigned epoch = alignment_service_epoch(a, p->author);
    if (p->keys_epoch == epoch)
        return;
    p->key_count = 0;
    directory_keys(a->directory, p->author, note_key, p);
    p->keys_epoch = epoch;
}

static void log_change(struct pair *p)
{
    const struct alignment *v = &p->alignment;
    if (v->state == p->logged)
        return;
    p->logged = v->state;
    struct log_line *line =
        log_text(log_begin(v->state == ALIGNMENT_PASS ? LOG_INFO : LOG_WARN, "alignment"), "domain",
                 p->author);
    line = log_text(line, "what", alignment_state_name(v->state));
    log_end(log_text(line, "reply", v->sentence));
}

static void judge(struct alignment_service *a, struct pair *p)
{
    struct alignment_detail detail;
    bool was_pending = p->alignment.state == ALIGNMENT_PENDING && p->judged_epoch > 0;
    read_keys(a, p);
    p->judged_epoch = alignment_service_epoch(a, p->author);
    const char *ips[ALIGNMENT_IPS_MAX];
    const struct alignment_input input = {.author = p->author,
                                          .return_domain = p->return_domain,
                                          .helo = config_tenant_helo(a->config, p->origin),
                                          .public_ips = ips,
                                          .ip_count = config_tenant_ips(a->config, p->origin, ips),
                                          .keys = p->keys,
                                          .key_count = p->key_count,
                                          .suffixes = a->suffixes,
                                          .now_ms = clock_now_ms()};
    dns_cache_ask_for(a->answers, p->tenant);
    alignment_judge(&input, dns_cache_dns(a->answers), &p->alignment, &detail);
    if (p->alignment.state == ALIGNMENT_UNKNOWN && p->alignment.ttl_s > UNKNOWN_S)
        p->alignment.ttl_s = UNKNOWN_S;
    if (p->alignment.state != ALIGNMENT_PENDING)
        log_change(p);
    else if (!was_pending)
        p->pending_ms = clock_steady_ms();
}

/* Whoever asks for a pair waits for DNS, but only in the pair's first 3 seconds. */
static bool is_ripe(const struct pair *p)
{
    return p->alignment.state != ALIGNMENT_PENDING ||
           clock_steady_ms() - p->pending_ms >= PATIENCE_MS;
}

static void answer(struct alignment_service *a, struct pair *p,
                   struct alignment_service_question *q)
{
    LL_DELETE(p->waiting, q);
    a->waiting--;
    q->alignment = p->alignment;
    if (q->alignment.state == ALIGNMENT_PENDING) {
        q->alignment = (struct alignment){.state = ALIGNMENT_UNKNOWN, .ttl_s = UNKNOWN_S};
        snprintf(q->alignment.sentence, sizeof(q->alignment.sentence),
                 "DNS has not answered within %d s", PATIENCE_MS / 1000);
    }
    q->epoch = p->judged_epoch;
    q->item.run = q->answered;
    inbox_post(q->home, &q->item);
}

static void answer_all(struct alignment_service *a, struct pair *p)
{
    while (p->waiting && is_ripe(p))
        answer(a, p, p->waiting);
}

/* ---- DNS has something new ---- */

static void on_again(uv_timer_t *timer)
{
    struct alignment_service *a = timer->data;
    for (struct pair *p = a->pairs; p; p = p->hh.next) {
        if (p->alignment.state != ALIGNMENT_PENDING)
            continue;
        judge(a, p);
        answer_all(a, p);
    }
}

/* Many answers come at once: all are looked at together, after them. */
static void on_changed(void *context)
{
    struct alignment_service *a = context;
    uv_timer_start(&a->again, on_again, 0, 0);
}

static void on_patience(uv_timer_t *timer)
{
    struct alignment_service *a = timer->data;
    for (struct pair *p = a->pairs; p && a->waiting > 0; p = p->hh.next)
        answer_all(a, p);
    if (a->waiting == 0)
        uv_timer_stop(&a->patience);
}

/* ---- questions ---- */

static void forget_idle(struct alignment_service *a)
{
    struct pair *p;
    struct pair *next;
    HASH_ITER (hh, a->pairs, p, next) {
        if (p->waiting)
            continue;
        HASH_DEL(a->pairs, p);
        free(p);
    }
}

static struct pair *find_pair(struct alignment_service *a,
                              const struct alignment_service_question *q)
{
    char key[sizeof(((struct pair *)0)->key)];
    struct pair *p = NULL;
    snprintf(key, sizeof(key), "%s/%s/%s", q->author, q->return_domain, q->origin);
    HASH_FIND_STR(a->pairs, key, p);
    if (p)
        return p;
    if (HASH_COUNT(a->pairs) >= PAIRS_MAX)
        forget_idle(a);
    p = xcalloc(1, sizeof(*p));
    snprintf(p->key, sizeof(p->key), "%s", key);
    snprintf(p->author, sizeof(p->author), "%s", q->author);
    snprintf(p->return_domain, sizeof(p->return_domain), "%s", q->return_domain);
    snprintf(p->origin, sizeof(p->origin), "%s", q->origin);
    HASH_ADD_STR(a->pairs, key, p);
    return p;
}

static void on_question(struct inbox_item *item)
{
    struct alignment_service_question *q = (struct alignment_service_question *)item;
    struct alignment_service *a = q->alignment_service;
    struct pair *p = find_pair(a, q);
    snprintf(p->tenant, sizeof(p->tenant), "%s", q->tenant);
    LL_APPEND(p->waiting, q);
    a->waiting++;
    judge(a, p);
    answer_all(a, p);
    if (a->waiting > 0 && !uv_is_active((uv_handle_t *)&a->patience))
        uv_timer_start(&a->patience, on_patience, TICK_MS, TICK_MS);
}

void alignment_service_ask(struct alignment_service *a, struct alignment_service_question *question)
{
    question->alignment_service = a;
    question->item.run = on_question;
    inbox_post(&a->inbox, &question->item);
}

/* Domains that share a place are judged anew together, which is harmless. */
static size_t place_of(const char *domain)
{
    unsigned hash = 0;
    HASH_JEN(domain, strlen(domain), hash);
    return hash % EPOCHS;
}

unsigned alignment_service_epoch(const struct alignment_service *a, const char *author)
{
    return atomic_load(&a->epochs[place_of(author)]);
}

void alignment_service_keys_changed(struct alignment_service *a, const char *domain)
{
    atomic_fetch_add(&a->epochs[place_of(domain)], 1);
}

void alignment_service_change_config(struct alignment_service *a, const struct config *config)
{
    bool same = config_same_origin(a->config, config);
    a->config = config;
    for (size_t i = 0; i < EPOCHS && !same; i++)
        atomic_fetch_add(&a->epochs[i], 1);
}

/* ---- the whole ---- */

bool alignment_service_new(uv_loop_t *loop, const struct config *config,
                           struct directory *directory,
                           struct alignment_service **alignment_service_r, struct err *err)
{
    struct alignment_service *a = xcalloc(1, sizeof(*a));
    if (!dns_cache_new(loop, config, NULL, on_changed, a, &a->answers, err)) {
        free(a);
        return false;
    }
    a->config = config;
    a->directory = directory;
    a->suffixes = suffixes_new();
    for (size_t i = 0; i < EPOCHS; i++)
        atomic_store(&a->epochs[i], 1);
    inbox_init(&a->inbox, loop);
    uv_timer_init(loop, &a->patience);
    uv_timer_init(loop, &a->again);
    a->patience.data = a->again.data = a;
    *alignment_service_r = a;
    return true;
}

void alignment_service_close(struct alignment_service *a)
{
    CHECK(a->waiting == 0);
    forget_idle(a);
    dns_cache_free(a->answers);
    a->answers = NULL;
    uv_close((uv_handle_t *)&a->patience, NULL);
    uv_close((uv_handle_t *)&a->again, NULL);
    inbox_close(&a->inbox);
}

void alignment_service_free(struct alignment_service *a)
{
    if (!a)
        return;
    suffixes_free(a->suffixes);
    free(a);
}
