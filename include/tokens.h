// SPDX-License-Identifier: BSD-2-Clause
/* tokens.h - Access tokens of routes that log in by OAuth: what a command of the operator's says.
 *
 * One service, on the main loop. A token is kept until it expires, and shared by all connections;
 * however many wait for one, the command runs once at a time for each user, and for all together
 * not more often than ten times, and then once a minute. A command that hangs or fails holds up
 * only who waits for it.
 */
#ifndef TOKENS_H
#define TOKENS_H

#include "token_text.h"
#include "worker.h"

#include <stdatomic.h>

/* It is part of no core dump, and wiped with who holds it last. */
struct token {
    atomic_uint holders;
    uint64_t serial; /* of those that this source has given */
    char text[TOKEN_MAX + 1];
};
void token_drop(struct token *token); /* NULL is allowed */

/* Where one comes from; borrowed for the call. */
struct token_source {
    const char *command; /* a full path, run with the user's name as its argument */
    const char *user;
};

struct tokens;
/* Run it; what it says comes from `stream_r`, and at last "\nexit STATUS\n", as wait(2) has it. */
typedef bool tokens_run(void *context, const struct token_source *source, int *stream_r,
                        struct err *err);

/* On the main loop. */
struct tokens *tokens_new(uv_loop_t *loop, tokens_run *run, void *context);
/* When no shard asks any more. The loop must run once more. NULL is allowed. */
void tokens_close(struct tokens *t);
void tokens_free(struct tokens *t);

/* ---- from any thread ---- */

/* The token that is kept, held; NULL: none. */
struct token *tokens_know(struct tokens *t, const struct token_source *source);
/* The one with this number has been refused: it is not kept any more. */
void tokens_forget(struct tokens *t, const struct token_source *source, uint64_t serial);

struct token_ask;
/* Takes `token`; NULL: there is none, `why` is for the operator. */
typedef void tokens_on_answer(void *context, struct token *token, const char *why);
/* `done` is called once, on the worker's loop and never from inside; at the latest when the
 * command's time is over. */
struct token_ask *tokens_ask(struct tokens *t, struct worker *w, const struct token_source *source,
                             tokens_on_answer *done, void *context);
void tokens_ask_cancel(struct token_ask *ask); /* NULL does nothing */

#endif
