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
#include "key_rotation_step.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    RELOAD_MS = 60 * 1000,
    SOON_MS = 5 * 1000, /* between two looks at a key that is new */
    SELDOM_MS = 60 * 1000,
    NEW_MS = 15 * 60 * 1000,
    KEYS_OF_DOMAIN_MAX = 64,
    STEPS_MAX = 8 /* at once; a look has a resolver for each server of a zone */
};

struct held_key {
    struct database_key key;
    int64_t looked_ms; /* when last; by the steady clock */
    int64_t rest_ms;   /* something failed: its domain is left alone until then */
};

struct rotator {
    struct step_owner owner;
    struct database *reader;
    void (*changed)(void *context, const char *domain);
    void *context;
    struct inbox inbox;
    uv_timer_t tick;
    struct held_key *keys; /* by domain */
    size_t count;
    int64_t loaded_ms;             /* 0: to be read again */
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

static void on_stale(void *context, const char *domain, bool changed)
{
    struct rotator *r = context;
    r->loaded_ms = 0;
    if (changed)
        r->changed(r->context, domain);
}

static void on_failed(void *context, const char *domain)
{
    struct rotator *r = context;
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->keys[i].key.domain, domain) == 0)
            r->keys[i].rest_ms = clock_steady_ms() + SELDOM_MS;
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

static void note_key(void *context, const struct database_key *key)
{
    struct rotator *r = context;
    r->keys = xgrow(r->keys, r->count + 1, sizeof(*r->keys));
    r->keys[r->count++] = (struct held_key){.key = *key};
}

static void carry_over(struct held_key *to, const struct held_key *from)
{
    to->rest_ms = from->rest_ms > to->rest_ms ? from->rest_ms : to->rest_ms;
    if (strcmp(from->key.life.selector, to->key.life.selector) == 0)
        to->looked_ms = from->looked_ms;
}

static void load(struct rotator *r)
{
    struct err err = {0};
    struct held_key *before = r->keys;
    size_t count = r->count;
    r->keys = NULL;
    r->count = 0;
    if (!database_keys(r->reader, NULL, note_key, r, &err))
        log_event(LOG_ERROR, "keys_not_read", "reply", err.text);
    /* Both lists are in the order of their domains. */
    for (size_t i = 0, k = 0; i < r->count; i++) {
        const struct database_key *key = &r->keys[i].key;
        while (k < count && strcmp(before[k].key.domain, key->domain) < 0)
            k++;
        for (size_t n = k; n < count && strcmp(before[n].key.domain, key->domain) == 0; n++)
            carry_over(&r->keys[i], &before[n]);
    }
    free(before);
    r->loaded_ms = clock_steady_ms();
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
    const char *domain = r->keys[first].key.domain;
    for (size_t i = first; i < end && count < KEYS_OF_DOMAIN_MAX; i++)
        keys[count++] = r->keys[i].key.life;
    enum rotation_step what = rotation_due(keys, count, &settings, clock_now_ms(), &which);
    struct held_key *held = &r->keys[first + which];
    if (is_under_way(r, domain) || clock_steady_ms() < r->keys[first].rest_ms ||
        !is_due(held, what))
        return;
    snprintf(r->turn, sizeof(r->turn), "%s", domain);
    r->steps[r->step_count++] = step_start(&r->owner, &held->key, what, keys, count);
}

static size_t end_of_domain(const struct rotator *r, size_t first)
{
    size_t at = first;
    while (at < r->count && strcmp(r->keys[at].key.domain, r->keys[first].key.domain) == 0)
        at++;
    return at;
}

/* The domains behind `turn`, or those up to it. */
static void go_through(struct rotator *r, const char *turn, bool behind)
{
    for (size_t first = 0; first < r->count && r->step_count < STEPS_MAX;) {
        size_t end = end_of_domain(r, first);
        if ((strcmp(r->keys[first].key.domain, turn) > 0) == behind)
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
    if (r->loaded_ms == 0 || clock_steady_ms() > r->loaded_ms + RELOAD_MS)
        load(r);
    memcpy(turn, r->turn, sizeof(turn));
    go_through(r, turn, true);
    go_through(r, turn, false);
}

void rotator_keys_changed(struct rotator *r)
{
    r->loaded_ms = 0;
}

void rotator_change_config(struct rotator *r, const struct config *config)
{
    r->owner.config = config;
}

/* ---- the whole ---- */

bool rotator_new(uv_loop_t *loop, int helper, const struct opener *opener,
                 const struct config *config, struct store *store,
                 void (*changed)(void *context, const char *domain), void *context,
                 struct rotator **rotator_r, struct err *err)
{
    struct rotator *r = xcalloc(1, sizeof(*r));
    if (!database_open(config->state_dir, DATABASE_READ, &r->reader, err)) {
        free(r);
        return false;
    }
    r->owner = (struct step_owner){.loop = loop,
                                   .inbox = &r->inbox,
                                   .store = store,
                                   .helper = helper,
                                   .opener = opener,
                                   .config = config,
                                   .first = config,
                                   .stale = on_stale,
                                   .failed = on_failed,
                                   .ended = on_ended,
                                   .context = r};
    r->changed = changed;
    r->context = context;
    inbox_init(&r->inbox, loop);
    uv_timer_init(loop, &r->tick);
    r->tick.data = r;
    uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
    *rotator_r = r;
    return true;
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
    database_close(r->reader);
    free(r->keys);
    free(r);
}
