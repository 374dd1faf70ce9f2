// SPDX-License-Identifier: BSD-2-Clause
/* deliveries.h - The deliveries of one thread: decisions of the queue as they arrive, and the
 * connections, attempts and lookups that result from them. */
#ifndef DELIVERIES_H
#define DELIVERIES_H

#include "dane_lookup.h"
#include "dispatch.h"
#include "dns_watch.h"
#include "keyring.h"
#include "signing_threads.h"
#include "sts.h"
#include "tokens.h"
#include "worker.h"

struct attempt;
struct dial_try;
struct next_hop;
struct outbound;
struct tlsrpt_wishes;

/* What the deliveries of all threads share; borrowed. */
struct deliveries_shared {
    struct dispatch *dispatch;
    struct keyring *keyring;
    struct incidents *incidents;
    struct standing *standing;
    struct signing_threads *signing_threads;
    struct sts *sts;
    struct tokens *tokens;
    struct tlsrpt_wishes *wishes; /* NULL: no TLS reports are made */
};

struct works {
    struct inbox_item *first, **last;
};

struct deliveries {
    struct worker *worker;
    const struct deliveries_shared *shared;
    struct resolver *resolver;
    enum dnssec_state dnssec;             /* what the root has shown last; never SILENT */
    struct outbound *outbounds;           /* list */
    struct outbound *outbounds_by_number; /* hash of the same */
    struct dial_try *tries;               /* list; connections that have not been greeted */
    struct attempt *attempts;             /* list; those whose message has been read */
    struct attempt *reading;              /* list; the others */
    struct next_hop *next_hops;           /* list */
    struct works works;                   /* what the queue wants done, first come first */
    struct works read;                    /* what of it goes on, as its message has been read */
    unsigned asked;                       /* questions to the reader so far */
    bool works_begun;                     /* in the last turn one was begun */
    uv_idle_t works_turn;
    struct deliveries_site {
        char host[280], site[64];
        bool provider;
    } last_site;         /* whose host it is, as it was found last (attempt_heard.c) */
    unsigned unrecorded; /* outcomes on their way to the store */
    unsigned checking;   /* connections whose rows are being looked at, as some were ended */
    bool check_again;    /* more have been ended meanwhile */
    void (*arrived)(struct inbox_item *work);
    void (*run)(struct deliveries *home, struct dispatch_work *work);
};

/* `worker` and `shared` are borrowed. */
void deliveries_init(struct deliveries *home, struct worker *worker,
                     const struct deliveries_shared *shared);
MUST_CHECK bool deliveries_open(struct deliveries *home, struct err *err);

/* All else on the thread of its worker. It drains: what is idle ends, nothing is looked up. */
void deliveries_drain(struct deliveries *home);
void deliveries_change_settings(struct deliveries *home); /* the worker has new ones */
/* Some are not told the store yet, or not begun. */
bool deliveries_are_under_way(const struct deliveries *home);
/* All connections end: soon, or, when the worker hastens, at once. */
void deliveries_end_all(struct deliveries *home);
/* The same for the last, when nothing is under way. False: some have not ended yet. */
bool deliveries_have_ended(struct deliveries *home);
/* Its loop ends. */
void deliveries_close(struct deliveries *home);

/* From any thread: rows have been ended by a person. Connections that carry only such mail are
 * closed, on all threads. */
void deliveries_check_rows(struct dispatch *d);

#endif
