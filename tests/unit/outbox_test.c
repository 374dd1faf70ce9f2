// SPDX-License-Identifier: BSD-2-Clause
/* outbox_test.c - What endpoints are told is there exactly when the event is, for those who want it; bounded for each, and
 * replayed. */
#include "store_stage.h"

#include "clock.h"
#include "db.h"
#include "events.h"
#include "outbox.h"
#include "suppressions.h"

#include <jansson.h>
#include <stdlib.h>

#define RUNS(name)                                             \
    static void name(void **state)                             \
    {                                                          \
        struct err err = {0};                                  \
        (void)state;                                           \
        if (!store_run_alone(place, in_##name, NULL, &err))    \
            fail_msg("%s", err.text);                          \
    }

static int64_t add(struct database *db, const char *tenant, unsigned types, const char *streams)
{
    struct err err = {0};
    int64_t id = 0;
    struct webhook w = {.types = types, .url = "https://a.test/", .created_ms = 1};
    snprintf(w.tenant, sizeof(w.tenant), "%s", tenant);
    snprintf(w.streams, sizeof(w.streams), "%s", streams);
    webhook_secret_generate(w.secret);
    if (!database_webhook_add(db, &w, &id, &err))
        fail_msg("%s", err.text);
    return id;
}

static void tell(struct database *db, const char *kind, const char *tenant, const char *stream, int64_t at_ms)
{
    struct err err = {0};
    const struct database_event e = {.at_ms = at_ms, .kind = kind, .message = 5, .recipient = "b@dest.test", .enhanced = "", .reply = "", .remote = "", .credential = "app",
                                     .message_id = "<1@club.test>", .sender = "a@club.test", .tenant = tenant, .stream = stream};
    if (!rows_event(db, &e, &err))
        fail_msg("%s", err.text);
}

struct list {
    char types[64][40];
    int64_t ids[64], events[64];
    size_t count;
};

static void note(void *context, const struct outbox_row *row)
{
    struct list *l = context;
    json_t *body = json_loads(row->body, 0, NULL);
    assert_non_null(body);
    if (l->count < COUNT_OF(l->ids)) {
        snprintf(l->types[l->count], sizeof(l->types[0]), "%s", json_string_value(json_object_get(body, "type")));
        l->ids[l->count] = row->id;
        l->events[l->count] = row->event;
    }
    l->count++;
    json_decref(body);
}

static struct list due(struct database *db, int64_t webhook, int64_t now_ms)
{
    struct list l = {.count = 0};
    struct err err = {0};
    assert_true(database_outbox_due(db, webhook, now_ms, 1000, note, &l, &err));
    return l;
}

static bool in_each_is_told_what_it_wants_of_its_own(struct database *db, void *context, struct err *err)
{
    int64_t all = add(db, "shop", WEBHOOK_ALL, "");
    int64_t ends = add(db, "shop", 1U << WEBHOOK_BOUNCED | 1U << WEBHOOK_DELIVERED, "");
    int64_t reset = add(db, "shop", WEBHOOK_ALL, ",news,reset,");
    int64_t other = add(db, "bank", WEBHOOK_ALL, "");
    (void)context;
    (void)err;
    tell(db, "accepted", "shop", "reset", 1000);
    tell(db, "paced", "shop", "reset", 1000);
    tell(db, "delivered", "shop", "rese", 1001);
    tell(db, "bounced", "shop", "news", 1002);
    assert_int_equal(due(db, all, 5000).count, 3);
    assert_int_equal(due(db, all, 1000).count, 1);
    struct list l = due(db, ends, 5000);
    assert_int_equal(l.count, 2);
    assert_string_equal(l.types[0], "message.delivered");
    assert_string_equal(l.types[1], "message.bounced");
    assert_true(l.events[0] < l.events[1]);
    assert_int_equal(due(db, reset, 5000).count, 2);
    assert_int_equal(due(db, other, 5000).count, 0);
    return true;
}
RUNS(each_is_told_what_it_wants_of_its_own)

/* What the relay makes itself, as reports, though they are the tenant's. */
static bool in_of_our_own_mail_nobody_is_told(struct database *db, void *context, struct err *err)
{
    int64_t all = add(db, "shop", WEBHOOK_ALL, "");
    const struct database_event e = {.at_ms = 1, .kind = "accepted", .message = 5, .recipient = "b@dest.test", .enhanced = "", .reply = "", .remote = "", .credential = "app", .sender = "", .tenant = "shop", .stream = "", .own = true};
    (void)context;
    assert_true(rows_event(db, &e, err));
    assert_int_equal(due(db, all, 5000).count, 0);
    return true;
}
RUNS(of_our_own_mail_nobody_is_told)

static bool in_what_is_undone_is_told_nobody(struct database *db, void *context, struct err *err)
{
    struct rows_mark mark;
    int64_t all = add(db, "shop", WEBHOOK_ALL, "");
    (void)context;
    tell(db, "accepted", "shop", "", 1000);
    assert_true(rows_savepoint(db, &mark, err));
    int64_t undone = add(db, "shop", WEBHOOK_ALL, "");
    tell(db, "delivered", "shop", "", 1000);
    assert_int_equal(due(db, undone, 5000).count, 1);
    assert_true(rows_undo(db, &mark, err));
    assert_int_equal(due(db, all, 5000).count, 1);
    tell(db, "bounced", "shop", "", 1001);
    assert_int_equal(due(db, all, 5000).count, 2);
    assert_int_equal(due(db, undone, 5000).count, 0);
    return true;
}
RUNS(what_is_undone_is_told_nobody)

static int64_t lost_of(struct database *db, int64_t id)
{
    struct webhook w;
    struct err err = {0};
    assert_true(database_webhook(db, id, &w, &err));
    return w.lost;
}

/* One that takes nothing has its oldest go, and says so; the other has all. */
static bool in_an_endpoint_fills_only_its_own_part(struct database *db, void *context, struct err *err)
{
    int64_t dead = add(db, "shop", WEBHOOK_ALL, "");
    int64_t other = add(db, "bank", WEBHOOK_ALL, "");
    int64_t count = 0;
    (void)context;
    database_limit_outbox(200 * 1000, 0);
    tell(db, "accepted", "bank", "", 1000);
    for (int i = 0; i < 3000; i++)
        tell(db, "accepted", "shop", "", 1000 + i);
    assert_true(database_webhook_waiting(db, dead, &count, err));
    assert_in_range(count, 300, 1000); /* of some 250 bytes each */
    assert_int_equal(lost_of(db, dead), 3000 - count);
    assert_int_equal(due(db, other, 5000).count, 1);
    assert_int_equal(lost_of(db, other), 0);
    struct list l = due(db, dead, 5000);
    assert_true(l.events[0] > 1000); /* the oldest are gone */
    database_limit_outbox(UINT64_C(64) << 20, 0);
    return true;
}
RUNS(an_endpoint_fills_only_its_own_part)

static void add_user(struct database *db, const char *tenant)
{
    struct database_user u = {0};
    struct err err = {0};
    snprintf(u.identity.name, sizeof(u.identity.name), "%s", tenant);
    snprintf(u.identity.tenant, sizeof(u.identity.tenant), "%s", tenant);
    if (!database_add_user(db, &u, &err))
        fail_msg("%s", err.text);
}

static int64_t in_the_outbox(struct database *db, const int64_t *ids, size_t count)
{
    int64_t sum = 0;
    struct err err = {0};
    for (size_t i = 0; i < count; i++) {
        int64_t waiting = 0;
        assert_true(database_webhook_waiting(db, ids[i], &waiting, &err));
        sum += waiting;
    }
    return sum;
}

/* A tenant with sixteen endpoints that take nothing has its own oldest events go, and never more than its share beside the others', who lose nothing. */
static bool in_a_tenant_fills_only_its_own_share(struct database *db, void *context, struct err *err)
{
    int64_t ids[WEBHOOKS_OF_TENANT];
    int64_t lost = 0;
    const int64_t all = 1000 * 1000;
    (void)context;
    add_user(db, "shop");
    add_user(db, "bank");
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = add(db, "shop", WEBHOOK_ALL, "");
    int64_t other = add(db, "bank", WEBHOOK_ALL, "");
    database_limit_outbox(UINT64_C(64) << 20, (uint64_t)all);
    for (int i = 0; i < 400; i++)
        tell(db, "accepted", "bank", "", 1000);
    for (int i = 0; i < 1000; i++)
        tell(db, "accepted", "shop", "", 1000);
    int64_t has = shares_find(&db->shares, "shop")->bytes[DATABASE_OUTBOX];
    int64_t bank = shares_find(&db->shares, "bank")->bytes[DATABASE_OUTBOX];
    assert_in_range(has, all / 2, all * 3 / 4 + 50 * 1000); /* half of it, and what nobody is kept */
    assert_in_range(bank, 400 * 150, 400 * 400);
    assert_true(has + bank < all);
    int64_t waiting = in_the_outbox(db, ids, COUNT_OF(ids));
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        lost += lost_of(db, ids[i]);
    assert_int_equal(waiting + lost, 1000 * WEBHOOKS_OF_TENANT); /* each is there, or counted as lost */
    assert_true(in_the_outbox(db, &other, 1) == 400 && lost_of(db, other) == 0);

    /* what is undone is taken back */
    struct rows_mark mark;
    assert_true(rows_savepoint(db, &mark, err));
    for (int i = 0; i < 200; i++)
        tell(db, "accepted", "bank", "", 1000);
    assert_true(shares_find(&db->shares, "bank")->bytes[DATABASE_OUTBOX] > bank);
    assert_true(rows_undo(db, &mark, err));
    tell(db, "accepted", "bank", "", 1000);
    assert_in_range(shares_find(&db->shares, "bank")->bytes[DATABASE_OUTBOX], bank, bank + 1000);
    /* and so is what is removed */
    assert_true(database_webhook_remove(db, other, err));
    tell(db, "accepted", "shop", "", 1000);
    assert_int_equal(shares_find(&db->shares, "bank")->bytes[DATABASE_OUTBOX], 0);
    database_limit_outbox(UINT64_C(64) << 20, 0);
    return true;
}
RUNS(a_tenant_fills_only_its_own_share)

static unsigned refusals(struct database *db)
{
    return shares_find(&db->shares, "shop")->refused[DATABASE_OUTBOX].count;
}

static void send_all(struct database *db, int64_t webhook)
{
    struct err err = {0};
    struct list l = due(db, webhook, 5000);
    for (size_t i = 0; i < l.count; i++) {
        const struct outbox_result r = {.id = l.ids[i], .webhook = webhook, .event = l.events[i], .tries = 1};
        assert_true(database_outbox_settle(db, &r, &err));
    }
}

/* What was sent is kept as long as there is room: where only such rows go nobody has lost anything, and nobody is told. */
static bool in_only_what_is_lost_is_told(struct database *db, void *context, struct err *err)
{
    int64_t id = add(db, "shop", WEBHOOK_ALL, "");
    (void)context;
    (void)err;
    add_user(db, "shop");
    database_limit_outbox(UINT64_C(64) << 20, 300 * 1000);
    for (int i = 0; i < 1500; i++) {
        tell(db, "accepted", "shop", "", 1000);
        send_all(db, id);
    }
    assert_true(lost_of(db, id) == 0 && refusals(db) == 0 && !db->endpoints->by_share);
    for (int i = 0; i < 3000; i++)
        tell(db, "accepted", "shop", "", 1000);
    assert_true(lost_of(db, id) > 0 && refusals(db) > 0 && db->endpoints->by_share);
    database_limit_outbox(200 * 1000, 0); /* and why is the last reason */
    for (int i = 0; i < 2000; i++)
        tell(db, "accepted", "shop", "", 1000);
    assert_true(db->endpoints->lost && !db->endpoints->by_share);
    database_limit_outbox(UINT64_C(64) << 20, 0);
    return true;
}
RUNS(only_what_is_lost_is_told)

/* Of all that a tenant has in the outbox, what was sent goes before what is to be. */
static bool in_what_is_sent_goes_first(struct database *db, void *context, struct err *err)
{
    int64_t quick = add(db, "shop", WEBHOOK_ALL, ",other,");
    int64_t dead = add(db, "shop", WEBHOOK_ALL, ",dead,");
    const struct share *shop = shares_find(&db->shares, "shop");
    int64_t count = 0;
    int64_t told = 0;
    (void)context;
    add_user(db, "shop");
    database_limit_outbox(UINT64_C(64) << 20, 300 * 1000);
    for (; shop->bytes[DATABASE_OUTBOX] < 160 * 1000; told++)
        tell(db, "accepted", "shop", "dead", 1000);
    while (shop->bytes[DATABASE_OUTBOX] < 280 * 1000) {
        tell(db, "accepted", "shop", "other", 1000);
        send_all(db, quick);
    }
    for (int64_t end = told + 200; told < end; told++) /* what takes nothing has most */
        tell(db, "accepted", "shop", "dead", 1000);
    assert_true(database_webhook_waiting(db, dead, &count, err));
    assert_int_equal(count, told);
    assert_int_equal(lost_of(db, dead), 0);
    assert_in_range(shop->bytes[DATABASE_OUTBOX], 200 * 1000, 320 * 1000);
    while (lost_of(db, dead) == 0 && told < 5000) { /* when there is nothing else its oldest go */
        tell(db, "accepted", "shop", "dead", 1000);
        told++;
    }
    assert_true(told < 5000 && shop->bytes[DATABASE_OUTBOX] < 320 * 1000);
    database_limit_outbox(UINT64_C(64) << 20, 0);
    return true;
}
RUNS(what_is_sent_goes_first)

/* An endpoint that is added is no reason to forget what was lost and told of the others. */
static bool in_what_is_known_of_the_others_stays(struct database *db, void *context, struct err *err)
{
    int64_t first = add(db, "shop", WEBHOOK_ALL, "");
    (void)context;
    (void)err;
    database_limit_outbox(20 * 1000, 0);
    for (int i = 0; i < 500; i++)
        tell(db, "accepted", "shop", "", 1000);
    assert_true(lost_of(db, first) > 0 && db->endpoints->lost);
    int64_t bytes = shares_find(&db->shares, "shop")->bytes[DATABASE_OUTBOX];
    add(db, "bank", WEBHOOK_ALL, "");
    tell(db, "accepted", "bank", "", 1000);
    assert_true(db->endpoints->id == first && db->endpoints->lost);
    assert_int_equal(shares_find(&db->shares, "shop")->bytes[DATABASE_OUTBOX], bytes);
    database_limit_outbox(UINT64_C(64) << 20, 0);
    return true;
}
RUNS(what_is_known_of_the_others_stays)

static bool in_a_row_is_settled_and_replayed(struct database *db, void *context, struct err *err)
{
    int64_t all = add(db, "shop", WEBHOOK_ALL, "");
    (void)context;
    for (int i = 0; i < 3; i++)
        tell(db, "accepted", "shop", "", 1000 + i);
    struct list l = due(db, all, 5000);
    struct outbox_result r = {.id = l.ids[0], .webhook = all, .event = l.events[0], .tries = 1};
    assert_true(database_outbox_settle(db, &r, err)); /* sent */
    r = (struct outbox_result){.id = l.ids[1], .webhook = all, .event = l.events[1], .again = true, .due_ms = 9000, .tries = 1, .unreached = true};
    assert_true(database_outbox_settle(db, &r, err));
    assert_int_equal(due(db, all, 5000).count, 1);
    assert_true(database_outbox_recover(db, all, 5000, err));
    assert_int_equal(due(db, all, 5000).count, 2);

    struct webhook_replay replay = {.webhook = all, .since_ms = 0, .now_ms = 5000};
    assert_true(database_webhook_replay(db, &replay, err));
    assert_true(replay.count == 3 && !replay.more);
    assert_int_equal(due(db, all, 5000).count, 3);
    replay = (struct webhook_replay){.webhook = all, .since_ms = 1001, .now_ms = 4000};
    assert_true(database_webhook_replay(db, &replay, err));
    assert_int_equal(replay.count, 2);
    char id[64];
    snprintf(id, sizeof(id), "evt_%llx_%llx", 1000LL, (long long)l.events[0]);
    replay = (struct webhook_replay){.webhook = all, .id = id, .now_ms = 3000};
    assert_true(database_webhook_replay(db, &replay, err));
    assert_int_equal(replay.count, 1);
    assert_int_equal(due(db, all, 3000).ids[0], l.ids[0]);

    r = (struct outbox_result){.id = l.ids[0], .webhook = all, .event = l.events[0], .lost = true, .tries = 10};
    assert_true(database_outbox_settle(db, &r, err)); /* given up */
    assert_int_equal(due(db, all, 5000).count, 2);
    assert_int_equal(lost_of(db, all), 1);

    /* a result about another's row changes nothing */
    r = (struct outbox_result){.id = l.ids[2], .webhook = all + 1, .event = l.events[2]};
    assert_true(database_outbox_settle(db, &r, err));
    assert_int_equal(due(db, all, 5000).count, 2);
    return true;
}
RUNS(a_row_is_settled_and_replayed)

static bool in_who_unsubscribes_is_told(struct database *db, void *context, struct err *err)
{
    int64_t all = add(db, "shop", WEBHOOK_ALL, "");
    int64_t other = add(db, "bank", WEBHOOK_ALL, "");
    bool changed = false;
    struct suppress_entry e = {.address = "b@dest.test", .tenant = "shop", .stream = "news", .source = "page", .reason = SUPPRESS_UNSUBSCRIBE, .created_ms = 1};
    (void)context;
    assert_true(database_suppress(db, &e, 1000, &changed, err) && changed);
    assert_true(database_suppress(db, &e, 1000, &changed, err) && !changed);
    e.reason = SUPPRESS_MANUAL;
    assert_true(database_suppress(db, &e, 1000, &changed, err) && changed);
    struct list l = due(db, all, 5000);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.types[0], "message.unsubscribed");
    assert_int_equal(due(db, other, 5000).count, 0);
    /* The kind: who follows one stream hears nothing of those who want no mail at all, or that of no tenant. */
    int64_t reset = add(db, "shop", WEBHOOK_ALL, ",reset,");
    e = (struct suppress_entry){.address = "c@dest.test", .tenant = "shop", .source = "page", .reason = SUPPRESS_UNSUBSCRIBE, .created_ms = 1};
    assert_true(database_suppress(db, &e, 1000, &changed, err) && changed);
    assert_true(due(db, reset, 5000).count == 1 && due(db, all, 5000).count == 2 && due(db, other, 5000).count == 0);
    snprintf(e.address, sizeof(e.address), "d@dest.test");
    e.tenant[0] = '\0';
    assert_true(database_suppress(db, &e, 1000, &changed, err) && changed);
    assert_true(due(db, reset, 5000).count == 2 && due(db, other, 5000).count == 1);
    return true;
}
RUNS(who_unsubscribes_is_told)

static bool in_a_tenant_has_so_many(struct database *db, void *context, struct err *err)
{
    struct webhook w = {.types = 1, .url = "https://a.test/", .tenant = "shop"};
    int64_t id = 0;
    (void)context;
    for (unsigned i = 0; i < WEBHOOKS_OF_TENANT; i++)
        add(db, "shop", 1, "");
    assert_false(database_webhook_add(db, &w, &id, err));
    assert_int_equal(err->kind, ERR_LIMIT);
    *err = (struct err){0};
    add(db, "bank", 1, "");
    return true;
}
RUNS(a_tenant_has_so_many)

/* A number is not given again while the outbox has something of it. */
static bool in_what_is_removed_leaves_nothing_to_the_next(struct database *db, void *context, struct err *err)
{
    int64_t first = add(db, "shop", WEBHOOK_ALL, "");
    (void)context;
    tell(db, "accepted", "shop", "", 1000);
    assert_true(database_webhook_remove(db, first, err));
    int64_t second = add(db, "bank", WEBHOOK_ALL, "");
    assert_true(second > first);
    assert_int_equal(due(db, second, 5000).count, 0);
    assert_false(database_webhook_remove(db, first, err));
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    *err = (struct err){0};
    return true;
}
RUNS(what_is_removed_leaves_nothing_to_the_next)

/* ---- with a store ---- */

static bool run_add(struct database *db, void *context, struct err *err)
{
    int64_t *id = context;
    (void)err;
    *id = add(db, "shop", WEBHOOK_ALL, "");
    return true;
}

static bool run_due(struct database *db, void *context, struct err *err)
{
    struct list *l = context;
    (void)err;
    *l = due(db, l->ids[0], INT64_MAX / 2);
    return true;
}

static struct list due_in(struct store *store, int64_t webhook)
{
    struct list l = {.ids = {webhook}};
    assert_int_equal(run_change(store, run_due, &l), STORE_CHANGED);
    return l;
}

static int64_t accept_of_shop(struct store *store, int64_t lived_ms)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = new_accept(&w);
    a->mail = make_mail(store, 1);
    snprintf(a->mail->tenant, sizeof(a->mail->tenant), "shop");
    snprintf(a->mail->credential, sizeof(a->mail->credential), "app");
    snprintf(a->mail->protocol, sizeof(a->mail->protocol), "ESMTPSA");
    a->mail->created_ms -= lived_ms;
    a->mail->expires_ms -= lived_ms;
    buf_add(&a->body, SPAN("Subject: x\r\n\r\nx\r\n"));
    int64_t id = a->mail->id;
    store_put(store, &a->job);
    wait_for(&w);
    assert_int_equal(a->result, STORE_ACCEPTED);
    store_job_free(&a->job);
    return id;
}

static void outcome(struct store *store, int64_t id, const char *kind, enum mail_state to)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_settle *s = new_settle(&w);
    struct store_outcome *o = store_settle_add(s);
    *o = (struct store_outcome){.message = id, .state = to, .tries = 1, .due_ms = clock_now_ms() + 60000, .answer = verdict_make(451, "4.0.0", "later"), .kind = kind};
    store_put(store, &s->job);
    wait_for(&w);
    assert_int_equal(s->result, STORE_RECORDED);
    store_job_free(&s->job);
}

/* Lifetime of a message of the stage: 1000 s. */
static void a_delay_is_told_twice_at_most(void **state)
{
    static const struct {
        int64_t lived_ms;
        size_t told;
    } rows[] = {{0, 1}, {790 * 1000, 1}, {801 * 1000, 2}};
    struct store *store = start();
    (void)state;
    int64_t webhook = 0;
    assert_int_equal(run_change(store, run_add, &webhook), STORE_CHANGED);
    size_t before = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t id = accept_of_shop(store, rows[i].lived_ms);
        for (unsigned k = 0; k < 5; k++)
            outcome(store, id, "deferred", MAIL_WAITING);
        outcome(store, id, "delivered", MAIL_DONE);
        size_t count = due_in(store, webhook).count;
        assert_int_equal(count - before, 2 + rows[i].told);
        before = count;
    }
    assert_true(store_outbox_news(store) > 0);
    assert_true(store_stop(store));
}

static void without_endpoints_nothing_is_written(void **state)
{
    struct store *store = start();
    (void)state;
    outcome(store, accept_of_shop(store, 0), "delivered", MAIL_DONE);
    assert_int_equal(due_in(store, 1).count, 0);
    assert_int_equal(store_outbox_news(store), 0);
    assert_true(store_stop(store));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(each_is_told_what_it_wants_of_its_own),
                                       TEST(of_our_own_mail_nobody_is_told),
                                       TEST(what_is_undone_is_told_nobody),
                                       TEST(an_endpoint_fills_only_its_own_part), TEST(only_what_is_lost_is_told), TEST(what_is_sent_goes_first), TEST(what_is_known_of_the_others_stays),
                                       TEST(a_tenant_fills_only_its_own_share),
                                       TEST(a_row_is_settled_and_replayed),
                                       TEST(who_unsubscribes_is_told),
                                       TEST(a_tenant_has_so_many),
                                       TEST(what_is_removed_leaves_nothing_to_the_next),
                                       TEST(a_delay_is_told_twice_at_most),
                                       TEST(without_endpoints_nothing_is_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
