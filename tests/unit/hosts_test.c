// SPDX-License-Identifier: BSD-2-Clause
/* hosts_test.c - The order of hosts and addresses, and which addresses are special. */
#include "table.h"

#include "dns.h"
#include "hosts.h"

#include <stdlib.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;
    EXPECT(ip_parse(text, &ip), text);
    return ip;
}

/* Over many shuffles: preferences never mix, and each of the equal ones is first in turn. */
static void equal_preferences_are_shuffled(void **state)
{
    unsigned first[40] = {0};
    (void)state;
    for (uint64_t random = 0; random < 4000; random++) {
        struct hosts h = {0};
        for (unsigned i = 0; i < 40; i++) {
            char name[32];
            snprintf(name, sizeof(name), "%u", i);
            hosts_add(&h, span_of(name), i < 4 ? 10 : 20);
        }
        hosts_choose(&h, random);
        assert_int_equal(h.count, HOSTS_MAX);
        for (size_t i = 0; i < h.count; i++)
            assert_int_equal(h.all[i].preference, i < 4 ? 10 : 20);
        first[h.all[0].name[0] - '0']++;
        hosts_cut(&h, 20);
        assert_int_equal(h.count, 4);
        hosts_cut(&h, 10);
        assert_int_equal(h.count, 0);
        hosts_fini(&h);
    }
    for (size_t i = 0; i < 4; i++)
        assert_in_range(first[i], 800, 1200);
}

/* Whoever publishes more than there is room for: the best are there each time, by name, and each of the others in its turn. */
static void of_too_many_all_have_their_turn(void **state)
{
    unsigned seen[60] = {0};
    unsigned drawn[60] = {0};
    (void)state;
    for (uint64_t random = 0; random < 2000; random++) {
        struct hosts h = {0};
        for (unsigned i = 60; i-- > 0;) {
            char name[32];
            snprintf(name, sizeof(name), "%02u", i);
            hosts_add(&h, span_of(name), random % 2 ? i : 10);
        }
        hosts_choose(&h, random * 7919);
        assert_int_equal(h.count, HOSTS_MAX);
        for (size_t i = 0; i < h.count; i++) {
            uint64_t number = 60;
            assert_true(span_number(span_of(h.all[i].name), &number) && number < 60);
            seen[number]++;
            drawn[number] += h.all[i].drawn;
            assert_true(i == 0 || h.all[i].preference >= h.all[i - 1].preference);
        }
        hosts_fini(&h);
    }
    for (size_t i = 0; i < 15; i++)
        assert_true(seen[i] == 2000 && drawn[i] == 0);
    for (size_t i = 15; i < 60; i++) {
        assert_in_range(seen[i], 500, 850);
        assert_int_equal(drawn[i], seen[i]);
    }
}

static void the_families_take_turns(void **state)
{
    static const char *const four[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"};
    static const char *const six[] = {"2001:db8::1", "2001:db8::2"};
    unsigned first[5] = {0};
    unsigned six_first = 0;
    (void)state;
    for (uint64_t random = 0; random < 4000; random++) {
        struct hosts h = {0};
        hosts_add(&h, SPAN("mx"), 10);
        for (size_t i = 0; i < COUNT_OF(four); i++) {
            struct ip ip = ip_of(four[i]);
            hosts_add_ip(&h, 0, &ip);
            hosts_add_ip(&h, 0, &ip); /* twice is once */
        }
        for (size_t i = 0; i < COUNT_OF(six); i++) {
            struct ip ip = ip_of(six[i]);
            hosts_add_ip(&h, 0, &ip);
        }
        assert_int_equal(h.all[0].count, 7);
        hosts_spread(&h, random);
        const struct ip *ips = h.all[0].ips;
        unsigned seen = 0;
        for (size_t i = 0; i < 7; i++)
            for (size_t k = 0; k < 7; k++) {
                struct ip ip = ip_of(k < 5 ? four[k] : six[k - 5]);
                seen |= ip_equal(&ips[i], &ip) ? 1U << k : 0;
            }
        assert_int_equal(seen, 0x7f);
        for (size_t i = 1; i < 4; i++)
            assert_true(ips[i].v6 != ips[i - 1].v6);
        six_first += ips[0].v6;
        if (!ips[0].v6)
            first[ips[0].bytes[3] - 1]++;
        hosts_fini(&h);
    }
    assert_in_range(six_first, 1800, 2200);
    for (size_t i = 0; i < 5; i++)
        assert_in_range(first[i], 300, 500);
}

/* The kind: a share that is only likely. DNS gives another order each time, and yet each of the equal ones is first
 * equally often; none of a worse preference before one of a better. */
static void everybody_has_a_turn(void **state)
{
    static const struct {
        unsigned hosts, four, six;
    } rows[] = {{1, 4, 1}, {1, 4, 0}, {1, 0, 3}, {2, 1, 1}, {3, 2, 2}, {5, 1, 0}, {2, 4, 3}};
    (void)state;
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        unsigned hosts = rows[row].hosts, all = rows[row].four + rows[row].six;
        unsigned turns = hosts * 2 * 12; /* 12: of all numbers of addresses in a family */
        unsigned first[5][2][5] = {0};
        for (unsigned turn = 1000; turn < 1000 + turns; turn++) {
            struct hosts h = {0};
            struct hosts mine;
            hosts_add(&h, SPAN("worse"), 20);
            for (unsigned i = 0; i < hosts; i++) {
                char name[2] = {(char)('a' + (i + turn) % hosts), 0};
                hosts_add(&h, span_of(name), 10);
                for (unsigned k = 0; k < all; k++) {
                    unsigned which = (k + turn * 7) % all;
                    struct ip ip = {.v6 = which >= rows[row].four, .bytes = {[3] = (unsigned char)which}};
                    hosts_add_ip(&h, i + 1, &ip);
                }
            }
            hosts_in_turn(&h, turn, turn * 977, &mine);
            assert_int_equal(mine.count, hosts + 1);
            assert_string_equal(mine.all[hosts].name, "worse");
            assert_int_equal(mine.all[0].count, all);
            const struct ip *ip = &mine.all[0].ips[0];
            unsigned which = ip->bytes[3] - (ip->v6 ? rows[row].four : 0);
            first[mine.all[0].name[0] - 'a'][ip->v6][which]++;
            hosts_fini(&h);
            hosts_fini(&mine);
        }
        bool both = rows[row].four > 0 && rows[row].six > 0;
        for (unsigned i = 0; i < hosts; i++)
            for (unsigned k = 0; k < all; k++) {
                bool v6 = k >= rows[row].four;
                unsigned family = v6 ? rows[row].six : rows[row].four;
                assert_int_equal(first[i][v6][v6 ? k - rows[row].four : k],
                                 turns / hosts / (both ? 2 : 1) / family);
            }
    }
}

static void a_host_has_so_many_addresses(void **state)
{
    struct hosts h = {0};
    (void)state;
    hosts_add(&h, SPAN("mx"), 10);
    assert_false(hosts_have_ips(&h));
    for (unsigned char i = 0; i < 100; i++)
        hosts_add_ip(&h, 0, &(struct ip){.bytes = {192, 0, 2, i}});
    assert_int_equal(h.all[0].count, HOSTS_IPS_MAX);
    assert_true(hosts_have_ips(&h));
    hosts_fini(&h);
}

static void special_addresses(void **state)
{
    static const struct {
        const char *text, *what; /* NULL: none */
    } rows[] = {{"8.8.8.8", NULL},           {"1.1.1.1", NULL},           {"9.255.255.255", NULL},
                {"11.0.0.0", NULL},          {"100.63.255.255", NULL},    {"100.64.0.0", "NAT"},
                {"100.127.255.255", "NAT"},  {"100.128.0.0", NULL},       {"126.255.255.255", NULL},
                {"128.0.0.0", NULL},         {"169.253.0.1", NULL},       {"172.15.255.255", NULL},
                {"172.16.0.0", "private"},   {"172.31.255.255", "private"}, {"172.32.0.0", NULL},
                {"192.0.1.0", NULL},         {"192.0.2.255", "documentation"}, {"192.167.255.255", NULL},
                {"192.169.0.0", NULL},       {"198.17.255.255", NULL},    {"198.18.0.0", "benchmarks"},
                {"198.20.0.0", NULL},        {"223.255.255.255", NULL},   {"224.0.0.0", "multicast"},
                {"239.255.255.255", "multicast"}, {"240.0.0.0", "reserved"}, {"2a00:1450::1", NULL},
                {"2001:200::1", NULL},       {"2001:1ff:ffff::1", "protocol"}, {"2001::1", "protocol"},
                {"2001:db7::1", NULL},       {"2001:db9::1", NULL},       {"64:ff9b::808:808", NULL},
                {"64:ff9b::c0a8:1", "private"}, {"2002:808:808::1", NULL}, {"2002:e000:1::1", "multicast"},
                {"fbff::1", "global unicast"},           {"fc00::1", "private"},      {"fe00::1", "global unicast"},
                {"febf::1", "link-local"},   {"feff::1", "site-local"},   {"3fff:fff::1", "documentation"},
                {"3ffe::1", NULL},           {"5f00::1", "segment"},      {"4000::1", "global unicast"}, {"1fff::1", "global unicast"},
                {"2000::1", NULL},           {"3fff:1000::1", NULL},      {"64:ff9a::808:808", "global unicast"},
                {"::808:808", "compatible"}, {"::ffff:0:808:808", "translated"}, {"64:ff9b:1::808:808", "NAT64"},
                {"200::1", "global unicast"}, {"e000::1", "global unicast"}, {"fec0::1", "site-local"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ip ip = ip_of(rows[i].text);
        const char *what = ip_special(&ip);
        EXPECT((what == NULL) == (rows[i].what == NULL), rows[i].text);
        EXPECT(what == NULL || strstr(what, rows[i].what), rows[i].text);
    }
    assert_non_null(ip_special(&(struct ip){.v6 = true, .bytes = {[10] = 0xff, [11] = 0xff, 8, 8, 8, 8}}));
}

static void an_ipv4_address_inside(void **state)
{
    static const struct {
        const char *text, *inside; /* NULL: none */
    } rows[] = {{"64:ff9b::c000:20a", "192.0.2.10"},  {"64:ff9b:1::c000:20a", "192.0.2.10"}, {"2002:c000:20a::1", "192.0.2.10"},
                {"::c000:20a", "192.0.2.10"},         {"::ffff:0:c000:20a", "192.0.2.10"},   {"::1", NULL},
                {"::", NULL},                         {"2a00::c000:20a", NULL},              {"192.0.2.10", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ip ip = ip_of(rows[i].text);
        struct ip inside;
        EXPECT(ip_inside(&ip, &inside) == (rows[i].inside != NULL), rows[i].text);
        if (rows[i].inside) {
            struct ip want = ip_of(rows[i].inside);
            EXPECT(ip_equal(&inside, &want), rows[i].text);
        }
    }
}

static void networks(void **state)
{
    static const struct {
        const char *text, *in, *out; /* `in` NULL: it is none */
    } rows[] = {{"127.0.0.0/8", "127.9.9.9", "128.0.0.1"},
                {"192.0.2.128/25", "192.0.2.255", "192.0.2.127"},
                {"0.0.0.0/0", "255.1.1.1", "::1"},
                {"::/0", "fe80::1", "1.1.1.1"},
                {"::1", "::1", "::2"},
                {"10.1.2.3", "10.1.2.3", "10.1.2.2"},
                {"fd00::/9", "fd7f::1", "fd80::1"},
                {"10.0.0.1/8", NULL, NULL},
                {"10.0.0.0/33", NULL, NULL},
                {"10.0.0.0/-1", NULL, NULL},
                {"10.0.0.0/", NULL, NULL},
                {"/8", NULL, NULL},
                {"::ffff:0:0/96", NULL, NULL},
                {"fd00::/129", NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ip_network network;
        EXPECT(ip_network_parse(rows[i].text, &network) == (rows[i].in != NULL), rows[i].text);
        if (!rows[i].in)
            continue;
        struct ip in = ip_of(rows[i].in);
        struct ip out = ip_of(rows[i].out);
        EXPECT(ip_within(&in, &network) && !ip_within(&out, &network), rows[i].text);
    }
}

/* One host is one host however it is written, and counts by its best preference. */
static void each_host_is_there_once(void **state)
{
    static const struct {
        const char *name;
        unsigned preference;
    } given[] = {{"mX0.d.test", 30}, {"mx1.d.test", 10}, {"MX0.d.test.", 20},
                 {"mx0.d.test", 20}, {"Mx1.d.test", 10}, {"b.test", 20}};
    struct hosts h = {0};
    unsigned rank = 9;
    (void)state;
    hosts_unite(&h);
    for (size_t i = 0; i < COUNT_OF(given); i++)
        hosts_add(&h, span_of(given[i].name), given[i].preference);
    hosts_unite(&h);
    hosts_sort(&h, 1);
    assert_int_equal(h.count, 3);
    assert_string_equal(h.all[0].name, "mx1.d.test");
    assert_true(hosts_find_rank(&h, "MX1.d.test", &rank) && rank == 0);
    assert_true(hosts_find_rank(&h, "mx0.d.test", &rank) && rank == 1);
    assert_true(hosts_find_rank(&h, "b.test", &rank) && rank == 1);
    assert_false(hosts_find_rank(&h, "mx2.d.test", &rank));
    hosts_add(&h, SPAN("last.test"), 40);
    assert_true(hosts_find_rank(&h, "last.test", &rank) && rank == 2);
    hosts_fini(&h);
}

/* An address is one host's, not the set's. */
static void an_address_is_its_hosts(void **state)
{
    static const struct {
        const char *name, *ip;
        bool given;
    } rows[] = {{"mx0.d.test", "192.0.2.1", true},   {"MX0.d.test", "192.0.2.1", true},   {"mx0.d.test", "192.0.2.2", false},
                {"mx1.d.test", "192.0.2.2", true},   {"mx1.d.test", "2001:db8::1", true}, {"mx1.d.test", "192.0.2.1", false},
                {"mx2.d.test", "192.0.2.1", false}, {"mx3.d.test", "192.0.2.1", false}};
    struct hosts h = {0};
    const struct ip one = ip_of("192.0.2.1");
    const struct ip two = ip_of("192.0.2.2");
    const struct ip six = ip_of("2001:db8::1");
    (void)state;
    hosts_add(&h, SPAN("mx0.d.test"), 10);
    hosts_add(&h, SPAN("mx1.d.test"), 20);
    hosts_add(&h, SPAN("mx2.d.test"), 20); /* whose address is not known */
    hosts_add_ip(&h, 0, &one);
    hosts_add_ip(&h, 1, &two);
    hosts_add_ip(&h, 1, &six);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ip ip = ip_of(rows[i].ip);
        EXPECT(hosts_give(&h, rows[i].name, &ip) == rows[i].given, rows[i].name);
    }
    assert_true(hosts_name_mark("MX0.d.Test") == hosts_name_mark("mx0.d.test"));
    assert_true(hosts_name_mark("mx0.d.test") != hosts_name_mark("mx1.d.test"));
    hosts_fini(&h);
}

/* The kind: somebody's zone decides how much something takes, and nobody counts it. */
static void all_that_a_zone_says_is_counted(void **state)
{
    enum { NAME = 250, LITTLE = 150 };
    char name[NAME + 1];
    struct hosts h = {0};
    const struct ip ip = ip_of("192.0.2.1");
    (void)state;
    memset(name, 'a', NAME);
    name[NAME] = '\0';
    for (size_t i = 0; i < 2; i++) {
        size_t before = hosts_bytes(&h);
        hosts_add(&h, span_of(name), 10);
        assert_in_range(hosts_bytes(&h), before + NAME, before + NAME + LITTLE);
        before = hosts_bytes(&h);
        hosts_note_answer(&h, i, true, name);
        assert_in_range(hosts_bytes(&h), before + NAME, before + NAME + LITTLE);
        before = hosts_bytes(&h);
        hosts_add_ip(&h, i, &ip);
        assert_in_range(hosts_bytes(&h), before + sizeof(ip), before + sizeof(ip) + LITTLE);
    }
    size_t before = hosts_bytes(&h);
    hosts_note_domain(&h, true, name);
    assert_in_range(hosts_bytes(&h), before + NAME, before + NAME + LITTLE);
    hosts_fini(&h);
    struct dns_answer *a = dns_answer_new(DNS_FOUND, 60);
    before = dns_answer_bytes(a);
    dns_answer_alias(a, name);
    assert_in_range(dns_answer_bytes(a), before + NAME, before + NAME + LITTLE);
    dns_answer_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_preferences_are_shuffled), cmocka_unit_test(of_too_many_all_have_their_turn), cmocka_unit_test(the_families_take_turns),
        cmocka_unit_test(everybody_has_a_turn), cmocka_unit_test(a_host_has_so_many_addresses), cmocka_unit_test(special_addresses),
        cmocka_unit_test(an_ipv4_address_inside), cmocka_unit_test(each_host_is_there_once), cmocka_unit_test(an_address_is_its_hosts),
        cmocka_unit_test(networks), cmocka_unit_test(all_that_a_zone_says_is_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
