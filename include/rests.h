// SPDX-License-Identifier: BSD-2-Clause
/* rests.h - Destinations that an operator has put to rest, as the database keeps them over a
 * restart. Times are the wall clock's.
 */
#ifndef RESTS_H
#define RESTS_H

#include "database.h"

struct database_rest {
    const char *destination, *why;
    int64_t until_ms;
};

/* In the store's transaction. Those that are over go meanwhile. */
MUST_CHECK bool database_rest(struct database *db, const struct database_rest *rest, int64_t now_ms,
                              struct err *err);
MUST_CHECK bool database_end_rest(struct database *db, const char *destination, struct err *err);

/* Those that are not over; texts are borrowed for the call. */
typedef void database_on_rest(void *context, const struct database_rest *rest);
MUST_CHECK bool database_rests(struct database *db, int64_t now_ms, database_on_rest *on_rest,
                               void *context, struct err *err);

#endif
