// SPDX-License-Identifier: BSD-2-Clause
/* shard.c - A thread, its loop, and the end of both: listeners close first, sessions and attempts
 * finish, then all the rest.
 */
#include "shard.h"

#include "alignment_cache.h"
#include "attempt.h"
#include "dial.h"
#include "http_connection.h"
#include "listener.h"
#include "log.h"
#include "next_hop.h"
#include "outbound.h"
#include "refusals.h"
#include "rejects.h"
#include "session.h"

#include <stdlib.h>

enum { UNRECORDED_MAX = 16, DRAIN_MS = 18 * 1000, PATIENCE_MS = 1000 };

static void close_rest(struct shard *s)
{
    s->stopped = true;
    next_hop_abandon_all(s);
    inbox_close(&s->inbox);
    uv_close((uv_handle_t *)&s->drain_timer, NULL);
    uv_close((uv_handle_t *)&s->patience, NULL);
    uv_close((uv_handle_t *)&s->turn, NULL);
    uv_close((uv_handle_t *)&s->works_turn, NULL);
}

void shard_something_ended(struct shard *s)
{
    if (!s->draining || s->stopped || s->sessions || s->attempts || s->http_connections ||
        s->works || s->errands > 0)
        return;
    outbound_close_all(s);
    dial_close_probes(s);
    if (!s->outbounds && !s->tries)
        close_rest(s);
}

static void on_drained_long_enough(uv_timer_t *timer)
{
    struct shard *s = timer->data;
    s->hastens = true;
    session_close_all(s);
    outbound_close_all(s);
    shard_something_ended(s);
}

struct order {
    struct inbox_item item;
    struct shard *shard;
    enum { DRAIN, CHANGE_SETTINGS, CHECK_ACCESS, CHECK_ROWS, MAKE_ROOM, MAKE_ROOM_FOR_VISIT } what;
    struct settings *settings; /* held */
    struct connection_place place;
    size_t hops; /* shards that have not looked yet */
};

static void drain(struct shard *s)
{
    s->draining = true;
    listener_close_all(s);
    session_drain_all(s);
    outbound_close_idle(s);
    http_connection_end_all(s);
    next_hop_abandon_all(s);
    uv_timer_start(&s->drain_timer, on_drained_long_enough, DRAIN_MS, 0);
    shard_something_ended(s);
}

static void on_order(struct inbox_item *item);

static void order(const struct order *what)
{
    struct order *o = xcalloc(1, sizeof(*o));
    *o = *what;
    o->item.run = on_order;
    inbox_post(&o->shard->inbox, &o->item);
}

static bool make_room_here(const struct order *o)
{
    return o->what == MAKE_ROOM ? session_make_room(o->shard, &o->place)
                                : http_connection_make_room(o->shard, &o->place);
}

/* Here, or at the next one. */
static void make_room(const struct order *o)
{
    struct common *common = o->shard->common;
    bool made = make_room_here(o);
    if (made || o->hops == 0)
        return;
    struct order next = *o;
    next.hops--;
    size_t at = (size_t)(o->shard - common->shards) + 1;
    next.shard = &common->shards[at % atomic_load(&common->shard_count)];
    order(&next);
}

static void on_order(struct inbox_item *item)
{
    struct order o = *(struct order *)item;
    free(item);
    switch (o.what) {
    case DRAIN:
        drain(o.shard);
        break;
    case CHANGE_SETTINGS:
        settings_drop(o.shard->settings);
        o.shard->settings = o.settings;
        session_change_settings(o.shard);
        break;
    case CHECK_ACCESS:
        session_check_all(o.shard);
        break;
    case CHECK_ROWS:
        outbound_check_rows(o.shard);
        break;
    case MAKE_ROOM:
    case MAKE_ROOM_FOR_VISIT:
        make_room(&o);
        break;
    }
}

void shard_drain(struct shard *s)
{
    order(&(struct order){.shard = s, .what = DRAIN});
}

/* None before all shards have begun: until then each looks for itself. */
static size_t hops(const struct common *common)
{
    size_t count = atomic_load(&common->shard_count);
    return count > 0 ? count - 1 : 0;
}

void shard_make_room(struct shard *s, const struct connection_place *place)
{
    struct common *common = s->common;
    struct order o = {.shard = s, .what = MAKE_ROOM, .place = *place, .hops = hops(common)};
    for (size_t i = 0; o.hops > 0 && i <= o.hops; i++)
        if (atomic_load(&common->shards[i].oldest_ms) < atomic_load(&o.shard->oldest_ms))
            o.shard = &common->shards[i];
    if (o.shard == s)
        make_room(&o);
    else
        order(&o);
}

void shard_make_room_for_http(struct shard *s, const struct connection_place *place)
{
    make_room(&(struct order){
        .shard = s, .what = MAKE_ROOM_FOR_VISIT, .place = *place, .hops = hops(s->common)});
}

void shard_check_rows(struct shard *s)
{
    order(&(struct order){.shard = s, .what = CHECK_ROWS});
}

void shard_check_access(struct shard *s)
{
    order(&(struct order){.shard = s, .what = CHECK_ACCESS});
}

void shard_change_settings(struct shard *s, struct settings *settings)
{
    order(
        &(struct order){.shard = s, .what = CHANGE_SETTINGS, .settings = settings_hold(settings)});
}

static void run_work(struct shard *s, struct dispatch_work *work)
{
    switch (work->kind) {
    case QUEUE_RESOLVE:
        next_hop_find(s, work);
        break;
    case QUEUE_OPEN:
        outbound_open(s, work);
        break;
    case QUEUE_SEND:
        outbound_send(s, work);
        break;
    case QUEUE_CLOSE:
        outbound_close(s, work);
        break;
    case QUEUE_HURRY:
        outbound_hurry(s, work);
        break;
    case QUEUE_SETTLE:
        attempt_start(s, work);
        break;
    case QUEUE_EVENT:
        UNREACHABLE();
    }
}

/* One in each turn of the loop: most of them end in a signature, and whoever waits for a reply is
 * not to wait for several. What is delivered and not yet written down would go twice after a crash:
 * while there is much of it nothing more goes (C3). */
static void on_works_turn(uv_idle_t *turn)
{
    struct shard *s = turn->data;
    struct inbox_item *item = s->works;
    if (s->unrecorded >= UNRECORDED_MAX) {
        uv_idle_stop(turn);
        return;
    }
    s->works = item->next;
    if (!s->works)
        uv_idle_stop(turn);
    run_work(s, (struct dispatch_work *)item);
    shard_something_ended(s);
}

void shard_recorded(struct shard *s)
{
    CHECK(s->unrecorded > 0);
    s->unrecorded--;
    if (s->works)
        uv_idle_start(&s->works_turn, on_works_turn);
}

void shard_add_work(struct shard *s, struct dispatch_work *work)
{
    work->item.next = NULL;
    if (!s->works)
        s->works_end = &s->works;
    *s->works_end = &work->item;
    s->works_end = &work->item.next;
    uv_idle_start(&s->works_turn, on_works_turn);
}

static void on_dispatch(struct inbox_item *item)
{
    struct dispatch_work *work = (struct dispatch_work *)item;
    shard_add_work(work->shard, work);
}

void shard_dispatch(struct shard *s, struct dispatch_work *work)
{
    work->item.run = on_dispatch;
    inbox_post(&s->inbox, &work->item);
}

/* ---- the way to the store and back ---- */

struct errand {
    struct inbox_item item;
    struct shard *shard;
    struct store_job *job;
    struct settings *settings; /* held, or NULL */
    shard_on_stored *done;
};

static void on_returned(struct inbox_item *item)
{
    struct errand *e = (struct errand *)item;
    struct shard *shard = e->shard;
    struct store_job *job = e->job;
    shard_on_stored *done = e->done;
    struct settings *settings = e->settings;
    free(e);
    done(shard, job);
    settings_drop(settings);
    shard->errands--;
    shard_something_ended(shard);
}

static void on_answered(struct store_job *job)
{
    struct errand *e = job->owner;
    inbox_post(&e->shard->inbox, &e->item);
}

void shard_ask_store(struct shard *s, struct store_job *job, shard_on_stored *done)
{
    shard_ask_store_by(s, NULL, job, done);
}

void shard_ask_store_by(struct shard *s, struct settings *settings, struct store_job *job,
                        shard_on_stored *done)
{
    struct errand *e = xcalloc(1, sizeof(*e));
    e->item.run = on_returned;
    e->shard = s;
    e->job = job;
    e->done = done;
    e->settings = settings ? settings_hold(settings) : NULL;
    job->owner = e;
    job->answer = on_answered;
    s->errands++;
    store_put(s->common->store, job);
}

/* ---- the thread ---- */

static void on_patience(uv_timer_t *timer)
{
    struct shard *s = timer->data;
    refusals_tick(s->common->refusals);
    rejects_tick(s->common->rejected_clients);
    rejects_tick(s->common->rejected_http);
    session_end_strangers(s);
    session_end_slow(s);
}

static void on_end_of_turn(uv_prepare_t *turn)
{
    (void)turn;
    log_end_of_turn();
}

static void *run_thread(void *context)
{
    struct shard *s = context;
    log_turns();
    uv_run(&s->loop, UV_RUN_DEFAULT);
    inbox_post(s->notify, &s->ended);
    return NULL;
}

bool shard_start(struct shard *s, struct common *common, struct settings *settings,
                 const int *sockets, struct err *err)
{
    s->common = common;
    s->settings = settings_hold(settings);
    atomic_store(&s->oldest_ms, UINT64_MAX);
    s->verdicts = alignment_cache_new();
    CHECK(uv_loop_init(&s->loop) == 0);
    inbox_init(&s->inbox, &s->loop);
    uv_timer_init(&s->loop, &s->drain_timer);
    uv_timer_init(&s->loop, &s->patience);
    uv_idle_init(&s->loop, &s->works_turn);
    s->works_turn.data = s;
    uv_prepare_init(&s->loop, &s->turn);
    uv_prepare_start(&s->turn, on_end_of_turn);
    s->patience.data = s;
    uv_timer_start(&s->patience, on_patience, PATIENCE_MS, PATIENCE_MS);
    s->drain_timer.data = s;
    bool ok = database_open(settings->config->state_dir, DATABASE_READ, &s->reader, err) &&
              resolver_new(&s->loop, settings->config, &s->resolver, err) &&
              listener_open_all(s, sockets, err);
    if (!ok) { /* the handles that are there are closed by a loop that runs only for that */
        listener_close_all(s);
        close_rest(s);
    }
    CHECK(pthread_create(&s->thread, NULL, run_thread, s) == 0);
    return ok;
}

void shard_join(struct shard *s)
{
    pthread_join(s->thread, NULL);
    while (s->inbox.first) { /* nobody is left to run it */
        struct inbox_item *item = s->inbox.first;
        s->inbox.first = item->next;
        free(item);
    }
    CHECK(uv_loop_close(&s->loop) == 0);
    settings_drop(s->settings);
    database_close(s->reader);
    alignment_cache_free(s->verdicts);
}
