// SPDX-License-Identifier: BSD-2-Clause
/* queue_shared_address_test.c - Destinations whose hosts are one machine. The kind: what a tenant calls urgent, at a domain
 * of its own, takes the turns and the places that another destination's mail has at the same address. */
#include "queue_stage.h"

enum { FLOOD = 6000, GOOD = 2500 };

static const struct stage_domain domains[] = {{.name = "evil*", .hosts = {"mx.evil.test"}}, {0}};
static const struct stage_domain many[] = {{0}};

/* `evil`: whose domains lead there. */
static const struct {
    const char *label;
    const struct stage_domain *domains;
    unsigned evil, places;
    int64_t message_ms;
} rows[] = {
    {"one place", domains, 1, 1, 200},
    {"two places", domains, 1, 2, 200},
    {"five", domains, 1, 5, 200},
    {"twenty", domains, 1, 20, 500},
    {"one, quick", domains, 1, 1, 30},
    {"one, very slow", domains, 1, 1, 3000},
    {"many destinations", many, 30, 5, 200},
};

static struct stage *begin(size_t row, struct stage_server servers[2])
{
    const struct queue_settings settings = {.shards = 2, .per_destination = rows[row].places};
    servers[0] = (struct stage_server){.host = "*", .machine = 7, .message_ms = rows[row].message_ms};
    servers[1] = (struct stage_server){0};
    struct stage *s = stage_new(&settings, rows[row].domains, servers);
    s->tracing = false;
    return s;
}

static int64_t flood(struct stage *s, int64_t message, unsigned evil, enum stream_class class, size_t count)
{
    char domain[40];
    for (size_t i = 0; i < count; i++) {
        snprintf(domain, sizeof(domain), "evil%zu.test", i % evil);
        stage_add(s, ++message, "eve", domain, class);
    }
    return message;
}

static size_t done_of(const struct stage *s, int64_t first, int64_t last)
{
    size_t done = 0;
    for (int64_t m = first; m <= last; m++)
        done += s->done_ms[m] >= 0;
    return done;
}

/* Half of the turns there, or a little less. */
static void codes_leave_other_mail_its_turns_there(void **state)
{
    static const enum stream_class classes[] = {STREAM_CONFIRMATION, STREAM_DIGEST};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t k = 0; k < COUNT_OF(classes); k++) {
            struct stage_server servers[2];
            struct stage *s = begin(i, servers);
            int64_t eve = flood(s, 0, rows[i].evil, STREAM_SECURITY, FLOOD);
            int64_t bob = eve;
            while (bob < eve + GOOD)
                stage_add(s, ++bob, "bob", "good.test", classes[k]);
            int64_t for_ms = rows[i].message_ms * 600 / rows[i].places;
            stage_run(s, 40000 + for_ms / 10);
            size_t evil = done_of(s, 1, eve);
            size_t well = done_of(s, eve + 1, bob);
            stage_run(s, for_ms);
            evil = done_of(s, 1, eve) - evil;
            well = done_of(s, eve + 1, bob) - well;
            if (well * 100 < (evil + well) * 35)
                fail_msg("%s, class %d: %zu codes, and %zu of the other's", rows[i].label, (int)classes[k], evil, well);
            if (s->machine_most[7] > rows[i].places)
                fail_msg("%s: %u at once", rows[i].label, s->machine_most[7]);
            stage_free(s);
        }
}

/* A few codes go soon, beside whatever flood of another's there. */
static void few_codes_go_soon_beside_any_flood_there(void **state)
{
    static const enum stream_class floods[] = {STREAM_SECURITY, STREAM_CONFIRMATION, STREAM_DIGEST};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t k = 0; k < COUNT_OF(floods); k++) {
            struct stage_server servers[2];
            struct stage *s = begin(i, servers);
            int64_t last = flood(s, 0, rows[i].evil, floods[k], FLOOD);
            stage_run(s, 30000);
            for (size_t n = 0; n < 6; n++) {
                stage_add(s, ++last, "bob", "good.test", STREAM_SECURITY);
                int64_t took_ms = stage_run_until(s, last, last, 600000);
                int64_t most_ms = 6 * rows[i].message_ms + 1500; /* another's turn of five messages */
                if (took_ms > most_ms)
                    fail_msg("%s, behind class %d: code %zu took %lld ms", rows[i].label, (int)floods[k], n,
                             (long long)took_ms);
                stage_run(s, 20 * rows[i].message_ms);
            }
            stage_free(s);
        }
}

/* Within its part it still goes first. */
static void who_sends_few_codes_goes_first_there(void **state)
{
    struct stage_server servers[2];
    struct stage *s = begin(0, servers);
    (void)state;
    int64_t last = 0;
    while (last < 1000)
        stage_add(s, ++last, "bob", "good.test", STREAM_DIGEST);
    stage_run(s, 20000);
    for (size_t n = 0; n < 10; n++) {
        last = flood(s, last, 1, STREAM_SECURITY, 1);
        int64_t took_ms = stage_run_until(s, last, last, 600000);
        if (took_ms > 1000)
            fail_msg("code %zu took %lld ms", n, (long long)took_ms);
        stage_run(s, 3000);
    }
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_leave_other_mail_its_turns_there),
        cmocka_unit_test(few_codes_go_soon_beside_any_flood_there),
        cmocka_unit_test(who_sends_few_codes_goes_first_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
