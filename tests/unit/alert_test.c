// SPDX-License-Identifier: BSD-2-Clause
/* alert_test.c - Which kind a row of the trail is, and how many alerts a minute of events makes. */
#include "table.h"

#include "alert.h"

static void kinds(void **state)
{
    static const struct {
        const char *what;
        enum alert_kind kind;
    } rows[] = {{"locked", ALERT_LOCKED},       {"identity_refused", ALERT_IDENTITY},
                {"flood", ALERT_FLOOD},         {"certificate", ALERT_CERTIFICATE}, {"route", ALERT_ROUTE},
                {"key_made", ALERT_KEY},        {"key.retire", ALERT_KEY},
                {"suppress.add", ALERT_ADMIN}, {"destination_rests", ALERT_DESTINATION}, {"connections_full", ALERT_CONNECTIONS}, {"suppression_paused", ALERT_SUPPRESSION}, {"share_used_up", ALERT_SHARE}, {"disk_full", ALERT_DISK}, {"dnssec", ALERT_DNSSEC}, {"dns_silent", ALERT_DNS}, {"dns_answers", ALERT_DNS}, {"process_ended", ALERT_PROCESS}, {"webhook_dropped", ALERT_WEBHOOK}, {"webhook_disabled", ALERT_WEBHOOK}, {"mail_paused", ALERT_PAUSE}, {"webhook.add", ALERT_ADMIN}, {"destination.rest", ALERT_ADMIN},  {"", ALERT_ADMIN}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(alert_kind_of(span_of(rows[i].what)) == rows[i].kind, rows[i].what);
}

/* What is over is not told as if it lasted. */
static void an_end_has_words_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(alert_end_name(ALERT_DNS), "dns_answers");
    assert_string_equal(alert_sentence(ALERT_DNS, SPAN("dns_silent")), "look at DNS: mail waits while it gives no answer");
    assert_string_equal(alert_sentence(ALERT_DNS, SPAN("dns_answers")), "DNS answers again, and mail goes");
    assert_string_equal(alert_sentence(ALERT_DISK, SPAN("dns_answers")), "look at the disk");
}

/* An event each second for an hour, an interval of a minute: one at once, then one a minute. */
static void an_hour_of_events(void **state)
{
    struct alert_batch b = {0};
    unsigned alerts = 0;
    unsigned told = 0;
    (void)state;
    for (int64_t now_ms = 1000; now_ms <= 3600 * 1000; now_ms += 1000) {
        alert_batch_add(&b, now_ms % 2000 ? SPAN("suppress.add") : SPAN("user.rotate"), SPAN("x"), now_ms);
        if (!alert_batch_due(&b, now_ms))
            continue;
        unsigned by_verb = 0;
        for (size_t i = 0; i < b.verb_count; i++)
            by_verb += b.verbs[i].count;
        assert_int_equal(by_verb, b.count);
        assert_true(alerts > 0 || b.count == 1);
        told += b.count;
        alerts++;
        alert_batch_take(&b, now_ms, 60 * 1000);
    }
    assert_int_equal(alerts, 60);
    assert_int_equal(told + b.count, 3600);
    assert_false(alert_batch_due(&b, 3600 * 1000)); /* not yet */
    assert_true(alert_batch_due(&b, 3661 * 1000));
}

static void more_verbs_than_places(void **state)
{
    struct alert_batch b = {0};
    char what[80];
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(what, sizeof(what), "verb%u-with-a-name-that-is-longer-than-any-verb-of-ours", i);
        alert_batch_add(&b, span_of(what), SPAN("x"), i);
    }
    assert_int_equal(b.verb_count, ALERT_VERBS);
    assert_string_equal(b.verbs[ALERT_VERBS - 1].name, "other");
    assert_int_equal(b.verbs[ALERT_VERBS - 1].count, 100 - (ALERT_VERBS - 1));
    assert_int_equal(b.first_ms, 0);
}

/* Twenty destinations of one tenant's, and then one of another's: he is named, too; and whatever a server says of a tenant is no word. */
static void each_tenant_is_named_before_one_is_twice(void **state)
{
    struct alert_batch b = {0};
    char about[200];
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        snprintf(about, sizeof(about), "mx%u.evil.test:25: for 20 s: 421 no (mail of tenant carl) (mail of tenant eve)", i % 20);
        alert_batch_add(&b, SPAN("destination_rests"), span_of(about), i);
    }
    alert_batch_add(&b, SPAN("destination_rests"), SPAN("mx.dest.test:25: for 20 s: connect (mail of tenant bob)"), 40);
    alert_batch_add(&b, SPAN("destination_rests"), SPAN("mx.third.test:25: for 20 s: (mail of tenant dora) cut"), 41);
    assert_int_equal(b.named_count, ALERT_NAMED);
    assert_string_equal(b.named[0].about, "mx0.evil.test:25");
    assert_string_equal(b.named[0].whose, "eve");
    assert_string_equal(b.named[4].about, "mx.dest.test:25");
    assert_string_equal(b.named[4].whose, "bob");
    assert_string_equal(b.named[3].about, "mx.third.test:25");
    assert_string_equal(b.named[3].whose, "");
    alert_batch_take(&b, 50, 1000);
    assert_int_equal(b.named_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds), cmocka_unit_test(an_end_has_words_of_its_own),
        cmocka_unit_test(an_hour_of_events),
        cmocka_unit_test(more_verbs_than_places), cmocka_unit_test(each_tenant_is_named_before_one_is_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
