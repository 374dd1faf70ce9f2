// SPDX-License-Identifier: BSD-2-Clause
/* sts_rows.h - MTA-STS policies as the store keeps them (mta_sts.h), one row for each domain. */
#ifndef STS_ROWS_H
#define STS_ROWS_H

#include "database.h"
#include "mta_sts.h"

struct sts_row {
    const char *domain, *tenant;
    const struct mta_sts_kept *kept;
    struct span raw; /* the policy as it came */
};

/* Write all of it; in the store's transaction. */
MUST_CHECK bool database_sts_put(struct database *db, const struct sts_row *row, struct err *err);
/* The same of the last failure only, or of when and by whom it was used. */
MUST_CHECK bool database_sts_failed(struct database *db, const struct sts_row *row,
                                    struct err *err);
MUST_CHECK bool database_sts_used(struct database *db, const struct sts_row *row, struct err *err);
/* False with ERR_NOT_FOUND when there is none. */
MUST_CHECK bool database_sts_drop(struct database *db, const char *domain, struct err *err);

/* All is borrowed for the call. */
typedef void database_on_sts(void *context, const struct sts_row *row);

/* Those from `from` on, in the order of their names, at most `limit`. What is in a row and makes no
 * sense is as a row without a policy. */
MUST_CHECK bool database_sts_rows(struct database *db, const char *from, int64_t limit,
                                  database_on_sts *on_row, void *context, struct err *err);

#endif
