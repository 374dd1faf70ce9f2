// SPDX-License-Identifier: BSD-2-Clause
/* auth.c - Credentials: the row by the shard's reader, a fast hash in place, a slow one on libuv's
 * pool.
 *
 * Unknown names take the slow way with a hash that nothing matches, and every refusal is answered
 * half a second after it was asked for: neither time nor text tells a wrong name from a wrong
 * password.
 */
#include "session.h"

#include "accounts.h"
#include "secret.h"

#include <stdlib.h>
#include <string.h>

enum { REFUSAL_MS = 500 };

struct auth {
    uv_work_t work;
    uv_timer_t timer;
    struct shard *shard;
    uint64_t session, asked_ms;
    struct database_user user;
    struct buf secret;
    bool ok, busy;
};

static void on_closed(uv_handle_t *handle)
{
    struct auth *a = handle->data;
    secret_clear(&a->user, sizeof(a->user));
    if (a->secret.memory)
        secret_clear(a->secret.memory, a->secret.size);
    buf_fini(&a->secret);
    free(a);
}

static void answer(struct auth *a)
{
    session_auth_decided(a->shard, a->session, a->ok ? &a->user.identity : NULL, a->busy);
    uv_close((uv_handle_t *)&a->timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
    answer(timer->data);
}

/* Never from inside auth_ask(): by the timer, at once or when the half second is over. */
static void decide(struct auth *a, bool ok)
{
    uint64_t passed_ms = uv_now(&a->shard->loop) - a->asked_ms;
    a->ok = ok && !a->user.disabled && !a->busy;
    uint64_t wait_ms = a->ok || a->busy || passed_ms >= REFUSAL_MS ? 0 : REFUSAL_MS - passed_ms;
    uv_timer_start(&a->timer, on_timer, wait_ms, 0);
}

static void verify(uv_work_t *work)
{
    struct auth *a = work->data;
    a->ok = secret_verify(a->user.hash, buf_span(&a->secret));
}

static void on_verified(uv_work_t *work, int status)
{
    struct auth *a = work->data;
    a->busy = status != 0;
    decide(a, a->ok);
}

void auth_ask(struct shard *s, uint64_t session, struct span name, struct span secret)
{
    struct err err = {0};
    struct auth *a = xcalloc(1, sizeof(*a));
    a->shard = s;
    a->session = session;
    a->asked_ms = uv_now(&s->loop);
    a->work.data = a->timer.data = a;
    buf_init(&a->secret, 4096);
    buf_add(&a->secret, secret);
    uv_timer_init(&s->loop, &a->timer);
    if (!database_user(s->reader, name, &a->user, &err)) {
        a->busy = err.kind != ERR_NOT_FOUND;
        memcpy(a->user.hash, secret_nobody, strlen(secret_nobody) + 1);
    }
    if (a->busy || !secret_is_slow(a->user.hash))
        decide(a, !a->busy && secret_verify(a->user.hash, secret));
    else if (uv_queue_work(&s->loop, &a->work, verify, on_verified) != 0)
        on_verified(&a->work, -1);
}
