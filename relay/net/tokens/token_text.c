// SPDX-License-Identifier: BSD-2-Clause
/* token_text.c - Takes apart what a token command says. Nothing of it is ever shown. */
#include "token_text.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { EXPIRES_MAX_S = 24 * 3600 };

/* RFC 6750 section 2.1 allows less: what must not be is what would be more than one field. */
static const char *take(struct span token, char *memory, struct token_said *said_r)
{
    if (token.len == 0)
        return "it says no token";
    if (token.len > TOKEN_MAX)
        return "its token is too long";
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
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

static const char *why_of(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0     ? NULL
               : WEXITSTATUS(status) == 127 ? "it cannot be run"
                                            : "it has failed, as its exit status says";
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "it did not end in time"
                                                              : "it was ended by a signal";
}

const char *token_text_judge(struct span *said)
{
    static const char mark[] = "\nexit ";
    const size_t len = sizeof(mark) - 1;
    size_t at = said->len;
    uint64_t status = 0;
    while (at > 0 && !span_equal(span_first(span_from(*said, at - 1), len), SPAN(mark)))
        at--;
    if (at == 0 || !span_number(span_trim(span_from(*said, at - 1 + len)), &status))
        return "how it ended is not known";
    *said = span_first(*said, at - 1);
    return why_of((int)status);
}
