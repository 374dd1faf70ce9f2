// SPDX-License-Identifier: BSD-2-Clause
/* rotation_test.c - What is due in a key's life, and what a look at DNS changes. */
#include "table.h"

#include "rotation.h"

static const struct rotation_settings settings = {.every_ms = 1000000, .lifetime_ms = 50000};

static const struct row {
    const char *label;
    struct rotation_key keys[3];
    size_t count;
    int64_t now_ms;
    enum rotation_step want;
    size_t which;
} rows[] = {
    {.label = "nothing for a young key", .keys = {{.state = KEY_ACTIVE, .since_ms = 1}}, .count = 1, .now_ms = 1000,
     .want = ROTATION_NOTHING},
    {.label = "an old one gets a successor", .keys = {{.state = KEY_ACTIVE, .since_ms = 1}}, .count = 1, .now_ms = 1000001,
     .want = ROTATION_MAKE},
    {.label = "but one", .keys = {{.state = KEY_ACTIVE, .since_ms = 1}, {.state = KEY_PENDING}}, .count = 2,
     .now_ms = 1000001, .want = ROTATION_LOOK, .which = 1},
    {.label = "of its own kind", .keys = {{.state = KEY_ACTIVE, .since_ms = 1},
                                          {.state = KEY_PENDING, .algorithm = KEY_ED25519}},
     .count = 2, .now_ms = 1000001, .want = ROTATION_MAKE},
    {.label = "seen, and to wait", .keys = {{.state = KEY_PENDING, .seen_ms = 1000, .wait_s = 60}}, .count = 1,
     .now_ms = 60999, .want = ROTATION_LOOK},
    {.label = "seen for long enough", .keys = {{.state = KEY_PENDING, .seen_ms = 1000, .wait_s = 60}}, .count = 1,
     .now_ms = 61000, .want = ROTATION_SWITCH},
    {.label = "what it signed still holds", .keys = {{.state = KEY_RETIRING, .since_ms = 1000}}, .count = 1,
     .now_ms = 50999, .want = ROTATION_NOTHING},
    {.label = "and holds no more", .keys = {{.state = KEY_RETIRING, .since_ms = 1000}}, .count = 1, .now_ms = 51000,
     .want = ROTATION_RETIRE},
    {.label = "looking does not keep others waiting",
     .keys = {{.state = KEY_PENDING}, {.state = KEY_RETIRING, .since_ms = 1}}, .count = 2, .now_ms = 100000,
     .want = ROTATION_RETIRE, .which = 1},
    {.label = "the dead rest", .keys = {{.state = KEY_RETIRED}, {.state = KEY_REVOKED}}, .count = 2, .now_ms = 1LL << 50,
     .want = ROTATION_NOTHING},
    {.label = "a delegated one is published by us", .keys = {{.state = KEY_ACTIVE, .since_ms = 1, .delegated = true}},
     .count = 1, .now_ms = 1000, .want = ROTATION_LOOK},
    {.label = "once", .keys = {{.state = KEY_ACTIVE, .since_ms = 1, .delegated = true, .seen_ms = 5}}, .count = 1,
     .now_ms = 1000, .want = ROTATION_NOTHING},
};

static void steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t which = 0;
        enum rotation_step step = rotation_due(rows[i].keys, rows[i].count, &settings, rows[i].now_ms, &which);
        EXPECT(step == rows[i].want && which == rows[i].which, rows[i].label);
    }
}

/* The wait is as long as any answer may be remembered, also the one that said it is not there; a key that goes away
 * begins anew, and so does one that was seen in the future (the clock has been set). */
static void looks(void **state)
{
    (void)state;
    struct rotation_key k = {.state = KEY_PENDING};
    assert_true(rotation_looked(&k, false, 300, 1000));
    assert_true(k.seen_ms == 0 && k.wait_s == 300);
    assert_false(rotation_looked(&k, false, 20, 2000));
    assert_true(rotation_looked(&k, true, 20, 3000));
    assert_true(k.seen_ms == 3000 && k.wait_s == 300);
    assert_false(rotation_looked(&k, true, 20, 9000));
    assert_true(rotation_looked(&k, false, 20, 10000));
    assert_true(k.seen_ms == 0);
    assert_true(rotation_looked(&k, true, 20, 11000) && k.seen_ms == 11000);
    assert_true(rotation_looked(&k, true, 20, 5000) && k.seen_ms == 5000);
}

static void selectors(void **state)
{
    char selector[64];
    struct rotation_key keys[2] = {{.selector = "sp20261123", .state = KEY_RETIRED}, {.selector = "sp1"}};
    (void)state;
    assert_true(rotation_selector(keys, 0, KEY_RSA, false, 1795392000000, selector));
    assert_string_equal(selector, "sp20261123");
    assert_true(rotation_selector(keys, 1, KEY_RSA, false, 1795392000000, selector));
    assert_string_equal(selector, "sp20261123-2"); /* never one that was used before */
    assert_true(rotation_selector(keys, 1, KEY_ED25519, false, 1795392000000, selector));
    assert_string_equal(selector, "sp20261123e");
    assert_true(rotation_selector(keys, 2, KEY_RSA, true, 0, selector));
    assert_string_equal(selector, "sp2");
    struct rotation_key both[2] = {{.selector = "sp1", .state = KEY_RETIRING}, {.selector = "sp2", .state = KEY_ACTIVE}};
    assert_false(rotation_selector(both, 2, KEY_RSA, true, 0, selector));
    both[0].state = KEY_RETIRED;
    assert_true(rotation_selector(both, 2, KEY_RSA, true, 0, selector));
    assert_string_equal(selector, "sp1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(looks), cmocka_unit_test(selectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
