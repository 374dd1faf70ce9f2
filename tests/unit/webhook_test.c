// SPDX-License-Identifier: BSD-2-Clause
/* webhook_test.c - Signatures and secrets by the public vectors, the body of an event, and when an endpoint is asked again. */
#include "table.h"

#include "base64.h"
#include "webhook_body.h"
#include "webhook_course.h"
#include "webhook_secret.h"

#include <jansson.h>
#include <stdlib.h>

#define CASES VECTORS "/webhooks-public.json"

enum { HOUR_MS = 3600 * 1000 };

static json_t *need_vectors(void)
{
    json_t *all = json_load_file(CASES, JSON_ALLOW_NUL, NULL);
    if (!all && getenv("CI"))
        fail_msg("the vectors are missing");
    if (!all)
        skip();
    return all;
}

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text ? text : "";
}

/* The key of any length, as receivers read it: with or without "whsec_", and padding. */
static void loose_key(const char *secret, struct buf *key)
{
    struct buf padded;
    buf_init(&padded, 300);
    buf_add(&padded, span_of(strncmp(secret, "whsec_", 6) == 0 ? secret + 6 : secret));
    while (padded.len % 4 != 0)
        buf_add_char(&padded, '=');
    buf_init(key, 300);
    assert_true(base64_decode(buf_span(&padded), key));
    buf_fini(&padded);
}

static bool is_ours(const json_t *row)
{
    const char *signature = text_of(row, "webhook-signature");
    bool sign = strncmp(text_of(row, "id"), "sign/", 5) == 0;
    bool plain = strncmp(text_of(row, "secret"), "whpk_", 5) != 0 && !json_object_get(row, "body_hex");
    bool valid = strcmp(text_of(row, "outcome"), "valid") == 0 && !strchr(signature, ' ');
    return plain && (sign || valid) && strncmp(signature, "v1,", 3) == 0 && strspn(text_of(row, "webhook-timestamp"), "0123456789") > 0;
}

/* v1a, the asymmetric scheme, is not offered. */
static void signatures_are_those_of_the_vectors(void **state)
{
    json_t *all = need_vectors();
    size_t i;
    size_t seen = 0;
    json_t *row;
    (void)state;
    json_array_foreach(json_object_get(all, "vectors"), i, row)
    {
        struct buf key, out;
        json_t *body = json_object_get(row, "body");
        if (!is_ours(row))
            continue;
        seen++;
        loose_key(text_of(row, "secret"), &key);
        buf_init(&out, 500);
        webhook_secret_sign(buf_span(&key), text_of(row, "webhook-id"), strtoll(text_of(row, "webhook-timestamp"), NULL, 10),
                            (struct span){json_string_value(body), json_string_length(body)}, &out);
        EXPECT(strcmp(buf_text(&out), text_of(row, "webhook-signature")) == 0, text_of(row, "id"));
        buf_fini(&key);
        buf_fini(&out);
    }
    assert_true(seen >= 15);
    json_decref(all);
}

static void secrets_are_taken_or_refused(void **state)
{
    json_t *all = need_vectors();
    size_t i;
    json_t *row;
    (void)state;
    json_array_foreach(json_object_get(all, "secrets"), i, row)
    {
        struct webhook_key key;
        bool taken = webhook_secret_read(span_of(text_of(row, "secret")), &key);
        EXPECT(taken == (strcmp(text_of(row, "outcome"), "taken") == 0), text_of(row, "id"));
    }
    json_decref(all);
}

static void a_new_secret_is_shown_as_receivers_read_it(void **state)
{
    char a[WEBHOOK_SECRET_TEXT];
    char b[WEBHOOK_SECRET_TEXT];
    struct webhook_key key;
    (void)state;
    webhook_secret_generate(a);
    webhook_secret_generate(b);
    assert_true(strncmp(a, "whsec_", 6) == 0 && strcmp(a, b) != 0);
    assert_true(webhook_secret_read(span_of(a), &key));
    assert_int_equal(key.len, 32);
}

/* Receivers take one line, single spaces, and no word without its version. */
static void two_secrets_make_two_signatures(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 500);
    webhook_secret_sign(SPAN("0123456789abcdef01234567"), "evt_1_2", 1790001000, SPAN("{}"), &out);
    webhook_secret_sign(SPAN("another-key-of-some-bytes"), "evt_1_2", 1790001000, SPAN("{}"), &out);
    struct span text = buf_span(&out);
    for (unsigned i = 0; i < 2; i++) {
        struct span one = span_take(&text, ' ');
        assert_int_equal(one.len, 3 + 44);
        assert_true(span_equal(span_first(one, 3), SPAN("v1,")));
    }
    assert_int_equal(text.len, 0);
    buf_fini(&out);
}

static json_t *body_of(const struct webhook_event *e)
{
    struct buf out;
    json_error_t why;
    buf_init(&out, WEBHOOK_BODY_MAX);
    webhook_body_write(e, &out);
    assert_false(out.overflow);
    assert_true(out.len < WEBHOOK_BODY_MAX && span_is_ascii(buf_span(&out)));
    json_t *whole = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, &why);
    assert_non_null(whole);
    buf_fini(&out);
    return whole;
}

static void a_body_says_what_happened(void **state)
{
    const struct webhook_event e = {.type = WEBHOOK_BOUNCED, .at_ms = INT64_C(1793534400007), .event = 42, .message = 77, .recipient = "a@dest.test",
                                    .sender = "app@club.test", .message_id = "<1@club.test>", .stream = "reset", .user = "app", .code = 550,
                                    .enhanced = "5.1.1", .reply = "no such user \xff", .remote = "mx.dest.test[192.0.2.1]", .category = "unknown"};
    json_t *whole = body_of(&e);
    const json_t *data = json_object_get(whole, "data");
    (void)state;
    assert_string_equal(text_of(whole, "type"), "message.bounced");
    assert_string_equal(text_of(whole, "timestamp"), "2026-11-01T12:00:00.007Z");
    assert_string_equal(text_of(data, "recipient"), "a@dest.test");
    assert_string_equal(text_of(data, "message_id"), "<1@club.test>");
    assert_string_equal(text_of(data, "reply"), "no such user ?");
    assert_int_equal(json_integer_value(json_object_get(data, "code")), 550);
    assert_int_equal(json_integer_value(json_object_get(data, "seq")), 42);
    assert_null(json_object_get(data, "rule"));
    json_decref(whole);
}

static void a_hashed_body_holds_no_address(void **state)
{
    const struct webhook_event e = {.type = WEBHOOK_BOUNCED, .hashed = true, .at_ms = 1, .event = 1, .recipient = "A@Dest.test", .sender = "app@club.test", .code = 550, .reply = "<a@dest.test>: no such user"};
    struct buf out;
    (void)state;
    buf_init(&out, WEBHOOK_BODY_MAX);
    webhook_body_write(&e, &out);
    assert_null(strchr(buf_text(&out), '@'));
    /* printf a@dest.test | sha256sum */
    assert_non_null(strstr(buf_text(&out), "\"recipient_sha256\":\"ead849ad010d0eae33329b13158da2b9bc59bc8b7718cbe97002405c48716265\""));
    buf_fini(&out);
}

static void the_largest_body_is_under_the_limit(void **state)
{
    char large[3000];
    (void)state;
    memset(large, '\x01', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    const struct webhook_event e = {.type = WEBHOOK_UNSUBSCRIBED, .at_ms = INT64_MAX / 1000, .event = INT64_MAX, .message = INT64_MAX, .recipient = large, .sender = large, .message_id = large,
                                    .stream = large, .user = large, .code = 550, .enhanced = "5.1.1", .reply = large, .remote = large, .category = "x", .rule = "y"};
    json_decref(body_of(&e));
}

static void an_id_has_no_dot_and_names_one_event(void **state)
{
    char id[WEBHOOK_ID_TEXT];
    (void)state;
    webhook_body_id(INT64_MAX, INT64_MAX, id);
    assert_string_equal(id, "evt_7fffffffffffffff_7fffffffffffffff");
}

static void types(void **state)
{
    enum webhook_type type = WEBHOOK_PING;
    (void)state;
    for (unsigned i = 0; i < WEBHOOK_PING; i++) {
        const char *name = webhook_type_name((enum webhook_type)i);
        EXPECT(webhook_type_parse(span_of(name), &type) && type == i, name);
        EXPECT(webhook_type_parse(span_of(name + 8), &type) && type == i, name);
    }
    assert_false(webhook_type_parse(SPAN("webhook.ping"), &type));
    assert_false(webhook_type_parse(SPAN(""), &type));
    assert_true(webhook_type_of("deferred", &type) && type == WEBHOOK_DELAYED);
    assert_false(webhook_type_of("paced", &type));
}

/* ---- when again ---- */

static const struct webhook_answer fine = {.how = WEBHOOK_ANSWERED, .status = 204};
static const struct webhook_answer broken = {.how = WEBHOOK_ANSWERED, .status = 500};
static const struct webhook_answer away = {.how = WEBHOOK_UNREACHED};
static const struct webhook_answer unasked = {.how = WEBHOOK_NOT_ASKED};

/* The standard's table, and jitter that never shortens it and adds no more than a tenth. */
static void an_event_has_the_schedule_of_the_standard(void **state)
{
    static const int64_t waits_s[] = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};
    (void)state;
    for (unsigned tries = 0; tries < COUNT_OF(waits_s); tries++)
        for (uint32_t chance = 0; chance < 3000; chance += 7) {
            struct webhook_next next = webhook_course_next(tries, &broken, chance);
            assert_int_equal(next.end, WEBHOOK_AGAIN);
            assert_int_equal(next.tries, tries + 1);
            assert_in_range(next.wait_ms, waits_s[tries] * 1000, waits_s[tries] * 1100);
        }
    assert_int_equal(webhook_course_next(9, &broken, 0).end, WEBHOOK_GIVEN_UP);
    assert_int_equal(webhook_course_next(9, &fine, 0).end, WEBHOOK_TAKEN);
}

static void what_an_answer_leads_to(void **state)
{
    static const struct {
        const char *label;
        struct webhook_answer answer;
        enum webhook_end end;
        int64_t wait_s;
    } rows[] = {{"200", {WEBHOOK_ANSWERED, 200, 0}, WEBHOOK_TAKEN, 0},
                {"204 whatever it says beside", {WEBHOOK_ANSWERED, 204, 99}, WEBHOOK_TAKEN, 0},
                {"a redirect is a failure", {WEBHOOK_ANSWERED, 302, 0}, WEBHOOK_AGAIN, 5},
                {"304", {WEBHOOK_ANSWERED, 304, 0}, WEBHOOK_AGAIN, 5},
                {"400", {WEBHOOK_ANSWERED, 400, 0}, WEBHOOK_AGAIN, 5},
                {"410", {WEBHOOK_ANSWERED, 410, 0}, WEBHOOK_GONE, 0},
                {"429 says when", {WEBHOOK_ANSWERED, 429, 77}, WEBHOOK_AGAIN, 77},
                {"no sooner than planned", {WEBHOOK_ANSWERED, 429, 1}, WEBHOOK_AGAIN, 5},
                {"no later than a day", {WEBHOOK_ANSWERED, 503, INT32_MAX}, WEBHOOK_AGAIN, 86400},
                {"no answer", {WEBHOOK_UNREACHED, 0, 0}, WEBHOOK_AGAIN, 5},
                {"ours", {WEBHOOK_NOT_ASKED, 0, 0}, WEBHOOK_AGAIN, 1}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct webhook_next next = webhook_course_next(0, &rows[i].answer, 0);
        EXPECT(next.end == rows[i].end && next.wait_ms == rows[i].wait_s * 1000, rows[i].label);
    }
    assert_int_equal(webhook_course_next(3, &unasked, 0).tries, 3);
}

static void an_endpoint_that_takes_all_has_four_at_a_time(void **state)
{
    struct webhook_course c = {0};
    (void)state;
    assert_int_equal(webhook_course_may(&c, 0, 1000), 1);
    for (unsigned i = 0; i < 9; i++)
        assert_false(webhook_course_learn(&c, &fine, 0, 1000));
    assert_int_equal(webhook_course_may(&c, 0, 1000), WEBHOOK_AT_ONCE);
    assert_int_equal(webhook_course_may(&c, 3, 1000), 1);
    assert_int_equal(webhook_course_may(&c, 4, 1000), 0);
}

/* In a day of failures it is asked some 300 times, however much waits; what it missed goes as soon as it is there. */
static void one_that_is_down_is_asked_seldom(void **state)
{
    struct webhook_course c = {0};
    unsigned asked = 0;
    (void)state;
    for (int64_t now = 1; now < INT64_C(24) * HOUR_MS; now += 500)
        if (webhook_course_may(&c, 0, now) > 0) {
            assert_false(webhook_course_learn(&c, &away, 0, now));
            asked++;
        }
    assert_in_range(asked, 200, 320);
    assert_true(webhook_course_learn(&c, &fine, 0, 25 * (int64_t)HOUR_MS));
    assert_int_equal(webhook_course_may(&c, 0, 25 * (int64_t)HOUR_MS), 1);
}

static void four_that_fail_together_count_once(void **state)
{
    struct webhook_course c = {.window = WEBHOOK_AT_ONCE};
    (void)state;
    for (unsigned i = 0; i < WEBHOOK_AT_ONCE; i++)
        webhook_course_learn(&c, &away, 0, 1000);
    assert_int_equal(c.failures, 1);
    assert_int_equal(webhook_course_may(&c, 0, 1500), 0);
    assert_int_equal(webhook_course_may(&c, 0, 2000), 1);
}

/* One that it cannot take does not stop the others. */
static void one_bad_event_stops_no_other(void **state)
{
    struct webhook_course c = {.window = WEBHOOK_AT_ONCE};
    int64_t now = 1000;
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        webhook_course_learn(&c, &broken, 0, now);
        now += 1000;
        assert_int_equal(webhook_course_may(&c, 0, now), 1);
        assert_false(webhook_course_learn(&c, &fine, 0, now));
    }
}

static void one_that_is_overloaded_is_left_alone(void **state)
{
    struct webhook_course c = {.window = WEBHOOK_AT_ONCE};
    const struct webhook_answer later = {.how = WEBHOOK_ANSWERED, .status = 429, .retry_after_s = 3600};
    const struct webhook_answer gateway = {.how = WEBHOOK_ANSWERED, .status = 504};
    (void)state;
    webhook_course_learn(&c, &gateway, 0, 1000);
    assert_int_equal(webhook_course_may(&c, 0, 30 * 1000), 0);
    assert_int_equal(webhook_course_may(&c, 0, 31 * 1000), 1);
    webhook_course_learn(&c, &later, 0, 31 * 1000);
    assert_int_equal(webhook_course_may(&c, 0, HOUR_MS), 0);
    assert_int_equal(webhook_course_may(&c, 0, HOUR_MS + 31 * 1000), 1);
}

static void after_five_days_of_failures_it_is_over(void **state)
{
    struct webhook_course c = {0};
    int64_t begun = 1000;
    (void)state;
    webhook_course_learn(&c, &unasked, 0, begun);
    webhook_course_learn(&c, &broken, 0, begun);
    webhook_course_learn(&c, &broken, 1, begun + webhook_patience_ms - 1);
    assert_false(webhook_course_is_over(&c));
    webhook_course_learn(&c, &broken, 2, begun + webhook_patience_ms);
    assert_true(webhook_course_is_over(&c));
    webhook_course_learn(&c, &fine, 0, begun + webhook_patience_ms + 9000);
    assert_false(webhook_course_is_over(&c));
}

/* The first event of a week fails, and so does that of the next week: nothing was tried between. Under steady traffic all counts. */
static void what_was_not_tried_is_no_failure(void **state)
{
    struct webhook_course c = {0};
    (void)state;
    webhook_course_learn(&c, &broken, 0, 1000);
    webhook_course_learn(&c, &broken, 0, 1000 + 7 * 24 * HOUR_MS);
    assert_true(c.failing && !webhook_course_is_over(&c) && c.failed_ms == HOUR_MS / 12);
    for (int64_t at_ms = 0; at_ms <= webhook_patience_ms; at_ms += HOUR_MS / 12)
        webhook_course_learn(&c, &broken, 0, 1000 + 7 * 24 * HOUR_MS + at_ms);
    assert_true(webhook_course_is_over(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signatures_are_those_of_the_vectors),
                                       cmocka_unit_test(secrets_are_taken_or_refused),
                                       cmocka_unit_test(a_new_secret_is_shown_as_receivers_read_it),
                                       cmocka_unit_test(two_secrets_make_two_signatures),
                                       cmocka_unit_test(a_body_says_what_happened),
                                       cmocka_unit_test(a_hashed_body_holds_no_address),
                                       cmocka_unit_test(the_largest_body_is_under_the_limit),
                                       cmocka_unit_test(an_id_has_no_dot_and_names_one_event),
                                       cmocka_unit_test(types),
                                       cmocka_unit_test(an_event_has_the_schedule_of_the_standard),
                                       cmocka_unit_test(what_an_answer_leads_to),
                                       cmocka_unit_test(an_endpoint_that_takes_all_has_four_at_a_time),
                                       cmocka_unit_test(one_that_is_down_is_asked_seldom),
                                       cmocka_unit_test(four_that_fail_together_count_once),
                                       cmocka_unit_test(one_bad_event_stops_no_other),
                                       cmocka_unit_test(one_that_is_overloaded_is_left_alone),
                                       cmocka_unit_test(after_five_days_of_failures_it_is_over),
                                       cmocka_unit_test(what_was_not_tried_is_no_failure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
