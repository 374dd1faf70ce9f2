// SPDX-License-Identifier: BSD-2-Clause
/* queue.c - What the core of the queue costs: memory for each recipient that waits, and time for each message.
 *
 * usage: bench-queue [WAITING [DOMAINS [MESSAGES [DESTINATIONS]]]]
 *
 * WAITING recipients over DOMAINS domains are loaded, due later; then all of them come due while they cannot be sent;
 * then MESSAGES messages pass through one smart host with 20 connections, each added, sent and settled by itself. At last
 * operators' questions about DESTINATIONS, all of them paused: for so long the queue is locked.
 */
#include "queue.h"
#include "queue_connection.h"
#include "queue_shape.h"
#include "queue_view.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t memory(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static void load(struct queue *q, size_t waiting, size_t domains)
{
    char domain[40];
    char tenant[16];
    for (size_t i = 0; i < waiting; i++) {
        snprintf(domain, sizeof(domain), "dest%zu.test", i * 7919 % domains);
        snprintf(tenant, sizeof(tenant), "t%zu", i % 10);
        struct queue_entry e = {.message = (int64_t)(i / 2),
                                .number = (unsigned)(i % 2),
                                .class = (enum stream_class)(i % STREAM_CLASSES),
                                .tenant = tenant,
                                .domain = domain,
                                .due_ms = 3600000 + (int64_t)(i * 31337 % 3600000),
                                .expires_ms = 86400000};
        queue_add(q, &e, 1, 0);
    }
}

/* What is decided when nobody answers; returns how often it was asked. */
static size_t decide_all(struct queue *q, int64_t now_ms)
{
    struct queue_decision d;
    size_t asked = 0;
    do {
        asked++;
        while (queue_decide(q, &d, now_ms))
            ;
    } while (queue_wake_ms(q) <= now_ms);
    return asked;
}

struct state {
    struct queue *queue;
    uint64_t ids[64];
    const struct queue_attempt *attempts[64];
    size_t sent;
};

static void keep(struct state *s, uint64_t id, const struct queue_attempt *a)
{
    size_t at = (uint32_t)id % 64;
    s->ids[at] = id;
    s->attempts[at] = a;
}

static void take_decisions(struct state *s, int64_t now_ms)
{
    static const char *const hosts[] = {"smart.test"};
    struct queue_address a = {.ip = {1}, .port = 25};
    struct queue_decision d;
    size_t index = 0;
    bool probes = false;
    while (queue_decide(s->queue, &d, now_ms)) {
        if (d.kind == QUEUE_RESOLVE) {
            struct queue_answer answer = {.hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1,
                                          .connections = 24, .valid_ms = 86400000};
            queue_resolved(s->queue, d.domain, &answer, now_ms);
        } else if (d.kind == QUEUE_OPEN) {
            if (!queue_address_take(s->queue, d.connection, &a, 1, &index, &probes, now_ms) ||
                !queue_opened(s->queue, d.connection, &a, now_ms))
                abort();
            keep(s, d.connection, d.attempt);
        } else if (d.kind == QUEUE_SEND) {
            keep(s, d.connection, d.attempt);
        } else if (d.kind == QUEUE_CLOSE) {
            queue_connection_closed(s->queue, d.connection, now_ms);
        }
    }
}

/* The next connection that carries a message is done with it. */
static void one_done(struct state *s, size_t from, int64_t now_ms)
{
    size_t at = from % 64;
    for (size_t i = 0; i < 64 && !s->attempts[at]; i++)
        at = (at + 1) % 64;
    const struct queue_attempt *a = s->attempts[at];
    if (!a)
        return;
    s->sent++;
    if (queue_message_done(s->queue, s->ids[at], QUEUE_SPOKEN, true, &s->attempts[at], now_ms) == QUEUE_NEXT_CLOSE)
        queue_connection_closed(s->queue, s->ids[at], now_ms);
    queue_settled(s->queue, a, NULL, now_ms);
}

static void pass(struct queue *q, size_t messages, size_t domains, int64_t now_ms)
{
    struct state s = {.queue = q};
    char domain[40];
    for (size_t i = 0; s.sent < messages; i++) {
        snprintf(domain, sizeof(domain), "smart%zu.test", i % domains);
        struct queue_entry e = {.message = (int64_t)(1000000000 + i),
                                .class = (enum stream_class)(i % STREAM_CLASSES),
                                .tenant = i % 2 ? "t1" : "t2",
                                .domain = domain,
                                .due_ms = now_ms,
                                .expires_ms = now_ms + 86400000};
        if (i < messages)
            queue_add(q, &e, 1, now_ms);
        take_decisions(&s, now_ms);
        if (i >= 100)
            one_done(&s, i, now_ms);
        now_ms += i % 5 == 0;
    }
}

static void count_one(void *context, const struct queue_destination_view *view)
{
    *(size_t *)context += view->name[0] != '\0';
}

static void ask_questions(size_t destinations)
{
    enum { TIMES = 10000 };
    static struct queue_shape shape;
    struct queue_destination_view view;
    char name[40] = "";
    size_t listed = 0;
    size_t limited = 0;
    struct queue *q = queue_new(&(struct queue_settings){.connections = 400}, 0);
    for (size_t i = 0; i < destinations; i++) {
        snprintf(name, sizeof(name), "mx%zu.test:25", i);
        queue_rest_again(q, name, 3600000, "paused", 0);
    }
    double began_s = now_s();
    queue_each_destination(q, count_one, &listed, 1000);
    double listed_s = now_s();
    queue_each_limited(q, NULL, count_one, &limited, 1000);
    double limited_s = now_s();
    queue_each_limited(q, "t1", count_one, &limited, 1000);
    double tenant_s = now_s();
    const struct queue_shape_question question = {.domain = "dest.test", .destination_or_null = name, .tenant_or_null = "t1"};
    for (size_t i = 0; i < TIMES; i++)
        queue_find_shape(q, &question, &shape, &view, 1000);
    double asked_s = now_s();
    printf("%zu destinations, all paused: list %.1f ms, limited %.1f ms, of one tenant %.1f ms; what holds at one %.1f us\n", listed,
           (listed_s - began_s) * 1e3, (limited_s - listed_s) * 1e3, (tenant_s - limited_s) * 1e3, (asked_s - tenant_s) * 1e6 / TIMES);
    queue_free(q);
}

int main(int argc, char **argv)
{
    size_t waiting = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    size_t domains = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    size_t messages = argc > 3 ? strtoull(argv[3], NULL, 10) : 500000;
    size_t destinations = argc > 4 ? strtoull(argv[4], NULL, 10) : 10000;
    struct queue_settings settings = {.shards = 4};
    size_t before = memory();
    double began = now_s();
    struct queue *q = queue_new(&settings, 0);
    load(q, waiting, domains);
    printf("%zu waiting at %zu domains: loaded in %.2f s, %.1f bytes each\n", waiting, domains, now_s() - began,
           (double)(memory() - before) / (double)(waiting + 1));
    began = now_s();
    pass(q, messages, 400, 1000);
    printf("%zu messages beside them: %.2f us each\n", messages, (now_s() - began) * 1e6 / (double)messages);
    began = now_s();
    size_t asked = decide_all(q, 7300000);
    printf("all due: %.2f s in %zu steps, %.1f bytes each\n", now_s() - began, asked,
           (double)(memory() - before) / (double)(waiting + 1));
    queue_free(q);
    ask_questions(destinations);
    return 0;
}
