// SPDX-License-Identifier: BSD-2-Clause
/* sts_turns_test.c - A policy host that is slow holds up its own domains only, and of these nobody else's. */
#include "table.h"

#include "sts_turns.h"

enum { MOST = 24, PLACES = 400 };

static struct sts_turns turns;
static struct sts_place places[PLACES];
static size_t count;

static struct ip address(const char *text)
{
    struct ip ip;
    assert_true(ip_parse(text, &ip));
    return ip;
}

static struct sts_place *add(const char *tenant, bool urgent, const char *host)
{
    const struct ip ip = address(host);
    struct sts_place *p = &places[count++];
    *p = (struct sts_place){.tenant = tenant, .urgent = urgent, .what = p};
    sts_place_wait(&turns, p, &ip);
    return p;
}

static size_t begin_all(void)
{
    size_t begun = 0;
    struct sts_place *p;
    while ((p = sts_turns_next(&turns))) {
        assert_true(p->begun && !sts_place_waits(p));
        begun++;
    }
    return begun;
}

static void begin(void)
{
    sts_turns_init(&turns, MOST);
    count = 0;
}

static void end(void)
{
    for (size_t i = 0; i < count; i++)
        sts_place_leave(&turns, &places[i]);
    assert_null(turns.hosts);
    sts_turns_fini(&turns);
}

static void a_slow_host_leaves_turns_to_its_tenants_other_domains(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 200; i++)
        add("eve", false, "192.0.2.1");
    assert_in_range(begin_all(), 2, MOST / 3);
    add("eve", false, "192.0.2.2");
    assert_int_equal(begin_all(), 1);
    end();
}

static void at_a_slow_host_others_have_their_turns(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 200; i++)
        add("eve", false, "192.0.2.1");
    begin_all();
    static const char *const others[] = {"bob", "carl"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct sts_place *p = add(others[i], false, "192.0.2.1");
        EXPECT(begin_all() == 1 && p->begun, others[i]);
    }
    end();
}

static void who_leaves_lets_the_next_one_in(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 100; i++)
        add("eve", false, "192.0.2.1");
    size_t begun = begin_all();
    for (size_t left = 0; left < 100; left++) {
        size_t i = 0;
        while (!places[i].begun || !places[i].host)
            i++;
        sts_place_leave(&turns, &places[i]);
        begun += begin_all();
    }
    assert_int_equal(begun, 100);
    end();
}

static void a_site_is_one_host(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 100; i++) {
        char text[IP_TEXT];
        snprintf(text, sizeof(text), "2001:db8::%x", i + 1);
        add("eve", false, text);
    }
    assert_in_range(begin_all(), 2, MOST / 3);
    add("eve", false, "2001:db8:0:1::1");
    assert_int_equal(begin_all(), 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_host_leaves_turns_to_its_tenants_other_domains),
        cmocka_unit_test(at_a_slow_host_others_have_their_turns),
        cmocka_unit_test(who_leaves_lets_the_next_one_in),
        cmocka_unit_test(a_site_is_one_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
