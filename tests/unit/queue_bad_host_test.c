// SPDX-License-Identifier: BSD-2-Clause
/* queue_bad_host_test.c - One of several hosts always refuses, or hangs: it rests for longer each time, and the others are
 * used. Of one host alone the rest is its destination's, or at a provider with others that of its mail. The kind: what never
 * works is tried for each message. */
#include "queue_stage.h"

/* UNKNOWN: so long one stalls until it is known. */
enum { MESSAGES = 90, UNKNOWN = 32, EACH_MS = 10 * 1000, TRIES_MOST = 14 };

#define PROVIDER ".mail.protection.outlook.com"

static const struct stage_domain domains[] = {
    {.name = "several.test", .hosts = {"bad.test", "good.test", "fine.test"}},
    {.name = "provider.test", .hosts = {"bad" PROVIDER, "good" PROVIDER, "fine" PROVIDER}},
    {.name = "alone.test", .hosts = {"bad" PROVIDER}},
    {.name = "other.test", .hosts = {"other" PROVIDER}},
    {0}};
static const struct queue_settings settings = {.shards = 2};

/* `spoken`: a 421, and no silence. */
static const struct {
    const char *label;
    enum server_kind kind;
    bool spoken;
} rows[] = {
    {"refuses the connection", SERVER_REFUSES, false}, {"closes without a word", SERVER_FULL, false},
    {"says 421", SERVER_FULL, true},                   {"hangs", SERVER_HANGS, false},
    {"stalls", SERVER_STALLS, false},
};

static struct stage *begin(size_t row, struct stage_server servers[2])
{
    servers[0] = (struct stage_server){.host = "bad*", .kind = rows[row].kind, .machine = rows[row].spoken ? 7 : 8};
    servers[1] = (struct stage_server){0};
    struct stage *s = stage_new(&settings, domains, servers);
    s->tracing = false;
    return s;
}

/* One after another, so that each needs a connection of its own. How many were done at once, after a while. */
static size_t send(struct stage *s, const char *domain, const char *beside)
{
    size_t soon = 0;
    for (int64_t m = 1; m <= MESSAGES; m++) {
        stage_add(s, m, "bob", domain, STREAM_NOTIFICATION);
        if (beside)
            stage_add(s, MESSAGES + m, "amy", beside, STREAM_NOTIFICATION);
        stage_run(s, EACH_MS);
        soon += m > UNKNOWN && s->done_ms[beside ? MESSAGES + m : m] >= 0;
    }
    return soon;
}

static void one_of_several_rests_and_the_others_are_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t k = 0; k < 2; k++) {
            struct stage_server servers[2];
            struct stage *s = begin(i, servers);
            size_t soon = send(s, domains[k].name, NULL);
            unsigned tries = s->machine_tries[servers[0].machine];
            if (soon + 4 < MESSAGES - UNKNOWN || tries > TRIES_MOST)
                fail_msg("%s, %s: %zu of %d at once, tried %u times", rows[i].label, domains[k].name, soon, MESSAGES - UNKNOWN, tries);
            stage_free(s);
        }
}

static void of_one_alone_the_destination_rests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stage_server servers[2];
        struct stage *s = begin(i, servers);
        struct queue_destination_view view;
        send(s, "alone.test", NULL);
        unsigned tries = s->machine_tries[servers[0].machine];
        if (tries > (rows[i].kind == SERVER_STALLS ? MESSAGES : TRIES_MOST))
            fail_msg("%s: tried %u times", rows[i].label, tries);
        assert_true(queue_find_destination(s->queue, "microsoft365:25", &view, s->now_ms));
        assert_true(rows[i].kind == SERVER_STALLS || view.failures > 0);
        stage_free(s);
    }
}

/* And another's mail to another host of the same provider goes on. */
static void of_one_alone_beside_others_its_mail_rests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stage_server servers[2];
        struct stage *s = begin(i, servers);
        size_t soon = send(s, "alone.test", "other.test");
        unsigned tries = s->machine_tries[servers[0].machine];
        if (soon + 4 < MESSAGES - UNKNOWN || tries > (rows[i].kind == SERVER_STALLS ? MESSAGES : TRIES_MOST))
            fail_msg("%s: %zu of %d beside it, tried %u times", rows[i].label, soon, MESSAGES - UNKNOWN, tries);
        stage_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_several_rests_and_the_others_are_used),
        cmocka_unit_test(of_one_alone_the_destination_rests),
        cmocka_unit_test(of_one_alone_beside_others_its_mail_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
