// SPDX-License-Identifier: BSD-2-Clause
/* job_queue_test.c - What waits for the store: in order, none lost, nobody kept waiting who is
 * waited for, and no tenant by another one's mail. */
#include "table.h"

#include "clock.h"
#include "db.h"
#include "job_queue.h"
#include "jobs.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SLOW_MS = 2000 }; /* what a busy machine may add */

/* Somebody waits for it; it has a number. */
static struct job *make(int64_t number)
{
    struct store_accept *a = store_accept_new();
    a->job.answer = store_job_free;
    a->session = (uint64_t)number;
    return job_of(&a->job);
}

static struct job *make_outcome(int64_t number)
{
    struct store_settle *s = store_settle_new();
    s->job.answer = store_job_free;
    store_settle_add(s)->message = number;
    return job_of(&s->job);
}

static int64_t number_of(const struct job *job)
{
    if (job->kind == JOB_CHANGE)
        return (int64_t)(intptr_t)job->as.change.context;
    return job->kind == JOB_SETTLE ? job->as.settle.outcomes[0].message
                                   : (int64_t)job->as.accept.session;
}

/* Take and free; the first number is `from`, and they go up. */
static size_t take(struct job_queue *q, size_t max, int64_t wait_ms, int64_t from, bool *stopping_r)
{
    size_t count = 0;
    for (struct job *job = job_queue_take(q, max, wait_ms, stopping_r), *next = NULL; job;
         job = next) {
        next = job->next;
        assert_int_equal(number_of(job), from + (int64_t)count++);
        store_job_free(&job->as.any);
    }
    return count;
}

static void in_order_and_no_more_than_asked(void **state)
{
    struct job_queue q;
    bool stopping = true;
    (void)state;
    job_queue_init(&q);
    for (int64_t i = 0; i < 100; i++)
        job_queue_put(&q, i % 3 ? make(i) : make_outcome(i));
    for (int64_t from = 0; from < 100; from += 30)
        assert_int_equal(take(&q, 30, 0, from, &stopping), from < 90 ? 30 : 10);
    assert_false(stopping);
    assert_int_equal(take(&q, 30, 1, 0, &stopping), 0);
    assert_true(q.waiting == 0 && q.urgent == 0 && !q.first);
    job_queue_put(&q, make(7)); /* and it can be used again */
    assert_int_equal(take(&q, 30, 1000, 7, &stopping), 1);
    job_queue_fini(&q);
}

static void who_waits_for_nothing_comes_back(void **state)
{
    struct job_queue q;
    bool stopping = true;
    (void)state;
    job_queue_init(&q);
    int64_t began_ms = clock_steady_ms();
    assert_int_equal(take(&q, 10, 30, 0, &stopping), 0);
    assert_in_range(clock_steady_ms() - began_ms, 29, 30 + SLOW_MS);
    assert_false(stopping);
    job_queue_fini(&q);
}

/* Whoever stops still hands out what is there, at once, and then says that it was all. */
static void a_stop_loses_nothing(void **state)
{
    struct job_queue q;
    bool stopping = false;
    (void)state;
    job_queue_init(&q);
    for (int64_t i = 0; i < 5; i++)
        job_queue_put(&q, make_outcome(i));
    job_queue_stop(&q);
    int64_t began_ms = clock_steady_ms();
    assert_int_equal(take(&q, 3, 60 * 1000, 0, &stopping), 3);
    assert_true(stopping);
    assert_int_equal(take(&q, 3, 60 * 1000, 3, &stopping), 2);
    assert_int_equal(take(&q, 3, 60 * 1000, 0, &stopping), 0);
    assert_true(stopping);
    assert_in_range(clock_steady_ms() - began_ms, 0, SLOW_MS);
    job_queue_fini(&q);
}

/* An outcome alone waits for company, but not long. */
static void outcomes_wait_a_little(void **state)
{
    struct job_queue q;
    bool stopping = false;
    (void)state;
    job_queue_init(&q);
    job_queue_put(&q, make_outcome(0));
    int64_t began_ms = clock_steady_ms();
    assert_int_equal(take(&q, 10, 60 * 1000, 0, &stopping), 1);
    assert_in_range(clock_steady_ms() - began_ms, 5, SLOW_MS);
    job_queue_put(&q, make_outcome(0));
    job_queue_put(&q, make(1)); /* somebody waits for this one */
    assert_int_equal(take(&q, 10, 60 * 1000, 0, &stopping), 2);
    job_queue_fini(&q);
}

static void sleep_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};
    nanosleep(&t, NULL);
}

/* An outcome, and perhaps new mail a little later. */
struct later {
    pthread_t thread;
    struct job_queue *queue;
    bool mail;
};

static void *put_later(void *context)
{
    const struct later *l = context;
    sleep_ms(2);
    job_queue_put(l->queue, make_outcome(0));
    sleep_ms(2);
    if (l->mail)
        job_queue_put(l->queue, make(1));
    return NULL;
}

/* How often this thread slept until it had both, or the one; it has just had mail. */
static long sleeps_for(bool mail)
{
    struct job_queue q;
    struct later l = {.queue = &q, .mail = mail};
    struct rusage before;
    struct rusage after;
    bool stopping = false;
    job_queue_init(&q);
    job_queue_put(&q, make(0));
    assert_int_equal(take(&q, 10, 0, 0, &stopping), 1);
    assert_int_equal(pthread_create(&l.thread, NULL, put_later, &l), 0);
    getrusage(RUSAGE_THREAD, &before);
    size_t got = take(&q, 10, 60 * 1000, 0, &stopping);
    getrusage(RUSAGE_THREAD, &after);
    pthread_join(l.thread, NULL);
    if (got < 1U + mail) /* the other one came later than that: this time says nothing */
        (void)take(&q, 10, 60 * 1000, (int64_t)got, &stopping);
    job_queue_fini(&q);
    return got < 1U + mail ? LONG_MAX : after.ru_nvcsw - before.ru_nvcsw;
}

/* The outcome of what was accepted last is taken along without a wake-up of its own; and when
 * nothing else comes, after the one that ends the wait. On a busy machine not each time. */
static void an_outcome_wakes_nobody(void **state)
{
    (void)state;
    for (int mail = 0; mail < 2; mail++) {
        long least = LONG_MAX;
        time_t until = time(NULL) + 30;
        while (least > 1 && time(NULL) < until) {
            long n = sleeps_for(mail);
            least = n > 0 && n < least ? n : least; /* 0: both were there before it looked */
        }
        assert_int_equal(least, 1);
    }
}

enum { THREADS = 4, EACH = 2000 };

struct feeder {
    pthread_t thread;
    struct job_queue *queue;
    int64_t number;
};

static void *feed(void *context)
{
    struct feeder *f = context;
    for (int64_t i = 0; i < EACH; i++)
        job_queue_put(f->queue,
                      i % 5 ? make(f->number * EACH + i) : make_outcome(f->number * EACH + i));
    return NULL;
}

/* From many threads: each thread's jobs come in its order, and all of them. */
static void from_any_thread(void **state)
{
    struct job_queue q;
    struct feeder feeders[THREADS];
    int64_t next[THREADS] = {0};
    size_t left = (size_t)THREADS * EACH;
    bool stopping = false;
    (void)state;
    job_queue_init(&q);
    for (int64_t i = 0; i < THREADS; i++) {
        feeders[i] = (struct feeder){.queue = &q, .number = i};
        assert_int_equal(pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]), 0);
    }
    while (left > 0)
        for (struct job *job = job_queue_take(&q, 100, 10 * 1000, &stopping), *after = NULL; job;
             job = after, left--) {
            int64_t who = number_of(job) / EACH;
            assert_int_equal(number_of(job) % EACH, next[who]++);
            after = job->next;
            store_job_free(&job->as.any);
        }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(feeders[i].thread, NULL);
    assert_true(q.waiting == 0 && q.urgent == 0);
    job_queue_fini(&q);
}

/* ---- tenants ---- */

enum { MANY = 200, BATCHES_MAX = 1000 };

static void put_mail(struct job_queue *q, const char *tenant, int64_t number, size_t recipients)
{
    struct job *job = make(number);
    struct mail *mail = job->as.accept.mail = mail_new();
    snprintf(mail->tenant, sizeof(mail->tenant), "%s", tenant);
    for (size_t i = 0; i < recipients; i++)
        envelope_add(&mail->envelope, SPAN("a@dest.test"), "dest.test", SPAN(""), 0);
    job_queue_put(q, job);
}

/* What came in a batch, by who had put it. */
struct got {
    size_t jobs, work, eve, bob, carl, others;
    int64_t last_eve, last_bob, last_other;
};

static void count_mail(struct got *g, const struct job *job)
{
    const char *tenant = job->as.accept.mail->tenant;
    if (strcmp(tenant, "eve") == 0) {
        assert_true(number_of(job) > g->last_eve);
        g->last_eve = number_of(job);
        g->eve++;
    } else if (strcmp(tenant, "bob") == 0) {
        assert_true(number_of(job) > g->last_bob);
        g->last_bob = number_of(job);
        g->bob++;
    } else {
        g->carl++;
    }
}

/* One batch more; `g` goes on about the order alone. False: there was none. */
static bool take_some(struct job_queue *q, struct got *g)
{
    bool stopping = false;
    *g =
        (struct got){.last_eve = g->last_eve, .last_bob = g->last_bob, .last_other = g->last_other};
    for (struct job *job = job_queue_take(q, MANY, 0, &stopping), *next = NULL; job; job = next) {
        next = job->next;
        g->jobs++;
        g->work += job_work(job);
        if (job->kind == JOB_ACCEPT) {
            count_mail(g, job);
        } else {
            assert_true(number_of(job) > g->last_other);
            g->last_other = number_of(job);
            g->others++;
        }
        store_job_free(&job->as.any);
    }
    assert_true(g->jobs <= MANY && (g->work <= JOB_BATCH_WORK || g->jobs == 1));
    return g->jobs > 0;
}

/* The kind: mail of one tenant waits until that of another is written, as it came first. */
static void nobody_waits_for_the_mail_of_another_tenant(void **state)
{
    static const size_t sizes[] = {100, 30, 1, 2000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct job_queue q;
        struct got g = {0};
        size_t eves = 0;
        job_queue_init(&q);
        for (int64_t n = 1; n <= 500; n++)
            put_mail(&q, "eve", n, sizes[i]);
        put_mail(&q, "carl", 1, 1);
        put_mail(&q, "bob", 1, 1);
        assert_true(take_some(&q, &g));
        EXPECT(g.bob == 1 && g.carl == 1, "those who have come last are in the first batch");
        eves = g.eve;
        assert_true(take_some(&q, &g)); /* and so are they who come while others wait */
        put_mail(&q, "bob", 2, 1);
        eves += g.eve;
        assert_true(take_some(&q, &g));
        EXPECT(g.bob == 1, "the next batch");
        for (eves += g.eve; take_some(&q, &g); eves += g.eve)
            assert_int_equal(g.bob + g.carl, 0);
        assert_int_equal(eves, 500);
        assert_true(q.waiting == 0 && q.urgent == 0);
        job_queue_fini(&q);
    }
}

/* Among those who have more than fits, it is work that is shared, not the number of messages. */
static void tenants_share_the_work(void **state)
{
    struct job_queue q;
    struct got g = {0};
    size_t eve = 0;
    size_t bob = 0;
    (void)state;
    job_queue_init(&q);
    for (int64_t n = 1; n <= 1000; n++) {
        put_mail(&q, "eve", n, 99);
        put_mail(&q, "bob", n, 1);
    }
    for (int i = 0; i < 6; i++) {
        assert_true(take_some(&q, &g));
        eve += g.eve * 100;
        bob += g.bob * 2;
    }
    assert_in_range(bob, eve - 300, eve + 300);
    while (take_some(&q, &g))
        continue;
    job_queue_fini(&q);
}

/* Rows of the outbox are work, too: who has sixteen endpoints told of each recipient has so much
 * less mail in a batch, and the others as much as ever. */
static void what_endpoints_are_told_is_work(void **state)
{
    struct shares sh = {0};
    struct job_queue q;
    struct got g = {0};
    size_t eve = 0;
    size_t bob = 0;
    (void)state;
    job_queue_init(&q);
    q.shares = &sh;
    shares_find(&sh, "eve")->told[WEBHOOK_ACCEPTED] = 16;
    shares_find(&sh, "bob")->told[WEBHOOK_BOUNCED] = 16; /* nothing of what it submits */
    for (int64_t n = 1; n <= 500; n++) {
        put_mail(&q, "eve", n, 5);
        put_mail(&q, "bob", n, 5);
    }
    for (int i = 0; i < 6; i++) {
        assert_true(take_some(&q, &g));
        eve += g.eve * (1 + 5 * 17);
        bob += g.bob * 6;
    }
    assert_in_range(bob, eve - 300, eve + 300);
    while (take_some(&q, &g))
        continue;
    job_queue_fini(&q);
    shares_fini(&sh);
}

/* A message that alone is more than a batch: its tenant pays for all of it, turn by turn, before
 * it is written, and others' mail passes by. */
static void who_is_told_much_pays_for_all_of_it(void **state)
{
    struct shares sh = {0};
    struct job_queue q;
    struct got g = {0};
    size_t bob = 0;
    (void)state;
    job_queue_init(&q);
    q.shares = &sh;
    shares_find(&sh, "eve")->told[WEBHOOK_ACCEPTED] = 16;
    for (int64_t n = 1; n <= 20; n++)
        put_mail(&q, "eve", n, 100);
    for (int64_t n = 1; n <= 2000; n++)
        put_mail(&q, "bob", n, 1);
    do {
        assert_true(take_some(&q, &g));
        bob += g.bob;
    } while (g.eve == 0);
    assert_in_range(bob, 1701 / 2 - 100, 1701 / 2 + 200); /* as many rows */
    while (take_some(&q, &g))
        continue;
    job_queue_fini(&q);
    shares_fini(&sh);
}

/* Nor do outcomes, each of which is told sixteen times, keep out mail. */
static void outcomes_that_are_told_fill_half_a_batch(void **state)
{
    struct shares sh = {0};
    struct job_queue q;
    struct got g = {0};
    (void)state;
    job_queue_init(&q);
    q.shares = &sh;
    shares_find(&sh, "eve")->told[WEBHOOK_DELIVERED] = 16;
    for (int64_t n = 1; n <= 300; n++) {
        struct job *job = make_outcome(n);
        snprintf(job->as.settle.tenant, sizeof(job->as.settle.tenant), "eve");
        job->as.settle.outcomes[0].kind = "delivered";
        job_queue_put(&q, job);
        put_mail(&q, "bob", n, 1);
    }
    assert_true(take_some(&q, &g));
    EXPECT(g.bob >= 140, "half of the batch is mail");
    EXPECT(g.others <= 20, "as 18 rows each");
    while (take_some(&q, &g))
        continue;
    job_queue_fini(&q);
    shares_fini(&sh);
}

/* Of a delay endpoints are told twice at most, however often there is one. */
static void what_is_deferred_again_weighs_as_what_tells_nobody(void **state)
{
    (void)state;
    for (unsigned tries = 1; tries <= 9; tries += 4) {
        struct shares sh = {0};
        struct job_queue q;
        struct got g = {0};
        job_queue_init(&q);
        q.shares = &sh;
        shares_find(&sh, "eve")->told[WEBHOOK_DELAYED] = 16;
        for (int64_t n = 1; n <= 300; n++) {
            struct job *job = make_outcome(n);
            snprintf(job->as.settle.tenant, sizeof(job->as.settle.tenant), "eve");
            job->as.settle.outcomes[0].kind = "deferred";
            job->as.settle.outcomes[0].tries = tries;
            job->as.settle.outcomes[0].state = MAIL_WAITING;
            job_queue_put(&q, job);
            put_mail(&q, "bob", n, 1);
        }
        assert_true(take_some(&q, &g));
        EXPECT(tries > 1 || g.others <= 20, "the first is told");
        EXPECT(tries == 1 || g.others >= 90, "what comes after it is not");
        while (take_some(&q, &g))
            continue;
        job_queue_fini(&q);
        shares_fini(&sh);
    }
}

/* Nor what comes back, which strangers bring: it weighs what its tenant's endpoints are told, and as much as can be where the
 * tenant is not known yet. */
static void what_comes_back_weighs_as_what_it_tells(void **state)
{
    static const struct {
        const char *label, *tells, *tenant;
        size_t most;
    } cases[] = {
        {"16 endpoints hear of it", "returned", "eve", 15},
        {"nobody is told", "returned", "bob", 75},
        {"it may be anybody's", "complained", "", 15},
        {"a change of something else", NULL, "eve", MANY},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct shares sh = {0};
        struct job_queue q;
        struct got g = {0};
        job_queue_init(&q);
        q.shares = &sh;
        shares_find(&sh, "eve")->told[WEBHOOK_RETURNED] = 16;
        for (int64_t n = 1; n <= 600; n++) {
            struct store_change *c = store_change_new(NULL, (void *)(intptr_t)n);
            c->tells = cases[i].tells;
            snprintf(c->tenant, sizeof(c->tenant), "%s", cases[i].tenant);
            job_queue_put(&q, job_of(&c->job));
            put_mail(&q, "carl", n, 1);
        }
        assert_true(take_some(&q, &g));
        EXPECT(g.others >= cases[i].most / 2 && g.others <= cases[i].most, cases[i].label);
        EXPECT(g.bob + g.eve + g.carl > 0, cases[i].label);
        while (take_some(&q, &g))
            continue;
        job_queue_fini(&q);
        shares_fini(&sh);
    }
}

/* Outcomes and mail, each of them more than is ever written: both come along. */
static void outcomes_and_mail_starve_neither(void **state)
{
    struct job_queue q;
    struct got g = {0};
    int64_t outcomes = 0;
    int64_t mails = 0;
    (void)state;
    job_queue_init(&q);
    for (int i = 0; i < 50; i++) {
        while (outcomes < (i + 2) * 300)
            job_queue_put(&q, make_outcome(++outcomes));
        for (int n = 0; n < 10; n++)
            put_mail(&q, "eve", ++mails, 100);
        assert_true(take_some(&q, &g));
        EXPECT(g.others >= 50 && g.eve >= 2, "each batch");
    }
    while (take_some(&q, &g))
        continue;
    assert_true(g.last_other == outcomes && g.last_eve == mails);
    assert_true(q.waiting == 0 && q.urgent == 0 && job_turns_is_empty(&q.turns));
    job_queue_fini(&q);
}

/* Nor does a message that alone is more than a batch, beside outcomes that never end. */
static void outcomes_do_not_keep_out_what_is_large(void **state)
{
    struct job_queue q;
    struct got g = {0};
    int64_t outcomes = 0;
    (void)state;
    job_queue_init(&q);
    for (int i = 0; i < 20; i++) {
        while (outcomes < (i + 2) * 300)
            job_queue_put(&q, make_outcome(++outcomes));
        put_mail(&q, "eve", i + 1, 2000);
        assert_true(take_some(&q, &g));
        EXPECT(g.eve == 1, "each batch");
    }
    while (take_some(&q, &g))
        continue;
    job_queue_fini(&q);
}

/* What costs little is taken as many at a time as ever, in its order. */
static void small_mail_fills_a_batch(void **state)
{
    struct job_queue q;
    struct got g = {0};
    (void)state;
    job_queue_init(&q);
    for (int64_t n = 1; n <= 2 * MANY + 1; n++)
        put_mail(&q, n % 2 ? "eve" : "bob", n, 1);
    assert_true(take_some(&q, &g) && g.jobs == MANY);
    assert_true(take_some(&q, &g) && g.jobs == MANY);
    assert_true(take_some(&q, &g) && g.jobs == 1);
    job_queue_fini(&q);
}

/* When the clock is set, what waits by turns moves along. */
static void what_waits_by_turns_follows_the_clock(void **state)
{
    struct job_queue q;
    struct got g = {0};
    (void)state;
    job_queue_init(&q);
    for (int64_t n = 1; n <= 20; n++) {
        put_mail(&q, "eve", n, 100);
        job_queue_put(&q, make_outcome(n));
    }
    assert_true(take_some(&q, &g) && g.eve < 20);
    job_turns_move(&q.turns, 5000);
    bool stopping = false;
    for (struct job *job = job_queue_take(&q, MANY, 0, &stopping), *next = NULL; job; job = next) {
        next = job->next;
        int64_t moved = job->kind == JOB_SETTLE ? job->as.settle.outcomes[0].due_ms
                                                : job->as.accept.mail->created_ms;
        assert_int_equal(moved, 5000);
        store_job_free(&job->as.any);
    }
    g = (struct got){0};
    while (take_some(&q, &g))
        continue;
    job_queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_no_more_than_asked),
        cmocka_unit_test(who_waits_for_nothing_comes_back),
        cmocka_unit_test(a_stop_loses_nothing),
        cmocka_unit_test(outcomes_wait_a_little),
        cmocka_unit_test(an_outcome_wakes_nobody),
        cmocka_unit_test(from_any_thread),
        cmocka_unit_test(nobody_waits_for_the_mail_of_another_tenant),
        cmocka_unit_test(tenants_share_the_work),
        cmocka_unit_test(what_endpoints_are_told_is_work),
        cmocka_unit_test(who_is_told_much_pays_for_all_of_it),
        cmocka_unit_test(outcomes_that_are_told_fill_half_a_batch),
        cmocka_unit_test(what_is_deferred_again_weighs_as_what_tells_nobody),
        cmocka_unit_test(what_comes_back_weighs_as_what_it_tells),
        cmocka_unit_test(outcomes_and_mail_starve_neither),
        cmocka_unit_test(outcomes_do_not_keep_out_what_is_large),
        cmocka_unit_test(small_mail_fills_a_batch),
        cmocka_unit_test(what_waits_by_turns_follows_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
