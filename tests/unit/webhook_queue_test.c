// SPDX-License-Identifier: BSD-2-Clause
/* webhook_queue_test.c - Endpoints that hang, fail or are many delay no other; each event is sent in its order, and once at a time. */
#include "table.h"

#include "webhook_queue.h"

#include <stdlib.h>

enum { MOST = 24 };

static const struct webhook_answer fine = {.how = WEBHOOK_ANSWERED, .status = 200};
static const struct webhook_answer away = {.how = WEBHOOK_UNREACHED};
static const struct webhook_answer gone = {.how = WEBHOOK_ANSWERED, .status = 410};

static struct webhook_queue *with(unsigned endpoints, const char *tenant, int64_t first)
{
    struct webhook_queue *q = webhook_queue_new(MOST);
    webhook_queue_begin(q);
    for (unsigned i = 0; i < endpoints; i++)
        webhook_queue_put(q, first + i, tenant, -1);
    webhook_queue_end(q);
    return q;
}

/* As the outbox answers: so many of the oldest as are wanted, of `waiting` that there are. */
static void read_rows(struct webhook_queue *q, int64_t steady_ms, int64_t first, int64_t waiting)
{
    struct webhook_endpoint *p = NULL;
    while ((p = webhook_queue_each(q, p))) {
        int64_t wanted = webhook_queue_wants(p, steady_ms);
        for (int64_t i = 0; i < wanted && i < waiting; i++) {
            char body[] = "{}";
            const struct webhook_item row = {.id = webhook_queue_id(p) * 1000000 + first + i, .webhook = webhook_queue_id(p), .event = first + i, .body = body};
            webhook_queue_add(q, &row);
        }
    }
}

static unsigned send_all(struct webhook_queue *q, int64_t steady_ms, struct webhook_item *sent[MOST + 1])
{
    unsigned count = 0;
    struct webhook_item *item;
    while ((item = webhook_queue_next(q, steady_ms))) {
        assert_true(count < MOST);
        sent[count++] = item;
    }
    return count;
}

static void answer(struct webhook_queue *q, struct webhook_item *item, const struct webhook_answer *a, int64_t steady_ms)
{
    webhook_queue_answered(q, item, a, 0, steady_ms, steady_ms);
    webhook_queue_done(q, item);
}

/* One endpoint, until it has four at a time: the events in their order. */
static void the_oldest_first_and_four_at_a_time(void **state)
{
    struct webhook_queue *q = with(1, "shop", 1);
    struct webhook_item *sent[MOST + 1];
    int64_t next = 0;
    unsigned most = 0;
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        read_rows(q, 1000, next, 100);
        unsigned count = send_all(q, 1000, sent);
        assert_in_range(count, 1, WEBHOOK_AT_ONCE);
        most = count > most ? count : most;
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(sent[i]->event, next++);
        for (unsigned i = 0; i < count; i++)
            answer(q, sent[i], &fine, 1000);
    }
    assert_int_equal(most, WEBHOOK_AT_ONCE);
    webhook_queue_free(q);
}

/* What is under way or not written down yet is read again, and not sent again. */
static void what_is_under_way_is_not_sent_twice(void **state)
{
    struct webhook_queue *q = with(1, "shop", 1);
    struct webhook_item *sent[MOST + 1];
    (void)state;
    read_rows(q, 1000, 0, 1);
    assert_int_equal(send_all(q, 1000, sent), 1);
    read_rows(q, 1000, 0, 1);
    assert_null(webhook_queue_next(q, 1000));
    struct webhook_news news = webhook_queue_answered(q, sent[0], &fine, 0, 1000, 1000);
    assert_int_equal(news.next.end, WEBHOOK_TAKEN);
    read_rows(q, 1000, 0, 1);
    assert_null(webhook_queue_next(q, 1000));
    webhook_queue_done(q, sent[0]);
    webhook_queue_free(q);
}

/* Three tenants with sixteen endpoints each, none of which ever answers: another's endpoint has its events at once, all of
 * the time, and up to four of them. */
static void endpoints_that_hang_starve_nobody(void **state)
{
    struct webhook_queue *q = webhook_queue_new(MOST);
    struct webhook_item *held[2 * MOST];
    unsigned hanging = 0;
    unsigned served = 0;
    int64_t next = 0;
    (void)state;
    webhook_queue_begin(q);
    for (unsigned i = 0; i < 48; i++)
        webhook_queue_put(q, 100 + i, i < 16 ? "a" : i < 32 ? "b" : "c", -1);
    webhook_queue_put(q, 1, "good", -1);
    webhook_queue_end(q);
    for (int64_t now = 1000; now < 200 * 1000; now += 100) {
        struct webhook_item *item;
        unsigned good = 0;
        struct webhook_item *mine[WEBHOOK_AT_ONCE];
        if (now % 20000 == 0) { /* their time is over */
            while (hanging > 0)
                answer(q, held[--hanging], &away, now);
        }
        read_rows(q, now, next, 1000);
        while ((item = webhook_queue_next(q, now)))
            if (item->webhook == 1)
                mine[good++] = item;
            else
                held[hanging++] = item;
        assert_in_range(hanging, 0, MOST / 2);
        assert_true(good > 0);
        served += good;
        next += good;
        while (good > 0)
            answer(q, mine[--good], &fine, now);
    }
    assert_true(served > 1990 * 3);
    while (hanging > 0)
        answer(q, held[--hanging], &away, 0);
    webhook_queue_free(q);
}

/* Many endpoints of one tenant that answer, but slowly: others still find a place. */
static void a_tenant_with_many_leaves_places(void **state)
{
    struct webhook_queue *q = webhook_queue_new(MOST);
    struct webhook_item *sent[MOST + 1];
    (void)state;
    webhook_queue_begin(q);
    for (unsigned i = 0; i < 16; i++)
        webhook_queue_put(q, 100 + i, "a", -1);
    webhook_queue_end(q);
    unsigned most = 0;
    for (unsigned round = 0; round < 20; round++) {
        read_rows(q, 1000, round * 100, 100);
        unsigned count = send_all(q, 1000, sent);
        most = count > most ? count : most;
        if (round < 19)
            for (unsigned i = 0; i < count; i++)
                answer(q, sent[i], &fine, 1000);
    }
    assert_in_range(most, MOST / 2, MOST / 3 * 2);
    webhook_queue_put(q, 1, "b", -1);
    read_rows(q, 1000, 5000, 1);
    struct webhook_item *item = webhook_queue_next(q, 1000);
    assert_true(item && item->webhook == 1);
    webhook_queue_free(q);
}

/* One tenant's endpoints hang before another's first event comes: it does not wait for their time to be over. */
static void a_newcomer_finds_a_place_among_those_that_hang(void **state)
{
    struct webhook_queue *q = with(16, "a", 100);
    struct webhook_item *sent[MOST + 1];
    (void)state;
    read_rows(q, 1000, 0, 10);
    assert_int_equal(send_all(q, 1000, sent), MOST / 3);
    for (unsigned tenant = 0; tenant < 3; tenant++) {
        const char name[] = {(char)('b' + tenant), '\0'};
        webhook_queue_put(q, tenant, name, -1);
        read_rows(q, 1000, 0, 10);
        struct webhook_item *item = webhook_queue_next(q, 1000);
        EXPECT(item && item->webhook == tenant, name);
    }
    webhook_queue_free(q);
}

static void one_that_is_gone_is_sent_nothing_more(void **state)
{
    struct webhook_queue *q = with(1, "shop", 1);
    struct webhook_item *sent[MOST + 1];
    (void)state;
    read_rows(q, 1000, 0, 10);
    assert_int_equal(send_all(q, 1000, sent), 1);
    struct webhook_news news = webhook_queue_answered(q, sent[0], &gone, 0, 1000, 1000);
    assert_true(news.over);
    assert_null(webhook_queue_next(q, 1000));
    webhook_queue_done(q, sent[0]);
    assert_int_equal(webhook_queue_count(q), 0);
    webhook_queue_free(q);
}

/* One that was failing before a restart goes on failing, and is told what it missed; one failure is not its end, however long
 * nothing was sent to it before, but another hour of them is. */
static void five_days_go_on_over_a_restart(void **state)
{
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        const int64_t hour_ms = 3600 * 1000;
        struct webhook_queue *q = webhook_queue_new(MOST);
        struct webhook_item *sent[MOST + 1];
        webhook_queue_put(q, 1, "shop", 2 * webhook_patience_ms);
        read_rows(q, 1000, 0, 10);
        assert_int_equal(send_all(q, 1000, sent), 1);
        struct webhook_news news = webhook_queue_answered(q, sent[0], fails ? &away : &fine, 0, 1000, 5000 + webhook_patience_ms);
        assert_true(fails ? !news.over && news.failing_ms == 5000 + hour_ms : news.recovered && news.changed && news.failing_ms == 0);
        webhook_queue_done(q, sent[0]);
        if (fails) {
            assert_int_equal(send_all(q, 1000 + hour_ms, sent), 1);
            sent[0]->tries = 1; /* it has waited since the last failure */
            assert_true(webhook_queue_answered(q, sent[0], &away, 0, 1000 + hour_ms, 5000 + hour_ms + webhook_patience_ms).over);
            webhook_queue_done(q, sent[0]);
        }
        webhook_queue_free(q);
    }
}

/* The clock is set while it fails: for how long it has is counted by another one. */
static void a_clock_that_is_set_makes_no_failure_longer(void **state)
{
    struct webhook_queue *q = with(1, "shop", 1);
    struct webhook_item *sent[MOST + 1];
    (void)state;
    read_rows(q, 1000, 0, 10);
    assert_int_equal(send_all(q, 1000, sent), 1);
    webhook_queue_answered(q, sent[0], &away, 0, 1000, 7000);
    webhook_queue_done(q, sent[0]);
    assert_int_equal(send_all(q, 3000, sent), 1);
    struct webhook_news news = webhook_queue_answered(q, sent[0], &away, 0, 3000, 9000 + 2 * webhook_patience_ms);
    assert_true(!news.over && news.failing_ms == 7000 + 2 * webhook_patience_ms);
    webhook_queue_done(q, sent[0]);
    webhook_queue_free(q);
}

static void one_that_is_there_again_is_told_what_it_missed(void **state)
{
    struct webhook_queue *q = with(1, "shop", 1);
    struct webhook_item *sent[MOST + 1];
    (void)state;
    read_rows(q, 1000, 0, 10);
    assert_int_equal(send_all(q, 1000, sent), 1);
    struct webhook_news news = webhook_queue_answered(q, sent[0], &away, 0, 1000, 7000);
    assert_true(news.changed && news.failing_ms == 7000 && !news.recovered && !news.over);
    webhook_queue_done(q, sent[0]);
    assert_int_equal(send_all(q, 3000, sent), 1);
    news = webhook_queue_answered(q, sent[0], &fine, 0, 3000, 9000);
    assert_true(news.changed && news.failing_ms == 0 && news.recovered);
    webhook_queue_done(q, sent[0]);
    webhook_queue_free(q);
}

/* Removed while something is on its way to it. */
static void what_is_removed_ends_when_it_is_answered(void **state)
{
    struct webhook_queue *q = with(2, "shop", 1);
    struct webhook_item *sent[MOST + 1];
    (void)state;
    read_rows(q, 1000, 0, 10);
    assert_int_equal(send_all(q, 1000, sent), 2);
    webhook_queue_begin(q);
    webhook_queue_put(q, sent[1]->webhook, "shop", -1);
    webhook_queue_end(q);
    assert_int_equal(webhook_queue_count(q), 2);
    answer(q, sent[0], &fine, 1000);
    assert_int_equal(webhook_queue_count(q), 1);
    answer(q, sent[1], &fine, 1000);
    webhook_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_oldest_first_and_four_at_a_time),
                                       cmocka_unit_test(what_is_under_way_is_not_sent_twice),
                                       cmocka_unit_test(endpoints_that_hang_starve_nobody),
                                       cmocka_unit_test(a_tenant_with_many_leaves_places),
                                       cmocka_unit_test(a_newcomer_finds_a_place_among_those_that_hang),
                                       cmocka_unit_test(one_that_is_gone_is_sent_nothing_more),
                                       cmocka_unit_test(five_days_go_on_over_a_restart),
        cmocka_unit_test(a_clock_that_is_set_makes_no_failure_longer),
                                       cmocka_unit_test(one_that_is_there_again_is_told_what_it_missed),
                                       cmocka_unit_test(what_is_removed_ends_when_it_is_answered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
