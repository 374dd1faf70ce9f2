// SPDX-License-Identifier: BSD-2-Clause
/* refusals.h - Logs refusals, as lines and as events. The number a minute is limited for each
 * credential, for all clients without one, and in total, and apart from these for failed logins:
 * for each credential that they claim to be, and for all names that there are not. The rest is
 * counted and logged in one line. So nobody can fill the disk with refusals, or hide those of
 * others. */
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
