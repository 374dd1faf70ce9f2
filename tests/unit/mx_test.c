// SPDX-License-Identifier: BSD-2-Clause
/* mx_test.c - Which hosts take a domain's mail: what each answer of DNS makes of it. */
#include "table.h"

#include "mx.h"
#include "zone.h"

/* 10.0.0.0/8 is private, 192.0.2.1 is ours. */
static enum mx_reach reach(void *context, const struct ip *ip, const char **why_r)
{
    static const struct ip own = {.bytes = {192, 0, 2, 1}};
    (void)context;
    *why_r = ip_equal(ip, &own) ? "our address" : "a private address";
    return ip_equal(ip, &own) ? MX_REACH_SELF : !ip->v6 && ip->bytes[0] == 10 ? MX_REACH_NEVER : MX_REACH;
}

enum { LINES = 12 };

/* `hosts` as "name=address,address name=…" in the order of the table of preferences. */
static const struct row {
    const char *label;
    struct zone_line lines[LINES];
    const char *hosts, *why;
    enum mx_result want;
    unsigned wait_ms;
    bool direct, last, patient, missing;
    const char *domain; /* NULL: "d.test" */
} rows[] = {
    {.label = "one MX with one address",
     .lines = {{"d.test MX", "a.test"}, {"a.test A", "198.51.100.1"}},
     .want = MX_FOUND,
     .hosts = "a.test=198.51.100.1"},
    {.label = "the better preference first",
     .lines = {{"d.test MX", "20 b.test"}, {"d.test MX", "10 a.test"}, {"a.test A", "198.51.100.1"}, {"b.test A", "198.51.100.2"}},
     .want = MX_FOUND,
     .hosts = "a.test=198.51.100.1 b.test=198.51.100.2"},
    {.label = "no MX, but an address (implicit MX)",
     .lines = {{"d.test A", "198.51.100.1"}, {"d.test AAAA", "2001:db8::1"}},
     .want = MX_FOUND},
    {.label = "neither MX nor address", .lines = {{"d.test TXT", "x"}}, .want = MX_NO_DOMAIN},
    {.label = "no such domain", .want = MX_NO_DOMAIN},
    {.label = "a null MX", .lines = {{"d.test MX", "0 "}}, .want = MX_NULL},
    {.label = "a null MX beside another is ignored",
     .lines = {{"d.test MX", "0 "}, {"d.test MX", "a.test"}, {"a.test A", "198.51.100.1"}},
     .want = MX_FOUND,
     .hosts = "a.test=198.51.100.1"},
    {.label = "an address instead of a name",
     .lines = {{"d.test MX", "198.51.100.1"}, {"d.test A", "198.51.100.1"}},
     .want = MX_BARRED,
     .why = "its MX record holds the address 198.51.100.1 instead of a host name (RFC 5321 5.1)"},
    {.label = "no host name", .lines = {{"d.test MX", "a b"}}, .want = MX_BARRED, .why = "its MX record holds no valid host name"},
    {.label = "a name that cannot be written", .lines = {{"d.test MX", "UNREADABLE"}}, .want = MX_BARRED, .why = "its MX record holds no valid host name"},
    {.label = "the same, where the domain has an address",
     .lines = {{"d.test MX", "UNREADABLE"}, {"d.test A", "198.51.100.1"}},
     .want = MX_BARRED,
     .why = "its MX record holds no valid host name"},
    {.label = "a null MX beside it is ignored",
     .lines = {{"d.test MX", "0 "}, {"d.test MX", "UNREADABLE"}},
     .want = MX_BARRED,
     .why = "its MX record holds no valid host name"},
    {.label = "a null MX beside one that is no host name",
     .lines = {{"d.test MX", "0 "}, {"d.test MX", "a b"}},
     .want = MX_BARRED,
     .why = "its MX record holds no valid host name"},
    {.label = "a host beside it is tried",
     .lines = {{"d.test MX", "UNREADABLE"}, {"d.test MX", "a.test"}, {"a.test A", "198.51.100.1"}},
     .want = MX_FOUND,
     .hosts = "a.test=198.51.100.1"},
    {.label = "an MX without address",
     .lines = {{"d.test MX", "a.test"}, {"a.test TXT", "x"}},
     .want = MX_BARRED,
     .why = "its MX a.test has no address"},
    {.label = "we are the best by name",
     .lines = {{"d.test MX", "10 relay.test"}, {"d.test MX", "20 b.test"}, {"b.test A", "198.51.100.2"}},
     .want = MX_LOOP},
    {.label = "we are the second by name: those behind us are left out",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 Relay.test"}, {"d.test MX", "30 c.test"},
               {"a.test A", "198.51.100.1"}, {"c.test A", "198.51.100.3"}},
     .want = MX_FOUND,
     .hosts = "a.test=198.51.100.1"},
    {.label = "we are the second by address",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"d.test MX", "30 c.test"},
               {"a.test A", "198.51.100.1"}, {"b.test A", "192.0.2.1"}, {"c.test A", "198.51.100.3"}},
     .want = MX_FOUND,
     .hosts = "a.test=198.51.100.1"},
    {.label = "we are the only one by address",
     .lines = {{"d.test MX", "a.test"}, {"a.test A", "192.0.2.1"}},
     .want = MX_LOOP,
     .why = "a.test has our address: 192.0.2.1"},
    {.label = "ourselves is said before what is private",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "10.0.0.1"}, {"b.test A", "192.0.2.1"}},
     .want = MX_LOOP,
     .why = "b.test has our address: 192.0.2.1"},
    {.label = "ourselves is known, and who is worse does not answer",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "192.0.2.1"}, {"b.test A", "FAIL"}},
     .want = MX_LOOP,
     .why = "a.test has our address: 192.0.2.1"},
    {.label = "who is worse than ourselves is no reason to stop waiting for who is better",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"d.test MX", "30 c.test"},
               {"a.test A", "PENDING"}, {"b.test A", "192.0.2.1"}, {"c.test A", "198.51.100.3"}},
     .want = MX_PENDING},
    {.label = "a private address is not among them",
     .lines = {{"d.test MX", "a.test"}, {"a.test A", "10.0.0.1"}, {"a.test A", "198.51.100.1"}},
     .want = MX_FOUND,
     .hosts = "a.test=198.51.100.1"},
    {.label = "private addresses only",
     .lines = {{"d.test MX", "a.test"}, {"a.test A", "10.0.0.1"}},
     .want = MX_BARRED,
     .why = "a.test has a private address: 10.0.0.1"},
    {.label = "private, and another host does not answer: that may be better",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "10.0.0.1"}, {"b.test A", "FAIL"}},
     .want = MX_FAILED,
     .why = "its servers fail, or none is reached (dns-servfail): A of b.test"},
    {.label = "one host fails, the other one is used",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "FAIL"}, {"b.test A", "198.51.100.2"}},
     .want = MX_FOUND,
     .hosts = "a.test= b.test=198.51.100.2"},
    {.label = "the MX fails: the domain's own address is not used", .lines = {{"d.test MX", "FAIL"}, {"d.test A", "198.51.100.1"}}, .want = MX_FAILED,
     .why = "its servers fail, or none is reached (dns-servfail): MX of d.test"},
    {.label = "the MX is missing", .lines = {{"d.test MX", "PENDING"}}, .want = MX_PENDING},
    {.label = "and stays so", .lines = {{"d.test MX", "PENDING"}}, .want = MX_FAILED, .last = true,
     .why = "no answer in time (dns-timeout): MX of d.test"},
    {.label = "no address yet: all the time that there is",
     .lines = {{"d.test MX", "a.test"}, {"a.test A", "PENDING"}},
     .want = MX_PENDING},
    {.label = "the best has one: a moment for the others",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "198.51.100.1"}, {"b.test A", "PENDING"}},
     .want = MX_PENDING,
     .wait_ms = MX_OTHERS_MS},
    {.label = "nobody takes the mail there: all the time for the others",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "198.51.100.1"}, {"b.test A", "PENDING"}},
     .want = MX_PENDING, .patient = true},
    {.label = "their time is over: more may come",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "198.51.100.1"}, {"b.test A", "PENDING"}},
     .want = MX_FOUND, .last = true, .missing = true,
     .hosts = "a.test=198.51.100.1 b.test="},
    {.label = "all their time was over",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "198.51.100.1"}, {"b.test A", "PENDING"}},
     .want = MX_FOUND, .last = true, .patient = true,
     .hosts = "a.test=198.51.100.1 b.test="},
    {.label = "only a worse one has one: some time for the best",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "PENDING"}, {"b.test A", "198.51.100.2"}},
     .want = MX_PENDING,
     .wait_ms = MX_BEST_MS},
    {.label = "the best is known to have none: a moment for the others",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"d.test MX", "30 c.test"}, {"a.test TXT", "x"},
               {"b.test A", "198.51.100.2"}, {"c.test A", "PENDING"}},
     .want = MX_PENDING,
     .wait_ms = MX_OTHERS_MS},
    {.label = "time is over: what there is",
     .lines = {{"d.test MX", "10 a.test"}, {"d.test MX", "20 b.test"}, {"a.test A", "PENDING"}, {"b.test A", "198.51.100.2"}},
     .want = MX_FOUND,
     .last = true, .missing = true,
     .hosts = "a.test= b.test=198.51.100.2"},
    {.label = "time is over, and there is nothing",
     .lines = {{"d.test MX", "a.test"}, {"a.test A", "PENDING"}},
     .want = MX_FAILED,
     .last = true},
    {.label = "a smart host by name: no MX is asked for, any address is good",
     .lines = {{"d.test MX", "a.test"}, {"d.test A", "10.0.0.1"}},
     .want = MX_FOUND,
     .direct = true,
     .hosts = "d.test=10.0.0.1"},
    {.label = "a smart host by address", .want = MX_FOUND, .direct = true, .domain = "10.0.0.9", .hosts = "10.0.0.9=10.0.0.9"},
    {.label = "a smart host that does not exist", .want = MX_NO_DOMAIN, .direct = true},
};

static void print(const struct hosts *h, struct buf *out)
{
    for (size_t i = 0; i < h->count; i++) {
        buf_addf(out, "%s%s=", i > 0 ? " " : "", h->all[i].name);
        for (size_t k = 0; k < h->all[i].count; k++) {
            char text[IP_TEXT];
            ip_print(&h->all[i].ips[k], text);
            buf_addf(out, "%s%s", k > 0 ? "," : "", text);
        }
    }
}

static void evaluate(const struct row *row, uint64_t random)
{
    struct zone z;
    struct mx_answer answer;
    struct buf hosts;
    const struct mx_query query = {.domain = row->domain ? row->domain : "d.test",
                                   .hostname = "relay.test",
                                   .direct = row->direct,
                                   .last = row->last,
                                   .patient = row->patient,
                                   .random = random,
                                   .reach = reach};
    zone_init(&z, row->lines);
    mx_evaluate(&query, &z.dns, &answer);
    EXPECT(answer.result == row->want, row->label);
    EXPECT(answer.wait_ms == row->wait_ms, row->label);
    EXPECT(answer.result != MX_FOUND || answer.hosts.missing == row->missing, row->label);
    EXPECT(!row->why || strcmp(answer.why, row->why) == 0, row->label);
    EXPECT(answer.result != MX_FOUND || row->why || !answer.why[0] || row->hosts, row->label);
    buf_init(&hosts, 4096);
    print(&answer.hosts, &hosts);
    EXPECT(!row->hosts || strcmp(buf_text(&hosts), row->hosts) == 0, row->label);
    buf_fini(&hosts);
    hosts_fini(&answer.hosts);
    zone_fini(&z);
}

static void each_answer_of_dns_has_its_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (uint64_t random = 0; random < 20; random++)
            evaluate(&rows[i], random);
}

/* More MX than one lookup asks for: the relay itself is found among all of them, and that those asked for have no address is not
 * final. With an address anywhere it is found in time. */
static void of_too_many_hosts_none_is_given_up_untried(void **state)
{
    enum { HOSTS = 45 };
    char texts[HOSTS][32];
    unsigned found = 0;
    (void)state;
    for (unsigned own = 0; own < 2; own++)
        for (uint64_t random = 0; random < 200; random++) {
            struct zone_line lines[HOSTS + 2] = {{.name = NULL}};
            struct zone z;
            struct mx_answer answer;
            const struct mx_query query = {.domain = "d.test", .hostname = "relay.test", .random = random, .reach = reach};
            for (size_t i = 0; i < HOSTS; i++) {
                snprintf(texts[i], sizeof(texts[i]), "%zu %s%zu.test", i + 1, i == 44 ? "live" : "nope", i);
                if (own && i == 40)
                    snprintf(texts[i], sizeof(texts[i]), "%zu relay.test", i + 1);
                lines[i] = (struct zone_line){"d.test MX", texts[i]};
            }
            lines[HOSTS] = (struct zone_line){"live44.test A", "198.51.100.1"};
            zone_init(&z, lines);
            mx_evaluate(&query, &z.dns, &answer);
            found += answer.result == MX_FOUND;
            assert_true(answer.result == MX_UNTRIED || (answer.result == MX_FOUND && !own));
            if (answer.result == MX_UNTRIED)
                assert_non_null(strstr(answer.why, "of its 4"));
            hosts_fini(&answer.hosts);
            zone_fini(&z);
        }
    assert_in_range(found, 60, 140); /* 15 of 30 by lot */
}

/* Other spellings do not make more hosts than there are: no lot is drawn, and none is asked twice. */
static void a_host_in_many_spellings_is_one(void **state)
{
    enum { SPELLINGS = 40 };
    struct zone_line lines[SPELLINGS + 4] = {{.name = NULL}};
    char texts[SPELLINGS][32];
    struct zone z;
    struct mx_answer answer;
    const struct mx_query query = {
        .domain = "d.test", .hostname = "relay.test", .random = 7, .reach = reach};
    (void)state;
    for (unsigned i = 0; i < SPELLINGS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "10 mail.test");
        for (unsigned bit = 0; bit < 4; bit++)
            if (i >> bit & 1)
                texts[i][3 + bit] = (char)(texts[i][3 + bit] - 'a' + 'A');
        lines[i] = (struct zone_line){"d.test MX", texts[i]};
    }
    lines[SPELLINGS] = (struct zone_line){"d.test MX", "20 other.test"};
    lines[SPELLINGS + 1] = (struct zone_line){"mail.test A", "198.51.100.1"};
    lines[SPELLINGS + 2] = (struct zone_line){"other.test A", "198.51.100.2"};
    zone_init(&z, lines);
    mx_evaluate(&query, &z.dns, &answer);
    assert_int_equal(answer.result, MX_FOUND);
    assert_int_equal(answer.hosts.count, 2);
    assert_string_equal(answer.hosts.all[0].name, "mail.test");
    assert_false(answer.hosts.all[0].drawn || answer.hosts.all[1].drawn);
    hosts_fini(&answer.hosts);
    zone_fini(&z);
}

/* Thousands of records are not sorted again for each address that is found: the work has a bound. */
static void thousands_of_records_are_not_all_read(void **state)
{
    enum { RECORDS = 3300 };
    static struct zone_line lines[RECORDS + 3];
    static char texts[RECORDS][32];
    struct zone z;
    struct mx_answer answer;
    const struct mx_query query = {.domain = "d.test", .hostname = "relay.test", .random = 7, .reach = reach, .last = true};
    (void)state;
    for (unsigned i = 0; i < RECORDS; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%u h%u.test", RECORDS - i, i);
        lines[i] = (struct zone_line){"d.test MX", texts[i]};
    }
    lines[RECORDS] = (struct zone_line){"h199.test A", "198.51.100.1"}; /* the best of the first 200 */
    lines[RECORDS + 1] = (struct zone_line){"h3299.test A", "198.51.100.2"};
    zone_init(&z, lines);
    mx_evaluate(&query, &z.dns, &answer);
    assert_int_equal(answer.result, MX_FOUND);
    assert_string_equal(answer.hosts.all[0].name, "h199.test");
    for (size_t i = 0; i < answer.hosts.count; i++)
        assert_string_not_equal(answer.hosts.all[i].name, "h3299.test");
    hosts_fini(&answer.hosts);
    zone_fini(&z);
}

/* Whoever has 16 IPv4 addresses is reached by IPv6, too. */
static void families_share_what_a_host_may_have(void **state)
{
    struct zone_line lines[2 * HOSTS_IPS_MAX + 2] = {{"d.test MX", "a.test"}};
    char texts[2 * HOSTS_IPS_MAX][40];
    struct zone z;
    struct mx_answer answer;
    const struct mx_query query = {.domain = "d.test", .hostname = "relay.test", .random = 1, .reach = reach};
    size_t six = 0;
    (void)state;
    for (size_t i = 0; i < 2 * HOSTS_IPS_MAX; i++) {
        snprintf(texts[i], sizeof(texts[i]), i % 2 ? "2001:db8::%zu" : "198.51.100.%zu", i + 1);
        lines[i + 1] = (struct zone_line){i % 2 ? "a.test AAAA" : "a.test A", texts[i]};
    }
    zone_init(&z, lines);
    mx_evaluate(&query, &z.dns, &answer);
    assert_int_equal(answer.result, MX_FOUND);
    assert_int_equal(answer.hosts.all[0].count, HOSTS_IPS_MAX);
    for (size_t i = 0; i < HOSTS_IPS_MAX; i++)
        six += answer.hosts.all[0].ips[i].v6;
    assert_int_equal(six, HOSTS_IPS_MAX / 2);
    hosts_fini(&answer.hosts);
    zone_fini(&z);
}

/* What is asked while answers are missing, so that all can be looked up at once. */
static const struct dns_answer *count_ask(void *context, const char *name, enum dns_type type)
{
    static const struct dns_answer pending = {.status = DNS_PENDING};
    static struct dns_rr rrs[40];
    static char names[40][16];
    static const struct dns_answer mx = {.status = DNS_FOUND, .count = 40, .rrs = rrs};
    for (size_t i = 0; i < COUNT_OF(rrs) && type == DNS_MX; i++) {
        snprintf(names[i], sizeof(names[i]), "h%02zu.test", i);
        rrs[i] = (struct dns_rr){.preference = (unsigned)i, .data = span_of(names[i])};
    }
    size_t *count = context;
    (*count)++;
    assert_true(type == DNS_MX || name[0] == 'h');
    return type == DNS_MX ? &mx : &pending;
}

static void all_is_asked_at_once_and_never_too_much(void **state)
{
    size_t count = 0;
    struct dns dns = {count_ask, &count};
    struct mx_answer answer;
    const struct mx_query query = {.domain = "d.test", .hostname = "relay.test", .reach = reach};
    (void)state;
    mx_evaluate(&query, &dns, &answer);
    assert_int_equal(answer.result, MX_PENDING);
    assert_int_equal(count, MX_QUESTIONS_MAX);
    hosts_fini(&answer.hosts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_of_dns_has_its_result),
        cmocka_unit_test(of_too_many_hosts_none_is_given_up_untried), cmocka_unit_test(a_host_in_many_spellings_is_one),
        cmocka_unit_test(thousands_of_records_are_not_all_read),
        cmocka_unit_test(families_share_what_a_host_may_have),
        cmocka_unit_test(all_is_asked_at_once_and_never_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
