// SPDX-License-Identifier: BSD-2-Clause
/* auth.c - Credentials: looked up in the directory, a fast hash in place, a slow one on libuv's
 * pool when its turn comes (login_queue.h); a proof (SCRAM) has been checked already.
 *
 * A password that was right once costs no slow hash for a while (directory_remember()): who logs in
 * often does not wait for the turns of those who guess elsewhere. One that is not that one is
 * hashed, so that time does not tell which names are remembered. While somebody guesses at a name
 * from where its owner is, a remembered password is slowed like any other, and may be refused: if
 * it alone were let in, each guess would be told at once that it is not the one.
 *
 * Unknown names, and wrong secrets that were generated, take the slow way with a hash that nothing
 * matches, and a refusal is answered when its delay is over, which grows with what was guessed
 * before: neither time nor text tells a wrong name from a wrong password, however many wait.
 */
#include "auth.h"

#include "clock.h"
#include "directory.h"
#include "login_limits.h"
#include "login_queue.h"
#include "secret.h"
#include "session_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCKED_MS = 500, OWNER_MS = 2000, WAIT_MS = 10 * 1000 };

struct auth {
    struct inbox_item item; /* when it hears from another thread */
    struct login_queue_entry entry;
    uv_work_t work;
    uv_timer_t timer;
    struct sessions *home;
    uint64_t session, asked_ms;
    struct database_user user;
    struct buf name, secret;
    char peer[64];
    bool proves, proven, found, held;
    bool unmatched;            /* a generated secret is wrong: it is hashed as if of nobody */
    bool displaced;            /* it is not its turn and never will be */
    bool remembered;           /* the secret is right, as it was before */
    int64_t delay_ms, hold_ms; /* hold_ms: look once more when that is over */
    struct auth_answer answer;
    auth_on_decided *done;
};

static void on_closed(uv_handle_t *handle)
{
    struct auth *a = handle->data;
    struct worker *worker = a->home->worker;
    credential_drop(a->answer.credential);
    secret_clear(&a->user, sizeof(a->user));
    if (a->secret.memory)
        secret_clear(a->secret.memory, a->secret.size);
    buf_fini(&a->secret);
    buf_fini(&a->name);
    free(a);
    worker_end(worker);
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
    bool right = a->proves ? a->found && a->proven
                           : a->remembered || secret_verify(a->user.hash, buf_span(&a->secret));
    return right && !a->user.disabled;
}

static struct directory *directory_of(const struct auth *a)
{
    return store_directory(a->home->worker->store);
}

static void remember(const struct auth *a)
{
    if (!a->proves && !a->remembered && secret_is_slow(a->user.hash))
        directory_remember(directory_of(a), a->answer.credential, buf_span(&a->secret),
                           clock_steady_ms());
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
    bool chosen = !a->unmatched && secret_is_slow(a->user.hash);
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
        remember(a);
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

/* Also when it was held: what it is by now. */
static void look_up(struct auth *a)
{
    credential_drop(a->answer.credential);
    a->answer.credential = directory_find(directory_of(a), buf_span(&a->name), &a->user);
    a->found = a->answer.credential != NULL;
    a->unmatched = a->found && !a->proves && !secret_is_slow(a->user.hash) &&
                   (a->user.disabled || !secret_verify(a->user.hash, buf_span(&a->secret)));
    if (!a->found || a->unmatched)
        memcpy(a->user.hash, secret_nobody, strlen(secret_nobody) + 1);
    a->remembered = a->found && !a->proves &&
                    directory_remembers(directory_of(a), a->answer.credential, buf_span(&a->secret),
                                        clock_steady_ms());
}

/* ---- slow hashes, in turn ---- */

static struct login_queue *queue_of(const struct auth *a)
{
    return a->home->shared->login_queue;
}

static void go_on(struct login_queue_entry *next)
{
    struct auth *a = next ? OWNER_OF(next, struct auth, entry) : NULL;
    if (a)
        inbox_post(&a->home->worker->inbox, &a->item);
}

static void on_decided(uv_work_t *work, int status)
{
    struct auth *a = work->data;
    go_on(login_queue_leave(queue_of(a)));
    if (status != 0)
        busy(a);
    else
        finish(a);
}

/* Its turn has come. Of who has gone meanwhile nothing is looked at, and nobody hears of it; what
 * was right for another one meanwhile is no work. */
static void run(struct auth *a)
{
    bool gone = !session_find(a->home, a->session);
    look_up(a);
    if (!gone && !a->remembered && secret_is_slow(a->user.hash) &&
        uv_queue_work(&a->home->worker->loop, &a->work, on_work, on_decided) == 0)
        return;
    go_on(login_queue_leave(queue_of(a)));
    if (gone || !a->remembered) {
        busy(a);
        return;
    }
    decide(a);
    finish(a);
}

static void on_turn(struct inbox_item *item)
{
    struct auth *a = OWNER_OF(item, struct auth, item);
    uv_timer_stop(&a->timer);
    if (a->displaced)
        busy(a);
    else
        run(a);
}

static void on_waited(uv_timer_t *timer)
{
    struct auth *a = timer->data;
    if (login_queue_give_up(queue_of(a), &a->entry))
        busy(a);
}

static void wait_for_turn(struct auth *a, bool owner)
{
    struct login_queue_entry *displaced = NULL;
    a->item.run = on_turn;
    uv_timer_start(&a->timer, on_waited, WAIT_MS, 0);
    if (login_queue_enter(queue_of(a), &a->entry, a->peer, buf_span(&a->name), owner, &displaced))
        on_turn(&a->item);
    if (displaced) {
        OWNER_OF(displaced, struct auth, entry)->displaced = true;
        go_on(displaced);
    }
}

/* Who is kept out now hears that without a turn. */
static void begin(struct auth *a)
{
    look_up(a);
    if (!a->proves && !a->remembered && secret_is_slow(a->user.hash)) {
        struct login_limit_judgement j =
            login_limits_judge(a->home->shared->login_limits, buf_span(&a->name), a->peer);
        if (j.wait_ms == 0 || j.owner) {
            wait_for_turn(a, j.owner);
            return;
        }
    }
    decide(a);
    finish(a);
}

void auth_ask(struct sessions *home, uint64_t session, const char *peer,
              const struct submission_claim *claim, auth_on_decided *done)
{
    struct auth *a = xcalloc(1, sizeof(*a));
    worker_begin(home->worker);
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
