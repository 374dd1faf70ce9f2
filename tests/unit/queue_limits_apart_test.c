// SPDX-License-Identifier: BSD-2-Clause
/* queue_limits_apart_test.c - Whatever a server says at MAIL to one tenant, or of one sender, holds up no other one's mail. The kind of
 * fault is a limit that is held against who has not met it. */
#include "queue_mail_stage.h"

#include <stdio.h>

enum { REST_MS = 2000 };

/* ---- a tenant who has the server say whatever she likes ---- */

enum { SEEDS = 200, STEP_MS = 50, STEPS = 1200, CODES = 4, BOUND_MS = 2000 };

struct rhythm {
    uint64_t random;
    unsigned taken, hung_up, slow; /* of a hundred answers to her mail; after some steps */
    int64_t added[STEPS + 1];      /* his messages, as numbers of the stage, and when they came */
    int64_t since[STEPS + 1];
    size_t count;
};

static unsigned draw(struct rhythm *r, unsigned below)
{
    r->random = r->random * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(r->random >> 33) % below;
}

static void answer_her(struct stage *s, struct rhythm *r, size_t i)
{
    static const char *const codes[CODES] = {"450 4.7.1 too much", "451 4.7.1 later", "452 4.3.1 full", "450 4.7.1 too much"};
    unsigned what = draw(r, 100);
    if (what < r->taken)
        stage_taken(s, i);
    else if (what < r->taken + r->hung_up)
        stage_hung_up(s, i);
    else
        (void)stage_refused_with(s, i, codes[draw(r, CODES)]);
}

static int64_t came_at(const struct rhythm *r, int64_t message)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->added[i] == message)
            return r->since[i];
    return INT64_MAX;
}

/* Each that is under way is answered, or some of hers a step later. */
static int64_t answer_all(struct stage *s, struct rhythm *r)
{
    int64_t longest_ms = 0;
    for (size_t i = 0, left = 200; i < s->count && left > 0; left--) {
        const struct queue_attempt *a = s->works[i].attempt;
        if (strcmp(a->tenant, "bob") == 0) {
            int64_t for_ms = s->now_ms - came_at(r, a->message);
            longest_ms = for_ms > longest_ms ? for_ms : longest_ms;
            stage_taken(s, i);
        } else if (draw(r, 100) < r->slow) {
            i++;
        } else {
            answer_her(s, r, i);
        }
    }
    return longest_ms;
}

static void whatever_one_tenant_is_told_holds_up_no_other(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct stage s;
        struct rhythm r = {.random = seed};
        int64_t longest_ms = 0;
        stage_begin(&s);
        r.taken = draw(&r, 4) * draw(&r, 25);
        r.hung_up = draw(&r, 3) == 0 ? draw(&r, 100 - r.taken) : 0;
        r.slow = draw(&r, 2) * draw(&r, 90);
        for (unsigned n = 0; n < STEPS; n++) {
            stage_add(&s, "eve", draw(&r, 4));
            if (draw(&r, 5) == 0) {
                r.added[r.count] = s.message + 1;
                r.since[r.count++] = s.now_ms;
                stage_add(&s, "bob", 1);
            }
            int64_t for_ms = answer_all(&s, &r);
            longest_ms = for_ms > longest_ms ? for_ms : longest_ms;
            stage_wait(&s, STEP_MS);
        }
        if (longest_ms > BOUND_MS)
            print_error("seed %u: %lld ms; taken %u, hung up %u, slow %u\n", seed, (long long)longest_ms, r.taken, r.hung_up, r.slow);
        EXPECT(longest_ms <= BOUND_MS, "his goes on");
        queue_free(s.queue);
    }
}

/* A destination that is forgotten while such a limit is known there: by a reload, when there are more than are kept. */
static void what_is_forgotten_takes_its_limits_along(void **state)
{
    enum { MORE = 1200 };
    char domain[40];
    (void)state;
    struct stage s;
    stage_begin(&s);
    for (unsigned i = 0; i < MORE; i++) {
        snprintf(domain, sizeof(domain), "d%u.test", i);
        stage_add_to(&s, "eve", domain, 1);
        EXPECT(s.count == 1, "it is sent");
        if (i % 4 == 0)
            (void)stage_refused(&s, 0);
        else
            stage_taken(&s, 0);
        stage_wait(&s, 10);
    }
    stage_wait(&s, 60 * 1000);
    queue_forget_answers(s.queue, NULL, s.now_ms);
    stage_go_on(&s);
    stage_wait(&s, 60 * 1000);
    stage_add_to(&s, "eve", "after.test", 1);
    EXPECT(s.count == 1, "and all goes on");
    stage_taken(&s, 0);
    queue_free(s.queue);
}

enum { LETTERS = 20 }; /* of the greylisted sender; then of others */

struct so_far {
    unsigned taken, tries; /* tries: refused, and not back untried */
};

/* The messages up to the first so many are the first sender's. */
static void answer_each(struct stage *s, bool (*takes)(struct stage *s, bool first), struct so_far *told)
{
    while (s->count > 0) {
        int64_t message = s->works[0].attempt->message;
        snprintf(s->sender, sizeof(s->sender), "s%d@a.test", message <= LETTERS ? 0 : 1 + (int)message % 5);
        if (takes(s, message <= LETTERS)) {
            told->taken++;
            stage_taken(s, 0);
        } else {
            told->tries += !stage_refused(s, 0);
        }
    }
}

static bool all_but_the_first(struct stage *s, bool first)
{
    (void)s;
    return !first;
}

/* Until so many have been taken. */
static int64_t take_until(struct stage *s, struct so_far *told, unsigned taken)
{
    int64_t began_ms = s->now_ms;
    for (; told->taken < taken && s->now_ms - began_ms < 600000; stage_wait(s, 100))
        answer_each(s, all_but_the_first, told);
    return s->now_ms - began_ms;
}

/* It greylists one sender, and does not say so: what it refuses of his is soon the message's own; also when it came so long before
 * the others' (messages are numbered in 1/65,536 ms). */
static void one_refused_sender_holds_up(int64_t before_ms)
{
    struct stage s;
    struct so_far told = {0};
    stage_begin(&s);
    stage_add(&s, "bob", LETTERS);
    s.message += before_ms << 16;
    stage_add(&s, "bob", LETTERS);
    /* of which the later ones rest for an eighth of the time that it has lasted */
    EXPECT(take_until(&s, &told, LETTERS) < 2 * LETTERS * REST_MS, "once others wait for one ask for each of his");
    for (unsigned wave = 1; wave <= 4; wave++) {
        stage_wait(&s, 3 * REST_MS);
        stage_add(&s, "bob", 4);
        EXPECT(take_until(&s, &told, LETTERS + 4 * wave) <= REST_MS, "and then no more");
    }
    EXPECT(told.tries >= LETTERS && s.count == 0, "his have been tried, each by itself");
    queue_free(s.queue);
}

static void one_refused_sender_holds_up_no_others(void **state)
{
    (void)state;
    one_refused_sender_holds_up(0);
    one_refused_sender_holds_up(INT64_C(70) * 1000);
    one_refused_sender_holds_up(INT64_C(24) * 3600 * 1000);
}

static int64_t tokens, filled_ms;

/* Five messages in ten seconds, whose ever they are. */
static bool while_there_are_tokens(struct stage *s, bool first)
{
    (void)first;
    if (s->now_ms - filled_ms >= 10000) {
        tokens = 5;
        filled_ms = s->now_ms;
    }
    return tokens-- > 0;
}

/* A limit for all: but for those that show it, no message has been tried because of it. */
static void a_limit_for_all_is_no_senders_own(void **state)
{
    struct stage s;
    struct so_far told = {0};
    (void)state;
    stage_begin(&s);
    tokens = 0;
    filled_ms = s.now_ms - 10000;
    stage_add(&s, "bob", LETTERS + 100);
    int64_t began_ms = s.now_ms;
    for (; told.taken + told.tries < LETTERS + 100 && s.now_ms - began_ms < 3600000; stage_wait(&s, 100))
        answer_each(&s, while_there_are_tokens, &told);
    EXPECT(told.tries <= 4, "they wait untried");
    EXPECT(s.now_ms - began_ms < 2 * (LETTERS + 100) / 5 * 10000, "and all have gone, as fast as it lets them");
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_one_tenant_is_told_holds_up_no_other),
        cmocka_unit_test(what_is_forgotten_takes_its_limits_along),
        cmocka_unit_test(one_refused_sender_holds_up_no_others),
        cmocka_unit_test(a_limit_for_all_is_no_senders_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
