// SPDX-License-Identifier: BSD-2-Clause
/* courier_parts.h - What courier.c, couriers.c and approach.c share: the courier itself, and its
 * way to the next host. */
#ifndef COURIER_PARTS_H
#define COURIER_PARTS_H

#include "reach.h"
#include "shipment.h"

#include <uthash.h>

struct courier {
    struct courier *next, *prev;
    uint64_t number; /* the queue's, of this connection */
    UT_hash_handle hh;
    struct shard *shard;
    struct settings *settings;     /* held: those of the connection */
    struct connection *connection; /* with a host that has spoken, or NULL */
    struct delivery delivery;
    struct delivery_settings delivery_settings;
    bool delivery_live, reused, idle, ending;
    unsigned steps;       /* of the delivery, when the deadline was set */
    bool begin_again;     /* this connection ends, its parcel goes on with another */
    bool go_on;           /* the same, with the next host */
    bool lost_early;      /* one has ended before anything of the parcel's message was said */
    bool opened;          /* the queue knows that it works */
    bool spoken;          /* its parcel is done with, and the queue does not know it yet */
    bool told;            /* the queue knows that it has ended */
    bool unwanted;        /* the queue has asked for it to end */
    bool hurried;         /* or, busy with this parcel, not to wait long for its server */
    uv_timer_t end_timer; /* for its last callback */

    struct candidates candidates; /* of the parcel that opened the connection */
    struct reach *reach;          /* while there is no connection */
    struct verdict trouble;       /* of the host that was tried last; code 0: none */
    unsigned troubles;            /* hosts that had trouble with the message itself */
    bool reached;                 /* it holds the address `at` */
    int64_t instead_since_ms;     /* of a worse preference than another; INT64_MAX: it is not */
    bool stalled;                 /* the host there has not answered in time */
    size_t which;                 /* candidate that has been reached */
    unsigned remedies;            /* tried with that one, as bits: see enum delivery_remedy */
    struct endpoint at;
    char host_name[ADDRESS_DOMAIN_MAX + 1];
    char tls_text[80], peer[64];
    struct trust proven; /* by the time that the machine is ready */

    struct parcel *parcel;
    struct shipment shipment;
};

/* ---- courier.c ---- */

/* A host has spoken: it is served from now on. */
void courier_take(struct courier *c, struct connection *connection, struct span bytes);
/* The queue is told that the connection has failed. Either it has the parcel again, untried, or
 * this is the answer for those who have none. The courier ends. */
void courier_fail(struct courier *c, enum queue_failure how, const struct verdict *v);
/* Nobody has been asked: the queue has the parcel again, and the courier ends. */
void courier_drop(struct courier *c, const char *why);
void courier_end_delivery(struct courier *c);
/* The server's time for its next answer begins now. */
void courier_set_deadline(struct courier *c);
/* Say and do what the machine wants. */
void courier_pump(struct courier *c);
/* Its parcel is done with, or it had none: what the queue says is next on this connection. */
void courier_next_parcel(struct courier *c);
/* It says goodbye, if it can. */
void courier_quit(struct courier *c);

/* ---- approach.c ---- */

/* To the first host of the parcel that can be reached; then to the next. */
void approach_begin(struct courier *c);
void approach_next(struct courier *c);
/* The host has refused us, or the connection ended, before a message could be spoken of. */
void approach_refused(struct courier *c);
/* A refused login is told to the operator, who can mend it; those who send read that it waits. */
void approach_hide_login(struct courier *c);
/* The host has trouble with the message, and nobody has been served: is another host to be tried?
 * Then the others' answers are taken, and approach_next() goes there. */
bool approach_elsewhere(struct courier *c);
/* This one is not asked for leave. */
void approach_part(struct courier *c);
/* This host cannot have the mail, or nobody can be told whether it can: if another one is to be
 * tried this one is left, else everyone without an answer has it now. */
bool approach_if_unsure(struct courier *c);
/* It is done with the host that it has reached. */
void approach_leave(struct courier *c);
/* The machine knows another way with this host. False: it does not. */
bool approach_by_remedy(struct courier *c);
/* It is in place of a better host, and that shall be tried again: it takes no more messages. */
bool approach_looks_back(const struct courier *c);
/* It broke among several recipients: those who may be sent again at once are. False: nobody. */
bool approach_apart(struct courier *c);
bool approach_has_tried(const struct courier *c, enum delivery_remedy remedy);
/* While nobody has been reached: the courier ends. */
void approach_stop(struct courier *c, const char *why);

#endif
