// SPDX-License-Identifier: BSD-2-Clause
/* reach_test.c - Which address next, and when; and what is remembered of addresses. In virtual time, and at random. */
#include "table.h"

#include "candidates.h"
#include "endpoints.h"

#include <stdlib.h>

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
                {"10:16 10:16 20:1", "1 17 2 18 3 19 4 20 5 21 6 22 7 23 8 24 9 25 10 26 11 27 12 28 13 29 14 30 15 31 "}};
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
 * connected, "f0" it has failed, "r0" it rests, "u0" it is full; then what is asked for: "B1" begin 1, "W" wait for an event,
 * "W2000" wait so long, "Q1" queue for a place, "N" nothing. */
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
        {"resting ones are passed over", {{0, "r0", "B1"}, {0, "r1 r2", "N"}}},
        {"a place is waited for when nothing else is left", {{0, "u0", "B1"}, {0, "b1", "W2000"}, {1, "f1 r2", "Q0"}}},
        {"five minutes are enough", {{0, "b0", "W2000"}, {299999, "f0", "B1"}, {300000, "", "N"}}},
    };
    static const char states[] = "brcfu";
    static const enum candidate_state state_of[] = {CANDIDATE_CONNECTING, CANDIDATE_RESTS, CANDIDATE_CONNECTED, CANDIDATE_TRIED,
                                                    CANDIDATE_FULL};
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
            snprintf(wanted, sizeof(wanted), "%c", "BWQN"[step.what]);
            if (step.what == CANDIDATES_BEGIN || step.what == CANDIDATES_QUEUE)
                snprintf(wanted + 1, sizeof(wanted) - 1, "%zu", step.which);
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

static void rests_grow_and_one_probes(void **state)
{
    struct endpoints *e = endpoints_new(20, 100);
    struct endpoint a = at(1);
    char why[ENDPOINTS_WHY];
    int64_t now_ms = 1000;
    (void)state;
    static const int64_t rests_s[] = {5, 10, 20, 40, 80, 160, 320, 600, 600};
    for (size_t i = 0; i < COUNT_OF(rests_s); i++) {
        assert_int_equal(endpoints_take(e, &a, now_ms), i == 0 ? ENDPOINT_FREE : ENDPOINT_PROBE);
        assert_int_equal(endpoints_take(e, &a, now_ms), i == 0 ? ENDPOINT_FREE : ENDPOINT_RESTS);
        endpoints_failed(e, &a, "timed out", now_ms);
        endpoints_release(e, &a, false);
        if (i == 0) { /* one that was under way with it is no second failure */
            endpoints_failed(e, &a, "timed out", now_ms + 1);
            endpoints_release(e, &a, false);
        }
        assert_int_equal(endpoints_rest_ms(e, &a, now_ms, why), rests_s[i] * 1000);
        assert_string_equal(why, "timed out");
        now_ms += rests_s[i] * 1000;
        assert_int_equal(endpoints_take(e, &a, now_ms - 1), ENDPOINT_RESTS);
    }
    assert_int_equal(endpoints_take(e, &a, now_ms), ENDPOINT_PROBE);
    endpoints_release(e, &a, false); /* given up: the next may probe */
    assert_int_equal(endpoints_take(e, &a, now_ms), ENDPOINT_PROBE);
    endpoints_spoke(e, &a);
    assert_int_equal(endpoints_take(e, &a, now_ms), ENDPOINT_FREE);
    endpoints_failed(e, &a, "refused", now_ms); /* busy, as the other connection lives */
    endpoints_release(e, &a, false);
    assert_int_equal(endpoints_take(e, &a, now_ms), ENDPOINT_FREE);
    endpoints_release(e, &a, false);
    endpoints_release(e, &a, true);
    assert_int_equal(endpoints_rest_ms(e, &a, now_ms, why), 0);
    endpoints_free(e);
}

static void an_old_failure_is_forgotten(void **state)
{
    struct endpoints *e = endpoints_new(20, 100);
    struct endpoint a = at(1);
    (void)state;
    assert_int_equal(endpoints_take(e, &a, 0), ENDPOINT_FREE);
    endpoints_failed(e, &a, "timed out", 0);
    endpoints_release(e, &a, false);
    assert_int_equal(endpoints_take(e, &a, 2 * 3600 * 1000), ENDPOINT_FREE);
    endpoints_release(e, &a, false);
    endpoints_free(e);
}

static void an_operator_knows_better(void **state)
{
    char why[ENDPOINTS_WHY];
    struct endpoints *e = endpoints_new(20, 100);
    const struct endpoint a = {.port = 25};
    const struct endpoint probed = {.port = 26};
    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct endpoint *at = i == 0 ? &a : &probed;
        assert_int_not_equal(endpoints_take(e, at, i * 6000), ENDPOINT_RESTS);
        if (i == 2)
            break; /* a probe is under way */
        endpoints_failed(e, at, "timed out", 0);
        endpoints_release(e, at, false);
    }
    endpoints_resume(e);
    assert_int_equal(endpoints_rest_ms(e, &a, 1, why), 0);
    assert_int_equal(endpoints_take(e, &a, 1), ENDPOINT_FREE);
    assert_int_equal(endpoints_take(e, &probed, 1), ENDPOINT_FREE);
    endpoints_failed(e, &probed, "timed out", 20000); /* that of the probe: as if it were the first */
    assert_int_equal(endpoints_rest_ms(e, &probed, 20000, why), 5000);
    for (int i = 0; i < 3; i++)
        endpoints_release(e, i == 0 ? &a : &probed, false);
    endpoints_free(e);
}

/* Another port, and another address, are somebody else. */
static void endpoints_are_apart(void **state)
{
    struct endpoints *e = endpoints_new(1, 100);
    struct endpoint a = at(1);
    struct endpoint port = a;
    struct endpoint six = {.ip = {.v6 = true, .bytes = {192, 0, 2, 1}}, .port = 25};
    port.port = 587;
    (void)state;
    assert_int_equal(endpoints_take(e, &a, 0), ENDPOINT_FREE);
    assert_int_equal(endpoints_take(e, &a, 0), ENDPOINT_FULL);
    assert_int_equal(endpoints_take(e, &port, 0), ENDPOINT_FREE);
    assert_int_equal(endpoints_take(e, &six, 0), ENDPOINT_FREE);
    endpoints_free(e);
}

/* Takers at random: never more than the limit, nobody who waits is passed over, and what nobody uses is forgotten. */
static void at_random(void **state)
{
    enum { LIMIT = 3, ADDRESSES = 6, ROUNDS = 20000, WAITERS = 64 };
    static struct endpoints_waiter waiters[WAITERS];
    unsigned used[ADDRESSES] = {0};
    unsigned spoken[ADDRESSES] = {0};
    struct endpoints *e = endpoints_new(LIMIT, 4);
    int64_t now_ms = 0;
    (void)state;
    srand(7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned k = (unsigned)rand() % ADDRESSES;
        struct endpoint a = at((unsigned char)k);
        bool granted = false;
        now_ms += rand() % 500;
        switch (rand() % 4) {
        case 0: {
            enum endpoints_answer answer = endpoints_take(e, &a, now_ms);
            used[k] += answer == ENDPOINT_FREE || answer == ENDPOINT_PROBE;
            struct endpoints_waiter *w = &waiters[rand() % WAITERS];
            if (answer == ENDPOINT_FULL && !w->listed) {
                w->at = a;
                endpoints_wait(e, w);
            }
            break;
        }
        case 1:
            if (used[k] > spoken[k]) {
                endpoints_spoke(e, &a);
                spoken[k]++;
            }
            break;
        case 2:
            if (used[k] > spoken[k]) {
                endpoints_failed(e, &a, "x", now_ms);
                endpoints_release(e, &a, false);
                used[k]--;
            }
            break;
        case 3:
            if (spoken[k] > 0) {
                endpoints_release(e, &a, true);
                spoken[k]--;
                used[k]--;
            }
            break;
        }
        while (endpoints_next(e, &a, now_ms, &granted) != NULL)
            used[k] += granted;
        assert_in_range(used[k], 0, LIMIT);
        assert_true(!endpoints_wanted(e, &a) || used[k] == LIMIT);
        struct endpoints_waiter *leaves = &waiters[rand() % WAITERS];
        bool listed = leaves->listed;
        if (rand() % 50 == 0)
            assert_int_equal(endpoints_leave(e, leaves), listed);
    }
    endpoints_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order), cmocka_unit_test(the_pace), cmocka_unit_test(no_more_than_three_at_once),
        cmocka_unit_test(whose_trouble_it_is),
        cmocka_unit_test(rests_grow_and_one_probes), cmocka_unit_test(an_old_failure_is_forgotten),
        cmocka_unit_test(an_operator_knows_better),
        cmocka_unit_test(endpoints_are_apart), cmocka_unit_test(at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
