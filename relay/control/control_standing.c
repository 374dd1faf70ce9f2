// SPDX-License-Identifier: BSD-2-Clause
/* control_standing.c - Verbs about the relay itself: its state, and the settings in force. */
#include "clock.h"
#include "control_parts.h"
#include "destinations.h"
#include "keyring.h"
#include "queued.h"
#include "standing.h"
#include "store.h"

/* What stops mail as a whole. */
static void add_store(const struct control *c, struct store *store)
{
    struct store_disk disk;
    PUT(c->answer, FLAG("paused", store_paused(store)));
    if (store_disk(store, &disk))
        PUT(c->answer, FIELD("disk_free", (int64_t)disk.free_bytes),
            FIELD("disk_kept", (int64_t)disk.kept_bytes),
            FLAG("disk_full", disk.free_bytes <= disk.kept_bytes));
}

static void add_key(void *context, const struct database_key *key, const char *why)
{
    if (why)
        json_array_append_new(context,
                              ROW(FIELD("domain", (const char *)key->domain), FIELD("why", why)));
}

/* What stops the mail of a domain, now or as soon as keys are read again: its files may have gone
 * since that was done the last time, and what was read then signs. All else is told anyway. */
static void add_keys(struct database *db, const struct control *c)
{
    struct err failed = {0};
    json_t *list = json_array();
    if (!keyring_look(store_state_dir(c->relay->store), db, add_key, list, &failed))
        PUT(c->answer, FIELD("keys_unknown", (const char *)failed.text));
    if (json_array_size(list) > 0)
        PUT(c->answer, FIELD("unsigned", json_incref(list)));
    json_decref(list);
}

static size_t count_resting(const struct control *c)
{
    struct destinations_list list;
    size_t resting = 0;
    c->relay->calls->read(c->relay->dispatch, &list);
    for (size_t i = 0; i < list.count; i++)
        resting += list.rows[i].rest_ms > 0;
    destinations_list_fini(&list);
    return resting;
}

bool control_status(struct database *db, struct control *c, struct err *err)
{
    struct standing_copy now;
    struct database_states n = {0};
    if (!c->relay)
        return err_set(err, ERR_UNREACHABLE, "no relay is running");
    if (!database_queue_states(db, clock_now_ms(), &n, err))
        return false;
    standing_read(c->relay->standing, &now);
    PUT(c->answer, FIELD("version", SEALPOST_VERSION), FIELD("started", now.started_ms),
        FIELD("queued", n.due + n.deferred + n.held), FIELD("waiting", n.due),
        FIELD("deferred", n.deferred), FIELD("held", n.held), FIELD("resting", count_resting(c)),
        FIELD("file", now.file), FIELD("loaded", now.loaded_ms), FIELD("dnssec", now.dnssec),
        FIELD("trust_anchor", (const char *)now.trust_anchor));
    if (now.dns.lasts)
        PUT(c->answer,
            FIELD("dns_silent_since", clock_now_ms() - (clock_steady_ms() - now.dns.since_ms)));
    add_store(c, c->relay->store);
    if (now.refused_ms > 0) {
        PUT(c->answer, FIELD("refused_at", now.refused_ms), FIELD("refused", now.refused));
    }
    standing_copy_fini(&now);
    add_keys(db, c);
    return true;
}

bool control_config(struct database *db, struct control *c, struct err *err)
{
    struct standing_copy now;
    (void)db;
    if (!c->relay)
        return err_set(err, ERR_UNREACHABLE, "no relay is running");
    standing_read(c->relay->standing, &now);
    PUT(c->answer, FIELD("config", now.text), FIELD("file", now.file));
    if (now.refused_ms > 0)
        PUT(c->answer, FIELD("refused", now.refused));
    standing_copy_fini(&now);
    return true;
}
