// SPDX-License-Identifier: BSD-2-Clause
/* suffix_test.c - The Public Suffix List's own vectors, through our normal form of domains. */
#include "table.h"

#include "suffix.h"

#include <stdlib.h>

/* The answer in normal form for an input that may be a U-label; "null" when there is none. */
static void answer(const struct suffixes *s, const char *input, char *text_r)
{
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    if (!address_domain_ascii(span_of(input), ascii) || !suffixes_find(s, ascii, text_r))
        snprintf(text_r, ADDRESS_DOMAIN_MAX + 1, "null");
}

static void their_vectors(void **state)
{
    char line[512];
    size_t count = 0;
    struct suffixes *s = suffixes_new();
    FILE *f = fopen(VECTORS "/psl-tests.txt", "re");
    (void)state;
    if (!f && getenv("CI"))
        fail_msg("the vectors are missing");
    while (f && fgets(line, sizeof(line), f)) {
        struct span rest = span_trim(span_of(line));
        char input[200];
        char want[200];
        char got[ADDRESS_DOMAIN_MAX + 1];
        if (rest.len == 0 || span_starts_nocase(rest, SPAN("//")))
            continue;
        assert_true(span_copy(span_take(&rest, ' '), input, sizeof(input)) && span_copy(rest, want, sizeof(want)));
        if (strcmp(want, "null") != 0)
            assert_true(address_domain_ascii(span_of(want), want));
        answer(s, input, got);
        if (strcmp(got, want) != 0)
            fail_msg("%s: %s, not %s", input, got, want);
        count++;
    }
    if (f)
        fclose(f);
    suffixes_free(s);
    print_message("%zu vectors of the Public Suffix List\n", count);
    if (!f)
        skip();
    assert_true(count >= 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(their_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
