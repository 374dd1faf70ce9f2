// SPDX-License-Identifier: BSD-2-Clause
/* segments.h - The store's side of the spool: appending in groups, counting what is alive,
 * unlinking what is not. */
#ifndef SEGMENTS_H
#define SEGMENTS_H

#include "err.h"
#include "mail.h"
#include "store.h"

struct segments;

/* Begin with the segment after the highest one there. Free with segments_free(). */
MUST_CHECK bool segments_open(const char *state_dir, struct segments **segments_r, struct err *err);
void segments_free(struct segments *s);

/* Add a record to the group; its place is `place_r`. `bytes` is borrowed until segments_sync(). */
void segments_add(struct segments *s, int64_t id, struct span bytes, struct mail_place *place_r);
/* The same for a record that was read elsewhere, head and all: it is copied as it is, damage
 * included. */
void segments_copy(struct segments *s, struct span record, struct mail_place *place_r);
/* Write the group and make it durable: all of it, or none (ERR_FULL, ERR_SYSTEM). */
MUST_CHECK bool segments_sync(struct segments *s, struct err *err);

/* A segment number for a message that is written to a file of its own. From any thread. */
int64_t segments_reserve(struct segments *s);

/* A message that lies there has been committed, or its last recipient is settled. */
void segments_keep(struct segments *s, const struct mail_place *place);
void segments_release(struct segments *s, const struct mail_place *place);
/* Unlink all segments in which nothing lives; the one being written begins anew. Behind a commit.
 */
void segments_sweep(struct segments *s);
/* At the start: unlink what no message refers to. What was never acknowledged goes; nothing else
 * can be there. */
void segments_sweep_unknown(struct segments *s);

/* What is free, and how much of that is kept: 64 MB, or a tenth of a small disk. That must do for
 * the outcomes of what has been accepted: without them nothing could ever be settled, and no space
 * would ever become free again. False: that cannot be found out. From any thread. */
bool segments_disk(const char *state_dir, struct store_disk *disk_r);
/* Is more free than that? False, ERR_FULL: new mail is refused. Where there was much more, it is
 * looked at a few times a second. */
MUST_CHECK bool segments_has_room(struct segments *s, struct err *err);
/* The same fault. Returns false. From any thread. */
bool segments_disk_fault(const char *state_dir, struct err *err);
/* What errno says of a call on the spool's files: ERR_FULL when there is no room, else ERR_SYSTEM.
 * Returns false. */
bool segments_fault(struct err *err, const char *doing, const char *what);
/* How many bytes more until then; UINT64_MAX: that cannot be found out. From any thread. */
uint64_t segments_disk_left(const char *state_dir);

/* Choose what is worth copying: when more than half of what the closed segments hold is dead, and
 * more than 8 MB, those of which less than half lives. False: none. */
bool segments_choose(struct segments *s);
bool segments_is_chosen(struct segments *s, int64_t number);
/* It cannot be read: never choose it again. */
void segments_leave(struct segments *s, int64_t number);

#endif
