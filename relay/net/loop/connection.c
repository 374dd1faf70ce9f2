// SPDX-License-Identifier: BSD-2-Clause
/* connection.c - A connection contains its libuv handles, and is freed when both have been closed.
 *
 * Invariants: 1. after `closing` is set no event but `ended` is delivered; 2. nothing is read from
 * a connection after TLS has closed or failed; 3. a turn of the loop reads READ_SIZE of each
 * connection at most, then the others have theirs: what it costs is bounded, whoever speaks. Of one
 * that waits for turns it is SHARE_SIZE, so that a turn there is short.
 */
#include "connection.h"

#include "outgoing.h"
#include "sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 64 * 1024, SHARE_SIZE = 8 * 1024 };
enum { UNSENT_MAX = 512 * 1024, FINISH_MS = 10 * 1000 };

struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connecting;
    const struct connection_events *events;
    void *owner;
    struct tls *tls;
    struct share *share; /* of what handshakes cost, during its own, or of all it says; or NULL */
    uint64_t timeout_ms;
    unsigned handles;
    uint64_t limit_ms; /* of the loop's clock; 0: none */
    bool connected, wants_bytes, reading, finishing, closing, deadline, yields;
    bool had_turn; /* libuv would read on: it has come with a full buffer */
    int error;     /* of the connect */
    char why[240];
};

struct write {
    uv_write_t request;
    struct connection *connection;
    struct buf bytes;
};

/* What the peer says, in the handshake or at all, waits for its turn. */
struct share {
    struct handshake item;
    struct handshakes *all;
    struct connection *connection;
    struct buf cipher; /* or in clear */
    bool of_all;
};

static _Thread_local char read_buffer[READ_SIZE]; /* one read at a time per loop: nobody keeps it */

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);
static void flush(struct connection *c, struct buf *bytes);

bool connection_awaits_turn(const struct connection *c)
{
    return c->share && c->share->item.party;
}

static bool may_read(const struct connection *c)
{
    return c->wants_bytes && c->connected && !c->closing && !c->finishing &&
           !connection_awaits_turn(c) && connection_unsent(c) < UNSENT_MAX;
}

static unsigned read_size(const struct connection *c)
{
    return c->share ? SHARE_SIZE : READ_SIZE;
}

/* Without room libuv leaves the bytes with the kernel, and on_read() hears of it. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    const struct connection *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(read_buffer, may_read(c) && !c->had_turn ? read_size(c) : 0);
}

static void end_share(struct connection *c)
{
    if (!c->share)
        return;
    handshakes_drop(c->share->all, &c->share->item);
    buf_fini(&c->share->cipher);
    free(c->share);
    c->share = NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    if (--c->handles > 0)
        return;
    c->events->ended(c->owner, c->why);
    if (c->tls)
        tls_fini(c->tls);
    free(c->tls);
    free(c);
}

void connection_close(struct connection *c, const char *why)
{
    if (c->closing)
        return;
    c->closing = true;
    snprintf(c->why, sizeof(c->why), "%s", why);
    end_share(c);
    uv_close((uv_handle_t *)&c->timer, on_closed);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
    struct connection *c = timer->data;
    if (c->closing ||
        (!c->finishing && c->connected && c->events->timed_out && c->events->timed_out(c->owner)))
        return;
    connection_close(c, "timed out");
}

static void touch(struct connection *c)
{
    uint64_t now_ms = uv_now(c->timer.loop);
    uint64_t wait_ms = c->timeout_ms;
    if (c->limit_ms != 0 && now_ms + wait_ms > c->limit_ms)
        wait_ms = c->limit_ms > now_ms ? c->limit_ms - now_ms : 1;
    if (c->timeout_ms > 0 && !c->closing)
        uv_timer_start(&c->timer, on_timer, wait_ms, 0);
}

void connection_set_timeout(struct connection *c, unsigned seconds)
{
    c->timeout_ms = (uint64_t)seconds * 1000;
    c->deadline = false;
    touch(c);
}

void connection_set_limit(struct connection *c, unsigned seconds)
{
    c->limit_ms = seconds == 0 ? 0 : uv_now(c->timer.loop) + (uint64_t)seconds * 1000;
    touch(c);
}

void connection_set_deadline(struct connection *c, uint64_t wait_ms)
{
    c->timeout_ms = wait_ms;
    c->deadline = true;
    touch(c);
}

/* Reading is stopped only when bytes come that nobody wants: most peers wait for their answer, and
 * each start and stop is a system call. */
static void update_reading(struct connection *c)
{
    if (c->reading || !may_read(c))
        return;
    c->reading = true;
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

void connection_want_bytes(struct connection *c, bool wanted)
{
    c->wants_bytes = wanted;
    if (!c->closing)
        update_reading(c);
}

static struct connection *new_connection(uv_loop_t *loop, const struct connection_events *events,
                                         void *owner)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    c->events = events;
    c->owner = owner;
    CHECK(uv_tcp_init(loop, &c->tcp) == 0 && uv_timer_init(loop, &c->timer) == 0);
    c->tcp.data = c->timer.data = c;
    c->handles = 2;
    return c;
}

struct connection *connection_accept(uv_loop_t *loop, int fd,
                                     const struct connection_events *events, void *owner)
{
    struct connection *c = new_connection(loop, events, owner);
    CHECK(uv_tcp_open(&c->tcp, fd) == 0);
    uv_tcp_nodelay(&c->tcp, 1);
    c->connected = true;
    return c;
}

static void connect_failed(struct connection *c, int error)
{
    c->error = error;
    connection_close(c, uv_strerror(error));
}

static void on_connected(uv_connect_t *request, int status)
{
    struct connection *c = request->data;
    if (c->closing)
        return;
    if (status != 0) {
        connect_failed(c, status);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    c->connected = true;
    update_reading(c);
    c->events->opened(c->owner);
}

struct connection *connection_open(uv_loop_t *loop, const struct endpoint *to,
                                   const struct ip *from, unsigned timeout_s,
                                   const struct connection_events *events, void *owner)
{
    struct connection *c = new_connection(loop, events, owner);
    c->connecting.data = c;
    c->wants_bytes = true;
    connection_set_timeout(c, timeout_s);
    int status = outgoing_connect(&c->connecting, &c->tcp, to, from, on_connected);
    if (status != 0)
        connect_failed(c, status);
    return c;
}

void connection_hand_over(struct connection *c, const struct connection_events *events, void *owner)
{
    c->events = events;
    c->owner = owner;
}

bool connection_error_is_ours(const struct connection *c)
{
    return sockets_error_is_ours(c->error);
}

/* ---- out ---- */

static void on_drained(struct connection *c)
{
    if (c->finishing) {
        connection_close(c, "finished");
        return;
    }
    update_reading(c);
    if (c->events->drained)
        c->events->drained(c->owner);
}

static void on_written(uv_write_t *request, int status)
{
    struct write *w = request->data;
    struct connection *c = w->connection;
    buf_fini(&w->bytes);
    free(w);
    if (status != 0)
        connection_close(c, uv_strerror(status));
    if (c->closing)
        return;
    touch(c);
    if (connection_unsent(c) == 0)
        on_drained(c);
}

/* What the kernel takes at once needs no callback; returns what it left. */
static struct span write_now(struct connection *c, struct span bytes)
{
    uv_buf_t part = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    int put = uv_try_write((uv_stream_t *)&c->tcp, &part, 1);
    if (put >= 0)
        return span_from(bytes, (size_t)put);
    if (put != UV_EAGAIN)
        connection_close(c, uv_strerror(put));
    return bytes;
}

/* Send bytes as they are. */
static void flush(struct connection *c, struct buf *bytes)
{
    if (c->closing || bytes->len == 0)
        return;
    touch(c);
    struct span left = c->yields ? buf_span(bytes) : write_now(c, buf_span(bytes));
    if (left.len == 0 || c->closing) {
        buf_fini(bytes);
        return;
    }
    struct write *w = xcalloc(1, sizeof(*w));
    w->request.data = w;
    w->connection = c;
    buf_move(&w->bytes, bytes);
    uv_buf_t part = uv_buf_init((char *)(uintptr_t)left.ptr, (unsigned)left.len);
    int status = uv_write(&w->request, (uv_stream_t *)&c->tcp, &part, 1, on_written);
    if (status != 0) {
        buf_fini(&w->bytes);
        free(w);
        connection_close(c, uv_strerror(status));
    }
}

void connection_write(struct connection *c, struct buf *bytes)
{
    if (c->closing || c->finishing) {
        buf_clear(bytes);
    } else if (bytes->overflow) {
        buf_clear(bytes);
        connection_close(c, "more to send than can be held");
    } else if (c->tls) {
        tls_write(c->tls, buf_span(bytes));
        buf_fini(bytes);
        flush(c, &c->tls->cipher);
        if (c->tls->state == TLS_FAILED)
            connection_close(c, c->tls->err.text);
    } else {
        flush(c, bytes);
    }
}

void connection_write_and_yield(struct connection *c, struct buf *bytes)
{
    c->yields = true;
    connection_write(c, bytes);
    c->yields = false;
}

size_t connection_unsent(const struct connection *c)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp);
}

size_t connection_unacknowledged(const struct connection *c)
{
    int fd = -1;
    bool open = uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0;
    return connection_unsent(c) + (open ? sockets_unacknowledged(fd) : 0);
}

void connection_finish(struct connection *c, struct buf *last)
{
    if (c->closing || c->finishing)
        return;
    c->finishing = true;
    end_share(c); /* nothing is heard of it any more */
    if (c->tls) {
        if (last)
            tls_write(c->tls, buf_span(last));
        tls_finish(c->tls);
        flush(c, &c->tls->cipher);
    } else if (last) {
        flush(c, last);
    }
    if (c->closing)
        return;
    connection_set_deadline(c, FINISH_MS);
    update_reading(c);
    if (connection_unsent(c) == 0)
        connection_close(c, "finished");
}

/* ---- in ---- */

static void take_plain(struct connection *c)
{
    if (c->closing || c->finishing || c->tls->plain.len == 0)
        return;
    struct buf plain;
    buf_move(&plain, &c->tls->plain);
    c->events->bytes(c->owner, buf_span(&plain));
    buf_fini(&plain);
}

static void take_cipher(struct connection *c, struct span cipher)
{
    enum tls_state before = c->tls->state;
    tls_input(c->tls, cipher);
    if (before == TLS_HANDSHAKE && c->tls->state == TLS_OPEN && !c->closing)
        c->events->secured(c->owner);
    take_plain(c);
    flush(c, &c->tls->cipher); /* what has not left with what is said */
    if (c->tls->state == TLS_FAILED)
        connection_close(c, c->tls->err.text);
    else if (c->tls->state == TLS_CLOSED)
        connection_close(c, "closed by the peer");
}

/* The time that it has waited for its turn is none of the peer's. */
static void add_time(struct connection *c, uint64_t waited_ms)
{
    if (waited_ms > 0 && uv_is_active((uv_handle_t *)&c->timer))
        uv_timer_start(&c->timer, on_timer, uv_timer_get_due_in(&c->timer) + waited_ms, 0);
}

static void on_turn(struct handshake *item)
{
    struct connection *c = ((struct share *)item)->connection;
    struct buf cipher;
    add_time(c, item->waited_ms);
    buf_move(&cipher, &c->share->cipher);
    if (c->tls)
        take_cipher(c, buf_span(&cipher));
    else
        c->events->bytes(c->owner, buf_span(&cipher));
    buf_fini(&cipher);
    if (c->share && !c->share->of_all && c->tls && c->tls->state != TLS_HANDSHAKE)
        end_share(c);
    if (!c->closing)
        update_reading(c);
}

/* The next turn goes on where this one ended; bytes that nobody wants are not asked for again. */
static void no_room(struct connection *c)
{
    c->had_turn = false;
    if (may_read(c))
        return;
    c->reading = false;
    uv_read_stop((uv_stream_t *)&c->tcp);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    if (got == UV_ENOBUFS && !c->closing)
        no_room(c);
    if (c->closing || got == 0 || got == UV_ENOBUFS)
        return;
    c->had_turn = got > 0 && (size_t)got == buf->len;
    if (got < 0) {
        connection_close(c, got == UV_EOF ? "closed by the peer" : uv_strerror((int)got));
        return;
    }
    if (!c->deadline)
        touch(c);
    struct span bytes = {buf->base, (size_t)got};
    if (c->share) {
        buf_add(&c->share->cipher, bytes);
        handshakes_add(c->share->all, &c->share->item);
    } else if (c->tls) {
        take_cipher(c, bytes);
    } else {
        c->events->bytes(c->owner, bytes);
    }
}

/* ---- TLS ---- */

void connection_accept_tls(struct connection *c, struct tls_context *context,
                           enum tls_protocol speaks)
{
    CHECK(c->tls == NULL);
    c->tls = xcalloc(1, sizeof(*c->tls));
    tls_accept(c->tls, context, speaks);
}

static void begin_share(struct connection *c, const struct handshake_terms *turns)
{
    struct share *s = c->share = xcalloc(1, sizeof(*s));
    s->item = (struct handshake){.run = on_turn, .urgent = turns->urgent};
    snprintf(s->item.tenant, sizeof(s->item.tenant), "%s", turns->tenant);
    s->all = turns->all;
    s->connection = c;
    buf_init(&s->cipher, READ_SIZE);
}

void connection_take_turns(struct connection *c, const struct handshake_terms *turns)
{
    CHECK(!connection_awaits_turn(c));
    end_share(c);
    begin_share(c, turns);
    c->share->of_all = true;
}

void connection_connect_tls(struct connection *c, struct tls_context *context,
                            const struct tls_terms *terms, const struct handshake_terms *turns)
{
    CHECK(c->tls == NULL);
    c->tls = xcalloc(1, sizeof(*c->tls));
    if (turns)
        begin_share(c, turns);
    tls_connect_on(c->tls, context, terms);
    flush(c, &c->tls->cipher);
    if (c->tls->state == TLS_FAILED)
        connection_close(c, c->tls->err.text);
}

void connection_peer(const struct connection *c, char *text_r)
{
    int fd = -1;
    (void)uv_fileno((const uv_handle_t *)&c->tcp, &fd);
    sockets_peer(fd, text_r);
}

struct tls *connection_tls(const struct connection *c)
{
    return c->tls;
}
