// SPDX-License-Identifier: BSD-2-Clause
/* body_writer.h - A message too large for memory goes to a segment of its own while it arrives. */
#ifndef BODY_WRITER_H
#define BODY_WRITER_H

#include "content.h"
#include "sessions.h"

struct body_writer;

/* `failed`: NULL when all is written. */
typedef void body_writer_on_written(struct sessions *home, uint64_t session,
                                    const struct err *failed);

struct body_writer *body_writer_new(struct sessions *home, uint64_t session,
                                    body_writer_on_written *done);
/* Takes the bytes out of `bytes`; `done` is called when they are written. */
void body_writer_write(struct body_writer *i, struct buf *bytes);
/* Write the record's frame and make all of it durable; `done` is called. */
void body_writer_finish(struct body_writer *i, struct buf *bytes);
/* The id and the place of the record. */
void body_writer_place(const struct body_writer *i, int64_t *id_r, struct mail_place *place_r);
void body_writer_digest(const struct body_writer *i,
                        unsigned char digest_r[CONTENT_BYTES]); /* when finished */
/* Free it. The file goes, too, unless `keep`. When a write is under way it is freed after that. */
void body_writer_free(struct body_writer *i, bool keep);

#endif
