// SPDX-License-Identifier: BSD-2-Clause
/* queue_providers_test.c - The table of providers: each row matches its example, and no near miss. */
#include "table.h"

#include "mx_providers.h"

#include <ctype.h>

static struct span table_of(void)
{
    return (struct span){(const char *)mx_providers_text, mx_providers_len};
}

static const char *find(const char *const *hosts, size_t count, char *name, size_t size)
{
    struct mx_provider row;
    if (!mx_provider_find(hosts, count, &row))
        return "";
    assert_true(span_copy(row.name, name, size));
    return name;
}

static void each_row_matches_its_example_and_is_the_only_one(void **state)
{
    struct span lines = table_of();
    struct mx_provider row;
    size_t rows = 0;
    (void)state;
    while (mx_provider_next(&lines, &row)) {
        char host[256];
        char upper[260];
        char name[64];
        char want[64];
        rows++;
        assert_true(span_copy(row.example, host, sizeof(host)));
        assert_true(span_copy(row.name, want, sizeof(want)));
        for (size_t i = 0; i <= strlen(host); i++)
            upper[i] = (char)toupper((unsigned char)host[i]);
        EXPECT(strcmp(find((const char *[]){host}, 1, name, sizeof(name)), want) == 0, host);
        EXPECT(strcmp(find((const char *[]){upper}, 1, name, sizeof(name)), want) == 0, upper);
        snprintf(upper, sizeof(upper), "%s.", host);
        EXPECT(strcmp(find((const char *[]){upper}, 1, name, sizeof(name)), want) == 0, upper);
        EXPECT(row.connections <= 100 && row.messages <= 1000, host);
    }
    assert_true(rows > 40);
}

static void no_row_matches_a_near_miss(void **state)
{
    struct span lines = table_of();
    struct mx_provider row;
    (void)state;
    while (mx_provider_next(&lines, &row)) {
        struct span suffixes = row.suffixes;
        char name[64];
        char example[256];
        assert_true(span_copy(row.example, example, sizeof(example)));
        while (suffixes.len > 0) {
            struct span suffix = span_trim(span_take(&suffixes, ' '));
            char host[256];
            if (suffix.len == 0)
                continue;
            EXPECT(suffix.ptr[suffix.len - 1] != '.' && suffix.ptr[0] != '.', example);
            snprintf(host, sizeof(host), "mx.evil%.*s", SPAN_ARG(suffix));
            EXPECT(find((const char *[]){host}, 1, name, sizeof(name))[0] == '\0', host);
            snprintf(host, sizeof(host), "%.*s.evil.test", SPAN_ARG(suffix));
            EXPECT(find((const char *[]){host}, 1, name, sizeof(name))[0] == '\0', host);
            snprintf(host, sizeof(host), "mx.%.*s", SPAN_ARG(suffix));
            EXPECT(find((const char *[]){host, "mx.other.test"}, 2, name, sizeof(name))[0] == '\0', host);
            EXPECT(find((const char *[]){host, example}, 2, name, sizeof(name))[0] != '\0', host);
        }
    }
    assert_string_equal(find(NULL, 0, (char[1]){0}, 1), "");
    assert_string_equal(find((const char *[]){""}, 1, (char[64]){0}, 64), "");
    assert_string_equal(find((const char *[]){"."}, 1, (char[64]){0}, 64), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_matches_its_example_and_is_the_only_one),
        cmocka_unit_test(no_row_matches_a_near_miss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
