// SPDX-License-Identifier: BSD-2-Clause
/* suppress_brake.h - A receiver's accident suppresses nobody: while a site says of many mailboxes
 * that they do not exist, nobody there is put on the suppression list, and whom it has said so of
 * since it began comes off it.
 *
 * A site is a receiver's name, as its provider's. Each tenant's mail there is counted for itself,
 * so that one tenant's bad list of addresses changes nothing for another; two tenants that meet the
 * same at a site show that it is the site: for recipients of a domain about which both have heard
 * it, and for all where it was said about many domains, as any domain can name a receiver's host as
 * its MX. Counted are last answers, of the ten minutes before. No I/O and no clock: times are in
 * ms, of any clock; one that goes back begins anew. Not thread-safe.
 */
#ifndef SUPPRESS_BRAKE_H
#define SUPPRESS_BRAKE_H

#include "check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sites of a tenant; addresses of one of these; a domain, of which more is cut off. */
enum { BRAKE_SITES = 256, BRAKE_KEPT = 1000, BRAKE_DOMAIN_MAX = 255 };

enum brake {
    BRAKE_OFF,
    BRAKE_ENDS, /* off, from this answer on */
    BRAKE_ON,
    BRAKE_BEGINS /* on, from this answer on: see suppress_brake_take() */
};

struct suppress_brake;

/* Free with suppress_brake_free(); NULL is no brake there. */
struct suppress_brake *suppress_brake_new(void);
void suppress_brake_free(struct suppress_brake *b);

/* The last answer about a recipient. */
struct brake_heard {
    const char *tenant, *site;
    const char *domain; /* the recipient's, in normal form */
    bool unknown;       /* there is no such mailbox */
};
/* Of more than 20 answers a tenth, or of the last 20 half, put the brake on; so do two other
 * tenants there, who have heard that much about this domain, or about more than three (names below
 * a registered one are none of their own). Domains are told apart
 * from the first unknown mailbox there on. A tenant's sites beyond BRAKE_SITES are forgotten, those
 * first that nothing was heard of for longest; and those of which nothing was for ten minutes, but
 * for a brake that is on, whose end is told. */
enum brake suppress_brake_answer(struct suppress_brake *b, const struct brake_heard *heard,
                                 int64_t now_ms);
/* Is it on, by what was answered in the ten minutes before? Counts nothing. */
bool suppress_brake_is_on(struct suppress_brake *b, const char *tenant, const char *site,
                          int64_t now_ms);
/* After an answer that was BRAKE_OFF or BRAKE_ENDS: it has put this address on the list. The last
 * BRAKE_KEPT are remembered. */
void suppress_brake_note(struct suppress_brake *b, const char *tenant, const char *site,
                         const char *address, int64_t now_ms);
/* One of those noted in the ten minutes before `now_ms`, the last first; owned by the caller. NULL:
 * there is none left. */
MUST_CHECK char *suppress_brake_take(struct suppress_brake *b, const char *tenant, const char *site,
                                     int64_t now_ms);
/* How many were answered, and how many of these with no such mailbox, in the ten minutes before. */
void suppress_brake_counts(struct suppress_brake *b, const char *tenant, const char *site,
                           int64_t now_ms, unsigned *answers_r, unsigned *unknown_r);

#endif
