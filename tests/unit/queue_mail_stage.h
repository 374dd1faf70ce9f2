// SPDX-License-Identifier: BSD-2-Clause
/* queue_mail_stage.h - A small stage for what is said to MAIL: all mail leads to the host "mx.d.test", unless a test says otherwise, each test says what
 * becomes of each message under way, and time is virtual. */
#ifndef QUEUE_MAIL_STAGE_H
#define QUEUE_MAIL_STAGE_H

#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"

enum { UNDER_WAY = 32 };

struct stage {
    struct queue *queue;
    int64_t now_ms, message;
    struct work {
        uint64_t connection;
        const struct queue_attempt *attempt;
        bool first;
    } works[UNDER_WAY];
    size_t count, opened, most;
    char sender[16]; /* of what is refused or taken next */
    unsigned rests, rests_of_one, resumed, lasts;
    int64_t rest_ms; /* the last */
};

void stage_go_on(struct stage *s);
void stage_begin(struct stage *s);
void stage_add_of(struct stage *s, const char *tenant, enum stream_class class);
void stage_add(struct stage *s, const char *tenant, unsigned count);
/* To another domain, whose host is "mx.DOMAIN"; or one of a provider's, if that begins with "p". */
void stage_add_to(struct stage *s, const char *tenant, const char *domain, unsigned count);
struct work stage_take(struct stage *s, size_t i);
/* The connection goes on, when it may. */
void stage_next(struct stage *s, uint64_t connection, bool reusable);
void stage_taken(struct stage *s, size_t i);
/* True: it is back, untried. Its next try is far away otherwise; the server closes. */
bool stage_refused_as(struct stage *s, size_t i, enum queue_refusal what, const char *why);
bool stage_refused_with(struct stage *s, size_t i, const char *why);
/* 421 at MAIL, and the connection ends. */
void stage_hung_up(struct stage *s, size_t i);
/* It is one too many for its connection; on a new one it is taken. */
void stage_taken_by_another(struct stage *s, size_t i);
bool stage_refused(struct stage *s, size_t i);
void stage_wait(struct stage *s, int64_t for_ms);
bool stage_carries(const struct stage *s, const char *tenant);
struct queue_destination_view stage_find(const struct stage *s, const char *destination);
struct queue_destination_view stage_view(const struct stage *s);
void stage_refuse_all(struct stage *s);
void stage_all_taken(struct stage *s);
/* The server takes the MAIL of that one, which goes on. */
void stage_mail_taken(struct stage *s, size_t i);

#endif
