// SPDX-License-Identifier: BSD-2-Clause
/* queue_mail_stage.c - As its header says. */
#include "queue_mail_stage.h"

#include <stdio.h>

static void start(struct stage *s, uint64_t connection, const struct queue_attempt *a, bool first)
{
    assert_true(s->count < UNDER_WAY);
    s->works[s->count++] = (struct work){connection, a, first};
    s->most = s->count > s->most ? s->count : s->most;
}

void stage_go_on(struct stage *s)
{
    char host[64];
    const char *hosts[] = {host};
    const struct queue_answer answer = {
        .hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .valid_ms = 3600000};
    const struct queue_address at = {.port = 25};
    struct queue_decision d;
    while (queue_decide(s->queue, &d, s->now_ms)) {
        if (d.kind == QUEUE_RESOLVE) {
            if (d.domain[0] == 'p')
                snprintf(host, sizeof(host), "%.*s-test.mail.protection.outlook.com", (int)strcspn(d.domain, "."), d.domain);
            else
                snprintf(host, sizeof(host), "mx.%s", d.domain);
            queue_resolved(s->queue, d.domain, &answer, s->now_ms);
        }
        if (d.kind == QUEUE_EVENT && d.reason == QUEUE_LIMIT_LASTS) {
            s->lasts++;
        } else if (d.kind == QUEUE_EVENT && d.rest_ms > 0) {
            bool of_one = strstr(d.text, "mail of tenant ") == d.text;
            s->rests += !of_one;
            s->rests_of_one += of_one;
            s->rest_ms = d.rest_ms;
        } else if (d.kind == QUEUE_EVENT) {
            s->resumed++;
        }
        if (d.kind == QUEUE_CLOSE)
            queue_connection_closed(s->queue, d.connection, s->now_ms);
        if (d.kind == QUEUE_SEND)
            start(s, d.connection, d.attempt, false);
        if (d.kind != QUEUE_OPEN)
            continue;
        s->opened++;
        assert_true(queue_opened(s->queue, d.connection, &at, s->now_ms));
        start(s, d.connection, d.attempt, true);
    }
}

void stage_begin(struct stage *s)
{
    const struct queue_settings settings = {0};
    *s = (struct stage){.now_ms = 1000};
    s->queue = queue_new(&settings, s->now_ms);
}

static void add(struct stage *s, const char *tenant, enum stream_class class, const char *domain)
{
    const struct queue_entry e = {.message = ++s->message,
                                  .class = class,
                                  .tenant = tenant,
                                  .domain = domain,
                                  .due_ms = s->now_ms,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(s->queue, &e, 1, s->now_ms);
}

void stage_add_of(struct stage *s, const char *tenant, enum stream_class class)
{
    add(s, tenant, class, "d.test");
}

void stage_add_to(struct stage *s, const char *tenant, const char *domain, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        add(s, tenant, STREAM_NOTIFICATION, domain);
    stage_go_on(s);
}

void stage_add(struct stage *s, const char *tenant, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        stage_add_of(s, tenant, STREAM_NOTIFICATION);
    stage_go_on(s);
}

struct work stage_take(struct stage *s, size_t i)
{
    struct work w = s->works[i];
    assert_true(i < s->count);
    memmove(&s->works[i], &s->works[i + 1], (s->count - i - 1) * sizeof(w));
    s->count--;
    return w;
}

void stage_next(struct stage *s, uint64_t connection, bool reusable)
{
    const struct queue_attempt *a = NULL;
    switch (queue_message_done(s->queue, connection, QUEUE_SPOKEN, reusable, &a, s->now_ms)) {
    case QUEUE_NEXT_SEND:
        start(s, connection, a, false);
        break;
    case QUEUE_NEXT_IDLE:
        break;
    case QUEUE_NEXT_CLOSE:
        queue_connection_closed(s->queue, connection, s->now_ms);
        break;
    }
}

void stage_taken(struct stage *s, size_t i)
{
    struct work w = stage_take(s, i);
    queue_names_sender(s->queue, w.connection, s->sender);
    queue_mail_taken(s->queue, w.connection, s->now_ms);
    stage_next(s, w.connection, true);
    queue_settled(s->queue, w.attempt, NULL, s->now_ms);
    stage_go_on(s);
}

bool stage_refused_as(struct stage *s, size_t i, enum queue_refusal what, const char *why)
{
    struct work w = stage_take(s, i);
    int64_t due_ms[1] = {s->now_ms + 3600000};
    queue_names_sender(s->queue, w.connection, s->sender);
    bool back = queue_turned_away(s->queue, w.connection, what, why, s->now_ms);
    stage_next(s, w.connection, false);
    if (!back)
        queue_settled(s->queue, w.attempt, due_ms, s->now_ms);
    stage_go_on(s);
    return back;
}

void stage_hung_up(struct stage *s, size_t i)
{
    struct work w = stage_take(s, i);
    int64_t due_ms[1] = {s->now_ms + 3600000};
    if (!queue_connection_failed(s->queue, w.connection, QUEUE_FAIL_REFUSED, "421 4.7.0 later", s->now_ms))
        queue_settled(s->queue, w.attempt, due_ms, s->now_ms);
    stage_go_on(s);
}

bool stage_refused_with(struct stage *s, size_t i, const char *why)
{
    assert_true(i < s->count);
    return stage_refused_as(s, i, QUEUE_REFUSES_FIRST, why);
}

void stage_taken_by_another(struct stage *s, size_t i)
{
    const struct queue_address at = {.port = 25};
    const struct work w = s->works[i];
    EXPECT(!queue_turned_away(s->queue, w.connection, QUEUE_REFUSES_LATER, "452 4.5.3 enough here",
                              s->now_ms),
           "a new connection shows more");
    assert_true(queue_opened(s->queue, w.connection, &at, s->now_ms));
    stage_taken(s, i);
}

bool stage_refused(struct stage *s, size_t i)
{
    return stage_refused_with(s, i, "450 4.7.1 too much mail from you");
}

void stage_wait(struct stage *s, int64_t for_ms)
{
    s->now_ms += for_ms;
    stage_go_on(s);
}

bool stage_carries(const struct stage *s, const char *tenant)
{
    return s->count > 0 && strcmp(s->works[0].attempt->tenant, tenant) == 0;
}

struct queue_destination_view stage_find(const struct stage *s, const char *destination)
{
    struct queue_destination_view v;
    assert_true(queue_find_destination(s->queue, destination, &v, s->now_ms));
    return v;
}

struct queue_destination_view stage_view(const struct stage *s)
{
    return stage_find(s, "mx.d.test:25");
}

void stage_refuse_all(struct stage *s)
{
    while (s->count > 0)
        (void)stage_refused(s, 0);
}

void stage_all_taken(struct stage *s)
{
    while (s->count > 0)
        stage_taken(s, 0);
}

void stage_mail_taken(struct stage *s, size_t i)
{
    queue_mail_taken(s->queue, s->works[i].connection, s->now_ms);
    stage_go_on(s);
}
