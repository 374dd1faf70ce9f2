// SPDX-License-Identifier: BSD-2-Clause
/* acceptor.c - Calls accept() directly instead of using libuv.
 *
 * Failure modes: a client has disconnected (continue with the next) - no descriptors or memory
 * (pause; logged once a minute) - the quota is used up, or the owner has no time (pause for a
 * moment).
 */
#include "acceptor.h"

#include "check.h"
#include "log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* AT_ONCE in one turn of the loop: whoever is turned away holds a descriptor until the next one. */
enum { PAUSE_MS = 200, QUOTA_PAUSE_MS = 10, SAY_MS = 60 * 1000, AT_ONCE = 8 };

static bool quota_take(struct acceptor_quota *q)
{
    if (!q || q->most == 0 || atomic_fetch_add(&q->open, 1) < q->most)
        return true;
    atomic_fetch_sub(&q->open, 1);
    return false;
}

void acceptor_quota_give_back(struct acceptor_quota *q)
{
    if (q && q->most > 0)
        CHECK(atomic_fetch_sub(&q->open, 1) > 0);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct acceptor *a = timer->data;
    uv_poll_start(&a->poll, UV_READABLE, on_ready);
}

static void pause_for(struct acceptor *a, unsigned wait_ms)
{
    uv_poll_stop(&a->poll);
    uv_timer_start(&a->timer, on_pause_over, wait_ms, 0);
}

static void pause_accepting(struct acceptor *a, int why)
{
    uint64_t now_ms = uv_now(a->poll.loop);
    pause_for(a, PAUSE_MS);
    if (a->said_ms && now_ms - a->said_ms < SAY_MS)
        return;
    a->said_ms = now_ms;
    log_end(log_text(log_text(log_begin(LOG_WARN, "clients_wait"), "listener", a->name), "reply",
                     why == EMFILE ? "no descriptors left: raise LimitNOFILE or ulimit -n"
                                   : strerror(why)));
}

/* accept(2): errors of the new connection are no errors of the socket. */
static bool is_the_clients(int error)
{
    static const int codes[] = {EINTR,       ECONNABORTED, EPROTO,    ENETDOWN,
                                ENOPROTOOPT, EHOSTDOWN,    ENONET,    EHOSTUNREACH,
                                EOPNOTSUPP,  ENETUNREACH,  ETIMEDOUT, EPERM};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (error == codes[i])
            return true;
    return false;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct acceptor *a = poll->data;
    (void)events;
    for (int i = 0; status == 0 && i < AT_ONCE && !uv_is_closing((uv_handle_t *)poll); i++) {
        unsigned wait_ms = a->wait_ms ? a->wait_ms(a->context) : 0;
        if (wait_ms > 0 || !quota_take(a->quota)) {
            pause_for(a, wait_ms > QUOTA_PAUSE_MS ? wait_ms : QUOTA_PAUSE_MS);
            return;
        }
        int fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            a->taken(a->context, fd);
            continue;
        }
        acceptor_quota_give_back(a->quota);
        if (is_the_clients(errno))
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            pause_accepting(a, errno);
        return;
    }
    if (status != 0)
        pause_accepting(a, -status);
}

int acceptor_listen(struct acceptor *a, uv_loop_t *loop, int fd, int backlog, const char *name,
                    acceptor_on_client *taken, void *context)
{
    a->fd = fd;
    a->name = name;
    a->taken = taken;
    a->context = context;
    a->handles = 2;
    a->said_ms = 0;
    CHECK(uv_poll_init(loop, &a->poll, fd) == 0 && uv_timer_init(loop, &a->timer) == 0);
    a->poll.data = a->timer.data = a;
    if (listen(fd, backlog) != 0)
        return -1;
    return uv_poll_start(&a->poll, UV_READABLE, on_ready) == 0 ? 0 : -1;
}

static void on_closed(uv_handle_t *handle)
{
    struct acceptor *a = handle->data;
    if (--a->handles == 0 && a->closed)
        a->closed(a->context);
}

void acceptor_close(struct acceptor *a, void (*closed)(void *context))
{
    a->closed = closed;
    uv_close((uv_handle_t *)&a->poll, on_closed);
    uv_close((uv_handle_t *)&a->timer, on_closed);
    close(a->fd);
}
