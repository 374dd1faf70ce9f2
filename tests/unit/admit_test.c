// SPDX-License-Identifier: BSD-2-Clause
/* admit_test.c - Who may send as whom, however the header is written; and limits of a header, met to the octet. */
#include "table.h"

#include "admit.h"

#include <stdlib.h>

static const struct identity shop = {.name = "shop", .tenant = "shop", .allowed = "club.test a@other.test *.sub.test", .streams = "code", .stream = ""};
static const struct stream streams[] = {{.name = "code", .class = STREAM_SECURITY}, {.name = "news", .class = STREAM_DIGEST}};

static struct verdict admit(const char *sender, const char *header, struct admission *a)
{
    const struct admit_input in = {.identity = &shop, .streams = streams, .stream_count = COUNT_OF(streams), .sender = span_of(sender),
                                   .header = span_of(header), .smtputf8 = true};
    return admit_message(&in, a);
}

static void who_may_send_as_whom(void **state)
{
    static const struct {
        const char *sender, *header;
        int code;
    } rows[] = {
        {"x@club.test", "From: <x@club.test>\r\n", 250},
        {"", "From: X <x@CLUB.test>\r\n", 250},
        {"", "From: <a@other.test>\r\nSender: <z@deep.sub.test>\r\n", 250},
        {"", "From: <b@other.test>\r\n", 550},
        {"", "From: <x@sub.test>\r\n", 550},
        {"", "From: <x@club.test.evil.test>\r\n", 550},
        {"", "From: <x@evilclub.test>\r\n", 550},
        {"b@other.test", "From: <x@club.test>\r\n", 550},
        {"", "From: <x@club.test>\r\nSender: <boss@bank.test>\r\n", 550},
        {"", "From: <x@club.test>\r\nResent-From: <x@club.test>\r\nResent-Sender: <boss@bank.test>\r\n", 550},
        {"", "From: <x@club.test>, <boss@bank.test>\r\n", 550},
        {"", "From: <x@club.test>\r\nFrom: <boss@bank.test>\r\n", 550},
        {"", "From: \"boss@bank.test\" <x@club.test>\r\n", 550},
        {"", "From: =?utf-8?Q?boss=40bank.test?= <x@club.test>\r\n", 550},
        {"", "From: boss@bank.test <x@club.test>\r\n", 550},
        {"", "From: <x@club.test> (boss@bank.test)\r\n", 550},
        {"", "From: <@bank.test:x@club.test>\r\n", 550},
        {"", "From : <x@club.test>\r\n", 550},
        {"", "To: <x@club.test>\r\n", 550},
        {"", "", 550},
        {"", "From: <x@club.test>\r\nSealpost-Stream: code\r\n", 250},
        {"", "From: <x@club.test>\r\nSealpost-Stream: news\r\n", 550}, /* it may not name that one */
        {"", "From: <x@club.test>\r\nSealpost-Stream: none\r\n", 550},
        {"", "From: <x@club.test>\r\nX: a\nb\r\n", 550},
        {"", "From: <x@club.test>\r\n \r\n", 550},
        {"", "From: <x@club.test>\r\nX: \x01\r\n", 550},
        {"", "From: <x@club.test>\r\nSubject: \xff\r\n", 550},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct admission a;
        struct verdict v = admit(rows[i].sender, rows[i].header, &a);
        EXPECT(v.code == rows[i].code, rows[i].header);
        EXPECT(v.what == VERDICT_ACCEPT || (v.enhanced[0] == '5' && v.text[0]), rows[i].header);
    }
}

static void what_is_known_of_it(void **state)
{
    struct admission a;
    (void)state;
    struct verdict v = admit("x@CLUB.test", "From: <a@Sub.Sub.test>\r\nMessage-ID: <1@club.test>\r\nIdempotency-Key: k\r\nSealpost-Stream: code\r\n", &a);
    EXPECT(v.what == VERDICT_ACCEPT, v.text);
    assert_string_equal(a.sender_domain, "club.test");
    assert_string_equal(a.summary.from_domain, "sub.sub.test");
    assert_string_equal(a.stream, "code");
    assert_int_equal(a.class, STREAM_SECURITY);
    assert_true(span_equal(a.summary.message_id, SPAN("<1@club.test>")) && !a.foreign && a.lifetime_ms > 0);
    assert_int_equal(admit("", "From: <x@bank.test>\r\n", &a).code, 550);
    assert_true(a.foreign);
}

/* The longest that is taken, and one octet, line or field more. */
static void limits(void **state)
{
    static const struct {
        const char *label;
        size_t fields, length; /* of each */
        bool folded, ok;
    } rows[] = {{"a line of 998", 1, 998, false, true},       {"a line of 999", 1, 999, false, false},
                {"a field of 32 KB", 1, 32 * 1024 - 4, true, true}, {"a field of more", 1, 32 * 1024 + 2, true, false},
                {"5,000 fields", 4999, 10, false, true},      {"5,001 fields", 5000, 10, false, false},
                {"256 KB", 262, 996, false, true},            {"over 256 KB", 264, 996, false, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf header;
        struct message_summary m;
        buf_init(&header, 512 * 1024);
        buf_add(&header, SPAN("From: <x@club.test>\r\n"));
        for (size_t n = 0; n < rows[i].fields; n++) {
            buf_add(&header, SPAN("X: "));
            for (size_t k = 3; k < rows[i].length; k++) {
                bool fold = rows[i].folded && k % 500 == 0 && k + 3 < rows[i].length;
                buf_add(&header, fold ? SPAN("\r\n ") : SPAN("x"));
                k += fold ? 2 : 0;
            }
            buf_add(&header, SPAN("\r\n"));
        }
        struct verdict v = message_check(buf_span(&header), false, &m);
        EXPECT((v.what == VERDICT_ACCEPT) == rows[i].ok, rows[i].label);
        buf_fini(&header);
    }
}

/* Whatever is cut off a header, the fields are all of it, in order. */
static void fields_are_all_of_it(void **state)
{
    static const char whole[] = "From: <x@club.test>\r\n\tmore\r\nno field\r\n : x\r\n folded\r\nX\r\n:\r\n\r\nBody: no\r\n\n\r";
    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        char *copy = malloc(len + 1);
        memcpy(copy, whole, len);
        struct span rest = {copy, len};
        struct field f;
        size_t seen = 0;
        while (message_next_field(&rest, &f)) {
            EXPECT(f.raw.ptr == copy + seen && f.raw.len > 0 && f.value.len <= f.raw.len, whole);
            seen += f.raw.len;
        }
        assert_int_equal(seen, len);
        bool ended = message_header_length((struct span){copy, len}, &seen);
        EXPECT(ended == (span_search((struct span){copy, len}, SPAN("\r\n\r\n")) < len) && seen <= len, whole);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_may_send_as_whom), cmocka_unit_test(what_is_known_of_it), cmocka_unit_test(limits),
                                       cmocka_unit_test(fields_are_all_of_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
