// SPDX-License-Identifier: BSD-2-Clause
/* suppressions.h - The suppression list, as rows. What changes it is called in the store's
 * transaction, and leaves an event for each change; see database.h. */
#ifndef SUPPRESSIONS_H
#define SUPPRESSIONS_H

#include "database.h"
#include "suppress.h"

/* Is mail like `mail` kept back from this recipient, in its canonical form? False, with err->kind
 * ERR_NONE, when it is not. */
MUST_CHECK bool database_suppressed(struct database *db, const struct mail *mail,
                                    const char *recipient, int64_t now_ms,
                                    struct suppress_entry *entry_r, struct err *err);

/* `entry->address` is in canonical form. One that is there already stays as it is; only its expiry
 * may move later. `changed_r` says whether it is new. */
MUST_CHECK bool database_suppress(struct database *db, const struct suppress_entry *entry,
                                  int64_t now_ms, bool *changed_r, struct err *err);

/* Which entries; NULL, or -1 for the reason, is any. */
struct suppressions_filter {
    const char *address, *tenant, *stream;
    int reason;
    struct suppress_entry after; /* where the page begins: behind this one */
};
/* `filter->address` must be set. `source` says who did it. */
MUST_CHECK bool database_unsuppress(struct database *db, const struct suppressions_filter *filter,
                                    const char *source, int64_t now_ms, int64_t *removed_r,
                                    struct err *err);

typedef void database_on_suppression(void *context, const struct suppress_entry *entry);
/* Up to `limit`, by address; moves filter->after, so that the same filter gives the next page. */
MUST_CHECK bool database_suppressions(struct database *db, struct suppressions_filter *filter,
                                      int64_t limit, database_on_suppression *on_entry,
                                      void *context, struct err *err);

#endif
