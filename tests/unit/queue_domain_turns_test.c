// SPDX-License-Identifier: BSD-2-Clause
/* queue_domain_turns_test.c - One tenant's mail to several domains at one host: they go by turns, and one over whose mail the host
 * stalls goes behind the others. The kind of fault is mail to a good domain that waits behind another domain's, which anybody may
 * have lead to its host. */
#include "queue_stage.h"

#include <stdio.h>
#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND, EVIL = 20 };

static const struct queue_settings settings = {.connections = 400, .shards = 2};

static const struct stage_server servers[] = {
    {.host = "mx.shared*", .stalls_over = "evil", .machine = 7, .message_ms = 50},
    {.host = "mx2.shared*", .stalls_over = "evil", .machine = 8, .message_ms = 50},
    {0},
};

static const struct row {
    const char *label;
    struct stage_domain domains[3];
    enum stream_class evil, good;
    int64_t most_ms;
} rows[] = {
    {"one host",
     {{.name = "evil*", .hosts = {"mx.shared.test"}}, {.name = "*", .hosts = {"mx.shared.test"}}, {0}},
     STREAM_NOTIFICATION, STREAM_NOTIFICATION, 25 * SECOND},
    {"two hosts",
     {{.name = "evil*", .hosts = {"mx.shared.test", "mx2.shared.test"}},
      {.name = "*", .hosts = {"mx.shared.test", "mx2.shared.test"}},
      {0}},
     STREAM_NOTIFICATION, STREAM_NOTIFICATION, 25 * SECOND},
    {"another name for the host",
     {{.name = "evil*", .hosts = {"mx.shared2.test"}}, {.name = "*", .hosts = {"mx.shared.test"}}, {0}},
     STREAM_NOTIFICATION, STREAM_NOTIFICATION, 25 * SECOND},
    {"codes",
     {{.name = "evil*", .hosts = {"mx.shared.test"}}, {.name = "*", .hosts = {"mx.shared.test"}}, {0}},
     STREAM_SECURITY, STREAM_SECURITY, 25 * SECOND},
};

static int64_t add_evil(struct stage *s, int64_t message, enum stream_class class)
{
    char name[40];
    for (unsigned k = 0; k < 2; k++)
        for (unsigned i = 0; i < EVIL; i++) {
            snprintf(name, sizeof(name), "evil%u.test", i);
            stage_add(s, ++message, "eve", name, class);
        }
    return message;
}

static void mail_to_good_domains_goes_before_what_stalls(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        struct stage *s = stage_new(&settings, r->domains, servers);
        int64_t last = 1;
        int64_t slowest_ms = 0;
        stage_add(s, last, "eve", "honest.test", r->good);
        stage_add(s, ++last, "eve", "other.test", r->good);
        stage_run(s, 2 * SECOND);
        last = add_evil(s, last, r->evil);
        stage_run(s, 3 * SECOND);
        for (unsigned n = 0; n < 60; n++) {
            stage_add(s, ++last, "eve", n % 3 ? "honest.test" : "other.test", r->good);
            stage_run(s, 3 * SECOND);
        }
        stage_run(s, MINUTE);
        for (int64_t m = last - 59; m <= last; m++) {
            int64_t at_ms = s->done_ms[m];
            if (at_ms < 0)
                fail_msg("%s: message %lld has not gone", r->label, (long long)m);
            int64_t added_ms = 5 * SECOND + (m - (last - 59)) * 3 * SECOND;
            slowest_ms = at_ms - added_ms > slowest_ms ? at_ms - added_ms : slowest_ms;
        }
        if (slowest_ms > r->most_ms)
            fail_msg("%s: %lld ms", r->label, (long long)slowest_ms);
        stage_free(s);
    }
}

/* Neither while messages to others go through there, nor when one did a short while ago. */
static void a_stall_over_one_domain_has_no_host_avoided(void **state)
{
    static const struct stage_domain domains[] = {{.name = "evil*", .hosts = {"mx.shared.test", "mx2.shared.test"}},
                                                  {.name = "*", .hosts = {"mx.shared.test", "mx2.shared.test"}},
                                                  {0}};
    (void)state;
    struct stage *s = stage_new(&settings, domains, servers);
    int64_t last = 0;
    for (unsigned n = 0; n < 100; n++) {
        stage_add(s, ++last, "bob", "honest.test", STREAM_DIGEST);
        if (n == 1)
            stage_add(s, ++last, "eve", "evil.test", STREAM_DIGEST);
        stage_run(s, 7 * SECOND);
    }
    EXPECT(s->deferred > 0, "it stalls over hers");
    EXPECT(s->machine_tries[machine_number(s, "mx2.shared.test")] == 0, "his goes to the first of the hosts");
    stage_free(s);
}

/* For one of them very much waits, which came before. */
static void domains_go_by_turns(void **state)
{
    enum { MANY = 200, FEW = 10 };
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"mx.shared.test"}, .limit = 1}, {0}};
    (void)state;
    struct stage *s = stage_new(&settings, domains, servers);
    int64_t last = 1;
    stage_add(s, last, "bob", "few.test", STREAM_DIGEST);
    stage_run(s, SECOND);
    for (unsigned i = 0; i < MANY; i++)
        stage_add(s, ++last, "bob", "many.test", STREAM_DIGEST);
    stage_add(s, ++last, "bob", "new.test", STREAM_DIGEST);
    int64_t new = last;
    for (unsigned i = 0; i < FEW; i++)
        stage_add(s, ++last, "bob", "few.test", STREAM_DIGEST);
    (void)stage_run_until(s, last, last, MINUTE);
    EXPECT(s->order_of[last] > FEW && s->order_of[last] <= 3 * FEW, "the few go between");
    (void)stage_run_until(s, 1, last, MINUTE);
    EXPECT(s->order_of[new] <= MANY * 3 / 4, "what is new waits no longer");
    EXPECT(s->order_of[MANY + 1] == MANY + FEW + 2, "and all go");
    stage_free(s);
}

/* A large message takes long. */
static void what_is_taken_late_is_not_behind(void **state)
{
    enum { MANY = 30 };
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"mx.late.test"}, .limit = 1}, {0}};
    static const struct stage_server late[] = {
        {.host = "mx.late.test", .slow_domain = "large.test", .slow_ms = 15 * SECOND, .message_ms = 50}, {0}};
    (void)state;
    struct stage *s = stage_new(&settings, domains, late);
    int64_t last = 1;
    stage_add(s, last, "bob", "many.test", STREAM_DIGEST);
    stage_add(s, ++last, "bob", "large.test", STREAM_DIGEST);
    stage_add(s, ++last, "bob", "large.test", STREAM_DIGEST);
    stage_run(s, 10 * SECOND);
    for (unsigned i = 0; i < MANY; i++)
        stage_add(s, ++last, "bob", "many.test", STREAM_DIGEST);
    (void)stage_run_until(s, 1, last, 2 * MINUTE);
    EXPECT(s->order_of[3] > 0 && s->order_of[3] < MANY / 2, "the next one has its turn");
    stage_free(s);
}

/* What one tenant's mail meets there is no reason for another's to wait. */
static void a_stall_puts_no_other_tenants_mail_behind(void **state)
{
    enum { NEW = 20 };
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"mx.shared.test"}, .limit = 2}, {0}};
    (void)state;
    char name[40];
    struct stage *s = stage_new(&settings, domains, servers);
    int64_t last = 1;
    stage_add(s, last, "bob", "honest.test", STREAM_DIGEST);
    stage_run(s, SECOND);
    stage_add(s, ++last, "eve", "evil.test", STREAM_DIGEST);
    stage_run(s, 15 * SECOND);
    stage_add(s, ++last, "bob", "evil.test", STREAM_DIGEST);
    for (unsigned i = 0; i < NEW; i++) {
        snprintf(name, sizeof(name), "new%u.test", i);
        stage_add(s, ++last, "bob", name, STREAM_DIGEST);
    }
    stage_run(s, MINUTE);
    EXPECT(s->order_of[3] > 0 && s->order_of[3] < NEW / 2, "his goes by its arrival");
    stage_free(s);
}

/* However many new domains there are all the time: one for which more waits has its turn. */
static void new_domains_pass_over_none(void **state)
{
    enum { MANY = 20, NEW = 400 };
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"mx.shared.test"}, .limit = 1}, {0}};
    (void)state;
    char name[40];
    struct stage *s = stage_new(&settings, domains, servers);
    int64_t last = 0;
    for (unsigned i = 0; i < MANY; i++)
        stage_add(s, ++last, "bob", "many.test", STREAM_DIGEST);
    for (unsigned i = 0; i < NEW; i++) {
        snprintf(name, sizeof(name), "new%u.test", i);
        stage_add(s, ++last, "bob", name, STREAM_DIGEST);
        stage_run(s, 40);
    }
    EXPECT(s->done_ms[MANY / 4] >= 0, "it goes, too");
    (void)stage_run_until(s, 1, last, MINUTE);
    EXPECT(s->done_ms[MANY] >= 0 && s->done_ms[last] >= 0, "all go");
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_to_good_domains_goes_before_what_stalls),
        cmocka_unit_test(a_stall_over_one_domain_has_no_host_avoided),
        cmocka_unit_test(domains_go_by_turns),
        cmocka_unit_test(what_is_taken_late_is_not_behind),
        cmocka_unit_test(a_stall_puts_no_other_tenants_mail_behind),
        cmocka_unit_test(new_domains_pass_over_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
