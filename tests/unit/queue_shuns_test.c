// SPDX-License-Identifier: BSD-2-Clause
/* queue_shuns_test.c - Hosts that end connections over one tenant's mail, for many tenants and sets of hosts at once. The kinds of
 * fault: what a second tenant meets now and then is taken for what all meet; each set of hosts is tried as if it were the first. */
#include "queue_mail_stage.h"

#include <stdio.h>

enum { STEP_MS = 100 };

static bool is_of(const struct stage *s, size_t i, const char *tenant)
{
    return strcmp(s->works[i].attempt->tenant, tenant) == 0;
}

/* Hers always, his one time in five, the third one's never. */
static void what_a_second_tenant_meets_now_and_then_is_his(void **state)
{
    (void)state;
    struct stage s;
    unsigned carls = 0;
    unsigned bobs = 0;
    stage_begin(&s);
    for (unsigned n = 0; n < 600; n++) {
        if (n % 5 == 0)
            stage_add(&s, "eve", 1);
        stage_add(&s, n % 2 ? "bob" : "carl", 1);
        for (unsigned left = 100; s.count > 0 && left > 0; left--) {
            if (is_of(&s, 0, "eve") || (is_of(&s, 0, "bob") && ++bobs % 5 == 0)) {
                stage_hung_up(&s, 0);
            } else {
                carls += is_of(&s, 0, "carl");
                stage_taken(&s, 0);
            }
        }
        stage_wait(&s, STEP_MS);
    }
    EXPECT(s.rests == 0 && s.rests_of_one > 0, "it rests for those two only");
    EXPECT(carls == 300, "and the third one's all go at once");
    queue_free(s.queue);
}

/* As a server that is full for us does. */
static void what_all_meet_rests_for_all(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 1);
    stage_add(&s, "carl", 1);
    stage_all_taken(&s);
    stage_add(&s, "eve", 5);
    stage_add(&s, "bob", 5);
    stage_add(&s, "carl", 5);
    size_t before = s.opened;
    while (s.count > 0)
        stage_hung_up(&s, 0);
    EXPECT(s.rests == 1 && s.opened - before <= 4, "as soon as a second one meets it");
    queue_free(s.queue);
}

/* At a hundred and fifty sets of a provider's hosts. */
static void one_refused_at_many_hosts_rests_at_their_provider(void **state)
{
    (void)state;
    enum { SETS = 150, FOR_MS = 25 * 1000 };
    struct stage s;
    char domain[16];
    unsigned taken = 0;
    stage_begin(&s);
    for (unsigned k = 0; k < 5; k++)
        for (unsigned i = 0; i < SETS; i++) {
            snprintf(domain, sizeof(domain), "p%u.test", i);
            stage_add_to(&s, "eve", domain, 1);
            while (s.count > 0)
                stage_hung_up(&s, 0);
        }
    for (unsigned n = 0; n < FOR_MS / STEP_MS; n++) {
        snprintf(domain, sizeof(domain), "p%u.test", n % SETS);
        stage_add_to(&s, "bob", domain, 1);
        while (s.count > 0)
            if (is_of(&s, 0, "bob"))
                stage_taken(&s, 0), taken++;
            else
                stage_hung_up(&s, 0);
        stage_wait(&s, STEP_MS);
    }
    unsigned hers = (unsigned)s.opened - taken;
    if (hers > 40)
        fail_msg("%u connections for hers", hers);
    EXPECT(taken == FOR_MS / STEP_MS && s.rests == 0, "his goes on");
    queue_free(s.queue);
}

/* The same where they answer 4xx: new hosts are tried one at a time. */
static void who_is_suspected_tries_new_hosts_one_at_a_time(void **state)
{
    (void)state;
    enum { SETS = 20 };
    struct stage s;
    char domain[16];
    stage_begin(&s);
    stage_add_to(&s, "eve", "p0.test", 1);
    (void)stage_refused(&s, 0);
    s.most = 0;
    for (unsigned i = 1; i < SETS; i++) {
        snprintf(domain, sizeof(domain), "p%u.test", i);
        stage_add_to(&s, "eve", domain, 1);
        EXPECT(s.count == 1, "one at a time");
    }
    unsigned taken = 0;
    for (; s.count > 0; taken++)
        stage_taken(&s, 0);
    EXPECT(taken == SETS - 1, "all go");
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_second_tenant_meets_now_and_then_is_his),
        cmocka_unit_test(what_all_meet_rests_for_all),
        cmocka_unit_test(one_refused_at_many_hosts_rests_at_their_provider),
        cmocka_unit_test(who_is_suspected_tries_new_hosts_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
