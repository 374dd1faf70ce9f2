// SPDX-License-Identifier: BSD-2-Clause
/* queue_kept_test.c - What is kept though nobody uses it: names' answers, destinations, addresses. The kind: one tenant's
 * entries fill a table, and what others have learned is forgotten. */
#include "queue_stage.h"

#include "kept.h"

enum { OWN = 5300 };

static const struct stage_server servers[] = {
    {.host = "mx.dead.test", .kind = SERVER_REFUSES}, {.host = "mx.gone*", .kind = SERVER_REFUSES}, {0}};
static const struct queue_settings settings = {.per_destination = 2};

/* To as many domains of her own, over and over. */
static int64_t visit(struct stage *s, int64_t message, const char *own)
{
    char domain[40];
    int64_t first = message + 1;
    for (size_t i = 0; i < OWN; i++) {
        snprintf(domain, sizeof(domain), "%s%zu.test", own, i);
        stage_add(s, ++message, "eve", domain, STREAM_NOTIFICATION);
        if (i % 500 == 499)
            stage_run_until(s, first, message, 2000);
    }
    stage_run(s, 2000);
    return message;
}

static void add(struct stage *s, int64_t message, const char *tenant, const char *domain)
{
    stage_add(s, message, tenant, domain, STREAM_NOTIFICATION);
    stage_run(s, 1000);
    queue_drop(s->queue, message, 0, s->now_ms);
}

/* That a server does not work, by destination and by address, and where names lead: whether her own servers work, or do
 * not, and though she uses the dead server, too. (A name's answer is paid for by whose mail found it last: what she uses may
 * be looked up once more.) */
static void what_others_have_learned_stays_known(void **state)
{
    static const char *const own[] = {"own", "gone"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        struct stage *s = stage_new(&settings, NULL, servers);
        struct queue_destination_view view;
        struct queue_address a = {.port = 25};
        unsigned failures = 0;
        unsigned machine = machine_number(s, "mx.dead.test");
        memcpy(a.ip, &machine, sizeof(machine));
        s->tracing = false;
        add(s, 1, "bob", "dead.test");
        add(s, 2, "bob", "good.test");
        add(s, 3, "eve", "dead.test");
        int64_t last = visit(s, 3, own[i]);
        assert_true(queue_find_destination(s->queue, "mx.dead.test:25", &view, s->now_ms));
        assert_true(view.failures > 0);
        queue_address_rest_ms(s->queue, &a, &failures, s->now_ms);
        assert_true(failures > 0);
        s->tracing = true;
        add(s, ++last, "bob", "good.test");
        assert_true(s->done_ms[last] >= 0);
        assert_null(strstr(s->trace, "RESOLVE good.test"));
        stage_free(s);
    }
}

struct thing {
    struct users users;
    struct kept_item kept;
};

static struct thing things[60];

static void put(struct kept *k, size_t at, uint64_t before, uint64_t last)
{
    users_note(&things[at].users, before);
    users_note(&things[at].users, last);
    kept_put(k, &things[at].users, &things[at].kept);
}

/* The oldest of who has most; what two have used is the one's that has fewer. */
static void who_has_most_loses_the_oldest(void **state)
{
    static const size_t order[] = {2, 3};
    struct kept k;
    (void)state;
    kept_init(&k);
    assert_null(kept_first(&k));
    put(&k, 0, 0, 1);
    put(&k, 1, 1, 2); /* which the first one has used, too */
    for (size_t i = 2; i < 6; i++)
        put(&k, i, 0, 2);
    assert_int_equal(k.count, 6);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        assert_ptr_equal(kept_first(&k), &things[order[i]].kept);
        kept_take(&k, &things[order[i]].kept);
    }
    kept_take(&k, &things[3].kept); /* which is not kept */
    kept_take(&k, &things[4].kept);
    assert_ptr_equal(kept_first(&k), &things[0].kept);
    kept_take(&k, &things[0].kept);
    kept_take(&k, &things[5].kept);
    assert_ptr_equal(kept_first(&k), &things[1].kept);
    put(&k, 6, 0, 0); /* nobody's */
    assert_int_equal(k.count, 2);
    kept_fini(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_have_learned_stays_known),
        cmocka_unit_test(who_has_most_loses_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
