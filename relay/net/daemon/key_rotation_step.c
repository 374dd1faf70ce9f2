// SPDX-License-Identifier: BSD-2-Clause
/* key_rotation_step.c - One step of one domain's keys.
 *
 * Making is done on libuv's pool; looking asks all servers of the zone, and ends after 20 s when
 * they are silent; each change is a transaction of the store before anybody acts on it.
 */
#include "key_rotation_step.h"

#include "clock.h"
#include "dkim_record.h"
#include "keyring.h"
#include "log.h"
#include "publish.h"
#include "records.h"
#include "zone_prober.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 20 * 1000 };

struct step {
    struct step_owner *owner;
    struct database_key subject;
    enum rotation_step what;
    bool closing;
    uv_timer_t soon;
    uv_work_t work;
    struct inbox_item item;
    struct store_change *change;
    struct err err;
    const char *state_dir; /* of the first config: others may be freed meanwhile */
    unsigned rsa_bits;
    struct zone_prober *zone_prober;
    int64_t began_ms;
    char selector_name[DNS_NAME_MAX + 1];
    const char *names[2];
    struct program *publish;
};

static void on_closed(uv_handle_t *handle)
{
    struct step *t = handle->data;
    struct step_owner *owner = t->owner;
    owner->ended(owner->context, t);
    free(t);
}

static void end(struct step *t)
{
    uv_close((uv_handle_t *)&t->soon, on_closed);
}

/* The operator is told, once for each try. */
static void fail(struct step *t, const char *event, const char *why)
{
    log_end(
        log_text(log_text(log_begin(LOG_ERROR, event), "domain", t->subject.domain), "reply", why));
    t->owner->failed(t->owner->context, t->subject.domain);
}

/* ---- writing down ---- */

/* In the store's transaction. */
static bool write_subject(struct database *db, void *context, struct err *err)
{
    const struct step *t = context;
    switch (t->what) {
    case ROTATION_MAKE:
        return database_add_key(db, &t->subject, err);
    case ROTATION_SWITCH:
    case ROTATION_RETIRE:
        return database_key_step(db, &t->subject, err);
    case ROTATION_LOOK:
        return database_set_key(db, &t->subject, err);
    case ROTATION_NOTHING:
        return true;
    }
    UNREACHABLE();
}

static void log_step(const struct step *t)
{
    static const char *const words[] = {
        [ROTATION_MAKE] = "key_made: its record is to be published, see 'sealpost dns DOMAIN'",
        [ROTATION_LOOK] = "key_seen",
        [ROTATION_SWITCH] = "key_signs: the one before stays published until its mail has arrived",
        [ROTATION_RETIRE] = "key_retired: its record may be taken out of DNS"};
    char event[32];
    const char *text = words[t->what];
    snprintf(event, sizeof(event), "%.*s", (int)strcspn(text, ":"), text);
    const char *what = strchr(text, ':');
    log_end(log_text(log_text(log_text(log_begin(LOG_INFO, event), "domain", t->subject.domain),
                              "selector", t->subject.life.selector),
                     "what", what ? what + 2 : ""));
}

static void on_written(struct inbox_item *item)
{
    struct step *t = OWNER_OF(item, struct step, item);
    bool ok = t->change->result == STORE_CHANGED;
    if (!ok)
        fail(t, "key_not_changed", t->change->job.err.text);
    store_job_free(&t->change->job);
    t->change = NULL;
    if (ok && (t->what != ROTATION_LOOK || t->subject.life.seen_ms > 0))
        log_step(t);
    t->owner->written(t->owner->context, t->subject.domain);
    end(t);
}

static void on_answered(struct store_job *job)
{
    struct step *t = job->owner;
    inbox_post(t->owner->inbox, &t->item);
}

static void write_down(struct step *t)
{
    t->change = store_change_new(write_subject, t);
    t->change->job.answer = on_answered;
    t->change->job.owner = t;
    t->item.run = on_written;
    store_put(t->owner->store, &t->change->job);
}

/* ---- making ---- */

static void make(uv_work_t *work)
{
    struct step *t = work->data;
    struct buf public_key;
    struct database_key *key = &t->subject;
    buf_init(&public_key, sizeof(key->public_key) - 1);
    t->err.kind = ERR_NONE;
    if (keyring_make(t->state_dir, key->domain, key->life.selector, key->life.algorithm,
                     t->rsa_bits, &public_key, &t->err))
        snprintf(key->public_key, sizeof(key->public_key), "%s", buf_text(&public_key));
    buf_fini(&public_key);
}

static void on_made(uv_work_t *work, int status)
{
    struct step *t = work->data;
    if (status == 0 && t->err.kind == ERR_NONE) {
        write_down(t);
        return;
    }
    fail(t, "key_not_made", t->err.text);
    end(t);
}

static bool start_making(struct step *t, const struct rotation_key *keys, size_t count)
{
    struct database_key *key = &t->subject;
    const struct config *config = t->owner->config;
    bool zone = config->dkim.zone[0] != '\0';
    int64_t now_ms = clock_now_ms();
    if (!rotation_selector(keys, count, key->life.algorithm, zone, now_ms, key->life.selector))
        return false;
    key->life.state = KEY_PENDING;
    key->life.created_ms = key->life.since_ms = now_ms;
    key->life.seen_ms = key->life.wait_s = 0;
    key->delegated[0] = '\0';
    if (zone &&
        !rotation_target(key->life.selector, key->domain, config->dkim.zone, key->delegated))
        return false;
    t->work.data = t;
    t->state_dir = t->owner->first->state_dir;
    t->rsa_bits = config->dkim.rsa_bits;
    return uv_queue_work(t->owner->loop, &t->work, make, on_made) == 0;
}

/* ---- looking ---- */

/* At all servers of the user's zone, and of ours when the record is there? False: DNS is
 * pending. */
static bool look_everywhere(const struct step *t, const struct zone_probe *s, bool *everywhere_r,
                            bool *in_our_zone_r, uint32_t *ttl_s_r)
{
    size_t asked = 0;
    *everywhere_r = *in_our_zone_r = true;
    *ttl_s_r = 0;
    for (size_t k = 0; k < COUNT_OF(t->names) && t->names[k]; k++) {
        for (size_t i = 0; i < s->count; i++) {
            const struct dns *dns = s->servers[i].dns;
            if (!zone_probe_answers_for(s, &s->servers[i], t->names[k]))
                continue;
            const struct dns_answer *a = dns->ask(dns->context, t->names[k], DNS_TXT);
            if (a->status == DNS_PENDING)
                return false;
            bool there =
                a->count == 1 && dkim_record_compare(a->rrs[0].data, t->subject.life.algorithm,
                                                     span_of(t->subject.public_key)) == DKIM_OK;
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
    struct step *t = context;
    t->publish = NULL;
    if (why)
        fail(t, "key_not_published", why);
    end(t);
}

static void publish_record(struct step *t)
{
    struct record record;
    const struct records_key key = {.selector = t->subject.life.selector,
                                    .public_key = t->subject.public_key,
                                    .algorithm = t->subject.life.algorithm,
                                    .delegated = t->subject.delegated};
    records_dkim(t->subject.domain, &key, &record);
    if (!record.name[0]) {
        on_published(t, "the name of its record would be over 253 octets");
        return;
    }
    t->publish = publish_start(t->owner->loop, t->owner->helper, t->owner->opener, t->owner->config,
                               record.name, record.value, on_published, t);
}

static void end_look(struct step *t, bool everywhere, bool in_our_zone, uint32_t ttl_s)
{
    zone_prober_free(t->zone_prober);
    t->zone_prober = NULL;
    bool changed = rotation_looked(&t->subject.life, everywhere, ttl_s, clock_now_ms());
    if (!in_our_zone && t->owner->config->dkim.zone[0] && !t->closing)
        publish_record(t);
    else if (changed)
        write_down(t);
    else
        end(t);
}

static void on_soon(uv_timer_t *timer)
{
    struct step *t = timer->data;
    bool everywhere = false;
    bool in_our_zone = true;
    uint32_t ttl_s = 0;
    if (!t->zone_prober)
        return;
    const struct zone_probe *s = zone_prober_look(t->zone_prober);
    if (s && look_everywhere(t, s, &everywhere, &in_our_zone, &ttl_s))
        end_look(t, everywhere, in_our_zone, ttl_s);
    else if (clock_steady_ms() - t->began_ms >= LOOK_MS) /* its servers are silent */
        end_look(t, false, true, 0);
    else
        uv_timer_start(&t->soon, on_soon, LOOK_MS / 4, 0);
}

/* From inside the zone prober: it must not be freed here. */
static void on_news(void *context)
{
    struct step *t = context;
    if (!uv_is_closing((uv_handle_t *)&t->soon))
        uv_timer_start(&t->soon, on_soon, 0, 0);
}

static bool start_looking(struct step *t)
{
    t->began_ms = clock_steady_ms();
    struct err err = {0};
    char name[2 * DNS_NAME_MAX];
    snprintf(name, sizeof(name), "%s._domainkey.%s", t->subject.life.selector, t->subject.domain);
    if (!span_copy(span_of(name), t->selector_name, sizeof(t->selector_name)))
        return false;
    t->names[0] = t->selector_name;
    t->names[1] = t->subject.delegated[0] ? t->subject.delegated : NULL;
    if (!zone_prober_new(t->owner->loop, t->owner->first, t->names, t->names[1] ? 2 : 1, on_news, t,
                         &t->zone_prober, &err)) {
        fail(t, "key_not_looked_for", err.text);
        return false;
    }
    on_news(t);
    return true;
}

/* ---- the whole ---- */

static bool begin(struct step *t, const struct rotation_key *keys, size_t count)
{
    switch (t->what) {
    case ROTATION_NOTHING:
        return false;
    case ROTATION_MAKE:
        return start_making(t, keys, count);
    case ROTATION_LOOK:
        return start_looking(t);
    case ROTATION_SWITCH:
    case ROTATION_RETIRE:
        t->subject.life.state = t->what == ROTATION_SWITCH ? KEY_ACTIVE : KEY_RETIRED;
        t->subject.life.since_ms = clock_now_ms();
        write_down(t);
        return true;
    }
    UNREACHABLE();
}

struct step *step_start(struct step_owner *owner, const struct database_key *subject,
                        enum rotation_step what, const struct rotation_key *keys, size_t count)
{
    struct step *t = xcalloc(1, sizeof(*t));
    t->owner = owner;
    t->subject = *subject;
    t->what = what;
    uv_timer_init(owner->loop, &t->soon);
    t->soon.data = t;
    if (!begin(t, keys, count))
        end(t);
    return t;
}

const char *step_domain(const struct step *t)
{
    return t->subject.domain;
}

void step_abandon(struct step *t)
{
    t->closing = true;
    if (t->publish)
        program_kill(t->publish);
    if (!t->zone_prober)
        return;
    zone_prober_free(t->zone_prober); /* nobody waits for it */
    t->zone_prober = NULL;
    end(t);
}
