// SPDX-License-Identifier: BSD-2-Clause
/* dns_outage_test.c - An outage of DNS is told once, when it has lasted and mail waits for it, and its end only after that; and what a
 * resolver makes of lookups that fail, when caches still hold what was secure. */
#include "dns_stage.h"

#include "dns_outage.h"
#include "dns_watch.h"

#include <string.h>

static void it_is_told_once(void **state)
{
    static const struct {
        const char *label;
        struct {
            bool silent, wanted;
            int64_t at_ms;
            enum dns_outage_news news;
        } steps[6];
    } rows[] = {
        {"mail waits from its beginning", {{true, true, 1000, DNS_OUTAGE_NO_NEWS}, {true, false, 180999, DNS_OUTAGE_NO_NEWS},
                                           {true, false, 181000, DNS_OUTAGE_LASTS}, {true, true, 400000, DNS_OUTAGE_NO_NEWS},
                                           {false, false, 400001, DNS_OUTAGE_IS_OVER}, {false, false, 400002, DNS_OUTAGE_NO_NEWS}}},
        {"nobody waits for it", {{true, false, 1000, DNS_OUTAGE_NO_NEWS}, {true, false, 900000, DNS_OUTAGE_NO_NEWS},
                                 {false, false, 900001, DNS_OUTAGE_NO_NEWS}, {true, true, 900002, DNS_OUTAGE_NO_NEWS},
                                 {true, true, 1080001, DNS_OUTAGE_NO_NEWS}, {true, true, 1080002, DNS_OUTAGE_LASTS}}},
        {"mail comes late", {{true, false, 1000, DNS_OUTAGE_NO_NEWS}, {true, true, 900000, DNS_OUTAGE_LASTS},
                             {false, true, 900001, DNS_OUTAGE_IS_OVER}, {true, true, 900002, DNS_OUTAGE_NO_NEWS},
                             {false, true, 900003, DNS_OUTAGE_NO_NEWS}, {false, true, 900004, DNS_OUTAGE_NO_NEWS}}},
    };
    int64_t since_ms = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct dns_outage o = {0};
        for (size_t k = 0; k < COUNT_OF(rows[i].steps); k++)
            EXPECT(dns_outage_note(&o, &o, rows[i].steps[k].silent, rows[i].steps[k].wanted, rows[i].steps[k].at_ms, 180000, &since_ms) == rows[i].steps[k].news,
                   rows[i].label);
    }
}

/* Each shard asks by itself: that one has answers says nothing of another's. */
static void one_that_has_answers_ends_nobody_elses(void **state)
{
    (void)state;
    struct dns_outage o = {0};
    int64_t since_ms = 0;
    const int dead = 1, alive = 2;
    EXPECT(dns_outage_note(&o, &dead, true, true, 1000, 180000, &since_ms) == DNS_OUTAGE_NO_NEWS, "it begins");
    for (int64_t at_ms = 2000; at_ms < 181000; at_ms += 1000)
        EXPECT(dns_outage_note(&o, &alive, false, false, at_ms, 180000, &since_ms) == DNS_OUTAGE_NO_NEWS, "others have answers");
    EXPECT(dns_outage_note(&o, &dead, true, true, 181000, 180000, &since_ms) == DNS_OUTAGE_LASTS, "it is told all the same");
    EXPECT(dns_outage_note(&o, &dead, false, true, 182000, 180000, &since_ms) == DNS_OUTAGE_IS_OVER, "it ends");
}

/* Too much was told in that hour. */
static void what_was_not_taken_is_told_later(void **state)
{
    (void)state;
    struct dns_outage o = {0};
    int64_t since_ms = 0;
    EXPECT(dns_outage_note(&o, &o, true, true, 1000, 180000, &since_ms) == DNS_OUTAGE_NO_NEWS, "it begins");
    EXPECT(dns_outage_note(&o, &o, true, false, 181000, 180000, &since_ms) == DNS_OUTAGE_LASTS && since_ms == 1000, "it lasts");
    dns_outage_untold(&o);
    EXPECT(dns_outage_note(&o, &o, true, false, 182000, 180000, &since_ms) == DNS_OUTAGE_LASTS && since_ms == 1000, "it is told again");
    EXPECT(dns_outage_note(&o, &o, true, false, 183000, 180000, &since_ms) == DNS_OUTAGE_NO_NEWS, "once");
    EXPECT(dns_outage_note(&o, &o, false, false, 184000, 180000, &since_ms) == DNS_OUTAGE_IS_OVER && since_ms == 1000, "its end, with its beginning");
}

/* ---- what is found, and when it is asked again ---- */

enum { AGAIN_MS = 15000 };

static uv_loop_t loop;
static struct resolver *resolver;
static struct config config;
static enum dnssec_state found;
static size_t found_count;
static bool was_wanted;

static void on_state(void *context, enum dnssec_state state, bool wanted)
{
    (void)context;
    found = state;
    was_wanted = wanted;
    found_count++;
}

static void on_hosts(void *context, struct mx_answer *answer)
{
    *(enum mx_result *)context = answer->result;
    hosts_fini(&answer->hosts);
}

static void begin(enum config_dnssec dnssec)
{
    struct err err;
    found = DNSSEC_UNKNOWN;
    found_count = 0;
    dns_stage_begin(1);
    config = (struct config){.queries = 64, .dnssec = dnssec};
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(resolver_new(&loop, &config, &resolver, &err));
    dns_watch_start(resolver, &config, on_state, NULL);
    dns_stage_pass(&loop, 0);
}

static void end(void)
{
    resolver_free(resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
}

static struct dns_answer *answer_of(enum dns_status status, bool secure, bool bogus)
{
    struct dns_answer *a = dns_answer_new(status, 300);
    a->secure = secure;
    a->bogus = bogus;
    return a;
}

static void root_says(enum dns_status status, bool secure, bool bogus)
{
    for (int i = 0; i < 1000 && !dns_stage_answer_name("", answer_of(status, secure, bogus)); i++)
        dns_stage_pass(&loop, 0);
    dns_stage_pass(&loop, 0);
}

static void what_the_first_test_finds(void **state)
{
    static const struct {
        const char *label;
        enum config_dnssec dnssec;
        enum dns_status status;
        bool secure, bogus;
        enum dnssec_state state;
    } rows[] = {
        {"secure", CONFIG_DNSSEC_ON, DNS_FOUND, true, false, DNSSEC_VALIDATES},
        {"no anchor", CONFIG_DNSSEC_ON, DNS_FOUND, false, false, DNSSEC_ABSENT},
        {"signatures that are not valid", CONFIG_DNSSEC_ON, DNS_FAILED, false, true, DNSSEC_FAILS},
        {"silence", CONFIG_DNSSEC_ON, DNS_FAILED, false, false, DNSSEC_SILENT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(rows[i].dnssec);
        root_says(rows[i].status, rows[i].secure, rows[i].bogus);
        EXPECT(found_count == 1 && found == rows[i].state && !was_wanted, rows[i].label);
        end();
    }
}

/* libunbound's buffers are some megabytes: it has them when somebody asks. */
static void nothing_is_tested_at_the_start_where_nothing_is_validated(void **state)
{
    (void)state;
    begin(CONFIG_DNSSEC_OFF);
    dns_stage_pass(&loop, AGAIN_MS);
    assert_int_equal(dns_stage_asked(), 0);
    assert_int_equal(found_count, 0);
    end();
}

/* The root's answer is in a cache, from a time when all was well. */
static void a_lookup_that_fails_has_the_root_asked_past_the_caches(void **state)
{
    enum mx_result result = MX_PENDING;
    const struct resolver_query query = {.config = &config, .domain = "club.test", .tenant = "bob", .port = 25};
    (void)state;
    begin(CONFIG_DNSSEC_ON);
    root_says(DNS_FOUND, true, false);
    dns_stage_pass(&loop, AGAIN_MS);
    resolver_find(resolver, &query, on_hosts, &result);
    for (int i = 0; i < 1000 && !dns_stage_answer_name("club.test", answer_of(DNS_FAILED, false, true)); i++)
        dns_stage_pass(&loop, 0);
    for (int i = 0; i < 1000 && dns_stage_open_fresh() == 0; i++)
        dns_stage_pass(&loop, 0);
    EXPECT(dns_stage_open_fresh() == 1, "one question");
    root_says(DNS_FAILED, false, true);
    root_says(DNS_FAILED, false, true);
    EXPECT(found == DNSSEC_FAILS, "whichever of both has said so");
    EXPECT(result == MX_BOGUS, "and the mail is told");
    end();
}

/* Who asks for a name while the root's servers are in a cache waits for the outage as well: only then it is told. */
static void what_a_cache_says_of_the_root_does_not_hide_that_mail_waits(void **state)
{
    enum mx_result result = MX_PENDING;
    const struct resolver_query query = {.config = &config, .domain = "club.test", .tenant = "bob", .port = 25};
    (void)state;
    begin(CONFIG_DNSSEC_ON);
    root_says(DNS_FAILED, false, false);
    EXPECT(found == DNSSEC_SILENT && !was_wanted, "by the test");
    resolver_find(resolver, &query, on_hosts, &result);
    for (int i = 0; i < 1000 && !dns_stage_answer_name("club.test", answer_of(DNS_FAILED, false, false)); i++)
        dns_stage_pass(&loop, 0);
    root_says(DNS_FOUND, true, false);
    EXPECT(result == MX_DOWN && found == DNSSEC_SILENT && was_wanted, "by the lookup");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_once),
        cmocka_unit_test(one_that_has_answers_ends_nobody_elses),
        cmocka_unit_test(what_was_not_taken_is_told_later),
        cmocka_unit_test(what_the_first_test_finds),
        cmocka_unit_test(nothing_is_tested_at_the_start_where_nothing_is_validated),
        cmocka_unit_test(a_lookup_that_fails_has_the_root_asked_past_the_caches),
        cmocka_unit_test(what_a_cache_says_of_the_root_does_not_hide_that_mail_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
