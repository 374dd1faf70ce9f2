// SPDX-License-Identifier: BSD-2-Clause
/* webhook_course.h - When an event is sent to an endpoint again, and how much an endpoint is sent
 * at a time, by how it has answered.
 *
 * An event has its schedule (Standard Webhooks: 5 s after the first attempt, up to 24 h, ten in
 * all). An endpoint has its course: up to four events at a time while it takes them, one at a time
 * after a failure, and pauses between while it goes on failing, so that one that is down is not
 * asked about all that waits for it. Plain values: the time is passed in.
 */
#ifndef WEBHOOK_COURSE_H
#define WEBHOOK_COURSE_H

#include "check.h"

#include <stdbool.h>
#include <stdint.h>

enum { WEBHOOK_AT_ONCE = 4, WEBHOOK_ATTEMPTS = 10 };
static const int64_t webhook_patience_ms = INT64_C(5) * 24 * 3600 * 1000;
static const int64_t webhook_kept_ms = INT64_C(7) * 24 * 3600 * 1000;

struct webhook_answer {
    enum {
        WEBHOOK_NOT_ASKED, /* our own fault: it has not heard of the event, as far as we know */
        WEBHOOK_UNREACHED, /* no answer: no name, no connection, no trust, no time */
        WEBHOOK_ANSWERED
    } how;
    int status;            /* of HTTP, when it has answered */
    int64_t retry_after_s; /* that it wants to be left alone; 0: it has not said */
};

enum webhook_end {
    WEBHOOK_TAKEN,
    WEBHOOK_AGAIN,    /* after `wait_ms` */
    WEBHOOK_GIVEN_UP, /* that was the last attempt */
    WEBHOOK_GONE      /* 410: the endpoint wants nothing more, of any event */
};

struct webhook_next {
    enum webhook_end end;
    int64_t wait_ms;
    unsigned tries; /* that count, with this one */
};

/* What follows for the event that was sent, after `tries` attempts before this one. `chance`: any
 * number, another each time: waits differ by up to a tenth. */
struct webhook_next webhook_course_next(unsigned tries, const struct webhook_answer *a,
                                        uint32_t chance);

/* Of an endpoint. All zero: nothing has been sent yet. */
struct webhook_course {
    unsigned window;   /* events at a time; 0: one has failed, or none was sent: one */
    unsigned failures; /* in sequence */
    int64_t rest_ms;   /* nothing is sent before that; steady clock */
    bool failing;
    int64_t failed_ms; /* for so long, up to the last failure: without what nothing was tried in */
    int64_t last_ms;   /* the last failure, steady clock; 0: none since the relay began */
    bool unreached;    /* one of them was no answer at all */
};

/* As it was written down before a restart: `failed_ms` as in webhook_queue_put(). In what was
 * written the time since the last failure counts, tried or not: so an hour of failing is left. */
struct webhook_course webhook_course_resumed(int64_t failed_ms);
/* How many more may be sent now. */
unsigned webhook_course_may(const struct webhook_course *c, unsigned in_flight, int64_t steady_ms);
/* It has answered, about an event that was sent `tries` times before. True: it takes events again
 * after it could not be reached, and those that it missed may be sent now. */
bool webhook_course_learn(struct webhook_course *c, const struct webhook_answer *a, unsigned tries,
                          int64_t steady_ms);
/* It has failed for webhook_patience_ms. */
bool webhook_course_is_over(const struct webhook_course *c);

#endif
