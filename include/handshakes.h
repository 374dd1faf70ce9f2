// SPDX-License-Identifier: BSD-2-Clause
/* handshakes.h - Turns at what a loop computes for those who choose how much that is.
 *
 * TLS with servers, by tenants: what a handshake costs is bounded (tls_limits.c), but a server may
 * choose some tens of ms, and who writes to many such servers would fill all of the loop's time. So
 * a turn of the loop computes a few ms of handshakes only, then all else is served; tenants take
 * turns; and whose handshake was dear waits for about as long as that took, so that a tenant has
 * half of the time at most.
 *
 * All that strangers want, by networks: all of them together have a part of the loop's time, beyond
 * a credit that comes back while they want nothing. In it whoever has had least is the next.
 *
 * All on the loop's thread.
 */
#ifndef HANDSHAKES_H
#define HANDSHAKES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct handshakes;
struct handshakes_party;

/* In microseconds of the loop's thread. */
struct handshakes_bounds {
    unsigned turn_us;   /* of a turn of the loop: when they are over, the others wait */
    unsigned free_us;   /* what took no longer is not counted */
    unsigned part;      /* all together have one part in so many; 0: there is no such bound */
    unsigned credit_us; /* with a part: so much may be used at once, and then comes back by it */
};

/* With servers, and for strangers. */
extern const struct handshakes_bounds handshakes_with_servers, handshakes_for_strangers;

/* Of a loop; nothing of it is left there when nobody waits. `bounds` are borrowed. */
struct handshakes *handshakes_new(uv_loop_t *loop, const struct handshakes_bounds *bounds);
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

/* What is done in between for `tenant` counts as if it had been run, with `more_us` that nobody can
 * measure. Not from inside of `run`. */
void handshakes_begin(struct handshakes *h);
void handshakes_end(struct handshakes *h, const char *tenant, unsigned more_us);
/* How long it is until the whole has time again, in ms; 0: now. */
uint64_t handshakes_wait_ms(const struct handshakes *h);
/* Have both the whole and this tenant used more than half of their credit? */
bool handshakes_are_short(struct handshakes *h, const char *tenant);

#endif
