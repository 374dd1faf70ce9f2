// SPDX-License-Identifier: BSD-2-Clause
/* body.h - The bytes of a message too large for memory, written to the store while they arrive.
 *
 * begin - write, write, … - finish - keep; or abort at any time. Writing waits for the disk: it is
 * for a thread that may. What is smaller comes with its job (store_jobs.h); how any of it is read
 * is in spool.h.
 */
#ifndef BODY_H
#define BODY_H

#include "content.h"
#include "database.h"
#include "err.h"
#include "mail.h"

struct body;
struct store;

/* The id of the message, and a place for it; nothing is written yet. `tenant`, `room`: in whose
 * share it counts while it is being received, see database_fits(). From any thread. End with
 * body_keep() or body_abort(). */
struct body *body_begin(struct store *store, const char *tenant, const struct database_room *room);
/* Append. After a fault (ERR_FULL, ERR_SYSTEM) only body_abort() is left. */
MUST_CHECK bool body_write(struct body *b, struct span bytes, struct err *err);
/* That was all: make it durable. */
MUST_CHECK bool body_finish(struct body *b, struct err *err);

/* The id that the message will have, from its beginning on. */
int64_t body_id(const struct body *b);
/* Where it lies, and its digest (content.h), when it is finished; borrowed. */
const struct mail_place *body_place(const struct body *b);
const unsigned char *body_digest(const struct body *b); /* CONTENT_BYTES */

/* Free it. The bytes are the store's from now on: the mail of a store_accept has their place, and
 * what is not accepted is removed. */
void body_keep(struct body *b);
/* Free it, and remove the bytes; NULL is allowed. */
void body_abort(struct body *b);

#endif
