// SPDX-License-Identifier: BSD-2-Clause
/* publish.c - The helper runs nsupdate, which reads its commands from a socket and says on it what
 * went wrong. Nothing of what it is told comes from outside. */
#include "publish.h"

#include "helper.h"
#include "records_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 35 * 1000 };

struct publish {
    uv_pipe_t stream;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buf commands, said;
    char chunk[1024];
    unsigned handles;
    publish_on_done *done;
    void *context;
};

/* The first line of what it said, unless it ended well. */
static const char *judge(struct publish *p)
{
    static const char well[] = "\nexit 0\n";
    char *said = (char *)(uintptr_t)buf_text(&p->said);
    if (span_ends_nocase(buf_span(&p->said), SPAN(well)))
        return NULL;
    said[strcspn(said, "\r\n")] = '\0';
    return said[0] ? said : "nsupdate failed";
}

static void on_closed(uv_handle_t *handle)
{
    struct publish *p = handle->data;
    if (--p->handles > 0)
        return;
    p->done(p->context, judge(p));
    buf_fini(&p->commands);
    buf_fini(&p->said);
    free(p);
}

void publish_kill(struct publish *p)
{
    if (uv_is_closing((uv_handle_t *)&p->timer))
        return;
    uv_close((uv_handle_t *)&p->stream, on_closed);
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct publish *p = handle->data;
    (void)suggested;
    *buf = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void on_said(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct publish *p = stream->data;
    if (got < 0)
        publish_kill(p);
    else
        buf_add(&p->said, (struct span){buf->base, (size_t)got});
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

static void on_written(uv_write_t *write, int status)
{
    struct publish *p = write->data;
    if (status == 0 && !uv_is_closing((uv_handle_t *)&p->stream))
        uv_shutdown(&p->shutdown, (uv_stream_t *)&p->stream, on_shut);
}

static void on_timer(uv_timer_t *timer)
{
    publish_kill(timer->data);
}

static void write_commands(struct publish *p, const struct config *config, const char *name,
                           const char *text)
{
    const struct config_dkim *d = &config->dkim;
    buf_addf(&p->commands, "server %s %u\nzone %s.\nupdate delete %s. IN TXT\n", d->server, d->port,
             d->zone, name);
    buf_addf(&p->commands, "update add %s. %u IN TXT ", name, d->ttl_s);
    records_quote(span_of(text), &p->commands);
    buf_add(&p->commands, SPAN("\nsend\n"));
}

struct publish *publish_start(uv_loop_t *loop, int helper, const struct config *config,
                              const char *name, const char *text, publish_on_done *done,
                              void *context)
{
    struct publish *p = xcalloc(1, sizeof(*p));
    struct err err = {0};
    int fd = -1;
    p->done = done;
    p->context = context;
    p->handles = 2;
    buf_init(&p->commands, 64 * 1024);
    buf_init(&p->said, 64 * 1024);
    write_commands(p, config, name, text);
    uv_pipe_init(loop, &p->stream, 0);
    uv_timer_init(loop, &p->timer);
    p->stream.data = p->timer.data = p->write.data = p;
    if (!helper_nsupdate(helper, config->dkim.tsig_key, &fd, &err)) {
        buf_add(&p->said, span_of(err.text)); /* told by `done`, like all else */
        publish_kill(p);
        return p;
    }
    CHECK(uv_pipe_open(&p->stream, fd) == 0);
    uv_buf_t bytes = uv_buf_init(p->commands.ptr, (unsigned)p->commands.len);
    uv_timer_start(&p->timer, on_timer, TIMEOUT_MS, 0);
    uv_read_start((uv_stream_t *)&p->stream, on_alloc, on_said);
    uv_write(&p->write, (uv_stream_t *)&p->stream, &bytes, 1, on_written);
    return p;
}
