// SPDX-License-Identifier: BSD-2-Clause
/* suppressions.h - The rows of the suppression list. Functions that change it are called in the
 * store's transaction, and add an event for each change; see database.h. */
#ifndef SUPPRESSIONS_H
#define SUPPRESSIONS_H

#include "database.h"
#include "suppress.h"

/* Is mail like `mail` kept back from this recipient? False, with err->kind ERR_NONE, when it is
 * not. Addresses are written in any way, here and below. */
MUST_CHECK bool database_suppressed(struct database *db, const struct mail *mail,
                                    const char *recipient, int64_t now_ms,
                                    struct suppress_entry *entry_r, struct err *err);
/* The same of who is known in both forms. */
MUST_CHECK bool database_suppressed_form(struct database *db, const struct mail *mail,
                                         const struct address_forms *forms, int64_t now_ms,
                                         struct suppress_entry *entry_r, struct err *err);

/* Add an entry. One that is there already stays as it is; only its expiry may move later.
 * `changed_r` says whether it is new. */
MUST_CHECK bool database_suppress(struct database *db, const struct suppress_entry *entry,
                                  int64_t now_ms, bool *changed_r, struct err *err);

/* The same for one of many, whose event is one for all: database_note_import(). */
MUST_CHECK bool database_suppress_import(struct database *db, const struct suppress_entry *entry,
                                         bool *changed_r, struct err *err);
MUST_CHECK bool database_note_import(struct database *db, int64_t rows, int64_t added,
                                     int64_t now_ms, struct err *err);

/* Write down that a receiver has said, to a RCPT of its own, that there is no such mailbox: `entry`
 * begins, or goes on to its expiry, with one answer more when it is another day's. One that has
 * expired begins anew. `first_r`: there was none before. */
MUST_CHECK bool database_suppress_answer(struct database *db, const struct suppress_entry *entry,
                                         int64_t now_ms, bool *first_r, struct err *err);

/* Was such an answer about the recipient written down on this day? */
MUST_CHECK bool database_was_answered_today(struct database *db, const char *tenant,
                                            const char *address, int64_t now_ms, bool *was_r,
                                            struct err *err);

/* The entry of exactly this key, `entry->address` as the list has it, gets another source, and
 * other times; or it ends. The first leaves no event, as nothing begins or ends. */
MUST_CHECK bool database_suppress_again(struct database *db, const struct suppress_entry *entry,
                                        struct err *err);
MUST_CHECK bool database_suppress_end(struct database *db, const struct suppress_entry *entry,
                                      const char *source, int64_t now_ms, struct err *err);

/* Which entries hold for an address; NULL, or -1 for the reason, is any. */
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
