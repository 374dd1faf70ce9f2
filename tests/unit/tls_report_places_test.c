// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_places_test.c - What a post costs the place that it went to, and those who are at the same address. */
#include "table.h"

#include "tls_report_places.h"

static const int64_t now = 20000 * TLSRPT_DAY_MS + 5000;
static const struct fetch_result taken = {.outcome = FETCH_ANSWERED, .status = 200};
static const struct fetch_result refused = {.outcome = FETCH_ANSWERED, .status = 503, .why = "status 503"};
static const struct fetch_result untrusted = {.outcome = FETCH_UNTRUSTED, .why = "no alternative certificate subject name matches"};

static struct place host(const char *name, bool foreign)
{
    struct place p = {.foreign = foreign, .tenant = "t"};
    snprintf(p.host, sizeof(p.host), "%s", name);
    snprintf(p.organization, sizeof(p.organization), "%s", name);
    return p;
}

static struct place host_of(const char *name, const char *organization, bool foreign)
{
    struct place p = host(name, foreign);
    snprintf(p.organization, sizeof(p.organization), "%s", organization);
    return p;
}

/* PLACE_OPEN: it was posted to, and that ended so. */
static enum place_standing post(struct tlsrpt_bounds *b, const struct place *p, const char *addresses, const struct fetch_result *result,
                                int64_t now_ms)
{
    char why[160];
    enum place_standing standing = place_take(p, addresses, TLSRPT_COST_REFUSED, b, now_ms, why);
    if (standing == PLACE_OPEN)
        place_posted(p, addresses, result, b, now_ms);
    return standing;
}

static unsigned count(struct tlsrpt_bounds *b, const struct place *p, const char *addresses, const struct fetch_result *result)
{
    unsigned n = 0;
    while (n < 3000 && post(b, p, addresses, result, now) == PLACE_OPEN)
        n++;
    return n;
}

static void how_a_post_ends_decides_what_it_has_cost(void **state)
{
    static const struct {
        const char *label;
        struct fetch_result result;
        enum place_standing standing;
        unsigned foreign, own; /* such posts */
    } rows[] = {
        {"taken", {.outcome = FETCH_ANSWERED, .status = 200}, PLACE_OPEN, 500, 2000},
        {"refused", {.outcome = FETCH_ANSWERED, .status = 503, .why = "status 503"}, PLACE_BAD, 25, 50},
        {"not its name", {.outcome = FETCH_UNTRUSTED, .why = "x"}, PLACE_BAD, 25, 50},
        {"no answer", {.outcome = FETCH_TIMED_OUT, .why = "x"}, PLACE_BAD, 25, 50},
        {"the fetcher has ended", {.outcome = FETCH_GONE, .why = "x"}, PLACE_RESTS, 3000, 3000},
        {"the fetcher is busy", {.outcome = FETCH_BUSY, .why = "x"}, PLACE_RESTS, 3000, 3000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (unsigned foreign = 0; foreign < 2; foreign++) {
            struct tlsrpt_bounds *b = tlsrpt_bounds_new();
            const struct place p = host("reports.test", foreign);
            EXPECT(count(b, &p, "192.0.2.1", &rows[i].result) == (foreign ? rows[i].foreign : rows[i].own), rows[i].label);
            EXPECT(place_posted(&p, "192.0.2.1", &rows[i].result, b, now) == rows[i].standing, rows[i].label);
            tlsrpt_bounds_free(b);
        }
}

static void names_that_lead_to_an_address_do_not_close_it(void **state)
{
    static const char at[] = "192.0.2.1,[2001:db8::1]";
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    const struct place victim = host("victim.test", true);
    const struct place late = host("late.test", true);
    unsigned posts = 0;
    (void)state;
    assert_int_equal(post(b, &victim, at, &taken, now), PLACE_OPEN);
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof(name), "h%u.evil.test", i);
        const struct place evil = host(name, false);
        enum place_standing standing = post(b, &evil, "192.0.2.1", &untrusted, now);
        posts += standing == PLACE_OPEN;
        assert_true(standing == PLACE_OPEN || standing == PLACE_RESTS);
    }
    assert_int_equal(posts, 50);
    assert_int_equal(count(b, &victim, at, &taken), 499); /* of its 500: they have taken none */
    assert_int_equal(post(b, &late, at, &taken, now), PLACE_RESTS);
    assert_int_equal(post(b, &late, at, &taken, now + TLSRPT_DAY_MS), PLACE_OPEN);
    tlsrpt_bounds_free(b);
}

static void who_takes_posts_no_more_is_asked_about_its_addresses(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    const struct place evil = host("h.evil.test", false);
    const struct place victim = host("victim.test", false);
    (void)state;
    assert_int_equal(post(b, &evil, "192.0.2.9", &taken, now), PLACE_OPEN);
    assert_int_equal(count(b, &victim, "192.0.2.1", &refused), 50);
    assert_int_equal(post(b, &evil, "192.0.2.1", &untrusted, now), PLACE_OPEN); /* its name leads elsewhere now */
    assert_int_equal(post(b, &evil, "192.0.2.1", &untrusted, now), PLACE_RESTS);
    tlsrpt_bounds_free(b);
}

/* A zone with a wildcard has as many names as its owner likes: each takes a post at his own server, so that its address is not
 * looked at any more, and leads then to somebody's. */
static void names_below_a_domain_have_one_budget_together(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    unsigned posts = 0;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "h%u.evil.test", i);
        const struct place evil = host_of(name, "evil.test", true);
        if (post(b, &evil, "192.0.2.9", &taken, now) == PLACE_OPEN)
            posts += post(b, &evil, "192.0.2.1", &untrusted, now) == PLACE_OPEN;
    }
    assert_in_range(posts, 50, 100);
    const struct place other = host_of("reports.test", "reports.test", true);
    assert_int_equal(post(b, &other, "192.0.2.9", &taken, now), PLACE_OPEN);
    tlsrpt_bounds_free(b);
}

static void mailboxes_below_a_domain_are_counted_with_it(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    unsigned mails = 0;
    char why[160];
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct place p = {.foreign = true, .tenant = "t", .organization = "victim.test"};
        snprintf(p.host, sizeof(p.host), "h%u.victim.test", i);
        snprintf(p.mailbox, sizeof(p.mailbox), "a@%s", p.host);
        snprintf(p.counted, sizeof(p.counted), "a@%s", p.host);
        mails += place_take(&p, "", TLSRPT_COST, b, now, why) == PLACE_OPEN;
    }
    assert_int_equal(mails, 50);
    tlsrpt_bounds_free(b);
}

static unsigned strangers(struct tlsrpt_bounds *b, const char *namer, unsigned from)
{
    unsigned mails = 0;
    char why[160];
    for (unsigned i = from; i < from + 200; i++) {
        struct place p = {.foreign = true, .tenant = "t", .host = "gmail.com", .organization = "gmail.com"};
        snprintf(p.namer, sizeof(p.namer), "%s", namer);
        snprintf(p.mailbox, sizeof(p.mailbox), "stranger%u@gmail.com", i);
        snprintf(p.counted, sizeof(p.counted), "%s", p.mailbox);
        mails += place_take(&p, "", TLSRPT_COST, b, now, why) == PLACE_OPEN;
    }
    return mails;
}

/* A large provider has no budget, as all who have their mailboxes there would share it: who names them has one. */
static void who_names_strangers_at_a_large_provider_has_a_budget(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    (void)state;
    assert_int_equal(strangers(b, "evil.test", 0), 50);
    assert_int_equal(strangers(b, "evil.test", 200), 0);
    assert_int_equal(strangers(b, "good.test", 400), 50);
    tlsrpt_bounds_free(b);
}

/* Who has one address has 2^64 of them. */
static void addresses_of_ipv6_are_counted_by_their_network(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    unsigned posts = 0;
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        char name[32];
        char at[64];
        snprintf(name, sizeof(name), "h.evil%u.test", i);
        snprintf(at, sizeof(at), "[2001:db8:0:1:%x::1]", i + 1);
        const struct place evil = host(name, true);
        posts += post(b, &evil, at, &untrusted, now) == PLACE_OPEN;
    }
    assert_int_equal(posts, 50);
    const struct place late = host("late.test", true);
    assert_int_equal(post(b, &late, "[2001:db8:0:1::1]", &taken, now), PLACE_RESTS);
    assert_int_equal(post(b, &late, "[2001:db8:0:2::1]", &taken, now), PLACE_OPEN);
    tlsrpt_bounds_free(b);
}

/* Many domains, each somebody's own, name one host that takes what is posted. */
static void one_host_is_posted_so_many_a_day(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    const struct place victim = host("victim.test", true);
    (void)state;
    assert_int_equal(count(b, &victim, "192.0.2.1", &taken), 500);
    assert_int_equal(count(b, &victim, "192.0.2.2", &taken), 0); /* wherever it leads */
    tlsrpt_bounds_free(b);
}

static void retry_after_is_until_then(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    const struct place p = host("reports.test", true);
    const struct fetch_result busy = {.outcome = FETCH_ANSWERED, .status = 429, .retry_after_s = 60, .why = "status 429"};
    (void)state;
    assert_int_equal(post(b, &p, "192.0.2.1", &busy, now), PLACE_OPEN);
    assert_int_equal(post(b, &p, "192.0.2.1", &taken, now + 59999), PLACE_RESTS);
    assert_int_equal(post(b, &p, "192.0.2.1", &taken, now + 60000), PLACE_OPEN);
    tlsrpt_bounds_free(b);
}

/* By number it would be somebody else's. */
static void a_place_that_has_failed_is_known_by_its_name(void **state)
{
    struct places p = {.count = 2, .all = {{.uri = "mailto:a@victim.test", .mailbox = "a@victim.test", .counted = "a@victim.test",
                                            .host = "victim.test", .organization = "victim.test", .tenant = "t"},
                                           {.uri = "mailto:b@victim.test", .mailbox = "b@victim.test", .counted = "b@victim.test",
                                            .host = "victim.test", .organization = "victim.test", .tenant = "t"}}};
    struct tlsrpt_entry entry = {.failed = 1, .place = 0, .uri = "mailto:a@victim.test"};
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    char why[160];
    (void)state;
    assert_true(places_returned(&p, &entry, b, now));
    assert_int_equal(place_take(&p.all[0], "", TLSRPT_COST, b, now, why), PLACE_CLOSED);
    assert_int_equal(place_take(&p.all[1], "", TLSRPT_COST, b, now, why), PLACE_OPEN);
    p.count = 1;
    p.all[0] = p.all[1];
    assert_false(places_returned(&p, &entry, b, now));
    tlsrpt_bounds_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(how_a_post_ends_decides_what_it_has_cost),
                                       cmocka_unit_test(names_that_lead_to_an_address_do_not_close_it),
                                       cmocka_unit_test(who_takes_posts_no_more_is_asked_about_its_addresses),
                                       cmocka_unit_test(a_place_that_has_failed_is_known_by_its_name),
                                       cmocka_unit_test(names_below_a_domain_have_one_budget_together),
                                       cmocka_unit_test(mailboxes_below_a_domain_are_counted_with_it),
                                       cmocka_unit_test(who_names_strangers_at_a_large_provider_has_a_budget),
                                       cmocka_unit_test(addresses_of_ipv6_are_counted_by_their_network),
                                       cmocka_unit_test(one_host_is_posted_so_many_a_day),
                                       cmocka_unit_test(retry_after_is_until_then)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
