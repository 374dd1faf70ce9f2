// SPDX-License-Identifier: BSD-2-Clause
/* queue_moved_test.c - A connection that is always busy does not outlive its address: the kind of fault is what is
 * decided once, when it opens, and then holds for as long as mail comes. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"

#include <stdio.h>

enum { MOST = 40, OPENS = 16 };

/* What DNS gives: so many addresses, from this one on; and for the other host this one. */
struct shown {
    unsigned first, count, others;
};

enum { MAIN_HOST = 1, OTHER_HOST = 2 };

struct stage {
    struct queue *queue;
    int64_t now_ms, opened_ms[OPENS], message;
    unsigned opened, closed;
    struct shown dns;
    struct queue_address at; /* where the last one opened */
    uint64_t connection;
    const struct queue_attempt *attempt;
};

static struct queue_address address(unsigned n)
{
    struct queue_address a = {.port = 25, .host = MAIN_HOST};
    a.ip[14] = (uint8_t)(n >> 8);
    a.ip[15] = (uint8_t)n;
    return a;
}

static void resolve(struct stage *s, const char *domain)
{
    static const char *const hosts[] = {"mx.shared.test"};
    struct queue_address all[MOST + 1];
    for (unsigned i = 0; i < s->dns.count; i++)
        all[i] = address(s->dns.first + i);
    size_t count = s->dns.count;
    if (s->dns.others > 0) {
        all[count] = address(s->dns.others);
        all[count++].host = OTHER_HOST;
    }
    const struct queue_answer answer = {.hosts = hosts,
                                        .host_count = 1,
                                        .port = 25,
                                        .route = "",
                                        .trust = 1,
                                        .connections = 1,
                                        .valid_ms = 60000,
                                        .addresses = all,
                                        .address_count = count};
    queue_resolved(s->queue, domain, &answer, s->now_ms);
}

static void opens(struct stage *s)
{
    size_t index = 0;
    bool probes = false;
    const struct queue_address a = address(s->dns.first);
    assert_true(s->opened < OPENS);
    s->opened_ms[s->opened++] = s->now_ms;
    assert_true(queue_address_take(s->queue, s->connection, &a, 1, &index, &probes, s->now_ms));
    queue_address_spoke(s->queue, s->connection, &a);
    assert_true(queue_opened(s->queue, s->connection, &a, s->now_ms));
    s->at = a;
}

static void go_on(struct stage *s)
{
    struct queue_decision d;
    while (queue_decide(s->queue, &d, s->now_ms)) {
        if (d.kind == QUEUE_RESOLVE) {
            resolve(s, d.domain);
        } else if (d.kind == QUEUE_OPEN || d.kind == QUEUE_SEND) {
            s->connection = d.connection;
            s->attempt = d.attempt;
            if (d.kind == QUEUE_OPEN)
                opens(s);
        } else if (d.kind == QUEUE_CLOSE) {
            s->closed++;
            queue_connection_closed(s->queue, d.connection, s->now_ms);
        }
    }
}

static void add(struct stage *s, const char *domain)
{
    const struct queue_entry e = {.message = ++s->message,
                                  .class = STREAM_NOTIFICATION,
                                  .tenant = "t",
                                  .domain = domain,
                                  .due_ms = s->now_ms,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(s->queue, &e, 1, s->now_ms);
    go_on(s);
}

/* What it carries is through. */
static void done(struct stage *s)
{
    const struct queue_attempt *next = NULL;
    if (!s->attempt)
        return;
    enum queue_next what = queue_message_done(s->queue, s->connection, QUEUE_SPOKEN, true, &next, s->now_ms);
    queue_settled(s->queue, s->attempt, NULL, s->now_ms);
    s->attempt = next;
    if (what == QUEUE_NEXT_CLOSE) {
        s->closed++;
        queue_connection_closed(s->queue, s->connection, s->now_ms);
    }
    go_on(s);
}

static void begin(struct stage *s, int64_t idle_ms)
{
    const struct queue_settings settings = {.connections = 40, .idle_ms = idle_ms};
    *s = (struct stage){.dns = {1, 1, 0}, .now_ms = 1000};
    s->queue = queue_new(&settings, s->now_ms);
}

static void end(struct stage *s)
{
    done(s);
    queue_drain(s->queue, s->now_ms);
    queue_free(s->queue);
}

/* What DNS gives after so many seconds. */
static struct shown stays(int64_t s)
{
    (void)s;
    return (struct shown){1, 1, 0};
}
static struct shown moves(int64_t s)
{
    return (struct shown){s < 30 ? 1 : 5, 1, 0};
}
static struct shown is_given_to_another(int64_t s)
{
    return s < 30 ? (struct shown){1, 1, 2} : (struct shown){5, 1, 1};
}
static struct shown is_shared_with_another(int64_t s)
{
    return s < 30 ? (struct shown){1, 1, 2} : (struct shown){1, 1, 1};
}
static struct shown grows(int64_t s)
{
    return (struct shown){1, s < 30 ? 1 : 2, 0};
}
static struct shown two_take_turns(int64_t s)
{
    return (struct shown){(unsigned)(s / 60 % 2), 1, 0};
}
static struct shown three_take_turns(int64_t s)
{
    return (struct shown){(unsigned)(s / 60 % 3), 1, 0};
}
static struct shown very_many_take_turns(int64_t s)
{
    return (struct shown){(unsigned)(s / 60) * MOST, MOST, 0};
}
static struct shown is_silent(int64_t s)
{
    return (struct shown){1, s < 1, 0};
}

static void an_address_that_dns_gives_no_more_is_left(void **state)
{
    static const struct {
        const char *label;
        struct shown (*dns)(int64_t);
        unsigned nth;
        int64_t from_s, to_s; /* how long the connection of that number was used */
    } rows[] = {
        {"it stays: for five minutes", stays, 0, 300, 302},
        {"it moves: when a minute's answer is over, and 90 s", moves, 0, 149, 153},
        {"and then stays", moves, 1, 300, 302},
        {"it is another host's", is_given_to_another, 0, 149, 153},
        {"it is another host's, too", is_shared_with_another, 0, 300, 302},
        {"there is one more", grows, 0, 300, 302},
        {"one of two each minute", two_take_turns, 0, 300, 302},
        {"one of three, before that is known", three_take_turns, 0, 149, 153},
        {"one of three, when it is", three_take_turns, 1, 300, 302},
        {"some of very many", very_many_take_turns, 0, 300, 302},
        {"DNS says nothing of addresses later", is_silent, 0, 300, 302},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned nth = rows[i].nth;
        struct stage s;
        begin(&s, 5000);
        for (int64_t m = 0; m < 900 && s.opened < nth + 2; m++, s.now_ms += 1000) {
            s.dns = rows[i].dns(m);
            add(&s, "shared.test");
            done(&s);
        }
        assert_true(s.opened == nth + 2);
        int64_t used_s = (s.opened_ms[nth + 1] - s.opened_ms[nth]) / 1000;
        if (used_s < rows[i].from_s || used_s > rows[i].to_s)
            fail_msg("%s: for %lld s", rows[i].label, (long long)used_s);
        end(&s);
    }
}

/* An idle one is not used either; nor does its message go by a connection to the old address. */
static void an_idle_one_is_not_used(void **state)
{
    struct stage s;
    (void)state;
    begin(&s, 3600000);
    add(&s, "shared.test");
    done(&s);
    s.dns.first = 7;
    add(&s, "other.test"); /* by its answer it is known; 90 s are not over */
    assert_int_equal(s.opened, 1);
    done(&s);
    s.now_ms += 91000;
    add(&s, "other.test");
    assert_int_equal(s.closed, 1);
    assert_int_equal(s.opened, 2);
    assert_int_equal(s.at.ip[15], 7);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_dns_gives_no_more_is_left),
        cmocka_unit_test(an_idle_one_is_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
