// SPDX-License-Identifier: BSD-2-Clause
/* merge_test.c - Of records that stand and what we need one is made: whoever may send still may, nobody else comes in
 * but us, and of what was made nothing more is to be made. */
#include "table.h"

#include "dmarc_merge.h"
#include "spf_merge.h"
#include "zone.h"

static const char *const ours[] = {"192.0.2.10", "2001:db8::10"};
static const char *const probes[] = {"192.0.2.10", "2001:db8::10", "192.0.2.11", "198.51.100.7", "198.51.100.8", "203.0.113.1", "2001:db8::11"};

static enum spf_result ask(const struct zone_line *lines, const char *ip)
{
    struct zone z;
    struct spf_answer a;
    struct spf_query q = {.sender = SPAN("x@club.test"), .helo = SPAN("mail.club.test")};
    zone_init(&z, lines);
    CHECK(ip_parse(ip, &q.ip));
    spf_check(&q, &z.dns, &a);
    zone_fini(&z);
    return a.result;
}

static void spf(void **state)
{
    static const struct {
        const char *first, *second; /* what stands there; NULL: nothing */
        bool possible;
    } rows[] = {
        {NULL, NULL, true},
        {"v=spf1 -all", NULL, true},
        {"v=spf1", NULL, true},
        {"V=SPF1 ?all", NULL, true},
        {"v=spf1 ip4:198.51.100.0/29 ~all", NULL, true},
        {"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all", NULL, true},
        {"v=spf1 ip4:192.0.2.0/24 -all", NULL, true},
        {"v=spf1 -ip4:192.0.2.0/24 ip4:198.51.100.7 -all", NULL, true},
        {"v=spf1 include:other.test -all", NULL, true},
        {"v=spf1 ip4:198.51.100.7 redirect=other.test", NULL, true},
        {"v=spf1 a mx -all exp=why.test", NULL, true},
        {"v=spf1 ip4:198.51.100.7 -all", "v=spf1 ip4:203.0.113.1 ~all", true},
        {"some text", "v=spf1 +ip4:198.51.100.7 -all", true},
        {"v=spf1 ip4:198.51.100 -all", NULL, false},
        {"v=spf1 ipv4:198.51.100.7 -all", NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *label = rows[i].first ? rows[i].first : "none";
        const struct zone_line before[] = {{"other.test TXT", "v=spf1 ip4:198.51.100.8 -all"}, {"club.test A", "203.0.113.1"},
                                           {rows[i].first ? "club.test TXT" : NULL, rows[i].first},
                                           {rows[i].second ? "club.test TXT" : NULL, rows[i].second}, {NULL, NULL}};
        struct zone z;
        struct spf_merge merge;
        struct spf_merge again;
        zone_init(&z, before);
        spf_merge("club.test", ours, COUNT_OF(ours), NULL, &z.dns, &merge);
        zone_fini(&z);
        EXPECT((merge.state != SPF_MERGE_IMPOSSIBLE) == rows[i].possible, label);
        if (!rows[i].possible) {
            EXPECT(merge.note[0] && !merge.text[0], label);
            continue;
        }
        const struct zone_line after[] = {before[0], before[1], {"club.test TXT", merge.text}, {NULL, NULL}};
        for (size_t k = 0; k < COUNT_OF(probes); k++) {
            enum spf_result was = rows[i].second && spf_record_claims(span_of(rows[i].first)) ? SPF_PERMERROR : ask(before, probes[k]);
            enum spf_result is = ask(after, probes[k]);
            EXPECT(k >= 2 || is == SPF_PASS, label);
            EXPECT(k < 2 || was == SPF_PERMERROR || was == SPF_NONE || is == was, label);
        }
        zone_init(&z, after);
        spf_merge("club.test", ours, COUNT_OF(ours), NULL, &z.dns, &again);
        zone_fini(&z);
        EXPECT(again.state == SPF_MERGE_SAME && strcmp(again.text, merge.text) == 0, label);
    }
}

/* None to reject in a few steps, each a record, each one keeping where reports go. */
static void dmarc_steps(void **state)
{
    static const char *const starts[] = {"v=DMARC1; p=none; rua=mailto:d@club.test", "v=DMARC1;p=quarantine;pct=10;rua=mailto:d@club.test",
                                         "v=DMARC1; p=none; sp=none; adkim=s; rua=mailto:d@club.test; x=y", "v=DMARC1; p=reject; t=y; rua=mailto:d@club.test"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        char now[DMARC_MERGE_TEXT_MAX + 1];
        unsigned steps = 0;
        struct buf next;
        snprintf(now, sizeof(now), "%s", starts[i]);
        buf_init(&next, DMARC_MERGE_TEXT_MAX);
        while (dmarc_next_step(span_of(now), &next)) {
            EXPECT(++steps < 8 && strcmp(now, buf_text(&next)) != 0, now);
            snprintf(now, sizeof(now), "%s", buf_text(&next));
            EXPECT(strstr(now, "rua=mailto:d@club.test") && strncmp(now, "v=DMARC1", 8) == 0 && !strstr(now, "pct="), now);
            EXPECT(!strstr(starts[i], "adkim=s") || strstr(now, "adkim=s"), now);
            buf_clear(&next);
        }
        EXPECT(strstr(now, "p=reject") && !strstr(now, "t=y"), now);
        buf_fini(&next);
    }
}

static void dmarc(void **state)
{
    static const char *const there[] = {NULL, "v=DMARC1; p=none", "v=DMARC1; p=reject; rua=mailto:d@club.test", "v=DMARC1; p=quarantine; sp=reject"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(there); i++) {
        const struct zone_line before[] = {{"club.test A", "203.0.113.1"}, {there[i] ? "_dmarc.club.test TXT" : NULL, there[i]}, {NULL, NULL}};
        struct zone z;
        struct dmarc_merge merge;
        struct dmarc_merge again;
        zone_init(&z, before);
        dmarc_merge("club.test", "r@club.test", &z.dns, &merge);
        zone_fini(&z);
        EXPECT(there[i] ? merge.state == DMARC_MERGE_SAME || merge.state == DMARC_MERGE_CHANGED : merge.state == DMARC_MERGE_NEW, merge.text);
        const char *policy = there[i] ? strstr(there[i], "p=") : "p=none";
        char word[20];
        snprintf(word, sizeof(word), "%.*s", (int)strcspn(policy, ";"), policy);
        EXPECT(strstr(merge.text, word), merge.text); /* what it asks of receivers is its owner's to change */
        const struct zone_line after[] = {{"club.test A", "203.0.113.1"}, {"_dmarc.club.test TXT", merge.text}, {NULL, NULL}};
        zone_init(&z, after);
        dmarc_merge("club.test", "r@club.test", &z.dns, &again);
        zone_fini(&z);
        EXPECT(again.state == DMARC_MERGE_SAME && strcmp(again.text, merge.text) == 0, merge.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(spf), cmocka_unit_test(dmarc_steps), cmocka_unit_test(dmarc)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
