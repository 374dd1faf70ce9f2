// SPDX-License-Identifier: BSD-2-Clause
/* dial.h - From hosts to a greeted connection: the addresses of an attempt, tried as candidates.h
 * says and as far as the queue has a place at them. Nobody waits for a place here: the queue has
 * the attempt again meanwhile.
 *
 * Happy path: begin the first - connected - its server speaks - greeted(). Every reach that is not
 * stopped ends with greeted() or failed(), once, and never from inside a function that the owner
 * called.
 */
#ifndef DIAL_H
#define DIAL_H

#include "candidates.h"
#include "connection.h"
#include "deliveries.h"

struct dial;

enum { DIAL_WHY = 120 };

struct dial_failure {
    char why[DIAL_WHY];     /* of the one that failed last */
    size_t which;           /* candidate that failed last */
    bool tried;             /* one at least */
    bool none_free;         /* those that are left are in use, or somebody probes them */
    bool opened, timed_out; /* the one that failed last was connected; its time was over */
    bool no_ipv6;           /* all its addresses are IPv6, which our own network has no way to */
    bool ran_out;           /* the attempt's time was over */
    bool local;             /* nothing but our own network was in the way */
};

struct dial_events {
    /* The connection is the owner's, and the queue counts its address for it; `bytes` are the
     * first that came. */
    void (*greeted)(void *owner, struct connection *connection, size_t which, struct span bytes);
    void (*failed)(void *owner, const struct dial_failure *failure);
};

struct dial_query {
    uint64_t number;               /* of the queue's connection */
    size_t again;                  /* candidate whose address it still holds, first; SIZE_MAX */
    const struct hosts *hosts;     /* of the candidates; borrowed */
    struct candidates *candidates; /* borrowed; what has been tried stays tried */
    const struct config_source *source; /* where it calls from; NULL: anywhere */
    int64_t time_ms;                    /* then it has failed, whatever is under way */
    unsigned timeout_s;                 /* for a TCP connection */
    unsigned greeting_s; /* for the server's first bytes, when nothing else can be tried */
    bool silent;         /* the server speaks only after us: a connection is enough */
    const struct dial_events *events;
    void *owner;
};

struct dial *dial_start(struct deliveries *home, const struct dial_query *query);
/* Nothing is called any more. */
void dial_stop(struct dial *r);

/* An address that has failed is avoided for so long. 0: nothing. */
void dial_log_avoided(const char *host, const struct endpoint *at, const char *why,
                      int64_t rest_ms);

/* The shard ends: so do connections that only probe. */
void dial_close_probes(struct deliveries *home);

#endif
