// SPDX-License-Identifier: BSD-2-Clause
/* returns_claims_test.c - What a message that came back means for the recipient to whose address it came; and what of that is written down:
 * once, of the right message, within the store's transaction. */
#include "store_stage.h"

#include "came_back.h"
#include "clock.h"
#include "db.h"
#include "suppressions.h"

#include <stdlib.h>

#define GONE "550 5.1.1 No such user"

static struct returns_reading *r;
static struct returns_claims *c;

static void report(enum returns_kind kind, const char *address, enum returns_action action, const char *said)
{
    memset(r, 0, sizeof(*r));
    r->kind = kind;
    r->recipient_count = 1;
    snprintf(r->recipients[0].address, sizeof(r->recipients[0].address), "%s", address);
    snprintf(r->recipients[0].reply, sizeof(r->recipients[0].reply), "%s", said);
    r->recipients[0].action = action;
}

static void what_follows(void **state)
{
    static const struct {
        enum returns_kind kind;
        enum returns_action action;
        const char *address, *said;
        enum returns_event event;
        unsigned after;
        bool personal;
    } rows[] = {
        {RETURNS_DSN_FAILED, RETURNS_ACTION_FAILED, "BOB@dest.test", GONE, RETURNS_EVENT_RETURNED, 1, false},
        {RETURNS_DSN_FAILED, RETURNS_ACTION_FAILED, "eve@dest.test", GONE, RETURNS_EVENT_RETURNED, 2, false},
        {RETURNS_DSN_FAILED, RETURNS_ACTION_FAILED, "bob@dest.test", "552 5.2.2 Mailbox full", RETURNS_EVENT_RETURNED, 0, false},
        {RETURNS_BOUNCE_NONSTANDARD, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_RETURNED, 2, false},
        {RETURNS_DSN_DELAYED, RETURNS_ACTION_DELAYED, "bob@dest.test", GONE, RETURNS_EVENT_LATE_DELAY, 0, false},
        {RETURNS_DSN_DELIVERED, RETURNS_ACTION_DELIVERED, "bob@dest.test", GONE, RETURNS_EVENT_NOTHING, 0, false},
        {RETURNS_AUTO_REPLY, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_AUTO_REPLIED, 0, false},
        {RETURNS_LIST, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_NOTHING, 0, false},
        {RETURNS_MDN, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_NOTHING, 0, false},
        {RETURNS_ARF, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_NOTHING, 0, false},
        {RETURNS_UNKNOWN, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_NOTHING, 0, false},
        {RETURNS_HUMAN, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_NOTHING, 0, true},
        {RETURNS_CHALLENGE, RETURNS_ACTION_FAILED, "bob@dest.test", GONE, RETURNS_EVENT_NOTHING, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        report(rows[i].kind, rows[i].address, rows[i].action, rows[i].said);
        returns_claims_make(r, c);
        const struct returns_fate fate = returns_claims_about(c, "bob@dest.test");
        EXPECT(fate.event == rows[i].event && fate.suppress_after == rows[i].after && c->personal == rows[i].personal, returns_kind_name(rows[i].kind));
    }
}

/* One address, to which the mail was forwarded, may be meant; of several nobody knows which. */
static void of_several(void **state)
{
    (void)state;
    report(RETURNS_DSN_FAILED, "eve@dest.test", RETURNS_ACTION_FAILED, GONE);
    r->recipients[r->recipient_count++] = r->recipients[0];
    returns_claims_make(r, c);
    assert_int_equal(returns_claims_about(c, "bob@dest.test").event, RETURNS_EVENT_NOTHING);
    snprintf(r->recipients[1].original, sizeof(r->recipients[1].original), "bob@dest.test");
    returns_claims_make(r, c);
    assert_int_equal(returns_claims_about(c, "bob@dest.test").suppress_after, 1);
    report(RETURNS_BOUNCE_NONSTANDARD, "", RETURNS_ACTION_UNSAID, "");
    r->recipient_count = 0;
    returns_claims_make(r, c);
    const struct returns_fate fate = returns_claims_about(c, "bob@dest.test");
    assert_true(fate.event == RETURNS_EVENT_RETURNED && !fate.judgement && fate.suppress_after == 0);
}

/* ---- written down ---- */

static struct came_back about(int64_t message)
{
    struct came_back b = {.subject = {message, 0}, .hostname = "mail.club.test", .suppress_days = 90};
    report(RETURNS_DSN_FAILED, "bob@dest.test", RETURNS_ACTION_FAILED, GONE);
    returns_claims_make(r, &b.claims);
    return b;
}

static enum came_back_result bring(struct store *store, struct came_back *b)
{
    assert_int_equal(run_change(store, database_came_back, b), STORE_CHANGED);
    return b->result;
}

static bool on_day(struct database *db, void *context, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_RETURN_PATHS_FORGET, INT(0), INT(INT64_MAX), INT(*(int64_t *)context)), err);
}

/* From club.test to bob@dest.test, as an application has submitted it. */
static int64_t submit(struct store *store)
{
    struct waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER, .left = 1};
    struct store_accept *a = new_accept(&w);
    struct mail *m = a->mail = make_mail(store, 0);
    int64_t id = m->id;
    envelope_add(&m->envelope, SPAN("bob@dest.test"), "dest.test", SPAN_NONE, 0);
    snprintf(m->protocol, sizeof(m->protocol), "ESMTPSA");
    snprintf(m->from_domain, sizeof(m->from_domain), "club.test");
    buf_add(&a->body, SPAN("x"));
    store_put(store, &a->job);
    wait_for(&w);
    assert_true(store_has_accepted(a));
    store_job_free(&a->job);
    return id;
}

/* It is delivered by a return path of its own. */
static void deliver(struct store *store, int64_t id)
{
    struct waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER, .left = 1};
    struct store_settle *s = new_settle(&w);
    struct store_outcome *o = store_settle_add(s);
    *o = (struct store_outcome){.message = id, .state = MAIL_DONE, .kind = "delivered", .returnable = true, .answer = verdict_make(250, "2.0.0", "ok")};
    store_put(store, &s->job);
    wait_for(&w);
    store_job_free(&s->job);
}

static void once_and_of_that_message_only(void **state)
{
    struct store *store = start();
    int64_t id = submit(store);
    int64_t other = submit(store);
    struct came_back b = about(id), never = about(id + 7);
    (void)state;
    assert_int_equal(bring(store, &never), CAME_BACK_UNKNOWN);
    assert_int_equal(bring(store, &b), CAME_BACK_NOTED); /* before it is settled */
    assert_string_equal(b.recipient, "bob@dest.test");
    assert_string_equal(b.category, "mailbox_unknown");
    deliver(store, id);
    assert_int_equal(bring(store, &b), CAME_BACK_AGAIN); /* and after its end */
    struct came_back late = about(other);
    deliver(store, other);
    assert_int_equal(bring(store, &late), CAME_BACK_NOTED);
    int64_t day = clock_now_ms() / 86400000;
    assert_int_equal(run_change(store, on_day, &day), STORE_CHANGED);
    assert_int_equal(bring(store, &late), CAME_BACK_AGAIN);
    day += 1000; /* its time is over, and it is swept */
    assert_int_equal(run_change(store, on_day, &day), STORE_CHANGED);
    assert_int_equal(bring(store, &late), CAME_BACK_UNKNOWN);
    assert_true(store_stop(store));
}

int main(void)
{
    r = calloc(1, sizeof(*r));
    c = calloc(1, sizeof(*c));
    CHECK(r && c);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows),
        cmocka_unit_test(of_several),
        cmocka_unit_test_setup_teardown(once_and_of_that_message_only, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(r);
    free(c);
    return failed;
}
