// SPDX-License-Identifier: BSD-2-Clause
/* recent_test.c - What is handed out without a look at the database is what the database says; whatever may change that empties the list.
 */
#include "clock.h"
#include "table.h"

#include "recent.h"
#include "store.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char place[64];
static struct store *store;

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool answered;
};

static void on_answer(struct store_job *job)
{
    struct waiter *w = job->owner;
    pthread_mutex_lock(&w->mutex);
    w->answered = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->mutex);
}

static void run(struct store_job *job)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    job->answer = on_answer;
    job->owner = &w;
    store_put(store, job);
    pthread_mutex_lock(&w.mutex);
    while (!w.answered)
        pthread_cond_wait(&w.done, &w.mutex);
    pthread_mutex_unlock(&w.mutex);
}

static void on_due(void *context, const struct database_due *due, size_t count)
{
    (void)context;
    (void)due;
    (void)count;
}

static void on_stepped(void *context, int64_t step_ms)
{
    (void)context;
    (void)step_ms;
}

static int set_up(void **state)
{
    static const struct store_events events = {.due = on_due, .stepped = on_stepped};
    struct err err = {0};
    char template[] = "/tmp/sealpost-recent-XXXXXX";
    (void)state;
    snprintf(place, sizeof(place), "%s/state", mkdtemp(template));
    return store_create(place, &err) && store_start(place, &events, &store, &err) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    char root[64];
    (void)state;
    store_stop(store);
    snprintf(root, sizeof(root), "%.*s", (int)(strlen(place) - strlen("/state")), place);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int64_t accept(const char *tenant)
{
    struct store_accept *a = store_accept_new();
    struct mail *m = a->mail = mail_new();
    m->id = store_new_id(store);
    m->created_ms = clock_now_ms();
    m->expires_ms = m->created_ms + 1000000;
    m->class = STREAM_SECURITY;
    snprintf(m->tenant, sizeof(m->tenant), "%s", tenant);
    snprintf(m->credential, sizeof(m->credential), "app@club.test");
    snprintf(m->stream, sizeof(m->stream), "login");
    snprintf(m->from_domain, sizeof(m->from_domain), "club.test");
    snprintf(m->helo, sizeof(m->helo), "app.club.test");
    snprintf(m->peer, sizeof(m->peer), "127.0.0.1");
    snprintf(m->protocol, sizeof(m->protocol), "ESMTPSA");
    m->tls_need = TLS_NEED_VERIFIED;
    m->header_utf8 = m->body_8bit = m->dialogue = true;
    m->envelope = (struct envelope){.sender = xstrdup("a@club.test"),
                                    .id = xstrdup("QQ314159"),
                                    .report = RETURN_HEADERS,
                                    .smtputf8 = true};
    envelope_add(&m->envelope, SPAN("Bo@dest.test"), "dest.test", SPAN("rfc822;bo@x.test"), 6);
    envelope_add(&m->envelope, SPAN("cy@other.test"), "other.test", SPAN_NONE, 0);
    buf_add(&a->body, SPAN("Subject: x\r\n\r\nbody\r\n"));
    int64_t id = m->id;
    run(&a->job);
    assert_int_equal(a->result, STORE_ACCEPTED);
    store_job_free(&a->job);
    return id;
}

static struct mail *in_database(int64_t id)
{
    struct database *db = NULL;
    struct mail *m = NULL;
    struct err err = {0};
    assert_true(database_open(place, DATABASE_READ, &db, &err));
    assert_true(database_mail(db, id, &m, &err));
    database_close(db);
    return m;
}

static void assert_same_recipient(const struct mail *a, const struct mail *b, size_t i)
{
    assert_string_equal(a->envelope.rcpts[i].address, b->envelope.rcpts[i].address);
    assert_string_equal(a->envelope.rcpts[i].domain, b->envelope.rcpts[i].domain);
    assert_string_equal(a->envelope.rcpts[i].original, b->envelope.rcpts[i].original);
    assert_int_equal(a->envelope.rcpts[i].notify, b->envelope.rcpts[i].notify);
    assert_memory_equal(&a->rows[i], &b->rows[i], sizeof(a->rows[i]));
}

/* The strings apart, all that is in there, bytes between the members too. */
static void assert_same(struct mail *a, struct mail *b)
{
    assert_int_equal(a->envelope.count, b->envelope.count);
    for (size_t i = 0; i < a->envelope.count; i++)
        assert_same_recipient(a, b, i);
    assert_string_equal(a->envelope.sender, b->envelope.sender);
    assert_string_equal(a->envelope.id, b->envelope.id);
    assert_int_equal(a->envelope.report, b->envelope.report);
    assert_int_equal(a->envelope.smtputf8, b->envelope.smtputf8);
    assert_ptr_equal(a->message_id, b->message_id);
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->expires_ms, b->expires_ms);
    assert_int_equal(a->class, b->class);
    assert_string_equal(a->stream, b->stream);
    assert_string_equal(a->tenant, b->tenant);
    assert_string_equal(a->credential, b->credential);
    assert_string_equal(a->from_domain, b->from_domain);
    assert_string_equal(a->helo, b->helo);
    assert_string_equal(a->peer, b->peer);
    assert_string_equal(a->protocol, b->protocol);
    assert_int_equal(a->header_utf8, b->header_utf8);
    assert_int_equal(a->body_8bit, b->body_8bit);
    assert_int_equal(a->dialogue, b->dialogue);
    assert_int_equal(a->tls_need, b->tls_need);
    assert_memory_equal(&a->place, &b->place, sizeof(a->place));
}

static void it_is_what_the_database_says_and_handed_out_once(void **state)
{
    (void)state;
    int64_t id = accept("club");
    struct mail *written = in_database(id);
    struct mail *recent = store_recent(store, id);
    assert_non_null(recent);
    assert_same(recent, written);
    mail_free(recent);
    mail_free(written);
    assert_null(store_recent(store, id));
    assert_null(store_recent(store, id + 1));
}

static bool do_nothing(struct database *db, void *context, struct err *err)
{
    (void)db;
    (void)context;
    (void)err;
    return true;
}

static void a_command_empties_it(void **state)
{
    (void)state;
    int64_t id = accept("club");
    struct store_change *c = store_change_new(do_nothing, NULL);
    run(&c->job);
    assert_int_equal(c->result, STORE_CHANGED);
    store_job_free(&c->job);
    assert_null(store_recent(store, id));
}

static void settle_as(int64_t id, enum mail_state state, bool suppress)
{
    struct store_settle *s = store_settle_new();
    struct store_outcome *o = store_settle_add(s);
    *o = (struct store_outcome){.message = id,
                                .state = state,
                                .tries = 1,
                                .answer = verdict_make(state == MAIL_DONE ? 250 : 550, "5.1.1", "x"),
                                .kind = "delivered",
                                .suppress_ms = suppress ? 1000000 : 0};
    run(&s->job);
    assert_int_equal(s->result, STORE_RECORDED);
    store_job_free(&s->job);
}

/* `suppress`: the receiver says that there is no such mailbox. */
static void settle(int64_t id, bool suppress)
{
    settle_as(id, suppress ? MAIL_BOUNCED : MAIL_DONE, suppress);
}

/* That of mail which was put off before anybody read it. */
static void an_outcome_takes_it_out(void **state)
{
    (void)state;
    int64_t put_off = accept("club");
    int64_t waits = accept("club");
    settle_as(put_off, MAIL_WAITING, false);
    assert_null(store_recent(store, put_off));
    struct mail *m = store_recent(store, waits);
    assert_non_null(m);
    mail_free(m);
}

static void a_suppression_empties_it_and_a_delivery_does_not(void **state)
{
    (void)state;
    int64_t settled = accept("club");
    int64_t waits = accept("club");
    mail_free(store_recent(store, settled));
    settle(settled, false);
    struct mail *m = store_recent(store, waits);
    assert_non_null(m);
    mail_free(m);
    settled = accept("club");
    waits = accept("club");
    settle(settled, true);
    assert_null(store_recent(store, waits));
}

static struct store_accept *accepted(void)
{
    struct store_accept *a = store_accept_new();
    job_of(&a->job)->state = JOB_DONE;
    a->result = STORE_ACCEPTED;
    a->mail = mail_new();
    a->mail->envelope.sender = xstrdup("");
    return a;
}

/* As message_ids_new() makes them: `each` in a millisecond. */
static int64_t nth_id(int64_t n, int64_t each)
{
    return (INT64_C(1800000000000) + n / each) << 16 | n % each;
}

static void note_nth(struct recent *r, struct store_accept *a, int64_t n, int64_t each, int64_t at_ms)
{
    a->mail->id = nth_id(n, each);
    a->mail->created_ms = at_ms;
    recent_note(r, job_of(&a->job), false);
}

static size_t take_some(struct recent *r, int64_t from, int64_t to, int64_t each)
{
    size_t found = 0;
    for (int64_t n = from; n < to; n++) {
        struct mail *m = recent_take(r, nth_id(n, each));
        found += m != NULL;
        mail_free(m);
    }
    return found;
}

/* However fast it comes, nothing is lost while fewer wait than half of what has room. */
static void ids_do_not_get_in_each_others_way(void **state)
{
    enum { COUNT = RECENT_SIZE / 2 };
    static struct recent r;
    struct store_accept *a = accepted();
    (void)state;
    recent_init(&r);
    for (int64_t each = 1; each < 200; each++) {
        for (int64_t n = 0; n < COUNT; n++)
            note_nth(&r, a, n, each, n / each);
        assert_in_range(take_some(&r, 0, COUNT, each), COUNT - COUNT / 32, COUNT);
    }
    recent_fini(&r);
    store_job_free(&a->job);
}

/* When more wait than have room, the first of them are there, which are asked for next. */
static void there_is_a_bound_and_the_first_stay(void **state)
{
    static struct recent r;
    struct store_accept *a = accepted();
    (void)state;
    recent_init(&r);
    for (int64_t n = 0; n < 3 * RECENT_SIZE; n++)
        note_nth(&r, a, n, 3, n / 3);
    assert_in_range(take_some(&r, 0, RECENT_SIZE / 2, 3), RECENT_SIZE / 2 - RECENT_SIZE / 32, RECENT_SIZE / 2);
    assert_in_range(take_some(&r, RECENT_SIZE / 2, 3 * RECENT_SIZE, 3), RECENT_SIZE / 4, RECENT_SIZE / 2 + RECENT_SIZE / 32);
    recent_fini(&r);
    store_job_free(&a->job);
}

/* What nobody asked for goes after a while. */
static void the_old_makes_room(void **state)
{
    static struct recent r;
    struct store_accept *a = accepted();
    (void)state;
    recent_init(&r);
    for (int64_t n = 0; n < 3 * RECENT_SIZE; n++)
        note_nth(&r, a, n, 3, 0);
    note_nth(&r, a, 4 * RECENT_SIZE, 3, RECENT_MS - 1);
    assert_int_equal(take_some(&r, 4 * RECENT_SIZE, 4 * RECENT_SIZE + 1, 3), 0);
    for (int64_t n = 4 * RECENT_SIZE; n < 5 * RECENT_SIZE; n++)
        note_nth(&r, a, n, 3, RECENT_MS);
    assert_in_range(take_some(&r, 4 * RECENT_SIZE, 5 * RECENT_SIZE, 3), RECENT_SIZE - RECENT_SIZE / 8, RECENT_SIZE);
    note_nth(&r, a, 0, 3, RECENT_MS); /* which goes with the list */
    recent_fini(&r);
    store_job_free(&a->job);
}

static void what_the_throttle_or_a_capture_changed_is_not_there(void **state)
{
    static const enum throttle_what others[] = {THROTTLE_PACE,       THROTTLE_DEFER,    THROTTLE_REJECT,
                                                THROTTLE_SUPPRESSED, THROTTLE_REPEATED, THROTTLE_COLLAPSED,
                                                THROTTLE_REPLACES};
    static struct recent r;
    struct store_accept *a = store_accept_new();
    struct job *job = job_of(&a->job);
    (void)state;
    recent_init(&r);
    job->state = JOB_DONE;
    a->result = STORE_ACCEPTED;
    a->mail = mail_new();
    a->mail->id = 7;
    a->mail->envelope.sender = xstrdup("");
    envelope_add(&a->mail->envelope, SPAN("b@dest.test"), "dest.test", SPAN_NONE, 0);
    envelope_add(&a->mail->envelope, SPAN("c@dest.test"), "dest.test", SPAN_NONE, 0);
    a->decisions = xcalloc(2, sizeof(*a->decisions));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        a->decisions[1].what = others[i];
        recent_note(&r, job, false);
        assert_null(recent_take(&r, 7));
    }
    a->decisions[1].what = THROTTLE_PASS;
    a->result = STORE_CAPTURED;
    recent_note(&r, job, false);
    assert_null(recent_take(&r, 7));
    a->result = STORE_ACCEPTED;
    recent_note(&r, job, false);
    struct mail *m = recent_take(&r, 7);
    assert_non_null(m);
    mail_free(m);
    recent_fini(&r);
    store_job_free(&a->job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_what_the_database_says_and_handed_out_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_command_empties_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_suppression_empties_it_and_a_delivery_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outcome_takes_it_out, set_up, tear_down),
        cmocka_unit_test(ids_do_not_get_in_each_others_way),
        cmocka_unit_test(there_is_a_bound_and_the_first_stay),
        cmocka_unit_test(the_old_makes_room),
        cmocka_unit_test(what_the_throttle_or_a_capture_changed_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
