// SPDX-License-Identifier: BSD-2-Clause
/* exchange.c - A stream and a timer, which end together. */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

struct exchange {
    uv_pipe_t stream;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buf said, came;
    char chunk[16 * 1024];
    unsigned handles;
    bool late, secret;
    exchange_on_done *done;
    void *context;
};

static void on_closed(uv_handle_t *handle)
{
    struct exchange *x = handle->data;
    if (--x->handles > 0)
        return;
    x->done(x->context, &x->came, x->late);
    if (x->secret && x->came.memory)
        explicit_bzero(x->came.memory, x->came.size);
    explicit_bzero(x->chunk, x->secret ? sizeof(x->chunk) : 0);
    buf_fini(&x->said);
    buf_fini(&x->came);
    free(x);
}

void exchange_kill(struct exchange *x)
{
    if (uv_is_closing((uv_handle_t *)&x->timer))
        return;
    uv_close((uv_handle_t *)&x->stream, on_closed);
    uv_close((uv_handle_t *)&x->timer, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct exchange *x = handle->data;
    (void)suggested;
    *buf = uv_buf_init(x->chunk, sizeof(x->chunk));
}

static void on_came(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct exchange *x = stream->data;
    if (got < 0)
        exchange_kill(x);
    else if (!buf_add(&x->came, (struct span){buf->base, (size_t)got}))
        exchange_kill(x); /* it is more than anybody reads */
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

static void on_written(uv_write_t *write, int status)
{
    struct exchange *x = write->data;
    if (status == 0 && !uv_is_closing((uv_handle_t *)&x->stream))
        uv_shutdown(&x->shutdown, (uv_stream_t *)&x->stream, on_shut);
}

static void on_timer(uv_timer_t *timer)
{
    struct exchange *x = timer->data;
    x->late = true;
    exchange_kill(x);
}

struct exchange *exchange_start(uv_loop_t *loop, const struct exchange_terms *terms,
                                exchange_on_done *done, void *context)
{
    struct exchange *x = xcalloc(1, sizeof(*x));
    x->done = done;
    x->context = context;
    x->handles = 2;
    x->said = *terms->said;
    buf_init(terms->said, x->said.limit);
    buf_init(&x->came, terms->most);
    x->secret = terms->secret;
    if (x->secret) /* one block, of which no copy is left behind by growing */
        CHECK(buf_reserve(&x->came, terms->most));
    uv_pipe_init(loop, &x->stream, 0);
    uv_timer_init(loop, &x->timer);
    x->stream.data = x->timer.data = x->write.data = x;
    if (terms->stream < 0) {
        exchange_kill(x);
        return x;
    }
    CHECK(uv_pipe_open(&x->stream, terms->stream) == 0);
    uv_buf_t bytes = uv_buf_init(x->said.ptr, (unsigned)x->said.len);
    uv_timer_start(&x->timer, on_timer, terms->timeout_ms, 0);
    uv_read_start((uv_stream_t *)&x->stream, on_alloc, on_came);
    uv_write(&x->write, (uv_stream_t *)&x->stream, &bytes, 1, on_written);
    return x;
}
