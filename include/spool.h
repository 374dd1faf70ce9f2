// SPDX-License-Identifier: BSD-2-Clause
/* spool.h - Message bytes on disk: append-only segment files, one framed record per message.
 *
 *   record: "SPR1", CRC32C of the bytes (4), id (8), length (8), 8 bytes of zero, then the bytes;
 * numbers little-endian
 *
 * A segment holds many records, or one large one that was written while it arrived. Only the
 * store's thread appends and unlinks; any thread reads.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "buf.h"
#include "err.h"
#include "mail.h"

enum { SPOOL_RECORD_HEADER = 32, SPOOL_CHUNK = 64 * 1024 };

/* CRC32C (RFC 3720 appendix B.4) of what came before and these bytes; begin with 0. */
uint32_t spool_crc(uint32_t crc, struct span bytes);

void spool_record_header(int64_t id, uint64_t length, uint32_t crc,
                         unsigned char header_r[SPOOL_RECORD_HEADER]);

/* `path_r` holds at least 4096 bytes. */
void spool_path(const char *state_dir, int64_t segment, char *path_r);

/* Remove a segment that nobody refers to. */
void spool_unlink(const char *state_dir, int64_t segment);

/* ---- reading ---- */

struct spool_message {
    int fd;
    int64_t id, at; /* at: file offset of the message's first byte */
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
/* Append a record, head and all, as it lies there, to be copied. What a file that was cut short
 * does not have becomes zeros, so that its damage stays visible. ERR_DAMAGED: its segment is gone.
 */
MUST_CHECK bool spool_read(const char *state_dir, const struct mail_place *place,
                           struct buf *record, struct err *err);
struct span spool_header(const struct spool_message *m);
/* Go to the first byte of the body. */
void spool_rewind(struct spool_message *m);
/* The next piece of the body; empty at its end, where the checksum is verified (ERR_DAMAGED).
 * Borrowed until the next call. The context is a struct spool_message, so that compose() can pull.
 */
bool spool_next(void *context, struct span *chunk_r, struct err *err);

#endif
