// SPDX-License-Identifier: BSD-2-Clause
/* return_sessions.h - Servers of others that bring what comes back (RFC 5321), to addresses that we
 * have made only. */
#ifndef RETURN_SESSIONS_H
#define RETURN_SESSIONS_H

#include "acceptor.h"
#include "connection_limits.h"
#include "worker.h"

struct return_session;
struct rejects;

enum {
    RETURN_SESSIONS_MOST = 48, /* at once */
    RETURN_SESSIONS_OPEN = 64  /* with those that are turned away */
};

/* What the sessions of all threads share; borrowed. */
struct return_shared {
    struct connection_limits *limits;
    struct rejects *rejects; /* those that there was no place for */
    struct rejects *unknown; /* recipients that are nobody's */
    struct rejects *old;     /* complaints about messages that are not known any more */
    const atomic_bool *short_of_memory;
    struct acceptor_quota quota; /* of those that are open */
};

/* Makes and frees what only they count by. */
void return_shared_init(struct return_shared *shared, const atomic_bool *short_of_memory);
void return_shared_fini(struct return_shared *shared);
/* Tell what is counted, when its minute is over. */
void return_shared_tick(struct return_shared *shared);

struct return_waiting;

/* Readings that wait for the one that is on the pool; all of them are sessions'. */
struct return_line {
    struct return_waiting *first; /* list */
    uint64_t turn;
    bool busy; /* one is on the pool */
};

/* Those of one thread. */
struct return_sessions {
    struct worker *worker;
    struct return_shared *shared;
    struct return_session *all; /* list */
    struct return_line line;
    /* Given by the owner: one that holds such a place has to go, on this thread or another. */
    void (*make_room)(struct return_sessions *home, const struct connection_place *place);
};

/* Serve the client at `fd`, which it takes, for two minutes at most; after
 * return_sessions_wait_ms(), from where on its time is counted. `proxied`: who has connected says
 * first whose connection it is (proxy_header.h), and must be one of the listener's proxies. */
void return_sessions_accept(struct return_sessions *home, int fd, bool proxied);
/* How long newcomers wait in the kernel's queue, as there is no time for strangers; 0: they do
 * not. */
unsigned return_sessions_wait_ms(struct return_sessions *home);
/* End the oldest session from that place; false: there is none here. */
bool return_sessions_make_room(struct return_sessions *home, const struct connection_place *place);
/* The worker drains: what is being written down is answered, all others end. */
void return_sessions_drain(struct return_sessions *home);
/* It has waited long enough. */
void return_sessions_close(struct return_sessions *home);

#endif
