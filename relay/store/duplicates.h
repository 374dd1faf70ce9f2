// SPDX-License-Identifier: BSD-2-Clause
/* duplicates.h - Inside the store: what a recipient has got already, or will get anyway. */
#ifndef DUPLICATES_H
#define DUPLICATES_H

#include "sent.h"
#include "store_jobs.h"

/* One recipient's rows. */
struct duplicate_names {
    struct sent_name once, alike;
    bool has_once, has_alike;
};

/* The instance's key for digests of contents. */
MUST_CHECK bool duplicates_key(struct database *db, unsigned char key_r[CONTENT_KEY],
                               struct err *err);

/* Is a->mail, for the recipient of `d`, a repetition, or does it say the same as one that waits?
 * Then d->what says so; otherwise it is left as it is. With a->refusal its key was used for other
 * content: nobody gets it. `names_r` is for duplicates_note(). */
MUST_CHECK bool duplicates_find(struct database *db, struct store_accept *a,
                                const struct address_forms *forms, int64_t now_ms,
                                struct throttle_decision *d, struct duplicate_names *names_r,
                                struct err *err);
/* Remember what is decided, so that it can be repeated. */
MUST_CHECK bool duplicates_note(struct database *db, const struct store_accept *a,
                                const struct throttle_decision *d,
                                const struct duplicate_names *names, int64_t now_ms,
                                struct err *err);

/* The event of recipient `i`, who gets nothing because of the other message. */
MUST_CHECK bool duplicates_event(struct database *db, const struct store_accept *a, size_t i,
                                 const struct throttle_decision *d, struct err *err);
/* The other message is not sent to this recipient any more: `mail` goes in its place. */
MUST_CHECK bool duplicates_replace(struct database *db, const struct mail *mail,
                                   const struct throttle_decision *d, struct err *err);

#endif
