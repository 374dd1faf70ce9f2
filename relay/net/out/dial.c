// SPDX-License-Identifier: BSD-2-Clause
/* dial.c - One `try` for each connection under way; the first whose server speaks wins.
 *
 * Failure modes:
 * - no connection, or no greeting in its time while another has one: the address rests
 * - it rests, or is full: the next one; where nothing else is left, the queue has the attempt back
 * - our own network refuses: the address is not to blame
 * - a probe that loses goes on by itself, for what it finds out
 *
 * Owner: the shard's list holds all tries. A reach frees itself when it ends.
 */
#include "dial.h"

#include "clock.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

enum { PROBE_MS = 10 * 1000, AGAIN_MS = 1000, TIME_MAX_MS = 24 * 3600 * 1000 };

struct dial_try {
    struct dial_try *next, *prev;
    struct deliveries *home;
    struct dial *reach; /* NULL: nobody waits for it any more */
    struct connection *connection;
    size_t which;
    struct endpoint at;
    bool opened, probe, timed_out;
    bool alone; /* it probes by itself: its address is no connection's of the queue */
};

struct dial {
    struct deliveries *home;
    struct dial_query query;
    uv_timer_t timer;
    struct dial_failure failure;
    bool theirs, ipv4; /* what stood in the way was not our network only; IPv4 was tried */
    bool starting;     /* nobody may be called yet */
    int64_t end_ms;    /* by the steady clock */
};

static void step(struct dial *r);

static struct dispatch *queue_of(const struct dial_try *t)
{
    return t->home->shared->dispatch;
}

static void set(struct dial *r, size_t which, enum candidate_state state)
{
    candidates_set(r->query.candidates, which, state, clock_steady_ms());
}

void dial_log_avoided(const char *host, const struct endpoint *at, const char *why, int64_t rest_ms)
{
    char ip[64];
    if (rest_ms <= 0)
        return;
    ip_print(&at->ip, ip);
    struct log_line *line = log_text(log_begin(LOG_INFO, "host_avoided"), "mx", host);
    line = log_text(log_text(line, "address", ip), "reply", why);
    log_end(log_number(line, "rest_ms", rest_ms));
}

/* Its address is not used while another is left. */
static void address_failed(const struct dial *r, const struct dial_try *t, const char *why)
{
    int64_t rest_ms = dispatch_address_failed(queue_of(t), r->query.number, &t->at);
    size_t host = r->query.candidates->all[t->which].host;
    dial_log_avoided(r->query.hosts->all[host].name, &t->at, why, rest_ms);
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Another is used. A probe goes on for what it finds out; of the others, the slow have failed. */
static void give_up(struct dial *r, struct dial_try *t)
{
    bool slow = candidates_too_slow(r->query.candidates, t->which, clock_steady_ms());
    t->reach = NULL;
    set(r, t->which, slow ? CANDIDATE_TRIED : CANDIDATE_LEFT);
    if (slow) {
        address_failed(r, t, t->opened ? "no greeting in time" : "no connection in time");
    } else if (t->probe && dispatch_probes_on(queue_of(t), r->query.number, &t->at)) {
        t->alone = true;
        connection_set_deadline(t->connection, PROBE_MS);
        return;
    } else {
        dispatch_address_left(queue_of(t), r->query.number, &t->at);
    }
    connection_close(t->connection, "another is used");
}

/* `but`: stays as it is; NULL: none. `opened`: those that wait for a greeting, too. */
static void give_up_others(struct dial *r, const struct dial_try *but, bool opened)
{
    struct dial_try *t;
    struct dial_try *next;
    DL_FOREACH_SAFE (r->home->tries, t, next) {
        if (t->reach == r && t != but && (opened || !t->opened))
            give_up(r, t);
    }
}

static void end(struct dial *r)
{
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

void dial_stop(struct dial *r)
{
    give_up_others(r, NULL, true);
    end(r);
}

static void fail(struct dial *r)
{
    r->failure.local = r->failure.tried && !r->theirs && r->ipv4;
    r->failure.no_ipv6 = r->failure.tried && !r->theirs && !r->ipv4 && !r->failure.ran_out;
    const struct dial_query query = r->query;
    const struct dial_failure failure = r->failure;
    end(r);
    query.events->failed(query.owner, &failure);
}

/* ---- one connection ---- */

static void drop_try(struct dial_try *t)
{
    DL_DELETE(t->home->tries, t);
    free(t);
}

/* What probes by itself knows now. */
static void probe_ends(struct dial_try *t, enum queue_probe what)
{
    if (t->alone)
        dispatch_probe_ended(queue_of(t), &t->at, what);
    t->alone = false;
}

static void on_bytes(void *owner, struct span bytes)
{
    struct dial_try *t = owner;
    struct dial *r = t->reach;
    if (!r) {
        struct buf quit;
        probe_ends(t, QUEUE_PROBE_WORKS);
        buf_init(&quit, 16);
        buf_add(&quit, SPAN("QUIT\r\n"));
        connection_finish(t->connection, &quit);
        buf_fini(&quit);
        return;
    }
    const struct dial_query query = r->query;
    struct connection *connection = t->connection;
    size_t which = t->which;
    dispatch_address_spoke(queue_of(t), query.number, &t->at);
    set(r, which, CANDIDATE_TRIED);
    give_up_others(r, t, true);
    drop_try(t);
    end(r);
    query.events->greeted(query.owner, connection, which, bytes);
}

static void on_opened(void *owner)
{
    struct dial_try *t = owner;
    t->opened = true;
    if (!t->reach) /* a probe: does its server speak, too? */
        return;
    t->reach->theirs = true;
    if (t->reach->query.silent) {
        on_bytes(t, SPAN_NONE);
        return;
    }
    connection_set_deadline(t->connection, (uint64_t)t->reach->query.greeting_s * 1000);
    set(t->reach, t->which, CANDIDATE_CONNECTED);
    give_up_others(t->reach, t, false);
    step(t->reach);
}

static void note_why(struct dial *r, const char *why)
{
    const struct config_source *s = r->query.source;
    snprintf(r->failure.why, sizeof(r->failure.why), "%s%s%s%s", why, s ? " (from source \"" : "",
             s ? s->name : "", s ? "\")" : "");
}

static void on_ended(void *owner, const char *why)
{
    struct dial_try *t = owner;
    struct dial *r = t->reach;
    struct deliveries *home = t->home;
    bool ours = connection_error_is_ours(t->connection);
    probe_ends(t, ours ? QUEUE_PROBE_LEFT : QUEUE_PROBE_FAILED);
    if (r) {
        if (ours)
            dispatch_address_left(queue_of(t), r->query.number, &t->at);
        else if (t->opened && !t->timed_out)
            dispatch_address_refused(queue_of(t), r->query.number, &t->at);
        else
            address_failed(r, t, why);
        log_end(log_text(log_begin(LOG_DEBUG, "next_host"), "reply", why));
        r->theirs = r->theirs || !ours;
        r->failure.tried = true;
        r->failure.which = t->which;
        r->failure.opened = t->opened;
        r->failure.timed_out = t->timed_out;
        note_why(r, why);
        set(r, t->which, CANDIDATE_TRIED);
    }
    drop_try(t);
    if (r)
        step(r);
    else
        worker_something_ended(home->worker);
}

static bool on_timed_out(void *owner)
{
    struct dial_try *t = owner;
    t->timed_out = true;
    return false;
}

static const struct connection_events events = {
    .opened = on_opened, .bytes = on_bytes, .timed_out = on_timed_out, .ended = on_ended};

/* ---- the steps ---- */

static void give_up_oldest(struct dial *r)
{
    size_t oldest = 0;
    struct dial_try *t;
    if (!candidates_crowded(r->query.candidates, &oldest))
        return;
    DL_FOREACH (r->home->tries, t) {
        if (t->reach == r && t->which == oldest)
            break;
    }
    CHECK(t != NULL);
    set(r, oldest, CANDIDATE_TRIED);
    t->reach = NULL;
    address_failed(r, t, "no answer in time");
    connection_close(t->connection, "given up");
}

/* Its address has been taken. */
static void begin(struct dial *r, size_t which, bool probe)
{
    struct candidate *one = &r->query.candidates->all[which];
    give_up_oldest(r);
    struct dial_try *t = xcalloc(1, sizeof(*t));
    *t = (struct dial_try){
        .home = r->home, .reach = r, .which = which, .at = one->at, .probe = probe};
    DL_APPEND(r->home->tries, t);
    one->probe = probe;
    set(r, which, CANDIDATE_CONNECTING);
    r->ipv4 = r->ipv4 || !one->at.ip.v6;
    const struct ip *from = r->query.source ? config_source_ip(r->query.source, &one->at.ip) : NULL;
    t->connection =
        connection_open(&r->home->worker->loop, &one->at, from, r->query.timeout_s, &events, t);
}

/* A server that was connected and has said nothing is what there is to tell, before others that
 * were not reached. */
static void note_silent(struct dial *r)
{
    const struct dial_try *t;
    DL_FOREACH (r->home->tries, t) {
        if (t->reach != r || !t->opened)
            continue;
        r->failure.tried = r->failure.opened = r->failure.timed_out = true;
        r->failure.which = t->which;
        return;
    }
}

/* There is no more time for this attempt. */
static void run_out(struct dial *r)
{
    note_silent(r);
    give_up_others(r, NULL, true);
    r->failure.ran_out = true;
    if (!r->failure.tried)
        snprintf(r->failure.why, sizeof(r->failure.why), "timed out");
    r->failure.tried = true;
    fail(r);
}

static void on_timer(uv_timer_t *timer)
{
    struct dial *r = timer->data;
    r->starting = false;
    step(r);
}

/* To step on so long from now, or at the end. When it comes early, step() waits for the rest. */
static void run_timer(struct dial *r, int64_t wait_ms)
{
    int64_t left_ms = r->end_ms - clock_steady_ms();
    if (wait_ms > left_ms)
        wait_ms = left_ms;
    uv_update_time(r->timer.loop); /* it counts from there */
    uv_timer_start(&r->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

/* Nothing can be begun just now; what is under way goes on. */
static void stand_still(struct dial *r)
{
    if (candidates_under_way(r->query.candidates))
        run_timer(r, AGAIN_MS);
    else if (r->starting)
        run_timer(r, 0);
    else
        fail(r);
}

static void step(struct dial *r)
{
    for (;;) {
        struct candidates_step next = candidates_next(r->query.candidates, clock_steady_ms());
        size_t which = 0;
        bool probe = false;
        if (clock_steady_ms() >= r->end_ms && !r->starting) {
            run_out(r);
            return;
        }
        r->failure.none_free = false;
        switch (next.what) {
        case CANDIDATES_BEGIN:
            if (dispatch_take_address(r->home->shared->dispatch, r->query.number,
                                      r->query.candidates, &which, &probe)) {
                begin(r, which, probe);
                break;
            }
            r->failure.none_free = true;
            stand_still(r);
            return;
        case CANDIDATES_WAIT:
            run_timer(r, next.wait_ms > 0 ? next.wait_ms : TIME_MAX_MS);
            return;
        case CANDIDATES_NONE:
            stand_still(r);
            return;
        }
    }
}

struct dial *dial_start(struct deliveries *home, const struct dial_query *query)
{
    struct dial *r = xcalloc(1, sizeof(*r));
    r->home = home;
    r->query = *query;
    r->end_ms = clock_steady_ms() + (query->time_ms < TIME_MAX_MS ? query->time_ms : TIME_MAX_MS);
    uv_timer_init(&home->worker->loop, &r->timer);
    r->timer.data = r;
    r->starting = true;
    if (query->again != SIZE_MAX)
        begin(r, query->again, false);
    step(r);
    r->starting = false;
    return r;
}

void dial_close_probes(struct deliveries *home)
{
    struct dial_try *t;
    DL_FOREACH (home->tries, t) {
        if (!t->reach)
            connection_close(t->connection, "closing down");
    }
}
