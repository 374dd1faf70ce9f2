// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts_test.c - Records, policies and patterns as eleven implementations were asked; what is done over the days. */
#include "vectors.h"

#include "mta_sts.h"

static void records(void **state)
{
    json_t *all = vectors_load("mta-sts-public.json");
    json_t *rows = json_object_get(all, "records");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_t *expect = json_object_get(row, "expect");
        char id[MTA_STS_ID_MAX + 1];
        struct dns_answer *a = vectors_answer(json_object_get(row, "txt"));
        const char *got = mta_sts_record_name(mta_sts_record_read(a, id));
        const char *want = json_is_true(json_object_get(expect, "valid")) ? "valid" : vectors_text(expect, "why");
        if (strcmp(got, want) != 0 || (strcmp(got, "valid") == 0 && strcmp(id, vectors_text(expect, "id")) != 0))
            fail_msg("%s: %s \"%s\", not %s \"%s\"", vectors_text(row, "id"), got, id, want, vectors_text(expect, "id"));
        dns_answer_free(a);
    }
    assert_true(json_array_size(rows) >= 64);
    json_decref(all);
}

static void body_of(json_t *row, struct buf *out)
{
    json_t *body = json_object_get(row, "body");
    json_t *parts = json_object_get(row, "body_parts");
    const char *hex = vectors_text(row, "body_hex");
    buf_init(out, 1 << 20);
    buf_add(out, (struct span){json_string_value(body), json_string_length(body)});
    for (; *hex; hex += 2)
        buf_add_char(out, (char)(span_hex_value(hex[0]) << 4 | span_hex_value(hex[1])));
    for (size_t i = 0; i < json_array_size(parts); i++) {
        json_int_t times = json_integer_value(json_array_get(json_array_get(parts, i), 1));
        for (; times > 0; times--)
            buf_add(out, span_of(json_string_value(json_array_get(json_array_get(parts, i), 0))));
    }
}

static json_t *policy_json(const struct mta_sts_policy *p)
{
    json_t *mx = json_array();
    for (struct span rest = buf_span(&p->mx); rest.len > 0;) {
        struct span pattern = span_take(&rest, '\n');
        json_array_append_new(mx, json_stringn(pattern.ptr, pattern.len));
    }
    return json_pack("{s:s,s:i,s:o}", "mode", mta_sts_mode_name(p->mode), "max_age", (int)p->max_age_s, "mx", mx);
}

static void policies(void **state)
{
    json_t *all = vectors_load("mta-sts-public.json");
    json_t *rows = json_object_get(all, "policies");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        struct mta_sts_policy policy;
        struct buf body;
        body_of(row, &body);
        enum mta_sts_fault fault = mta_sts_policy_read(buf_span(&body), &policy);
        json_t *got = fault == MTA_STS_SOUND ? policy_json(&policy) : json_pack("{s:s}", "error", mta_sts_fault_name(fault));
        if (!json_equal(got, json_object_get(row, "expect")))
            fail_msg("%s: %s", vectors_text(row, "id"), json_dumps(got, 0));
        json_decref(got);
        mta_sts_policy_fini(&policy);
        buf_fini(&body);
    }
    assert_true(json_array_size(rows) >= 91);
    json_decref(all);
}

static void patterns(void **state)
{
    json_t *all = vectors_load("mta-sts-public.json");
    json_t *rows = json_object_get(all, "mx");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_t *given = json_object_get(row, "patterns");
        struct mta_sts_policy policy;
        struct buf body;
        buf_init(&body, 4096);
        buf_add(&body, SPAN("version: STSv1\nmode: none\nmax_age: 1\n"));
        for (size_t p = 0; p < json_array_size(given); p++)
            buf_addf(&body, "mx: %s\n", json_string_value(json_array_get(given, p)));
        EXPECT(mta_sts_policy_read(buf_span(&body), &policy) == MTA_STS_SOUND, vectors_text(row, "id"));
        EXPECT(mta_sts_matches(&policy, span_of(vectors_text(row, "host"))) == json_is_true(json_object_get(row, "expect")),
               vectors_text(row, "id"));
        mta_sts_policy_fini(&policy);
        buf_fini(&body);
    }
    assert_true(json_array_size(rows) >= 34);
    json_decref(all);
}

/* ---- over the days ---- */

#define NOW INT64_C(1800000000000)
#define BODY(mode, age) "version: STSv1\nmode: " mode "\nmx: mx.d.test\nmax_age: " age "\n"

static const struct mta_sts_response sound = {.status = 200, .body = {BODY("enforce", "86400"), sizeof(BODY("enforce", "86400")) - 1}};
static const struct mta_sts_response refused = {.end = MTA_STS_UNREACHABLE, .why = MTA_STS_WHY_CONNECT_FAILED};

static enum mta_sts_next tell(struct mta_sts *s, enum dns_status status, const char *record, int64_t now_ms)
{
    struct dns_answer *a = dns_answer_new(status, 300);
    if (record)
        dns_answer_add(a, 0, span_of(record));
    enum mta_sts_next next = mta_sts_told(s, a, now_ms);
    dns_answer_free(a);
    return next;
}

/* One delivery at which everything answers at once; how many fetches there were. */
static unsigned deliver(struct mta_sts_kept *kept, const char *record, const struct mta_sts_response *response, enum mta_sts_aim aim,
                        int64_t now_ms)
{
    struct mta_sts s;
    unsigned fetches = 0;
    assert_int_equal(mta_sts_begin(&s, kept, aim, now_ms), MTA_STS_ASK);
    if (tell(&s, record ? DNS_FOUND : DNS_NXDOMAIN, record, now_ms) == MTA_STS_FETCH) {
        fetches++;
        assert_int_equal(mta_sts_fetched(&s, response, now_ms), MTA_STS_DECIDED);
    }
    mta_sts_keep(&s, kept, now_ms);
    mta_sts_fini(&s);
    return fetches;
}

static void a_failure_is_followed_by_a_pause(void **state)
{
    struct mta_sts_kept kept = {0};
    struct mta_sts s;
    (void)state;
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &refused, MTA_STS_TO_SEND, NOW), 1);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_TO_SEND, NOW + MTA_STS_PAUSE_MS - 1), 0);
    mta_sts_begin(&s, &kept, MTA_STS_TO_SEND, NOW + 1000); /* and what is reported meanwhile */
    assert_int_equal(tell(&s, DNS_FOUND, "v=STSv1; id=1;", NOW + 1000), MTA_STS_DECIDED);
    assert_true(!s.policy && s.result == TLS_RESULT_STS_POLICY_FETCH_ERROR);
    assert_string_equal(s.reason, "fetch-failed-before");
    mta_sts_fini(&s);
    assert_int_equal(deliver(&kept, "v=STSv1; id=2;", &refused, MTA_STS_TO_SEND, NOW + 1000), 1);          /* another id is another try */
    assert_int_equal(deliver(&kept, "v=STSv1; id=2;", &sound, MTA_STS_TO_SEND, NOW - MTA_STS_HOUR_MS), 1); /* a clock set back */
    assert_true(kept.there && !kept.failed_id[0]);
    mta_sts_kept_fini(&kept);
}

/* An operator's command is carried out within the pause, too; only not again and again. */
static void a_command_waits_for_seconds_only(void **state)
{
    enum { SOON = MTA_STS_COMMAND_PAUSE_MS };
    struct mta_sts_kept kept = {0};
    struct mta_sts s;
    (void)state;
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &refused, MTA_STS_TO_SEND, NOW), 1);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &refused, MTA_STS_ON_COMMAND, NOW + SOON - 1), 0);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_TO_REFRESH, NOW + SOON), 0); /* nobody has commanded it */
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &refused, MTA_STS_ON_COMMAND, NOW + SOON), 1);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_ON_COMMAND, NOW + 2 * SOON), 1);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_ON_COMMAND, NOW + 2 * SOON), 1); /* nothing has failed */
    mta_sts_begin(&s, &kept, MTA_STS_ON_COMMAND, NOW + 2 * SOON);
    assert_int_equal(tell(&s, DNS_FOUND, "v=STSv1; id=1;", NOW + 2 * SOON), MTA_STS_FETCH);
    assert_int_equal(mta_sts_fetched(&s, &refused, NOW + 2 * SOON), MTA_STS_DECIDED);
    assert_true(s.policy == &kept.policy && s.result == TLS_RESULT_NONE && s.why == MTA_STS_WHY_CONNECT_FAILED);
    mta_sts_fini(&s);
    mta_sts_kept_fini(&kept);
}

/* Who reads a reason in the log finds in the papers what to do. */
static void the_papers_know_each_reason(void **state)
{
    static char text[256 * 1024];
    FILE *f = fopen(PAPER, "r");
    (void)state;
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 1000 && fclose(f) == 0);
    const char *table = strstr(text, "\n| reason | meaning | what to do |\n");
    assert_non_null(table);
    struct span rows = span_first(span_of(table), span_search(span_of(table), SPAN("\n\n")));
    for (unsigned why = 0; why < MTA_STS_WHY_COUNT; why++) {
        char word[64];
        snprintf(word, sizeof(word), "`%s`", mta_sts_why_name((enum mta_sts_why)why));
        if (why != MTA_STS_WHY_NOTHING && why != MTA_STS_WHY_POLICY_SOUND)
            EXPECT(span_search(rows, span_of(word)) < rows.len, word);
    }
}

/* What we could not do ourselves is no failure of the domain: it is not noted, and says so. */
static void what_was_not_tried_is_not_noted(void **state)
{
    static const struct mta_sts_response untried = {.end = MTA_STS_UNTRIED, .why = MTA_STS_WHY_TOO_MANY_WAIT};
    struct mta_sts_kept kept = {0};
    struct mta_sts s;
    (void)state;
    for (int round = 0; round < 2; round++) { /* without a policy, then with one */
        mta_sts_begin(&s, &kept, MTA_STS_TO_SEND, NOW);
        assert_int_equal(tell(&s, DNS_FOUND, "v=STSv1; id=2;", NOW), MTA_STS_FETCH);
        assert_int_equal(mta_sts_fetched(&s, &untried, NOW), MTA_STS_DECIDED);
        assert_true(s.untried && s.change == MTA_STS_UNCHANGED && !s.policy == !kept.there);
        assert_string_equal(s.reason, kept.there ? "" : "too-many-wait");
        mta_sts_keep(&s, &kept, NOW);
        mta_sts_fini(&s);
        assert_true(!kept.failed_id[0]);
        assert_int_equal(deliver(&kept, round == 0 ? "v=STSv1; id=1;" : "v=STSv1; id=2;", &sound, MTA_STS_TO_SEND, NOW), 1);
    }
    mta_sts_kept_fini(&kept);
}

/* Each question has another id: while a policy counts, three fetches in five minutes; without one mail never goes for that. */
static void ids_that_change_all_the_time_are_not_followed(void **state)
{
    static const struct {
        const char *label;
        const struct mta_sts_response *response;
    } rows[] = {{"policies", &sound}, {"failures", &refused}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mta_sts_kept kept = {0};
        unsigned fetches = deliver(&kept, "v=STSv1; id=0;", &sound, MTA_STS_TO_SEND, NOW);
        for (int k = 1; k < 60; k++) { /* ten minutes */
            char record[40];
            snprintf(record, sizeof(record), "v=STSv1; id=%d;", k);
            fetches += deliver(&kept, record, rows[i].response, MTA_STS_TO_SEND, NOW + k * 10000);
            EXPECT(kept.there, rows[i].label);
        }
        EXPECT(fetches == 6, rows[i].label);
        EXPECT(deliver(&kept, "v=STSv1; id=last;", &sound, MTA_STS_TO_REFRESH, NOW + 599000) == 1, rows[i].label);
        EXPECT(deliver(&kept, "v=STSv1; id=old;", &sound, MTA_STS_TO_SEND, NOW - 1) == 1, "a clock set back");
        mta_sts_kept_fini(&kept);
    }
}

/* A message a second for two minutes: what is fetched counts for one of them, whatever its owner says of how long it may be kept. */
static void one_that_may_not_be_kept_is_fetched_once_a_minute(void **state)
{
    static const struct mta_sts_response never = {.status = 200, .body = {BODY("enforce", "0"), sizeof(BODY("enforce", "0")) - 1}};
    static const struct mta_sts_response shortly = {.status = 200, .body = {BODY("enforce", "1"), sizeof(BODY("enforce", "1")) - 1}};
    static const struct {
        const char *label;
        const struct mta_sts_response *response;
        bool ids_change;
        unsigned fetches;
    } rows[] = {{"max_age 0", &never, false, 2}, {"max_age 1", &shortly, false, 2}, {"max_age 0, other ids", &never, true, 4}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mta_sts_kept kept = {0};
        unsigned fetches = 0;
        for (int second = 0; second < 120; second++) {
            char record[40];
            snprintf(record, sizeof(record), "v=STSv1; id=%d;", rows[i].ids_change ? second : 1);
            fetches += deliver(&kept, record, rows[i].response, MTA_STS_TO_SEND, NOW + second * 1000);
            EXPECT(mta_sts_expires_ms(&kept, NOW + second * 1000) > NOW + second * 1000, rows[i].label);
        }
        EXPECT(fetches == rows[i].fetches, rows[i].label);
        EXPECT(kept.brief == (rows[i].response == &never), rows[i].label);
        EXPECT(deliver(&kept, "v=STSv1; id=last;", &sound, MTA_STS_TO_REFRESH, NOW + 120000) == 1, rows[i].label);
        EXPECT(!kept.brief && mta_sts_expires_ms(&kept, NOW + 120000) == NOW + 120000 + 86400000, rows[i].label);
        mta_sts_kept_fini(&kept);
    }
}

static void dns_is_asked_three_times_within_five_seconds(void **state)
{
    struct mta_sts_kept kept = {0};
    struct mta_sts s;
    int64_t now_ms = NOW;
    unsigned asked = 1;
    (void)state;
    mta_sts_begin(&s, &kept, MTA_STS_TO_SEND, now_ms);
    for (; tell(&s, DNS_FAILED, NULL, now_ms) == MTA_STS_ASK; asked++) {
        assert_true(s.ask_at_ms > now_ms);
        now_ms = s.ask_at_ms;
    }
    assert_int_equal(asked, 3);
    assert_true(now_ms - NOW < 5000 && s.result == TLS_RESULT_STS_POLICY_FETCH_ERROR && !s.policy);
    mta_sts_fini(&s);
    mta_sts_begin(&s, &kept, MTA_STS_TO_SEND, NOW); /* a resolver that takes its time */
    assert_int_equal(tell(&s, DNS_FAILED, NULL, NOW + 20000), MTA_STS_DECIDED);
    mta_sts_fini(&s);
}

static void only_a_fetch_makes_it_younger(void **state)
{
    struct mta_sts_kept kept = {0};
    (void)state;
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_TO_SEND, NOW), 1);
    for (int hour = 1; hour < 24; hour++)
        assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_TO_SEND, NOW + hour * MTA_STS_HOUR_MS), 0);
    assert_int_equal(mta_sts_expires_ms(&kept, NOW), NOW + 24 * MTA_STS_HOUR_MS);
    assert_int_equal(kept.used_ms, NOW + 23 * MTA_STS_HOUR_MS);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_TO_REFRESH, NOW + 20 * MTA_STS_HOUR_MS), 1); /* the same id */
    assert_int_equal(mta_sts_expires_ms(&kept, NOW + 20 * MTA_STS_HOUR_MS), NOW + 44 * MTA_STS_HOUR_MS);
    assert_int_equal(deliver(&kept, NULL, &sound, MTA_STS_TO_REFRESH, NOW + 30 * MTA_STS_HOUR_MS), 0); /* no record any more */
    assert_true(kept.there);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &refused, MTA_STS_TO_REFRESH, NOW + 40 * MTA_STS_HOUR_MS), 1);
    assert_true(kept.there && kept.failure == TLS_RESULT_STS_POLICY_FETCH_ERROR);
    assert_int_equal(deliver(&kept, "v=STSv1; id=1;", &sound, MTA_STS_TO_SEND, NOW + 44 * MTA_STS_HOUR_MS), 1); /* too old */
    mta_sts_kept_fini(&kept);
}

static void a_policy_of_age_0_takes_the_place_of_what_was_kept(void **state)
{
    static const struct mta_sts_response brief = {.status = 200, .body = {BODY("enforce", "0"), sizeof(BODY("enforce", "0")) - 1}};
    struct mta_sts_kept kept = {0};
    (void)state;
    deliver(&kept, "v=STSv1; id=2;", &sound, MTA_STS_TO_SEND, NOW);
    deliver(&kept, "v=STSv1; id=3;", &brief, MTA_STS_TO_SEND, NOW);
    assert_true(kept.brief);
    assert_int_equal(mta_sts_expires_ms(&kept, NOW), NOW + MTA_STS_AGE_LEAST_S * 1000);
    mta_sts_kept_fini(&kept);
}

static void what_is_due(void **state)
{
    static const int64_t hour = MTA_STS_HOUR_MS;
    static const int64_t day = 24 * MTA_STS_HOUR_MS;
    static const struct {
        const char *label;
        int64_t age_s, fetched, used, failed; /* before NOW; failed 0: not */
        enum mta_sts_due want;
        int64_t at; /* from NOW */
    } rows[] = {
        {"in use", 604800, 2 * hour, hour, 0, MTA_STS_REFRESH, 18 * hour},
        {"overdue", 604800, 2 * day, hour, 0, MTA_STS_REFRESH, 20 * hour - 2 * day},
        {"failed since", 604800, 2 * day, hour, hour / 2, MTA_STS_REFRESH, hour / 2},
        {"too short to be refreshed", 3600, 0, 0, 0, MTA_STS_DROP, hour},
        {"not used for a month", 31557600, 30 * day, 40 * day, 0, MTA_STS_DROP, 140 * day},
        {"not used for half a year", 31557600, 179 * day, 181 * day, 0, MTA_STS_DROP, -day},
        {"too old", 604800, 8 * day, 2 * day, 0, MTA_STS_DROP, -day},
        {"fetched in the future", 604800, -9 * day, hour, 0, MTA_STS_REFRESH, 20 * hour},
        {"nothing but a failure", 0, 0, 0, hour / 60, MTA_STS_DROP, MTA_STS_PAUSE_MS - hour / 60},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mta_sts_kept kept = {.there = rows[i].age_s > 0,
                                    .policy.max_age_s = (uint32_t)rows[i].age_s,
                                    .fetched_ms = NOW - rows[i].fetched,
                                    .used_ms = NOW - rows[i].used,
                                    .failed_ms = NOW - rows[i].failed};
        int64_t at_ms = 0;
        snprintf(kept.failed_id, sizeof(kept.failed_id), "%s", rows[i].failed ? "1" : "");
        EXPECT(mta_sts_upkeep(&kept, 0, NOW, &at_ms) == rows[i].want, rows[i].label);
        if (at_ms != NOW + rows[i].at)
            fail_msg("%s: %lld h, not %lld h", rows[i].label, (long long)((at_ms - NOW) / hour), (long long)(rows[i].at / hour));
        for (uint32_t spread = 1; rows[i].want == MTA_STS_REFRESH && !rows[i].failed && spread < 4000000000U; spread += 77777777U) {
            mta_sts_upkeep(&kept, spread, NOW, &at_ms);
            EXPECT(at_ms >= NOW + rows[i].at && at_ms < NOW + rows[i].at + 4 * hour, rows[i].label);
        }
    }
}

static void whose_policy_it_is(void **state)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    char longest[300];
    (void)state;
    assert_true(mta_sts_domain(SPAN("B\xc3\xbc"
                                    "cher.example"),
                               name));
    assert_string_equal(name, "xn--bcher-kva.example");
    assert_false(mta_sts_domain(SPAN("[192.0.2.1]"), name));
    for (size_t len = 243; len < 250; len++) {
        memset(longest, 'a', sizeof(longest));
        longest[63] = longest[127] = longest[191] = '.';
        assert_int_equal(mta_sts_domain((struct span){longest, len}, name), len <= 244);
    }
}

/* ---- one's own ---- */

static void make_own(struct mta_sts_policy *policy_r, enum mta_sts_mode mode, uint32_t age_s, const char *hosts)
{
    mta_sts_policy_init(policy_r, mode, age_s);
    for (struct span rest = span_of(hosts); rest.len > 0;)
        assert_true(mta_sts_policy_add(policy_r, span_take(&rest, ' ')));
}

/* One text for what is the same, whatever way it was said; another id for each that is not. */
static void a_text_and_its_id(void **state)
{
    static const struct {
        enum mta_sts_mode mode;
        uint32_t age_s;
        const char *hosts, *text;
    } rows[] = {
        {MTA_STS_MODE_TESTING, 60, "mx2.a.test mx1.a.test", "testing\r\nmx: mx1.a.test\r\nmx: mx2.a.test\r\nmax_age: 60\r\n"},
        {MTA_STS_MODE_TESTING, 60, "MX1.A.test. mx2.a.test mx1.a.test", "testing\r\nmx: mx1.a.test\r\nmx: mx2.a.test\r\nmax_age: 60\r\n"},
        {MTA_STS_MODE_ENFORCE, 60, "mx1.a.test mx2.a.test", "enforce\r\nmx: mx1.a.test\r\nmx: mx2.a.test\r\nmax_age: 60\r\n"},
        {MTA_STS_MODE_TESTING, 61, "mx1.a.test mx2.a.test", "testing\r\nmx: mx1.a.test\r\nmx: mx2.a.test\r\nmax_age: 61\r\n"},
        {MTA_STS_MODE_TESTING, 60, "mx1.a.test", "testing\r\nmx: mx1.a.test\r\nmax_age: 60\r\n"},
        {MTA_STS_MODE_TESTING, 60, "*.a.test", "testing\r\nmx: *.a.test\r\nmax_age: 60\r\n"},
        {MTA_STS_MODE_NONE, 60, "", "none\r\nmax_age: 60\r\n"},
    };
    char ids[COUNT_OF(rows)][MTA_STS_ID_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mta_sts_policy policy;
        struct mta_sts_policy again;
        char id[MTA_STS_ID_MAX + 1];
        struct buf text;
        buf_init(&text, 4096);
        make_own(&policy, rows[i].mode, rows[i].age_s, rows[i].hosts);
        mta_sts_policy_print(&policy, &text);
        EXPECT(span_starts_nocase(buf_span(&text), SPAN("version: STSv1\r\nmode: ")), rows[i].text);
        EXPECT(span_equal(span_from(buf_span(&text), 22), span_of(rows[i].text)), buf_text(&text));
        mta_sts_policy_id(&policy, ids[i]);
        EXPECT(mta_sts_policy_made_id(span_of(ids[i])), ids[i]);
        EXPECT(mta_sts_policy_read(buf_span(&text), &again) == MTA_STS_SOUND, buf_text(&text)); /* and as others read it */
        mta_sts_policy_id(&again, id);
        EXPECT(strcmp(id, ids[i]) == 0, buf_text(&text));
        for (size_t k = 0; k < i; k++)
            EXPECT((strcmp(ids[i], ids[k]) == 0) == (strcmp(rows[i].text, rows[k].text) == 0), rows[i].text);
        mta_sts_policy_fini(&policy);
        mta_sts_policy_fini(&again);
        buf_fini(&text);
    }
}

static void who_can_be_named(void **state)
{
    static const char *const others[] = {"", ".", "*.", "*", "a_b.test", "192.0.2.1", "a..test", "*.*.test", "-a.test", "b\303\274cher.test",
                                         "a.test\r\nmx: b.test", "a.test b.test", "sp0123456789abcde", "sp0123456789abcdeF"};
    struct mta_sts_policy policy;
    (void)state;
    mta_sts_policy_init(&policy, MTA_STS_MODE_TESTING, 1);
    for (size_t i = 0; i + 2 < COUNT_OF(others); i++)
        EXPECT(!mta_sts_policy_add(&policy, span_of(others[i])), others[i]);
    assert_int_equal(policy.mx.len, 0);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        EXPECT(!mta_sts_policy_made_id(span_of(others[i])), others[i]);
    assert_false(mta_sts_policy_made_id(SPAN("20160831085700Z")));
    mta_sts_policy_fini(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records),
                                       cmocka_unit_test(policies),
                                       cmocka_unit_test(patterns),
                                       cmocka_unit_test(a_failure_is_followed_by_a_pause),
                                       cmocka_unit_test(a_command_waits_for_seconds_only),
                                       cmocka_unit_test(the_papers_know_each_reason),
                                       cmocka_unit_test(what_was_not_tried_is_not_noted),
                                       cmocka_unit_test(ids_that_change_all_the_time_are_not_followed),
                                       cmocka_unit_test(one_that_may_not_be_kept_is_fetched_once_a_minute),
        cmocka_unit_test(dns_is_asked_three_times_within_five_seconds),
                                       cmocka_unit_test(only_a_fetch_makes_it_younger),
                                       cmocka_unit_test(a_policy_of_age_0_takes_the_place_of_what_was_kept),
                                       cmocka_unit_test(what_is_due),
                                       cmocka_unit_test(whose_policy_it_is),
                                       cmocka_unit_test(a_text_and_its_id),
                                       cmocka_unit_test(who_can_be_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
