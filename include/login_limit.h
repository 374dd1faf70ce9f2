// SPDX-License-Identifier: BSD-2-Clause
/* login_limit.h - Guessing of passwords: what failed logins from an address, its networks and at a
 * name lead to. Pure: time is passed in, nothing is looked up.
 *
 * Each failure fills four leaky buckets: the address (IPv4 /32, IPv6 /64), the two networks around
 * it (/24 and /16, /48 and /32) and the name, whether it exists or not. Over its measure a bucket
 * locks for 15 minutes, and twice as long each time it happens again within a day, up to 4 hours.
 *
 * Whoever has logged in under a name from an address within 30 days is never locked out there: the
 * two have a bucket of their own, and when it is full one more may be tried each 6 seconds. At such
 * an address others are locked out name by name, and the address itself only after ten times as
 * many failures, as many may come from behind it.
 *
 * The memory is bounded: where it is full, those with the fewest failures are forgotten first. */
#ifndef LOGIN_LIMIT_H
#define LOGIN_LIMIT_H

#include "span.h"

#include <stddef.h>

enum login_limit_kind {
    LOGIN_LIMIT_NAME,
    LOGIN_LIMIT_ADDRESS,
    LOGIN_LIMIT_NETWORK,
    LOGIN_LIMIT_WIDE,
    LOGIN_LIMIT_PAIR,
    LOGIN_LIMIT_KINDS
};
enum { LOGIN_LIMIT_TEXT = 72, LOGIN_LIMIT_KNOWN_DAYS = 30, LOGIN_LIMIT_SAVE_MS = 60 * 1000 };

struct login_limit;

/* `slots`: how many buckets there may be, a multiple of 8; about 110 bytes each. */
struct login_limit *login_limit_new(size_t slots);
void login_limit_free(struct login_limit *g);

struct login_limit_judgement {
    int64_t wait_ms; /* 0: it may be tried now */
    bool owner;      /* who has logged in there before, see above */
};
/* May this name be tried from this address now? `address` is an IP address as text; times are of a
 * clock that is never set, in milliseconds. */
struct login_limit_judgement login_limit_judge(struct login_limit *g, struct span name,
                                               const char *address, int64_t now_ms);

struct login_limit_outcome {
    int64_t delay_ms; /* to wait before the answer */
    struct {
        char text[LOGIN_LIMIT_TEXT]; /* a name, an address or a network */
        int64_t for_ms;              /* 0: it is not locked, but slowed down */
    } locked[LOGIN_LIMIT_KINDS];     /* those that are locked from now on */
    size_t count;
};
/* This name was tried from this address in vain: count it, and say what follows. */
struct login_limit_outcome login_limit_failed(struct login_limit *g, struct span name,
                                              const char *address, int64_t now_ms);

/* True: this is worth keeping over a restart (it is new, or a day old). */
bool login_limit_succeeded(struct login_limit *g, struct span name, const char *address,
                           int64_t now_ms);
/* Has somebody logged in from this address within LOGIN_LIMIT_KNOWN_DAYS? */
bool login_limit_knows(struct login_limit *g, const char *address, int64_t now_ms);
/* What was kept. */
void login_limit_remember(struct login_limit *g, struct span name, const char *network,
                          int64_t at_ms);

/* Open what is locked: a name, an address with its networks, or a network. Forgets their failures;
 * false when there are none. */
bool login_limit_unlock(struct login_limit *g, const char *what);

struct login_limit_row {
    enum login_limit_kind kind;
    const char *text;
    unsigned failures;
    int64_t locked_ms; /* still so long; 0: it is not */
};
typedef void login_limit_on_row(void *context, const struct login_limit_row *row);
/* All that have failures or are locked. */
void login_limit_list(const struct login_limit *g, int64_t now_ms, login_limit_on_row *on_row,
                      void *context);

/* "name", "address" … */
const char *login_limit_kind_name(enum login_limit_kind kind);

/* "192.0.2.7", "192.0.2.0/24", "2001:db8::/64": the address's bucket of that kind; `text_r` holds
 * LOGIN_LIMIT_TEXT bytes. What is not an address is its own network. */
void login_limit_network(const char *address, enum login_limit_kind kind, char *text_r);

#endif
