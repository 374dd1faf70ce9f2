// SPDX-License-Identifier: BSD-2-Clause
/* store.c - What is promised of a message once it is taken, whoever keeps it; and the way to who
 * does: an engine (store_engine.h), of which sqlite_store.c is the one there is.
 *
 * States of a recipient, and the function that makes each move (all inside the transaction):
 *
 *          rows_accept             rows_settle              rows_end
 *   (none) ──────────▶ waiting ───────────────────▶ done ───────────▶ (row gone, its events stay)
 *                      │ ▲  │                                ▲
 *                      │ │  └─────────────────────▶ bounced ─┘
 *                      │ │       rows_settle
 *                      ▼ │
 *                     held
 *
 *   waiting ─▶ held     rows_settle (damaged record), database_queue_change (hold)
 *   held ─▶ waiting     database_queue_change (release)
 *   waiting ─▶ waiting  rows_settle (later), database_queue_change (retry)
 *   waiting ─▶ done     duplicates_replace (a newer one says the same)
 *   any ─▶ done         database_queue_change (delete)
 *   any ─▶ waiting      database_queue_change (return): with its last answer, then bounced
 *
 * A message whose sender is owed a report stays until that is accepted (reports.c).
 *
 * Guaranteed:
 *   1. An accept is answered STORE_ACCEPTED only after its bytes are synced and its rows committed
 *      (C1).
 *   2. After any crash a recipient is in exactly one of these states, as a transaction is whole or
 *      not at all (C2). The transaction that settles a failure also owes its report (C6).
 *   3. An outcome is kept and tried again until it is recorded; meanwhile store_paused() stops
 *      delivery (C5).
 *   4. A segment is unlinked only after the commit that settled its last message.
 *   5. Orphans (bytes without a row) were never acknowledged; they are removed at the next start.
 */
#include "store.h"

#include "db.h"
#include "directory_parts.h"
#include "reader.h"
#include "secret.h"
#include "segments.h"
#include "store_engine.h"

#include <stdio.h>
#include <stdlib.h>

static const struct store_engine *const engine = &store_engine_sqlite;

/* ---- the engine's ---- */

bool store_create(const char *state_dir, struct err *err)
{
    return engine->create(state_dir, err);
}

bool store_run_alone(const char *state_dir, store_on_change *run, void *context, struct err *err)
{
    return engine->run_alone(state_dir, run, context, err);
}

static void free_store(struct store *store)
{
    directory_free(store->directory);
    recent_fini(&store->recent);
    receiving_fini(&store->receiving);
    secret_clear(store->content_key, sizeof(store->content_key));
    pthread_mutex_destroy(&store->reports_mutex);
    free(store->state_dir);
    free(store);
}

bool store_start(const char *state_dir, const struct store_events *events, struct store **store_r,
                 struct err *err)
{
    struct store *store = xcalloc(1, engine->size);
    store->state_dir = xstrdup(state_dir);
    store->events = *events;
    recent_init(&store->recent);
    receiving_init(&store->receiving);
    pthread_mutex_init(&store->reports_mutex, NULL);
    if (!engine->start(store, err)) {
        free_store(store);
        return false;
    }
    *store_r = store;
    return true;
}

bool store_stop(struct store *store)
{
    bool recorded = engine->stop(store);
    free_store(store);
    return recorded;
}

void store_put(struct store *store, struct store_job *job)
{
    engine->put(store, job);
}

void store_tell(struct store *store, const struct database_event *event)
{
    store_put(store, &store_tell_new(event)->job);
}

int64_t store_new_id(struct store *store)
{
    return engine->new_id(store);
}

int64_t store_new_segment(struct store *store)
{
    return engine->new_segment(store);
}

bool store_paused(struct store *store)
{
    return engine->paused(store);
}

/* ---- the same for all ---- */

const unsigned char *store_content_key(const struct store *store)
{
    return store->content_key;
}

struct directory *store_directory(const struct store *store)
{
    return store->directory;
}

uint64_t store_revision(const struct store *store)
{
    return atomic_load(&store->revision);
}

const char *store_state_dir(const struct store *store)
{
    return store->state_dir;
}

uint64_t store_outbox_news(const struct store *store)
{
    return atomic_load(&store->outbox_news);
}

bool store_disk(const struct store *store, struct store_disk *disk_r)
{
    return segments_disk(store->state_dir, disk_r);
}

void store_give_up(struct store *store)
{
    atomic_store(&store->giving_up, true);
}

struct mail *store_recent(struct store *store, int64_t id)
{
    return recent_take(&store->recent, id);
}

void store_lend_counts(const struct store *store, struct database *db)
{
    db->leases = store->leases;
}

void store_ask(struct store *store, struct store_question *q)
{
    reader_ask(store->reader, q);
}

void store_set_reports(struct store *store, const char *hostname,
                       const struct throttle_settings *throttle)
{
    struct reports r = {.mode = throttle->mode, .limit = throttle->report};
    snprintf(r.hostname, sizeof(r.hostname), "%s", hostname);
    pthread_mutex_lock(&store->reports_mutex);
    store->reports = r;
    pthread_mutex_unlock(&store->reports_mutex);
}
