// SPDX-License-Identifier: BSD-2-Clause
/* alignment_test.c - What is in DNS, and the verdict, the sentence and the record to publish that follow from it. */
#include "table.h"

#include "alignment.h"
#include "zone.h"

#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define KEY "v=DKIM1; k=ed25519; p=" ED
#define DKIM "sp1._domainkey.club.test TXT"
#define DKIM_GOOD {DKIM, KEY}
#define SPF_GOOD {"club.test TXT", "v=spf1 ip4:192.0.2.10 ~all"}
#define REJECT {"_dmarc.club.test TXT", "v=DMARC1; p=reject"}
#define WARN ALIGNMENT_WARN
#define FAIL ALIGNMENT_FAIL
#define UNKNOWN ALIGNMENT_UNKNOWN

static const char *const one_ip[] = {"192.0.2.10"};
static const char *const two_ips[] = {"192.0.2.10", "2001:db8::10"};

static const struct row {
    const char *label;
    struct zone_line zone[8];
    const char *author, *sender; /* club.test when they are not given; sender "-": the null sender */
    const char *const *ips;
    size_t ip_count;
    bool no_key, no_ip;
    enum alignment_state want;
    const char *says;               /* is in the sentence */
    const char *fix_name, *fix_value; /* NULL: there is none */
} rows[] = {
    {.label = "all is well", .zone = {DKIM_GOOD, SPF_GOOD, REJECT}, .want = ALIGNMENT_PASS,
     .says = "DKIM, SPF and DMARC pass for club.test"},
    {.label = "nothing is published", .zone = {{"club.test A", "192.0.2.1"}}, .want = WARN,
     .says = "sp1._domainkey.club.test is missing", .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "only a policy", .zone = {REJECT}, .want = FAIL,
     .says = "DMARC of club.test asks receivers to reject this mail: DKIM key record sp1._domainkey.club.test is "
             "missing, and SPF of club.test says none for 192.0.2.10",
     .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "a policy of quarantine refuses too", .zone = {{"_dmarc.club.test TXT", "v=DMARC1; p=quarantine"}},
     .want = FAIL, .says = "quarantine", .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "a policy of none never refuses", .zone = {{"_dmarc.club.test TXT", "v=DMARC1; p=none"}}, .want = WARN,
     .says = "fails, though its policy is none", .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "t=y steps quarantine down to none",
     .zone = {{"_dmarc.club.test TXT", "v=DMARC1; p=quarantine; t=y"}}, .want = WARN, .says = "policy is none",
     .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "DKIM alone carries DMARC", .zone = {DKIM_GOOD, REJECT}, .want = WARN,
     .says = "SPF of club.test says none for 192.0.2.10", .fix_name = "club.test",
     .fix_value = "v=spf1 ip4:192.0.2.10 ~all"},
    {.label = "SPF alone carries DMARC", .zone = {SPF_GOOD, REJECT}, .want = WARN, .says = "is missing",
     .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "SPF of an unrelated MAIL FROM does not", .sender = "bounces.test",
     .zone = {{"bounces.test TXT", "v=spf1 ip4:192.0.2.10 -all"}, REJECT}, .want = FAIL,
     .says = "SPF passes, but for bounces.test, which is not aligned", .fix_name = "sp1._domainkey.club.test",
     .fix_value = KEY},
    {.label = "SPF of a subdomain does", .sender = "bounce.club.test",
     .zone = {{"bounce.club.test TXT", "v=spf1 ip4:192.0.2.10 -all"}, DKIM_GOOD, REJECT}, .want = ALIGNMENT_PASS,
     .says = "pass"},
    {.label = "the null sender is judged by HELO", .sender = "-",
     .zone = {{"mail.club.test TXT", "v=spf1 ip4:192.0.2.10 -all"}, DKIM_GOOD, REJECT}, .want = ALIGNMENT_PASS,
     .says = "pass"},
    {.label = "HELO without SPF", .sender = "-", .zone = {DKIM_GOOD, REJECT}, .want = WARN,
     .says = "SPF of mail.club.test says none", .fix_name = "mail.club.test", .fix_value = "v=spf1 ip4:192.0.2.10 ~all"},
    {.label = "an SPF record without us: we go before all",
     .zone = {{"club.test TXT", "v=spf1 include:other.test -all"}, {"other.test TXT", "v=spf1 ip4:198.51.100.1 -all"},
              DKIM_GOOD, REJECT},
     .want = WARN, .says = "says fail", .fix_name = "club.test",
     .fix_value = "v=spf1 include:other.test ip4:192.0.2.10 -all"},
    {.label = "and before redirect=", .zone = {{"club.test TXT", "v=spf1 redirect=other.test"},
                                              {"other.test TXT", "v=spf1 -all"}, DKIM_GOOD, REJECT},
     .want = WARN, .says = "says fail", .fix_name = "club.test", .fix_value = "v=spf1 ip4:192.0.2.10 redirect=other.test"},
    {.label = "and at the end of one that ends with neither",
     .zone = {{"club.test TXT", "v=spf1 mx"}, {"club.test MX", "mx.test"}, {"mx.test A", "198.51.100.1"}, DKIM_GOOD, REJECT},
     .want = WARN, .says = "says neutral", .fix_name = "club.test", .fix_value = "v=spf1 mx ip4:192.0.2.10"},
    {.label = "an SPF record that is broken gets its reason, no fix",
     .zone = {{"club.test TXT", "v=spf1 ipv4:192.0.2.10 -all"}, DKIM_GOOD, REJECT}, .want = WARN,
     .says = "permerror for 192.0.2.10: club.test: it has a word that is neither a mechanism"},
    {.label = "two addresses, one of them allowed", .ips = two_ips, .ip_count = 2, .zone = {DKIM_GOOD, SPF_GOOD, REJECT},
     .want = WARN, .says = "softfail for 2001:db8::10", .fix_name = "club.test",
     .fix_value = "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"},
    {.label = "two addresses, one allowed, no DKIM: not certain", .ips = two_ips, .ip_count = 2,
     .zone = {SPF_GOOD, REJECT}, .want = WARN, .says = "may fail", .fix_name = "sp1._domainkey.club.test",
     .fix_value = KEY},
    {.label = "no address known: not certain", .no_ip = true, .zone = {REJECT}, .want = WARN,
     .says = "may fail: DKIM key record sp1._domainkey.club.test is missing, and SPF is not judged",
     .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "no address known, DKIM well", .no_ip = true, .zone = {DKIM_GOOD, REJECT}, .want = WARN,
     .says = "set public_ip"},
    {.label = "a revoked key", .zone = {{DKIM, "v=DKIM1; p="}, REJECT}, .want = FAIL, .says = "is revoked",
     .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "two records at the selector", .zone = {DKIM_GOOD, DKIM_GOOD, REJECT}, .want = FAIL,
     .says = "is published more than once", .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "a key in test mode", .zone = {{DKIM, "v=DKIM1; t=y; k=ed25519; p=" ED}, SPF_GOOD, REJECT}, .want = WARN,
     .says = "carries t=y", .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "no key here", .no_key = true, .zone = {REJECT}, .want = FAIL,
     .says = "has no DKIM key here ('sealpost domain add club.test')"},
    {.label = "no DMARC record", .zone = {DKIM_GOOD, SPF_GOOD}, .want = WARN, .says = "has no DMARC policy",
     .fix_name = "_dmarc.club.test", .fix_value = "v=DMARC1; p=none"},
    {.label = "a policy from above", .author = "news.club.test", .sender = "news.club.test", .zone = {REJECT},
     .want = FAIL, .says = "DMARC of news.club.test asks receivers to reject"},

    /* ---- silence is never "no record", and never refuses ---- */
    {.label = "silence for the key", .zone = {{DKIM, "FAIL"}, REJECT}, .want = UNKNOWN, .says = "could not be looked up"},
    {.label = "silence for SPF", .zone = {{"club.test TXT", "FAIL"}, REJECT}, .want = UNKNOWN, .says = "temperror",
     .fix_name = "sp1._domainkey.club.test", .fix_value = KEY},
    {.label = "silence for SPF, DKIM well", .zone = {{"club.test TXT", "FAIL"}, DKIM_GOOD, REJECT}, .want = UNKNOWN,
     .says = "temperror"},
    {.label = "silence for the policy", .zone = {{"_dmarc.club.test TXT", "FAIL"}}, .want = UNKNOWN,
     .says = "does not answer for the DMARC records of club.test"},
    {.label = "still being asked", .zone = {{"_dmarc.club.test TXT", "PENDING"}}, .want = ALIGNMENT_PENDING, .says = ""},

    /* ---- what receivers run reads otherwise ---- */
    {.label = "libspf2 knows no /0", .zone = {{"club.test TXT", "v=spf1 ip4:0.0.0.0/0 -all"}, DKIM_GOOD, REJECT},
     .want = WARN, .says = "by RFC 7208, but receivers that run libspf2 say permerror"},
    {.label = "the tree walk aligns what the suffix list parts", .author = "alpha.co.uk", .sender = "bravo.co.uk",
     .zone = {{"_dmarc.co.uk TXT", "v=DMARC1; p=reject"}, {"bravo.co.uk TXT", "v=spf1 ip4:192.0.2.10 -all"},
              {"sp1._domainkey.alpha.co.uk TXT", KEY}},
     .want = WARN, .says = "OpenDMARC (RFC 7489) say none"},
};

static void make_input(const struct row *r, const struct alignment_key *key, const struct suffixes *suffixes,
                       struct alignment_input *in)
{
    *in = (struct alignment_input){.author = r->author ? r->author : "club.test",
                                   .return_domain = r->sender ? r->sender : "club.test",
                                   .helo = "mail.club.test",
                                   .public_ips = r->ips ? r->ips : one_ip,
                                   .ip_count = r->no_ip ? 0 : r->ips ? r->ip_count : 1,
                                   .keys = key,
                                   .key_count = r->no_key ? 0 : 1,
                                   .suffixes = suffixes};
    if (strcmp(in->return_domain, "-") == 0)
        in->return_domain = "";
}

static void every_row(void **state)
{
    struct suffixes *suffixes = suffixes_new();
    const struct alignment_key key = {.selector = "sp1", .algorithm = KEY_ED25519, .public_key = ED};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        struct zone zone;
        struct alignment_input in;
        struct alignment a;
        struct alignment_detail detail;
        zone_init(&zone, r->zone);
        make_input(r, &key, suffixes, &in);
        alignment_judge(&in, &zone.dns, &a, &detail);
        if (a.state != r->want || !strstr(a.sentence, r->says))
            fail_msg("%s: %s: %s", r->label, alignment_state_name(a.state), a.sentence);
        if (strcmp(a.fix.name, r->fix_name ? r->fix_name : a.fix.name) != 0 ||
            strcmp(a.fix.value, r->fix_value ? r->fix_value : a.fix.value) != 0)
            fail_msg("%s: fix at \"%s\": %s", r->label, a.fix.name, a.fix.value);
        EXPECT((r->fix_name != NULL) == (a.fix.name[0] != '\0') || r->author, r->label);
        zone_fini(&zone);
    }
    suffixes_free(suffixes);
}

/* Whatever DNS keeps to itself, and whatever else is wrong: nothing is refused for it. */
static void silence_never_refuses(void **state)
{
    static const char *const questions[] = {DKIM, "club.test TXT", "_dmarc.club.test TXT", "_dmarc.test TXT",
                                            "other.test TXT"};
    struct suffixes *suffixes = suffixes_new();
    const struct alignment_key key = {.selector = "sp1", .algorithm = KEY_ED25519, .public_key = ED};
    (void)state;
    for (unsigned silent = 1; silent < 1U << COUNT_OF(questions); silent++) {
        struct zone_line lines[8] = {{NULL, NULL}};
        static const struct zone_line said[] = {{DKIM, "v=DKIM1; p="}, {"club.test TXT", "v=spf1 include:other.test -all"},
                                                REJECT, {"_dmarc.test TXT", "x"}, {"other.test TXT", "v=spf1 -all"}};
        struct zone zone;
        struct alignment_input in;
        struct alignment a;
        struct alignment_detail detail;
        for (size_t i = 0; i < COUNT_OF(questions); i++)
            lines[i] = silent & 1U << i ? (struct zone_line){questions[i], "FAIL"} : said[i];
        zone_init(&zone, lines);
        make_input(&rows[0], &key, suffixes, &in);
        alignment_judge(&in, &zone.dns, &a, &detail);
        bool only_above = silent == 8; /* a record above the domain's own decides nothing here */
        if (a.state != (only_above ? ALIGNMENT_FAIL : ALIGNMENT_UNKNOWN))
            fail_msg("silence %x: %s: %s", silent, alignment_state_name(a.state), a.sentence);
        zone_fini(&zone);
    }
    suffixes_free(suffixes);
}

static void modes(void **state)
{
    struct alignment a = {.state = ALIGNMENT_FAIL, .sentence = "no"};
    (void)state;
    assert_int_equal(alignment_verdict(&a, ALIGNMENT_ENFORCE).code, 550);
    assert_string_equal(alignment_verdict(&a, ALIGNMENT_ENFORCE).enhanced, "5.7.26");
    assert_int_equal(alignment_verdict(&a, ALIGNMENT_OBSERVE).what, VERDICT_ACCEPT);
    for (int state_of = ALIGNMENT_PENDING; state_of <= ALIGNMENT_UNKNOWN; state_of++) {
        a.state = (enum alignment_state)state_of;
        assert_true((alignment_verdict(&a, ALIGNMENT_ENFORCE).what == VERDICT_ACCEPT) == (state_of != ALIGNMENT_FAIL));
    }
    assert_string_equal(alignment_mode_name(ALIGNMENT_OBSERVE), "observe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row), cmocka_unit_test(silence_never_refuses),
                                       cmocka_unit_test(modes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
