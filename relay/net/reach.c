// SPDX-License-Identifier: BSD-2-Clause
/* reach.c - One `try` for each connection under way; the first whose server speaks wins.
 *
 * Failure modes:
 * - no connection, or no greeting in its time while another has one: the endpoint rests
 * - it rests, or is full: the next one; where nothing else is left, a place is waited for
 * - our own network refuses: the endpoint is not to blame
 * - a probe that loses goes on by itself, for what it finds out
 *
 * Owner: the shard's list holds all tries. A reach frees itself when it ends.
 */
#include "reach.h"

#include "clock.h"
#include "endpoint_table.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

enum { PROBE_MS = 10 * 1000, TIME_MAX_MS = 24 * 3600 * 1000 };

struct reach_try {
    struct reach_try *next, *prev;
    struct shard *shard;
    struct reach *reach; /* NULL: nobody waits for it any more */
    struct connection *connection;
    size_t which;
    struct endpoint at;
    bool opened, probe, timed_out;
    enum { UNKNOWN, SPOKE, FAILED, DROPPED } outcome;
};

/* A reach that waits for a place; it may be gone when the place comes. */
struct queued {
    struct endpoint_party party;
    struct shard *shard;
    struct reach *reach; /* NULL: it is gone */
    size_t which;
};

struct reach {
    struct shard *shard;
    struct reach_query query;
    uv_timer_t timer;
    struct queued *queued; /* or NULL */
    struct reach_failure failure;
    bool theirs, ipv4; /* what stood in the way was not our network only; IPv4 was tried */
    bool starting;     /* nobody may be called yet */
    int64_t end_ms;    /* by the steady clock */
};

static void step(struct reach *r);

static struct endpoint_table *table(const struct shard *s)
{
    return s->common->endpoints;
}

static void set(struct reach *r, size_t which, enum candidate_state state)
{
    candidates_set(r->query.candidates, which, state, clock_steady_ms());
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void judge(struct reach_try *t, const char *why)
{
    if (t->outcome != UNKNOWN)
        return;
    t->outcome = FAILED;
    endpoint_table_failed(table(t->shard), &t->at, why);
}

/* Another is used. A probe goes on for what it finds out; of the others, the slow have failed. */
static void give_up(struct reach *r, struct reach_try *t)
{
    bool slow = candidates_too_slow(r->query.candidates, t->which, clock_steady_ms());
    t->reach = NULL;
    set(r, t->which, slow ? CANDIDATE_TRIED : CANDIDATE_LEFT);
    if (slow)
        judge(t, t->opened ? "no greeting" : "connect timed out");
    if (t->probe && !slow) {
        connection_set_deadline(t->connection, PROBE_MS);
        return;
    }
    t->outcome = slow ? FAILED : DROPPED;
    connection_close(t->connection, "another is used");
}

/* `but`: stays as it is; NULL: none. `opened`: those that wait for a greeting, too. */
static void give_up_others(struct reach *r, const struct reach_try *but, bool opened)
{
    struct reach_try *t;
    struct reach_try *next;
    DL_FOREACH_SAFE (r->shard->tries, t, next) {
        if (t->reach == r && t != but && (opened || !t->opened))
            give_up(r, t);
    }
}

static void end(struct reach *r)
{
    if (r->queued) {
        r->queued->reach = NULL;
        if (endpoint_table_leave(table(r->shard), &r->queued->party))
            free(r->queued);
    }
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

void reach_stop(struct reach *r)
{
    give_up_others(r, NULL, true);
    end(r);
}

static void fail(struct reach *r)
{
    struct reach_failure *f = &r->failure;
    const struct candidates *c = r->query.candidates;
    char why[ENDPOINTS_WHY];
    for (size_t i = 0; !f->tried && i < c->count; i++) {
        int64_t rest_ms = endpoint_table_rest_ms(table(r->shard), &c->all[i].at, why);
        if (c->all[i].state != CANDIDATE_RESTS || (f->rest_ms > 0 && rest_ms >= f->rest_ms))
            continue;
        f->which = i;
        f->rest_ms = rest_ms > 0 ? rest_ms : 1;
        snprintf(f->why, sizeof(f->why), "%s", why);
    }
    f->local = f->tried && !r->theirs && r->ipv4;
    const struct reach_query query = r->query;
    const struct reach_failure failure = *f;
    end(r);
    query.events->failed(query.owner, &failure);
}

/* ---- one connection ---- */

static void drop_try(struct reach_try *t)
{
    DL_DELETE(t->shard->tries, t);
    free(t);
}

static void on_bytes(void *owner, struct span bytes)
{
    struct reach_try *t = owner;
    struct reach *r = t->reach;
    if (t->outcome == UNKNOWN)
        endpoint_table_spoke(table(t->shard), &t->at);
    t->outcome = SPOKE;
    if (!r) {
        struct buf quit;
        buf_init(&quit, 16);
        buf_add(&quit, SPAN("QUIT\r\n"));
        connection_finish(t->connection, &quit);
        buf_fini(&quit);
        return;
    }
    const struct reach_query query = r->query;
    struct connection *connection = t->connection;
    size_t which = t->which;
    set(r, which, CANDIDATE_TRIED);
    give_up_others(r, t, true);
    drop_try(t);
    end(r);
    query.events->greeted(query.owner, connection, which, bytes);
}

static void on_opened(void *owner)
{
    struct reach_try *t = owner;
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

static void on_ended(void *owner, const char *why)
{
    struct reach_try *t = owner;
    struct reach *r = t->reach;
    struct shard *s = t->shard;
    bool ours = connection_error_is_ours(t->connection);
    if (!ours)
        judge(t, why);
    endpoint_table_release(table(s), &t->at, t->outcome == SPOKE);
    if (r) {
        log_end(log_text(log_begin(LOG_DEBUG, "next_host"), "reply", why));
        r->theirs = r->theirs || !ours;
        r->failure.tried = true;
        r->failure.which = t->which;
        r->failure.opened = t->opened;
        r->failure.timed_out = t->timed_out;
        snprintf(r->failure.why, sizeof(r->failure.why), "%s", why);
        set(r, t->which, CANDIDATE_TRIED);
    }
    drop_try(t);
    if (r)
        step(r);
    else
        shard_something_ended(s);
}

static bool on_timed_out(void *owner)
{
    struct reach_try *t = owner;
    t->timed_out = true;
    return false;
}

static const struct connection_events events = {
    .opened = on_opened, .bytes = on_bytes, .timed_out = on_timed_out, .ended = on_ended};

/* ---- the steps ---- */

static void give_up_oldest(struct reach *r)
{
    size_t oldest = 0;
    struct reach_try *t;
    if (!candidates_crowded(r->query.candidates, &oldest))
        return;
    DL_FOREACH (r->shard->tries, t) {
        if (t->reach == r && t->which == oldest)
            break;
    }
    CHECK(t != NULL);
    set(r, oldest, CANDIDATE_TRIED);
    t->reach = NULL;
    judge(t, t->opened ? "no greeting" : "connect timed out");
    connection_close(t->connection, "given up");
}

/* Its place has been taken. */
static void begin(struct reach *r, size_t which, bool probe)
{
    struct candidate *one = &r->query.candidates->all[which];
    give_up_oldest(r);
    struct reach_try *t = xcalloc(1, sizeof(*t));
    *t = (struct reach_try){
        .shard = r->shard, .reach = r, .which = which, .at = one->at, .probe = probe};
    DL_APPEND(r->shard->tries, t);
    one->probe = probe;
    set(r, which, CANDIDATE_CONNECTING);
    r->ipv4 = r->ipv4 || !one->at.ip.v6;
    t->connection = connection_open(&r->shard->loop, &one->at, r->query.timeout_s, &events, t);
}

static void take(struct reach *r, size_t which, struct endpoint_party *party)
{
    const struct endpoint *at = &r->query.candidates->all[which].at;
    enum endpoints_answer answer = endpoint_table_take(table(r->shard), at, party);
    switch (answer) {
    case ENDPOINT_FREE:
    case ENDPOINT_PROBE:
        begin(r, which, answer == ENDPOINT_PROBE);
        break;
    case ENDPOINT_RESTS:
        set(r, which, CANDIDATE_RESTS);
        break;
    case ENDPOINT_FULL:
        set(r, which, CANDIDATE_FULL);
        break;
    }
}

/* A place is there, or the endpoint rests. */
static void on_party(struct inbox_item *item)
{
    struct queued *q = (struct queued *)item;
    struct reach *r = q->reach;
    if (r) {
        r->queued = NULL;
        if (q->party.granted)
            begin(r, q->which, false);
        else
            set(r, q->which, CANDIDATE_RESTS);
        step(r);
    } else if (q->party.granted) {
        endpoint_table_release(table(q->shard), &q->party.waiter.at, false);
    }
    free(q);
}

/* There is no more time for this parcel. */
static void run_out(struct reach *r)
{
    give_up_others(r, NULL, true);
    if (!r->failure.tried && !r->queued)
        snprintf(r->failure.why, sizeof(r->failure.why), "connect timed out");
    r->failure.tried = r->failure.tried || !r->queued;
    fail(r);
}

static void on_timer(uv_timer_t *timer)
{
    struct reach *r = timer->data;
    r->starting = false;
    step(r);
}

/* To step on at that time, or at the end. */
static void run_timer(struct reach *r, int64_t at_ms)
{
    int64_t wait_ms = at_ms - clock_steady_ms();
    uv_timer_start(&r->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

/* All else has been tried: wait for a place. */
static void queue(struct reach *r, size_t which)
{
    struct candidates *c = r->query.candidates;
    if (r->queued)
        return;
    r->queued = xcalloc(1, sizeof(*r->queued));
    *r->queued = (struct queued){.shard = r->shard, .reach = r, .which = which};
    r->queued->party.item.run = on_party;
    r->queued->party.inbox = &r->shard->inbox;
    take(r, which, &r->queued->party);
    if (c->all[which].state == CANDIDATE_FULL) {
        int64_t end_ms = c->begun_ms + CANDIDATES_TIME_MS;
        run_timer(r, end_ms < r->end_ms ? end_ms : r->end_ms);
        shard_free_endpoint(r->shard, &c->all[which].at);
        return;
    }
    free(r->queued);
    r->queued = NULL;
    step(r);
}

static void step(struct reach *r)
{
    for (;;) {
        int64_t now_ms = clock_steady_ms();
        struct candidates_step next = candidates_next(r->query.candidates, now_ms);
        if (now_ms >= r->end_ms && !r->starting) {
            run_out(r);
            return;
        }
        switch (next.what) {
        case CANDIDATES_BEGIN:
            take(r, next.which, NULL);
            break;
        case CANDIDATES_WAIT:
            if (next.wait_ms > 0 && now_ms + next.wait_ms < r->end_ms)
                run_timer(r, now_ms + next.wait_ms);
            else
                run_timer(r, r->end_ms);
            return;
        case CANDIDATES_QUEUE:
            queue(r, next.which);
            return;
        case CANDIDATES_NONE:
            if (r->starting)
                run_timer(r, now_ms);
            else
                fail(r);
            return;
        }
    }
}

struct reach *reach_start(struct shard *s, const struct reach_query *query)
{
    struct reach *r = xcalloc(1, sizeof(*r));
    r->shard = s;
    r->query = *query;
    r->end_ms = clock_steady_ms() + (query->time_ms < TIME_MAX_MS ? query->time_ms : TIME_MAX_MS);
    uv_timer_init(&s->loop, &r->timer);
    r->timer.data = r;
    r->starting = true;
    step(r);
    r->starting = false;
    return r;
}

void reach_leave(struct shard *s, const struct endpoint *at)
{
    endpoint_table_release(table(s), at, true);
}

void reach_close_probes(struct shard *s)
{
    struct reach_try *t;
    DL_FOREACH (s->tries, t) {
        if (!t->reach)
            connection_close(t->connection, "closing down");
    }
}
