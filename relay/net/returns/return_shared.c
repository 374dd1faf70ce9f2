// SPDX-License-Identifier: BSD-2-Clause
/* return_shared.c - What the sessions of all threads are counted by. */
#include "return_sessions.h"

#include "rejects.h"

void return_shared_init(struct return_shared *shared, const atomic_bool *short_of_memory)
{
    shared->limits = connection_limits_new();
    shared->rejects = rejects_new("returns_turned_away");
    shared->unknown = rejects_new("returns_refused");
    shared->old = rejects_new("complaints_too_old");
    shared->short_of_memory = short_of_memory;
    shared->quota.most = RETURN_SESSIONS_OPEN;
}

void return_shared_fini(struct return_shared *shared)
{
    connection_limits_free(shared->limits);
    rejects_free(shared->rejects);
    rejects_free(shared->unknown);
    rejects_free(shared->old);
}

void return_shared_tick(struct return_shared *shared)
{
    rejects_tick(shared->rejects);
    rejects_tick(shared->unknown);
    rejects_tick(shared->old);
}
