// SPDX-License-Identifier: BSD-2-Clause
/* queue_speed_test.c - A server says that it is sent too much: its destination's mail goes apart, codes do not wait, and what one
 * tenant alone meets slows nobody. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_speed.h"
#include "queue_view.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES = 200 };

struct play {
    struct queue *queue;
    int64_t now_ms;
    int64_t next_message;
    const struct queue_attempt *attempt; /* on its only connection */
    uint64_t connection;
    unsigned sent[2]; /* by tenant: a, b */
};

static void add_to(struct play *p, const char *tenant, const char *domain, enum stream_class class, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct queue_entry e = {.message = ++p->next_message, .class = class, .tenant = tenant, .domain = domain, .due_ms = p->now_ms, .expires_ms = 1000000000};
        queue_add(p->queue, &e, 1, p->now_ms);
    }
}

static void add(struct play *p, const char *tenant, enum stream_class class, unsigned count)
{
    add_to(p, tenant, "dest.test", class, count);
}

static void takes_work(struct play *p, const struct queue_attempt *attempt)
{
    p->attempt = attempt;
    p->sent[attempt->tenant[0] == 'b']++;
}

static void opens(struct play *p, const struct queue_decision *decision)
{
    struct queue_address a = {.ip = {127}, .port = 25};
    size_t index = 0;
    bool probes = false;
    EXPECT(queue_address_take(p->queue, decision->connection, &a, 1, &index, &probes, p->now_ms), "an address");
    EXPECT(queue_opened(p->queue, decision->connection, &a, p->now_ms), "open");
    p->connection = decision->connection;
    takes_work(p, decision->attempt);
}

static void decides(struct play *p)
{
    struct queue_decision decision;
    const char *const hosts[] = {"mx.dest.test"};
    const struct queue_answer answer = {.hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .connections = 1, .valid_ms = 100000000};
    while (queue_decide(p->queue, &decision, p->now_ms)) {
        if (decision.kind == QUEUE_RESOLVE)
            EXPECT(queue_resolved(p->queue, decision.domain, &answer, p->now_ms), "asked for");
        else if (decision.kind == QUEUE_OPEN)
            opens(p, &decision);
        else if (decision.kind == QUEUE_SEND)
            takes_work(p, decision.attempt);
        else if (decision.kind == QUEUE_CLOSE)
            queue_connection_closed(p->queue, decision.connection, p->now_ms);
    }
}

/* The message under way is answered so; what is next goes at once, if anything may. */
static void answers(struct play *p, enum queue_spoken spoken)
{
    const struct queue_attempt *done = p->attempt;
    const struct queue_attempt *next = NULL;
    p->now_ms += 10;
    p->attempt = NULL;
    enum queue_next what = queue_message_done(p->queue, p->connection, spoken, true, &next, p->now_ms);
    if (next)
        takes_work(p, next);
    queue_settled(p->queue, done, NULL, p->now_ms);
    if (what == QUEUE_NEXT_CLOSE)
        queue_connection_closed(p->queue, p->connection, p->now_ms);
    decides(p);
}

static struct play begin(void)
{
    const struct queue_settings settings = {.idle_ms = 3600000};
    struct play p = {.now_ms = 1000};
    p.queue = queue_new(&settings, p.now_ms);
    return p;
}

static void mail_goes_apart_and_codes_do_not_wait(void **state)
{
    (void)state;
    struct play p = begin();
    struct queue_destination_view v;
    add(&p, "a", STREAM_DIGEST, MESSAGES);
    decides(&p);
    for (int i = 0; i < 20; i++)
        answers(&p, QUEUE_TAKEN);
    EXPECT(p.attempt, "the next goes at once");
    answers(&p, QUEUE_TOO_FAST);
    EXPECT(!p.attempt, "it waits");
    EXPECT(queue_find_destination(p.queue, "mx.dest.test:25", &v, p.now_ms) && v.a_minute > 0 && v.next_ms > 0, "which is shown");
    EXPECT(queue_wake_ms(p.queue) <= p.now_ms + v.next_ms, "it knows when");
    add(&p, "a", STREAM_SECURITY, 1);
    decides(&p);
    EXPECT(p.attempt && p.attempt->class == STREAM_SECURITY, "a code goes at once");
    answers(&p, QUEUE_TAKEN);
    EXPECT(!p.attempt, "others wait on");
    EXPECT(queue_find_destination(p.queue, "mx.dest.test:25", &v, p.now_ms), "it is there");
    p.now_ms += v.next_ms + 1;
    decides(&p);
    EXPECT(p.attempt, "its time has come");
    answers(&p, QUEUE_TOO_FAST);
    EXPECT(!p.attempt, "it waits longer");
    EXPECT(queue_resume(p.queue, NULL, p.now_ms), "a reload");
    decides(&p);
    EXPECT(!p.attempt, "it still waits");
    EXPECT(queue_resume(p.queue, "mx.dest.test:25", p.now_ms), "resume");
    decides(&p);
    EXPECT(p.attempt, "an operator has ended it");
    queue_free(p.queue);
}

static void what_one_tenant_meets_slows_nobody(void **state)
{
    (void)state;
    struct play p = begin();
    add(&p, "a", STREAM_DIGEST, MESSAGES);
    add(&p, "b", STREAM_DIGEST, MESSAGES);
    decides(&p);
    while (p.sent[1] < MESSAGES / 2 && p.now_ms < 120 * 1000) {
        if (p.attempt)
            answers(&p, p.attempt->tenant[0] == 'a' ? QUEUE_TOO_FAST : QUEUE_TAKEN);
        else {
            p.now_ms = queue_wake_ms(p.queue);
            decides(&p);
        }
    }
    EXPECT(p.sent[1] >= MESSAGES / 2, "half of the other's mail has gone in two minutes");
    queue_free(p.queue);
}

/* Some of a's mail is refused, as what is for a domain of his own, and the rest is taken; b is met by it as much as he says. */
static unsigned sent_beside(unsigned refused_of_a, unsigned refused_of_b)
{
    struct play p = begin();
    unsigned numbers[2] = {0};
    add(&p, "a", STREAM_DIGEST, 3 * MESSAGES);
    add(&p, "b", STREAM_DIGEST, MESSAGES);
    decides(&p);
    while (p.sent[1] < MESSAGES && p.now_ms < 60 * 1000) {
        if (!p.attempt) {
            p.now_ms = queue_wake_ms(p.queue);
            decides(&p);
            continue;
        }
        unsigned of = p.attempt->tenant[0] == 'b';
        unsigned every = of ? refused_of_b : refused_of_a;
        answers(&p, every > 0 && ++numbers[of] % every == 0 ? QUEUE_TOO_FAST : QUEUE_TAKEN);
    }
    unsigned sent = p.sent[1];
    queue_free(p.queue);
    return sent;
}

static void what_one_meets_now_and_then_slows_him_only(void **state)
{
    static const unsigned every[] = {2, 5, 10, 20};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(every); i++) {
        EXPECT(sent_beside(every[i], 0) == MESSAGES, "all of the other's mail has gone in a minute");
        EXPECT(sent_beside(every[i], 10) < MESSAGES, "what both meet slows both");
    }
}

/* ---- whose recipients it was said of ---- */

/* At a host that many share: how much of another domain's mail goes in a minute, for which nothing is refused. */
static unsigned sent_to_neighbour(const char *const *refusing, size_t count)
{
    struct play p = begin();
    unsigned taken = 0;
    for (size_t i = 0; i < count; i++) {
        add_to(&p, "a", refusing[i], STREAM_DIGEST, 20);
        add_to(&p, "b", refusing[i], STREAM_DIGEST, 20);
    }
    add_to(&p, "a", "good.test", STREAM_DIGEST, MESSAGES);
    add_to(&p, "b", "good.test", STREAM_DIGEST, MESSAGES);
    add_to(&p, "c", "good.test", STREAM_DIGEST, MESSAGES);
    decides(&p);
    while (p.now_ms < 60 * 1000 && taken < 3 * MESSAGES) {
        if (p.attempt) {
            bool good = strcmp(p.attempt->domain, "good.test") == 0;
            taken += good;
            answers(&p, good ? QUEUE_TAKEN : QUEUE_TOO_FAST);
        } else {
            p.now_ms = queue_wake_ms(p.queue);
            decides(&p);
        }
    }
    queue_free(p.queue);
    return taken;
}

static void what_is_said_for_one_domain_slows_no_other(void **state)
{
    static const char *const evil[] = {"evil.test"};
    static const char *const two[] = {"evil.test", "worse.test"};
    static const char *const names[] = {"a.evil.test", "b.evil.test", "c.evil.test", "d.evil.test"};
    (void)state;
    EXPECT(sent_to_neighbour(evil, COUNT_OF(evil)) == 3 * MESSAGES, "the neighbour's mail goes");
    EXPECT(sent_to_neighbour(two, COUNT_OF(two)) == 3 * MESSAGES, "the same beside two");
    EXPECT(sent_to_neighbour(names, COUNT_OF(names)) == 3 * MESSAGES, "or beside one who has many names");
}

/* Every second message is refused, whoever it is for. */
static void what_is_said_for_three_slows_all(void **state)
{
    static const char *const domains[] = {"x.test", "y.test", "z.test"};
    (void)state;
    struct play p = begin();
    struct queue_destination_view v;
    for (size_t i = 0; i < COUNT_OF(domains); i++)
        add_to(&p, "a", domains[i], STREAM_DIGEST, MESSAGES);
    decides(&p);
    for (unsigned n = 0; p.now_ms < 30 * 1000; n++) {
        if (p.attempt)
            answers(&p, n % 2 ? QUEUE_TOO_FAST : QUEUE_TAKEN);
        else {
            p.now_ms = queue_wake_ms(p.queue);
            decides(&p);
        }
    }
    while (p.attempt)
        answers(&p, QUEUE_TOO_FAST);
    add_to(&p, "a", "fourth.test", STREAM_DIGEST, 1);
    decides(&p);
    EXPECT(!p.attempt, "a fourth domain's mail waits, too");
    EXPECT(queue_find_destination(p.queue, "mx.dest.test:25", &v, p.now_ms) && v.a_minute > 0 && v.next_ms > 0, "for that");
    queue_free(p.queue);
}

static void names_under_one_suffix_are_apart(void **state)
{
    static const char *const behind[] = {"", " requiretls", " source=a.b"}; /* of a hop */
    (void)state;
    for (size_t i = 0; i < COUNT_OF(behind); i++) {
        char evil[40], good[40], below[40];
        snprintf(evil, sizeof(evil), "evil.co.uk%s", behind[i]);
        snprintf(good, sizeof(good), "good.co.uk%s", behind[i]);
        snprintf(below, sizeof(below), "www.evil.co.uk%s", behind[i]);
        struct play p = begin();
        add_to(&p, "a", evil, STREAM_DIGEST, 5);
        decides(&p);
        answers(&p, QUEUE_TOO_FAST);
        EXPECT(!p.attempt, "its mail waits");
        add_to(&p, "a", good, STREAM_DIGEST, 1);
        decides(&p);
        EXPECT(p.attempt, "another's does not");
        answers(&p, QUEUE_TAKEN);
        add_to(&p, "a", below, STREAM_DIGEST, 1);
        decides(&p);
        EXPECT(!p.attempt, "what lies below it does");
        queue_free(p.queue);
    }
}

/* ---- after a restart ---- */

struct kept {
    struct queue_speed speed;
    char destination[64], tenant[64], why[64];
    unsigned count;
};

static void keep(void *context, const struct queue_speed *speed)
{
    struct kept *k = context;
    k->speed = *speed;
    k->count++;
    snprintf(k->destination, sizeof(k->destination), "%s", speed->destination);
    snprintf(k->tenant, sizeof(k->tenant), "%s", speed->tenant);
    snprintf(k->why, sizeof(k->why), "%s", speed->why);
    k->speed.destination = k->destination;
    k->speed.tenant = k->tenant;
    k->speed.why = k->why;
}

static void a_new_queue_sends_no_faster_than_the_old_one(void **state)
{
    (void)state;
    struct play p = begin();
    struct kept k = {0};
    add(&p, "a", STREAM_DIGEST, MESSAGES);
    decides(&p);
    answers(&p, QUEUE_TAKEN);
    EXPECT(!queue_speeds_changed(p.queue), "nothing is to be kept");
    queue_names_reply(p.queue, p.connection, "450 4.7.28 slow down");
    answers(&p, QUEUE_TOO_FAST);
    EXPECT(queue_speeds_changed(p.queue), "its level is to be kept");
    queue_take_speeds(p.queue, keep, &k, p.now_ms);
    EXPECT(!queue_speeds_changed(p.queue) && k.count == 1 && k.speed.level > 0, "which it is");
    EXPECT(strcmp(k.destination, "mx.dest.test:25") == 0 && strcmp(k.tenant, "a") == 0 && strcmp(k.why, "450 4.7.28 slow down") == 0, "with why");
    queue_free(p.queue);

    struct play again = begin();
    again.now_ms = p.now_ms;
    queue_restore_speed(again.queue, &k.speed, again.now_ms);
    EXPECT(!queue_speeds_changed(again.queue), "it is kept already");
    add(&again, "a", STREAM_DIGEST, MESSAGES);
    decides(&again);
    EXPECT(again.attempt, "the first goes");
    answers(&again, QUEUE_TAKEN);
    EXPECT(!again.attempt, "the next one waits");
    EXPECT(queue_resume(again.queue, "mx.dest.test:25", again.now_ms), "an operator ends it");
    queue_take_speeds(again.queue, keep, &k, again.now_ms);
    EXPECT(k.count == 2 && k.speed.level == 0, "which is to be kept, too");
    queue_free(again.queue);
}

struct kept_names {
    bool kept[512];
    unsigned count;
};

static void keep_name(void *context, const struct queue_speed *speed)
{
    struct kept_names *k = context;
    unsigned number = 0;
    k->count++;
    assert_int_equal(sscanf(speed->destination, "mx%u.dest.test:25", &number), 1);
    k->kept[number] = true;
}

/* More destinations than are kept in one minute change in each. */
static void all_that_change_are_kept_in_turn(void **state)
{
    enum { DESTINATIONS = 500 };
    (void)state;
    struct play p = begin();
    struct kept_names k = {.count = 0};
    char name[40];
    for (unsigned minute = 0; minute < 3; minute++) {
        for (unsigned i = 0; i < DESTINATIONS; i++) {
            snprintf(name, sizeof(name), "mx%u.dest.test:25", i);
            const struct queue_speed speed = {.destination = name, .tenant = "a", .why = "", .level = 10, .refused_ms = p.now_ms};
            if (minute == 0)
                queue_restore_speed(p.queue, &speed, p.now_ms);
            queue_speed_unkept(p.queue, name); /* as if it had changed */
        }
        k.count = 0;
        queue_take_speeds(p.queue, keep_name, &k, p.now_ms);
        assert_in_range(k.count, 100, 300); /* a bounded number at once */
        assert_true(queue_speeds_changed(p.queue));
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < DESTINATIONS; i++)
        kept += k.kept[i];
    assert_int_equal(kept, DESTINATIONS);
    for (unsigned turn = 0; turn < 3; turn++)
        queue_take_speeds(p.queue, keep_name, &k, p.now_ms);
    assert_false(queue_speeds_changed(p.queue)); /* nothing is left out when nothing changes */
    queue_free(p.queue);
}

/* Though he has no mail there just now. */
static void whose_it_was_is_known_after_a_restart(void **state)
{
    (void)state;
    struct play p = begin();
    struct kept k = {0};
    const struct queue_speed before = {.destination = "mx.dest.test:25", .tenant = "a", .why = "", .level = 10, .refused_ms = p.now_ms};
    queue_restore_speed(p.queue, &before, p.now_ms);
    add(&p, "b", STREAM_DIGEST, MESSAGES);
    decides(&p);
    for (int i = 0; i < 20; i++)
        answers(&p, QUEUE_TAKEN);
    EXPECT(p.attempt, "nobody else waits for it");
    queue_speed_unkept(p.queue, "mx.dest.test:25");
    queue_take_speeds(p.queue, keep, &k, p.now_ms);
    EXPECT(k.count == 1 && strcmp(k.tenant, "a") == 0 && k.speed.level == 10, "whose it is kept for");
    queue_free(p.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_queue_sends_no_faster_than_the_old_one),
        cmocka_unit_test(mail_goes_apart_and_codes_do_not_wait),
        cmocka_unit_test(all_that_change_are_kept_in_turn),
        cmocka_unit_test(whose_it_was_is_known_after_a_restart),
        cmocka_unit_test(names_under_one_suffix_are_apart),
        cmocka_unit_test(what_is_said_for_one_domain_slows_no_other),
        cmocka_unit_test(what_is_said_for_three_slows_all),
        cmocka_unit_test(what_one_meets_now_and_then_slows_him_only),
        cmocka_unit_test(what_one_tenant_meets_slows_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
