// SPDX-License-Identifier: BSD-2-Clause
/* queue_anew_test.c - What is known of a domain is doubted: its mail waits without a place until that has been asked for anew, and other
 * mail to the same hosts does not. The kind of fault is a place that is held while somebody's DNS is awaited; or that is asked as often as
 * somebody's mail falls due; or an answer from before the doubt that is taken for one of after it. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"

#include <stdio.h>

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

/* All lead to one host, which bears one connection. False: it is passed over. */
static bool answer_at(struct queue *q, const char *domain, bool anew, int64_t now_ms)
{
    const char *hosts[] = {"mx.honest.test"};
    const struct queue_answer answer = {
        .hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .valid_ms = 2000, .connections = 1, .anew = anew};
    return queue_resolved(q, domain, &answer, now_ms);
}

static void resolve(struct queue *q, const char *domain, bool anew)
{
    EXPECT(answer_at(q, domain, anew, NOW_MS), "it is asked for");
}

static bool next_at(struct queue *q, enum queue_decision_kind kind, struct queue_decision *d, int64_t now_ms)
{
    while (queue_decide(q, d, now_ms))
        if (d->kind != QUEUE_EVENT)
            return d->kind == kind;
    return false;
}

static bool next(struct queue *q, enum queue_decision_kind kind, struct queue_decision *d)
{
    return next_at(q, kind, d, NOW_MS);
}

/* Its host has not shown what it must: the attempt that is on the way, as of what was found at `known_ms`. */
static bool doubt(struct queue *q, const struct queue_decision *d, int64_t known_ms, int64_t now_ms)
{
    bool asked = queue_ask_anew(q, d->attempt, known_ms, now_ms);
    if (asked)
        EXPECT(queue_connection_failed(q, d->connection, QUEUE_FAIL_STALE, "", now_ms), "it is back, untried");
    return asked;
}

static void its_mail_waits_without_a_place(void **state)
{
    (void)state;
    const struct queue_settings settings = {0};
    struct queue *q = queue_new(&settings, NOW_MS);
    struct queue_decision d;
    add(q, 1, "eve", "evil.test");
    EXPECT(next(q, QUEUE_RESOLVE, &d) && !d.anew, "it is looked up");
    resolve(q, "evil.test", false);
    EXPECT(next(q, QUEUE_OPEN, &d), "it has the place");
    add(q, 2, "bob", "honest.test");
    const struct queue_decision first = d;
    uint64_t place = d.connection;
    EXPECT(next(q, QUEUE_RESOLVE, &d) && !d.anew, "so is the other");
    resolve(q, "honest.test", false);
    EXPECT(!queue_decide(q, &d, NOW_MS), "which waits for the place");
    EXPECT(doubt(q, &first, NOW_MS, NOW_MS), "what is known is doubted");
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
    EXPECT(!answer_at(q, "evil.test", false, NOW_MS), "what was asked otherwise is no answer");
    resolve(q, "evil.test", true);
    EXPECT(!queue_decide(q, &d, NOW_MS) || d.kind != QUEUE_RESOLVE, "once");
    queue_free(q);
}

/* Until its connection is opened at `now_ms`, with what was found just then. */
static void open_at(struct queue *q, const char *domain, bool anew, struct queue_decision *d, int64_t now_ms)
{
    EXPECT(next_at(q, QUEUE_RESOLVE, d, now_ms) && d->anew == anew, "it is looked up");
    EXPECT(answer_at(q, domain, anew, now_ms), "and answered");
    EXPECT(next_at(q, QUEUE_OPEN, d, now_ms), "it goes there");
}

static void it_is_asked_once_in_a_while_however_much_falls_due(void **state)
{
    (void)state;
    const struct queue_settings settings = {0};
    struct queue *q = queue_new(&settings, NOW_MS);
    struct queue_decision d;
    add(q, 1, "eve", "evil.test");
    open_at(q, "evil.test", false, &d, NOW_MS);
    EXPECT(doubt(q, &d, NOW_MS, NOW_MS + 10), "it is doubted");
    open_at(q, "evil.test", true, &d, NOW_MS + 20);
    EXPECT(!doubt(q, &d, NOW_MS + 20, NOW_MS + 30), "what was asked for just now counts");
    EXPECT(!doubt(q, &d, NOW_MS + 20, NOW_MS + 10 + QUEUE_DOUBT_MS - 1), "for a while");
    EXPECT(doubt(q, &d, NOW_MS, NOW_MS + 10 + QUEUE_DOUBT_MS - 1), "who has not seen it yet goes by it");
    EXPECT(next_at(q, QUEUE_OPEN, &d, NOW_MS + QUEUE_DOUBT_MS), "without another question, as it holds for so long");
    EXPECT(doubt(q, &d, NOW_MS + 20, NOW_MS + 10 + QUEUE_DOUBT_MS), "then it is doubted once more");
    open_at(q, "evil.test", true, &d, NOW_MS + QUEUE_DOUBT_MS + 20);
    queue_connection_closed(q, d.connection, NOW_MS + QUEUE_DOUBT_MS + 20);
    queue_free(q);
}

static void an_answer_from_before_the_doubt_is_none(void **state)
{
    (void)state;
    const struct queue_settings settings = {0};
    struct queue *q = queue_new(&settings, NOW_MS);
    struct queue_decision d;
    struct queue_decision open;
    add(q, 1, "eve", "evil.test");
    EXPECT(next(q, QUEUE_RESOLVE, &d) && !d.anew, "it is looked up");
    resolve(q, "evil.test", false);
    EXPECT(next_at(q, QUEUE_OPEN, &open, NOW_MS + 2000), "its answer is too old");
    EXPECT(next_at(q, QUEUE_RESOLVE, &d, NOW_MS + 2000) && !d.anew, "it is looked up again while it is used");
    EXPECT(doubt(q, &open, NOW_MS, NOW_MS + 2000), "and doubted meanwhile");
    EXPECT(!answer_at(q, "evil.test", false, NOW_MS + 2010), "what was asked before is passed over");
    EXPECT(next_at(q, QUEUE_RESOLVE, &d, NOW_MS + 2010) && d.anew, "and asked anew");
    queue_unresolvable(q, "evil.test", &(struct queue_no_answer){.text = "old", .retry_ms = 1000}, NOW_MS + 2020);
    EXPECT(!next_at(q, QUEUE_SETTLE, &d, NOW_MS + 2020), "nor does it make the mail wait");
    EXPECT(answer_at(q, "evil.test", true, NOW_MS + 2030), "but what was asked since");
    EXPECT(next_at(q, QUEUE_OPEN, &d, NOW_MS + 2030), "lets it go");
    queue_connection_closed(q, d.connection, NOW_MS + 2030);
    queue_free(q);
}

static void a_tenant_has_so_many_domains_doubted(void **state)
{
    (void)state;
    const struct queue_settings settings = {.lookups = 1000, .connections = 1};
    struct queue *q = queue_new(&settings, NOW_MS);
    struct queue_decision d;
    char domain[40];
    unsigned asked = 0;
    for (int i = 0; i < 2 * QUEUE_DOUBTS; i++) {
        snprintf(domain, sizeof(domain), "d%d.evil.test", i);
        add(q, i + 1, "eve", domain);
        open_at(q, domain, false, &d, NOW_MS);
        bool doubted = doubt(q, &d, NOW_MS, NOW_MS);
        asked += doubted;
        if (!doubted) {
            queue_connection_closed(q, d.connection, NOW_MS);
            break;
        }
        EXPECT(next(q, QUEUE_RESOLVE, &d) && d.anew, "it is asked anew");
        queue_unresolvable(q, domain, &(struct queue_no_answer){.text = "", .retry_ms = 1000, .anew = true}, NOW_MS);
        EXPECT(next(q, QUEUE_SETTLE, &d), "and settled");
        queue_settled(q, d.attempt, NULL, NOW_MS);
    }
    EXPECT(asked == QUEUE_DOUBTS, "so many at once");
    add(q, 1000, "bob", "d0.honest.test");
    bool found = false;
    for (int i = 0; i < 20 && !found && queue_decide(q, &d, NOW_MS); i++) {
        found = d.kind == QUEUE_OPEN && strcmp(d.attempt->tenant, "bob") == 0;
        if (d.kind == QUEUE_OPEN && !found)
            queue_connection_closed(q, d.connection, NOW_MS);
        if (d.kind == QUEUE_RESOLVE)
            resolve(q, d.domain, d.anew);
    }
    EXPECT(found && doubt(q, &d, NOW_MS, NOW_MS), "is asked about all the same");
    queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(its_mail_waits_without_a_place),
                                       cmocka_unit_test(it_is_asked_once_in_a_while_however_much_falls_due),
                                       cmocka_unit_test(an_answer_from_before_the_doubt_is_none),
                                       cmocka_unit_test(a_tenant_has_so_many_domains_doubted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
