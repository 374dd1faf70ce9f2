// SPDX-License-Identifier: BSD-2-Clause
/* report_rows.h - Inside the store: that a sender is owed a report. */
#ifndef REPORT_ROWS_H
#define REPORT_ROWS_H

#include "store_jobs.h"

/* The outcome's sender is to be told, soon or at the message's end; in the transaction of both. */
MUST_CHECK bool report_rows_owe(struct database *db, const struct store_outcome *outcome,
                                int64_t now_ms, struct err *err);
/* Nobody waits any more, perhaps: then what is owed is due. */
MUST_CHECK bool report_rows_at_end(struct database *db, int64_t message, struct err *err);
/* Look when the next one is due, for db->report_due_ms, and on which message; when it is again on
 * `before`, something is in its way, and a second passes. */
MUST_CHECK bool report_rows_look(struct database *db, int64_t before, int64_t *message_r,
                                 struct err *err);

#endif
