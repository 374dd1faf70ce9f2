// SPDX-License-Identifier: BSD-2-Clause
/* sessions.h - The clients of one thread that send mail: each a submission machine on a
 * connection. */
#ifndef SESSIONS_H
#define SESSIONS_H

#include "connection_limits.h"
#include "keyring.h"
#include "worker.h"

#include <stdatomic.h>

struct alignment_cache;
struct alignment_service;
struct incidents;
struct login_limits;
struct refusals;
struct rejects;
struct session;

/* What the sessions of all threads share; borrowed. */
struct sessions_shared {
    struct keyring *keyring;
    struct alignment_service *alignment_service;
    struct login_limits *login_limits;
    struct incidents *incidents;
    struct refusals *refusals;
    struct connection_limits *connection_limits;
    struct rejects *rejects; /* those that there was no place for */
    atomic_bool short_of_memory;
    /* The steady time until which recipients are looked at when they are named: somebody was over a
     * limit lately. */
    _Atomic int64_t flood_until_ms;
};

struct sessions {
    struct worker *worker;
    struct sessions_shared *shared;
    struct alignment_cache *verdicts;
    struct session *all;        /* hash by id */
    struct session *strangers;  /* list of those that have not authenticated, first come first */
    _Atomic uint64_t oldest_ms; /* when the first of them came; UINT64_MAX: there are none */
    uint64_t last_id;
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
/* Send a stranger away, the first that came, from that place; false: none is here. */
bool sessions_make_room(struct sessions *home, const struct connection_place *place);

/* Credentials or domains have changed: end the sessions that do not hold any more. */
void sessions_check_access(struct sessions *home);
/* The worker has other settings: who has logged in is judged by them from now on. */
void sessions_change_settings(struct sessions *home);

/* The worker drains: idle clients are sent away now, the others when their message is done. */
void sessions_drain(struct sessions *home);
/* It has waited long enough. */
void sessions_close(struct sessions *home);

#endif
