// SPDX-License-Identifier: BSD-2-Clause
/* inbox_test.c - What is posted is run or dropped, once, wherever its inbox is in its life. */
#include "table.h"

#include "inbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct post {
    struct inbox_item item;
    struct inbox *closes; /* when it is run; NULL: nothing */
    void *owned;
};

static unsigned runs;
static atomic_uint drops;

static void end(struct inbox_item *item)
{
    struct post *p = OWNER_OF(item, struct post, item);
    free(p->owned);
    free(p);
}

static void on_run(struct inbox_item *item)
{
    struct inbox *closes = OWNER_OF(item, struct post, item)->closes;
    runs++;
    end(item);
    if (closes)
        inbox_close(closes);
}

static void on_drop(struct inbox_item *item)
{
    atomic_fetch_add(&drops, 1);
    end(item);
}

static void post(struct inbox *inbox, struct inbox *closes)
{
    struct post *p = xcalloc(1, sizeof(*p));
    *p = (struct post){.item = {.run = on_run, .drop = on_drop}, .closes = closes};
    p->owned = xcalloc(1, 64);
    inbox_post(inbox, &p->item);
}

/* How many are posted before it is closed, from inside one of them or from outside, and after. */
static void test_run_or_dropped(void **state)
{
    static const struct {
        const char *label;
        unsigned before, after_closing, late; /* late: when the loop has ended */
        bool from_inside;
        unsigned want_runs, want_drops;
    } rows[] = {
        {"all are run", 3, 0, 0, true, 3, 0},
        {"closed before the loop looks", 3, 0, 0, false, 0, 3},
        {"those behind the one that closes it", 2, 3, 0, true, 2, 3},
        {"posted when it is closed", 1, 0, 2, true, 1, 2},
        {"never used", 0, 0, 1, false, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct inbox inbox;
        uv_loop_t loop;
        runs = 0;
        atomic_store(&drops, 0);
        assert_int_equal(uv_loop_init(&loop), 0);
        inbox_init(&inbox, &loop);
        for (unsigned k = 0; k < rows[i].before; k++)
            post(&inbox, rows[i].from_inside && k + 1 == rows[i].before ? &inbox : NULL);
        for (unsigned k = 0; k < rows[i].after_closing; k++)
            post(&inbox, NULL);
        if (!rows[i].from_inside)
            inbox_close(&inbox);
        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        for (unsigned k = 0; k < rows[i].late; k++)
            post(&inbox, NULL);
        assert_int_equal(uv_loop_close(&loop), 0);
        if (runs != rows[i].want_runs || atomic_load(&drops) != rows[i].want_drops)
            fail_msg("%s: %u run, %u dropped", rows[i].label, runs, atomic_load(&drops));
    }
}

enum { POSTS = 20000 };

static void *post_many(void *context)
{
    for (unsigned i = 0; i < POSTS; i++)
        post(context, NULL);
    return NULL;
}

static void on_closing_time(uv_timer_t *timer)
{
    inbox_close(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

/* Another thread posts while it is closed. */
static void test_closed_meanwhile(void **state)
{
    struct inbox inbox;
    uv_loop_t loop;
    uv_timer_t timer;
    pthread_t other;
    (void)state;
    runs = 0;
    atomic_store(&drops, 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    inbox_init(&inbox, &loop);
    uv_timer_init(&loop, &timer);
    timer.data = &inbox;
    uv_timer_start(&timer, on_closing_time, 1, 0);
    assert_int_equal(pthread_create(&other, NULL, post_many, &inbox), 0);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    pthread_join(other, NULL);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(runs + atomic_load(&drops), POSTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_or_dropped),
        cmocka_unit_test(test_closed_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
