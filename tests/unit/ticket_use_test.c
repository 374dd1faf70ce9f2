// SPDX-License-Identifier: BSD-2-Clause
/* ticket_use_test.c - Who is given a TLS session ticket, by who came back with one. */
#include "table.h"

#include "ticket_use.h"

#include <stdio.h>

static struct ticket_use use;

/* How many of so many whole handshakes are given one. */
static unsigned given(const char *address, unsigned handshakes)
{
    unsigned tickets = 0;
    for (unsigned i = 0; i < handshakes; i++)
        tickets += ticket_use_next(&use, address, false);
    return tickets;
}

static void who_never_resumes_is_given_few(void **state)
{
    (void)state;
    use = (struct ticket_use){0};
    assert_int_equal(given("192.0.2.1", TICKET_USE_FIRST), TICKET_USE_FIRST);
    assert_int_equal(given("192.0.2.1", 100 * TICKET_USE_EACH), 100);
}

static void who_resumes_is_always_given_one(void **state)
{
    (void)state;
    use = (struct ticket_use){0};
    given("192.0.2.1", 1000);
    for (unsigned i = 0; i < 100; i++)
        assert_true(ticket_use_next(&use, "192.0.2.1", true));
    assert_int_equal(given("192.0.2.1", TICKET_USE_FIRST), TICKET_USE_FIRST);
}

static void one_address_is_not_held_against_another(void **state)
{
    (void)state;
    use = (struct ticket_use){0};
    given("192.0.2.1", 1000);
    assert_int_equal(given("2001:db8::1", TICKET_USE_FIRST), TICKET_USE_FIRST);
}

/* More addresses than places: whoever comes is given one, and none is mixed up with another. */
static void many_addresses_have_their_turns(void **state)
{
    char address[TICKET_USE_ADDRESS];
    (void)state;
    use = (struct ticket_use){0};
    for (unsigned i = 0; i < 4 * TICKET_USE_PLACES; i++) {
        snprintf(address, sizeof(address), "2001:db8::%x", i);
        assert_int_equal(given(address, TICKET_USE_FIRST), TICKET_USE_FIRST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_never_resumes_is_given_few),
        cmocka_unit_test(who_resumes_is_always_given_one),
        cmocka_unit_test(one_address_is_not_held_against_another),
        cmocka_unit_test(many_addresses_have_their_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
