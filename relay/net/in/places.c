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

void session_settle(struct session *s)
{
    if (s->place != PLACE_STRANGER)
        return;
    s->place = PLACE_SETTLED;
    drop_stranger(s);
    connection_limits_settle(s->home->shared->connection_limits, s->peer, s->known);
}

void session_leave_place(struct session *s)
{
    bool stranger = s->place == PLACE_STRANGER;
    if (s->place == PLACE_NONE)
        return;
    if (stranger)
        drop_stranger(s);
    s->place = PLACE_NONE;
    connection_limits_leave(s->home->shared->connection_limits, s->peer, s->known, stranger);
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
