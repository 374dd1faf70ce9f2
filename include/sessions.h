// SPDX-License-Identifier: BSD-2-Clause
/* sessions.h - The submission sessions of one thread: each is a submission machine on a connection.
 */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "acceptor.h"
#include "connection_limits.h"
#include "keyring.h"
#include "ticket_use.h"
#include "worker.h"

#include <stdatomic.h>

struct alignment_cache;
struct alignment_service;
struct incidents;
struct login_limits;
struct login_queue;
struct refusals;
struct rejects;
struct session;

/* What the sessions of all threads share; borrowed. */
struct sessions_shared {
    struct keyring *keyring;
    struct alignment_service *alignment_service;
    struct login_limits *login_limits;
    struct login_queue *login_queue;
    struct incidents *incidents;
    struct refusals *refusals;
    struct connection_limits *connection_limits;
    struct acceptor_quota quota; /* of those that are open, with those that are turned away */
    struct rejects *rejects;     /* those that there was no place for */
    atomic_bool short_of_memory;
    /* The steady time until which recipients are looked at when they are named: somebody was over a
     * limit lately. */
    _Atomic int64_t flood_until_ms;
    _Atomic int64_t full_told_ms; /* who has most connections is not to be told before */
};

/* Makes and frees what only they count by: connections, refused ones, logins that wait. */
void sessions_shared_init(struct sessions_shared *shared);
void sessions_shared_fini(struct sessions_shared *shared);

struct sessions {
    struct worker *worker;
    struct sessions_shared *shared;
    struct alignment_cache *verdicts;
    struct session *all;        /* hash by id */
    struct session *strangers;  /* list of those that have not authenticated, first come first */
    struct session *settled;    /* and of those that have, of no use for longest first */
    _Atomic uint64_t oldest_ms; /* when the first of them came; UINT64_MAX: there are none */
    uint64_t last_id;
    struct ticket_use tickets;
    /* Given by the owner: a session that holds such a place has to go, on this thread or
     * another. */
    void (*make_room)(struct sessions *home, const struct connection_place *place);
    void (*go_on)(struct session *s); /* session_pump(), for those who answer later */
};

/* `worker` and `shared` are borrowed. */
void sessions_init(struct sessions *home, struct worker *worker, struct sessions_shared *shared,
                   void (*make_room)(struct sessions *home, const struct connection_place *place));
void sessions_fini(struct sessions *home);

/* All else on the thread of its worker. Accept a client; `implicit_tls`: the handshake comes
 * first. */
void sessions_accept(struct sessions *home, int fd, bool implicit_tls);

/* Send those away who keep a connection and send nothing whole, or a message slower than
 * limits.rate, and those who have had their time to log in: every second. */
void sessions_end_slow(struct sessions *home);
/* Send away who has that place: the first stranger that came, or the session of that tenant that
 * goes first. False: none is here. */
bool sessions_make_room(struct sessions *home, const struct connection_place *place);
/* No session needs to give that tenant's place up any more: one has, or there is none. */
void sessions_made_room(struct sessions *home, const struct connection_place *place);
/* Does one whose turn that is go in the middle of something, not between messages? */
bool sessions_is_busy_turn(uint64_t turn);
/* Whose turn it is to give that tenant's place up: the least number on all threads goes first;
 * UINT64_MAX: none is here. */
uint64_t sessions_first_to_go(struct sessions *home, const struct connection_place *place);

/* A credential is over: end its sessions. */
void sessions_check_access(struct sessions *home);
/* The worker has other settings: who has logged in is judged by them from now on. */
void sessions_change_settings(struct sessions *home);

/* The worker drains: idle clients are sent away now, the others when their message is done. */
void sessions_drain(struct sessions *home);
/* It has waited long enough. */
void sessions_close(struct sessions *home);

#endif
