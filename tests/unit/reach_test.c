// SPDX-License-Identifier: BSD-2-Clause
/* reach_test.c - Which address next, and when. In virtual time. */
#include "table.h"

#include "candidates.h"

static struct endpoint at(unsigned char last)
{
    return (struct endpoint){.ip = {.bytes = {192, 0, 2, last}}, .port = 25};
}

/* "10:3 10:1 20:2": hosts with their preference and number of addresses. */
static struct hosts hosts_of(const char *text)
{
    struct hosts h = {0};
    struct span rest = span_of(text);
    unsigned char last = 0;
    while (rest.len > 0) {
        struct span word = span_take(&rest, ' ');
        uint64_t preference = 0;
        uint64_t count = 0;
        struct span first = span_take(&word, ':');
        assert_true(span_number(first, &preference) && span_number(word, &count));
        hosts_add(&h, SPAN("mx"), (unsigned)preference);
        for (uint64_t i = 0; i < count; i++) {
            struct ip ip = at(++last).ip;
            hosts_add_ip(&h, h.count - 1, &ip);
        }
    }
    return h;
}

static void the_order(void **state)
{
    static const struct {
        const char *hosts, *order;
    } rows[] = {{"10:1 10:1 20:1", "1 2 3 "},
                {"10:3 10:1 20:2", "1 4 2 3 5 6 "}, /* the hosts of a preference in turn */
                {"10:0 10:2 20:0 30:1", "1 2 3 "},
                {"10:16 10:16 20:1", "1 17 2 18 3 19 4 20 5 21 6 22 7 23 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 33 "},
                /* of too many each preference has its part */
                {"10:16 20:16 30:16", "1 2 3 4 5 6 7 8 9 10 17 18 19 20 21 22 23 24 25 26 33 34 35 36 37 38 39 40 41 42 "},
                {"10:16 10:16 20:2 30:0 40:1", "1 17 2 18 3 19 4 20 5 21 6 22 7 23 8 24 9 25 10 26 11 27 12 28 13 29 14 33 34 35 "}};
    (void)state;
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        struct hosts h = hosts_of(rows[r].hosts);
        struct candidates c;
        char order[400] = "";
        candidates_init(&c, &h, 25, 1000);
        for (size_t i = 0; i < c.count; i++)
            snprintf(order + strlen(order), sizeof(order) - strlen(order), "%u ", c.all[i].at.ip.bytes[3]);
        EXPECT(strcmp(order, rows[r].order) == 0, order);
        hosts_fini(&h);
    }
}

/* A script of what is done and what is then to be done, in order of time: "b0" candidate 0 begins, "p0" as a probe, "c0" it is
 * connected, "f0" it has failed; then what is asked for: "B1" begin 1, "W" wait for an event, "W2000" wait so long, "N"
 * nothing. */
static void the_pace(void **state)
{
    static const struct {
        const char *label;
        struct {
            int64_t now_ms;
            const char *done, *wanted;
        } steps[8];
    } rows[] = {
        {"a connection that is made at once", {{0, "", "B0"}, {0, "b0", "W2000"}, {30, "c0", "W10000"}}},
        {"after two seconds the next, and the first goes on", {{0, "b0", "W2000"}, {1999, "", "W1"}, {2000, "", "B1"},
                                                               {2000, "b1", "W2000"}, {2100, "c0", "W10000"}}},
        {"a refusal leads on at once", {{0, "b0", "W2000"}, {5, "f0", "B1"}, {5, "b1", "W2000"}, {9, "f1", "B2"}}},
        {"the last one has all its time", {{0, "b0", "W2000"}, {0, "f0 b1", "W2000"}, {0, "f1 b2", "W"}, {900, "f2", "N"}}},
        {"no greeting: the next after ten seconds", {{0, "b0 c0", "W10000"}, {10000, "", "B1"}, {10000, "b1", "W2000"},
                                                     {10001, "f1", "B2"}, {10001, "b2", "W"}, {10002, "f2", "W"}}},
        {"what probably fails is not waited for", {{0, "p0", "W100"}, {100, "", "B1"}, {100, "b1", "W2000"}, {101, "c1", "W10000"}}},
        {"five minutes are enough", {{0, "b0", "W2000"}, {299999, "f0", "B1"}, {300000, "", "N"}}},
    };
    static const char states[] = "bcf";
    static const enum candidate_state state_of[] = {CANDIDATE_CONNECTING, CANDIDATE_CONNECTED, CANDIDATE_TRIED};
    (void)state;
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        struct hosts h = hosts_of("10:1 10:1 10:1");
        struct candidates c;
        candidates_init(&c, &h, 25, 1000);
        for (size_t s = 0; s < COUNT_OF(rows[r].steps) && rows[r].steps[s].wanted; s++) {
            int64_t now_ms = 1000 + rows[r].steps[s].now_ms;
            struct span done = span_of(rows[r].steps[s].done);
            char wanted[32];
            while (done.len > 0) {
                struct span word = span_take(&done, ' ');
                size_t which = (size_t)(word.ptr[1] - '0');
                c.all[which].probe = word.ptr[0] == 'p';
                char what = word.ptr[0] == 'p' ? 'b' : word.ptr[0];
                candidates_set(&c, which, state_of[strchr(states, what) - states], now_ms);
            }
            struct candidates_step step = candidates_next(&c, now_ms);
            snprintf(wanted, sizeof(wanted), "%c", "BWN"[step.what]);
            size_t left[CANDIDATES_MAX];
            if (step.what == CANDIDATES_BEGIN && candidates_list_left(&c, left) > 0)
                snprintf(wanted + 1, sizeof(wanted) - 1, "%zu", left[0]);
            if (step.what == CANDIDATES_WAIT && step.wait_ms > 0)
                snprintf(wanted + 1, sizeof(wanted) - 1, "%lld", (long long)step.wait_ms);
            if (strcmp(wanted, rows[r].steps[s].wanted) != 0)
                fail_msg("%s: step %zu: %s, not %s", rows[r].label, s, wanted, rows[r].steps[s].wanted);
        }
        hosts_fini(&h);
    }
}

static void no_more_than_three_at_once(void **state)
{
    struct hosts h = hosts_of("10:5");
    struct candidates c;
    size_t which = 99;
    (void)state;
    candidates_init(&c, &h, 25, 1000);
    for (size_t i = 0; i < 3; i++) {
        assert_false(candidates_crowded(&c, &which));
        candidates_set(&c, i, CANDIDATE_CONNECTING, 1000 + 2000 * (int64_t)i);
    }
    assert_true(candidates_crowded(&c, &which));
    assert_int_equal(which, 0);
    assert_true(candidates_too_slow(&c, 0, 3000) && !candidates_too_slow(&c, 1, 3000));
    assert_true(candidates_left(&c, 3000) && !candidates_left(&c, 1000 + CANDIDATES_TIME_MS));
    for (int64_t now_ms = 1000; now_ms < CANDIDATES_ATTEMPT_MS; now_ms += CANDIDATES_TIME_MS) {
        candidates_host_left(&c, now_ms + CANDIDATES_TIME_MS); /* one that took all that time */
        assert_true(candidates_left(&c, now_ms + CANDIDATES_TIME_MS) ==
                    (now_ms + CANDIDATES_TIME_MS < 1000 + CANDIDATES_ATTEMPT_MS));
    }
    hosts_fini(&h);
}

static void whose_trouble_it_is(void **state)
{
    static const struct {
        int code;
        const char *enhanced;
        bool host;
    } rows[] = {{421, "4.3.2", true},  {421, "", true},       {421, "4.7.0", true},  {452, "4.3.1", true},  {451, "4.3.0", true},
                {451, "4.4.2", true},  {450, "4.4.1", true},  {451, "", true},       {452, "", true},       {450, "", false},
                {450, "4.2.1", false}, {452, "4.2.2", false}, {451, "4.7.1", false}, {450, "4.7.1", false}, {450, "4.1.8", false},
                {452, "4.5.3", false}, {550, "5.3.0", false}, {554, "", false},      {250, "2.0.0", false}, {552, "5.3.4", false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict v = verdict_make(rows[i].code, rows[i].enhanced, "x");
        EXPECT(candidates_host_trouble(&v) == rows[i].host, rows[i].enhanced);
    }
}

static struct endpoint of(const struct candidates *c, size_t i)
{
    return c->all[i].at;
}

/* A host that cannot do what the mail needs is left with all its addresses; the others go on. */
static void a_host_that_lacks_something_is_left(void **state)
{
    struct hosts h = hosts_of("10:3 10:1 20:2");
    struct candidates c;
    size_t which[CANDIDATES_MAX];
    (void)state;
    candidates_init(&c, &h, 25, 1000); /* hosts 0 1 0 0 2 2 */
    struct endpoint none = at(99);
    candidates_note_lack(&c, &none, 1000);
    assert_int_equal(candidates_list_left(&c, which), 6);
    assert_false(candidates_all_lack(&c) || candidates_under_way(&c));
    candidates_set(&c, 2, CANDIDATE_CONNECTED, 1000);
    struct endpoint first = of(&c, 0);
    candidates_note_lack(&c, &first, 1000);
    assert_int_equal(candidates_list_left(&c, which), 3);
    assert_true(which[0] == 1 && which[1] == 4 && which[2] == 5);
    assert_true(c.all[2].state == CANDIDATE_CONNECTED && c.all[2].lacks && candidates_under_way(&c));
    assert_false(candidates_all_lack(&c));
    candidates_set(&c, 2, CANDIDATE_TRIED, 2000);
    assert_false(candidates_under_way(&c));
    struct endpoint second = of(&c, 1);
    struct endpoint third = of(&c, 5);
    candidates_note_lack(&c, &second, 2000);
    assert_false(candidates_all_lack(&c));
    candidates_note_lack(&c, &third, 2000);
    assert_true(candidates_all_lack(&c) && candidates_list_left(&c, which) == 0);
    assert_int_equal(candidates_next(&c, 2000).what, CANDIDATES_NONE);
    hosts_fini(&h);
}

/* Five hosts are enough to ask, whatever is left. */
static void five_hosts_are_asked(void **state)
{
    struct hosts h = hosts_of("10:2 10:2 10:2 10:2 10:2 10:2");
    struct candidates c;
    (void)state;
    candidates_init(&c, &h, 25, 1000);
    for (size_t i = 0; i < 5; i++) {
        struct endpoint one = of(&c, i);
        assert_false(candidates_all_lack(&c));
        candidates_note_lack(&c, &one, 1000);
        candidates_note_lack(&c, &one, 1000); /* twice is once */
    }
    assert_true(candidates_all_lack(&c));
    hosts_fini(&h);
    candidates_init(&c, &(struct hosts){0}, 25, 1000); /* no host lacks anything */
    assert_false(candidates_all_lack(&c) || candidates_left(&c, 1000));
    assert_int_equal(candidates_next(&c, 1000).what, CANDIDATES_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order), cmocka_unit_test(the_pace), cmocka_unit_test(no_more_than_three_at_once),
        cmocka_unit_test(whose_trouble_it_is), cmocka_unit_test(a_host_that_lacks_something_is_left),
        cmocka_unit_test(five_hosts_are_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
