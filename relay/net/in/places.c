// SPDX-License-Identifier: BSD-2-Clause
/* places.c - Gives sessions their places, and chooses which session has to leave
 * (connection_limits.h).
 *
 * A session is a stranger until it has authenticated, for which it has limits.login seconds. Each
 * shard keeps its strangers in order of arrival. The shard with the oldest one looks for a session
 * to end, then the next shard. That session is told 421.
 *
 * When somebody has authenticated and there are too many of those, a session of the tenant with
 * most is ended: the one that has been of no use for longest, between messages if there is such a
 * one on any shard, else in the middle. Each shard keeps those in order of use, so that the one
 * that goes is found near the front.
 */
#include "session_parts.h"

#include "clock.h"
#include "connection_limits.h"
#include "incidents.h"
#include "log.h"
#include "login_limits.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

enum { MINUTE_MS = 60 * 1000 };

static struct connection_bounds limits_of(const struct config *c)
{
    unsigned reserve = c->reserve > 0 ? c->reserve : c->connections / 4;
    return (struct connection_bounds){.all = c->connections,
                                      .reserve =
                                          reserve < c->connections ? reserve : c->connections - 1,
                                      .per_address = c->per_address,
                                      .per_network = c->per_network};
}

static void note_oldest(struct sessions *home)
{
    atomic_store(&home->oldest_ms, home->strangers ? home->strangers->came_ms : UINT64_MAX);
}

static void drop_stranger(struct session *s)
{
    DL_DELETE2(s->home->strangers, s, before, after);
    note_oldest(s->home);
}

bool session_take_place(struct session *s)
{
    struct sessions_shared *shared = s->home->shared;
    const struct connection_bounds limits = limits_of(s->settings->config);
    struct connection_place place;
    bool replaces = false;
    s->known = login_limits_knows(shared->login_limits, s->peer);
    if (!connection_limits_enter(shared->connection_limits, s->peer, s->known, &limits, &replaces,
                                 &place))
        return false;
    if (replaces)
        s->home->make_room(s->home, &place);
    s->place = PLACE_STRANGER;
    DL_APPEND2(s->home->strangers, s, before, after);
    note_oldest(s->home);
    return true;
}

/* Once a minute, whoever it is; once an hour to the operator, see incidents.h. */
static void tell_who_has_most(struct sessions_shared *shared, const struct connection_place *place)
{
    char text[200];
    int64_t now_ms = clock_steady_ms();
    int64_t next_ms = atomic_load(&shared->full_told_ms);
    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong(&shared->full_told_ms, &next_ms, now_ms + MINUTE_MS))
        return;
    snprintf(text, sizeof(text),
             "has %u of %u client connections%s%s: its oldest idle ones are closed", place->held,
             place->limit, place->name[0] ? " from " : "", place->name);
    log_end(log_text(
        log_text(log_begin(LOG_WARN, alert_name(ALERT_CONNECTIONS)), "tenant", place->tenant),
        "reply", text));
    incidents_add(shared->incidents, ALERT_CONNECTIONS, place->tenant, text);
}

static const char *tenant_of(const struct session *s)
{
    const struct identity *i = &s->submission.identity;
    return i->tenant[0] ? i->tenant : "default";
}

void session_settle(struct session *s)
{
    struct sessions_shared *shared = s->home->shared;
    const struct connection_bounds limits = limits_of(s->settings->config);
    struct connection_place place;
    if (s->place != PLACE_STRANGER)
        return;
    s->place = PLACE_SETTLED;
    drop_stranger(s);
    s->useful_ms = uv_now(&s->home->worker->loop);
    DL_APPEND2(s->home->settled, s, before, after);
    if (!connection_limits_settle(shared->connection_limits, s->peer, s->known, tenant_of(s),
                                  &limits, &place))
        return;
    tell_who_has_most(shared, &place);
    s->home->make_room(s->home, &place);
}

void session_note_use(struct session *s)
{
    if (s->useful_mails == s->submission.mails)
        return;
    s->useful_mails = s->submission.mails;
    s->useful_ms = uv_now(&s->home->worker->loop);
    if (s->place != PLACE_SETTLED)
        return;
    DL_DELETE2(s->home->settled, s, before, after);
    DL_APPEND2(s->home->settled, s, before, after);
}

void session_leave_place(struct session *s)
{
    const char *tenant = s->place == PLACE_STRANGER ? NULL : tenant_of(s);
    if (s->place == PLACE_NONE)
        return;
    if (s->place == PLACE_STRANGER)
        drop_stranger(s);
    else
        DL_DELETE2(s->home->settled, s, before, after);
    s->place = PLACE_NONE;
    connection_limits_leave(s->home->shared->connection_limits, s->peer, s->known, tenant);
}

bool session_is_idle(const struct session *s)
{
    const struct submission *sub = &s->submission;
    return !s->asking && sub->want == SUBMISSION_INPUT && sub->phase <= SUBMISSION_GREETED;
}

static const uint64_t busy = (uint64_t)1 << 62;

/* Idle ones first, the one that has been of no use for longest before others. */
static uint64_t turn_to_go(const struct session *s)
{
    return s->useful_ms + (session_is_idle(s) ? 0 : busy);
}

bool sessions_is_busy_turn(uint64_t turn)
{
    return turn >= busy;
}

static bool has_place(const struct session *s, const struct connection_place *place)
{
    return strcmp(tenant_of(s), place->tenant) == 0 &&
           connection_limits_is_place(place, s->peer, s->known);
}

struct session *session_of_tenant(struct sessions *home, const struct connection_place *place)
{
    struct session *s;
    struct session *first_busy = NULL;
    DL_FOREACH2(home->settled, s, after)
    {
        bool idle = session_is_idle(s);
        if ((!idle && first_busy) || !has_place(s, place))
            continue;
        if (idle)
            return s;
        first_busy = s;
    }
    return first_busy;
}

uint64_t sessions_first_to_go(struct sessions *home, const struct connection_place *place)
{
    const struct session *s = session_of_tenant(home, place);
    return s ? turn_to_go(s) : UINT64_MAX;
}

struct session *session_at_place(struct sessions *home, const struct connection_place *place)
{
    struct session *s;
    DL_FOREACH2(home->strangers, s, after)
    {
        if (connection_limits_is_place(place, s->peer, s->known))
            return s;
    }
    return NULL;
}
