// SPDX-License-Identifier: BSD-2-Clause
/* return_paths.h - Inside the store: recipients that have a return path of their own. */
#ifndef RETURN_PATHS_H
#define RETURN_PATHS_H

#include "store_jobs.h"

/* It is delivered: what comes back is taken for fourteen days after the message would have been
 * given up. */
MUST_CHECK bool return_paths_keep(struct database *db, const struct store_outcome *outcome,
                                  int64_t now_ms, struct err *err);
/* Forget some of those whose day is over. True: there may be more of them. */
bool return_paths_sweep(struct database *db, int64_t now_ms);

#endif
