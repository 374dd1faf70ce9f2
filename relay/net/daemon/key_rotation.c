// SPDX-License-Identifier: BSD-2-Clause
/* key_rotation.c - Each second the domains are gone through, and for each the step that is due is
 * begun (`rotation` says which), several side by side, beginning behind the domain that was served
 * last: who is silent holds up only itself.
 *
 * Happy path: make (on libuv's pool) - publish, if the record is in a zone of ours - look, again
 * and again - switch - retire. A restart goes on where the last relay was.
 *
 * Failure modes: a server does not answer, or the record goes away again (looked for again, from
 * the beginning) - nsupdate or the store fails (the operator is told; that domain is tried again
 * after a minute).
 */
#include "key_rotation.h"

#include "clock.h"
#include "directory.h"
#include "key_rotation_step.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    SOON_MS = 5 * 1000, /* between two looks at a key that is new */
    SELDOM_MS = 60 * 1000,
    NEW_MS = 15 * 60 * 1000,
    KEYS_OF_DOMAIN_MAX = 64,
    STEPS_MAX = 8 /* at once; a look has a resolver for each server of a zone */
};

struct held_key {
    struct database_key key;
    size_t place;
    int64_t looked_ms; /* when last; by the steady clock */
    int64_t rest_ms;   /* something failed: its domain is left alone until then */
};

struct rotator {
    struct step_owner owner;
    struct inbox inbox;
    uv_timer_t tick;
    struct held_key **keys; /* by domain */
    size_t count;
    struct step *steps[STEPS_MAX]; /* under way, in no order */
    size_t step_count;
    char turn[ADDRESS_DOMAIN_MAX + 1]; /* the domain that was served last */
    bool closing;
};

static void close_handles(struct rotator *r)
{
    uv_close((uv_handle_t *)&r->tick, NULL);
    inbox_close(&r->inbox);
}

/* ---- what steps say ---- */

static void on_written(void *context, const char *domain)
{
    rotator_keys_changed(context, domain);
}

static void on_failed(void *context, const char *domain)
{
    struct rotator *r = context;
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->keys[i]->key.domain, domain) == 0)
            r->keys[i]->rest_ms = clock_steady_ms() + SELDOM_MS;
}

static void on_ended(void *context, struct step *t)
{
    struct rotator *r = context;
    for (size_t i = 0; i < r->step_count; i++)
        if (r->steps[i] == t) {
            r->steps[i] = r->steps[--r->step_count];
            break;
        }
    if (r->closing && r->step_count == 0)
        close_handles(r);
}

/* ---- the keys ---- */

struct held_keys {
    struct held_key **items;
    size_t count, size;
};

static void note_key(void *context, const struct database_key *key)
{
    struct held_keys *list = context;
    struct held_key *held = xcalloc(1, sizeof(*held));
    held->key = *key;
    if (list->count == list->size) {
        list->size = list->size ? 2 * list->size : 16;
        list->items = xgrow(list->items, list->size, sizeof(struct held_key *));
    }
    list->items[list->count++] = held;
}

/* Those of one domain stay as they are: they come as they were made. */
static int by_domain(const void *left, const void *right)
{
    const struct held_key *a = *(struct held_key *const *)left;
    const struct held_key *b = *(struct held_key *const *)right;
    int domains = strcmp(a->key.domain, b->key.domain);
    return domains != 0 ? domains : (a->place > b->place) - (a->place < b->place);
}

static void load(struct rotator *r)
{
    struct held_keys all = {0};
    directory_keys(store_directory(r->owner.store), NULL, note_key, &all);
    for (size_t i = 0; i < all.count; i++)
        all.items[i]->place = i;
    if (all.count > 0)
        qsort(all.items, all.count, sizeof(struct held_key *), by_domain);
    r->keys = all.items;
    r->count = all.count;
}

/* Where the domain is, or would be. */
static size_t find_domain(const struct rotator *r, const char *domain)
{
    size_t from = 0;
    size_t to = r->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(r->keys[middle]->key.domain, domain) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Behind the last key of the domain that is there. */
static size_t end_of_domain(const struct rotator *r, size_t first, const char *domain)
{
    while (first < r->count && strcmp(r->keys[first]->key.domain, domain) == 0)
        first++;
    return first;
}

static void carry_over(struct held_key *to, const struct held_key *from)
{
    to->rest_ms = from->rest_ms > to->rest_ms ? from->rest_ms : to->rest_ms;
    if (strcmp(from->key.life.selector, to->key.life.selector) == 0)
        to->looked_ms = from->looked_ms;
}

void rotator_keys_changed(struct rotator *r, const char *domain)
{
    struct held_keys fresh = {0};
    size_t first = find_domain(r, domain);
    size_t end = end_of_domain(r, first, domain);
    size_t behind = r->count - end;
    directory_keys(store_directory(r->owner.store), domain, note_key, &fresh);
    for (size_t i = first; i < end; i++) {
        for (size_t k = 0; k < fresh.count; k++)
            carry_over(fresh.items[k], r->keys[i]);
        free(r->keys[i]);
    }
    size_t count = first + fresh.count + behind;
    if (count > r->count)
        r->keys = xgrow(r->keys, count, sizeof(struct held_key *));
    if (behind > 0)
        memmove(r->keys + first + fresh.count, r->keys + end, behind * sizeof(struct held_key *));
    for (size_t k = 0; k < fresh.count; k++)
        r->keys[first + k] = fresh.items[k];
    r->count = count;
    free(fresh.items);
}

/* ---- domain by domain ---- */

static bool is_under_way(const struct rotator *r, const char *domain)
{
    for (size_t i = 0; i < r->step_count; i++)
        if (strcmp(step_domain(r->steps[i]), domain) == 0)
            return true;
    return false;
}

static bool is_due(struct held_key *held, enum rotation_step what)
{
    int64_t steady_ms = clock_steady_ms();
    int64_t age_ms = clock_now_ms() - held->key.life.created_ms;
    int64_t pause_ms = age_ms < NEW_MS ? SOON_MS : SELDOM_MS;
    if (what != ROTATION_LOOK)
        return what != ROTATION_NOTHING;
    if (held->looked_ms > 0 && steady_ms < held->looked_ms + pause_ms)
        return false;
    held->looked_ms = steady_ms;
    return true;
}

/* The keys of one domain, from `first` up to `end`. */
static void serve(struct rotator *r, size_t first, size_t end)
{
    const struct config *config = r->owner.config;
    const struct rotation_settings settings = {
        .every_ms = (int64_t)config->dkim.rotate_days * 24 * 3600 * 1000,
        .lifetime_ms = (int64_t)config->dkim.lifetime_s * 1000};
    struct rotation_key keys[KEYS_OF_DOMAIN_MAX];
    size_t count = 0;
    size_t which = 0;
    const char *domain = r->keys[first]->key.domain;
    for (size_t i = first; i < end && count < KEYS_OF_DOMAIN_MAX; i++)
        keys[count++] = r->keys[i]->key.life;
    enum rotation_step what = rotation_due(keys, count, &settings, clock_now_ms(), &which);
    struct held_key *held = r->keys[first + which];
    if (is_under_way(r, domain) || clock_steady_ms() < r->keys[first]->rest_ms ||
        !is_due(held, what))
        return;
    snprintf(r->turn, sizeof(r->turn), "%s", domain);
    r->steps[r->step_count++] = step_start(&r->owner, &held->key, what, keys, count);
}

/* The domains behind `turn`, or those up to it. */
static void go_through(struct rotator *r, const char *turn, bool behind)
{
    size_t probes = r->owner.first->probes;
    size_t most = probes > 0 && probes < STEPS_MAX ? probes : STEPS_MAX;
    for (size_t first = 0; first < r->count && r->step_count < most;) {
        size_t end = end_of_domain(r, first, r->keys[first]->key.domain);
        if ((strcmp(r->keys[first]->key.domain, turn) > 0) == behind)
            serve(r, first, end);
        first = end;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct rotator *r = timer->data;
    char turn[sizeof(r->turn)];
    if (r->closing)
        return;
    memcpy(turn, r->turn, sizeof(turn));
    go_through(r, turn, true);
    go_through(r, turn, false);
}

void rotator_change_config(struct rotator *r, const struct config *config)
{
    r->owner.config = config;
}

/* ---- the whole ---- */

struct rotator *rotator_new(uv_loop_t *loop, int helper, const struct opener *opener,
                            const struct config *config, struct store *store)
{
    struct rotator *r = xcalloc(1, sizeof(*r));
    r->owner = (struct step_owner){.loop = loop,
                                   .inbox = &r->inbox,
                                   .store = store,
                                   .helper = helper,
                                   .opener = opener,
                                   .config = config,
                                   .first = config,
                                   .written = on_written,
                                   .failed = on_failed,
                                   .ended = on_ended,
                                   .context = r};
    load(r);
    inbox_init(&r->inbox, loop);
    uv_timer_init(loop, &r->tick);
    r->tick.data = r;
    uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
    return r;
}

void rotator_close(struct rotator *r)
{
    r->closing = true;
    for (size_t i = 0; i < r->step_count; i++)
        step_abandon(r->steps[i]);
    if (r->step_count == 0)
        close_handles(r);
}

void rotator_free(struct rotator *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        free(r->keys[i]);
    free(r->keys);
    free(r);
}
