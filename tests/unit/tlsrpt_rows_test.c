// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_rows_test.c - Sessions counted in the store: alike ones in one row, bounded for each domain and each tenant; a report that is
 * sent once, whatever ends meanwhile, and goes to another place when it comes back. */
#include "store_stage.h"

#include "clock.h"
#include "db.h"
#include "tlsrpt_reports.h"
#include "tlsrpt_rows.h"

#include <sqlite3.h>
#include <stdlib.h>

static const char plain[] = "{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"dest.test\"}";
static struct tlsrpt_text *plain_text; /* all sessions share it */
static const int64_t day_ms = TLSRPT_DAY_MS;
static const int64_t noon_ms = INT64_C(20000) * TLSRPT_DAY_MS + TLSRPT_DAY_MS / 2;

static void with_database(store_on_change *run, void *context)
{
    struct err err = {0};
    if (!store_run_alone(place, run, context, &err))
        fail_msg("%s", err.text);
}

static struct tlsrpt_session session_of(const char *domain, enum tls_result result, const char *mx)
{
    struct tlsrpt_session s = {.result = result, .policy = plain_text};
    snprintf(s.domain, sizeof(s.domain), "%s", domain);
    snprintf(s.mx_host, sizeof(s.mx_host), "%s", mx);
    return s;
}

static void count_one(struct database *db, const char *tenant, const char *domain, enum tls_result result, const char *mx)
{
    const struct tlsrpt_session s = session_of(domain, result, mx);
    struct err err = {0};
    if (!tlsrpt_rows_count(db, &s, tenant, noon_ms, &err))
        fail_msg("%s", err.text);
}

struct list {
    struct tlsrpt_entry all[8];
    size_t count;
};

static void note(void *context, const struct tlsrpt_entry *e)
{
    struct list *l = context;
    if (l->count < COUNT_OF(l->all))
        l->all[l->count] = *e;
    l->count++;
}

static struct list list_all(struct database *db, bool pending)
{
    struct list l = {.count = 0};
    struct err err = {0};
    assert_true(database_tlsrpt_list(db, 0, "", pending, 100000, note, &l, &err));
    return l;
}

static struct tlsrpt_report gathered(struct database *db, const char *domain, struct tlsrpt_gather *g)
{
    struct tlsrpt_report report = {.policy_count = 0};
    struct err err = {0};
    assert_true(database_tlsrpt_counts(db, 20000, domain, g, &err));
    tlsrpt_gather_report(g, &report);
    return report;
}

/* ---- counting ---- */

static bool run_alike(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    for (int i = 0; i < 5; i++)
        count_one(db, "t", "dest.test", TLS_RESULT_OK, "which is not kept");
    for (int i = 0; i < 3; i++)
        count_one(db, "t", "dest.test", TLS_RESULT_CERTIFICATE_EXPIRED, i < 2 ? "mx1.test" : "mx2.test");
    struct list l = list_all(db, true);
    assert_int_equal(l.count, 1);
    assert_int_equal(l.all[0].ok, 5);
    assert_int_equal(l.all[0].bad, 3);
    assert_true(l.all[0].due_ms == tlsrpt_gather_due_ms(20000, "dest.test"));
    struct tlsrpt_gather *g = tlsrpt_gather_new();
    struct tlsrpt_report r = gathered(db, "dest.test", g);
    assert_int_equal(r.policy_count, 1);
    assert_int_equal(r.policies[0].ok, 5);
    assert_int_equal(r.policies[0].failure_count, 2);
    tlsrpt_gather_free(g);
    return true;
}

static void alike_sessions_are_one_row(void **state)
{
    (void)state;
    with_database(run_alike, NULL);
}

static bool run_many(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    for (int i = 0; i < 1000; i++) {
        char mx[32];
        snprintf(mx, sizeof(mx), "mx%d.test", i);
        count_one(db, "t", "dest.test", i % 2 ? TLS_RESULT_CERTIFICATE_EXPIRED : TLS_RESULT_TLSA_INVALID, mx);
    }
    struct tlsrpt_gather *g = tlsrpt_gather_new();
    struct tlsrpt_report r = gathered(db, "dest.test", g);
    assert_int_equal(r.policy_count, 1);
    assert_int_equal(r.policies[0].failed, 1000); /* nothing is lost */
    assert_int_equal(r.policies[0].failure_count, 64 + 2);
    size_t others = 0;
    for (size_t i = 0; i < r.policies[0].failure_count; i++)
        others += strcmp(r.policies[0].failures[i].reason, "other") == 0;
    assert_int_equal(others, 2);
    tlsrpt_gather_free(g);
    return true;
}

static void failures_beyond_64_are_told_together(void **state)
{
    (void)state;
    with_database(run_many, NULL);
}

enum { LARGE = 100 * 1024 };

/* With a policy of that size, another one for each number. */
static void count_large(struct database *db, const char *tenant, const struct tlsrpt_session *session, int number)
{
    static char text[LARGE];
    struct tlsrpt_session s = *session;
    struct err err = {0};
    int at = snprintf(text, sizeof(text), "{\"policy-type\":\"sts\",\"policy-string\":[\"%d", number);
    memset(text + at, 'x', sizeof(text) - (size_t)at);
    int tail = snprintf(NULL, 0, "\"],\"policy-domain\":\"%s\"}", s.domain);
    snprintf(text + sizeof(text) - 1 - tail, (size_t)tail + 1, "\"],\"policy-domain\":\"%s\"}", s.domain);
    s.policy = tlsrpt_text_new(text);
    if (!tlsrpt_rows_count(db, &s, tenant, noon_ms, &err))
        fail_msg("%s", err.text);
    tlsrpt_text_drop(s.policy);
}

static void count_large_of(struct database *db, const char *tenant, int n)
{
    char domain[64];
    snprintf(domain, sizeof(domain), "%s%d.test", tenant, n);
    const struct tlsrpt_session s = session_of(domain, TLS_RESULT_OK, "");
    count_large(db, tenant, &s, 0);
}

static bool run_greedy(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    for (int i = 0; i < 1500; i++)
        count_large_of(db, "greedy", i);
    size_t had = list_all(db, true).count;
    assert_true(had > 300 && had < 600);
    for (int i = 0; i < 100; i++)
        count_one(db, "small", i < 50 ? "a.test" : "b.test", TLS_RESULT_STARTTLS_NOT_SUPPORTED, "");
    assert_int_equal(list_all(db, true).count, had + 2);
    for (int i = 0; i < 1500; i++)
        count_large_of(db, "another", i);
    assert_true(list_all(db, true).count > had + 100);
    count_one(db, "late", "c.test", TLS_RESULT_OK, "");
    struct tlsrpt_gather *g = tlsrpt_gather_new();
    assert_int_equal(gathered(db, "c.test", g).policy_count, 1);
    tlsrpt_gather_free(g);
    g = tlsrpt_gather_new();
    assert_int_equal(gathered(db, "a.test", g).policies[0].failed, 50);
    tlsrpt_gather_free(g);
    return true;
}

static void many_domains_of_one_tenant_leave_room_for_others(void **state)
{
    (void)state;
    with_database(run_greedy, NULL);
}

/* What a report is made of is bounded, whatever the domain publishes; sessions under a policy that is known take a row only. */
static bool run_large(struct database *db, void *context, struct err *err)
{
    struct tlsrpt_session s = session_of("dest.test", TLS_RESULT_VALIDATION_FAILURE, "");
    size_t bytes = 0, told = 0, failures = 0;
    uint64_t failed = 0;
    (void)context;
    (void)err;
    for (int i = 0; i < 100; i++) {
        snprintf(s.mx_host, sizeof(s.mx_host), "mx%d.test", i % 50);
        count_large(db, "t", &s, i < 50 ? 0 : i);
    }
    struct tlsrpt_gather *g = tlsrpt_gather_new();
    struct tlsrpt_report r = gathered(db, "dest.test", g);
    for (size_t i = 0; i < r.policy_count; i++) {
        const struct tlsrpt_policy *p = &r.policies[i];
        assert_true(p->string_count == 1 && p->strings[0][0]);
        bytes += strlen(p->strings[0]);
        told += strncmp(p->strings[0], "(left out", 9) != 0;
        failed += p->failed;
        failures += p->failure_count;
    }
    assert_true(bytes > LARGE && bytes < (size_t)256 * 1024 && told < r.policy_count);
    assert_true(failed == 100 && failures > 50); /* nothing is lost */
    tlsrpt_gather_free(g);
    return true;
}

static void too_many_policies_are_told_as_numbers(void **state)
{
    (void)state;
    with_database(run_large, NULL);
}

static bool run_unwanted(struct database *db, void *context, struct err *err)
{
    (void)context;
    count_one(db, "t", "dest.test", TLS_RESULT_OK, "");
    count_one(db, "t", "other.test", TLS_RESULT_OK, "");
    assert_true(database_tlsrpt_unwanted(db, 20000, "dest.test", err));
    struct list l = list_all(db, true);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.all[0].domain, "other.test");
    count_one(db, "t", "dest.test", TLS_RESULT_OK, "");
    assert_int_equal(list_all(db, true).count, 2);
    return true;
}

static void what_nobody_wants_is_forgotten(void **state)
{
    (void)state;
    with_database(run_unwanted, NULL);
}

/* ---- sending ---- */

static int64_t number_of(struct database *db, const char *query)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db->handle, query, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return number;
}

/* As the sender has its share back, or may have another one: no policy stays that nobody is told of, and none goes that somebody is. */
static bool run_policies(struct database *db, void *context, struct err *err)
{
    static const char policies[] = "SELECT count(*) FROM tlsrpt_policy";
    const struct tlsrpt_entry sent = {.day = 20000, .domain = "t1.test", .state = TLSRPT_SENT};
    (void)context;
    for (int i = 0; i < 3; i++)
        count_large_of(db, "t", i);
    for (int i = 0; i < 2; i++) /* the same, as with TLSA records of one host */
        count_one(db, "t", i ? "one.test" : "two.test", TLS_RESULT_OK, "");
    assert_int_equal(number_of(db, policies), 4);
    assert_true(database_tlsrpt_unwanted(db, 20000, "t0.test", err));
    assert_int_equal(number_of(db, policies), 3);
    assert_true(database_tlsrpt_mark(db, &sent, err));
    assert_int_equal(number_of(db, policies), 2);
    assert_true(database_tlsrpt_unwanted(db, 20000, "one.test", err));
    assert_int_equal(number_of(db, policies), 2);
    struct tlsrpt_gather *g = tlsrpt_gather_new();
    assert_int_equal(gathered(db, "two.test", g).policy_count, 1);
    tlsrpt_gather_free(g);
    assert_true(database_tlsrpt_unwanted(db, 20000, "two.test", err));
    assert_true(database_tlsrpt_unwanted(db, 20000, "t2.test", err));
    assert_int_equal(number_of(db, policies), 0);
    assert_int_equal(number_of(db, "SELECT count(*) FROM tlsrpt"), 0);
    return true;
}

static void a_policy_goes_with_the_last_of_its_counts(void **state)
{
    (void)state;
    with_database(run_policies, NULL);
}

static bool run_due(struct database *db, void *context, struct err *err)
{
    int64_t due_ms = tlsrpt_gather_due_ms(20000, "dest.test");
    int64_t late = 0;
    char nobody[TLSRPT_BUSY][64] = {"", ""}, busy[TLSRPT_BUSY][64] = {"u", "t"};
    struct list l = {.count = 0};
    (void)context;
    count_one(db, "t", "dest.test", TLS_RESULT_OK, "");
    assert_true(database_tlsrpt_due(db, due_ms - 1, nobody, 10, note, &l, err));
    assert_int_equal(l.count, 0);
    assert_true(database_tlsrpt_due(db, due_ms, busy, 10, note, &l, err));
    assert_int_equal(l.count, 0);
    assert_true(database_tlsrpt_due(db, due_ms, nobody, 10, note, &l, err));
    assert_int_equal(l.count, 1);
    l.all[0].state = TLSRPT_SENT;
    l.all[0].ok = 1;
    assert_true(database_tlsrpt_mark(db, &l.all[0], err));
    assert_false(database_tlsrpt_mark(db, &l.all[0], err)); /* not twice */
    assert_int_equal(err->kind, ERR_NOT_FOUND);
    err->kind = ERR_NONE;
    count_one(db, "t", "dest.test", TLS_RESULT_OK, ""); /* too late for it */
    assert_int_equal(list_all(db, false).all[0].ok, 1);
    assert_int_equal(list_all(db, true).count, 0);
    count_one(db, "t", "slow.test", TLS_RESULT_OK, "");
    assert_true(database_tlsrpt_sweep(db, INT64_C(20002) * day_ms + day_ms - 1, &late, err));
    assert_int_equal(late, 0);
    assert_true(database_tlsrpt_sweep(db, INT64_C(20003) * day_ms + 5 * day_ms / 24, &late, err));
    assert_int_equal(late, 1);
    assert_int_equal(list_all(db, true).count, 0);
    assert_int_equal(list_all(db, false).count, 2);
    assert_true(database_tlsrpt_sweep(db, INT64_C(20008) * day_ms, &late, err));
    assert_int_equal(list_all(db, false).count, 0);
    return true;
}

static void a_report_is_due_once_and_not_after_two_days(void **state)
{
    (void)state;
    with_database(run_due, NULL);
}

static bool run_places(struct database *db, void *context, struct err *err)
{
    static const struct tlsrpt_place a = {"dest.test", "https://a.test/"};
    static const struct tlsrpt_place b = {"dest.test", "https://b.test/"};
    static const struct tlsrpt_place others = {"other.test", "https://a.test/"};
    bool paused = false;
    (void)context;
    for (int day = 0; day < 3; day++) {
        assert_true(database_tlsrpt_paused(db, &a, noon_ms + day * day_ms, &paused, err) && !paused);
        for (int i = 0; i < 5; i++) {
            assert_true(database_tlsrpt_place(db, &a, false, noon_ms + day * day_ms, &paused, err));
            assert_int_equal(paused, day == 2 && i == 0);
        }
    }
    assert_true(database_tlsrpt_paused(db, &a, noon_ms + 3 * day_ms, &paused, err) && paused);
    assert_true(database_tlsrpt_paused(db, &others, noon_ms + 3 * day_ms, &paused, err) && !paused); /* who names it, too */
    assert_true(database_tlsrpt_paused(db, &b, noon_ms + 3 * day_ms, &paused, err) && !paused);
    assert_true(database_tlsrpt_paused(db, &a, noon_ms + 10 * day_ms, &paused, err) && !paused);
    assert_true(database_tlsrpt_place(db, &a, false, noon_ms + 10 * day_ms, &paused, err) && !paused);
    assert_true(database_tlsrpt_place(db, &a, true, noon_ms + 11 * day_ms, &paused, err));
    assert_true(database_tlsrpt_place(db, &a, false, noon_ms + 12 * day_ms, &paused, err) && !paused);
    return true;
}

static void three_bad_days_pause_a_place_for_a_week(void **state)
{
    (void)state;
    with_database(run_places, NULL);
}

static bool run_many_places(struct database *db, void *context, struct err *err)
{
    static const struct tlsrpt_place a = {"dest.test", "https://a.test/"};
    bool paused = false;
    (void)context;
    for (int day = 0; day < 2; day++)
        assert_true(database_tlsrpt_place(db, &a, false, noon_ms + day * day_ms, &paused, err) && !paused);
    for (int i = 0; i < 1000; i++) {
        char uri[40];
        const struct tlsrpt_place others = {"evil.test", uri};
        snprintf(uri, sizeof(uri), "https://h%d.evil.test/", i);
        assert_true(database_tlsrpt_place(db, &others, false, noon_ms + 2 * day_ms, &paused, err));
    }
    assert_true(database_tlsrpt_place(db, &a, false, noon_ms + 2 * day_ms, &paused, err) && !paused);
    assert_true(database_tlsrpt_paused(db, &a, noon_ms + 2 * day_ms, &paused, err) && !paused);
    assert_true(database_tlsrpt_place(db, &a, false, noon_ms + 3 * day_ms, &paused, err) && paused); /* the third that there was room for */
    return true;
}

static void what_records_name_on_a_day_takes_so_much_room(void **state)
{
    (void)state;
    with_database(run_many_places, NULL);
}

/* ---- the mail that carries it ---- */

static bool run_one(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    count_one(db, "t", "dest.test", TLS_RESULT_OK, "");
    return true;
}

static int64_t queue_report(struct store *store, enum store_accept_result want)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = new_accept(&w);
    a->mail = make_mail(store, 1);
    a->mail->protocol[0] = '\0';
    snprintf(a->mail->stream, sizeof(a->mail->stream), "%s", MAIL_TLS_REPORT);
    a->tls_report = xcalloc(1, sizeof(*a->tls_report));
    *a->tls_report = (struct tlsrpt_entry){
        .day = 20000, .domain = "dest.test", .state = TLSRPT_QUEUED, .place = 1, .message = a->mail->id, .uri = "mailto:a@dest.test"};
    buf_add(&a->body, SPAN("Subject: report\r\n\r\nx\r\n"));
    int64_t id = a->mail->id;
    store_put(store, &a->job);
    wait_for(&w);
    assert_int_equal(a->result, want);
    store_job_free(&a->job);
    return id;
}

static bool look(struct database *db, void *context, struct err *err)
{
    (void)err;
    *(struct list *)context = list_all(db, false);
    return true;
}

static struct tlsrpt_entry entry_now(struct store *store)
{
    struct list l;
    assert_int_equal(run_change(store, look, &l), STORE_CHANGED);
    assert_int_equal(l.count, 1);
    return l.all[0];
}

static void a_report_is_queued_exactly_once(void **state)
{
    (void)state;
    with_database(run_one, NULL);
    struct store *store = start();
    int64_t id = queue_report(store, STORE_ACCEPTED);
    queue_report(store, STORE_DUPLICATE);
    assert_true(entry_now(store).message == id);
    settle(store, id, 0, MAIL_BOUNCED);
    struct tlsrpt_entry e = entry_now(store);
    assert_int_equal(e.state, TLSRPT_COUNTING); /* for the next place */
    assert_int_equal(e.failed, 1 << 1);
    assert_true(e.ok == 1 && e.message == 0 && e.why[0]);
    id = queue_report(store, STORE_ACCEPTED);
    settle(store, id, 0, MAIL_DONE);
    e = entry_now(store);
    assert_int_equal(e.state, TLSRPT_SENT);
    assert_true(e.message == id && e.ended_ms > 0);
    store_stop(store);
}

/* Sessions come with outcomes; without any they are counted all the same. */
static void sessions_are_counted_with_what_they_led_to(void **state)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    (void)state;
    struct store *store = start();
    struct store_settle *s = new_settle(&w);
    s->sessions = xcalloc(2, sizeof(*s->sessions));
    for (int i = 0; i < 2; i++) {
        s->sessions[i] = session_of("dest.test", i ? TLS_RESULT_OK : TLS_RESULT_VALIDATION_FAILURE, "mx.test");
        tlsrpt_text_hold(plain_text);
    }
    s->session_count = 2;
    snprintf(s->tenant, sizeof(s->tenant), "t");
    store_put(store, &s->job);
    wait_for(&w);
    assert_int_equal(s->result, STORE_RECORDED);
    store_job_free(&s->job);
    struct tlsrpt_entry e = entry_now(store);
    assert_true(e.ok == 1 && e.bad == 1);
    assert_true(e.day == clock_now_ms() / day_ms || e.day == clock_now_ms() / day_ms - 1);
    assert_string_equal(e.tenant, "t");
    store_stop(store);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {CASE(alike_sessions_are_one_row),
                                       CASE(failures_beyond_64_are_told_together),
                                       CASE(many_domains_of_one_tenant_leave_room_for_others),
                                       CASE(too_many_policies_are_told_as_numbers),
                                       CASE(what_nobody_wants_is_forgotten),
                                       CASE(a_policy_goes_with_the_last_of_its_counts),
                                       CASE(a_report_is_due_once_and_not_after_two_days),
                                       CASE(three_bad_days_pause_a_place_for_a_week),
                                       CASE(what_records_name_on_a_day_takes_so_much_room),
                                       CASE(a_report_is_queued_exactly_once),
                                       CASE(sessions_are_counted_with_what_they_led_to)};
    plain_text = tlsrpt_text_new(plain);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tlsrpt_text_drop(plain_text);
    return failed;
}
