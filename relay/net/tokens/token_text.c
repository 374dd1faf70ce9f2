// SPDX-License-Identifier: BSD-2-Clause
/* token_text.c - Takes apart what a token command says. Nothing of it is ever shown. */
#include "token_text.h"

#include <ctype.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { EXPIRES_MAX_S = 24 * 3600 };

/* A b64token (RFC 6750 section 2.1): a page of HTML or an error message is none. */
static bool is_token(struct span text)
{
    static const char others[] = {'-', '.', '_', '~', '+', '/'};
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text = span_first(text, text.len - 1);
    size_t i = 0;
    while (i < text.len &&
           (isalnum((unsigned char)text.ptr[i]) || memchr(others, text.ptr[i], sizeof(others))))
        i++;
    return i > 0 && i == text.len;
}

static const char *take(struct span token, char *memory, struct token_said *said_r)
{
    if (token.len == 0)
        return "it says no token";
    if (token.len > TOKEN_MAX)
        return "its token is too long";
    if (!is_token(token))
        return "what it says is neither one line with a token nor JSON";
    if (token.ptr != memory)
        span_put(token, memory, TOKEN_MAX + 1);
    said_r->token = (struct span){memory, token.len};
    return NULL;
}

static void wipe(json_t *text)
{
    explicit_bzero((char *)(uintptr_t)json_string_value(text), json_string_length(text));
}

static const char *read_json(struct span said, char *memory, struct token_said *said_r)
{
    json_t *root = json_loadb(said.ptr, said.len, 0, NULL);
    json_t *token = json_object_get(root, "access_token");
    const json_t *expires = json_object_get(root, "expires_in");
    const char *why = "its JSON has no access_token";
    if (json_is_string(token)) {
        why = take((struct span){json_string_value(token), json_string_length(token)}, memory,
                   said_r);
        wipe(token);
    }
    double s = json_is_number(expires) ? json_number_value(expires) : (double)TOKEN_USUAL_S;
    said_r->expires_s = s < 0 ? 0 : s > (double)EXPIRES_MAX_S ? EXPIRES_MAX_S : (int64_t)s;
    json_decref(root);
    return why;
}

const char *token_text_read(struct span said, char *memory, struct token_said *said_r)
{
    said = span_trim(said);
    *said_r = (struct token_said){.expires_s = TOKEN_USUAL_S};
    if (said.len > 0 && said.ptr[0] == '{')
        return read_json(said, memory, said_r);
    return take(said, memory, said_r);
}

/* What is wrong; "": nothing. */
static void print_end(int status, char why_r[TOKEN_WHY_SIZE])
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(why_r, TOKEN_WHY_SIZE, "it did not end in time");
    else if (!WIFEXITED(status))
        snprintf(why_r, TOKEN_WHY_SIZE, "it was ended by a signal (%d)", WTERMSIG(status));
    else if (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127)
        snprintf(why_r, TOKEN_WHY_SIZE, "it, or what it calls, cannot be run (exit status %d)",
                 WEXITSTATUS(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(why_r, TOKEN_WHY_SIZE, "it has failed (exit status %d)", WEXITSTATUS(status));
    else
        why_r[0] = '\0';
}

bool token_text_judge(struct span *said, char why_r[TOKEN_WHY_SIZE])
{
    static const char mark[] = "\nexit ";
    const size_t len = sizeof(mark) - 1;
    size_t at = said->len;
    uint64_t status = 0;
    while (at > 0 && !span_equal(span_first(span_from(*said, at - 1), len), SPAN(mark)))
        at--;
    if (at == 0 || !span_number(span_trim(span_from(*said, at - 1 + len)), &status)) {
        snprintf(why_r, TOKEN_WHY_SIZE, "how it ended is not known");
        return false;
    }
    *said = span_first(*said, at - 1);
    print_end((int)status, why_r);
    return why_r[0] == '\0';
}
