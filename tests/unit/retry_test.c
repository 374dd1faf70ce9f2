// SPDX-License-Identifier: BSD-2-Clause
/* retry_test.c - Done, later or never: the schedules, the jitter's bounds, the end. */
#include "table.h"

#include "retry.h"

static struct retry_decision decide(enum stream_class class, int code, unsigned tries, int64_t age_ms, uint32_t random)
{
    struct retry_input in = {.answer = verdict_make(code, "", "x"), .class = class, .tries = tries,
                             .now_ms = 1000000 + age_ms, .expires_ms = 1000000 + stream_lifetime_ms(NULL, class),
                             .random = random};
    return retry_decide(&in);
}

static void answers(void **state)
{
    (void)state;
    assert_int_equal(decide(STREAM_DIGEST, 250, 0, 0, 0).what, RETRY_DONE);
    assert_int_equal(decide(STREAM_DIGEST, 550, 0, 0, 0).what, RETRY_NEVER);
    assert_false(decide(STREAM_DIGEST, 550, 0, 0, 0).expired);
    assert_int_equal(decide(STREAM_DIGEST, 451, 0, 0, 0).what, RETRY_LATER);
    assert_int_equal(decide(STREAM_DIGEST, 451, 3, 0, 0).tries, 4);
}

static void schedules(void **state)
{
    static const struct {
        enum stream_class class;
        int64_t seconds[9];
    } rows[] = {{STREAM_SECURITY, {15, 30, 60, 120, 300, 300, 300, 300, 300}},
                {STREAM_CONFIRMATION, {60, 300, 900, 1800, 3600, 7200, 7200, 7200, 7200}},
                {STREAM_DIGEST, {60, 300, 900, 1800, 3600, 7200, 7200, 7200, 7200}}};
    (void)state;
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        for (unsigned tries = 0; tries < 9; tries++) {
            int64_t want = rows[r].seconds[tries] * 1000;
            for (uint32_t random = 0; random < 100000; random += 777) {
                struct retry_decision d = decide(rows[r].class, 451, tries, 0, random * 40503U);
                int64_t wait = d.due_ms - 1000000;
                EXPECT(wait >= want - want / 10 && wait <= want + want / 10, stream_class_name(rows[r].class));
            }
        }
    }
}

static void the_end(void **state)
{
    int64_t half_hour = 30 * 60 * 1000;
    (void)state;
    struct retry_decision d = decide(STREAM_SECURITY, 451, 9, half_hour - 1000, 0);
    assert_int_equal(d.what, RETRY_LATER);
    assert_int_equal(d.due_ms, 1000000 + half_hour); /* the last attempt is at the expiry */
    d = decide(STREAM_SECURITY, 451, 9, half_hour, 0);
    assert_int_equal(d.what, RETRY_NEVER);
    assert_true(d.expired);
    assert_int_equal(decide(STREAM_DIGEST, 451, 9, 3 * 24 * 3600 * INT64_C(1000) - 1, 0).what, RETRY_LATER);
    assert_int_equal(decide(STREAM_DIGEST, 451, 9, 3 * 24 * 3600 * INT64_C(1000), 0).what, RETRY_NEVER);
}

static void our_own_fault(void **state)
{
    struct retry_input in = {.answer = verdict_make(451, "4.7.5", "x"), .class = STREAM_SECURITY, .tries = 2,
                             .now_ms = 1000, .expires_ms = 0, .not_attempted = true};
    (void)state;
    struct retry_decision d = retry_decide(&in);
    assert_int_equal(d.what, RETRY_LATER); /* though its time is over: nobody has been asked */
    assert_int_equal(d.tries, 2);
    in.not_before_ms = 900000;
    assert_int_equal(retry_decide(&in).due_ms, 900000);
    in.answer = verdict_make(250, "2.0.0", "x"); /* others of the same message were not so lucky */
    assert_int_equal(retry_decide(&in).what, RETRY_DONE);
    in.answer = verdict_make(550, "5.1.1", "x");
    assert_int_equal(retry_decide(&in).what, RETRY_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(schedules), cmocka_unit_test(the_end),
                                       cmocka_unit_test(our_own_fault)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
