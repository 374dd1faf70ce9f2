// SPDX-License-Identifier: BSD-2-Clause
/* handshakes.h - Tenants' turns at what a loop computes for TLS with servers.
 *
 * What one handshake costs is bounded (tls_limits.c), but a server may choose some tens of ms, and
 * who writes to many such servers would fill all of the loop's time. So a turn of the loop computes
 * a few ms of handshakes only, then all else is served; tenants take turns; and whose handshake was
 * dear waits for about as long as that took, so that a tenant has half of the time at most.
 *
 * All on the loop's thread.
 */
#ifndef HANDSHAKES_H
#define HANDSHAKES_H

#include <stdbool.h>
#include <uv.h>

struct handshakes;
struct handshakes_party;

/* Of a loop; nothing of it is left there when nobody waits. */
struct handshakes *handshakes_new(uv_loop_t *loop);
/* Nobody waits any more. */
void handshakes_free(struct handshakes *h);

/* One connection's. */
struct handshake {
    struct handshake *next, *prev;
    struct handshakes_party *party; /* it waits; NULL: it does not */
    void (*run)(struct handshake *s);
    bool urgent; /* class security: it goes before others of its tenant */
    char tenant[64];
    uint64_t since_ms;  /* it waits; by the loop's clock */
    uint64_t waited_ms; /* until `run` was called */
};

/* Whose turns one takes. */
struct handshake_terms {
    struct handshakes *all;
    const char *tenant;
    bool urgent;
};

/* Something has come for it: `run` is called, now or later. It may free `s`. */
void handshakes_add(struct handshakes *h, struct handshake *s);
/* It waits no more. Nothing happens when it does not. */
void handshakes_drop(struct handshakes *h, struct handshake *s);

#endif
