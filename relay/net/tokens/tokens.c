// SPDX-License-Identifier: BSD-2-Clause
/* tokens.c - The service: who asks has the token that is kept, or waits for the command.
 *
 *   ask - to the main loop - (command) - kept - back to the asker's loop
 *
 * Failure modes:
 * - the command fails, hangs or says nonsense: all who wait are told why, and it is run again for
 *   the next that asks; the queue lets the destination rest meanwhile
 * - it is asked for too often, as each token is refused: no more than its turns (GCRA)
 * - the relay ends: nobody is answered any more
 */
#include "tokens.h"

#include "clock.h"
#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <utlist.h>

enum { TIMEOUT_MS = 12 * 1000, SAID_MAX = 32 * 1024, EVERY_MS = 60 * 1000, BURST = 10 };
enum { KEPT_MIN_S = 10, EARLY_S = 60 }; /* it is asked for anew so long before it expires */

struct token_ask {
    struct inbox_item item; /* to the service, and back */
    struct token_ask *next, *prev;
    struct tokens *tokens;
    struct worker *worker;
    tokens_on_answer *done; /* NULL: cancelled. The asker's, as is `context` */
    void *context;
    char command[1024], user[256];
    struct token *token; /* held; the answer */
    char why[400];
};

/* One source. Only the main loop uses what is not under the mutex. */
struct entry {
    struct entry *next;
    struct tokens *tokens;
    char command[1024], user[256];
    struct token *token; /* under the mutex; held, or NULL */
    int64_t expires_ms;  /* the same */
    uint64_t serial;
    struct token_ask *asks;
    struct exchange *exchange; /* the command runs */
    struct err fault;          /* it was not run */
    int64_t turns_ms;          /* GCRA's theoretical arrival time */
};

struct tokens {
    uv_loop_t *loop;
    struct inbox inbox;
    pthread_mutex_t mutex;
    struct entry *entries; /* list; as many as routes have named */
    tokens_run *run;
    void *context;
    bool closing;
};

/* ---- a token ---- */

static struct token *token_new(uint64_t serial)
{
    struct token *token =
        mmap(NULL, sizeof(*token), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(token != MAP_FAILED);
    (void)madvise(token, sizeof(*token), MADV_DONTDUMP);
    atomic_init(&token->holders, 1);
    token->serial = serial;
    return token;
}

static struct token *hold(struct token *token)
{
    atomic_fetch_add(&token->holders, 1);
    return token;
}

void token_drop(struct token *token)
{
    if (!token || atomic_fetch_sub(&token->holders, 1) > 1)
        return;
    explicit_bzero(token, sizeof(*token));
    munmap(token, sizeof(*token));
}

/* ---- what is kept ---- */

/* With the mutex. */
static struct entry *find(const struct tokens *t, const char *command, const char *user)
{
    struct entry *e;
    LL_FOREACH(t->entries, e)
    if (strcmp(e->command, command) == 0 && strcmp(e->user, user) == 0)
        return e;
    return NULL;
}

/* On the main loop. */
static struct entry *need(struct tokens *t, const char *command, const char *user)
{
    pthread_mutex_lock(&t->mutex);
    struct entry *e = find(t, command, user);
    if (!e) {
        e = xcalloc(1, sizeof(*e));
        e->tokens = t;
        snprintf(e->command, sizeof(e->command), "%s", command);
        snprintf(e->user, sizeof(e->user), "%s", user);
        LL_PREPEND(t->entries, e);
    }
    pthread_mutex_unlock(&t->mutex);
    return e;
}

struct token *tokens_know(struct tokens *t, const struct token_source *source)
{
    pthread_mutex_lock(&t->mutex);
    const struct entry *e = find(t, source->command, source->user);
    bool good = e && e->token && clock_steady_ms() < e->expires_ms;
    struct token *token = good ? hold(e->token) : NULL;
    pthread_mutex_unlock(&t->mutex);
    return token;
}

static void keep(struct entry *e, struct token *token, int64_t expires_s)
{
    int64_t kept_s = expires_s > 2 * EARLY_S ? expires_s - EARLY_S : expires_s / 2;
    kept_s = kept_s < KEPT_MIN_S ? KEPT_MIN_S : kept_s;
    pthread_mutex_lock(&e->tokens->mutex);
    struct token *before = e->token;
    e->token = token;
    e->expires_ms = clock_steady_ms() + kept_s * 1000;
    pthread_mutex_unlock(&e->tokens->mutex);
    token_drop(before);
}

void tokens_forget(struct tokens *t, const struct token_source *source, uint64_t serial)
{
    struct token *before = NULL;
    pthread_mutex_lock(&t->mutex);
    struct entry *e = find(t, source->command, source->user);
    if (e && e->token && e->token->serial == serial) {
        before = e->token;
        e->token = NULL;
    }
    pthread_mutex_unlock(&t->mutex);
    token_drop(before);
}

/* ---- answers ---- */

static void on_answered(struct inbox_item *item)
{
    struct token_ask *a = (struct token_ask *)item;
    if (a->done)
        a->done(a->context, a->token, a->why);
    else
        token_drop(a->token);
    free(a);
}

static void on_dropped(struct inbox_item *item)
{
    struct token_ask *a = (struct token_ask *)item;
    token_drop(a->token);
    free(a);
}

static void answer(struct token_ask *a, struct token *token, const char *why)
{
    a->token = token ? hold(token) : NULL;
    snprintf(a->why, sizeof(a->why), "%s", why);
    a->item = (struct inbox_item){.run = on_answered, .drop = on_dropped};
    inbox_post(&a->worker->inbox, &a->item);
}

static void answer_all(struct entry *e, struct token *token, const char *why)
{
    struct token_ask *a;
    struct token_ask *next;
    DL_FOREACH_SAFE (e->asks, a, next) {
        DL_DELETE(e->asks, a);
        answer(a, token, why);
    }
}

/* ---- the command ---- */

/* NULL: `token_r` is the new one, kept. `memory` is for the answer. */
static const char *take(struct entry *e, const struct buf *came, bool late,
                        char memory[TOKEN_WHY_SIZE], struct token **token_r)
{
    struct span said = buf_span(came);
    struct token_said found;
    if (e->fault.kind != ERR_NONE)
        return e->fault.text;
    const char *why = late                              ? "it did not end in time"
                      : came->overflow                  ? "it says more than a token"
                      : token_text_judge(&said, memory) ? NULL
                                                        : memory;
    if (why)
        return why;
    struct token *token = token_new(++e->serial);
    why = token_text_read(said, token->text, &found);
    if (why) {
        token_drop(token);
        return why;
    }
    *token_r = hold(token);
    keep(e, token, found.expires_s);
    return NULL;
}

static void on_said(void *context, struct buf *came, bool late)
{
    struct entry *e = context;
    struct token *token = NULL;
    char memory[TOKEN_WHY_SIZE];
    e->exchange = NULL;
    if (e->tokens->closing)
        return;
    const char *why = take(e, came, late, memory, &token);
    answer_all(e, token, why ? why : "");
    token_drop(token);
}

static bool has_turn(struct entry *e)
{
    int64_t now_ms = clock_steady_ms();
    int64_t at_ms = e->turns_ms > now_ms ? e->turns_ms : now_ms;
    if (at_ms - now_ms > (int64_t)(BURST - 1) * EVERY_MS)
        return false;
    e->turns_ms = at_ms + EVERY_MS;
    return true;
}

static void start(struct entry *e)
{
    struct tokens *t = e->tokens;
    struct buf nothing;
    struct exchange_terms terms = {
        .stream = -1, .said = &nothing, .most = SAID_MAX, .timeout_ms = TIMEOUT_MS, .secret = true};
    const struct token_source source = {.command = e->command, .user = e->user};
    buf_init(&nothing, 1);
    e->fault = (struct err){0};
    if (!t->run(t->context, &source, &terms.stream, &e->fault))
        terms.stream = -1;
    e->exchange = exchange_start(t->loop, &terms, on_said, e);
}

static void on_asked(struct inbox_item *item)
{
    struct token_ask *a = (struct token_ask *)item;
    struct entry *e = need(a->tokens, a->command, a->user);
    const struct token_source source = {.command = a->command, .user = a->user};
    struct token *known = e->exchange ? NULL : tokens_know(a->tokens, &source);
    if (known) {
        answer(a, known, "");
        token_drop(known);
    } else if (e->exchange || has_turn(e)) {
        DL_APPEND(e->asks, a);
        if (!e->exchange)
            start(e);
    } else {
        answer(a, NULL, "it has been run too often just now: it is run again within a minute");
    }
}

struct token_ask *tokens_ask(struct tokens *t, struct worker *w, const struct token_source *source,
                             tokens_on_answer *done, void *context)
{
    struct token_ask *a = xcalloc(1, sizeof(*a));
    a->item = (struct inbox_item){.run = on_asked, .drop = on_dropped};
    a->tokens = t;
    a->worker = w;
    a->done = done;
    a->context = context;
    snprintf(a->command, sizeof(a->command), "%s", source->command);
    snprintf(a->user, sizeof(a->user), "%s", source->user);
    inbox_post(&t->inbox, &a->item);
    return a;
}

void tokens_ask_cancel(struct token_ask *ask)
{
    if (ask)
        ask->done = NULL;
}

/* ---- the service ---- */

struct tokens *tokens_new(uv_loop_t *loop, tokens_run *run, void *context)
{
    struct tokens *t = xcalloc(1, sizeof(*t));
    t->loop = loop;
    t->run = run;
    t->context = context;
    pthread_mutex_init(&t->mutex, NULL);
    inbox_init(&t->inbox, loop);
    return t;
}

void tokens_close(struct tokens *t)
{
    struct entry *e;
    if (!t)
        return;
    t->closing = true;
    inbox_close(&t->inbox);
    LL_FOREACH(t->entries, e)
    if (e->exchange)
        exchange_kill(e->exchange);
}

void tokens_free(struct tokens *t)
{
    struct entry *e;
    struct entry *next;
    struct token_ask *a;
    struct token_ask *after;
    if (!t)
        return;
    LL_FOREACH_SAFE(t->entries, e, next)
    {
        DL_FOREACH_SAFE (e->asks, a, after)
            free(a);
        token_drop(e->token);
        free(e);
    }
    pthread_mutex_destroy(&t->mutex);
    free(t);
}
