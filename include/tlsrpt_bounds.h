// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_bounds.h - How much TLS reports may ask of others on one UTC day.
 *
 * A record may name anybody's mailbox or host, and RFC 8460 has no way to ask whether he wants that
 * (as DMARC has: RFC 7489 section 7.1). So each of them has a budget a day, and a smaller one for
 * reports on domains that are not of its own organization: whoever owns many domains can have only
 * so much sent to others, and what is sent to them, or comes back from them, leaves what the
 * organization itself asks for.
 * An address is charged with failures only, and they put off only posts to hosts that have taken
 * none today or yesterday: who lets names lead to somebody's address does not close it for others.
 * The table has so much room; a tenant may take what the others have left of it, but never more
 * than is still free.
 *
 * Pure, and in memory: after a start the day's budgets are whole again, and no host has taken any.
 */
#ifndef TLSRPT_BOUNDS_H
#define TLSRPT_BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

enum tlsrpt_whom {
    TLSRPT_MAILBOX,     /* by the form of its address that counts */
    TLSRPT_MAIL_DOMAIN, /* of such mailboxes: the registered one, as names below it cost nothing */
    TLSRPT_NAMER,       /* who names such mailboxes: the registered domain that is reported on */
    TLSRPT_HOST,        /* that is posted to */
    TLSRPT_HOSTS,       /* all hosts of a registered domain */
    TLSRPT_IP,          /* of such hosts (of IPv6, a /64): one budget, nobody's own */
    TLSRPT_WHOM
};

/* `foreign`: the report is on a domain of another organization. */
struct tlsrpt_target {
    enum tlsrpt_whom whom;
    const char *name; /* in normal form */
    bool foreign;
    const char *tenant; /* whose mail the report is about: it pays for the row */
};

/* What one costs: a mail, and more when it is refused; a post, and one that is not taken. */
enum { TLSRPT_COST = 1, TLSRPT_COST_RETURNED = 10, TLSRPT_COST_REFUSED = 20 };

enum tlsrpt_bound {
    TLSRPT_FREE,
    TLSRPT_RESTS,  /* it has said when */
    TLSRPT_FAILED, /* an address, that too many posts to have failed today: later */
    TLSRPT_FULL,   /* there is no room to count it today: later */
    TLSRPT_SPENT,  /* its budget of today */
    TLSRPT_CLOSED, /* it has refused one today */
    TLSRPT_BOUNDS
};

struct tlsrpt_bounds;

/* Nobody was asked for anything yet. Free with tlsrpt_bounds_free(). */
struct tlsrpt_bounds *tlsrpt_bounds_new(void);
void tlsrpt_bounds_free(struct tlsrpt_bounds *b); /* NULL is allowed */

/* May there be another one? */
enum tlsrpt_bound tlsrpt_bounds_ask(struct tlsrpt_bounds *b, const struct tlsrpt_target *t,
                                    int64_t now_ms);
/* Below 0: given back. */
void tlsrpt_bounds_charge(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int cost,
                          int64_t now_ms);
/* Nothing more until then, but not beyond today. */
void tlsrpt_bounds_rest(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int64_t until_ms,
                        int64_t now_ms);
/* How a post ended; proven: the last one was taken, today or the day before. */
void tlsrpt_bounds_prove(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, bool taken,
                         int64_t now_ms);
bool tlsrpt_bounds_proven(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int64_t now_ms);
/* Nothing more today; no more foreign reports, where it was one. */
void tlsrpt_bounds_close(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int64_t now_ms);

/* A sentence's end, as "has refused a report today". */
const char *tlsrpt_bound_text(enum tlsrpt_bound bound);

#endif
