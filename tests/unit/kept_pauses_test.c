// SPDX-License-Identifier: BSD-2-Clause
/* kept_pauses_test.c - What waits as some was refused, in a store: it comes back as it was, goes when it is over or old, and of too
 * many the tenant that has most loses the oldest. */
#include "store_stage.h"

#include "pauses.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 700, KEPT = 500 };

struct found {
    unsigned all, of_b;
    int64_t oldest_ms;
    struct queue_pause last;
    char texts[3][32];
};

static void count(void *context, const struct queue_pause *pause)
{
    struct found *f = context;
    f->all++;
    f->of_b += strcmp(pause->tenant, "b") == 0;
    if (f->oldest_ms == 0 || pause->until_ms < f->oldest_ms)
        f->oldest_ms = pause->until_ms;
    f->last = *pause;
    snprintf(f->texts[0], sizeof(f->texts[0]), "%s", pause->domain);
    snprintf(f->texts[1], sizeof(f->texts[1]), "%s", pause->about);
    snprintf(f->texts[2], sizeof(f->texts[2]), "%s", pause->why);
}

static bool keep(struct database *db, const char *tenant, unsigned i, enum queue_pause_state state, struct err *err)
{
    char domain[32];
    snprintf(domain, sizeof(domain), "d%u.test", i);
    const struct queue_pause pause = {.destination = "google:25", .tenant = tenant, .domain = domain, .about = "club.test", .row = "authentication", .why = "550 No", .kind = QUEUE_PAUSE_SENDER, .state = state, .since_ms = 5, .until_ms = 1000 + i, .for_ms = 600000};
    return database_keep_pause(db, &pause, err);
}

static bool comes_back(struct database *db, void *context, struct err *err)
{
    struct found f = {0};
    (void)context;
    bool ok = keep(db, "b", 1, QUEUE_PAUSE_RESTS, err) && keep(db, "b", 1, QUEUE_PAUSE_GROWS, err) && database_pauses(db, 0, count, &f, err);
    EXPECT(ok && f.all == 1 && f.of_b == 1 && f.last.kind == QUEUE_PAUSE_SENDER && f.last.state == QUEUE_PAUSE_GROWS, "one row, as it was last");
    EXPECT(strcmp(f.texts[0], "d1.test") == 0 && strcmp(f.texts[1], "club.test") == 0 && strcmp(f.texts[2], "550 No") == 0, "its texts");
    EXPECT(f.last.since_ms == 5 && f.last.until_ms == 1001 && f.last.for_ms == 600000, "its times");
    f = (struct found){0};
    ok = keep(db, "b", 2, QUEUE_PAUSE_RESTS, err) && keep(db, "b", 1, QUEUE_PAUSE_OVER, err) && database_pauses(db, 0, count, &f, err);
    EXPECT(ok && f.all == 1 && f.last.until_ms == 1002, "what is over goes");
    f = (struct found){0};
    ok = database_pauses(db, 1003, count, &f, err);
    EXPECT(ok && f.all == 0, "what is old is not given");
    return database_sweep_pauses(db, 1003, err);
}

static bool is_shared(struct database *db, void *context, struct err *err)
{
    struct found f = {0};
    (void)context;
    bool ok = keep(db, "b", 0, QUEUE_PAUSE_RESTS, err);
    for (unsigned i = 1; ok && i <= MANY; i++)
        ok = keep(db, "a", i, QUEUE_PAUSE_RESTS, err);
    ok = ok && database_sweep_pauses(db, 0, err) && database_pauses(db, 0, count, &f, err);
    EXPECT(ok && f.all == KEPT && f.of_b == 1, "the other tenant's stays, though it is the oldest");
    return ok;
}

static void in_a_store(void **state)
{
    static store_on_change *const runs[] = {comes_back, is_shared};
    (void)state;
    struct store *store = start();
    for (size_t i = 0; i < COUNT_OF(runs); i++)
        EXPECT(run_change(store, runs[i], NULL) == STORE_CHANGED, "it is written");
    store_stop(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(in_a_store, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
