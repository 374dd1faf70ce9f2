// SPDX-License-Identifier: BSD-2-Clause
/* shard.c - Starts and ends a shard's thread and loop. At the end listeners close first, then
 * sessions and attempts finish, then everything else. */
#include "shard.h"

#include "listener.h"
#include "log.h"
#include "refusals.h"
#include "rejects.h"

#include <stdlib.h>

enum { DRAIN_MS = 18 * 1000, PATIENCE_MS = 1000, EXACT_TRIES = 16 };

static void close_rest(struct shard *s)
{
    s->stopped = true;
    deliveries_close(&s->deliveries);
    inbox_close(&s->worker.inbox);
    uv_close((uv_handle_t *)&s->drain_timer, NULL);
    uv_close((uv_handle_t *)&s->patience, NULL);
    uv_close((uv_handle_t *)&s->turn, NULL);
    uv_close((uv_handle_t *)&s->woken, NULL);
}

static void on_something_ended(struct worker *w)
{
    struct shard *s = OWNER_OF(w, struct shard, worker);
    if (!w->draining || s->stopped || s->sessions.all || s->http.all || s->returns.all ||
        w->under_way > 0 || deliveries_are_under_way(&s->deliveries))
        return;
    if (deliveries_have_ended(&s->deliveries))
        close_rest(s);
}

static void on_drained_long_enough(uv_timer_t *timer)
{
    struct shard *s = timer->data;
    s->worker.hastens = true;
    sessions_close(&s->sessions);
    return_sessions_close(&s->returns);
    deliveries_end_all(&s->deliveries);
    worker_something_ended(&s->worker);
}

static void drain(struct shard *s)
{
    s->worker.draining = true;
    listener_close_all(&s->listeners);
    sessions_drain(&s->sessions);
    deliveries_drain(&s->deliveries);
    http_connection_end_all(&s->http);
    return_sessions_drain(&s->returns);
    uv_timer_start(&s->drain_timer, on_drained_long_enough, DRAIN_MS, 0);
    worker_something_ended(&s->worker);
}

/* ---- what shards are told ---- */

struct order {
    struct inbox_item item;
    struct shard *shard;
    enum {
        DRAIN,
        CHANGE_SETTINGS,
        CHECK_ACCESS,
        FIND_ROOM,
        MAKE_ROOM_OF_TENANT,
        MAKE_ROOM,
        MAKE_ROOM_FOR_HTTP,
        MAKE_ROOM_FOR_RETURN
    } what;
    struct settings *settings; /* held */
    struct connection_place place;
    size_t hops;         /* shards that have not looked yet */
    size_t tries;        /* may be looked for once more so often */
    uint64_t first;      /* see sessions_first_to_go() */
    struct shard *found; /* which has that one */
};

static void on_order(struct inbox_item *item);

/* It has ended before it heard of it. */
static void drop_order(struct inbox_item *item)
{
    struct order *o = (struct order *)item;
    if (o->what == CHANGE_SETTINGS)
        settings_drop(o->settings);
    free(o);
}

static void order(const struct order *what)
{
    struct order *o = xcalloc(1, sizeof(*o));
    *o = *what;
    o->item = (struct inbox_item){.run = on_order, .drop = drop_order};
    inbox_post(&o->shard->worker.inbox, &o->item);
}

static struct shard *next_shard(const struct shard *s)
{
    struct common *common = s->common;
    size_t at = (size_t)(s - common->shards) + 1;
    return &common->shards[at % atomic_load(&common->shard_count)];
}

/* None before all shards have begun: until then each looks for itself. */
static size_t hops(const struct common *common)
{
    size_t count = atomic_load(&common->shard_count);
    return count > 0 ? count - 1 : 0;
}

static bool make_room_here(const struct order *o)
{
    if (o->what == MAKE_ROOM)
        return sessions_make_room(&o->shard->sessions, &o->place);
    return o->what == MAKE_ROOM_FOR_HTTP ? http_connection_make_room(&o->shard->http, &o->place)
                                         : return_sessions_make_room(&o->shard->returns, &o->place);
}

/* Nobody was there: it has left, logged in, or made room for another one. */
static bool finds_another_place(struct order *o)
{
    struct common *common = o->shard->common;
    struct connection_limits *limits = o->what == MAKE_ROOM ? common->sessions.connection_limits
                                       : o->what == MAKE_ROOM_FOR_HTTP ? common->http.limits
                                                                       : common->returns.limits;
    o->hops = hops(common);
    return connection_limits_look_again(limits, &o->place);
}

/* Here, or at the next one; when all have looked, for another one. */
static void make_room(const struct order *o)
{
    struct order next = *o;
    if (make_room_here(o))
        return;
    if (o->hops > 0) {
        next.hops--;
        next.shard = next_shard(o->shard);
    } else if (!finds_another_place(&next)) {
        return;
    }
    order(&next);
}

/* Of all shards, the one that has the session that goes first; never from inside a session. */
static void look_for_first(const struct order *o)
{
    struct order next = *o;
    next.what = FIND_ROOM;
    next.hops = hops(o->shard->common);
    next.first = UINT64_MAX;
    next.found = o->shard;
    order(&next);
}

/* Others that looked at the same time have found the same one, and it may be gone: all look again,
 * in the end only before one that is at work goes for an idle one. */
static void make_room_of_tenant(const struct order *o)
{
    uint64_t here = sessions_first_to_go(&o->shard->sessions, &o->place);
    bool exact = o->tries > hops(o->shard->common) + 2;
    bool worse =
        exact ? here > o->first : sessions_is_busy_turn(here) && !sessions_is_busy_turn(o->first);
    if ((worse || here == UINT64_MAX) && o->tries > 0) {
        struct order again = *o;
        again.tries--;
        look_for_first(&again);
        return;
    }
    (void)sessions_make_room(&o->shard->sessions, &o->place);
    sessions_made_room(&o->shard->sessions, &o->place);
}

/* When all have looked, it is made where the best one was. */
static void find_room(const struct order *o)
{
    struct order next = *o;
    uint64_t here = sessions_first_to_go(&o->shard->sessions, &o->place);
    if (here < o->first) {
        next.first = here;
        next.found = o->shard;
    }
    if (o->hops > 0) {
        next.hops--;
        next.shard = next_shard(o->shard);
    } else {
        next.what = MAKE_ROOM_OF_TENANT;
        next.shard = next.found;
    }
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
        worker_change_settings(&o.shard->worker, o.settings);
        sessions_change_settings(&o.shard->sessions);
        deliveries_change_settings(&o.shard->deliveries);
        break;
    case CHECK_ACCESS:
        sessions_check_access(&o.shard->sessions);
        break;
    case FIND_ROOM:
        find_room(&o);
        break;
    case MAKE_ROOM_OF_TENANT:
        make_room_of_tenant(&o);
        break;
    case MAKE_ROOM:
    case MAKE_ROOM_FOR_HTTP:
    case MAKE_ROOM_FOR_RETURN:
        make_room(&o);
        break;
    }
}

void shard_drain(struct shard *s)
{
    order(&(struct order){.shard = s, .what = DRAIN});
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

/* ---- places ---- */

/* Where the first of all strangers is. */
static void make_room_for_mail(struct sessions *home, const struct connection_place *place)
{
    struct shard *s = OWNER_OF(home, struct shard, sessions);
    struct common *common = s->common;
    struct order o = {.shard = s, .what = MAKE_ROOM, .place = *place, .hops = hops(common)};
    if (place->tenant[0]) {
        o.tries = EXACT_TRIES + o.hops + 2; /* then each time a shard has no more idle ones */
        look_for_first(&o);
        return;
    }
    for (size_t i = 0; o.hops > 0 && i <= o.hops; i++)
        if (atomic_load(&common->shards[i].sessions.oldest_ms) <
            atomic_load(&o.shard->sessions.oldest_ms))
            o.shard = &common->shards[i];
    if (o.shard == s)
        make_room(&o);
    else
        order(&o);
}

static void make_room_for_http(struct http_connections *home, const struct connection_place *place)
{
    struct shard *s = OWNER_OF(home, struct shard, http);
    make_room(&(struct order){
        .shard = s, .what = MAKE_ROOM_FOR_HTTP, .place = *place, .hops = hops(s->common)});
}

static void make_room_for_return(struct return_sessions *home, const struct connection_place *place)
{
    struct shard *s = OWNER_OF(home, struct shard, returns);
    make_room(&(struct order){
        .shard = s, .what = MAKE_ROOM_FOR_RETURN, .place = *place, .hops = hops(s->common)});
}

/* ---- the thread ---- */

static void on_mail_client(void *context, int fd, bool implicit_tls)
{
    struct shard *s = context;
    sessions_accept(&s->sessions, fd, implicit_tls);
}

static void on_http_client(void *context, int fd, bool implicit_tls)
{
    struct shard *s = context;
    http_connection_accept(&s->http, fd, implicit_tls);
}

static void on_return_client(void *context, int fd, bool proxied)
{
    struct shard *s = context;
    return_sessions_accept(&s->returns, fd, proxied);
}

static unsigned return_wait_ms(void *context)
{
    struct shard *s = context;
    return return_sessions_wait_ms(&s->returns);
}

static void on_patience(uv_timer_t *timer)
{
    struct shard *s = timer->data;
    refusals_tick(s->common->sessions.refusals);
    rejects_tick(s->common->sessions.rejects);
    rejects_tick(s->common->http.rejects);
    return_shared_tick(&s->common->returns);
    sessions_end_slow(&s->sessions);
}

static void set_awake(struct shard *s, bool awake)
{
    struct signing_threads *threads = s->common->deliveries.signing_threads;
    if (s->awake == awake)
        return;
    s->awake = awake;
    if (awake)
        signing_threads_awake(threads);
    else
        signing_threads_asleep(threads);
}

static void on_end_of_turn(uv_prepare_t *turn)
{
    log_end_of_turn();
    set_awake(turn->data, false);
}

static void on_woken(uv_check_t *woken)
{
    set_awake(woken->data, true);
}

static void *run_thread(void *context)
{
    struct shard *s = context;
    log_turns();
    set_awake(s, true);
    uv_run(&s->worker.loop, UV_RUN_DEFAULT);
    set_awake(s, false);
    inbox_post(s->notify, &s->ended);
    return NULL;
}

static void start_timers(struct shard *s)
{
    uv_loop_t *loop = &s->worker.loop;
    uv_timer_init(loop, &s->drain_timer);
    uv_timer_init(loop, &s->patience);
    uv_prepare_init(loop, &s->turn);
    uv_check_init(loop, &s->woken);
    s->patience.data = s->drain_timer.data = s->turn.data = s->woken.data = s;
    uv_prepare_start(&s->turn, on_end_of_turn);
    uv_check_start(&s->woken, on_woken);
    uv_timer_start(&s->patience, on_patience, PATIENCE_MS, PATIENCE_MS);
}

bool shard_start(struct shard *s, struct common *common, struct settings *settings,
                 const int *sockets, struct err *err)
{
    const struct listener_clients clients = {.mail = on_mail_client,
                                             .http = on_http_client,
                                             .returns = on_return_client,
                                             .returns_wait_ms = return_wait_ms,
                                             .context = s,
                                             .mail_quota = &common->sessions.quota,
                                             .http_quota = &common->http.quota,
                                             .return_quota = &common->returns.quota};
    s->common = common;
    worker_init(&s->worker, common->store, settings, on_something_ended);
    sessions_init(&s->sessions, &s->worker, &common->sessions, make_room_for_mail);
    deliveries_init(&s->deliveries, &s->worker, &common->deliveries);
    s->http = (struct http_connections){
        .worker = &s->worker, .shared = &common->http, .make_room = make_room_for_http};
    s->returns = (struct return_sessions){
        .worker = &s->worker, .shared = &common->returns, .make_room = make_room_for_return};
    start_timers(s);
    bool ok =
        deliveries_open(&s->deliveries, err) &&
        listener_open_all(&s->worker.loop, settings->config, sockets, &clients, &s->listeners, err);
    if (!ok) { /* the handles that are there are closed by a loop that runs only for that */
        listener_close_all(&s->listeners);
        close_rest(s);
    }
    CHECK(pthread_create(&s->thread, NULL, run_thread, s) == 0);
    return ok;
}

void shard_join(struct shard *s)
{
    pthread_join(s->thread, NULL);
    worker_fini(&s->worker);
    sessions_fini(&s->sessions);
}
