// SPDX-License-Identifier: BSD-2-Clause
/* spool_record.h - Inside the store: what a record of the spool is made of, and where it lies.
 *
 *   record: "SPR1", CRC32C of the bytes (4), id (8), length (8), 8 bytes of zero, then the bytes;
 * numbers little-endian
 *
 * A segment holds many records, or one large one that was written while it arrived (body.c). It is
 * appended to, and written from its beginning again when nothing in it is alive or read. Only the
 * store's thread writes and unlinks; any thread reads.
 */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "buf.h"
#include "err.h"
#include "mail.h"

enum { SPOOL_RECORD_HEADER = 32 };

/* CRC32C (RFC 3720 appendix B.4) of what came before and these bytes; begin with 0. */
uint32_t spool_crc(uint32_t crc, struct span bytes);

/* The header of a record, as above. */
void spool_record_header(int64_t id, uint64_t length, uint32_t crc,
                         unsigned char header_r[SPOOL_RECORD_HEADER]);

/* `path_r` holds at least 4096 bytes. */
void spool_path(const char *state_dir, int64_t segment, char *path_r);

/* A segment that is being written, from which most mail is read a moment later: its readers then
 * share this descriptor, which can be read, too, and look up no name. Takes `fd`, which is closed
 * behind spool_unshare() when the last of them has ended. On the store's thread. */
struct spool_shared *spool_share(const char *state_dir, int64_t segment, int fd);
/* From now on it is opened by its name, like any other. NULL is allowed. */
void spool_unshare(struct spool_shared *shared);
/* Is a message being read with it? When nobody asks for one any more, none begins. */
bool spool_is_read(struct spool_shared *shared);

/* Remove a segment that nobody refers to. */
void spool_unlink(const char *state_dir, int64_t segment);

/* Append a record, head and all, as it lies there, to be copied. What a file that was cut short
 * does not have becomes zeros, so that its damage stays visible. ERR_DAMAGED: its segment is gone.
 */
MUST_CHECK bool spool_read(const char *state_dir, const struct mail_place *place,
                           struct buf *record, struct err *err);

#endif
