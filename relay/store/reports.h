// SPDX-License-Identifier: BSD-2-Clause
/* reports.h - Inside the store: what senders are owed, and the one message that tells it. */
#ifndef REPORTS_H
#define REPORTS_H

#include "jobs.h"
#include "message_ids.h"

struct reports {
    char hostname[256]; /* empty: none are made */
    enum throttle_mode mode;
    struct throttle_limit limit;
};

/* Jobs for what is due, some at a time; NULL: nothing is. */
MUST_CHECK bool reports_make(const struct reports *r, struct message_ids *ids, struct database *db,
                             const char *state_dir, struct job **jobs_r, struct err *err);
/* Count its mail on who gets it: `dropped`, or later. Its recipients are told. */
MUST_CHECK bool reports_tell(const struct reports *r, struct database *db, struct report *report,
                             int64_t now_ms, struct err *err);

#endif
