// SPDX-License-Identifier: BSD-2-Clause
/* login_limit_test.c - What guessing leads to (C13): locks, delays, decay, the owner who is let in,
 * and memory that ends. */
#include "table.h"

#include "login_limit.h"

static const int64_t minute = 60 * 1000;
static const int64_t day = (int64_t)24 * 3600 * 1000;

static size_t missed(struct login_limit *g, const char *name, const char *address, int64_t now_ms)
{
    return login_limit_failed(g, span_of(name), address, now_ms).count;
}

static int64_t waits(struct login_limit *g, struct span name, const char *address, int64_t now_ms)
{
    return login_limit_judge(g, name, address, now_ms).wait_ms;
}

static void networks(void **state)
{
    static const struct {
        const char *address, *texts[LOGIN_LIMIT_KINDS];
    } rows[] = {
        {"192.0.2.77", {"192.0.2.77", "192.0.2.77", "192.0.2.0/24", "192.0.0.0/16", "192.0.2.77"}},
        {"2001:db8:1:2:3:4:5:6",
         {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32",
          "2001:db8:1:2::/64"}},
        {"unknown", {"unknown", "unknown", "unknown", "unknown", "unknown"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (unsigned kind = 0; kind < LOGIN_LIMIT_KINDS; kind++) {
            char text[LOGIN_LIMIT_TEXT];
            login_limit_network(rows[i].address, (enum login_limit_kind)kind, text);
            assert_string_equal(text, rows[i].texts[kind]);
        }
}

static void an_address_is_locked_and_let_go(void **state)
{
    struct login_limit *g = login_limit_new(1024);
    (void)state;
    for (int i = 0; i < 9; i++)
        assert_int_equal(missed(g, i % 2 ? "shop" : "club", "192.0.2.1", 1000), 0);
    assert_int_equal(waits(g, SPAN("x"), "192.0.2.1", 1000), 0);
    assert_int_equal(missed(g, "shop", "192.0.2.1", 1000), 1);
    assert_int_equal(waits(g, SPAN("x"), "192.0.2.1", 1000), 15 * minute);
    assert_int_equal(waits(g, SPAN("x"), "192.0.2.2", 1000), 0);
    assert_int_equal(waits(g, SPAN("x"), "192.0.2.1", 1000 + 15 * minute), 0);
    for (int i = 0; i < 10; i++) /* once more within a day: twice as long */
        missed(g, "club", "192.0.2.1", 20 * minute);
    assert_int_equal(waits(g, SPAN("x"), "192.0.2.1", 20 * minute), 30 * minute);
    for (int i = 0; i < 10; i++)
        missed(g, "other", "192.0.2.1", 3 * day);
    assert_int_equal(waits(g, SPAN("x"), "192.0.2.1", 3 * day), 15 * minute);
    assert_true(login_limit_unlock(g, "192.0.2.1"));
    assert_int_equal(waits(g, SPAN("x"), "192.0.2.1", 3 * day), 0);
    assert_false(login_limit_unlock(g, "192.0.2.1"));
    login_limit_free(g);
}

static void failures_are_forgotten(void **state)
{
    struct login_limit *g = login_limit_new(1024);
    (void)state;
    for (int i = 0; i < 500; i++)
        assert_int_equal(missed(g, "shop", "192.0.2.1", i * 4 * minute), 0);
    login_limit_free(g);
}

static void a_name_is_locked_from_everywhere_but_where_its_owner_was(void **state)
{
    struct login_limit *g = login_limit_new(4096);
    char address[64];
    (void)state;
    assert_true(login_limit_succeeded(g, SPAN("shop"), "198.51.100.7", 0));
    assert_false(login_limit_succeeded(g, SPAN("shop"), "198.51.100.7", 1));
    for (int i = 0; i < 20; i++) {
        snprintf(address, sizeof(address), "203.%d.113.1", i);
        missed(g, "shop", address, 5);
    }
    assert_true(waits(g, SPAN("shop"), "192.0.2.1", 5) > 0);
    assert_int_equal(waits(g, SPAN("shop"), "198.51.100.7", 5), 0);
    assert_int_equal(waits(g, SPAN("other"), "192.0.2.1", 5), 0);
    for (int i = 0; i < 50;
         i++) /* a wrong password in the owner's own program locks neither others nor its network */
        missed(g, "shop", "198.51.100.7", 5);
    assert_int_equal(waits(g, SPAN("other"), "198.51.100.8", 5), 0);
    assert_int_equal(waits(g, SPAN("other"), "198.51.100.7", 5), 0);
    assert_true(login_limit_judge(g, SPAN("shop"), "198.51.100.7", 5).owner);
    assert_int_equal(waits(g, SPAN("shop"), "198.51.100.7", 5), 6000); /* but it has a budget */
    assert_int_equal(waits(g, SPAN("shop"), "198.51.100.7", 5 + 6000), 0);
    assert_true(login_limit_unlock(g, "shop"));
    assert_int_equal(waits(g, SPAN("shop"), "192.0.2.1", 5), 0);
    for (int i = 0; i < 20; i++) {
        snprintf(address, sizeof(address), "203.%d.113.1", i);
        missed(g, "shop", address, 31 * day);
    }
    assert_true(waits(g, SPAN("shop"), "198.51.100.7", 31 * day) > 0); /* that was too long ago */
    login_limit_free(g);
}

static void at_a_known_address_others_are_locked_name_by_name(void **state)
{
    struct login_limit *g = login_limit_new(4096);
    struct login_limit_outcome o = {0};
    char name[32];
    (void)state;
    assert_false(login_limit_knows(g, "192.0.2.1", 1));
    login_limit_succeeded(g, SPAN("shop"), "192.0.2.1", 1);
    assert_true(login_limit_knows(g, "192.0.2.1", 1));
    for (int i = 0; i < 10; i++)
        o = login_limit_failed(g, SPAN("club"), "192.0.2.1", 1);
    assert_int_equal(o.count, 1);
    assert_string_equal(o.locked[0].text, "club from 192.0.2.1");
    assert_int_equal(waits(g, SPAN("club"), "192.0.2.1", 1), 15 * minute);
    assert_int_equal(waits(g, SPAN("other"), "192.0.2.1", 1), 0);
    assert_int_equal(waits(g, SPAN("shop"), "192.0.2.1", 1), 0);
    for (int i = 0; i < 90; i++) { /* a whole list of names locks the address, and not its owner */
        snprintf(name, sizeof(name), "name%d", i);
        missed(g, name, "192.0.2.1", 1);
    }
    assert_true(waits(g, SPAN("other"), "192.0.2.1", 1) > 0);
    assert_int_equal(waits(g, SPAN("shop"), "192.0.2.1", 1), 0);
    assert_true(login_limit_unlock(g, "192.0.2.1"));
    assert_int_equal(waits(g, SPAN("club"), "192.0.2.1", 1), 0);
    assert_false(login_limit_knows(g, "192.0.2.1", 31 * day));
    login_limit_free(g);
}

static void networks_are_locked(void **state)
{
    static const struct {
        const char *before, *after, *inside, *outside;
        int count;
        bool locked;
    } rows[] = {
        {"192.0.2.", "", "192.0.2.250", "192.0.3.1", 60, true},
        {"192.0.2.", "", "192.0.2.250", "192.0.3.1", 59, false},
        {"2001:db8:1:", "::1", "2001:db8:1:ffff::1", "2001:db8:2::1", 60, true},
        {"2001:db8:", "::1", "2001:db8:ffff::1", "2001:db9::1", 400, true},
    };
    (void)state;
    for (size_t r = 0; r < COUNT_OF(rows); r++) {
        struct login_limit *g = login_limit_new(8192);
        char address[64];
        char name[32];
        for (int i = 0; i < rows[r].count; i++) {
            snprintf(address, sizeof(address), "%s%d%s", rows[r].before, i, rows[r].after);
            snprintf(name, sizeof(name), "name%d", i);
            missed(g, name, address, 0);
        }
        EXPECT((waits(g, SPAN("shop"), rows[r].inside, 0) > 0) == rows[r].locked, rows[r].inside);
        EXPECT(waits(g, SPAN("shop"), rows[r].outside, 0) == 0, rows[r].outside);
        login_limit_free(g);
    }
}

static void delays_grow(void **state)
{
    static const int64_t expected[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};
    struct login_limit *g = login_limit_new(1024);
    (void)state;
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_int_equal(login_limit_failed(g, SPAN("shop"), "192.0.2.1", 0).delay_ms, expected[i]);
    login_limit_free(g);
}

static void count_row(void *context, const struct login_limit_row *row)
{
    size_t *count = context;
    assert_true(strlen(row->text) < LOGIN_LIMIT_TEXT);
    (*count)++;
}

/* A hundred thousand names from as many addresses: the table stays as large as it was, what is
 * locked stays locked, and a login is not forgotten. */
static void memory_ends(void **state)
{
    struct login_limit *g = login_limit_new(4096);
    size_t rows = 0;
    (void)state;
    assert_true(login_limit_succeeded(g, SPAN("owner"), "198.51.100.7", 0));
    for (int i = 0; i < 20; i++)
        missed(g, "victim", "198.51.100.9", 0);
    for (unsigned i = 0; i < 100000; i++) {
        char name[32];
        char address[64];
        snprintf(name, sizeof(name), "n%u", i);
        snprintf(address, sizeof(address), "2001:%x:%x::1", i >> 16, i & 0xffff);
        missed(g, name, address, 1);
    }
    login_limit_list(g, 1, count_row, &rows);
    assert_true(rows <= 4096);
    assert_true(waits(g, SPAN("victim"), "192.0.2.1", 1) > 0);
    assert_false(login_limit_succeeded(g, SPAN("owner"), "198.51.100.7", 2));
    login_limit_free(g);
}

/* What is shown as the last login is no older than that. */
static void a_login_is_written_down_once_a_minute(void **state)
{
    static const struct {
        int64_t at_ms;
        bool written;
    } rows[] = {{0, true},         {1, false},         {59 * 1000, false},
                {60 * 1000, true}, {61 * 1000, false}, {day, true}};
    struct login_limit *g = login_limit_new(1024);
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(login_limit_succeeded(g, SPAN("shop"), "198.51.100.7", rows[i].at_ms),
                         rows[i].written);
    login_limit_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),
        cmocka_unit_test(an_address_is_locked_and_let_go),
        cmocka_unit_test(failures_are_forgotten),
        cmocka_unit_test(a_name_is_locked_from_everywhere_but_where_its_owner_was),
        cmocka_unit_test(at_a_known_address_others_are_locked_name_by_name),
        cmocka_unit_test(networks_are_locked),
        cmocka_unit_test(delays_grow),
        cmocka_unit_test(memory_ends),
        cmocka_unit_test(a_login_is_written_down_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
