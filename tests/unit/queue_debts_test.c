// SPDX-License-Identifier: BSD-2-Clause
/* queue_debts_test.c - What a tenant has had at a place beyond its part is remembered there, whatever it or others do
 * elsewhere. The kind: what is remembered of one tenant's mail is forgotten, as another one's entries fill the table. */
#include "queue_stage.h"

enum { OWN = 2300, ROUNDS = 7, BURST = 100 };

static const struct stage_domain domains[] = {
    {.name = "a.test", .hosts = {"mx.shared.test"}}, {.name = "b.test", .hosts = {"mx.shared.test"}}, {0}};
static const struct stage_server servers[] = {{.host = "mx.shared.test", .message_ms = 200}, {0}};
static const struct queue_settings settings = {.per_destination = 1};

static int64_t add_many(struct stage *s, int64_t message, const char *tenant, const char *domain, enum stream_class class,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        stage_add(s, ++message, tenant, domain, class);
    return message;
}

/* One message to each domain of her own. */
static int64_t visit_own(struct stage *s, int64_t message)
{
    char domain[40];
    int64_t first = message + 1;
    for (size_t i = 0; i < OWN; i++) {
        snprintf(domain, sizeof(domain), "own%zu.test", i);
        stage_add(s, ++message, "eve", domain, STREAM_NOTIFICATION);
    }
    stage_run_until(s, first, message, 60000);
    assert_true(s->done_ms[message] >= 0);
    return message;
}

static size_t done_of(const struct stage *s, int64_t first, int64_t last)
{
    size_t done = 0;
    for (int64_t m = first; m <= last; m++)
        done += s->done_ms[m] >= 0;
    return done;
}

/* Codes, in bursts, and between them much mail to domains of her own: the other's plain mail has its half. */
static void domains_of_ones_own_do_not_settle_a_debt(void **state)
{
    struct stage *s = stage_new(&settings, domains, servers);
    size_t codes = 0;
    (void)state;
    s->tracing = false;
    int64_t bob = add_many(s, 0, "bob", "b.test", STREAM_DIGEST, 1500);
    int64_t last = bob;
    for (size_t i = 0; i < ROUNDS; i++) {
        last = add_many(s, last, "eve", "a.test", STREAM_SECURITY, BURST);
        stage_run_until(s, last, last, 600000);
        codes += BURST;
        last = visit_own(s, last);
    }
    size_t well = done_of(s, 1, bob);
    if (well * 100 < (well + codes) * 40)
        fail_msg("%zu codes, and %zu of the other's", codes, well);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains_of_ones_own_do_not_settle_a_debt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
