// SPDX-License-Identifier: BSD-2-Clause
/* queue_questions_test.c - A domain that is being looked up is asked for once more, for whom the question under way may be too late: in whose
 * turns it stands, or for how long it may wait. The kind of fault is a code that waits for another one's question, or that is told of a
 * failure while another question may know more. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"

static const int64_t NOW_MS = 1000;

static void add(struct queue *q, const char *tenant, enum stream_class class, int64_t now_ms)
{
    static int64_t message = 0;
    const struct queue_entry e = {.message = ++message,
                                  .class = class,
                                  .tenant = tenant,
                                  .domain = "wanted.test",
                                  .due_ms = now_ms,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(q, &e, 1, now_ms);
}

/* Who is asked for, urgently or not, one after the other by `now_ms`. */
static void expect(struct queue *q, const char *const *tenants, bool urgent, int64_t now_ms, const char *label)
{
    struct queue_decision d;
    while (queue_decide(q, &d, now_ms)) {
        EXPECT(d.kind == QUEUE_RESOLVE && *tenants && strcmp(d.tenant, *tenants) == 0 && d.urgent == urgent, label);
        tenants += *tenants != NULL;
    }
    EXPECT(!*tenants, label);
}

static const char *const nobody[] = {NULL}, *const eve[] = {"eve", NULL}, *const bob[] = {"bob", NULL};

static struct queue *begin(void)
{
    const struct queue_settings settings = {0};
    return queue_new(&settings, NOW_MS);
}

/* It is asked for urgently once, for each of two tenants, however many questions there are by then. */
static void class_security_is_asked_for_in_any_case(void **state)
{
    (void)state;
    struct queue *q = begin();
    add(q, "eve", STREAM_NOTIFICATION, NOW_MS);
    expect(q, eve, false, NOW_MS, "plain mail of one");
    expect(q, nobody, false, NOW_MS + 2000, "which is slow");
    add(q, "bob", STREAM_NOTIFICATION, NOW_MS + 3000);
    expect(q, bob, false, NOW_MS + 3000, "plain mail of another one, in its turn");
    add(q, "eve", STREAM_SECURITY, NOW_MS + 5000);
    expect(q, eve, true, NOW_MS + 5000, "a code of the first");
    add(q, "eve", STREAM_SECURITY, NOW_MS + 5100);
    expect(q, nobody, true, NOW_MS + 5100, "once");
    add(q, "bob", STREAM_SECURITY, NOW_MS + 5200);
    expect(q, bob, true, NOW_MS + 5200, "a code of the second");
    add(q, "carl", STREAM_SECURITY, NOW_MS + 5300);
    add(q, "carl", STREAM_NOTIFICATION, NOW_MS + 5300);
    expect(q, nobody, true, NOW_MS + 5300, "and no more");
    queue_free(q);
}

/* What has no answer is told when no question is left. */
static void the_last_failure_counts(void **state)
{
    (void)state;
    const struct queue_no_answer none = {.text = "", .retry_ms = 10000};
    struct queue *q = begin();
    struct queue_decision d;
    add(q, "eve", STREAM_NOTIFICATION, NOW_MS);
    expect(q, eve, false, NOW_MS, "it is looked up");
    expect(q, nobody, false, NOW_MS + 2000, "slowly");
    add(q, "bob", STREAM_NOTIFICATION, NOW_MS + 3000);
    expect(q, bob, false, NOW_MS + 3000, "for another one");
    add(q, "bob", STREAM_SECURITY, NOW_MS + 4000);
    expect(q, bob, true, NOW_MS + 4000, "and urgently");
    for (int i = 0; i < 2; i++) {
        queue_unresolvable(q, "wanted.test", &none, NOW_MS + 5000);
        EXPECT(!queue_decide(q, &d, NOW_MS + 5000), "one question is left");
    }
    queue_unresolvable(q, "wanted.test", &none, NOW_MS + 5000);
    EXPECT(queue_decide(q, &d, NOW_MS + 5000) && d.kind == QUEUE_SETTLE, "none is left");
    queue_free(q);
}

/* Whose mail came while the question was new has one of its own when it is not any more, by itself. */
static void who_waits_for_a_slow_question_is_asked_for(void **state)
{
    (void)state;
    for (int urgent = 0; urgent <= 1; urgent++) {
        enum stream_class class = urgent ? STREAM_SECURITY : STREAM_NOTIFICATION;
        struct queue *q = begin();
        add(q, "eve", class, NOW_MS);
        expect(q, eve, urgent, NOW_MS, "it is looked up");
        add(q, "bob", class, NOW_MS + 1000);
        expect(q, nobody, urgent, NOW_MS + 1000, "which may be an answer for both");
        EXPECT(queue_wake_ms(q) <= NOW_MS + 2000, "until it is slow");
        expect(q, bob, urgent, NOW_MS + 2000, "then it is looked up for the other one, too");
        queue_free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_security_is_asked_for_in_any_case),
        cmocka_unit_test(the_last_failure_counts),
        cmocka_unit_test(who_waits_for_a_slow_question_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
