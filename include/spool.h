// SPDX-License-Identifier: BSD-2-Clause
/* spool.h - Reading the bytes of a message from the store's spool: its header at once, its body
 * piece by piece. What is read is never believed before its checksum. Any thread reads; how the
 * bytes come there is in body.h and store_jobs.h.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "buf.h"
#include "err.h"
#include "mail.h"

enum { SPOOL_CHUNK = 64 * 1024 };

struct spool_shared;

struct spool_message {
    int fd;
    struct spool_shared *shared; /* whose descriptor it is; NULL: its own */
    int64_t id, at;              /* at: file offset of the message's first byte */
    uint64_t length;
    uint32_t crc_wanted, crc;
    bool verified;     /* all of it is in memory, and is what it should be */
    struct buf head;   /* the first bytes: all of a small message */
    size_t header_len; /* of the header, with its last CRLF */
    uint64_t position; /* of the next body byte to give */
    struct buf chunk;
};

/* Open a record and read its header. ERR_DAMAGED when it is not what it should be, or is gone. End
 * with spool_close().
 */
MUST_CHECK bool spool_open(const char *state_dir, int64_t id, const struct mail_place *place,
                           struct spool_message *m, struct err *err);
void spool_close(struct spool_message *m);
struct span spool_header(const struct spool_message *m);
/* Go to the first byte of the body. */
void spool_rewind(struct spool_message *m);
/* The next piece of the body; empty at its end, where the checksum is verified (ERR_DAMAGED).
 * Borrowed until the next call. The context is a struct spool_message, so that compose() can pull.
 */
bool spool_next(void *context, struct span *chunk_r, struct err *err);

#endif
