// SPDX-License-Identifier: BSD-2-Clause
/* token_text_test.c - What a token command may say, and what is told of the rest: never the text itself. */
#include "table.h"

#include "token_text.h"

#include <string.h>

static void texts(void **state)
{
    static const struct {
        const char *label, *said, *token, *why; /* token NULL: none */
        int64_t expires_s;
    } rows[] = {
        {"a line", "ya29.t\n", "ya29.t", NULL, TOKEN_USUAL_S},
        {"a line of another system", "ya29.t\r\n\r\n", "ya29.t", NULL, TOKEN_USUAL_S},
        {"no line end", "ya29.t", "ya29.t", NULL, TOKEN_USUAL_S},
        {"JSON", "{\"access_token\": \"ya29.t\", \"expires_in\": 3599}", "ya29.t", NULL, 3599},
        {"JSON over several lines", "{\n\"expires_in\": 3599.5,\n\"access_token\": \"ya29.t\"\n}\n", "ya29.t", NULL, 3599},
        {"JSON without a time", "{\"access_token\": \"ya29.t\"}", "ya29.t", NULL, TOKEN_USUAL_S},
        {"a time that is none", "{\"access_token\": \"ya29.t\", \"expires_in\": \"soon\"}", "ya29.t", NULL, TOKEN_USUAL_S},
        {"a time that is over", "{\"access_token\": \"ya29.t\", \"expires_in\": -5}", "ya29.t", NULL, 0},
        {"a time without an end", "{\"access_token\": \"ya29.t\", \"expires_in\": 1e300}", "ya29.t", NULL, 24 * 3600},
        {"nothing", "", NULL, "no token", 0},
        {"blanks", " \r\n", NULL, "no token", 0},
        {"an empty token", "{\"access_token\": \"\"}", NULL, "no token", 0},
        {"two lines", "a\nb\n", NULL, "neither one line", 0},
        {"two words", "Bearer ya29.t", NULL, "neither one line", 0},
        {"a page", "<html>", NULL, "neither one line", 0},
        {"a message", "error:invalid_grant", NULL, "neither one line", 0},
        {"quotes", "\"ya29.t\"", NULL, "neither one line", 0},
        {"what all may be in one", "aZ09-._~+/==", "aZ09-._~+/==", NULL, TOKEN_USUAL_S},
        {"the end first", "=a", NULL, "neither one line", 0},
        {"only an end", "==", NULL, "neither one line", 0},
        {"a control character", "a\x01" "b", NULL, "neither one line", 0},
        {"a line end in JSON", "{\"access_token\": \"a\\nb\"}", NULL, "neither one line", 0},
        {"no UTF-8", "\xff\xfe", NULL, "neither one line", 0},
        {"an error", "{\"error\": \"invalid_grant\"}", NULL, "no access_token", 0},
        {"a number", "{\"access_token\": 5}", NULL, "no access_token", 0},
        {"JSON that is cut", "{\"access_token\": \"ya29", NULL, "no access_token", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char memory[TOKEN_MAX + 1];
        struct token_said said;
        const char *why = token_text_read(span_of(rows[i].said), memory, &said);
        bool ok = rows[i].token ? !why && span_equal(said.token, span_of(rows[i].token)) && said.expires_s == rows[i].expires_s &&
                                      strcmp(memory, rows[i].token) == 0
                                : why && strstr(why, rows[i].why);
        if (!ok)
            fail_msg("%s: %s", rows[i].label, why ? why : "taken");
    }
}

static void lengths(void **state)
{
    static char text[TOKEN_MAX + 2];
    char memory[TOKEN_MAX + 1];
    struct token_said said;
    (void)state;
    memset(text, 'x', TOKEN_MAX);
    assert_null(token_text_read(span_of(text), memory, &said));
    assert_int_equal(said.token.len, TOKEN_MAX);
    text[TOKEN_MAX] = 'x';
    assert_non_null(token_text_read(span_of(text), memory, &said));
}

static void ends(void **state)
{
    static const struct {
        const char *all, *said, *why; /* why NULL: it ended well */
    } rows[] = {
        {"t\n\nexit 0\n", "t\n", NULL},
        {"t\nexit 0\n", "t", NULL},
        {"\nexit 256\n", "", "exit status 1"},
        {"\nexit 32512\n", "", "cannot be run (exit status 127)"},
        {"\nexit 14\n", "", "in time"},
        {"\nexit 9\n", "", "signal (9)"},
        {"\nexit 0\nt\n\nexit 256\n", "\nexit 0\nt\n", "exit status 1"},
        {"t\n\nexit -1\n", NULL, "not known"},
        {"t\n", NULL, "not known"},
        {"", NULL, "not known"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct span said = span_of(rows[i].all);
        char why[TOKEN_WHY_SIZE];
        bool well = token_text_judge(&said, why);
        bool ok = rows[i].why ? !well && strstr(why, rows[i].why) : well;
        if (!ok || (rows[i].said && !span_equal(said, span_of(rows[i].said))))
            fail_msg("%zu: %s", i, well ? "well" : why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(lengths), cmocka_unit_test(ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
