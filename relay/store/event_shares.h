// SPDX-License-Identifier: BSD-2-Clause
/* event_shares.h - Inside the store: how much each tenant has of the events. */
#ifndef EVENT_SHARES_H
#define EVENT_SHARES_H

#include "database.h"

/* About what an event takes in the database. */
int64_t event_shares_bytes(const struct database_event *event);

/* What each tenant had when it was last written down. */
MUST_CHECK bool event_shares_load(struct database *db, int64_t now_ms, struct err *err);
/* Write it down, in a transaction of its own. A fault is logged, and it is tried again. */
void event_shares_save(struct database *db);

#endif
