// SPDX-License-Identifier: BSD-2-Clause
/* queue_rate_limits_test.c - A server that takes no more of our mail for now and says so at MAIL by a 4xx is left alone, and
 * then asked by one message at a time. The kind of fault is a refusal for us all that is taken for each message's own. */
#include "queue_mail_stage.h"

#include <stdio.h>

enum { REST_MS = 2000 };

static void what_is_refused_to_all_rests_and_is_asked_by_one(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 200);
    unsigned tried = 0;
    while (s.count > 0 && tried < 50)
        tried += !stage_refused(&s, 0);
    EXPECT(tried == 2, "two were tried before it was known");
    EXPECT(s.opened <= 5 && s.rests == 1 && s.rest_ms == REST_MS, "and then it rests");
    EXPECT(stage_view(&s).window == 1 && stage_view(&s).rest_ms == REST_MS, "and is shown so");
    s.most = 0;
    for (unsigned n = 1; n < 6; n++) {
        size_t before = s.opened;
        stage_wait(&s, REST_MS - 1);
        EXPECT(s.opened == before && s.count == 0, "until then nothing is opened");
        EXPECT(queue_wake_ms(s.queue) == s.now_ms + 1, "it is looked at then");
        stage_wait(&s, 1);
        EXPECT(s.count == 1 && s.opened == before + 1, "one asks");
        stage_wait(&s, 1000);
        EXPECT(s.count == 1, "and no other one meanwhile");
        EXPECT(stage_refused(&s, 0), "it is no try of it");
        EXPECT(stage_view(&s).rest_ms == REST_MS && stage_view(&s).failures == n + 1, "it rests again");
    }
    EXPECT(s.most == 1 && s.resumed == 0, "one at a time");
    EXPECT(s.rests == 3, "the first, the second and the fourth are told");
    stage_wait(&s, s.rest_ms);
    stage_taken(&s, 0);
    EXPECT(s.resumed == 1 && s.count >= 1, "it is over");
    for (unsigned n = 0; n < 20 && s.count > 0; n++)
        stage_taken(&s, 0);
    EXPECT(s.count > 1 && stage_view(&s).rest_ms == 0, "the window grows again");
    EXPECT(stage_refused(&s, 0) && s.rests == 4 && s.rest_ms == REST_MS, "it is known: one shows it");
    while (s.count > 0)
        stage_taken(&s, 0), s.now_ms++;
    queue_free(s.queue);
}

static void what_is_refused_to_one_tenant_rests_for_that_one(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "eve", 20);
    stage_add(&s, "bob", 100);
    for (unsigned n = 0; n < 80; n++) {
        if (stage_carries(&s, "eve"))
            (void)stage_refused(&s, 0);
        else if (s.count > 0)
            stage_taken(&s, 0);
    }
    EXPECT(s.rests == 0 && s.rests_of_one == 1 && stage_view(&s).rest_ms == 0, "hers only");
    EXPECT(s.count > 0 && stage_carries(&s, "bob"), "his goes on");
    stage_wait(&s, REST_MS);
    while (s.count > 0 && !stage_carries(&s, "eve"))
        stage_taken(&s, 0);
    EXPECT(stage_carries(&s, "eve") && stage_refused(&s, 0) && s.rest_ms == REST_MS,
           "and hers is tried again");
    stage_add(&s, "bob", 1);
    EXPECT(stage_carries(&s, "bob"), "which holds up nobody");
    EXPECT(!stage_refused_with(&s, 0, "450 4.7.1 you, too") && s.rests == 0,
           "his was taken between");
    stage_add(&s, "bob", 40);
    while (s.count > 0)
        (void)stage_refused(&s, 0);
    EXPECT(s.rests == 0 && s.rests_of_one > 2, "what both meet is each one's own");
    queue_free(s.queue);
}

/* However many meet it, and whoever asks first of them: one that is served again is, within that time. */
static void each_asks_for_itself(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "eve", 10);
    stage_add(&s, "bob", 10);
    while (s.count > 0)
        (void)stage_refused(&s, 0);
    EXPECT(s.rests == 0 && s.rests_of_one == 2, "both have met it");
    for (unsigned n = 0; n < 10; n++)
        stage_add_of(&s, "eve", STREAM_SECURITY);
    stage_wait(&s, REST_MS);
    EXPECT(s.count == 2, "one of each");
    while (s.count > 0 && stage_carries(&s, "eve"))
        (void)stage_refused(&s, 0);
    EXPECT(s.count > 0, "hers is refused still, and his asks");
    stage_taken(&s, 0);
    EXPECT(s.count > 0 && stage_carries(&s, "bob"), "his goes on");
    queue_free(s.queue);
}

static void security_asks_first(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 10);
    while (s.count > 0)
        (void)stage_refused(&s, 0);
    EXPECT(s.rests == 1, "it rests");
    stage_add_of(&s, "bob", STREAM_SECURITY);
    int64_t code = s.message;
    stage_go_on(&s);
    EXPECT(s.count == 0, "it waits, too");
    stage_wait(&s, 5000);
    EXPECT(s.count == 1 && s.works[0].attempt->message == code, "and is the first");
    stage_taken(&s, 0);
    queue_free(s.queue);
}

/* It may be that message alone that is not wanted. */
static void another_message_asks_each_time(void **state)
{
    (void)state;
    struct stage s;
    int64_t asked[4];
    stage_begin(&s);
    stage_add(&s, "bob", 6);
    while (s.count > 0)
        (void)stage_refused(&s, 0);
    for (unsigned n = 0; n < 3; n++) {
        stage_wait(&s, s.rest_ms);
        assert_int_equal(s.count, 1);
        asked[n] = s.works[0].attempt->message;
        (void)stage_refused(&s, 0);
    }
    EXPECT(asked[0] != asked[1] && asked[1] != asked[2] && asked[0] != asked[2], "others");
    queue_free(s.queue);
}

/* Refusals of recipients, which greylisting is, come with MAIL taken; and these are of different kinds. */
static void what_is_no_limit_rests_nowhere(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 100);
    for (unsigned n = 0; n < 30; n++)
        if (n % 3 == 2)
            stage_taken(&s, 0);
        else
            EXPECT(!stage_refused(&s, 0), "others are taken between");
    for (unsigned n = 0; n < 30 && s.count > 0; n++)
        EXPECT(!stage_refused_with(&s, 0, n % 2 ? "451 4.3.0 oops" : "450 4.1.8 who"),
               "they differ");
    EXPECT(s.rests == 0 && s.rests_of_one == 0, "no rest");
    queue_free(s.queue);
}

/* What a server takes over one connection may be its limit for that one; when it is known that it takes nothing for now, the
 * message goes back all the same. */
static void a_later_message_shows_nothing_and_knows_it(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 50);
    for (unsigned n = 0; n < 20; n++) {
        const struct work w = s.works[0];
        if (!w.first)
            EXPECT(!queue_turned_away(s.queue, w.connection, QUEUE_REFUSES_LATER, "450 4.7.1 no",
                                      s.now_ms),
                   "");
        stage_taken(&s, 0);
    }
    EXPECT(s.rests == 0, "no rest");
    queue_free(s.queue);
    stage_begin(&s);
    stage_add(&s, "bob", 50);
    uint64_t other = s.works[1].connection;
    stage_taken(&s, 0);
    struct work later = stage_take(&s, s.works[0].connection == other ? 1 : 0);
    assert_false(later.first);
    (void)stage_refused(&s, 0);
    for (unsigned n = 0; n < 5 && s.count > 0; n++)
        (void)stage_refused(&s, 0);
    EXPECT(s.rests == 1, "it is known");
    EXPECT(
        queue_turned_away(s.queue, later.connection, QUEUE_REFUSES_LATER, "450 4.7.1 no", s.now_ms),
        "it waits");
    stage_next(&s, later.connection, false);
    stage_go_on(&s);
    queue_free(s.queue);
}

/* Nor does what an operator asks for in between. */
static void asking_makes_it_no_longer(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 10);
    while (s.count > 0)
        (void)stage_refused(&s, 0);
    stage_wait(&s, REST_MS);
    (void)stage_refused(&s, 0);
    int64_t until_ms = s.now_ms + REST_MS;
    for (unsigned n = 0; n < 3; n++) {
        stage_wait(&s, 500);
        assert_true(queue_resume(s.queue, "mx.d.test:25", s.now_ms));
        stage_go_on(&s);
        assert_int_equal(s.count, 1);
        EXPECT(stage_refused(&s, 0), "untried");
        EXPECT(s.now_ms + stage_view(&s).rest_ms == until_ms, "as long as before");
    }
    queue_free(s.queue);
}

/* Who comes new to where one tenant is alone finds out by himself. */
static void a_new_tenant_waits_for_nobody(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "eve", 10);
    while (s.count > 0)
        (void)stage_refused(&s, 0);
    EXPECT(s.rests == 1, "she is alone");
    stage_add(&s, "bob", 10);
    EXPECT(stage_carries(&s, "bob"), "he is not barred");
    for (unsigned n = 0; n < 8; n++)
        stage_taken(&s, stage_carries(&s, "bob") ? 0 : 1);
    (void)(stage_carries(&s, "eve") && stage_refused(&s, 0));
    EXPECT(s.rests == 1 && s.rests_of_one <= 1, "from then on it is hers");
    queue_free(s.queue);
}

/* What the server took before its limit was met says nothing of that, however late its end comes. */
static void what_was_taken_before_ends_no_limit(void **state)
{
    (void)state;
    struct stage s;
    unsigned tried = 0;
    stage_begin(&s);
    stage_add(&s, "bob", 200);
    for (unsigned n = 0; n < 60; n++)
        stage_taken(&s, 0), s.now_ms++;
    size_t slow = s.count - 4; /* of which the content is still sent */
    EXPECT(slow > 4, "many at a time");
    for (size_t i = 0; i < slow; i++)
        stage_mail_taken(&s, i);
    for (size_t i = 0; i < slow; i++) {
        tried += s.count > slow - i && !stage_refused(&s, slow - i);
        stage_taken(&s, 0);
    }
    stage_refuse_all(&s);
    EXPECT(tried == 2 && s.rests == 1 && s.resumed == 0, "two were tried before it was known, and it rests on");
    stage_wait(&s, REST_MS);
    stage_mail_taken(&s, 0);
    EXPECT(s.resumed == 1, "one that asks is taken: that is known before it is done");
    stage_all_taken(&s);
    queue_free(s.queue);
}

/* Nobody else has mail there just now, but somebody had a short while ago. */
static void one_tenants_limit_is_not_told_of_all(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 1);
    stage_taken(&s, 0);
    stage_add(&s, "eve", 10);
    stage_refuse_all(&s);
    for (unsigned n = 0; n < 5; n++) {
        stage_wait(&s, REST_MS);
        stage_refuse_all(&s);
        EXPECT(stage_view(&s).tenant_rest_ms == REST_MS && stage_view(&s).rest_ms == 0, "hers");
    }
    EXPECT(s.rests == 0 && s.rests_of_one > 0, "also when she is alone for long");
    queue_free(s.queue);
}

/* As many as there are. */
static void each_of_many_tenants_has_one(void **state)
{
    (void)state;
    enum { TENANTS = 20 };
    struct stage s;
    char name[16];
    unsigned tried = 0;
    stage_begin(&s);
    for (unsigned i = 0; i < TENANTS; i++) {
        snprintf(name, sizeof(name), "tenant%u", i);
        stage_add(&s, name, 20);
    }
    for (unsigned n = 0; n < 20; n++) {
        while (s.count > 0)
            tried += !stage_refused(&s, 0);
        stage_wait(&s, REST_MS);
    }
    EXPECT(tried == 2 * TENANTS, "two of each were tried before it was known");
    queue_free(s.queue);
}

/* However many destinations refuse a tenant's mail: what others have met stays known. */
static void what_is_met_elsewhere_costs_only_its_tenant(void **state)
{
    (void)state;
    struct stage s;
    char domain[16];
    stage_begin(&s);
    stage_add(&s, "bob", 10);
    stage_add(&s, "eve", 1);
    stage_refuse_all(&s);
    unsigned before = s.rests_of_one;
    EXPECT(before == 1, "his is known");
    for (unsigned i = 0; i < 400; i++) {
        snprintf(domain, sizeof(domain), "d%u.test", i);
        stage_add_to(&s, "eve", domain, 3);
        stage_refuse_all(&s);
    }
    stage_add(&s, "bob", 1);
    EXPECT(s.count == 0, "and is still");
    queue_free(s.queue);
}

/* Its mail is gone (returned, or dropped by a command): what was told of it goes, too. */
static void the_reason_goes_with_the_mail(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 1);
    stage_taken(&s, 0);
    stage_add(&s, "eve", 10);
    stage_refuse_all(&s);
    EXPECT(strstr(stage_view(&s).why, "mail of tenant eve only") != NULL, "it is told");
    for (int64_t m = 0; m <= s.message; m++)
        queue_drop(s.queue, m, 0, s.now_ms);
    for (unsigned n = 0; n < 10; n++)
        stage_wait(&s, 1000);
    EXPECT(stage_view(&s).tenant_rest_ms == 0, "nothing rests");
    assert_string_equal(stage_view(&s).why, "");
    queue_free(s.queue);
}

/* Once, when it has held up mail for five minutes, and its end. */
static void one_that_lasts_is_told(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 1);
    stage_taken(&s, 0);
    stage_add(&s, "eve", 10);
    stage_refuse_all(&s);
    int64_t five_minutes_ms = s.now_ms + 5 * 60 * 1000;
    for (; s.now_ms < five_minutes_ms; stage_wait(&s, REST_MS))
        stage_refuse_all(&s);
    EXPECT(s.lasts == 0, "not yet");
    for (unsigned n = 0; n < 1000; n++) {
        stage_wait(&s, REST_MS);
        stage_refuse_all(&s);
    }
    EXPECT(s.lasts == 1 && s.resumed == 0, "once");
    for (unsigned n = 0; n < 200 && s.count == 0; n++)
        stage_wait(&s, REST_MS);
    stage_all_taken(&s);
    EXPECT(s.lasts == 1 && s.resumed == 1, "and its end");
    queue_free(s.queue);
}

static size_t find_work(const struct stage *s, const char *domain)
{
    size_t i = 0;
    while (i < s->count && strcmp(s->works[i].attempt->domain, domain) != 0)
        i++;
    return i;
}

/* All of that domain that is under way, and comes meanwhile. */
static unsigned refuse_at(struct stage *s, const char *domain)
{
    unsigned tried = 0;
    for (size_t i; (i = find_work(s, domain)) < s->count;)
        tried += !stage_refused(s, i);
    return tried;
}

/* A provider's hosts for one domain refuse: mail to its others goes on, also while one asks there. */
static void one_receivers_limit_is_not_its_providers(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add_to(&s, "bob", "p1.test", 1);
    stage_add_to(&s, "bob", "p2.test", 1);
    stage_all_taken(&s);
    stage_add_to(&s, "bob", "p1.test", 30);
    stage_add_to(&s, "bob", "p2.test", 30);
    unsigned tried = 0;
    unsigned taken = 0;
    for (unsigned n = 0; n < 100; n++) {
        tried += refuse_at(&s, "p1.test");
        size_t i = find_work(&s, "p2.test");
        if (i < s.count) {
            stage_taken(&s, i);
            taken++;
        }
    }
    EXPECT(tried == 2 && taken == 30 && s.rests_of_one == 1, "one rests, and the other goes on");
    stage_wait(&s, REST_MS);
    EXPECT(s.count == 1, "one asks");
    stage_add_to(&s, "bob", "p2.test", 5);
    EXPECT(find_work(&s, "p2.test") < s.count, "and the other goes on meanwhile");
    while (find_work(&s, "p2.test") < s.count)
        stage_taken(&s, find_work(&s, "p2.test"));
    EXPECT(s.count == 1, "one at a time");
    stage_all_taken(&s);
    EXPECT(stage_find(&s, "microsoft365:25").tenant_rest_ms == 0, "it is over");
    queue_free(s.queue);
}

/* Three of its sets of hosts refuse: it is the provider's, and one message asks for all. */
static void a_limit_at_several_hosts_is_their_providers(void **state)
{
    (void)state;
    struct stage s;
    char domain[16];
    stage_begin(&s);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(domain, sizeof(domain), "p%u.test", i);
        stage_add_to(&s, "bob", domain, 10);
    }
    unsigned tried = 0;
    while (s.count > 0)
        tried += !stage_refused(&s, 0);
    EXPECT(tried <= 30, "until three show it");
    s.most = 0;
    for (unsigned n = 0; n < 5; n++) {
        size_t before = s.opened;
        stage_wait(&s, REST_MS);
        EXPECT(s.count == 1 && s.opened == before + 1, "one asks for all");
        EXPECT(stage_refused(&s, 0), "untried");
    }
    EXPECT(s.most == 1, "one at a time");
    stage_wait(&s, REST_MS);
    stage_all_taken(&s);
    EXPECT(stage_find(&s, "microsoft365:25").rest_ms == 0, "it is over");
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused_to_all_rests_and_is_asked_by_one),
        cmocka_unit_test(what_is_refused_to_one_tenant_rests_for_that_one),
        cmocka_unit_test(each_asks_for_itself),
        cmocka_unit_test(security_asks_first),
        cmocka_unit_test(another_message_asks_each_time),
        cmocka_unit_test(what_is_no_limit_rests_nowhere),
        cmocka_unit_test(a_later_message_shows_nothing_and_knows_it),
        cmocka_unit_test(asking_makes_it_no_longer),
        cmocka_unit_test(a_new_tenant_waits_for_nobody),
        cmocka_unit_test(what_was_taken_before_ends_no_limit),
        cmocka_unit_test(one_tenants_limit_is_not_told_of_all),
        cmocka_unit_test(each_of_many_tenants_has_one),
        cmocka_unit_test(what_is_met_elsewhere_costs_only_its_tenant),
        cmocka_unit_test(the_reason_goes_with_the_mail),
        cmocka_unit_test(one_that_lasts_is_told),
        cmocka_unit_test(one_receivers_limit_is_not_its_providers),
        cmocka_unit_test(a_limit_at_several_hosts_is_their_providers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
