// SPDX-License-Identifier: BSD-2-Clause
/* composition.h - Makes a message's outgoing copy, at once or on libuv's pool if it is large, and
 * reads it while it is sent.
 *
 * On the pool it uses only its own record, its own copies of the mail's fields and keys on loan, so
 * that it can be abandoned at any time.
 */
#ifndef COMPOSITION_H
#define COMPOSITION_H

#include "compose.h"
#include "deliveries.h"
#include "spool.h"

/* A larger message is hashed and converted for longer than others should wait. */
enum { COMPOSITION_LARGE = 1024 * 1024 };

struct composition;

/* Open the mail's record, where its row says that it is. When it is not there, or not what it
 * should be, composition_make() looks whether it was moved: then `mail->place`, borrowed until that
 * is done, follows, else the result is COMPOSE_FAULT with ERR_DAMAGED. */
MUST_CHECK bool composition_open(struct deliveries *home, struct settings *settings,
                                 struct mail *mail, struct composition **composition_r,
                                 struct err *err);
/* Give up whatever is under way. NULL is allowed. */
void composition_free(struct composition *c);

/* What `list_unsubscribe_make` gives, for a copy of one recipient's own. */
struct composition_links {
    struct buf url, feedback_id;
};
struct composition_links *composition_links(struct composition *c);

/* Make the copy for a hop with these offers. `only_recipient`: as its address is said to the hop;
 * empty when there are several. False: it cannot be begun. When it is true and composition_busy(),
 * `done` is called in the end. */
MUST_CHECK bool composition_make(struct composition *c, const struct delivery_offers *offers,
                                 struct span only_recipient, void (*done)(void *owner), void *owner,
                                 struct err *err);
bool composition_busy(const struct composition *c);
enum compose_result composition_result(const struct composition *c);
const struct compose_output *composition_copy(const struct composition *c);
uint64_t composition_size(const struct composition *c);

/* Then the copy from its first byte, piece by piece; an empty piece is the end. Borrowed until the
 * next call. */
MUST_CHECK bool composition_next(struct composition *c, struct span *piece_r, struct err *err);

#endif
