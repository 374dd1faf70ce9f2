// SPDX-License-Identifier: BSD-2-Clause
/* records_test.c - A plan of records against zones of a few lines, and as the tools that keep DNS
 * read it. */
#include "table.h"

#include "records_format.h"
#include "zone.h"

static struct records_plan plan;
static struct buf out;

static void begin(void)
{
    memset(&plan, 0, sizeof(plan));
    buf_fini(&out);
    buf_init(&out, 256 * 1024);
}

static struct records_item *add_item(enum records_role role, const char *name, enum dns_type type, const char *value)
{
    struct records_item *item = &plan.items[plan.count++];
    *item = (struct records_item){.role = role, .state = RECORDS_MISSING};
    item->record.type = type;
    snprintf(item->record.name, sizeof(item->record.name), "%s", name);
    snprintf(item->record.value, sizeof(item->record.value), "%s", value);
    snprintf(item->zone, sizeof(item->zone), "club.test");
    return item;
}

static struct records_standing *add_standing(const char *name, enum dns_type type, const char *value, bool replaced)
{
    struct records_standing *s = &plan.standing[plan.standing_count++];
    *s = (struct records_standing){.replaced = replaced};
    s->record.type = type;
    snprintf(s->record.name, sizeof(s->record.name), "%s", name);
    snprintf(s->record.value, sizeof(s->record.value), "%s", value);
    return s;
}

static bool says(const char *text)
{
    return span_search(buf_span(&out), span_of(text)) < out.len;
}

/* ---- names and strings ---- */

/* The kind: a name that is too long is cut, and a record published where nobody looks, or in
 * somebody else's zone. */
static void a_name_too_long_is_none(void **state)
{
    char domain[DNS_NAME_MAX + 1];
    struct record record;
    const struct records_key key = {.selector = "s20261127-rsa", .public_key = "abc"};
    (void)state;
    for (size_t len = 200; len <= DNS_NAME_MAX; len++) {
        char whole[2 * DNS_NAME_MAX];
        for (size_t i = 0; i < len; i++)
            domain[i] = i % 10 == 9 && i + 1 < len ? '.' : 'a';
        domain[len] = '\0';
        snprintf(whole, sizeof(whole), "s20261127-rsa._domainkey.%s", domain);
        records_dkim(domain, &key, &record);
        assert_string_equal(record.name, strlen(whole) <= DNS_NAME_MAX ? whole : "");
        snprintf(whole, sizeof(whole), "_dmarc.%s", domain);
        records_dmarc(domain, NULL, &record);
        assert_string_equal(record.name, strlen(whole) <= DNS_NAME_MAX ? whole : "");
    }
}

static void names_within_their_zone(void **state)
{
    static const struct {
        const char *name, *zone, *host;
    } rows[] = {{"club.test", "club.test", "@"},
                {"a.b.club.test", "club.test", "a.b"},
                {"myclub.test", "club.test", "myclub.test"},
                {"other.test", "club.test", "other.test"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(span_equal(records_host(rows[i].name, rows[i].zone), span_of(rows[i].host)), rows[i].name);
}

static void strings_of_a_zone_file(void **state)
{
    static char text[600], want[700];
    (void)state;
    begin();
    records_quote(SPAN("a\"b\\c;\xc3\xbc\n"), &out);
    assert_true(span_equal(buf_span(&out), SPAN("\"a\\\"b\\\\c;\\195\\188\\010\"")));
    begin();
    records_quote(SPAN(""), &out);
    assert_true(span_equal(buf_span(&out), SPAN("\"\"")));
    begin();
    memset(text, 'x', 511);
    snprintf(want, sizeof(want), "\"%.255s\" \"%.255s\" \"x\"", text, text);
    records_quote(span_of(text), &out);
    assert_true(span_equal(buf_span(&out), span_of(want)));
}

/* ---- comparing ---- */

static void the_same_by_meaning(void **state)
{
    static const struct {
        enum records_role role;
        const char *wanted, *found;
        enum records_state state;
    } rows[] = {
        {RECORDS_SPF, "v=spf1 ip4:192.0.2.1 -all", "V=SPF1  IP4:192.0.2.1 -ALL", RECORDS_OK},
        {RECORDS_SPF, "v=spf1 ip4:192.0.2.1 -all", "v=spf1 ip4:192.0.2.2 -all", RECORDS_WRONG},
        {RECORDS_SPF, "v=spf1 ip4:192.0.2.1 -all", "google-site-verification=x", RECORDS_MISSING},
        {RECORDS_SPF, "v=spf1 ip4:192.0.2.1 -all", "v=spf10 ip4:192.0.2.2 -all", RECORDS_MISSING},
        {RECORDS_DMARC, "v=DMARC1; p=none", "v=DMARC1;p=none;", RECORDS_OK},
        {RECORDS_DMARC, "v=DMARC1; p=none", "v=DMARC1; p=reject", RECORDS_WRONG},
        {RECORDS_DMARC, "v=DMARC1; p=none", "something else", RECORDS_MISSING},
        {RECORDS_TLSRPT, "v=TLSRPTv1; rua=mailto:a@club.test", "v=TLSRPTv1;rua=mailto:a@club.test", RECORDS_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dns_answer *a = dns_answer_new(DNS_FOUND, 60);
        begin();
        const struct records_item *item = add_item(rows[i].role, "club.test", DNS_TXT, rows[i].wanted);
        dns_answer_add(a, 0, span_of(rows[i].found));
        EXPECT(records_compare(item, a) == rows[i].state, rows[i].found);
        dns_answer_add(a, 0, span_of(rows[i].found)); /* one too many (RFC 7208 section 4.5) */
        EXPECT(records_compare(item, a) == (rows[i].state == RECORDS_OK ? RECORDS_WRONG : rows[i].state), rows[i].found);
        a->status = DNS_FAILED;
        EXPECT(records_compare(item, a) == RECORDS_UNKNOWN, rows[i].found);
        dns_answer_free(a);
    }
}

/* "ok", "missing", "wrong", "unknown" of the servers, then of the resolver. */
static void what_all_servers_say(void **state)
{
    static const struct {
        const char *servers, *resolver;
        enum records_state state;
    } rows[] = {{"", "o", RECORDS_OK},      {"", "m", RECORDS_MISSING},    {"oo", "o", RECORDS_OK},   {"oo", "m", RECORDS_PROPAGATING},
                {"oo", "w", RECORDS_PROPAGATING}, {"oo", "u", RECORDS_OK}, {"om", "o", RECORDS_PROPAGATING},
                {"ow", "o", RECORDS_PROPAGATING}, {"mm", "o", RECORDS_MISSING}, {"mw", "o", RECORDS_WRONG},
                {"ww", "m", RECORDS_WRONG}, {"uu", "o", RECORDS_OK},       {"uu", "m", RECORDS_MISSING}, {"uo", "o", RECORDS_OK},
                {"um", "o", RECORDS_MISSING}};
    static const char kinds[] = "omwu";
    struct dns_answer *answers[4];
    (void)state;
    begin();
    const struct records_item *item = add_item(RECORDS_SPF, "club.test", DNS_TXT, "v=spf1 -all");
    for (size_t i = 0; i < 4; i++)
        answers[i] = dns_answer_new(i == 3 ? DNS_FAILED : i == 1 ? DNS_NODATA : DNS_FOUND, 60);
    dns_answer_add(answers[0], 0, SPAN("v=spf1 -all"));
    dns_answer_add(answers[2], 0, SPAN("v=spf1 ~all"));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct dns_answer *servers[4];
        const struct dns_answer *found = NULL;
        uint32_t ttl_s = 0;
        size_t count = strlen(rows[i].servers);
        char label[40];
        for (size_t k = 0; k < count; k++)
            servers[k] = answers[strchr(kinds, rows[i].servers[k]) - kinds];
        snprintf(label, sizeof(label), "%s, %s", rows[i].servers, rows[i].resolver);
        enum records_state judged = records_judge(item, servers, count, answers[strchr(kinds, rows[i].resolver[0]) - kinds], &found, &ttl_s);
        EXPECT(judged == rows[i].state && found, label);
    }
    records_difference(item, answers[2], &out);
    assert_true(span_equal(buf_span(&out), SPAN("it lacks -all; it has ~all")));
    for (size_t i = 0; i < 4; i++)
        dns_answer_free(answers[i]);
}

/* ---- as text ---- */

static void a_zone_file_names_what_must_go(void **state)
{
    (void)state;
    begin();
    add_item(RECORDS_CAA, "club.test", DNS_CAA, "0 issue \"ca.test\"")->need = RECORDS_LATER; /* not published */
    add_item(RECORDS_SPF, "club.test", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all");
    add_item(RECORDS_RETURN_PATH, "bounce.club.test", DNS_MX, "10 mail.club.test");
    add_standing("club.test", DNS_TXT, "v=spf1 -all", true);
    add_standing("club.test", DNS_TXT, "other=1", false);
    add_standing("bounce.club.test", DNS_CNAME, "old.test", true);
    for (size_t i = 0; i < records_format_count; i++)
        if (strcmp(records_formats[i].name, "bind") == 0)
            records_format_print(&records_formats[i], &plan, 300, &out);
    assert_true(says("$ORIGIN club.test.\n"));
    assert_true(says("; take out: @ 300 IN TXT \"v=spf1 -all\"\n"));
    assert_true(says("; take out: bounce 300 IN CNAME old.test.\n"));
    assert_true(says("\n@ 300 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"));
    assert_true(says("\nbounce 300 IN MX 10 mail.club.test.\n"));
    assert_false(says("CAA") || says("other=1"));
}

/* RFC 2136 section 2.4: only when the set is still what was seen. */
static void an_update_says_what_it_saw(void **state)
{
    (void)state;
    begin();
    add_item(RECORDS_SPF, "club.test", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all");
    add_item(RECORDS_DMARC, "_dmarc.club.test", DNS_TXT, "v=DMARC1; p=none");
    add_item(RECORDS_TLSRPT, "_smtp._tls.club.test", DNS_TXT, "v=TLSRPTv1; rua=mailto:a@club.test")->state = RECORDS_OK;
    add_standing("club.test", DNS_TXT, "v=spf1 -all", true);
    add_standing("club.test", DNS_TXT, "other=1", false);
    for (size_t i = 0; i < records_format_count; i++)
        if (strcmp(records_formats[i].name, "nsupdate") == 0)
            records_format_print(&records_formats[i], &plan, 300, &out);
    assert_string_equal(buf_text(&out), "zone club.test.\n"
                                        "prereq yxrrset club.test. IN TXT \"v=spf1 -all\"\n"
                                        "prereq yxrrset club.test. IN TXT \"other=1\"\n"
                                        "update delete club.test. IN TXT \"v=spf1 -all\"\n"
                                        "update add club.test. 300 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n"
                                        "send\n"
                                        "zone club.test.\n"
                                        "prereq nxrrset _dmarc.club.test. IN TXT\n"
                                        "update add _dmarc.club.test. 300 IN TXT \"v=DMARC1; p=none\"\n"
                                        "send\n");
}

/* Every format prints every plan within its room, or nothing of it is to be trusted. */
static void every_format_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < records_format_count; i++) {
        begin();
        add_item(RECORDS_SPF, "club.test", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all");
        add_item(RECORDS_DKIM, "s1._domainkey.club.test", DNS_TXT, "v=DKIM1; k=rsa; p=\"\\`$(x)'${y}%{z}");
        add_item(RECORDS_RETURN_PATH, "bounce.club.test", DNS_MX, "10 mail.club.test");
        add_item(RECORDS_SUBMISSION, "_submission._tcp.club.test", DNS_SRV, "0 1 587 mail.club.test");
        add_item(RECORDS_HOST, "mail.club.test", DNS_AAAA, "2001:db8::1");
        add_item(RECORDS_TLSA, "_587._tcp.mail.club.test", DNS_TLSA, "3 1 1 abcd");
        records_format_print(&records_formats[i], &plan, 300, &out);
        EXPECT(out.len > 100 && !out.overflow, records_formats[i].name);
        EXPECT(says("192.0.2.1") && says("587") && says("2001:db8::1"), records_formats[i].name);
        EXPECT(span_find(buf_span(&out), '\0') == out.len, records_formats[i].name);
    }
}

/* ---- the plan ---- */

static void make_plan(const struct zone_line *lines, const struct records_input *in)
{
    struct zone z;
    zone_init(&z, lines);
    begin();
    records_plan(in, &z.dns, &plan);
    zone_fini(&z);
}

static const struct records_item *find(enum records_role role)
{
    for (size_t i = 0; i < plan.count; i++)
        if (plan.items[i].role == role && plan.items[i].need != RECORDS_LATER)
            return &plan.items[i];
    fail_msg("no %s", records_role_name(role));
    return NULL;
}

static void a_plan_follows_what_stands(void **state)
{
    static const char *const ips[] = {"192.0.2.1"};
    static const struct records_key key = {.selector = "s1", .public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
                                           .algorithm = KEY_ED25519, .use = RECORDS_KEY_NEEDED};
    static const struct zone_line empty[] = {{"test SOA", "ns.test"}, {"club.test SOA", "ns.club.test"}, {NULL, NULL}};
    static const struct zone_line whole[] = {
        {"test SOA", "ns.test"}, {"club.test SOA", "ns.club.test"}, {"club.test TXT", "v=spf1 ip4:192.0.2.1 ~all"},
        {"s1._domainkey.club.test TXT", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
        {"_dmarc.club.test TXT", "v=DMARC1; p=reject"}, {"club.test MX", "mx.other.test"}, {NULL, NULL}};
    static const struct zone_line other[] = {
        {"test SOA", "ns.test"}, {"club.test SOA", "ns.club.test"}, {"club.test TXT", "v=spf1 include:_spf.other.test -all"},
        {"_spf.other.test TXT", "v=spf1 ip4:198.51.100.0/24 -all"},
        {"s1._domainkey.club.test TXT", "v=DKIM1; k=ed25519; p=AAAA"}, {NULL, NULL}};
    static const struct zone_line mute[] = {{"club.test SOA", "FAIL"}, {"club.test TXT", "FAIL"}, {"_dmarc.club.test TXT", "FAIL"}, {NULL, NULL}};
    static const struct zone_line pending[] = {{"club.test SOA", "PENDING"}, {NULL, NULL}};
    const struct records_input in = {.domain = "club.test", .hostname = "mail.club.test", .public_ips = ips, .ip_count = 1,
                                     .keys = &key, .key_count = 1};
    (void)state;
    make_plan(empty, &in);
    assert_true(find(RECORDS_SPF)->state == RECORDS_MISSING && strstr(find(RECORDS_SPF)->record.value, "ip4:192.0.2.1"));
    assert_true(find(RECORDS_DKIM)->state == RECORDS_MISSING && find(RECORDS_DMARC)->state == RECORDS_MISSING);
    assert_string_equal(find(RECORDS_DMARC)->record.value, "v=DMARC1; p=none");
    assert_string_equal(find(RECORDS_SPF)->zone, "club.test");
    assert_false(records_plan_green(&plan));
    make_plan(whole, &in);
    assert_true(find(RECORDS_SPF)->state == RECORDS_OK && find(RECORDS_DKIM)->state == RECORDS_OK);
    assert_int_equal(find(RECORDS_DMARC)->state, RECORDS_OK); /* stricter than ours, and theirs to decide */
    make_plan(other, &in); /* merged, and the wrong key replaced */
    assert_int_equal(find(RECORDS_SPF)->state, RECORDS_WRONG);
    assert_true(strstr(find(RECORDS_SPF)->record.value, "include:_spf.other.test") && strstr(find(RECORDS_SPF)->record.value, "ip4:192.0.2.1"));
    assert_int_equal(find(RECORDS_DKIM)->state, RECORDS_WRONG);
    make_plan(mute, &in); /* what is not known is not overwritten */
    assert_true(find(RECORDS_SPF)->state == RECORDS_UNKNOWN && find(RECORDS_SPF)->blocked);
    assert_true(find(RECORDS_DMARC)->state == RECORDS_UNKNOWN && find(RECORDS_DMARC)->blocked);
    assert_true(plan.warning_count > 0);
    make_plan(pending, &in);
    assert_true(plan.pending && !records_plan_green(&plan));
}

static const struct records_item *find_later(enum records_role role)
{
    for (size_t i = 0; i < plan.count; i++)
        if (plan.items[i].role == role && plan.items[i].need == RECORDS_LATER)
            return &plan.items[i];
    return NULL;
}

/* The policy follows the MX, or what is said; its record's id the policy, and nothing else. */
static void a_policy_and_its_record_go_together(void **state)
{
    static const struct zone_line two[] = {{"test SOA", "ns.test"}, {"club.test SOA", "ns.club.test"}, {"club.test MX", "mx2.club.test"},
                                           {"club.test MX", "20 mx1.club.test"}, {NULL, NULL}};
    static const struct zone_line turned[] = {{"test SOA", "ns.test"}, {"club.test SOA", "ns.club.test"}, {"club.test MX", "mx1.club.test"},
                                              {"club.test MX", "mx2.club.test"}, {NULL, NULL}};
    static const struct zone_line null[] = {{"test SOA", "ns.test"}, {"club.test SOA", "ns.club.test"}, {"club.test MX", "0 "}, {NULL, NULL}};
    static const struct zone_line standing[] = {{"test SOA", "ns.test"}, {"club.test SOA", "ns.club.test"}, {"club.test MX", "mx1.club.test"},
                                                {"_mta-sts.club.test TXT", "v=STSv1; id=1"}, {"mta-sts.club.test A", "192.0.2.80"}, {NULL, NULL}};
    static const char *const hosts[] = {"mx9.club.test"};
    struct records_input in = {.domain = "club.test", .hostname = "mail.club.test"};
    char first[RECORD_VALUE_MAX + 1];
    (void)state;
    make_plan(two, &in);
    assert_string_equal(plan.policy, "version: STSv1\r\nmode: testing\r\nmx: mx1.club.test\r\nmx: mx2.club.test\r\nmax_age: 1209600\r\n");
    assert_true(find_later(RECORDS_MTA_STS)->state == RECORDS_MISSING && strstr(find_later(RECORDS_MTA_STS)->record.value, plan.policy_id));
    assert_null(find_later(RECORDS_POLICY_HOST));
    memcpy(first, find_later(RECORDS_MTA_STS)->record.value, sizeof(first));
    make_plan(turned, &in);
    assert_string_equal(find_later(RECORDS_MTA_STS)->record.value, first);
    make_plan(null, &in);
    assert_true(!plan.policy[0] && !find_later(RECORDS_MTA_STS));
    make_plan(standing, &in); /* somebody else's */
    assert_true(find_later(RECORDS_MTA_STS)->state == RECORDS_OK && find_later(RECORDS_POLICY_HOST)->state == RECORDS_OK);
    in.policy = (struct records_policy){.said = true, .mode = MTA_STS_MODE_ENFORCE, .mx = hosts, .mx_count = 1, .served_at = "u.club.test"};
    make_plan(standing, &in);
    assert_true(find_later(RECORDS_MTA_STS)->state == RECORDS_WRONG && find_later(RECORDS_POLICY_HOST)->record.type == DNS_A);
    assert_true(plan.warning_count > 0 && strstr(plan.warnings[plan.warning_count - 1], "does not name the MX host mx1.club.test"));
    make_plan(null, &in); /* what is said needs no MX, as it needs no DNS */
    assert_true(strstr(plan.policy, "mode: enforce\r\nmx: mx9.club.test\r\n") != NULL);
    assert_string_equal(find_later(RECORDS_POLICY_HOST)->record.value, "u.club.test");
}

/* A record that begins well and is of no use to senders is not taken for the owner's choice. */
static void what_is_published_and_of_no_use_is_wrong(void **state)
{
    static const struct {
        enum records_role role;
        const char *label, *name, *first, *second; /* second: NULL, or another record */
        enum records_state want;
    } rows[] = {
        {RECORDS_TLSRPT, "good", "_smtp._tls.club.test TXT", "v=TLSRPTv1; rua=https://r.test/x", NULL, RECORDS_OK},
        {RECORDS_TLSRPT, "one good place", "_smtp._tls.club.test TXT", "v=TLSRPTv1; rua=ftp://r.test,mailto:a@r.test", NULL, RECORDS_OK},
        {RECORDS_TLSRPT, "an unknown scheme", "_smtp._tls.club.test TXT", "v=TLSRPTv1; rua=ftp://r.test/x", NULL, RECORDS_WRONG},
        {RECORDS_TLSRPT, "no place", "_smtp._tls.club.test TXT", "v=TLSRPTv1;", NULL, RECORDS_WRONG},
        {RECORDS_TLSRPT, "two", "_smtp._tls.club.test TXT", "v=TLSRPTv1; rua=mailto:a@r.test", "v=TLSRPTv1; rua=mailto:b@r.test", RECORDS_WRONG},
        {RECORDS_TLSRPT, "no version", "_smtp._tls.club.test TXT", "rua=mailto:a@r.test", NULL, RECORDS_MISSING},
        {RECORDS_MTA_STS, "good", "_mta-sts.club.test TXT", "v=STSv1; id=1;", NULL, RECORDS_OK},
        {RECORDS_MTA_STS, "a bad id", "_mta-sts.club.test TXT", "v=STSv1; id=2026-01-01", NULL, RECORDS_WRONG},
        {RECORDS_MTA_STS, "no id", "_mta-sts.club.test TXT", "v=STSv1;", NULL, RECORDS_WRONG},
        {RECORDS_MTA_STS, "two", "_mta-sts.club.test TXT", "v=STSv1; id=1", "v=STSv1; id=2", RECORDS_WRONG},
        {RECORDS_MTA_STS, "no version", "_mta-sts.club.test TXT", "id=1", NULL, RECORDS_MISSING}};
    struct records_input in = {.domain = "club.test", .hostname = "mail.club.test"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct zone_line zone[] = {{"test SOA", "ns.test"},       {"club.test SOA", "ns.club.test"}, {"club.test MX", "mx1.club.test"},
                                         {rows[i].name, rows[i].first}, {rows[i].second ? rows[i].name : NULL, rows[i].second}, {NULL, NULL}};
        make_plan(zone, &in);
        const struct records_item *item = find_later(rows[i].role);
        EXPECT(item && item->state == rows[i].want, rows[i].label);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_too_long_is_none),
        cmocka_unit_test(names_within_their_zone),
        cmocka_unit_test(strings_of_a_zone_file),
        cmocka_unit_test(the_same_by_meaning),
        cmocka_unit_test(what_all_servers_say),
        cmocka_unit_test(a_zone_file_names_what_must_go),
        cmocka_unit_test(an_update_says_what_it_saw),
        cmocka_unit_test(every_format_prints),
        cmocka_unit_test(a_plan_follows_what_stands),
        cmocka_unit_test(what_is_published_and_of_no_use_is_wrong),
        cmocka_unit_test(a_policy_and_its_record_go_together),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    buf_fini(&out);
    return result;
}
