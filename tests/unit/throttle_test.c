// SPDX-License-Identifier: BSD-2-Clause
/* throttle_test.c - GCRA against a model that counts, the ladder, the reserve, clocks that jump. */
#include "table.h"

#include "throttle.h"

#include <stdlib.h>

enum { HISTORY = 4096 };

/* The model keeps each accepted time and says from the definition whether one more would break the limit: a bucket of
 * `burst` tokens that gains one each `every_ms`, in exact integer arithmetic.
 */
struct model {
    int64_t level; /* tokens, in units of 1/every_ms */
    int64_t at_ms;
};

static bool model_take(struct model *m, const struct throttle_limit *l, int64_t now_ms)
{
    int64_t full = (int64_t)l->burst * l->every_ms;
    m->level += now_ms - m->at_ms;
    if (m->level > full)
        m->level = full;
    m->at_ms = now_ms;
    if (m->level < l->every_ms)
        return false;
    m->level -= l->every_ms;
    return true;
}

static uint32_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static void a_million_steps_as_the_model(void **state)
{
    uint64_t random = 20261123;
    size_t accepted = 0;
    (void)state;
    for (size_t run = 0; run < 1000; run++) {
        struct throttle_limit l = {.every_ms = 1 + next(&random) % 5000, .burst = 1 + next(&random) % 30};
        int64_t now_ms = 1000000 + next(&random);
        struct throttle_bucket b = {0};
        struct model m = {(int64_t)l.burst * l.every_ms, now_ms};
        for (size_t step = 0; step < 1000; step++) {
            now_ms += next(&random) % 4 ? next(&random) % (uint32_t)l.every_ms : next(&random) % 20000;
            int64_t wait_ms = throttle_wait_ms(&b, &l, true, now_ms);
            bool want = model_take(&m, &l, now_ms);
            if ((wait_ms == 0) != want)
                fail_msg("run %zu, step %zu: wait %lld", run, step, (long long)wait_ms);
            if (wait_ms > 0) { /* and it says exactly when */
                assert_int_equal(throttle_wait_ms(&b, &l, true, now_ms + wait_ms), 0);
                assert_true(throttle_wait_ms(&b, &l, true, now_ms + wait_ms - 1) > 0);
            } else {
                throttle_take(&b, &l, now_ms);
                accepted++;
            }
        }
    }
    assert_true(accepted > 100000);
}

static void no_24_hours_see_more_than_the_day(void **state)
{
    static int64_t times[HISTORY];
    uint64_t random = 7;
    (void)state;
    for (uint32_t per_day = 1; per_day <= 40; per_day++) {
        struct throttle_limit l = {.per_day = per_day};
        struct throttle_bucket b = {0};
        size_t count = 0;
        size_t most = 0;
        for (int64_t now_ms = 1; count < HISTORY && now_ms < INT64_C(20) * 24 * 3600 * 1000; now_ms += next(&random) % 600000) {
            if (throttle_wait_ms(&b, &l, true, now_ms) > 0)
                continue;
            throttle_take(&b, &l, now_ms);
            times[count++] = now_ms;
        }
        for (size_t i = 0; i < count; i++) {
            size_t in = 1;
            while (i + in < count && times[i + in] - times[i] < INT64_C(24) * 3600 * 1000)
                in++;
            most = in > most ? in : most;
        }
        if (most > per_day)
            fail_msg("%u a day: %zu", per_day, most);
        assert_true(most + 1 >= per_day);
    }
}

static void the_ladder(void **state)
{
    struct throttle_settings s;
    struct throttle_bucket b[THROTTLE_BUCKETS] = {0};
    int64_t now_ms = 1000000000;
    (void)state;
    throttle_defaults(&s);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(throttle_decide(&s, STREAM_SECURITY, STREAM_PACE, b, now_ms).what, THROTTLE_PASS);
    struct throttle_decision d = throttle_decide(&s, STREAM_SECURITY, STREAM_PACE, b, now_ms);
    assert_int_equal(d.what, THROTTLE_DEFER); /* three minutes are more than the two it may be held */
    assert_int_equal(d.key, THROTTLE_CLASS);
    assert_int_equal(d.wait_ms, 180000);
    struct verdict v = throttle_verdict(&s, STREAM_SECURITY, &d);
    assert_int_equal(v.code, 450);
    assert_string_equal(v.enhanced, "4.7.28");
    assert_string_equal(v.text, "Recipient limit \"class\" for class \"security\" is used up (5 at once, then 1 per 180 s, "
                                "15 a day): try again in 180 s");
    d = throttle_decide(&s, STREAM_SECURITY, STREAM_PACE, b, now_ms + 61000);
    assert_int_equal(d.what, THROTTLE_PACE);
    assert_int_equal(d.wait_ms, 119000);
    size_t refused = 2;
    while (throttle_decide(&s, STREAM_SECURITY, STREAM_PACE, b, now_ms + 61000).what == THROTTLE_DEFER)
        refused++;
    assert_int_equal(refused, 5 * s.tenant.burst + 1);
    d = throttle_decide(&s, STREAM_SECURITY, STREAM_PACE, b, now_ms + 61000);
    assert_int_equal(d.what, THROTTLE_REJECT);
    assert_int_equal(throttle_verdict(&s, STREAM_SECURITY, &d).code, 550);
    memset(b, 0, sizeof(b));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(throttle_decide(&s, STREAM_NOTIFICATION, STREAM_REJECT, b, now_ms).what, THROTTLE_PASS);
    assert_int_equal(throttle_decide(&s, STREAM_NOTIFICATION, STREAM_DEFER, b, now_ms).what, THROTTLE_DEFER);
    assert_int_equal(throttle_decide(&s, STREAM_NOTIFICATION, STREAM_REJECT, b, now_ms).what, THROTTLE_REJECT);
    assert_int_equal(throttle_decide(&s, STREAM_NOTIFICATION, STREAM_PACE, b, now_ms).what, THROTTLE_PACE);
}

/* Many members of one club: all get their invitation, one after the other, and nobody waits for a password reset. */
static void a_small_domain_paces_and_lets_security_past(void **state)
{
    struct throttle_settings s;
    struct throttle_bucket domain = {0};
    int64_t now_ms = 1000000000;
    (void)state;
    throttle_defaults(&s);
    for (int64_t i = 0; i < 500; i++) {
        struct throttle_bucket b[THROTTLE_BUCKETS] = {[THROTTLE_DOMAIN] = domain};
        struct throttle_decision d = throttle_decide(&s, STREAM_INVITATION, STREAM_PACE, b, now_ms);
        assert_int_equal(d.what, i < 60 ? THROTTLE_PASS : THROTTLE_PACE);
        assert_int_equal(d.wait_ms, i < 60 ? 0 : (i - 59) * 2000);
        domain = b[THROTTLE_DOMAIN];
    }
    struct throttle_bucket b[THROTTLE_BUCKETS] = {[THROTTLE_DOMAIN] = domain};
    assert_int_equal(throttle_decide(&s, STREAM_SECURITY, STREAM_PACE, b, now_ms).what, THROTTLE_PASS);
    b[THROTTLE_DOMAIN] = domain;
    assert_int_equal(throttle_glance(&s, b, now_ms).what, THROTTLE_PASS);
    s.domain.hold_ms = 0;
    b[THROTTLE_DOMAIN] = domain;
    assert_int_equal(throttle_decide(&s, STREAM_INVITATION, STREAM_PACE, b, now_ms).what, THROTTLE_DEFER);
}

static void the_reserve(void **state)
{
    struct throttle_settings s;
    struct throttle_bucket b[THROTTLE_BUCKETS] = {0};
    struct throttle_bucket own;
    int64_t now_ms = 1000000000;
    size_t others = 0;
    (void)state;
    throttle_defaults(&s);
    for (size_t i = 0; i < 1000; i++) { /* every class but one, as fast as it can */
        enum stream_class class = (enum stream_class)(1 + i % 4);
        memset(&b[THROTTLE_CLASS], 0, sizeof(b[THROTTLE_CLASS])); /* and for ever new tenants' classes */
        others += throttle_decide(&s, class, STREAM_PACE, b, now_ms).what == THROTTLE_PASS;
    }
    assert_int_equal(others, s.tenant.burst - s.tenant.reserve);
    memset(&own, 0, sizeof(own));
    b[THROTTLE_CLASS] = own;
    for (size_t i = 0; i < s.tenant.reserve; i++)
        assert_int_equal(throttle_decide(&s, STREAM_SECURITY, STREAM_PACE, b, now_ms).what, THROTTLE_PASS);
}

static void a_clock_that_jumps(void **state)
{
    struct throttle_settings s;
    int64_t day_ms = INT64_C(24) * 3600 * 1000;
    int64_t now_ms = 30 * day_ms;
    (void)state;
    throttle_defaults(&s);
    for (unsigned class = 0; class < STREAM_CLASSES; class++) {
        struct throttle_limit l = s.classes[class];
        struct throttle_bucket b = {0};
        l.per_day = 0;
        while (throttle_wait_ms(&b, &l, true, now_ms) == 0)
            throttle_take(&b, &l, now_ms);
        /* back by ten days: locked for one window at most */
        assert_true(throttle_wait_ms(&b, &l, true, now_ms - 10 * day_ms) <= l.every_ms * l.burst + l.hold_ms);
        /* and that window passes */
        struct throttle_bucket all[THROTTLE_BUCKETS] = {[THROTTLE_CLASS] = b};
        struct throttle_decision d = throttle_decide(&s, (enum stream_class)class, STREAM_DEFER, all, now_ms - 10 * day_ms);
        assert_int_equal(d.what, THROTTLE_DEFER);
        d = throttle_decide(&s, (enum stream_class)class, STREAM_DEFER, all, now_ms - 10 * day_ms + d.wait_ms - 1);
        assert_int_equal(d.what, THROTTLE_DEFER);
        d = throttle_decide(&s, (enum stream_class)class, STREAM_DEFER, all, now_ms - 10 * day_ms + l.every_ms * l.burst + l.hold_ms);
        assert_int_equal(d.what, THROTTLE_PASS);
        /* forward by ten days: one burst is free, no more */
        assert_int_equal(throttle_left(&b, &l, true, now_ms + 10 * day_ms), l.burst);
    }
}

/* What the week before has seen counts, and a tenant without a week behind it brings its recipients along. */
/* What is not sent is charged to the rate alone, until that is used up; the reserve is for security mail. */
static void the_rate_of_what_is_not_sent(void **state)
{
    struct throttle_settings s = {.rate = {.every_ms = 1000, .burst = 5, .reserve = 2}};
    struct throttle_bucket b = {0};
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(throttle_charge_rate(&s, STREAM_DIGEST, &b, 1000).what, THROTTLE_PASS);
    const struct throttle_bucket before = b;
    struct throttle_decision d = throttle_charge_rate(&s, STREAM_DIGEST, &b, 1000);
    assert_true(d.what == THROTTLE_DEFER && d.key == THROTTLE_RATE && d.wait_ms == 1000 && !d.daily);
    assert_true(b.tat_ms == before.tat_ms && b.day_ms == before.day_ms);
    for (int i = 0; i < 2; i++)
        assert_int_equal(throttle_charge_rate(&s, STREAM_SECURITY, &b, 1000).what, THROTTLE_PASS);
    assert_int_equal(throttle_charge_rate(&s, STREAM_SECURITY, &b, 1000).what, THROTTLE_DEFER);
    assert_int_equal(throttle_charge_rate(&s, STREAM_DIGEST, &b, 4000).what, THROTTLE_PASS);
    s.rate = (struct throttle_limit){.burst = 1, .per_day = 2};
    b = (struct throttle_bucket){0};
    assert_int_equal(throttle_charge_rate(&s, STREAM_DIGEST, &b, 1000).what, THROTTLE_PASS);
    d = throttle_charge_rate(&s, STREAM_DIGEST, &b, 1000);
    assert_true(d.what == THROTTLE_DEFER && d.daily);
}

static void first_time_recipients(void **state)
{
    static const struct {
        const char *name;
        int64_t since;
        uint32_t today, most, limit;
        bool may;
    } rows[] = {{"a new tenant", 0, 0, 0, 0, true},       {"in its first week", 14, 5000, 0, 0, true},
                {"after a week", 13, 199, 0, 200, true},  {"and no more", 13, 200, 0, 200, false},
                {"a small week", 1, 199, 66, 200, true},  {"a large week", 1, 299, 100, 300, true},
                {"and three times that", 1, 300, 100, 300, false},
                {"no overflow", 1, 4000000000U, 4000000000U, UINT32_MAX, true}};
    struct throttle_settings s;
    int64_t noon_ms = 20 * INT64_C(86400000) + 43200000;
    (void)state;
    throttle_defaults(&s);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct throttle_new_recipients n = {rows[i].since, rows[i].today, rows[i].most};
        EXPECT(throttle_new_recipients_limit(&s, &n, noon_ms) == rows[i].limit, rows[i].name);
        EXPECT(throttle_new_recipients_wait_ms(&s, &n, noon_ms) == (rows[i].may ? 0 : 43200000), rows[i].name);
    }
    s.first_time.per_day = 0;
    assert_int_equal(throttle_new_recipients_limit(&s, &(struct throttle_new_recipients){1, 5000, 1}, noon_ms), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_million_steps_as_the_model),
                                       cmocka_unit_test(no_24_hours_see_more_than_the_day), cmocka_unit_test(the_ladder),
                                       cmocka_unit_test(the_reserve),
                                       cmocka_unit_test(a_small_domain_paces_and_lets_security_past), cmocka_unit_test(a_clock_that_jumps),
                                       cmocka_unit_test(the_rate_of_what_is_not_sent),
        cmocka_unit_test(first_time_recipients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
