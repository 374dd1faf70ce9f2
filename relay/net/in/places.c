// SPDX-License-Identifier: BSD-2-Clause
/* places.c - Who gets a place among the sessions, and who has to leave one (connection_limits.h).
 *
 * A session is a stranger until it has authenticated; for that it has limits.login seconds. Each
 * shard keeps its strangers in the order in which they came, and the shard with the first of all
 * looks for one who is meant, then the next shard. Whose place is taken is told 421.
 */
#include "session_parts.h"

#include "connection_limits.h"
#include "login_limits.h"
#include "rejects.h"

#include <utlist.h>

static struct connection_bounds limits_of(const struct config *c)
{
    unsigned reserve = c->reserve > 0 ? c->reserve : c->connections / 4;
    return (struct connection_bounds){.all = c->connections,
                                      .reserve =
                                          reserve < c->connections ? reserve : c->connections - 1,
                                      .per_address = c->per_address,
                                      .per_network = c->per_network};
}

static void note_oldest(struct shard *shard)
{
    atomic_store(&shard->oldest_ms, shard->strangers ? shard->strangers->came_ms : UINT64_MAX);
}

static void drop_stranger(struct session *s)
{
    DL_DELETE2(s->shard->strangers, s, before, after);
    note_oldest(s->shard);
}

bool session_take_place(struct session *s)
{
    struct common *common = s->shard->common;
    const struct connection_bounds limits = limits_of(s->settings->config);
    struct connection_place place;
    bool replaces = false;
    s->known = login_limits_knows(common->watch, s->peer);
    if (!connection_limits_enter(common->connection_limits, s->peer, s->known, &limits, &replaces,
                                 &place))
        return false;
    if (replaces)
        shard_make_room(s->shard, &place);
    s->place = PLACE_STRANGER;
    DL_APPEND2(s->shard->strangers, s, before, after);
    note_oldest(s->shard);
    return true;
}

void session_settle(struct session *s)
{
    if (s->place != PLACE_STRANGER)
        return;
    s->place = PLACE_SETTLED;
    drop_stranger(s);
    connection_limits_settle(s->shard->common->connection_limits, s->peer, s->known);
}

void session_leave_place(struct session *s)
{
    bool stranger = s->place == PLACE_STRANGER;
    if (s->place == PLACE_NONE)
        return;
    if (stranger)
        drop_stranger(s);
    s->place = PLACE_NONE;
    connection_limits_leave(s->shard->common->connection_limits, s->peer, s->known, stranger);
}

/* In the middle of AUTH or of a handshake there is nothing that it would understand. */
static void send_away(struct session *s, const char *reason)
{
    rejects_add(s->shard->common->rejected_clients, s->peer);
    session_leave_place(s);
    if (!s->started || s->asking) {
        connection_close(s->connection, reason);
        return;
    }
    submission_hang_up(&s->submission, reason);
    session_pump(s);
}

bool session_make_room(struct shard *shard, const struct connection_place *place)
{
    struct session *s;
    DL_FOREACH2(shard->strangers, s, after)
    {
        if (!connection_limits_is_place(place, s->peer, s->known))
            continue;
        send_away(s, "has too many connections: log in sooner, or try again later");
        return true;
    }
    return false;
}

void session_end_strangers(struct shard *shard)
{
    uint64_t now_ms = uv_now(&shard->loop);
    struct session *s;
    struct session *next;
    DL_FOREACH_SAFE2(shard->strangers, s, next, after)
    {
        if (now_ms - s->came_ms < (uint64_t)s->settings->config->login_s * 1000)
            break; /* all others came later */
        if (!s->asking)
            send_away(s, "login timeout exceeded: closing connection");
    }
}
