// SPDX-License-Identifier: BSD-2-Clause
/* endpoints.h - What is known of each address that we connect to, whatever domain led there: how
 * many connections it has, and whether it rests.
 *
 * An endpoint that cannot be reached rests for everybody: 5 seconds, then twice as long each time,
 * up to 10 minutes. When that is over, one connection probes it, and the others still go elsewhere.
 * What an endpoint with a live connection refuses is no reason to rest: it is there, and busy.
 *
 * Pure: the owner has a lock and a clock. The table is bounded: what is in use is bounded by the
 * connections there are, and of the others the oldest are forgotten.
 */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H

#include "ip.h"

#include <stdint.h>

enum { ENDPOINTS_WHY = 120 };

struct endpoints;

enum endpoints_answer {
    ENDPOINT_FREE,  /* a connection has been counted */
    ENDPOINT_PROBE, /* the same; it rested, and nobody else tries it now */
    ENDPOINT_RESTS, /* not now */
    ENDPOINT_FULL   /* it has as many connections as it may have */
};

/* Somebody who waits for a place at a full endpoint. */
struct endpoints_waiter {
    struct endpoints_waiter *next, *prev;
    struct endpoint at;
    bool listed;
};

/* `connections_max`: to one endpoint. `remembered_max`: endpoints without a connection. */
struct endpoints *endpoints_new(unsigned connections_max, size_t remembered_max);
void endpoints_free(struct endpoints *e);

enum endpoints_answer endpoints_take(struct endpoints *e, const struct endpoint *at,
                                     int64_t now_ms);
/* The server there has spoken on a connection that was counted. */
void endpoints_spoke(struct endpoints *e, const struct endpoint *at);
/* No connection could be made, or nothing was said on it. It stays counted until it is released. */
void endpoints_failed(struct endpoints *e, const struct endpoint *at, const char *why,
                      int64_t now_ms);
/* A connection has ended; `spoke`: the server had spoken on it. */
void endpoints_release(struct endpoints *e, const struct endpoint *at, bool spoke);

/* How long it still rests, and why; 0 when it does not. `why_r` holds ENDPOINTS_WHY bytes. */
int64_t endpoints_rest_ms(const struct endpoints *e, const struct endpoint *at, int64_t now_ms,
                          char *why_r);

/* No endpoint rests any more: somebody knows better. */
void endpoints_resume(struct endpoints *e);

/* Wait for a place at the full endpoint `w->at`. */
void endpoints_wait(struct endpoints *e, struct endpoints_waiter *w);
/* False when it is no longer in the list. */
bool endpoints_leave(struct endpoints *e, struct endpoints_waiter *w);
bool endpoints_wanted(const struct endpoints *e, const struct endpoint *at);
/* The next one to be told, out of the list now; NULL for none. With `granted_r`, it has been given
 * a place; otherwise the endpoint rests, and it must look elsewhere. */
struct endpoints_waiter *endpoints_next(struct endpoints *e, const struct endpoint *at,
                                        int64_t now_ms, bool *granted_r);

#endif
