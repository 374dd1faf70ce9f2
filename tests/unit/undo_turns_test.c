// SPDX-License-Identifier: BSD-2-Clause
/* undo_turns_test.c - Who takes back again and again must wait; nobody waits for another. */
#include "table.h"

#include "undo_turns.h"

#include <stdio.h>

static struct undo_turns t;

static unsigned takes(const char *tenant, const char *recipient, int64_t now_ms)
{
    unsigned count = 0;
    while (count < 100 && undo_turns_may(&t, tenant, recipient, now_ms)) {
        undo_turns_count(&t, tenant, recipient, now_ms);
        count++;
    }
    return count;
}

static void a_burst_then_one_at_a_time(void **state)
{
    (void)state;
    t = (struct undo_turns){.seed = 42};
    assert_int_equal(takes("a", "bob@d.test", 1000), UNDO_BURST);
    assert_int_equal(takes("a", "bob@d.test", 1000 + UNDO_EVERY_MS - 1), 0);
    assert_int_equal(takes("a", "bob@d.test", 1000 + UNDO_EVERY_MS), 1);
    assert_int_equal(takes("a", "bob@d.test", 1000 + 9 * UNDO_EVERY_MS), UNDO_BURST);
}

static void each_for_itself(void **state)
{
    (void)state;
    t = (struct undo_turns){.seed = 42};
    assert_int_equal(takes("a", "bob@d.test", 1), UNDO_BURST);
    assert_int_equal(takes("b", "bob@d.test", 1), UNDO_BURST);
    assert_int_equal(takes("a", "ann@d.test", 1), UNDO_BURST);
    assert_int_equal(takes("ab", "ob@d.test", 1), UNDO_BURST); /* no other parts of the same text */
    assert_int_equal(takes("a", "bob@d.test", 1), 0);
}

/* One who has many links of his own cannot make others forget what this one has had. */
static void hundreds_of_others_make_nobody_begin_anew(void **state)
{
    unsigned more = 0;
    (void)state;
    t = (struct undo_turns){.seed = 42};
    for (unsigned i = 0; i < 500; i++) {
        char who[32];
        snprintf(who, sizeof(who), "r%u@d.test", i);
        assert_int_equal(takes("a", who, 1), UNDO_BURST);
    }
    for (unsigned i = 0; i < 500; i++) {
        char who[32];
        snprintf(who, sizeof(who), "r%u@d.test", i);
        more += takes("a", who, 1);
    }
    assert_int_equal(more, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_burst_then_one_at_a_time), cmocka_unit_test(each_for_itself),
                                       cmocka_unit_test(hundreds_of_others_make_nobody_begin_anew)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
