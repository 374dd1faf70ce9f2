// SPDX-License-Identifier: BSD-2-Clause
/* retry_test.c - Done, later or never: the schedules, the jitter's bounds, the end. */
#include "table.h"

#include "retry.h"

static struct retry_decision decide(enum stream_class class, int code, unsigned tries, int64_t age_ms, uint32_t random)
{
    struct retry_input in = {.answer = verdict_make(code, "", "x"), .class = class, .tries = tries,
                             .now_ms = 1000000 + age_ms, .created_ms = 1000000, .expires_ms = 1000000 + stream_lifetime_ms(NULL, class),
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

static int64_t greylisted_s(enum stream_class class, const struct stream *stream, unsigned tries, const char *text, uint32_t random)
{
    struct retry_input in = {.answer = verdict_make(451, "4.7.1", "%s", text), .class = class, .stream = stream, .tries = tries,
                             .greylisted = true, .now_ms = 0, .created_ms = 0, .expires_ms = INT64_C(1000) * 86400, .random = random};
    return retry_decide(&in).due_ms / 1000;
}

/* The kind: who asks for five minutes is asked after one, and then not before ten others have passed. */
static void greylisting_is_waited_for(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds[2]; /* at least, and five more at most; at the first and second try of an ordinary message */
    } rows[] = {{"Greylisted, see you soon", {310, 600}},
                {"Greylisted, try again in 300 seconds", {301, 301}},
                {"greylisted for 60 seconds by ZEROSPAM", {61, 61}},
                {"Greylisted for 5 minutes", {301, 301}},
                {"Greylisting in action, please come back in 00:04:59", {300, 300}},
                {"greylisted for 2 hours", {310, 600}}, /* too long to be believed */
                {"greylisted since 0 seconds", {310, 600}},
                {"192.0.2.17 is greylisted (450s8)", {310, 600}},
                {"greylisted for 99999999999999999999 seconds", {310, 600}}};
    const struct stream own = {.name = "own", .retries_ms = {20 * 1000}, .retry_count = 1};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (unsigned tries = 0; tries < 2; tries++)
            for (uint32_t random = 0; random < 100000; random += 777) {
                int64_t s = greylisted_s(STREAM_NOTIFICATION, NULL, tries, rows[i].text, random * 40503U);
                EXPECT(s >= rows[i].seconds[tries] && s <= rows[i].seconds[tries] + 5, rows[i].text);
            }
    int64_t after = 0;
    for (unsigned tries = 0; tries < 3; tries++) { /* a code: within seconds, after a minute, and after five */
        static const int64_t least[] = {15, 61, 310};
        after += greylisted_s(STREAM_SECURITY, NULL, tries, "Greylisted", 4999);
        assert_true(after >= least[tries] && after <= least[tries] + 18);
    }
    assert_true(greylisted_s(STREAM_SECURITY, NULL, 7, "Greylisted", 1) >= 270);
    assert_true(greylisted_s(STREAM_SECURITY, &own, 0, "Greylisted", 1) <= 22);
    assert_int_equal(greylisted_s(STREAM_SECURITY, &own, 0, "Greylisted for 10 seconds", 0), 18);
    assert_int_equal(greylisted_s(STREAM_SECURITY, &own, 0, "Greylisted for 60 seconds", 0), 61);
    /* Who asks for a second each time is not asked each second, and after some tries not sooner than others. */
    assert_true(greylisted_s(STREAM_NOTIFICATION, NULL, 0, "Greylisted for 1 second", 0) >= 60);
    assert_true(greylisted_s(STREAM_SECURITY, NULL, 2, "Greylisted for 1 second", 0) >= 15);
    for (unsigned tries = 3; tries < 50; tries++) {
        assert_true(greylisted_s(STREAM_NOTIFICATION, NULL, tries, "Greylisted for 1 second", 0) >= 1800 * 9 / 10);
        assert_true(greylisted_s(STREAM_SECURITY, NULL, tries, "Greylisted for 1 second", 0) >= 120 * 9 / 10);
    }
}

static void the_end(void **state)
{
    int64_t half_hour = 30 * 60 * 1000;
    int64_t three_days = 3 * 24 * 3600 * INT64_C(1000);
    int64_t before = 30 * 1000; /* the last attempt has time to be delivered before it is late */
    (void)state;
    struct retry_decision d = decide(STREAM_SECURITY, 451, 9, half_hour - before - 1000, 0);
    assert_int_equal(d.what, RETRY_LATER);
    assert_int_equal(d.due_ms, 1000000 + half_hour - before);
    d = decide(STREAM_SECURITY, 451, 9, half_hour - before, 0);
    assert_int_equal(d.what, RETRY_NEVER);
    assert_true(d.expired);
    assert_int_equal(decide(STREAM_DIGEST, 451, 9, three_days - before - 1, 0).what, RETRY_LATER);
    assert_int_equal(decide(STREAM_DIGEST, 451, 9, three_days - before, 0).what, RETRY_NEVER);
    assert_int_equal(decide(STREAM_DIGEST, 250, 9, three_days, 0).what, RETRY_DONE);
    assert_false(decide(STREAM_DIGEST, 550, 9, three_days, 0).expired);
}

/* Nobody has been asked: no try is counted, but time goes on, whatever the reason. */
static void our_own_fault(void **state)
{
    struct retry_input in = {.answer = verdict_make(451, "4.7.5", "x"), .class = STREAM_SECURITY, .tries = 2,
                             .now_ms = 1000, .created_ms = 0, .expires_ms = 1000000, .not_attempted = true};
    (void)state;
    struct retry_decision d = retry_decide(&in);
    assert_int_equal(d.what, RETRY_LATER);
    assert_int_equal(d.tries, 2);
    in.now_ms = 960000; /* the next pause is longer than what is left */
    assert_int_equal(retry_decide(&in).due_ms, 970000);
    in.now_ms = 970000;
    d = retry_decide(&in);
    assert_true(d.what == RETRY_NEVER && d.expired && d.tries == 2);
    in.answer = verdict_make(250, "2.0.0", "x"); /* others of the same message were not so lucky */
    assert_int_equal(retry_decide(&in).what, RETRY_DONE);
    in.answer = verdict_make(550, "5.1.1", "x");
    assert_int_equal(retry_decide(&in).what, RETRY_NEVER);
}

/* No host took the connection: no try is counted, and the next comes as after one more. What has a final code and no try was
 * refused when it came, so that one with such a code counts. */
static void no_host_costs_no_try(void **state)
{
    struct retry_input in = {.answer = verdict_make(421, "4.3.2", "x"), .class = STREAM_SECURITY, .tries = 0,
                             .now_ms = 0, .created_ms = 0, .expires_ms = 1000000, .no_host = true};
    (void)state;
    struct retry_decision d = retry_decide(&in);
    assert_int_equal(d.what, RETRY_LATER);
    assert_int_equal(d.tries, 0);
    assert_true(d.due_ms >= 13500 && d.due_ms <= 16500);
    in.answer = verdict_make(554, "5.3.2", "no service");
    in.answer.what = VERDICT_DEFER;
    assert_int_equal(retry_decide(&in).tries, 1);
    in.tries = 1;
    assert_int_equal(retry_decide(&in).tries, 1);
}

/* However it goes on, every message of every class comes to its end in time, and not much before. */
static void all_end(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 500; seed++) {
        enum stream_class class = (enum stream_class)(seed % STREAM_CLASSES);
        int64_t life = seed % 7 ? 1000 + (int64_t)seed * 7919 % 5000000 : stream_lifetime_ms(NULL, class);
        struct retry_input in = {.answer = verdict_make(451, "4.0.0", "x"), .class = class, .expires_ms = life};
        struct retry_decision d = {.what = RETRY_LATER};
        unsigned rounds = 0;
        while (d.what == RETRY_LATER && rounds++ < 100000) {
            uint32_t random = retry_random(seed, "dest.test", rounds);
            in.not_attempted = random % 3 == 0;
            in.random = random;
            d = retry_decide(&in);
            EXPECT(d.what == RETRY_NEVER || (d.due_ms >= in.now_ms && d.due_ms <= life), "in order");
            in.tries = d.tries;
            if (d.what == RETRY_LATER)
                in.now_ms = d.due_ms > in.now_ms ? d.due_ms : in.now_ms + 1;
        }
        EXPECT(d.what == RETRY_NEVER && d.expired, "ends");
        EXPECT(in.now_ms <= life && in.now_ms >= life - life / 20 - 1, "in time");
    }
}

static void together(void **state)
{
    unsigned buckets[10] = {0};
    (void)state;
    assert_int_equal(retry_random(7, "a.test", 1), retry_random(7, "a.test", 1));
    assert_int_not_equal(retry_random(7, "a.test", 1), retry_random(7, "b.test", 1));
    assert_int_not_equal(retry_random(7, "a.test", 1), retry_random(7, "a.test", 2));
    for (int64_t message = 0; message < 10000; message++)
        buckets[retry_random(message << 20, "a.test", 1) % 10]++;
    for (size_t i = 0; i < 10; i++) /* messages spread evenly */
        assert_in_range(buckets[i], 850, 1150);
}

/* Whatever waits for a minute is looked at a few times; what urgent mail waits for at once. */
static void looks(void **state)
{
    static const struct {
        const char *label;
        bool urgent;
        int64_t wait_ms;
        unsigned most;
    } rows[] = {{"plain mail, for a minute", false, 60 * 1000, 7}, {"a code, for ten seconds", true, 10 * 1000, 12}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned count = 0;
        for (int64_t waited_ms = 0; waited_ms < rows[i].wait_ms; count++)
            waited_ms += retry_look_ms(waited_ms, rows[i].urgent);
        EXPECT(count <= rows[i].most, rows[i].label);
    }
    assert_int_equal(retry_look_ms(-5000, false), 2000); /* it came early */
    assert_int_equal(retry_look_ms(0, true), 500);
    assert_int_equal(retry_look_ms(86400 * 1000, false), 20 * 1000);
}

static void last_words(void **state)
{
    struct verdict v = verdict_make(450, "4.2.0", "greylisted");
    (void)state;
    assert_string_equal(retry_expired(&v).text, "greylisted");
    v = verdict_make(554, "5.7.1", "no mail from you");
    assert_int_equal(retry_expired(&v).code, 554);
    assert_int_equal(retry_expired(&v).what, VERDICT_DEFER);
    v = verdict_make(451, RETRY_OUR_SETTINGS, "ours");
    assert_string_equal(retry_expired(&v).enhanced, "4.4.7");
    assert_string_equal(retry_expired(&v).text, "ours");
    v = (struct verdict){0};
    assert_string_equal(retry_expired(&v).enhanced, "4.4.7");
    assert_int_equal(retry_expired(&v).what, VERDICT_DEFER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(schedules), cmocka_unit_test(greylisting_is_waited_for), cmocka_unit_test(the_end),
                                       cmocka_unit_test(our_own_fault), cmocka_unit_test(no_host_costs_no_try), cmocka_unit_test(all_end), cmocka_unit_test(together),
                                       cmocka_unit_test(looks),
                                       cmocka_unit_test(last_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
