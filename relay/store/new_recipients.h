// SPDX-License-Identifier: BSD-2-Clause
/* new_recipients.h - Inside the store: recipients that a tenant has never written to before. */
#ifndef NEW_RECIPIENTS_H
#define NEW_RECIPIENTS_H

#include "sent.h"

struct new_recipient {
    bool is_new;
    bool is_stale;   /* it is known, and that is to be written down again */
    int64_t wait_ms; /* too many today: until there may be another; 0: now */
    uint32_t today, limit;
    struct sent_name name;
};

/* Is this recipient (in its canonical form) one? */
MUST_CHECK bool new_recipients_find(struct database *db, const struct throttle_settings *settings,
                                    const char *tenant, const char *recipient, int64_t now_ms,
                                    struct new_recipient *n_r, struct err *err);
/* It gets mail: it is known from now on. When half of the limit is used, and when all of it is, an
 * event says so. */
MUST_CHECK bool new_recipients_note(struct database *db, const struct mail *mail,
                                    const struct new_recipient *n, int64_t now_ms, struct err *err);

/* Forget the counts of days that no limit looks at any more; true when there were some. */
bool new_recipients_sweep(struct database *db, int64_t now_ms);

#endif
