// SPDX-License-Identifier: BSD-2-Clause
/* reports.h - Inside the store: what senders are owed, and the one message that tells it. */
#ifndef REPORTS_H
#define REPORTS_H

#include "rows.h"

struct reports {
    char hostname[256]; /* empty: none are made */
    enum throttle_mode mode;
    struct throttle_limit limit;
};

/* The outcome's sender is to be told, soon or at the message's end; in the transaction of both. */
MUST_CHECK bool reports_owe(struct database *db, const struct store_outcome *outcome,
                            int64_t now_ms, struct err *err);
/* Nobody waits any more, perhaps: then what is owed is due. */
MUST_CHECK bool reports_at_end(struct database *db, int64_t message, struct err *err);

/* Jobs for what is due, some at a time; NULL: nothing is. */
MUST_CHECK bool reports_make(const struct reports *r, struct store *store, struct database *db,
                             const char *state_dir, struct store_job **jobs_r, struct err *err);
/* Count job->mail on who gets it, as a report: `dropped`, or later. Its recipients are told. */
MUST_CHECK bool reports_tell(const struct reports *r, struct database *db, struct store_job *job,
                             int64_t now_ms, struct err *err);
/* Look when the next one is due, for db->report_due_ms, and on which message; when it is again on
 * `before`, something is in its way, and a second passes. */
MUST_CHECK bool reports_look(struct database *db, int64_t before, int64_t *message_r,
                             struct err *err);

#endif
