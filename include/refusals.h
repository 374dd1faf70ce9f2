// SPDX-License-Identifier: BSD-2-Clause
/* refusals.h - What clients were refused, as lines of the log and as events: so many a minute of
 * each credential, of all that have none together, and in all; the rest is counted and said in one.
 * Whoever causes refusals fills no disk with them, and hides nobody else's. */
#ifndef REFUSALS_H
#define REFUSALS_H

#include "err.h"
#include "store.h"

struct refusals;

/* `store` is borrowed. Free with refusals_free(). */
struct refusals *refusals_new(struct store *store);
void refusals_free(struct refusals *r);

struct refusal {
    const char *kind;    /* of the event: "refused" or "auth_refused" */
    const char *command; /* "MAIL", "RCPT", "DATA", "AUTH" */
    const char *user;    /* the credential; "" when it has not logged in */
    const char *about;   /* a recipient, an address as it came, or the name of a login */
    const char *sender, *message_id, *peer; /* "" not known */
    const struct verdict *v;
    unsigned more; /* of the same session that are only counted */
};

/* From any thread; the strings are copied. */
void refusals_add(struct refusals *r, const struct refusal *x);
/* Say what was only counted, when its minute is over. */
void refusals_tick(struct refusals *r);

#endif
