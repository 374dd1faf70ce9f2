// SPDX-License-Identifier: BSD-2-Clause
/* rests.h - Rests of destinations that an operator has requested, as stored in the database. Times
 * are wall-clock times. */
#ifndef RESTS_H
#define RESTS_H

#include "database.h"

struct database_rest {
    const char *name, *why; /* of a destination, or of a host */
    bool is_host;
    int64_t until_ms;
};

/* In the store's transaction. Those that are over go meanwhile. */
MUST_CHECK bool database_rest(struct database *db, const struct database_rest *rest, int64_t now_ms,
                              struct err *err);
MUST_CHECK bool database_end_rest(struct database *db, const char *name, bool is_host,
                                  struct err *err);

/* Those that are not over; texts are borrowed for the call. */
typedef void database_on_rest(void *context, const struct database_rest *rest);
MUST_CHECK bool database_rests(struct database *db, int64_t now_ms, database_on_rest *on_rest,
                               void *context, struct err *err);

#endif
