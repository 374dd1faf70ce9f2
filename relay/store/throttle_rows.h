// SPDX-License-Identifier: BSD-2-Clause
/* throttle_rows.h - Inside the store: the throttle's buckets as rows, read and charged in the
 * transaction that accepts the message. */
#ifndef THROTTLE_ROWS_H
#define THROTTLE_ROWS_H

#include "store_jobs.h"

/* Decide about one recipient of a->mail, in its canonical form, by all limits, and charge it. */
MUST_CHECK bool throttle_rows_charge(struct database *db, const struct store_accept *a,
                                     const char *recipient, const char *domain, int64_t now_ms,
                                     struct throttle_decision *d, struct err *err);

/* Charge only the tenant's rate for one recipient, who gets nothing new; `d` says so when that is
 * used up, and else stays as it is. */
MUST_CHECK bool throttle_rows_charge_rate(struct database *db, const struct store_accept *a,
                                          int64_t now_ms, struct throttle_decision *d,
                                          struct err *err);

/* Count a report on who gets it. `taken_r`: it may go, after `wait_ms_r`; one on a failure has the
 * limit's reserve, and waits for so long as the limit holds. */
MUST_CHECK bool throttle_rows_charge_report(struct database *db, const struct throttle_limit *limit,
                                            const char *recipient, bool fails, int64_t now_ms,
                                            bool *taken_r, int64_t *wait_ms_r, struct err *err);

/* At the end, in a transaction of its own: what the disk has ahead is written as it is. What fails
 * is logged, and counts as after a crash. */
void throttle_rows_settle(struct database *db);

#endif
