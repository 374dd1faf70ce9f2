// SPDX-License-Identifier: BSD-2-Clause
/* reports_test.c - What senders are told, alone: what one report gathers and what has to wait, what is made when the
 * message cannot be read or nobody can be told, and what is dropped over the limit. A report is owed until it is told.
 */
#include "store_stage.h"

#include "clock.h"
#include "db.h"
#include "report_rows.h"
#include "reports.h"
#include "settle.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct message_ids ids;
static struct reports settings;

static void with_database(store_on_change *run, void *context)
{
    struct err err = {0};
    if (!store_run_alone(place, run, context, &err))
        fail_msg("%s", err.text);
}

/* ---- a message, and what became of its recipients ---- */

static const char *sender;

static int64_t accept_one(size_t recipients, const char *bytes)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store *store = start();
    struct store_accept *a = new_accept(&w);
    a->mail = make_mail(store, recipients);
    free(a->mail->envelope.sender);
    a->mail->envelope.sender = xstrdup(sender);
    snprintf(a->mail->from_domain, sizeof(a->mail->from_domain), "club.test");
    buf_add(&a->body, span_of(bytes));
    int64_t id = a->mail->id;
    store_put(store, &a->job);
    wait_for(&w);
    assert_int_equal(a->result, STORE_ACCEPTED);
    store_job_free(&a->job);
    store_stop(store);
    return id;
}

static void end(int64_t id, unsigned number, enum mail_state state, enum store_report report)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store *store = start();
    struct store_settle *s = new_settle(&w);
    struct store_outcome *o = store_settle_add(s);
    *o = (struct store_outcome){.message = id,
                                .number = number,
                                .state = state,
                                .tries = 1,
                                .due_ms = clock_now_ms() + 3600000,
                                .report = report,
                                .answer = verdict_make(state == MAIL_DONE ? 250 : 550, "5.1.1", "reply to %u", number),
                                .kind = "bounced",
                                .remote = "mx.test[192.0.2.1]"};
    store_put(store, &s->job);
    wait_for(&w);
    assert_int_equal(s->result, STORE_RECORDED);
    store_job_free(&s->job);
    store_stop(store);
}

/* ---- one round ---- */

struct round {
    bool later;          /* as if half a minute had passed */
    size_t count;        /* of reports */
    size_t told;         /* recipients in the first one */
    bool has_mail, fails, unquoted, dropped;
    char text[4096], to[100], sender[100];
};

static void note_first(struct round *r, const struct report *report)
{
    r->told = report->count;
    r->has_mail = report->accept.mail != NULL;
    r->fails = report->fails;
    r->unquoted = report->unquoted;
    struct span text = buf_span(&report->accept.body);
    snprintf(r->text, sizeof(r->text), "%.*s", SPAN_ARG(text));
    if (!report->accept.mail)
        return;
    assert_int_equal(report->accept.mail->envelope.count, 1);
    snprintf(r->to, sizeof(r->to), "%s", report->accept.mail->envelope.rcpts[0].address);
    snprintf(r->sender, sizeof(r->sender), "<%s>", report->accept.mail->envelope.sender);
}

/* What is due is made and told; the mail itself is put into nothing. */
static bool make_and_tell(struct database *db, void *context, struct err *err)
{
    struct round *r = context;
    struct job *jobs = NULL;
    if (r->later && !rows_run_about(db, SQL_MOVE_REPORTS, -60000, err))
        return false;
    bool ok = reports_make(&settings, &ids, db, place, &jobs, err);
    while (jobs) {
        struct report *report = &jobs->as.report;
        if (r->count++ == 0)
            note_first(r, report);
        ok = ok && reports_tell(&settings, db, report, clock_now_ms(), err);
        r->dropped = r->dropped || report->dropped;
        struct job *next = jobs->next;
        store_job_free(&report->accept.job);
        jobs = next;
    }
    return ok;
}

static struct round round_of(bool later)
{
    struct round r = {.later = later};
    with_database(make_and_tell, &r);
    return r;
}

static void on_event(void *context, const struct database_event *event)
{
    char *text = context;
    size_t len = strlen(text);
    snprintf(text + len, 2000 - len, "%s:%s:%s\n", event->kind, event->recipient, event->reply);
}

static bool read_events(struct database *db, void *context, struct err *err)
{
    return database_events(db, 0, 1000, on_event, context, err);
}

static bool is_there(struct database *db, void *context, struct err *err)
{
    struct mail *m = NULL;
    int64_t *id = context;
    if (!database_mail(db, *id, &m, err))
        *id = 0;
    mail_free(m);
    return true;
}

/* The message with its rows, which stays until all is told. */
static bool stays(int64_t id)
{
    with_database(is_there, &id);
    return id != 0;
}

static int begin(void **state)
{
    settings = (struct reports){.hostname = "relay.test", .mode = THROTTLE_ENFORCE};
    ids.last = 1;
    sender = "app@club.test";
    return set_up(state);
}

static const char message[] = "From: <app@club.test>\r\nSubject: order 7\r\n\r\nthe body\r\n";

/* ---- the tests ---- */

static void one_report_tells_of_all_at_the_end(void **state)
{
    (void)state;
    int64_t id = accept_one(3, message);
    end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
    end(id, 1, MAIL_DONE, STORE_REPORT_RELAYED);
    assert_int_equal(round_of(false).count, 0); /* others of it may follow */
    end(id, 2, MAIL_BOUNCED, STORE_REPORT_FAILED);
    assert_true(stays(id));
    struct round r = round_of(false); /* nobody waits any more: at once */
    assert_true(r.count == 1 && r.told == 3 && r.has_mail && r.fails && !r.unquoted && !r.dropped);
    assert_string_equal(r.to, "app@club.test");
    assert_string_equal(r.sender, "<>");
    assert_non_null(strstr(r.text, "Subject: order 7"));
    assert_non_null(strstr(r.text, "reply to 0"));
    assert_non_null(strstr(r.text, "mx.test"));
    assert_null(strstr(r.text, "the body"));
    assert_false(stays(id));
    assert_int_equal(round_of(true).count, 0);
}

static void while_somebody_waits_successes_are_not_told(void **state)
{
    (void)state;
    int64_t id = accept_one(3, message);
    end(id, 0, MAIL_DONE, STORE_REPORT_RELAYED);
    end(id, 1, MAIL_WAITING, STORE_REPORT_DELAYED);
    struct round r = round_of(true); /* half a minute later */
    assert_true(r.count == 1 && r.told == 1 && r.has_mail && !r.fails);
    assert_int_equal(round_of(true).count, 0); /* once */
    end(id, 1, MAIL_DONE, STORE_REPORT_NONE);
    end(id, 2, MAIL_DONE, STORE_REPORT_NONE);
    r = round_of(false);
    assert_true(r.count == 1 && r.told == 1 && !r.fails);
    assert_false(stays(id));
}

static void nobody_is_told_where_there_is_nobody(void **state)
{
    static const char *const nobodies[] = {"", "no address", "@club.test", "a@-.-"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(nobodies); i++) {
        char told[2000] = "";
        sender = nobodies[i];
        int64_t id = accept_one(1, message);
        end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
        struct round r = round_of(false);
        EXPECT(r.count == 1 && !r.has_mail && r.told == 1, nobodies[i]);
        EXPECT(!stays(id), nobodies[i]); /* the books are right all the same */
        with_database(read_events, told);
        EXPECT(strstr(told, "report_dropped::report could not be written"), told);
    }
}

static void without_a_name_no_report_is_made(void **state)
{
    (void)state;
    int64_t id = accept_one(1, message);
    end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
    settings.hostname[0] = '\0';
    assert_int_equal(round_of(true).count, 0);
    assert_true(stays(id)); /* it is owed */
    snprintf(settings.hostname, sizeof(settings.hostname), "relay.test");
    assert_int_equal(round_of(false).count, 1);
}

/* Each segment: one octet of it is another one, or it is gone. */
static void spoil(bool damage)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/spool", place);
    DIR *spool = opendir(path);
    assert_non_null(spool);
    for (const struct dirent *e = readdir(spool); e; e = readdir(spool)) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/spool/%s", place, e->d_name);
        int fd = open(path, O_WRONLY);
        assert_true(damage ? pwrite(fd, "X", 1, 60) == 1 : unlink(path) == 0);
        close(fd);
    }
    closedir(spool);
}

/* The bytes are gone, or are not what they were: what has happened is told without them. */
static void a_message_that_cannot_be_read_is_reported_without_it(void **state)
{
    (void)state;
    for (int damage = 0; damage < 2; damage++) {
        char told[2000] = "";
        int64_t id = accept_one(1, message);
        end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
        spoil(damage);
        struct round r = round_of(false);
        assert_true(r.count == 1 && r.has_mail && r.unquoted && r.told == 1);
        assert_non_null(strstr(r.text, "reply to 0"));
        assert_null(strstr(r.text, "order 7"));
        assert_false(stays(id));
        with_database(read_events, told);
        EXPECT(strstr(told, "not_quoted::"), told);
    }
}

enum { MANY = 450, IN_ONE = 400 };

static bool owe_all(struct database *db, void *context, struct err *err)
{
    const int64_t *id = context;
    for (unsigned i = 0; i < MANY; i++) {
        struct store_outcome o = {.message = *id,
                                  .number = i,
                                  .state = MAIL_BOUNCED,
                                  .tries = 1,
                                  .report = STORE_REPORT_FAILED,
                                  .answer = verdict_make(550, "5.1.1", "no"),
                                  .kind = "bounced"};
        if (!rows_settle(db, &o, clock_now_ms(), err))
            return false;
    }
    return report_rows_at_end(db, *id, err);
}

static void what_is_too_much_for_one_is_told_in_the_next(void **state)
{
    (void)state;
    int64_t id = accept_one(MANY, message);
    with_database(owe_all, &id);
    struct round r = round_of(false);
    assert_true(r.count == 1 && r.told == IN_ONE);
    assert_true(stays(id));
    r = round_of(false);
    assert_true(r.count == 1 && r.told == MANY - IN_ONE);
    assert_false(stays(id));
    assert_int_equal(round_of(false).count, 0);
}

/* ---- the limit ---- */

static void over_the_limit_a_success_is_dropped_and_a_failure_waits(void **state)
{
    char told[2000] = "";
    (void)state;
    settings.limit = (struct throttle_limit){.every_ms = 60000, .burst = 1, .hold_ms = 90000};
    int64_t id = accept_one(1, message);
    end(id, 0, MAIL_DONE, STORE_REPORT_RELAYED);
    assert_false(round_of(false).dropped);
    id = accept_one(1, message);
    end(id, 0, MAIL_DONE, STORE_REPORT_RELAYED);
    assert_true(round_of(false).dropped);
    assert_false(stays(id)); /* dropped is told, too */
    with_database(read_events, told);
    EXPECT(strstr(told, "report_dropped:app@club.test:report on 1 recipient not sent: limit \"report\" (1 at once, then "
                          "1 per 60 s)"), told);
    id = accept_one(1, message);
    end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
    assert_false(round_of(false).dropped); /* it waits for a minute */
    id = accept_one(1, message);
    end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
    assert_true(round_of(false).dropped); /* it would for two */
    settings.mode = THROTTLE_OBSERVE;
    id = accept_one(1, message);
    end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
    assert_false(round_of(false).dropped);
    told[0] = '\0';
    with_database(read_events, told);
    EXPECT(strstr(told, "observed:app@club.test:report on 1 recipient would be dropped"), told);
}

/* A sender's name in every spelling has one share. */
static void the_limit_counts_a_mailbox(void **state)
{
    static const char *const spellings[] = {"J.Doe@gmail.com", "jdoe+1@googlemail.com", "JDOE@GMAIL.COM"};
    (void)state;
    settings.limit = (struct throttle_limit){.every_ms = 3600000, .burst = 1};
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        sender = spellings[i];
        int64_t id = accept_one(1, message);
        end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
        EXPECT(round_of(false).dropped == (i > 0), spellings[i]);
    }
}

/* A fault while it is told leaves it owed. */
static bool make_and_fail(struct database *db, void *context, struct err *err)
{
    return make_and_tell(db, context, err) && err_set(err, ERR_FULL, "the disk is full");
}

static void what_could_not_be_told_is_owed(void **state)
{
    struct round r = {0};
    struct err err = {0};
    (void)state;
    int64_t id = accept_one(1, message);
    end(id, 0, MAIL_BOUNCED, STORE_REPORT_FAILED);
    assert_false(store_run_alone(place, make_and_fail, &r, &err));
    assert_true(r.count == 1 && stays(id));
    assert_int_equal(round_of(false).count, 1);
    assert_false(stays(id));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_report_tells_of_all_at_the_end),
        TEST(while_somebody_waits_successes_are_not_told),
        TEST(nobody_is_told_where_there_is_nobody),
        TEST(without_a_name_no_report_is_made),
        TEST(a_message_that_cannot_be_read_is_reported_without_it),
        TEST(what_is_too_much_for_one_is_told_in_the_next),
        TEST(over_the_limit_a_success_is_dropped_and_a_failure_waits),
        TEST(the_limit_counts_a_mailbox),
        TEST(what_could_not_be_told_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
