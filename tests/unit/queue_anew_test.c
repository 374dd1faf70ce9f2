// SPDX-License-Identifier: BSD-2-Clause
/* queue_anew_test.c - What is known of a domain is doubted: its mail waits without a place until that has been asked for anew, and other
 * mail to the same hosts does not. The kind of fault is a place that is held while somebody's DNS is awaited. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"

static const int64_t NOW_MS = 1000;

static void add(struct queue *q, int64_t message, const char *tenant, const char *domain)
{
    const struct queue_entry e = {.message = message,
                                  .class = STREAM_NOTIFICATION,
                                  .tenant = tenant,
                                  .domain = domain,
                                  .due_ms = NOW_MS,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(q, &e, 1, NOW_MS);
}

/* All lead to one host, which bears one connection. */
static void resolve(struct queue *q, const char *domain)
{
    const char *hosts[] = {"mx.honest.test"};
    const struct queue_answer answer = {
        .hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .valid_ms = 60000, .connections = 1};
    EXPECT(queue_resolved(q, domain, &answer, NOW_MS), "it is asked for");
}

static bool next(struct queue *q, enum queue_decision_kind kind, struct queue_decision *d)
{
    while (queue_decide(q, d, NOW_MS))
        if (d->kind != QUEUE_EVENT)
            return d->kind == kind;
    return false;
}

static void its_mail_waits_without_a_place(void **state)
{
    (void)state;
    const struct queue_settings settings = {0};
    struct queue *q = queue_new(&settings, NOW_MS);
    struct queue_decision d;
    add(q, 1, "eve", "evil.test");
    EXPECT(next(q, QUEUE_RESOLVE, &d) && !d.anew, "it is looked up");
    resolve(q, "evil.test");
    EXPECT(next(q, QUEUE_OPEN, &d), "it has the place");
    add(q, 2, "bob", "honest.test");
    uint64_t place = d.connection;
    EXPECT(next(q, QUEUE_RESOLVE, &d) && !d.anew, "so is the other");
    resolve(q, "honest.test");
    EXPECT(!queue_decide(q, &d, NOW_MS), "which waits for the place");
    queue_ask_anew(q, "evil.test", NOW_MS);
    EXPECT(queue_connection_failed(q, place, QUEUE_FAIL_STALE, "", NOW_MS), "it is back, untried");
    bool opened = false;
    bool anew = false;
    while (queue_decide(q, &d, NOW_MS)) {
        EXPECT(d.kind != QUEUE_OPEN || strcmp(d.attempt->domain, "honest.test") == 0, "the other has the place");
        opened = opened || d.kind == QUEUE_OPEN;
        anew = anew || (d.kind == QUEUE_RESOLVE && d.anew);
        place = d.kind == QUEUE_OPEN ? d.connection : place;
    }
    EXPECT(opened && anew, "while what is doubted is asked for anew");
    queue_connection_closed(q, place, NOW_MS);
    while (queue_decide(q, &d, NOW_MS))
        EXPECT(d.kind != QUEUE_OPEN || strcmp(d.attempt->domain, "honest.test") == 0, "nor later");
    resolve(q, "evil.test");
    EXPECT(!queue_decide(q, &d, NOW_MS) || d.kind != QUEUE_RESOLVE, "once");
    queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_mail_waits_without_a_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
