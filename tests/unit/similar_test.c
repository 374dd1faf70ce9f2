// SPDX-License-Identifier: BSD-2-Clause
/* similar_test.c - The nearest word, and none when none is near. */
#include "similar.h"

#include "table.h"

static const struct {
    const char *label, *word, *want;
} words[] = {
    {.label = "a letter left out", .word = "recipient", .want = "recipients"},
    {.label = "a letter too many", .word = "queuee", .want = "queue"},
    {.label = "two letters swapped", .word = "szie", .want = "size"},
    {.label = "another letter", .word = "sise", .want = "size"},
    {.label = "capitals do not count", .word = "SIZE", .want = "size"},
    {.label = "too far from all", .word = "frobnicate", .want = ""},
    {.label = "short words need most of their letters", .word = "xy", .want = ""},
    {.label = "nothing is near to nothing", .word = "", .want = ""},
};

static void test_nearest(void **state)
{
    static const char *const candidates[] = {"size", "recipients", "queue", "connections"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct similar s;
        similar_init(&s, words[i].word);
        for (size_t k = 0; k < COUNT_OF(candidates); k++)
            similar_try(&s, span_of(candidates[k]));
        if (strcmp(s.best, words[i].want) != 0)
            fail_msg("%s: \"%s\"", words[i].label, s.best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
