// SPDX-License-Identifier: BSD-2-Clause
/* queue_window_test.c - What a destination bears: growth, refusal, rest, as tables. */
#include "table.h"

#include "window.h"

enum step_kind { SUCCEEDS, REFUSED, FAILS, GREETS, FORGETS };

static const struct {
    const char *label;
    unsigned limit;
    struct {
        enum step_kind kind;
        unsigned times, connections; /* connections: in use, or working */
        int64_t wait_ms;             /* before it */
    } steps[6];
    unsigned size;
    int64_t rest_ms; /* after the last step */
    bool capped;
} rows[] = {
    {.label = "it starts with two", .limit = 10, .size = 2},
    {.label = "or with less, where less is allowed", .limit = 1, .size = 1},
    {.label = "no limit is one", .limit = 0, .size = 1},
    {.label = "each round adds one", .limit = 10, .steps = {{SUCCEEDS, 3, 2, 0}}, .size = 3},
    {.label = "up to the limit", .limit = 10, .steps = {{SUCCEEDS, 500, 10, 0}}, .size = 10},
    {.label = "not while it is hardly used", .limit = 10, .steps = {{SUCCEEDS, 100, 10, 0}, {SUCCEEDS, 500, 7, 0}}, .size = 10},
    {.label = "one of two connections is not enough", .limit = 10, .steps = {{SUCCEEDS, 500, 1, 0}}, .size = 2},
    {.label = "a refusal leaves what works", .limit = 20, .steps = {{SUCCEEDS, 500, 20, 0}, {REFUSED, 1, 7, 0}}, .size = 7, .capped = true},
    {.label = "at least one", .limit = 20, .steps = {{REFUSED, 1, 0, 0}}, .size = 1, .capped = true},
    {.label = "for a minute it does not grow past that", .limit = 20, .steps = {{REFUSED, 1, 2, 0}, {SUCCEEDS, 500, 2, 59000}}, .size = 2, .capped = true},
    {.label = "then it does", .limit = 20, .steps = {{REFUSED, 1, 2, 0}, {SUCCEEDS, 3, 2, 60000}}, .size = 3},
    {.label = "refused again: for two minutes", .limit = 20, .steps = {{REFUSED, 1, 2, 0}, {SUCCEEDS, 3, 2, 60000}, {REFUSED, 1, 2, 0}, {SUCCEEDS, 99, 2, 119000}}, .size = 2, .capped = true},
    {.label = "many refusals at once are one", .limit = 20, .steps = {{REFUSED, 9, 2, 0}, {SUCCEEDS, 3, 2, 60000}}, .size = 3},
    {.label = "nothing works: 5 s", .limit = 20, .steps = {{FAILS, 1, 0, 0}}, .size = 2, .rest_ms = 5000},
    {.label = "those under way count as one", .limit = 20, .steps = {{FAILS, 9, 0, 0}}, .size = 2, .rest_ms = 5000},
    {.label = "then 10 s", .limit = 20, .steps = {{FAILS, 1, 0, 0}, {FAILS, 1, 0, 5000}}, .size = 2, .rest_ms = 10000},
    {.label = "up to ten minutes", .limit = 20, .steps = {{FAILS, 1, 0, 0}, {FAILS, 1, 0, 600000}, {FAILS, 1, 0, 600000}, {FAILS, 1, 0, 600000}, {FAILS, 9, 0, 600000}}, .size = 2, .rest_ms = 80000},
    {.label = "a greeting ends it", .limit = 20, .steps = {{FAILS, 1, 0, 0}, {GREETS, 1, 0, 1}}, .size = 2},
    {.label = "and its memory", .limit = 20, .steps = {{FAILS, 1, 0, 0}, {FAILS, 1, 0, 5000}, {GREETS, 1, 0, 1}, {FAILS, 1, 0, 1}}, .size = 2, .rest_ms = 5000},
    {.label = "a person ends it", .limit = 20, .steps = {{FAILS, 1, 0, 0}, {REFUSED, 1, 1, 0}, {FORGETS, 1, 0, 0}}, .size = 1},
};

static void the_window_is_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct window w;
        int64_t now_ms = 1000000;
        window_init(&w, rows[i].limit);
        for (size_t k = 0; k < COUNT_OF(rows[i].steps); k++) {
            now_ms += rows[i].steps[k].wait_ms;
            for (unsigned n = 0; n < rows[i].steps[k].times; n++) {
                unsigned connections = rows[i].steps[k].connections;
                switch (rows[i].steps[k].kind) {
                case SUCCEEDS:
                    window_succeeded(&w, connections, now_ms);
                    break;
                case REFUSED:
                    window_refused(&w, connections, now_ms);
                    break;
                case FAILS:
                    window_rest(&w, INT64_MAX, now_ms);
                    break;
                case GREETS:
                    EXPECT(window_greeted(&w), rows[i].label);
                    break;
                case FORGETS:
                    window_forget(&w);
                    break;
                }
            }
        }
        EXPECT(window_size(&w) == rows[i].size, rows[i].label);
        EXPECT(window_is_capped(&w, now_ms) == rows[i].capped, rows[i].label);
        EXPECT(window_rests(&w, now_ms + rows[i].rest_ms - 1) == (rows[i].rest_ms > 0), rows[i].label);
        EXPECT(!window_rests(&w, now_ms + rows[i].rest_ms), rows[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_window_is_as_the_table_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
