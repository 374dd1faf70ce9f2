// SPDX-License-Identifier: BSD-2-Clause
/* program.c - Runs a program by the helper. The program reads its input from a socket, and writes
 * to it what went wrong. */
#include "program.h"

#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 35 * 1000 };

struct program {
    uv_pipe_t stream;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buf input, said;
    char chunk[1024];
    unsigned handles;
    program_on_done *done;
    void *context;
};

/* The first line of what it said, unless it ended well. */
static const char *judge(struct program *p)
{
    static const char well[] = "\nexit 0\n";
    char *said = (char *)(uintptr_t)buf_text(&p->said);
    if (span_ends_nocase(buf_span(&p->said), SPAN(well)))
        return NULL;
    said[strcspn(said, "\r\n")] = '\0';
    return said[0] ? said : "the program failed";
}

static void on_closed(uv_handle_t *handle)
{
    struct program *p = handle->data;
    if (--p->handles > 0)
        return;
    p->done(p->context, judge(p));
    buf_fini(&p->input);
    buf_fini(&p->said);
    free(p);
}

void program_kill(struct program *p)
{
    if (uv_is_closing((uv_handle_t *)&p->timer))
        return;
    uv_close((uv_handle_t *)&p->stream, on_closed);
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct program *p = handle->data;
    (void)suggested;
    *buf = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void on_said(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct program *p = stream->data;
    if (got < 0)
        program_kill(p);
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
    struct program *p = write->data;
    if (status == 0 && !uv_is_closing((uv_handle_t *)&p->stream))
        uv_shutdown(&p->shutdown, (uv_stream_t *)&p->stream, on_shut);
}

static void on_timer(uv_timer_t *timer)
{
    program_kill(timer->data);
}

struct program *program_start(uv_loop_t *loop, int helper, enum helper_program program,
                              const char *argument, int file, struct buf *input,
                              program_on_done *done, void *context)
{
    struct program *p = xcalloc(1, sizeof(*p));
    struct err err = {0};
    int fd = -1;
    p->done = done;
    p->context = context;
    p->handles = 2;
    p->input = *input; /* the memory moves along */
    buf_init(input, p->input.limit);
    buf_init(&p->said, 64 * 1024);
    uv_pipe_init(loop, &p->stream, 0);
    uv_timer_init(loop, &p->timer);
    p->stream.data = p->timer.data = p->write.data = p;
    if (!helper_run(helper, program, argument, file, &fd, &err)) {
        buf_add(&p->said, span_of(err.text)); /* told by `done`, like all else */
        program_kill(p);
        return p;
    }
    CHECK(uv_pipe_open(&p->stream, fd) == 0);
    uv_buf_t bytes = uv_buf_init(p->input.ptr, (unsigned)p->input.len);
    uv_timer_start(&p->timer, on_timer, TIMEOUT_MS, 0);
    uv_read_start((uv_stream_t *)&p->stream, on_alloc, on_said);
    uv_write(&p->write, (uv_stream_t *)&p->stream, &bytes, 1, on_written);
    return p;
}
