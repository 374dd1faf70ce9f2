// SPDX-License-Identifier: BSD-2-Clause
/* body_writer.c - Large messages: given to the store chunk by chunk (body.h) on libuv's pool, while
 * the client waits for nothing but its own bytes.
 *
 * Happy path: new - write, write, … - finish - its body's place and digest - free, keep.
 *
 * Failure modes:
 * - a step fails: the message is refused, what was written goes
 * - the client goes away: what was written goes, after the step that is under way
 */
#include "body_writer.h"

#include <stdlib.h>

struct body_writer {
    uv_work_t work;
    struct sessions *home;
    uint64_t session;
    body_writer_on_written *done;
    struct body *body;
    struct buf chunk;
    struct err err;
    bool finishing, busy, abandoned;
};

struct body_writer *body_writer_new(struct sessions *home, uint64_t session, const char *tenant,
                                    const struct database_room *room, body_writer_on_written *done)
{
    struct body_writer *i = xcalloc(1, sizeof(*i));
    i->home = home;
    i->session = session;
    i->done = done;
    i->body = body_begin(home->worker->store, tenant, room);
    i->work.data = i;
    buf_init(&i->chunk, SIZE_MAX / 2);
    return i;
}

static void work(uv_work_t *request)
{
    struct body_writer *i = request->data;
    bool ok = body_write(i->body, buf_span(&i->chunk), &i->err);
    if (ok && i->finishing)
        ok = body_finish(i->body, &i->err);
    CHECK(ok == (i->err.kind == ERR_NONE));
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

const struct body *body_writer_body(const struct body_writer *i)
{
    return i->body;
}

void body_writer_free(struct body_writer *i, bool keep)
{
    if (!i)
        return;
    if (i->busy) {
        i->abandoned = true;
        return;
    }
    if (keep)
        body_keep(i->body);
    else
        body_abort(i->body);
    buf_fini(&i->chunk);
    free(i);
}
