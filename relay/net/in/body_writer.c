// SPDX-License-Identifier: BSD-2-Clause
/* body_writer.c - Large messages: written chunk by chunk on libuv's pool to a segment of their own,
 * while the client waits for nothing but its own bytes. The store's thread then only adds the row.
 *
 * Happy path: new - write, write, … - finish (frame, fdatasync, directory fsync) - place - free,
 * keep (from then on the file is the store's).
 *
 * Failure modes:
 * - a step fails: the message is refused, the file goes
 * - the client goes away: the file goes
 * - we are killed: no row refers to the file, and the next start removes it
 */
#include "body_writer.h"

#include "content.h"
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct body_writer {
    uv_work_t work;
    struct sessions *home;
    uint64_t session;
    body_writer_on_written *done;
    int64_t id, segment;
    char path[4096], directory[4096];
    int fd;
    uint64_t length;
    uint32_t crc;
    struct buf chunk;
    struct content *content;
    unsigned char digest[CONTENT_BYTES];
    struct err err;
    bool finishing, busy, abandoned;
};

struct body_writer *body_writer_new(struct sessions *home, uint64_t session,
                                    body_writer_on_written *done)
{
    struct body_writer *i = xcalloc(1, sizeof(*i));
    i->home = home;
    i->session = session;
    i->done = done;
    i->fd = -1;
    i->id = store_new_id(home->worker->store);
    i->segment = store_new_segment(home->worker->store);
    i->work.data = i;
    spool_path(home->worker->settings->config->state_dir, i->segment, i->path);
    snprintf(i->directory, sizeof(i->directory), "%s/spool",
             home->worker->settings->config->state_dir);
    buf_init(&i->chunk, SIZE_MAX / 2);
    i->content = content_new(store_content_key(home->worker->store));
    return i;
}

static bool fault(struct body_writer *i, const char *doing)
{
    return err_set(&i->err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_SYSTEM,
                   "%s a large message: %s", doing, strerror(errno));
}

static bool put(struct body_writer *i, const void *bytes, size_t len, int64_t at)
{
    const char *from = bytes;
    while (len > 0) {
        ssize_t done = pwrite(i->fd, from, len, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fault(i, "writing");
        from += done;
        at += done;
        len -= (size_t)done;
    }
    return true;
}

static bool put_chunk(struct body_writer *i)
{
    if (i->fd < 0)
        i->fd = open(i->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (i->fd < 0)
        return fault(i, "creating the segment for");
    struct span bytes = buf_span(&i->chunk);
    if (!put(i, bytes.ptr, bytes.len, SPOOL_RECORD_HEADER + (int64_t)i->length))
        return false;
    i->crc = spool_crc(i->crc, bytes);
    content_add(i->content, bytes);
    i->length += bytes.len;
    return true;
}

static bool put_frame(struct body_writer *i)
{
    unsigned char header[SPOOL_RECORD_HEADER];
    spool_record_header(i->id, i->length, i->crc, header);
    if (!put(i, header, sizeof(header), 0))
        return false;
    int directory = open(i->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = directory >= 0 && fdatasync(i->fd) == 0 && fsync(directory) == 0;
    content_end(i->content, i->digest);
    i->content = NULL;
    if (!ok)
        fault(i, "syncing");
    if (directory >= 0)
        close(directory);
    return ok;
}

static void work(uv_work_t *request)
{
    struct body_writer *i = request->data;
    if (put_chunk(i) && i->finishing)
        (void)put_frame(i);
}

static void on_worked(uv_work_t *request, int status)
{
    struct body_writer *i = request->data;
    i->busy = false;
    buf_fini(&i->chunk);
    if (status != 0)
        err_set(&i->err, ERR_SYSTEM, "writing a large message was cancelled");
    if (i->abandoned)
        body_writer_free(i, false);
    else
        i->done(i->home, i->session, i->err.kind != ERR_NONE ? &i->err : NULL);
}

void body_writer_write(struct body_writer *i, struct buf *bytes)
{
    CHECK(!i->busy);
    buf_move(&i->chunk, bytes);
    i->busy = true;
    CHECK(uv_queue_work(&i->home->worker->loop, &i->work, work, on_worked) == 0);
}

void body_writer_finish(struct body_writer *i, struct buf *bytes)
{
    i->finishing = true;
    body_writer_write(i, bytes);
}

void body_writer_place(const struct body_writer *i, int64_t *id_r, struct mail_place *place_r)
{
    *id_r = i->id;
    *place_r = (struct mail_place){i->segment, 0, (int64_t)i->length};
}

void body_writer_digest(const struct body_writer *i, unsigned char digest_r[CONTENT_BYTES])
{
    memcpy(digest_r, i->digest, CONTENT_BYTES);
}

void body_writer_free(struct body_writer *i, bool keep)
{
    if (!i)
        return;
    if (i->busy) {
        i->abandoned = true;
        return;
    }
    if (i->fd >= 0)
        close(i->fd);
    if (i->fd >= 0 && !keep)
        unlink(i->path);
    buf_fini(&i->chunk);
    content_free(i->content);
    free(i);
}
