// SPDX-License-Identifier: BSD-2-Clause
/* body.c - A large message in a segment of its own: the room for its frame first, then the bytes as
 * they come, then the frame, fdatasync of the file and fsync of its directory. The store's thread
 * then only adds the rows.
 *
 * Until then it counts in its tenant's share of what is being received (receiving.c), and leaves
 * the part of the disk that is kept for outcomes.
 *
 * Failure modes:
 * - a step fails: the file goes with body_abort()
 * - we are killed: no row refers to the file, and the next start removes it
 */
#include "body.h"

#include "segments.h"
#include "spool_record.h"
#include "store_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct body {
    struct store *store;
    char tenant[64];
    struct database_room room;
    uint64_t taken; /* of its tenant's share of what is being received */
    int64_t id;
    struct mail_place place;
    char path[4096], directory[4096];
    int fd; /* -1: nothing has come yet */
    uint32_t crc;
    struct content *content;
    unsigned char digest[CONTENT_BYTES];
};

struct body *body_begin(struct store *store, const char *tenant, const struct database_room *room)
{
    struct body *b = xcalloc(1, sizeof(*b));
    b->store = store;
    b->room = *room;
    snprintf(b->tenant, sizeof(b->tenant), "%s", tenant);
    b->id = store_new_id(store);
    b->place.segment = store_new_segment(store);
    b->fd = -1;
    b->content = content_new(store_content_key(store));
    spool_path(store->state_dir, b->place.segment, b->path);
    snprintf(b->directory, sizeof(b->directory), "%s/spool", store->state_dir);
    return b;
}

static const char large[] = "a large message";

static bool put(const struct body *b, const void *bytes, size_t len, int64_t at, struct err *err)
{
    const char *from = bytes;
    while (len > 0) {
        ssize_t done = pwrite(b->fd, from, len, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return segments_fault(err, "writing", large);
        from += done;
        at += done;
        len -= (size_t)done;
    }
    return true;
}

/* Room for them, of the tenant's share and of what may be used of the disk. */
static bool take_room(struct body *b, size_t bytes, struct err *err)
{
    uint64_t left = segments_disk_left(b->store->state_dir);
    if (left == 0)
        return segments_disk_fault(b->store->state_dir, err);
    if (!receiving_take(&b->store->receiving, b->tenant, &b->room, left, bytes, err))
        return false;
    b->taken += bytes;
    return true;
}

bool body_write(struct body *b, struct span bytes, struct err *err)
{
    if (!take_room(b, bytes.len, err))
        return false;
    if (b->fd < 0)
        b->fd = open(b->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (b->fd < 0)
        return segments_fault(err, "creating the segment for", large);
    if (!put(b, bytes.ptr, bytes.len, SPOOL_RECORD_HEADER + b->place.length, err))
        return false;
    b->crc = spool_crc(b->crc, bytes);
    content_add(b->content, bytes);
    b->place.length += (int64_t)bytes.len;
    return true;
}

bool body_finish(struct body *b, struct err *err)
{
    unsigned char header[SPOOL_RECORD_HEADER];
    spool_record_header(b->id, (uint64_t)b->place.length, b->crc, header);
    content_end(b->content, b->digest);
    b->content = NULL;
    if (!put(b, header, sizeof(header), 0, err))
        return false;
    int directory = open(b->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (directory >= 0 && fdatasync(b->fd) == 0 && fsync(directory) == 0) ||
              segments_fault(err, "syncing", large);
    if (directory >= 0)
        close(directory);
    return ok;
}

int64_t body_id(const struct body *b)
{
    return b->id;
}

const struct mail_place *body_place(const struct body *b)
{
    return &b->place;
}

const unsigned char *body_digest(const struct body *b)
{
    return b->digest;
}

void body_keep(struct body *b)
{
    receiving_give(&b->store->receiving, b->tenant, b->taken);
    if (b->fd >= 0)
        close(b->fd);
    content_free(b->content);
    free(b);
}

void body_abort(struct body *b)
{
    if (!b)
        return;
    if (b->fd >= 0)
        unlink(b->path);
    body_keep(b);
}
