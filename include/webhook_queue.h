// SPDX-License-Identifier: BSD-2-Clause
/* webhook_queue.h - Which event is sent to which endpoint next: a machine without I/O.
 *
 * Whoever owns it reads from the outbox what it wants, sends what it names, tells it the answers,
 * and writes down what followed. Endpoints do not wait for each other: each has its course
 * (webhook_course.h). Of the places for all, a tenant never has more than twice as many as it
 * leaves free, and endpoints that fail, or have taken nothing yet, have no more than half of them
 * together; so those that answer always find one.
 */
#ifndef WEBHOOK_QUEUE_H
#define WEBHOOK_QUEUE_H

#include "webhook_course.h"

#include <stddef.h>

struct webhook_queue;
struct webhook_endpoint;

/* One event for one endpoint, as long as it is on its way. */
struct webhook_item {
    int64_t id, webhook, event, at_ms;
    unsigned tries;
    char *body; /* owned */
    struct webhook_endpoint *endpoint;
    struct webhook_item *prev, *next; /* list */
    enum { WEBHOOK_READY, WEBHOOK_SENT, WEBHOOK_SETTLING } state;
    bool unproven; /* its endpoint had taken nothing when it was sent, or had failed */
};

/* At most `most` are being sent at a time. */
struct webhook_queue *webhook_queue_new(unsigned most);
void webhook_queue_free(struct webhook_queue *q); /* NULL is allowed */

/* The endpoints that there are: begin, one call for each that is not disabled, end. What waits for
 * others is dropped; what is being sent stays until it is done. `failed_ms`: for how long it
 * has failed as far as was written down, of one that was not known before; below 0: it does not. */
void webhook_queue_begin(struct webhook_queue *q);
void webhook_queue_put(struct webhook_queue *q, int64_t id, const char *tenant, int64_t failed_ms);
void webhook_queue_end(struct webhook_queue *q);

/* How many of its oldest rows are to be read, those that are here among them; 0: none. In the order
 * of webhook_queue_put(): begin with NULL, the last one is followed by NULL. */
struct webhook_endpoint *webhook_queue_each(const struct webhook_queue *q,
                                            const struct webhook_endpoint *last);
int64_t webhook_queue_id(const struct webhook_endpoint *p);
unsigned webhook_queue_wants(const struct webhook_endpoint *p, int64_t steady_ms);

/* One that was read; the body is copied. One that is here already, or whose endpoint is not, is
 * left out. */
void webhook_queue_add(struct webhook_queue *q, const struct webhook_item *row);

/* The next to be sent, which has begun with that; NULL: none may now. */
struct webhook_item *webhook_queue_next(struct webhook_queue *q, int64_t steady_ms);

/* What is to be written down of an endpoint by an answer. */
struct webhook_news {
    struct webhook_next next;
    bool recovered; /* what it missed may be sent now */
    bool over;      /* it has failed for too long, or is gone: it is told nothing more */
    bool changed;   /* it fails, and did not before, or the other way round */
    int64_t
        failing_ms; /* since when, wall clock, without what nothing was tried in; 0: it does not */
};
/* The item is settling until webhook_queue_done(). */
struct webhook_news webhook_queue_answered(struct webhook_queue *q, struct webhook_item *item,
                                           const struct webhook_answer *a, uint32_t chance,
                                           int64_t steady_ms, int64_t now_ms);
/* What came of it is written down; frees it. */
void webhook_queue_done(struct webhook_queue *q, struct webhook_item *item);

/* How many endpoints there are. */
size_t webhook_queue_count(const struct webhook_queue *q);

#endif
