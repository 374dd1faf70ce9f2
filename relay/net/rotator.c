// SPDX-License-Identifier: BSD-2-Clause
/* rotator.c - One thing at a time: each second the domains are gone through, and the first step
 * that is due is taken (`rotation` says which); when it is done, the next.
 *
 * Happy path: make (on libuv's pool) - publish, if the record is in a zone of ours - look, again
  * and
 * again - switch - retire. Each step is a transaction of the store before anybody acts on it, so
 * that a restart goes on where the last relay was.
 *
 * Failure modes: a server does not answer, or the record goes away again (looked for again, from
  * the
 * beginning) - nsupdate fails (tried again; the operator is told) - the store fails (tried again).
 */
#include "rotator.h"

#include "accounts.h"
#include "clock.h"
#include "dkim_record.h"
#include "inbox.h"
#include "keyring.h"
#include "log.h"
#include "publish.h"
#include "records.h"
#include "rotation.h"
#include "surveyor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    RELOAD_MS = 60 * 1000,
    SOON_MS = 5 * 1000, /* between two looks at a key that is new */
    SELDOM_MS = 60 * 1000,
    NEW_MS = 15 * 60 * 1000,
    KEYS_OF_DOMAIN_MAX = 64
};

struct held_key {
    struct database_key key;
    int64_t looked_ms; /* when last; by the steady clock */
};

struct rotator {
    uv_loop_t *loop;
    const struct config *config;
    struct store *store;
    struct database *reader;
    void (*changed)(void *context);
    void *context;
    struct inbox inbox;
    struct inbox_item item;
    uv_timer_t tick, soon;
    uv_work_t work;
    struct held_key *keys; /* by domain */
    size_t count;
    int64_t loaded_ms; /* 0: to be read again */
    int64_t rest_ms;   /* something failed: nothing is done until then */
    bool busy, closing;
    /* What is under way. */
    struct database_key subject;
    enum rotation_step step;
    const struct config *making; /* the settings that a key is made by, on another thread */
    struct store_job *job;
    struct err err;
    struct surveyor *surveyor;
    char selector_name[DNS_NAME_MAX + 1];
    const char *names[2];
    struct errand *publish;
    int helper;
};

static void close_handles(struct rotator *r)
{
    uv_close((uv_handle_t *)&r->tick, NULL);
    uv_close((uv_handle_t *)&r->soon, NULL);
    inbox_close(&r->inbox);
}

static void finish(struct rotator *r)
{
    r->busy = false;
    if (r->closing)
        close_handles(r);
}

/* The operator is told, once for each try. */
static void rest(struct rotator *r, const char *event, const char *why)
{
    r->rest_ms = clock_steady_ms() + SELDOM_MS;
    log_end(
        log_text(log_text(log_begin(LOG_ERROR, event), "domain", r->subject.domain), "reply", why));
}

/* ---- the keys ---- */

static void note_key(void *context, const struct database_key *key)
{
    struct rotator *r = context;
    r->keys = xgrow(r->keys, r->count + 1, sizeof(*r->keys));
    r->keys[r->count++] = (struct held_key){.key = *key};
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
            if (strcmp(before[n].key.life.selector, key->life.selector) == 0)
                r->keys[i].looked_ms = before[n].looked_ms;
    }
    free(before);
    r->loaded_ms = clock_steady_ms();
}

/* ---- writing down ---- */

/* In the store's transaction. */
static bool write_subject(struct database *db, void *context, struct err *err)
{
    const struct rotator *r = context;
    switch (r->step) {
    case ROTATION_MAKE:
        return database_add_key(db, &r->subject, err);
    case ROTATION_SWITCH:
    case ROTATION_RETIRE:
        return database_key_step(db, &r->subject, err);
    case ROTATION_LOOK:
        return database_set_key(db, &r->subject, err);
    case ROTATION_NOTHING:
        return true;
    }
    UNREACHABLE();
}

static void log_step(const struct rotator *r)
{
    static const char *const words[] = {
        [ROTATION_MAKE] = "key_made: its record is to be published, see sealpost dns",
        [ROTATION_LOOK] = "key_seen",
        [ROTATION_SWITCH] = "key_signs: the one before stays published until its mail has arrived",
        [ROTATION_RETIRE] = "key_retired: its record may be taken out of DNS"};
    char event[32];
    const char *text = words[r->step];
    snprintf(event, sizeof(event), "%.*s", (int)strcspn(text, ":"), text);
    const char *what = strchr(text, ':');
    log_end(log_text(log_text(log_text(log_begin(LOG_INFO, event), "domain", r->subject.domain),
                              "selector", r->subject.life.selector),
                     "what", what ? what + 2 : ""));
}

static void on_written(struct inbox_item *item)
{
    struct rotator *r = (struct rotator *)(void *)((char *)item - offsetof(struct rotator, item));
    bool ok = r->job->ok;
    if (!ok)
        rest(r, "key_not_changed", r->job->err.text);
    store_job_free(r->job);
    r->job = NULL;
    if (ok && (r->step != ROTATION_LOOK || r->subject.life.seen_ms > 0))
        log_step(r);
    r->loaded_ms = 0;
    if (ok && r->step != ROTATION_LOOK)
        r->changed(r->context);
    finish(r);
}

static void on_answered(struct store_job *job)
{
    struct rotator *r = job->owner;
    inbox_post(&r->inbox, &r->item);
}

static void write_down(struct rotator *r)
{
    r->job = store_job_new(on_answered, r);
    r->item.run = on_written;
    r->job->run = write_subject;
    r->job->context = r;
    store_put(r->store, r->job);
}

/* ---- making ---- */

static void make(uv_work_t *work)
{
    struct rotator *r = work->data;
    struct buf public_key;
    struct database_key *key = &r->subject;
    buf_init(&public_key, sizeof(key->public_key) - 1);
    r->err.kind = ERR_NONE;
    if (keyring_make(r->making->state_dir, key->domain, key->life.selector, key->life.algorithm,
                     r->making->dkim.rsa_bits, &public_key, &r->err))
        snprintf(key->public_key, sizeof(key->public_key), "%s", buf_text(&public_key));
    buf_fini(&public_key);
}

static void on_made(uv_work_t *work, int status)
{
    struct rotator *r = work->data;
    if (status == 0 && r->err.kind == ERR_NONE) {
        write_down(r);
        return;
    }
    rest(r, "key_not_made", r->err.text);
    finish(r);
}

static bool start_making(struct rotator *r, const struct rotation_key *keys, size_t count)
{
    struct database_key *key = &r->subject;
    bool zone = r->config->dkim.zone[0] != '\0';
    int64_t now_ms = clock_now_ms();
    if (!rotation_selector(keys, count, key->life.algorithm, zone, now_ms, key->life.selector))
        return false;
    key->life.state = KEY_PENDING;
    key->life.created_ms = key->life.since_ms = now_ms;
    key->life.seen_ms = key->life.wait_s = 0;
    key->delegated[0] = '\0';
    if (zone &&
        !rotation_target(key->life.selector, key->domain, r->config->dkim.zone, key->delegated))
        return false;
    r->work.data = r;
    r->making = r->config;
    return uv_queue_work(r->loop, &r->work, make, on_made) == 0;
}

/* ---- looking ---- */

/* At all servers of the user's zone, and of ours when the record is there? False: DNS is
 * pending. */
static bool look_everywhere(const struct rotator *r, const struct survey *s, bool *everywhere_r,
                            bool *in_our_zone_r, uint32_t *ttl_s_r)
{
    size_t asked = 0;
    *everywhere_r = *in_our_zone_r = true;
    *ttl_s_r = 0;
    for (size_t k = 0; k < COUNT_OF(r->names) && r->names[k]; k++) {
        for (size_t i = 0; i < s->count; i++) {
            const struct dns *dns = s->servers[i].dns;
            if (!survey_answers_for(s, &s->servers[i], r->names[k]))
                continue;
            const struct dns_answer *a = dns->ask(dns->context, r->names[k], DNS_TXT);
            if (a->status == DNS_PENDING)
                return false;
            bool there =
                a->count == 1 && dkim_record_compare(a->rrs[0].data, r->subject.life.algorithm,
                                                     span_of(r->subject.public_key)) == DKIM_OK;
            *everywhere_r = *everywhere_r && there;
            *in_our_zone_r = *in_our_zone_r && (k == 0 || there);
            if (a->given_ttl_s > *ttl_s_r)
                *ttl_s_r = a->given_ttl_s;
            asked++;
        }
    }
    *everywhere_r = *everywhere_r && asked > 0;
    return true;
}

static void on_published(void *context, const char *why)
{
    struct rotator *r = context;
    r->publish = NULL;
    if (why)
        rest(r, "key_not_published", why);
    finish(r);
}

static void publish_record(struct rotator *r)
{
    struct record record;
    const struct records_key key = {.selector = r->subject.life.selector,
                                    .public_key = r->subject.public_key,
                                    .algorithm = r->subject.life.algorithm,
                                    .delegated = r->subject.delegated};
    records_dkim(r->subject.domain, &key, &record);
    r->publish =
        publish_start(r->loop, r->helper, r->config, record.name, record.value, on_published, r);
}

static void end_look(struct rotator *r, bool everywhere, bool in_our_zone, uint32_t ttl_s)
{
    surveyor_free(r->surveyor);
    r->surveyor = NULL;
    bool changed = rotation_looked(&r->subject.life, everywhere, ttl_s, clock_now_ms());
    if (!in_our_zone && r->config->dkim.zone[0] && !r->closing)
        publish_record(r);
    else if (changed)
        write_down(r);
    else
        finish(r);
}

static void on_soon(uv_timer_t *timer)
{
    struct rotator *r = timer->data;
    bool everywhere = false;
    bool in_our_zone = true;
    uint32_t ttl_s = 0;
    if (!r->surveyor)
        return;
    const struct survey *s = surveyor_look(r->surveyor);
    if (s && look_everywhere(r, s, &everywhere, &in_our_zone, &ttl_s))
        end_look(r, everywhere, in_our_zone, ttl_s);
}

/* From inside the surveyor: it must not be freed here. */
static void on_news(void *context)
{
    struct rotator *r = context;
    if (!uv_is_closing((uv_handle_t *)&r->soon))
        uv_timer_start(&r->soon, on_soon, 0, 0);
}

static bool start_looking(struct rotator *r)
{
    struct err err = {0};
    char name[2 * DNS_NAME_MAX];
    snprintf(name, sizeof(name), "%s._domainkey.%s", r->subject.life.selector, r->subject.domain);
    if (!span_copy(span_of(name), r->selector_name, sizeof(r->selector_name)))
        return false;
    r->names[0] = r->selector_name;
    r->names[1] = r->subject.delegated[0] ? r->subject.delegated : NULL;
    if (!surveyor_new(r->loop, r->config, r->names, r->names[1] ? 2 : 1, on_news, r, &r->surveyor,
                      &err)) {
        rest(r, "key_not_looked_for", err.text);
        return false;
    }
    on_news(r);
    return true;
}

/* ---- step by step ---- */

static bool take(struct rotator *r, struct held_key *held, enum rotation_step step,
                 const struct rotation_key *keys, size_t count)
{
    int64_t steady_ms = clock_steady_ms();
    int64_t age_ms = clock_now_ms() - held->key.life.created_ms;
    r->subject = held->key;
    r->step = step;
    switch (step) {
    case ROTATION_NOTHING:
        return false;
    case ROTATION_MAKE:
        return start_making(r, keys, count);
    case ROTATION_LOOK:
        if (held->looked_ms > 0 &&
            steady_ms < held->looked_ms + (age_ms < NEW_MS ? SOON_MS : SELDOM_MS))
            return false;
        held->looked_ms = steady_ms;
        return start_looking(r);
    case ROTATION_SWITCH:
    case ROTATION_RETIRE:
        r->subject.life.state = step == ROTATION_SWITCH ? KEY_ACTIVE : KEY_RETIRED;
        r->subject.life.since_ms = clock_now_ms();
        write_down(r);
        return true;
    }
    UNREACHABLE();
}

static void on_tick(uv_timer_t *timer)
{
    struct rotator *r = timer->data;
    const struct rotation_settings settings = {
        .every_ms = (int64_t)r->config->dkim.rotate_days * 24 * 3600 * 1000,
        .lifetime_ms = (int64_t)r->config->dkim.lifetime_s * 1000};
    if (r->busy || r->closing || clock_steady_ms() < r->rest_ms)
        return;
    if (r->loaded_ms == 0 || clock_steady_ms() > r->loaded_ms + RELOAD_MS)
        load(r);
    for (size_t first = 0; first < r->count && !r->busy;) {
        struct rotation_key keys[KEYS_OF_DOMAIN_MAX];
        size_t count = 0;
        size_t which = 0;
        size_t at = first;
        for (; at < r->count && strcmp(r->keys[at].key.domain, r->keys[first].key.domain) == 0;
             at++)
            if (count < KEYS_OF_DOMAIN_MAX)
                keys[count++] = r->keys[at].key.life;
        enum rotation_step step = rotation_due(keys, count, &settings, clock_now_ms(), &which);
        r->busy = step != ROTATION_NOTHING; /* it may end before it returns */
        if (r->busy && !take(r, &r->keys[first + which], step, keys, count))
            r->busy = false;
        first = at;
    }
}

void rotator_keys_changed(struct rotator *r)
{
    r->loaded_ms = 0;
}

void rotator_change_config(struct rotator *r, const struct config *config)
{
    r->config = config;
}

/* ---- the whole ---- */

bool rotator_new(uv_loop_t *loop, int helper, const struct config *config, struct store *store,
                 void (*changed)(void *context), void *context, struct rotator **rotator_r,
                 struct err *err)
{
    struct rotator *r = xcalloc(1, sizeof(*r));
    if (!database_open(config->state_dir, DATABASE_READ, &r->reader, err)) {
        free(r);
        return false;
    }
    r->loop = loop;
    r->helper = helper;
    r->config = config;
    r->store = store;
    r->changed = changed;
    r->context = context;
    inbox_init(&r->inbox, loop);
    uv_timer_init(loop, &r->tick);
    uv_timer_init(loop, &r->soon);
    r->tick.data = r->soon.data = r;
    uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
    *rotator_r = r;
    return true;
}

void rotator_close(struct rotator *r)
{
    r->closing = true;
    if (r->publish)
        errand_kill(r->publish);
    if (r->surveyor) { /* nobody waits for it */
        surveyor_free(r->surveyor);
        r->surveyor = NULL;
        r->busy = false;
    }
    if (!r->busy)
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
