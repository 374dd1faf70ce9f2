// SPDX-License-Identifier: BSD-2-Clause
/* transaction.h - Inside the store: a batch as one transaction. */
#ifndef TRANSACTION_H
#define TRANSACTION_H

#include "directory.h"
#include "jobs.h"
#include "reports.h"

/* What the batch is decided by. */
struct transaction {
    struct database *db;
    const struct reports *reports;
    struct directory *directory;
};

/* Run those jobs that are JOB_READY, in order, and commit: each is then JOB_DONE or JOB_BAD, with
 * its result. False: nothing is written, and those that were not JOB_BAD are JOB_FAILED. */
MUST_CHECK bool transaction_run(const struct transaction *t, struct job *jobs, struct err *err);

#endif
