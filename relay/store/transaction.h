// SPDX-License-Identifier: BSD-2-Clause
/* transaction.h - Inside the store: a batch as one transaction. */
#ifndef TRANSACTION_H
#define TRANSACTION_H

#include "reports.h"

/* What the batch is decided by. */
struct transaction {
    struct database *db;
    const struct reports *reports;
    uint64_t accounts; /* store_accounts() */
};

/* Run and commit those jobs that are ok. False: nothing is written, none is ok, and each `err` says
 * why. If it is one that the database does not take for what it is, that is `bad`, and those that
 * can be run once more without it are `again`. */
MUST_CHECK bool transaction_run(const struct transaction *t, struct store_job *jobs,
                                struct err *err);

#endif
