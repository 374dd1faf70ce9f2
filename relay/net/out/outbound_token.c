// SPDX-License-Identifier: BSD-2-Clause
/* outbound_token.c - The token of a route that logs in by one: it is had before a host is reached,
 * so that no server waits for the command. */
#include "outbound_parts.h"

#include <stdio.h>

static struct token_source source_of(const struct outbound *c)
{
    const struct config_route *route = c->attempt->route;
    return (struct token_source){.command = route->token_command, .user = route->username};
}

static void on_answer(void *context, struct token *token, const char *why)
{
    struct outbound *c = context;
    c->token_ask = NULL;
    c->token = token;
    if (!token) {
        attempt_note_token(c->attempt, why);
        snprintf(c->own_why, sizeof(c->own_why), "no token: token_command: %.160s", why);
    }
    c->token_come(c);
}

bool outbound_token_take(struct outbound *c, void (*come)(struct outbound *c))
{
    struct tokens *tokens = c->home->shared->tokens;
    const struct token_source source = source_of(c);
    outbound_token_end(c);
    if (!source.command[0])
        return true;
    c->token = tokens_know(tokens, &source);
    if (c->token)
        return true;
    c->token_come = come;
    c->token_ask = tokens_ask(tokens, c->home->worker, &source, on_answer, c);
    return false;
}

void outbound_token_refused(struct outbound *c)
{
    const struct token_source source = source_of(c);
    if (!c->token || c->delivery.login != DELIVERY_LOGIN_REFUSED)
        return;
    tokens_forget(c->home->shared->tokens, &source, c->token->serial);
    c->token_renewed = true;
}

void outbound_token_end(struct outbound *c)
{
    tokens_ask_cancel(c->token_ask);
    token_drop(c->token);
    c->token_ask = NULL;
    c->token = NULL;
}
