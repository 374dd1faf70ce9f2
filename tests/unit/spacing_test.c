// SPDX-License-Identifier: BSD-2-Clause
/* spacing_test.c - How fast mail goes after what a server says, as a table. tests/simulation/providers.c
 * plays whole hours. */
#include "table.h"

#include "spacing.h"

#include <math.h>

enum step_kind { TAKES, REFUSES, WAITS };

enum { MINUTE_MS = 60 * 1000, BEGIN_MS = 1000 * 1000 };

static const struct {
    const char *label;
    struct {
        enum step_kind kind;
        unsigned times;
        int64_t wait_ms; /* before each, but for when it may go */
    } steps[5];
    double least, most; /* the level; 0: none */
} rows[] = {
    {.label = "nothing is known", .steps = {{TAKES, 1000, 10}}},
    {.label = "one refusal: below what was seen", .steps = {{TAKES, 1000, 100}, {REFUSES, 1, 1}}, .least = 400, .most = 430},
    {.label = "with little seen it is not slower than a message in some seconds", .steps = {{REFUSES, 1, 1}}, .least = 30, .most = 60},
    {.label = "each refusal lowers it", .steps = {{TAKES, 1000, 100}, {REFUSES, 3, 1}}, .least = 40, .most = 80},
    {.label = "down to one a minute", .steps = {{TAKES, 1000, 100}, {REFUSES, 20, 1}}, .least = 1, .most = 1},
    {.label = "which is soon what it was when one is taken", .steps = {{TAKES, 1000, 100}, {REFUSES, 20, 1}, {TAKES, 6, 1}}, .least = 500, .most = 700},
    {.label = "what is taken lifts it, not up to what was refused", .steps = {{TAKES, 1000, 100}, {REFUSES, 1, 1}, {TAKES, 150, 0}}, .least = 500, .most = 600},
    {.label = "after a hold it is tried again", .steps = {{TAKES, 1000, 100}, {REFUSES, 1, 1}, {TAKES, 1500, 0}}, .least = 650, .most = 1e9},
    {.label = "an hour forgets it", .steps = {{TAKES, 1000, 100}, {REFUSES, 1, 1}, {WAITS, 1, 60 * MINUTE_MS}}},
};

static void the_level_is_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct spacing s = {0};
        int64_t now_ms = BEGIN_MS;
        for (size_t k = 0; k < COUNT_OF(rows[i].steps); k++)
            for (unsigned n = 0; n < rows[i].steps[k].times; n++) {
                int64_t next_ms = spacing_next_ms(&s, now_ms);
                now_ms = (next_ms > now_ms ? next_ms : now_ms) + rows[i].steps[k].wait_ms;
                if (rows[i].steps[k].kind == WAITS)
                    continue;
                spacing_goes(&s, now_ms);
                if (rows[i].steps[k].kind == TAKES)
                    spacing_taken(&s, now_ms, now_ms);
                else
                    (void)spacing_refused(&s, now_ms, now_ms);
                spacing_check(&s);
            }
        double level = spacing_is_on(&s, now_ms) ? s.level : 0;
        EXPECT(level >= rows[i].least && level <= rows[i].most, rows[i].label);
    }
}

/* A server that takes so many a minute, each answered at once. How many it took. */
static unsigned meets(struct spacing *s, double a_minute, int64_t *now_ms, int64_t for_ms)
{
    double room = 5;
    unsigned taken = 0;
    int64_t end_ms = *now_ms + for_ms;
    while (*now_ms < end_ms) {
        int64_t next_ms = spacing_next_ms(s, *now_ms);
        next_ms = next_ms > *now_ms ? next_ms : *now_ms + 20;
        room += a_minute * (double)(next_ms - *now_ms) / (double)MINUTE_MS;
        room = room < 5 ? room : 5;
        *now_ms = next_ms;
        spacing_goes(s, *now_ms);
        if (room < 1) {
            (void)spacing_refused(s, *now_ms, *now_ms);
            continue;
        }
        spacing_taken(s, *now_ms, *now_ms);
        spacing_check(s);
        taken++;
        room--;
    }
    return taken;
}

static void what_went_before_a_cut_says_nothing_of_it(void **state)
{
    (void)state;
    struct spacing s = {0};
    EXPECT(spacing_refused(&s, BEGIN_MS, BEGIN_MS + 100), "the first lowers it");
    double level = s.level;
    for (int i = 0; i < 20; i++)
        EXPECT(!spacing_refused(&s, BEGIN_MS + i, BEGIN_MS + 200), "those under way do not");
    EXPECT(s.level == level, "it stays");
}

/* The kind of fault is a message that does not wait, and is refused: one code that is said again and again took the level from 60 a
 * minute to 4 within a second, from where it rose for minutes. */
static void codes_that_are_refused_do_not_bring_it_down(void **state)
{
    (void)state;
    struct spacing s = {0};
    int64_t now_ms = BEGIN_MS;
    (void)meets(&s, 60, &now_ms, 10 * MINUTE_MS);
    (void)spacing_refused(&s, now_ms, now_ms);
    double level = s.level;
    for (int i = 0; i < 5; i++) {
        now_ms += 100;
        spacing_goes(&s, now_ms);
        EXPECT(!spacing_refused(&s, now_ms, now_ms), "it did not go in its turn");
    }
    EXPECT(s.level == level, "it stays");
    now_ms = spacing_next_ms(&s, now_ms);
    EXPECT(spacing_refused(&s, now_ms, now_ms) && s.level < level, "one that waited lowers it");
}

static void messages_are_evenly_apart(void **state)
{
    (void)state;
    struct spacing s = {0};
    int64_t now_ms = BEGIN_MS;
    (void)spacing_refused(&s, now_ms, now_ms);
    int64_t between_ms = (int64_t)((double)MINUTE_MS / s.level);
    for (int i = 0; i < 10; i++) {
        int64_t next_ms = spacing_next_ms(&s, now_ms);
        EXPECT(next_ms - now_ms >= between_ms - 1 && next_ms - now_ms <= between_ms + 2, "apart");
        now_ms = next_ms;
        spacing_goes(&s, now_ms);
    }
    spacing_goes(&s, now_ms); /* a code, which does not ask, takes the turn of the next one */
    EXPECT(spacing_next_ms(&s, now_ms) >= now_ms + 2 * between_ms - 2, "two apart");
}

/* What is kept, and when. */
static void a_level_is_known_again_after_a_restart(void **state)
{
    static const struct {
        const char *label;
        struct spacing kept;
        bool closed, on;
    } kinds[] = {
        {"a level", {.level = 50, .good = 50, .bad = 60, .refused_ms = BEGIN_MS - MINUTE_MS, .hold_for_ms = MINUTE_MS}, false, true},
        {"nothing was taken", {.level = 1, .before = 90, .refused_ms = BEGIN_MS - MINUTE_MS}, true, true},
        {"long ago", {.level = 50, .refused_ms = BEGIN_MS - 61 * MINUTE_MS}, false, false},
        {"of the future", {.level = 50, .refused_ms = BEGIN_MS + 1}, false, false},
        {"too low", {.level = 0.2, .refused_ms = BEGIN_MS}, false, false},
        {"no number", {.level = NAN, .refused_ms = BEGIN_MS}, false, false},
        {"others are none", {.level = 9, .good = -1, .bad = INFINITY, .before = NAN, .refused_ms = BEGIN_MS, .hold_for_ms = -1}, false, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct spacing s = kinds[i].kept;
        spacing_restore(&s, kinds[i].closed, BEGIN_MS);
        spacing_check(&s);
        EXPECT(spacing_is_on(&s, BEGIN_MS) == kinds[i].on, kinds[i].label);
        EXPECT(!kinds[i].on || (s.level == kinds[i].kept.level && s.hold_ms > BEGIN_MS), kinds[i].label);
        EXPECT(spacing_next_ms(&s, BEGIN_MS) <= BEGIN_MS, "the first goes at once");
        spacing_goes(&s, BEGIN_MS);
        EXPECT(!kinds[i].on || spacing_next_ms(&s, BEGIN_MS) > BEGIN_MS, "the next one does not");
        spacing_taken(&s, BEGIN_MS, BEGIN_MS + 1);
        EXPECT(!kinds[i].closed || s.level > kinds[i].kept.level, "it opens");
        spacing_check(&s);
    }
}

/* However long the old limit was met. The kind of fault is a wait that grows with each refusal, and a step that takes as long as its
 * messages: a server that has come to take twenty times as much is sent little for minutes. */
static void a_limit_that_goes_up_is_found_again(void **state)
{
    static const struct {
        const char *label;
        double before, after, part; /* part: of what it takes in four minutes */
    } changes[] = {
        {"twenty times", 60, 1200, 0.5},
        {"four times, of a fast one", 300, 1200, 0.7},
        {"twice", 60, 120, 0.8},
        {"down", 600, 60, 0.95},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        for (int64_t long_ms = 5 * MINUTE_MS; long_ms < 10 * MINUTE_MS; long_ms += 7000) {
            struct spacing s = {0};
            int64_t now_ms = BEGIN_MS;
            (void)meets(&s, changes[i].before, &now_ms, long_ms);
            unsigned taken = meets(&s, changes[i].after, &now_ms, 4 * MINUTE_MS);
            EXPECT(taken >= changes[i].part * changes[i].after * 4, changes[i].label);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_that_goes_up_is_found_again),
        cmocka_unit_test(a_level_is_known_again_after_a_restart),
        cmocka_unit_test(the_level_is_as_the_table_says),
        cmocka_unit_test(what_went_before_a_cut_says_nothing_of_it),
        cmocka_unit_test(messages_are_evenly_apart),
        cmocka_unit_test(codes_that_are_refused_do_not_bring_it_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
