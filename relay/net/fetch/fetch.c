// SPDX-License-Identifier: BSD-2-Clause
/* fetch.c - One fetch: an order with a stream, what is posted into it, and the answer out of it.
 *
 * Failure modes: the fetcher is gone, or says less than it announced (FETCH_GONE); it says nothing
 * in the order's time (ended by a timer: FETCH_TIMED_OUT).
 */
#include "fetcher.h"
#include "passing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SPARE_MS = 15 * 1000 };

struct fetch {
    uv_pipe_t stream;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buf body, came;
    char chunk[16 * 1024];
    unsigned handles;
    bool late;
    char fault[160]; /* "" the order was given */
    fetch_on_done *done;
    void *context;
};

/* Has all come that was announced? */
static bool is_whole(const struct fetch *f, struct fetch_head *head_r)
{
    if (f->came.overflow || f->came.len < sizeof(*head_r))
        return false;
    memcpy(head_r, f->came.ptr, sizeof(*head_r));
    head_r->why[sizeof(head_r->why) - 1] = '\0';
    head_r->content_type[sizeof(head_r->content_type) - 1] = '\0';
    return head_r->outcome < FETCH_OUTCOMES && f->came.len - sizeof(*head_r) == head_r->len;
}

static void tell(struct fetch *f)
{
    struct fetch_head head = {0};
    char status[64];
    struct fetch_result result = {.outcome = FETCH_GONE, .content_type = ""};
    if (f->fault[0])
        result.why = f->fault;
    else if (f->late) {
        result.outcome = FETCH_TIMED_OUT;
        result.why = "no answer in time";
    } else if (!is_whole(f, &head)) {
        result.why = "the fetcher ended before it had answered";
    } else {
        result = (struct fetch_result){.outcome = (enum fetch_outcome)head.outcome,
                                       .status = head.status,
                                       .content_type = head.content_type,
                                       .answer = {f->came.ptr + sizeof(head), head.len},
                                       .why = head.why[0] ? head.why : NULL};
        snprintf(status, sizeof(status), "the server answered with status %d", head.status);
        if (!result.why && (head.status < 200 || head.status > 299))
            result.why = status;
    }
    f->done(f->context, &result);
}

static void on_closed(uv_handle_t *handle)
{
    struct fetch *f = handle->data;
    if (--f->handles > 0)
        return;
    tell(f);
    buf_fini(&f->body);
    buf_fini(&f->came);
    free(f);
}

void fetch_kill(struct fetch *f)
{
    if (uv_is_closing((uv_handle_t *)&f->timer))
        return;
    uv_close((uv_handle_t *)&f->stream, on_closed);
    uv_close((uv_handle_t *)&f->timer, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct fetch *f = handle->data;
    (void)suggested;
    *buf = uv_buf_init(f->chunk, sizeof(f->chunk));
}

static void on_came(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct fetch *f = stream->data;
    if (got < 0)
        fetch_kill(f);
    else
        buf_add(&f->came, (struct span){buf->base, (size_t)got});
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

static void on_written(uv_write_t *write, int status)
{
    struct fetch *f = write->data;
    if (status == 0 && !uv_is_closing((uv_handle_t *)&f->stream))
        uv_shutdown(&f->shutdown, (uv_stream_t *)&f->stream, on_shut);
}

static void on_timer(uv_timer_t *timer)
{
    struct fetch *f = timer->data;
    f->late = true;
    fetch_kill(f);
}

/* The stream's end, or -1 and errno. */
static int give_order(int fetcher, const struct fetch_order *order)
{
    int ends[2];
    const struct iovec part = {(void *)(uintptr_t)order, sizeof(*order)};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    bool ok = pass_files(fetcher, &part, 1, &ends[1], 1);
    int error = errno;
    close(ends[1]);
    if (ok)
        return ends[0];
    close(ends[0]);
    errno = error;
    return -1;
}

struct fetch *fetch_start(uv_loop_t *loop, int fetcher, const struct fetch_order *order,
                          struct buf *body, fetch_on_done *done, void *context)
{
    struct fetch *f = xcalloc(1, sizeof(*f));
    f->done = done;
    f->context = context;
    f->handles = 2;
    f->body = *body; /* the memory moves along */
    buf_init(body, f->body.limit);
    buf_init(&f->came, sizeof(struct fetch_head) + FETCH_ANSWER_MAX);
    uv_pipe_init(loop, &f->stream, 0);
    uv_timer_init(loop, &f->timer);
    f->stream.data = f->timer.data = f->write.data = f;
    int fd = give_order(fetcher, order);
    if (fd < 0) {
        snprintf(f->fault, sizeof(f->fault), "asking the fetcher: %s", strerror(errno));
        fetch_kill(f); /* told by `done`, like all else */
        return f;
    }
    CHECK(uv_pipe_open(&f->stream, fd) == 0);
    uv_buf_t bytes = uv_buf_init(f->body.ptr, (unsigned)f->body.len);
    uv_timer_start(&f->timer, on_timer, (uint64_t)order->timeout_s * 1000 + SPARE_MS, 0);
    uv_read_start((uv_stream_t *)&f->stream, on_alloc, on_came);
    uv_write(&f->write, (uv_stream_t *)&f->stream, &bytes, 1, on_written);
    return f;
}
