// SPDX-License-Identifier: BSD-2-Clause
/* login_queue_test.c - Whose password is checked next, however many wait. */
#include "table.h"

#include "login_queue.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 600 };
static struct login_queue_entry entries[MANY];
static struct login_queue_entry bob, one;

static bool enter(struct login_queue *q, struct login_queue_entry *e, const char *address, const char *name, bool owner)
{
    struct login_queue_entry *displaced = NULL;
    bool runs = login_queue_enter(q, e, address, span_of(name), owner, &displaced);
    assert_null(displaced);
    return runs;
}

/* After how many others does it run? All end then. */
static unsigned place_of(struct login_queue *q, const struct login_queue_entry *e)
{
    unsigned before = 0;
    unsigned found = MANY;
    struct login_queue_entry *next;
    while ((next = login_queue_leave(q))) {
        if (next == e)
            found = before;
        before++;
    }
    return found;
}

static void few_run_at_a_time(void **state)
{
    struct login_queue *q = login_queue_new(2);
    (void)state;
    assert_true(enter(q, &entries[0], "192.0.2.1", "a", false));
    assert_true(enter(q, &entries[1], "192.0.2.1", "a", false));
    assert_false(enter(q, &entries[2], "192.0.2.1", "a", false));
    assert_ptr_equal(login_queue_leave(q), &entries[2]);
    assert_null(login_queue_leave(q));
    assert_true(enter(q, &entries[3], "192.0.2.1", "a", false));
    assert_null(login_queue_leave(q));
    assert_null(login_queue_leave(q));
    login_queue_free(q);
}

/* Guesses from one address at many names, from many at one name, and at a name of bob's own: bob comes
 * soon; who has logged in there before comes before all of them. */
static void nobody_is_held_up_by_those_with_many(void **state)
{
    static const struct {
        const char *label;
        bool many_addresses, many_names, owner;
        const char *name;
        unsigned before;
    } rows[] = {
        {"one address, one name", false, false, false, "bob", 1},
        {"one address, many names", false, true, false, "bob", 1},
        {"many addresses, one name", true, false, false, "bob", 1},
        {"at bob's own name, and he has been here", true, false, true, "guessed", 0},
        {"from everywhere at everything, and he has been here", true, true, true, "bob", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct login_queue *q = login_queue_new(1);
        assert_true(enter(q, &one, "198.51.100.1", "one", false));
        for (unsigned n = 0; n < 200; n++) {
            char address[32];
            char name[32];
            snprintf(address, sizeof(address), "192.0.2.%u", rows[i].many_addresses ? n : 1);
            snprintf(name, sizeof(name), "guessed%.*u", rows[i].many_names ? 3 : 0, rows[i].many_names ? n : 0);
            assert_false(enter(q, &entries[n], address, name, false));
        }
        assert_false(enter(q, &bob, "203.0.113.1", rows[i].name, rows[i].owner));
        EXPECT(place_of(q, &bob) <= rows[i].before, rows[i].label);
        login_queue_free(q);
    }
}

static void owners_leave_every_fourth_turn_to_others(void **state)
{
    struct login_queue *q = login_queue_new(1);
    (void)state;
    assert_true(enter(q, &one, "198.51.100.1", "one", false));
    for (unsigned n = 0; n < 100; n++)
        assert_false(enter(q, &entries[n], "192.0.2.1", "owner", true));
    assert_false(enter(q, &bob, "203.0.113.1", "bob", false));
    assert_true(place_of(q, &bob) <= 3);
    login_queue_free(q);
}

static void who_has_most_is_displaced(void **state)
{
    struct login_queue *q = login_queue_new(1);
    struct login_queue_entry *displaced = NULL;
    (void)state;
    assert_true(enter(q, &one, "198.51.100.1", "one", false));
    for (unsigned n = 0; n < 256; n++)
        assert_false(enter(q, &entries[n], "192.0.2.1", "guessed", false));
    assert_false(login_queue_enter(q, &entries[256], "192.0.2.1", SPAN("guessed"), false, &displaced));
    assert_ptr_equal(displaced, &entries[256]);
    assert_false(login_queue_enter(q, &bob, "203.0.113.1", SPAN("bob"), false, &displaced));
    assert_ptr_equal(displaced, &entries[255]);
    assert_false(login_queue_give_up(q, &entries[255]));
    assert_true(login_queue_give_up(q, &entries[0]));
    assert_false(login_queue_give_up(q, &entries[0]));
    assert_true(place_of(q, &bob) <= 1);
    login_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_run_at_a_time),
        cmocka_unit_test(nobody_is_held_up_by_those_with_many),
        cmocka_unit_test(owners_leave_every_fourth_turn_to_others),
        cmocka_unit_test(who_has_most_is_displaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
