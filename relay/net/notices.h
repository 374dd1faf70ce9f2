// SPDX-License-Identifier: BSD-2-Clause
/* notices.h - Writes what happens to the relay's safety into the events and the audit trail.
 * Whoever causes it fills no disk: about a user or recipient once an hour, 200 of a kind in an
 * hour. */
#ifndef NOTICES_H
#define NOTICES_H

#include "alert.h"
#include "store.h"

struct notices;

/* `store` is borrowed. Free with notices_free(). */
struct notices *notices_new(struct store *store);
void notices_free(struct notices *n);
/* From any thread; the strings are copied. False: it is over that, and not written. */
bool notices_add(struct notices *n, enum alert_kind kind, const char *about, const char *text);
/* The same as an event only, and each time: nobody is told. `kind` is a literal. */
void notices_add_event(struct notices *n, const char *kind, const char *about, const char *text);

#endif
