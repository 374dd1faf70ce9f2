// SPDX-License-Identifier: BSD-2-Clause
/* auth.c - Credentials: the row by the shard's reader, a fast hash in place, a slow one on libuv's
 * pool; a proof (SCRAM) has been checked already.
 *
 * Unknown names take the slow way with a hash that nothing matches, and a refusal is answered when
 * its delay is over, which grows with what was guessed before: neither time nor text tells a wrong
 * name from a wrong password.
 */
#include "auth.h"

#include "accounts.h"
#include "log.h"
#include "login_limits.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCKED_MS = 500, OWNER_MS = 2000 };

struct auth {
    uv_work_t work;
    uv_timer_t timer;
    struct sessions *home;
    uint64_t session, asked_ms;
    struct database_user user;
    struct buf name, secret;
    char peer[64];
    bool proves, proven, found, held;
    int64_t delay_ms, hold_ms; /* hold_ms: look once more when that is over */
    struct auth_answer answer;
    auth_on_decided *done;
};

static void on_closed(uv_handle_t *handle)
{
    struct auth *a = handle->data;
    secret_clear(&a->user, sizeof(a->user));
    if (a->secret.memory)
        secret_clear(a->secret.memory, a->secret.size);
    buf_fini(&a->secret);
    buf_fini(&a->name);
    free(a);
}

static void on_timer(uv_timer_t *timer)
{
    struct auth *a = timer->data;
    a->done(a->home, a->session, &a->answer);
    uv_close((uv_handle_t *)&a->timer, on_closed);
}

/* Never from inside auth_ask(): by the timer, at once or when so long has passed since it was
 * asked. */
static void answer_after(struct auth *a, int64_t delay_ms)
{
    uint64_t passed_ms = uv_now(&a->home->worker->loop) - a->asked_ms;
    uint64_t wait_ms = (uint64_t)delay_ms > passed_ms ? (uint64_t)delay_ms - passed_ms : 0;
    uv_timer_start(&a->timer, on_timer, wait_ms, 0);
}

static void busy(struct auth *a)
{
    a->answer.busy = true;
    answer_after(a, 0);
}

static bool is_right(const struct auth *a)
{
    return (a->proves ? a->found && a->proven
                      : secret_verify(a->user.hash, buf_span(&a->secret))) &&
           !a->user.disabled;
}

static void lock_out(struct auth *a, int64_t locked_ms)
{
    a->answer.locked_ms = locked_ms;
    a->delay_ms = LOCKED_MS;
}

/* Somebody guesses from where the owner is. A generated secret cannot be guessed at any speed: who
 * has it comes in, later; anything else is answered as if it had not been looked at. A chosen
 * password waits until one more may be tried, and then is the one or not. */
static void decide_slowed(struct auth *a, int64_t wait_ms)
{
    bool chosen = !a->found || secret_is_slow(a->user.hash);
    if (chosen && !a->held) {
        a->held = true;
        a->hold_ms = wait_ms;
        return;
    }
    if (chosen) {
        lock_out(a, wait_ms);
        return;
    }
    if (is_right(a)) {
        a->answer.identity = &a->user.identity;
        database_user_mark(&a->user, a->answer.mark);
    } else {
        a->answer.locked_ms = wait_ms;
    }
    a->delay_ms = OWNER_MS;
}

/* May it be tried, is it right, and what follows: in one go, so that many tries at once are no more
 * than as many in a row. On libuv's pool if the hash is slow. */
static void decide(struct auth *a)
{
    struct login_limits *watch = a->home->shared->login_limits;
    struct span name = buf_span(&a->name);
    struct login_limit_judgement j = login_limits_judge(watch, name, a->peer);
    a->delay_ms = 0;
    if (j.wait_ms > 0 && j.owner) {
        decide_slowed(a, j.wait_ms);
    } else if (j.wait_ms > 0) {
        lock_out(a, j.wait_ms);
    } else if (is_right(a)) {
        a->answer.identity = &a->user.identity;
        database_user_mark(&a->user, a->answer.mark);
        login_limits_succeeded(watch, name, a->peer);
    } else {
        a->delay_ms = login_limits_failed(watch, name, a->peer);
    }
}

static void on_work(uv_work_t *work)
{
    decide(work->data);
}

static void begin(struct auth *a);

static void on_held(uv_timer_t *timer)
{
    begin(timer->data);
}

static void finish(struct auth *a)
{
    int64_t hold_ms = a->hold_ms;
    a->hold_ms = 0;
    if (hold_ms > 0)
        uv_timer_start(&a->timer, on_held, (uint64_t)hold_ms, 0);
    else
        answer_after(a, a->delay_ms);
}

static void on_decided(uv_work_t *work, int status)
{
    struct auth *a = work->data;
    if (status != 0)
        busy(a);
    else
        finish(a);
}

static void begin(struct auth *a)
{
    struct err err = {0};
    a->answer.accounts = store_accounts(a->home->worker->store);
    a->found = database_user(a->home->worker->reader, buf_span(&a->name), &a->user, &err);
    if (!a->found && err.kind != ERR_NOT_FOUND) {
        log_event(LOG_ERROR, "store_unreadable", "reply", err.text);
        busy(a);
        return;
    }
    if (!a->found)
        memcpy(a->user.hash, secret_nobody, strlen(secret_nobody) + 1);
    if (!a->proves && secret_is_slow(a->user.hash)) {
        if (uv_queue_work(&a->home->worker->loop, &a->work, on_work, on_decided) != 0)
            busy(a);
        return;
    }
    decide(a);
    finish(a);
}

void auth_ask(struct sessions *home, uint64_t session, const char *peer,
              const struct submission_claim *claim, auth_on_decided *done)
{
    struct auth *a = xcalloc(1, sizeof(*a));
    a->home = home;
    a->session = session;
    a->done = done;
    a->asked_ms = uv_now(&home->worker->loop);
    a->work.data = a->timer.data = a;
    a->proves = claim->proves;
    a->proven = claim->proven;
    buf_init(&a->name, 4096);
    buf_init(&a->secret, 4096);
    buf_add(&a->name, claim->name);
    buf_add(&a->secret, claim->secret);
    snprintf(a->peer, sizeof(a->peer), "%s", peer);
    uv_timer_init(&home->worker->loop, &a->timer);
    begin(a);
}

bool auth_keys(struct sessions *home, struct span name, char *keys_r)
{
    struct err err = {0};
    bool ok = database_scram(home->worker->reader, name, keys_r, &err);
    if (!ok)
        log_event(LOG_ERROR, "store_unreadable", "reply", err.text);
    return ok;
}
