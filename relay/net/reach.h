// SPDX-License-Identifier: BSD-2-Clause
/* reach.h - From hosts to a greeted connection: the addresses of a parcel, tried as candidates.h
 * says, with a place at each endpoint.
 *
 * Happy path: begin the first - connected - its server speaks - greeted(). Every reach that is not
 * stopped ends with greeted() or failed(), once, and never from inside a function that the owner
 * called.
 */
#ifndef REACH_H
#define REACH_H

#include "candidates.h"
#include "connection.h"
#include "endpoints.h"
#include "shard.h"

struct reach;

struct reach_failure {
    char why[ENDPOINTS_WHY];
    size_t which;           /* candidate that failed last, or rests */
    bool tried;             /* some of them; else all rest, or are full */
    bool opened, timed_out; /* the one that failed last was connected; its time was over */
    bool local;             /* nothing but our own network was in the way */
    int64_t rest_ms;        /* until the first of them may be tried again, when none was */
};

struct reach_events {
    /* The connection is the owner's, with its place at the endpoint (reach_leave()); `bytes` are
     * the first that came. */
    void (*greeted)(void *owner, struct connection *connection, size_t which, struct span bytes);
    void (*failed)(void *owner, const struct reach_failure *failure);
};

struct reach_query {
    struct candidates *candidates; /* borrowed; what has been tried stays tried */
    int64_t time_ms;               /* then it has failed, whatever is under way */
    unsigned timeout_s;            /* for a TCP connection */
    unsigned greeting_s; /* for the server's first bytes, when nothing else can be tried */
    bool silent;         /* the server speaks only after us: a connection is enough */
    const struct reach_events *events;
    void *owner;
};

struct reach *reach_start(struct shard *s, const struct reach_query *query);
/* Nothing is called any more. */
void reach_stop(struct reach *r);

/* A greeted connection has ended. */
void reach_leave(struct shard *s, const struct endpoint *at);

/* The shard ends: so do connections that only probe. */
void reach_close_probes(struct shard *s);

#endif
