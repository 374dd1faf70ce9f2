// SPDX-License-Identifier: BSD-2-Clause
/* canonical_test.c - The canonical form against its vectors, and what must hold for all of them. */
#include "table.h"

#include "address.h"

static void unescape(char *text)
{
    char *to = text;
    for (char *p = text; *p; p++, to++) {
        bool blank = p[0] == '\\' && p[1] == 's';
        *to = blank ? ' ' : *p;
        p += blank;
    }
    *to = '\0';
}

static void print(const char *text, char *out_r, size_t size)
{
    struct address address;
    struct buf out;
    buf_init(&out, ADDRESS_CANONICAL_MAX);
    bool ok = address_parse(span_of(text), &address) && address_canonical(&address, &out);
    snprintf(out_r, size, "%s", ok ? buf_text(&out) : "-");
    buf_fini(&out);
}

static void the_vectors(void **state)
{
    char line[1024];
    size_t count = 0;
    FILE *f = fopen(CANONICAL, "re");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        char written[400];
        char want[400];
        char got[ADDRESS_CANONICAL_MAX + 1];
        char again[ADDRESS_CANONICAL_MAX + 1];
        struct span rest = span_trim(span_of(line));
        if (rest.len == 0 || rest.ptr[0] == '#')
            continue;
        assert_true(span_copy(span_take(&rest, ' '), written, sizeof(written)) &&
                    span_copy(rest, want, sizeof(want)));
        unescape(written);
        unescape(want);
        print(written, got, sizeof(got));
        if (strcmp(got, want) != 0)
            fail_msg("%s: %s, not %s", written, got, want);
        print(got, again, sizeof(again));
        if (strcmp(got, "-") != 0 && strcmp(again, got) != 0)
            fail_msg("%s: once more: %s", got, again);
        count++;
    }
    fclose(f);
    print_message("%zu vectors of the canonical form\n", count);
    assert_true(count >= 60);
}

/* Folding makes some characters eighteen: still one form, of bounded length. */
static void the_longest(void **state)
{
    char text[200] = "";
    char got[ADDRESS_CANONICAL_MAX + 1];
    (void)state;
    text[0] = '"';
    for (size_t i = 0; i < 20; i++)
        memcpy(text + 1 + 3 * i, "\xef\xb7\xba", 3); /* U+FDFA, which holds blanks then */
    snprintf(text + 61, sizeof(text) - 61, "\"@dest.test");
    print(text, got, sizeof(got));
    assert_true(strlen(got) > 500 && strlen(got) <= ADDRESS_CANONICAL_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_vectors),
                                       cmocka_unit_test(the_longest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
