// SPDX-License-Identifier: BSD-2-Clause
/* queue_pause_test.c - A server refuses mail for its source or its sender: such mail waits, one message finds out whether it still has
 * to, and neither who receives mail nor another tenant can have anybody else's wait. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_pause.h"
#include "queue_view.h"

#include <stdio.h>
#include <string.h>

enum { UNDER_WAY = 64, MINUTE_MS = 60 * 1000, TEN_MS = 10 * MINUTE_MS };

struct play {
    struct queue *queue;
    int64_t now_ms, next_message;
    struct work {
        const struct queue_attempt *attempt;
        uint64_t connection;
    } work[UNDER_WAY];
    unsigned count, opened;
    unsigned begun, ended; /* events */
    char text[900];
};

static const char *const hosts[] = {"mx.dest.test"};

static void add(struct play *p, const char *tenant, const char *domain, enum stream_class class, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct queue_entry e = {.message = ++p->next_message, .class = class, .tenant = tenant, .domain = domain, .due_ms = p->now_ms, .expires_ms = 1000000000};
        queue_add(p->queue, &e, 1, p->now_ms);
    }
}

static void takes_work(struct play *p, const struct queue_attempt *attempt, uint64_t connection)
{
    EXPECT(p->count < UNDER_WAY, "room");
    p->work[p->count++] = (struct work){attempt, connection};
}

static void opens(struct play *p, const struct queue_decision *decision)
{
    struct queue_address a = {.ip = {127}, .port = 25};
    size_t index = 0;
    bool probes = false;
    p->opened++;
    EXPECT(queue_address_take(p->queue, decision->connection, &a, 1, &index, &probes, p->now_ms), "an address");
    EXPECT(queue_opened(p->queue, decision->connection, &a, p->now_ms), "open");
    takes_work(p, decision->attempt, decision->connection);
}

static void tells(struct play *p, const struct queue_decision *decision)
{
    p->begun += decision->reason == QUEUE_PAUSE_BEGINS;
    p->ended += decision->reason == QUEUE_PAUSE_ENDS;
    if (decision->reason == QUEUE_PAUSE_BEGINS)
        snprintf(p->text, sizeof(p->text), "%s", decision->text);
}

static void decides(struct play *p)
{
    struct queue_decision decision;
    const struct queue_answer answer = {.hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .connections = 10, .valid_ms = 100000000};
    while (queue_decide(p->queue, &decision, p->now_ms)) {
        if (decision.kind == QUEUE_RESOLVE)
            EXPECT(queue_resolved(p->queue, decision.domain, &answer, p->now_ms), "asked for");
        else if (decision.kind == QUEUE_OPEN)
            opens(p, &decision);
        else if (decision.kind == QUEUE_SEND)
            takes_work(p, decision.attempt, decision.connection);
        else if (decision.kind == QUEUE_CLOSE)
            queue_connection_closed(p->queue, decision.connection, p->now_ms);
        else if (decision.kind == QUEUE_EVENT)
            tells(p, &decision);
    }
}

static const struct queue_refusal_said at_rcpt = {.kind = QUEUE_PAUSE_SOURCE, .about = "", .row = "reputation", .why = "550 listed", .times = 1, .for_ms = TEN_MS};
static const struct queue_refusal_said at_mail = {.kind = QUEUE_PAUSE_SOURCE, .about = "", .row = "reputation", .why = "550 listed", .early = true, .times = 1, .for_ms = TEN_MS};

/* The i-th that is under way is answered so; NULL: it is taken. */
static void answers(struct play *p, unsigned i, const struct queue_refusal_said *said)
{
    const struct work done = p->work[i];
    const struct queue_attempt *next = NULL;
    p->now_ms += 10;
    p->work[i] = p->work[--p->count];
    if (said)
        queue_was_refused(p->queue, done.attempt, said, p->now_ms);
    enum queue_next what = queue_message_done(p->queue, done.connection, said ? QUEUE_SPOKEN : QUEUE_TAKEN, true, &next, p->now_ms);
    if (next)
        takes_work(p, next, done.connection);
    queue_settled(p->queue, done.attempt, NULL, p->now_ms);
    if (what == QUEUE_NEXT_CLOSE)
        queue_connection_closed(p->queue, done.connection, p->now_ms);
    decides(p);
}

static struct play begin(void)
{
    const struct queue_settings settings = {.idle_ms = 2000};
    struct play p = {.now_ms = 1000};
    p.queue = queue_new(&settings, p.now_ms);
    return p;
}

static unsigned under_way(const struct play *p, const char *tenant, const char *domain)
{
    unsigned count = 0;
    for (unsigned i = 0; i < p->count; i++)
        count += (!tenant || strcmp(p->work[i].attempt->tenant, tenant) == 0) && (!domain || strcmp(p->work[i].attempt->domain, domain) == 0);
    return count;
}

static void passes(struct play *p, int64_t ms)
{
    p->now_ms += ms;
    decides(p);
}

/* All that is under way is answered; NULL: taken. */
static void answers_all(struct play *p, const struct queue_refusal_said *said)
{
    for (unsigned left = p->count; left > 0; left--)
        answers(p, 0, said);
}

/* One message of that tenant to that domain, refused. */
static void is_refused(struct play *p, const char *tenant, const char *domain, const struct queue_refusal_said *said)
{
    add(p, tenant, domain, STREAM_DIGEST, 1);
    decides(p);
    EXPECT(under_way(p, tenant, domain) == 1, "it goes");
    for (unsigned i = 0; i < p->count; i++)
        if (strcmp(p->work[i].attempt->tenant, tenant) == 0 && strcmp(p->work[i].attempt->domain, domain) == 0) {
            answers(p, i, said);
            return;
        }
}

static void what_is_refused_waits_and_one_finds_out(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &at_mail);
    EXPECT(p.begun == 1 && strcmp(p.text, "mail of tenant a, by reputation: 550 listed") == 0, p.text);
    add(&p, "a", "dest.test", STREAM_DIGEST, 30);
    add(&p, "a", "other.test", STREAM_DIGEST, 30);
    passes(&p, 9 * MINUTE_MS);
    EXPECT(p.count == 0, "it waits, codes too");
    add(&p, "a", "dest.test", STREAM_SECURITY, 3);
    passes(&p, 30 * 1000);
    EXPECT(p.count == 0, "class security, too");
    EXPECT(queue_wake_ms(p.queue) <= p.now_ms + MINUTE_MS, "it knows when to look");
    passes(&p, MINUTE_MS);
    EXPECT(p.count == 1 && p.work[0].attempt->class == STREAM_SECURITY, "one goes, the most urgent");
    answers(&p, 0, &at_mail);
    EXPECT(p.count == 0 && p.begun == 2, "in vain");
    passes(&p, 19 * MINUTE_MS);
    EXPECT(p.count == 0, "it waits twice as long");
    passes(&p, 2 * MINUTE_MS);
    EXPECT(p.count == 1, "one more");
    answers(&p, 0, NULL);
    EXPECT(p.ended == 1 && p.count == 1, "it is taken: one connection");
    answers(&p, 0, NULL);
    EXPECT(p.count == 2, "and one more for each");
    for (int i = 0; i < 5; i++)
        answers(&p, 0, NULL);
    EXPECT(p.count > 2, "as its window does");
    answers(&p, 0, &at_mail);
    EXPECT(p.begun == 3 && p.count > 1, "it is met again: what is under way goes on");
    answers_all(&p, NULL);
    EXPECT(p.count == 0, "and the rest waits");
    queue_free(p.queue);
}

static void it_never_waits_for_more_than_two_hours(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &at_mail);
    add(&p, "a", "dest.test", STREAM_DIGEST, 30);
    for (int i = 0; i < 10; i++) {
        passes(&p, 2 * 60 * MINUTE_MS + 1000);
        EXPECT(p.count == 1, "one asks");
        answers(&p, 0, &at_mail);
        EXPECT(p.count == 0, "and the rest waits");
    }
    queue_free(p.queue);
}

static void others_mail_goes_on(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &at_mail);
    add(&p, "a", "dest.test", STREAM_DIGEST, 30);
    add(&p, "b", "dest.test", STREAM_DIGEST, 30);
    decides(&p);
    EXPECT(under_way(&p, "b", NULL) > 0 && under_way(&p, "a", NULL) == 0, "another tenant's");
    for (int i = 0; i < 30; i++)
        answers(&p, 0, NULL);
    EXPECT(p.count == 0 && p.begun == 1, "all of it");
    queue_free(p.queue);
}

static void two_tenants_show_that_it_is_everybodys(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &at_mail);
    is_refused(&p, "b", "dest.test", &at_mail);
    EXPECT(p.begun == 3, "his, hers, everybody's");
    add(&p, "c", "dest.test", STREAM_SECURITY, 5);
    passes(&p, 9 * MINUTE_MS);
    EXPECT(p.count == 0, "a third one's waits");
    passes(&p, 2 * MINUTE_MS);
    EXPECT(p.count == 1 && under_way(&p, "c", NULL) == 1, "one asks");
    answers(&p, 0, NULL);
    EXPECT(p.count == 1, "and it grows");
    queue_free(p.queue);
}

static void what_is_taken_of_a_third_shows_that_it_is_not(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &at_mail);
    add(&p, "c", "dest.test", STREAM_DIGEST, 1);
    decides(&p);
    answers(&p, 0, NULL);
    is_refused(&p, "b", "dest.test", &at_mail);
    EXPECT(p.begun == 2, "only theirs");
    add(&p, "c", "dest.test", STREAM_DIGEST, 3);
    decides(&p);
    EXPECT(under_way(&p, "c", NULL) > 0, "which the third one does not wait for");
    queue_free(p.queue);
}

/* Once everybody's mail asks, one tenant's refusal alone keeps nobody else. */
static void one_tenant_cannot_renew_everybodys(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &at_mail);
    is_refused(&p, "b", "dest.test", &at_mail);
    add(&p, "a", "dest.test", STREAM_SECURITY, 5);
    add(&p, "c", "dest.test", STREAM_DIGEST, 5);
    passes(&p, 11 * MINUTE_MS);
    EXPECT(p.count == 1 && under_way(&p, "a", NULL) == 1, "his asks");
    answers(&p, 0, &at_mail);
    EXPECT(p.count == 1 && under_way(&p, "c", NULL) == 1, "in vain: then hers");
    answers(&p, 0, NULL);
    EXPECT(under_way(&p, "c", NULL) > 0 && under_way(&p, "a", NULL) == 0, "which goes on");
    queue_free(p.queue);
}

/* Whoever has domains can lead them there, and says what is answered to their mail. */
static void who_receives_can_stop_nobody_elses_mail(void **state)
{
    (void)state;
    char domain[32];
    struct play p = begin();
    for (int i = 0; i < 10; i++) {
        snprintf(domain, sizeof(domain), "evil%d.test", i);
        is_refused(&p, "a", domain, &at_rcpt);
        is_refused(&p, "b", domain, &at_rcpt);
        add(&p, "a", domain, STREAM_SECURITY, 1);
        decides(&p);
        EXPECT(p.count == 0, "his own waits");
    }
    add(&p, "a", "good.test", STREAM_DIGEST, 20);
    add(&p, "c", "good.test", STREAM_DIGEST, 20);
    decides(&p);
    EXPECT(under_way(&p, "a", "good.test") == 1, "it goes with care");
    EXPECT(under_way(&p, "c", "good.test") >= 1, "and others' as ever");
    for (int i = 0; i < 40; i++)
        answers(&p, 0, NULL);
    EXPECT(p.count == 0, "all of it");
    queue_free(p.queue);
}

/* One domain's mail is set aside: what stands behind it goes. */
static void a_domain_that_waits_hides_no_others(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "evil.test", &at_rcpt);
    add(&p, "a", "evil.test", STREAM_SECURITY, 40);
    add(&p, "a", "good.test", STREAM_SECURITY, 5);
    add(&p, "a", "good.test", STREAM_DIGEST, 5);
    decides(&p);
    EXPECT(under_way(&p, "a", "good.test") > 0 && under_way(&p, "a", "evil.test") == 0, "good");
    for (int i = 0; i < 10; i++)
        answers(&p, 0, NULL);
    passes(&p, 11 * MINUTE_MS);
    EXPECT(under_way(&p, "a", "evil.test") == 1, "one asks");
    answers(&p, 0, NULL);
    EXPECT(under_way(&p, "a", "evil.test") == 1, "one connection");
    answers(&p, 0, NULL);
    EXPECT(under_way(&p, "a", "evil.test") == 2, "two");
    queue_free(p.queue);
}

static void it_takes_as_many_as_its_trigger_says(void **state)
{
    (void)state;
    struct queue_refusal_said third = at_rcpt;
    third.times = 3;
    third.within_ms = TEN_MS;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &third);
    is_refused(&p, "a", "dest.test", &third);
    add(&p, "a", "dest.test", STREAM_DIGEST, 1);
    decides(&p);
    answers(&p, 0, NULL);
    is_refused(&p, "a", "dest.test", &third);
    is_refused(&p, "a", "dest.test", &third);
    EXPECT(p.begun == 0, "one was taken between them");
    passes(&p, 11 * MINUTE_MS);
    is_refused(&p, "a", "dest.test", &third);
    EXPECT(p.begun == 0, "they were too long ago");
    is_refused(&p, "a", "dest.test", &third);
    is_refused(&p, "a", "dest.test", &third);
    EXPECT(p.begun == 1, "three in a row");
    queue_free(p.queue);
}

/* ---- senders and mailboxes ---- */

static void a_sending_domain_waits_and_others_go(void **state)
{
    (void)state;
    const struct queue_refusal_said said = {.kind = QUEUE_PAUSE_SENDER, .about = "club.test", .row = "authentication", .why = "550 5.7.26 No", .times = 1, .for_ms = TEN_MS};
    struct play p = begin();
    add(&p, "a", "dest.test", STREAM_DIGEST, 20); /* its window grows */
    for (decides(&p); p.count > 0;)
        answers(&p, 0, NULL);
    is_refused(&p, "a", "dest.test", &said);
    EXPECT(strstr(p.text, "from club.test to dest.test (see 'sealpost dns club.test --check')"), p.text);
    add(&p, "a", "dest.test", STREAM_DIGEST, 2);
    add(&p, "a", "other.test", STREAM_DIGEST, 1);
    decides(&p);
    EXPECT(p.count == 3, "the queue knows no senders");
    for (unsigned i = 0; i < p.count; i++) {
        bool is_it = strcmp(p.work[i].attempt->domain, "dest.test") == 0;
        EXPECT((queue_pause_waits(p.queue, p.work[i].attempt, QUEUE_PAUSE_SENDER, "club.test", p.now_ms) > 9 * MINUTE_MS) == is_it, "it waits there");
        EXPECT(queue_pause_waits(p.queue, p.work[i].attempt, QUEUE_PAUSE_SENDER, "shop.test", p.now_ms) == 0, "another one does not");
    }
    unsigned first = strcmp(p.work[0].attempt->domain, "dest.test") == 0 ? 0 : 1;
    unsigned second = strcmp(p.work[first + 1].attempt->domain, "dest.test") == 0 ? first + 1 : 2;
    const struct queue_attempt *other = p.work[second].attempt;
    passes(&p, TEN_MS);
    EXPECT(queue_pause_waits(p.queue, other, QUEUE_PAUSE_SENDER, "club.test", p.now_ms) == 0, "one asks");
    EXPECT(queue_pause_waits(p.queue, p.work[first].attempt, QUEUE_PAUSE_SENDER, "club.test", p.now_ms) > 0, "the others wait for it");
    answers(&p, first, NULL);
    EXPECT(p.ended == 0, "what was under way before says nothing");
    p.now_ms += 2 * MINUTE_MS;
    add(&p, "a", "dest.test", STREAM_DIGEST, 1);
    decides(&p);
    unsigned last = p.count - 1;
    EXPECT(queue_pause_waits(p.queue, p.work[last].attempt, QUEUE_PAUSE_SENDER, "club.test", p.now_ms) == 0, "one asks again");
    other = p.work[0].attempt;
    answers(&p, last, NULL);
    EXPECT(p.ended == 1, "it is taken");
    EXPECT(queue_pause_waits(p.queue, other, QUEUE_PAUSE_SENDER, "club.test", p.now_ms) == 0, "and they go");
    queue_free(p.queue);
}

static void a_mailbox_waits_and_says_nothing(void **state)
{
    (void)state;
    const struct queue_refusal_said said = {.kind = QUEUE_PAUSE_MAILBOX, .about = "bob@dest.test", .row = "recipient-rate", .why = "450 4.2.1", .times = 1, .for_ms = TEN_MS};
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &said);
    EXPECT(p.begun == 0, "no event");
    add(&p, "a", "dest.test", STREAM_DIGEST, 1);
    decides(&p);
    EXPECT(p.count == 1, "the destination goes on");
    EXPECT(queue_pause_waits(p.queue, p.work[0].attempt, QUEUE_PAUSE_MAILBOX, "bob@dest.test", p.now_ms) > 9 * MINUTE_MS, "his waits");
    EXPECT(queue_pause_waits(p.queue, p.work[0].attempt, QUEUE_PAUSE_MAILBOX, "eve@dest.test", p.now_ms) == 0, "hers does not");
    passes(&p, TEN_MS);
    EXPECT(queue_pause_waits(p.queue, p.work[0].attempt, QUEUE_PAUSE_MAILBOX, "bob@dest.test", p.now_ms) == 0, "one goes");
    EXPECT(queue_pause_waits(p.queue, p.work[0].attempt, QUEUE_PAUSE_MAILBOX, "bob@dest.test", p.now_ms) > 0, "and then one a minute");
    queue_free(p.queue);
}

/* ---- kept, and ended ---- */

struct kept {
    struct queue_pause pause;
    char texts[6][64];
    unsigned count;
};

static void keep(void *context, const struct queue_pause *pause)
{
    struct kept *k = context;
    const char *texts[] = {pause->destination, pause->tenant, pause->domain, pause->about, pause->row, pause->why};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        snprintf(k->texts[i], sizeof(k->texts[i]), "%s", texts[i]);
    k->pause = *pause;
    k->pause.destination = k->texts[0];
    k->pause.tenant = k->texts[1];
    k->pause.domain = k->texts[2];
    k->pause.about = k->texts[3];
    k->pause.row = k->texts[4];
    k->pause.why = k->texts[5];
    k->count++;
}

static void a_new_queue_knows_it(void **state)
{
    (void)state;
    struct play p = begin();
    struct kept k = {0};
    is_refused(&p, "a", "dest.test", &at_rcpt);
    EXPECT(queue_pauses_changed(p.queue), "it is to be kept");
    queue_take_pauses(p.queue, keep, &k);
    EXPECT(k.count == 1 && !queue_pauses_changed(p.queue), "which it is");
    queue_free(p.queue);

    struct play again = begin();
    again.now_ms = p.now_ms + MINUTE_MS;
    queue_restore_pause(again.queue, &k.pause, again.now_ms);
    EXPECT(!queue_pauses_changed(again.queue), "it is kept already");
    struct kept seen = {0};
    queue_each_pause(again.queue, keep, &seen);
    EXPECT(seen.count == 1 && strcmp(seen.pause.tenant, "a") == 0 && strcmp(seen.pause.domain, "dest.test") == 0 && strcmp(seen.pause.why, "550 listed") == 0 && seen.pause.state == QUEUE_PAUSE_RESTS, "and shown");
    add(&again, "a", "dest.test", STREAM_SECURITY, 5);
    add(&again, "b", "dest.test", STREAM_DIGEST, 1);
    decides(&again);
    EXPECT(again.count == 1 && under_way(&again, "b", NULL) == 1, "it waits on");
    answers(&again, 0, NULL);
    EXPECT(queue_resume(again.queue, NULL, again.now_ms), "a reload");
    decides(&again);
    EXPECT(again.count == 0, "changes nothing");
    EXPECT(queue_resume(again.queue, "mx.dest.test:25", again.now_ms), "resume");
    decides(&again);
    EXPECT(again.count > 0, "an operator has ended it");
    queue_take_pauses(again.queue, keep, &seen);
    EXPECT(seen.count == 2 && seen.pause.state == QUEUE_PAUSE_OVER, "which is to be kept, too");
    queue_free(again.queue);
}

static void a_retry_has_one_ask(void **state)
{
    (void)state;
    struct play p = begin();
    is_refused(&p, "a", "dest.test", &at_rcpt);
    add(&p, "a", "dest.test", STREAM_DIGEST, 5);
    decides(&p);
    EXPECT(p.count == 0, "it waits");
    queue_resume_domain(p.queue, "dest.test", p.now_ms);
    decides(&p);
    EXPECT(p.count == 1, "one goes");
    answers(&p, 0, &at_rcpt);
    EXPECT(p.count == 0, "the others do not");
    queue_free(p.queue);
}

/* Memory: of one tenant so many at most, whatever he is refused for. */
static void there_is_an_end_to_them(void **state)
{
    (void)state;
    char about[32];
    struct kept k = {0};
    struct queue_refusal_said said = {.kind = QUEUE_PAUSE_MAILBOX, .about = about, .row = "recipient-rate", .why = "450", .times = 1, .for_ms = TEN_MS};
    struct play p = begin();
    is_refused(&p, "b", "dest.test", &at_rcpt);
    add(&p, "a", "dest.test", STREAM_DIGEST, 1);
    decides(&p);
    for (int i = 0; i < 5000; i++) {
        snprintf(about, sizeof(about), "u%d@dest.test", i);
        queue_was_refused(p.queue, p.work[0].attempt, &said, p.now_ms);
    }
    queue_each_pause(p.queue, keep, &k);
    EXPECT(k.count == 257, "his, and that of another");
    queue_free(p.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused_waits_and_one_finds_out), cmocka_unit_test(it_never_waits_for_more_than_two_hours),
        cmocka_unit_test(others_mail_goes_on), cmocka_unit_test(two_tenants_show_that_it_is_everybodys),
        cmocka_unit_test(what_is_taken_of_a_third_shows_that_it_is_not), cmocka_unit_test(one_tenant_cannot_renew_everybodys),
        cmocka_unit_test(who_receives_can_stop_nobody_elses_mail), cmocka_unit_test(a_domain_that_waits_hides_no_others),
        cmocka_unit_test(it_takes_as_many_as_its_trigger_says), cmocka_unit_test(a_sending_domain_waits_and_others_go),
        cmocka_unit_test(a_mailbox_waits_and_says_nothing), cmocka_unit_test(a_new_queue_knows_it),
        cmocka_unit_test(a_retry_has_one_ask), cmocka_unit_test(there_is_an_end_to_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
