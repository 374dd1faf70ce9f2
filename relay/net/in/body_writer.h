// SPDX-License-Identifier: BSD-2-Clause
/* body_writer.h - Writes a message that is too large for memory to a segment of its own while it
 * arrives. */
#ifndef BODY_WRITER_H
#define BODY_WRITER_H

#include "body.h"
#include "sessions.h"

struct body_writer;

/* `failed`: NULL when all is written. */
typedef void body_writer_on_written(struct sessions *home, uint64_t session,
                                    const struct err *failed);

struct body_writer *body_writer_new(struct sessions *home, uint64_t session, const char *tenant,
                                    const struct database_room *room, body_writer_on_written *done);
/* Takes the bytes out of `bytes`; `done` is called when they are written. */
void body_writer_write(struct body_writer *i, struct buf *bytes);
/* The same, and make all of it durable. */
void body_writer_finish(struct body_writer *i, struct buf *bytes);
/* What it has written. Borrowed. */
const struct body *body_writer_body(const struct body_writer *i);
/* Free it. What was written goes, too, unless `keep`: then it is the store's, see body_keep(). When
 * a write is under way it is freed after that. */
void body_writer_free(struct body_writer *i, bool keep);

#endif
