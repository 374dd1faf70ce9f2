// SPDX-License-Identifier: BSD-2-Clause
/* queue_blame_stage.c - What becomes of the queue's decisions, and of what is under way. */
#include "queue_blame_stage.h"

#include <stdio.h>

static void resolve(struct stage *s, const char *domain)
{
    char host[80];
    const char *hosts[] = {host};
    snprintf(host, sizeof(host),
             strstr(domain, "big.test") ? "%s.mail.protection.outlook.com" : "mx.%s", domain);
    if (s->moved_to)
        snprintf(host, sizeof(host), "%s", s->moved_to);
    const struct queue_answer answer = {.hosts = hosts,
                                        .host_count = 1,
                                        .port = 25,
                                        .route = "",
                                        .trust = 1,
                                        .connections = s->limit,
                                        .valid_ms = 60000};
    queue_resolved(s->queue, domain, &answer, s->now_ms);
}

void stage_go_on(struct stage *s)
{
    struct queue_decision d;
    const struct queue_address a = {.port = 25};
    while (queue_decide(s->queue, &d, s->now_ms)) {
        if (d.kind == QUEUE_RESOLVE)
            resolve(s, d.domain);
        if (d.kind == QUEUE_EVENT && d.rest_ms > 0) {
            bool of_one = strcmp(d.text, "mail of tenant eve only: 421 4.7.0 not you") == 0;
            s->rests += !of_one;
            s->rests_of_one += of_one;
        }
        if (d.kind != QUEUE_OPEN)
            continue;
        assert_null(s->attempt);
        s->connection = d.connection;
        s->attempt = d.attempt;
        if (s->greets)
            assert_true(queue_opened(s->queue, d.connection, &a, s->now_ms));
    }
}

void stage_begin_with(struct stage *s, unsigned connections)
{
    const struct queue_settings settings = {.idle_ms = 1, .connections = connections};
    *s = (struct stage){.now_ms = 1000, .greets = true, .limit = 1};
    s->queue = queue_new(&settings, s->now_ms);
}

void stage_begin(struct stage *s)
{
    stage_begin_with(s, 0);
}

void stage_add(struct stage *s, const char *tenant, const char *domain)
{
    const struct queue_entry e = {.message = ++s->message,
                                  .class = STREAM_NOTIFICATION,
                                  .tenant = tenant,
                                  .domain = domain,
                                  .due_ms = s->now_ms,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(s->queue, &e, 1, s->now_ms);
    stage_go_on(s);
}

void stage_fails(struct stage *s, enum queue_failure how)
{
    const struct queue_attempt *a = s->attempt;
    int64_t due_ms[1] = {s->now_ms + 3600000};
    assert_non_null(a);
    s->attempt = NULL;
    if (!queue_connection_failed(s->queue, s->connection, how, "421 4.7.0 not you", s->now_ms))
        queue_settled(s->queue, a, due_ms, s->now_ms);
    stage_go_on(s);
}

void stage_is_done(struct stage *s, enum queue_spoken spoken)
{
    const struct queue_attempt *next = NULL;
    const struct queue_attempt *a = s->attempt;
    assert_non_null(a);
    s->attempt = NULL;
    assert_int_equal(queue_message_done(s->queue, s->connection, spoken, false, &next, s->now_ms),
                     QUEUE_NEXT_CLOSE);
    queue_settled(s->queue, a, NULL, s->now_ms);
    queue_connection_closed(s->queue, s->connection, s->now_ms);
    stage_go_on(s);
}

void stage_goes_through(struct stage *s)
{
    stage_is_done(s, QUEUE_SPOKEN);
}

bool stage_carries(const struct stage *s, const char *tenant)
{
    return s->attempt && strcmp(s->attempt->tenant, tenant) == 0;
}
