// SPDX-License-Identifier: BSD-2-Clause
/* message_test.c - Walking a header whatever bytes it holds, its limits, and what of it leaves. */
#include "table.h"

#include "buf.h"
#include "message.h"

static struct field field(const char *raw)
{
    struct span rest = span_of(raw);
    struct field f = {0};
    EXPECT(message_next_field(&rest, &f) && rest.len == 0, raw);
    return f;
}

static void fields_are_cut_where_they_end(void **state)
{
    static const struct {
        const char *raw, *name, *value;
    } rows[] = {{"Subject: x\r\n", "Subject", " x"},
                {"Subject:x\r\n", "Subject", "x"},
                {"Subject:\r\n", "Subject", ""},
                {"To: a,\r\n b,\r\n\tc\r\n", "To", " a,\r\n b,\r\n\tc"},
                {"A:b:c\r\n", "A", "b:c"},
                {"Subject: cut", "Subject", " cut"},
                {"Subject : x\r\n", "", " x"},
                {": x\r\n", "", " x"},
                {"no colon\r\n", "", ""},
                {" folded: first\r\n", "", " first"},
                {"Gr\xc3\xbc\xc3\x9f" "e: x\r\n", "", " x"},
                {"A\x01: x\r\n", "", " x"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct field f = field(rows[i].raw);
        EXPECT(span_equal(f.raw, span_of(rows[i].raw)), rows[i].raw);
        EXPECT(span_equal(f.name, span_of(rows[i].name)), rows[i].raw);
        EXPECT(rows[i].name[0] == '\0' || span_equal(f.value, span_of(rows[i].value)), rows[i].raw);
    }
}

/* Whatever it holds: each byte is in one field, in order, and the walk ends. */
static void every_byte_is_in_one_field(void **state)
{
    static const char kinds[] = "a: \t\r\n\r\n\0\xff";
    uint64_t random = 11;
    (void)state;
    for (size_t round = 0; round < 3000; round++) {
        char text[80];
        size_t len = round % sizeof(text);
        for (size_t i = 0; i < len; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[i] = kinds[(random >> 33) % (sizeof(kinds) - 1)];
        }
        struct span rest = {text, len};
        struct field f;
        const char *at = text;
        while (message_next_field(&rest, &f)) {
            assert_ptr_equal(f.raw.ptr, at);
            assert_true(f.raw.len > 0);
            at += f.raw.len;
            assert_true(rest.len == 0 || (*at != ' ' && *at != '\t'));
        }
        assert_ptr_equal(at, text + len);
        size_t header_len = 0;
        bool ended = message_header_length((struct span){text, len}, &header_len);
        assert_true(header_len <= len && (!ended || header_len + 2 <= len));
        assert_true(!ended || memcmp(text + header_len, "\r\n", 2) == 0);
    }
}

static void where_the_header_ends(void **state)
{
    static const struct {
        const char *bytes;
        bool ended;
        size_t length;
    } rows[] = {{"", false, 0},           {"\r\n", true, 0},         {"\r\nbody", true, 0},     {"A: b\r\n", false, 6},
                {"A: b\r\n\r\n", true, 6}, {"A: b\r\n\r\nx", true, 6}, {"A: b\n\nx", false, 7},    {"A: b\r\n\r", false, 7},
                {"A: b\r\n \r\n\r\n", true, 9}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t length = 99;
        EXPECT(message_header_length(span_of(rows[i].bytes), &length) == rows[i].ended, rows[i].bytes);
        EXPECT(length == rows[i].length, rows[i].bytes);
    }
}

static void found_by_name_and_number(void **state)
{
    static const char header[] = "To: a\r\nto: b\r\nCc: c\r\nTO : d\r\n";
    struct field f;
    (void)state;
    assert_true(message_find(SPAN(header), SPAN("To"), 0, &f) && span_equal(f.value, SPAN(" a")));
    assert_true(message_find(SPAN(header), SPAN("TO"), 1, &f) && span_equal(f.value, SPAN(" b")));
    assert_false(message_find(SPAN(header), SPAN("To"), 2, &f));
    assert_false(message_find(SPAN(header), SPAN("T"), 0, &f));
    assert_false(message_find(SPAN(header), SPAN("TO "), 0, &f)); /* no name of a field */
    assert_false(message_find(SPAN("To"), SPAN("To"), 0, &f));
    assert_false(message_find(SPAN("X: y\r\n To: z\r\n"), SPAN("To"), 0, &f)); /* a fold is none */
    assert_true(message_find(SPAN("List-Id-Of: a\r\nList-Id: b\r\n c\r\nList-Id: d"), SPAN("List-Id"), 0, &f) &&
                span_equal(f.value, SPAN(" b\r\n c")));
}

/* ---- limits: the last that is taken, and one more ---- */

static struct verdict check(const char *field_format, size_t count, size_t pad)
{
    static char padding[MESSAGE_FIELD_MAX + 1000];
    struct buf header;
    struct message_summary summary;
    memset(padding, 'x', sizeof(padding));
    buf_init(&header, 1024 * 1024);
    buf_add(&header, SPAN("From: <a@club.test>\r\n"));
    for (size_t i = 0; i < count; i++) {
        buf_add(&header, span_of(field_format));
        for (size_t left = pad; left > 0;) { /* folded at 78 */
            size_t piece = left < 76 ? left : 76;
            buf_add(&header, (struct span){padding, piece});
            left -= piece;
            if (left > 3) {
                buf_add(&header, SPAN("\r\n "));
                left -= 3;
            }
        }
        buf_add(&header, SPAN("\r\n"));
    }
    struct verdict v = message_check(buf_span(&header), false, &summary);
    buf_fini(&header);
    return v;
}

static void limits(void **state)
{
    static const struct {
        const char *label, *field;
        size_t last;
        int code;
        const char *enhanced;
    } rows[] = {{"fields", "X-A: b", MESSAGE_FIELDS_MAX - 1, 552, "5.3.4"},
                {"fields that are signed", "Feedback-ID: b", MESSAGE_SIGNED_MAX - 1, 552, "5.3.4"},
                {"hosts", "Received: by mail.club.test", MESSAGE_HOPS_MAX, 554, "5.4.6"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict v = check(rows[i].field, rows[i].last + 1, 0);
        EXPECT(v.code == rows[i].code && strcmp(v.enhanced, rows[i].enhanced) == 0, rows[i].label);
        EXPECT(check(rows[i].field, rows[i].last, 0).what == VERDICT_ACCEPT, rows[i].label);
    }
    size_t most = MESSAGE_FIELD_MAX - sizeof("X-A: \r\n") + 1;
    assert_int_equal(check("X-A: ", 1, most).what, VERDICT_ACCEPT);
    assert_int_equal(check("X-A: ", 1, most + 1).code, 552);
    assert_int_equal(check("X-A: ", MESSAGE_HEADER_MAX / 30000 + 1, 30000).code, 552);
}

static void lines(void **state)
{
    (void)state;
    for (size_t len = 990; len < 1010; len++) {
        char header[1200];
        struct message_summary summary;
        snprintf(header, sizeof(header), "From: <a@club.test>\r\nX-A: %0*d\r\n", (int)(len - 5), 1);
        struct verdict v = message_check(span_of(header), false, &summary);
        assert_int_equal(v.what, len <= MESSAGE_LINE_MAX ? VERDICT_ACCEPT : VERDICT_REJECT);
        assert_true(len <= MESSAGE_LINE_MAX || strstr(v.text, "line 2 of the message"));
    }
}

static void what_the_header_says(void **state)
{
    static const char header[] = "from: Bo <Bo@CLUB.test>\r\nMessage-ID:  <1@club.test> (x)\r\nSealpost-Stream: reset \r\n"
                                 "Sealpost-Idempotency-Key: k1\r\nSubject: x\r\nSender: <c@club.test>\r\n";
    struct message_summary m;
    (void)state;
    assert_int_equal(message_check(SPAN(header), false, &m).what, VERDICT_ACCEPT);
    assert_string_equal(m.from_domain, "club.test");
    assert_true(span_equal(m.from.local, SPAN("Bo")));
    assert_true(span_equal(m.message_id, SPAN("<1@club.test>")));
    assert_true(span_equal(m.stream, SPAN("reset")));
    assert_true(span_equal(m.once, SPAN("k1")) && m.has_key);
    assert_true(!m.has_utf8 && m.senders == 2);
    assert_int_equal(message_check(SPAN("Subject: x\r\n"), false, &m).code, 550);
    assert_int_equal(message_check(SPAN(""), false, &m).code, 550);
}

/* ---- what leaves ---- */

static void what_never_leaves(void **state)
{
    static const struct {
        const char *raw;
        bool leaves;
    } rows[] = {{"To: <b@dest.test>\r\n", true},  {"Cc: \r\n", false},         {"Cc: (nobody)\r\n", false},
                {"Bcc: <c@dest.test>\r\n", false}, {"BCC: x\r\n", false},       {"Return-Path: <a@club.test>\r\n", false},
                {"Sealpost-Stream: x\r\n", false}, {"sealpost-metadata-user: 7\r\n", false},
                {"Sealpost-Meta: x\r\n", true},    {"X-Anything: \r\n", true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct field f = field(rows[i].raw);
        EXPECT(message_leaves(&f) == rows[i].leaves, rows[i].raw);
    }
}

/* RFC 8601 section 2.2: an authserv-id is a value, which is a token or a quoted string, with comments
 * before it. */
static void who_speaks_in_our_name(void **state)
{
    static const struct {
        const char *value;
        bool ours;
    } rows[] = {{"mail.club.test; dkim=pass", true},
                {"MAIL.club.TEST; none", true},
                {"mail.club.test 1; none", true},
                {"\r\n (a (nested) comment) mail.club.test;none", true},
                {"mail.club.test(x); none", true},
                {"\"mail.club.test\"; none", true},
                {"\"mail\\.club.\\test\"; none", true},
                {"mail.club.test", true},
                {"\"mail.club.test", true},
                {"mail.club.test.evil.test; none", false},
                {"x.mail.club.test; none", false},
                {"other.test; mail.club.test", false},
                {"(mail.club.test) other.test; none", false},
                {"\"mail.club.test x\"; none", false},
                {"\\mail.club.test; none", false},
                {"\"\\", false},
                {"", false}};
    char raw[200];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(raw, sizeof(raw), "Authentication-Results: %s\r\n", rows[i].value);
        struct field f = field(raw);
        EXPECT(message_speaks_as(&f, "mail.club.test") == rows[i].ours, raw);
        snprintf(raw, sizeof(raw), "X-Results: %s\r\n", rows[i].value);
        f = field(raw);
        EXPECT(!message_speaks_as(&f, "mail.club.test"), raw);
    }
}

static void dates_are_written_and_read(void **state)
{
    static const struct {
        int64_t unix_ms;
        const char *text;
    } rows[] = {{0, "Thu, 01 Jan 1970 00:00:00 +0000"},
                {INT64_C(951782400000), "Tue, 29 Feb 2000 00:00:00 +0000"},
                {INT64_C(1700000000999), "Tue, 14 Nov 2023 22:13:20 +0000"},
                {INT64_C(4102444799000), "Thu, 31 Dec 2099 23:59:59 +0000"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[40];
        const char *why = NULL;
        message_date(rows[i].unix_ms, text);
        assert_string_equal(text, rows[i].text);
        EXPECT(message_date_valid(span_of(text), &why), text);
    }
    for (int64_t day = 0; day < 365 * 60; day += 13) { /* what we write, we take */
        char text[40];
        const char *why = NULL;
        message_date(day * 86400000 + 12345678, text);
        EXPECT(message_date_valid(span_of(text), &why), text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_cut_where_they_end),
        cmocka_unit_test(every_byte_is_in_one_field),
        cmocka_unit_test(where_the_header_ends),
        cmocka_unit_test(found_by_name_and_number),
        cmocka_unit_test(limits),
        cmocka_unit_test(lines),
        cmocka_unit_test(what_the_header_says),
        cmocka_unit_test(what_never_leaves),
        cmocka_unit_test(who_speaks_in_our_name),
        cmocka_unit_test(dates_are_written_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
