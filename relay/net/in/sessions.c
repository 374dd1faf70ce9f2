// SPDX-License-Identifier: BSD-2-Clause
/* sessions.c - Operations on all sessions of a thread, or on some of them.
 *
 * A client can keep a connection busy with almost nothing: the connection's idle timer does not
 * catch one byte a minute. So a minimum rate is checked here.
 */
#include "session_parts.h"

#include "alignment_cache.h"
#include "log.h"
#include "login_queue.h"
#include "rejects.h"

#include <utlist.h>

enum { HANDSHAKE_S = 60, DATA_WINDOW_S = 120 };

/* Since the last look but one: something whole, or enough of a message? */
static bool is_slow(struct session *s, uint64_t now_ms)
{
    const struct config *c = s->settings->config;
    bool data = s->started && s->submission.phase == SUBMISSION_DATA;
    unsigned window_s = c->idle_s < DATA_WINDOW_S ? c->idle_s : DATA_WINDOW_S;
    uint64_t passed_s = (now_ms - s->then_ms) / 1000;
    bool leaves = s->started && s->submission.want == SUBMISSION_CLOSE;
    bool moved =
        s->asking || leaves || data != s->then_data || s->submission.lines != s->then_lines;
    bool slow = data ? passed_s >= window_s && s->bytes - s->then_bytes < passed_s * c->rate
                     : passed_s >= (s->started ? c->idle_s : HANDSHAKE_S);
    if (slow && !moved)
        return true;
    if (moved || (data && passed_s >= window_s)) {
        s->then_ms = now_ms;
        s->then_bytes = s->bytes;
        s->then_lines = s->submission.lines;
        s->then_data = data;
    }
    return false;
}

/* In the middle of AUTH or of a handshake there is nothing that it would understand. */
static void send_away(struct session *s, const char *reason)
{
    rejects_add(s->home->shared->rejects, s->peer);
    session_leave_place(s);
    if (!s->started || s->asking) {
        connection_close(s->connection, reason);
        return;
    }
    submission_hang_up(&s->submission, reason);
    session_pump(s);
}

static void end_strangers(struct sessions *home)
{
    uint64_t now_ms = uv_now(&home->worker->loop);
    struct session *s;
    struct session *next;
    DL_FOREACH_SAFE2(home->strangers, s, next, after)
    {
        if (now_ms - s->came_ms < (uint64_t)s->settings->config->login_s * 1000)
            break; /* all others came later */
        if (!s->asking)
            send_away(s, "login timeout exceeded: closing connection");
    }
}

void sessions_end_slow(struct sessions *home)
{
    struct session *s;
    struct session *next;
    end_strangers(home);
    HASH_ITER (hh, home->all, s, next) {
        if (!is_slow(s, uv_now(&home->worker->loop)))
            continue;
        log_event(LOG_INFO, "too_slow", "peer", s->peer);
        if (s->started) {
            submission_hang_up(&s->submission, "client too slow: closing connection");
            session_pump(s);
        } else {
            connection_close(s->connection, "handshake took too long");
        }
    }
}

static const char most[] =
    "too many connections are open, most of them by this tenant: close some, or try again later";

/* To make room for another tenant, or for one more of its own. */
static bool end_settled(struct sessions *home, const struct connection_place *place)
{
    struct session *s = session_of_tenant(home, place);
    if (!s)
        return false;
    log_end(log_text(
        log_text(log_begin(LOG_INFO, "session_ended"), "user", s->submission.identity.name), "peer",
        s->peer));
    session_leave_place(s);
    if (session_is_idle(s))
        submission_hang_up(&s->submission, most);
    else
        session_end_soon(s, most);
    session_pump(s);
    return true;
}

bool sessions_make_room(struct sessions *home, const struct connection_place *place)
{
    if (place->tenant[0])
        return end_settled(home, place);
    struct session *s = session_at_place(home, place);
    if (!s)
        return false;
    sessions_made_room(home, place);
    send_away(s, "has too many connections: log in sooner, or try again later");
    return true;
}

void sessions_made_room(struct sessions *home, const struct connection_place *place)
{
    connection_limits_made_room(home->shared->connection_limits, place);
}

void sessions_check_access(struct sessions *home)
{
    struct session *s;
    struct session *next;
    HASH_ITER (hh, home->all, s, next)
        if (s->credential && credential_is_over(s->credential))
            session_pump(s);
}

void sessions_change_settings(struct sessions *home)
{
    struct session *s;
    struct session *next;
    HASH_ITER (hh, home->all, s, next)
        (void)session_follow_settings(s);
}

void sessions_drain(struct sessions *home)
{
    struct session *s;
    struct session *next;
    HASH_ITER (hh, home->all, s, next) {
        if (s->started)
            session_pump(s);
        else
            connection_close(s->connection, "closing down");
    }
}

void sessions_close(struct sessions *home)
{
    struct session *s;
    struct session *next;
    HASH_ITER (hh, home->all, s, next)
        connection_close(s->connection, "closing down");
}

/* ---- begin and end ---- */

void sessions_shared_init(struct sessions_shared *shared)
{
    shared->connection_limits = connection_limits_new();
    shared->login_queue = login_queue_new(login_queue_at_once());
    shared->rejects = rejects_new("connections_refused");
}

void sessions_shared_fini(struct sessions_shared *shared)
{
    connection_limits_free(shared->connection_limits);
    login_queue_free(shared->login_queue);
    rejects_free(shared->rejects);
}

void sessions_init(struct sessions *home, struct worker *worker, struct sessions_shared *shared,
                   void (*make_room)(struct sessions *home, const struct connection_place *place))
{
    home->worker = worker;
    home->shared = shared;
    home->verdicts = alignment_cache_new();
    home->make_room = make_room;
    home->go_on = session_pump;
    atomic_store(&home->oldest_ms, UINT64_MAX);
}

void sessions_fini(struct sessions *home)
{
    alignment_cache_free(home->verdicts);
}
