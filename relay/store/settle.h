// SPDX-License-Identifier: BSD-2-Clause
/* settle.h - Inside the store: what became of a recipient. */
#ifndef SETTLE_H
#define SETTLE_H

#include "store_jobs.h"

MUST_CHECK bool rows_settle(struct database *db, struct store_outcome *outcome, int64_t now_ms,
                            struct err *err);

#endif
