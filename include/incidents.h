// SPDX-License-Identifier: BSD-2-Clause
/* incidents.h - Records security incidents in the events and the audit trail. The number is
 * limited, so that they cannot fill the disk: one an hour about a user or recipient, and 200 an
 * hour of a kind. Who says in `about` since when it is so is heard each time that it begins. */
#ifndef INCIDENTS_H
#define INCIDENTS_H

#include "alert.h"
#include "store.h"

struct incidents;

/* `store` is borrowed. Free with incidents_free(). */
struct incidents *incidents_new(struct store *store);
void incidents_free(struct incidents *n);
/* From any thread; the strings are copied. False: it is over that, and not written. */
bool incidents_add(struct incidents *n, enum alert_kind kind, const char *about, const char *text);
/* The same of what is over: under the name of its end (alert_end_name()). */
bool incidents_add_end(struct incidents *n, enum alert_kind kind, const char *about,
                       const char *text);
/* The same as an event only, and each time: nobody is told. `kind` is a literal. */
void incidents_add_event(struct incidents *n, const char *kind, const char *about,
                         const char *text);

#endif
