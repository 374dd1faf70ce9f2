// SPDX-License-Identifier: BSD-2-Clause
/* http_connection.c - Forwards bytes between a client's connection and one end of a socket pair,
 * whose other end libmicrohttpd has.
 *
 * Failure modes: too many connections (closed) - TLS fails - more bytes or more time than a request
 * needs (closed). When the page has answered it closes its end; then the rest is sent and the
 * connection is finished.
 */
#include "http_connection.h"

#include "connection.h"
#include "page.h"
#include "rejects.h"

#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

enum { IN_MAX = 64 * 1024, OUT_MAX = 128 * 1024, IDLE_S = 10, WHOLE_MS = 30 * 1000 };

struct http_connection {
    struct http_connection *next, *prev;
    struct http_connections *home;
    struct connection *connection; /* NULL: ended */
    uv_pipe_t pipe;
    uv_timer_t deadline;
    size_t taken;
    unsigned handles;
    char peer[64];
    bool counted;         /* among the clients */
    bool joined, closing; /* joined: the page has the other end */
    char chunk[16 * 1024];
    struct settings *settings; /* held */
};

struct write {
    uv_write_t request;
    struct buf bytes;
};

static void on_closed(uv_handle_t *handle)
{
    struct http_connection *v = handle->data;
    if (--v->handles > 0 || v->connection)
        return;
    struct http_connections *home = v->home;
    DL_DELETE(home->all, v);
    settings_drop(v->settings);
    free(v);
    acceptor_quota_give_back(&home->shared->quota);
    worker_something_ended(home->worker);
}

static void close_own(struct http_connection *v)
{
    if (v->closing)
        return;
    v->closing = true;
    uv_close((uv_handle_t *)&v->pipe, on_closed);
    uv_close((uv_handle_t *)&v->deadline, on_closed);
}

static void on_deadline(uv_timer_t *timer)
{
    struct http_connection *v = timer->data;
    if (v->connection)
        connection_close(v->connection, "took too long");
}

/* ---- from the page ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct http_connection *v = handle->data;
    (void)suggested;
    *buf = uv_buf_init(v->chunk, sizeof(v->chunk));
}

static void on_answer(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct http_connection *v = stream->data;
    struct buf bytes;
    if (got == 0 || !v->connection)
        return;
    if (got < 0) {
        uv_read_stop(stream);
        connection_finish(v->connection, NULL);
        return;
    }
    buf_init(&bytes, OUT_MAX);
    buf_add(&bytes, (struct span){buf->base, (size_t)got});
    connection_write(v->connection, &bytes);
    buf_fini(&bytes);
}

static void join_page(struct http_connection *v)
{
    int ends[2];
    char text[64];
    struct sockaddr_storage peer = {0};
    connection_peer(v->connection, text);
    bool six = uv_ip4_addr(text, 0, (struct sockaddr_in *)&peer) != 0;
    if ((six && uv_ip6_addr(text, 0, (struct sockaddr_in6 *)&peer) != 0) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        connection_close(v->connection, "no socket for it");
        return;
    }
    CHECK(uv_pipe_open(&v->pipe, ends[0]) == 0);
    v->joined = true;
    uv_read_start((uv_stream_t *)&v->pipe, on_alloc, on_answer);
    page_take(v->home->shared->page, ends[1], (const struct sockaddr *)&peer,
              six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
}

/* ---- from the client ---- */

static void on_written(uv_write_t *request, int status)
{
    struct write *w = request->data;
    (void)status; /* the page has closed its end: on_answer() hears of it */
    buf_fini(&w->bytes);
    free(w);
}

static void on_bytes(void *owner, struct span bytes)
{
    struct http_connection *v = owner;
    v->taken += bytes.len;
    if (v->taken > IN_MAX) {
        connection_close(v->connection, "more than a request needs");
        return;
    }
    if (!v->joined)
        join_page(v);
    if (!v->joined || v->closing)
        return;
    struct write *w = xcalloc(1, sizeof(*w));
    buf_init(&w->bytes, IN_MAX);
    buf_add(&w->bytes, bytes);
    w->request.data = w;
    uv_buf_t part = uv_buf_init(w->bytes.ptr, (unsigned)w->bytes.len);
    if (uv_write(&w->request, (uv_stream_t *)&v->pipe, &part, 1, on_written) != 0)
        on_written(&w->request, -1);
}

static void on_secured(void *owner)
{
    (void)owner;
}

static void leave_place(struct http_connection *v)
{
    if (v->counted)
        connection_limits_leave(v->home->shared->limits, v->peer, false, NULL);
    v->counted = false;
}

static void on_ended(void *owner, const char *why)
{
    struct http_connection *v = owner;
    (void)why;
    leave_place(v);
    v->connection = NULL;
    v->handles++; /* on_closed() counts it down again */
    close_own(v);
    on_closed((uv_handle_t *)&v->pipe);
}

static const struct connection_events events = {
    .bytes = on_bytes, .secured = on_secured, .ended = on_ended};

static unsigned at_most(unsigned number, unsigned limit)
{
    return number < limit ? number : limit;
}

/* All clients are strangers: of the address with most of them, who has been here longest goes. */
static bool take_place(struct http_connection *v)
{
    struct http_shared *shared = v->home->shared;
    const struct config *c = v->home->worker->settings->config;
    unsigned all = shared->most;
    const struct connection_bounds limits = {.all = all,
                                             .per_address = at_most(c->per_address, (all + 1) / 2),
                                             .per_network =
                                                 at_most(c->per_network, (3 * all + 3) / 4)};
    struct connection_place place;
    bool replaces = false;
    if (!connection_limits_enter(shared->limits, v->peer, false, &limits, &replaces, &place))
        return false;
    if (replaces)
        v->home->make_room(v->home, &place);
    v->counted = true;
    return true;
}

bool http_connection_make_room(struct http_connections *home, const struct connection_place *place)
{
    struct http_connection *v;
    DL_FOREACH (home->all, v) {
        if (!v->counted || !v->connection || !connection_limits_is_place(place, v->peer, false))
            continue;
        connection_limits_made_room(home->shared->limits, place);
        leave_place(v);
        rejects_add(home->shared->rejects, v->peer);
        connection_close(v->connection, "too many at once");
        return true;
    }
    return false;
}

void http_connection_accept(struct http_connections *home, int fd, bool implicit_tls)
{
    struct http_connection *v = xcalloc(1, sizeof(*v));
    v->home = home;
    v->settings = settings_hold(home->worker->settings);
    v->handles = 2;
    CHECK(uv_pipe_init(&home->worker->loop, &v->pipe, 0) == 0 &&
          uv_timer_init(&home->worker->loop, &v->deadline) == 0);
    v->pipe.data = v->deadline.data = v;
    DL_APPEND(home->all, v);
    v->connection = connection_accept(&home->worker->loop, fd, &events, v);
    connection_peer(v->connection, v->peer);
    connection_set_timeout(v->connection, IDLE_S);
    uv_timer_start(&v->deadline, on_deadline, WHOLE_MS, 0);
    if (home->worker->draining || !take_place(v)) {
        if (!home->worker->draining)
            rejects_add(home->shared->rejects, v->peer);
        connection_close(v->connection, "too many at once");
        return;
    }
    if (implicit_tls)
        connection_accept_tls(v->connection, v->settings->server, TLS_HTTP);
    connection_want_bytes(v->connection, true);
}

void http_connection_end_all(struct http_connections *home)
{
    struct http_connection *v;
    DL_FOREACH (home->all, v)
        if (v->connection)
            connection_close(v->connection, "closing down");
}

/* ---- for all threads ---- */

void http_shared_init(struct http_shared *shared)
{
    shared->limits = connection_limits_new();
    shared->rejects = rejects_new("visits_refused");
}

void http_shared_fini(struct http_shared *shared)
{
    connection_limits_free(shared->limits);
    rejects_free(shared->rejects);
}
