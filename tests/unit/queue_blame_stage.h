// SPDX-License-Identifier: BSD-2-Clause
/* queue_blame_stage.h - A small stage for what fails: one connection after the other, each with one message, and each test says what
 * becomes of it. Time is virtual. */
#ifndef QUEUE_BLAME_STAGE_H
#define QUEUE_BLAME_STAGE_H

#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"

/* Each domain leads to the host of its name; those of "big.test" to hosts of a provider. */
struct stage {
    struct queue *queue;
    int64_t now_ms, message;
    uint64_t connection; /* that was opened last */
    const struct queue_attempt *attempt;
    unsigned rests, rests_of_one;
    bool greets;
    unsigned limit;       /* connections */
    const char *moved_to; /* a host; NULL: nowhere */
};

void stage_go_on(struct stage *s);
void stage_begin_with(struct stage *s, unsigned connections);
void stage_begin(struct stage *s);
void stage_add(struct stage *s, const char *tenant, const char *domain);
/* The connection fails with what it carries; the next try of that is far away. */
void stage_fails(struct stage *s, enum queue_failure how);
void stage_is_done(struct stage *s, enum queue_spoken spoken);
void stage_goes_through(struct stage *s);
bool stage_carries(const struct stage *s, const char *tenant);

#endif
