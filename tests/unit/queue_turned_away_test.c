// SPDX-License-Identifier: BSD-2-Clause
/* queue_turned_away_test.c - What a refused MAIL shows: of the message alone, of its connection alone, or of the receiver's
 * limit. The kind of fault is one that is taken for another, and a rest that is told with another one's reason. */
#include "queue_mail_stage.h"

#include <stdio.h>

/* A maximum of messages on one connection is none of the receiver's, also after such a one was met. */
static void what_a_connection_takes_is_no_limit_of_all(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 400);
    stage_refuse_all(&s);
    stage_wait(&s, s.rest_ms);
    stage_taken(&s, 0);
    EXPECT(s.rests == 1 && s.resumed == 1 && s.count > 0, "a limit was met, and is over");
    for (unsigned n = 0; n < 300 && s.count > 0; n++) {
        if (!s.works[0].first)
            stage_taken_by_another(&s, 0);
        else
            stage_taken(&s, 0);
        s.now_ms += 5;
    }
    EXPECT(s.rests == 1 && s.resumed == 1, "and nothing rests any more");
    queue_free(s.queue);
}

/* What asks after a rest is told so on a connection that has carried others, which shows nothing of the limit. */
static void what_asks_is_said_again_on_a_new_connection(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 20);
    stage_refuse_all(&s);
    stage_wait(&s, s.rest_ms);
    assert_int_equal(s.count, 1);
    stage_taken_by_another(&s, 0);
    EXPECT(s.rests == 1 && s.resumed == 1, "it was taken: the limit is over");
    queue_free(s.queue);
}

/* For ten minutes one refusal shows a limit again; that is renewed by what shows one, not by the memory of it. */
static void what_is_known_does_not_renew_itself(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 3000);
    stage_refuse_all(&s);
    stage_wait(&s, s.rest_ms);
    stage_taken(&s, 0);
    unsigned before = s.rests;
    for (unsigned n = 0; n < 20; n++) { /* one message's own refusal each minute */
        for (unsigned k = 0; k < 5 && s.count > 0; k++)
            stage_taken(&s, 0);
        (void)stage_refused_with(&s, 0, "451 4.7.1 not this one now");
        while (s.count > 0)
            stage_taken(&s, 0);
        stage_wait(&s, 60000);
        stage_add(&s, "bob", 50);
    }
    EXPECT(s.rests > before && s.rests - before <= 10, "it is forgotten after ten minutes");
    queue_free(s.queue);
}

/* With one message on a connection each later one comes to its own; and the window grows as with others. */
static void a_success_on_a_new_connection_counts(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 300);
    for (unsigned n = 0; s.count > 0; n++) {
        if (n % 6 == 5)
            EXPECT(!stage_refused_with(&s, 0, "451 4.7.1 not this one now"), "that one's own");
        else if (!s.works[0].first)
            stage_taken_by_another(&s, 0);
        else
            stage_taken(&s, 0);
        s.now_ms += 5;
    }
    EXPECT(s.rests == 0, "others are taken between");
    EXPECT(s.most >= 10, "and the window has grown");
    queue_free(s.queue);
}

/* It was not taken, but is no word on the limit either: that is as before, and the next one asks. */
static void a_message_that_is_refused_for_good_ends_no_limit(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 60);
    for (unsigned n = 0; n < 3; n++) {
        stage_refuse_all(&s);
        stage_wait(&s, s.rest_ms);
    }
    EXPECT(s.count == 1 && s.rests == 2 && stage_view(&s).failures == 3, "one asks");
    s.most = 0;
    for (unsigned n = 0; n < 4; n++) {
        EXPECT(!stage_refused_as(&s, 0, QUEUE_REFUSES_MESSAGE,
                                 n % 2 ? "550 5.7.1 no" : "450 4.1.8 who"),
               "its own");
        EXPECT(s.resumed == 0 && stage_view(&s).failures == 3, "the limit is not over");
        EXPECT(s.count == 1, "the next one asks, and at once");
    }
    EXPECT(s.most == 1, "one at a time");
    EXPECT(stage_refused(&s, 0) && stage_view(&s).failures == 4, "it goes on from where it was");
    stage_wait(&s, s.rest_ms);
    stage_taken(&s, 0);
    EXPECT(s.resumed == 1 && s.count > 0, "until one is taken");
    queue_free(s.queue);
}

/* What is said to one message alone is not why all rests. */
static void the_reason_of_a_rest_stays(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 10);
    while (s.count > 1)
        (void)stage_refused(&s, s.count - 1);
    EXPECT(stage_view(&s).rest_ms > 0, "all rests");
    char why[QUEUE_WHY_MAX];
    snprintf(why, sizeof(why), "%s", stage_view(&s).why);
    EXPECT(strstr(why, "450 4.7.1 too much mail") == why, why);
    while (s.count > 0) /* under way since before */
        (void)stage_refused_with(&s, 0, "451 4.3.0 not this message");
    assert_string_equal(stage_view(&s).why, why);
    queue_free(s.queue);
}

/* Whose mail rests, why and how long: as with any other rest of one tenant's mail. */
static void a_tenants_limit_is_shown_as_its_rest(void **state)
{
    (void)state;
    struct stage s;
    struct queue_domain_view where;
    stage_begin(&s);
    stage_add(&s, "eve", 20);
    stage_add(&s, "bob", 100);
    for (unsigned n = 0; n < 80; n++) {
        if (stage_carries(&s, "eve"))
            (void)stage_refused(&s, 0);
        else if (s.count > 0)
            stage_taken(&s, 0);
    }
    struct queue_destination_view v = stage_view(&s);
    EXPECT(s.rests_of_one == 1 && v.rest_ms == 0, "hers only");
    EXPECT(v.tenant_rest_ms == 2000, "so long");
    assert_string_equal(v.tenant, "eve");
    assert_string_equal(v.tenant_why, "mail of tenant eve only: 450 4.7.1 too much mail from you");
    queue_find_domain(s.queue, "d.test", &where, s.now_ms);
    EXPECT(where.tenant_until_ms == s.now_ms + 2000, "of her domain, too");
    assert_string_equal(where.tenant, "eve");
    assert_string_equal(where.tenant_why, v.tenant_why);
    stage_wait(&s, 5000);
    EXPECT(stage_view(&s).tenant_rest_ms == 1000, "also while one asks");
    stage_all_taken(&s);
    EXPECT(stage_view(&s).tenant_rest_ms == 0, "until it is over");
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_connection_takes_is_no_limit_of_all),
        cmocka_unit_test(what_asks_is_said_again_on_a_new_connection),
        cmocka_unit_test(what_is_known_does_not_renew_itself),
        cmocka_unit_test(a_success_on_a_new_connection_counts),
        cmocka_unit_test(a_message_that_is_refused_for_good_ends_no_limit),
        cmocka_unit_test(the_reason_of_a_rest_stays),
        cmocka_unit_test(a_tenants_limit_is_shown_as_its_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
