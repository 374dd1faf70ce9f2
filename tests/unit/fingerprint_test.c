// SPDX-License-Identifier: BSD-2-Clause
/* fingerprint_test.c - What is the same mail once more, and what only looks like it. */
#include "table.h"

#include "fingerprint.h"
#include "message.h"
#include "sevenbit.h"

#define HEAD "From: Club <hello@club.test>\r\nSubject: Reset your password\r\n"
#define TOKEN_A "c8x4fy-5f1c0c7f2a9b8d4e"
#define TOKEN_B "c8x4g1-0b7ad93c55e1f207"
#define QP "Content-Transfer-Encoding: quoted-printable\r\n"
#define B64 "Content-Transfer-Encoding: base64\r\n"
#define MIXED(mark) "Content-Type: multipart/alternative; boundary=\"" mark "\"\r\n"
#define PART(mark, type, text) "--" mark "\r\nContent-Type: " type "\r\n\r\n" text "\r\n"

static const struct {
    const char *name, *a, *b;
    enum stream_class class;
    bool same;
} rows[] = {
    {"the same twice", HEAD "\r\nHello\r\n", HEAD "\r\nHello\r\n", STREAM_NOTIFICATION, true},
    {"another date and id", "Date: x\r\nMessage-ID: <1@x>\r\n" HEAD "\r\nHello\r\n",
     "Date: y\r\nMessage-ID: <2@x>\r\n" HEAD "\r\nHello\r\n", STREAM_NOTIFICATION, true},
    {"other line breaks", HEAD "\r\nHello to\r\nyou\r\n", HEAD "\r\nHello  to you\r\n", STREAM_SECURITY, true},
    {"another word", HEAD "\r\nHello\r\n", HEAD "\r\nHallo\r\n", STREAM_SECURITY, false},
    {"another subject", HEAD "\r\nx\r\n", "From: Club <hello@club.test>\r\nSubject: Sign in\r\n\r\nx\r\n", STREAM_SECURITY, false},
    {"another author", HEAD "\r\nx\r\n", "From: Club <info@club.test>\r\nSubject: Reset your password\r\n\r\nx\r\n",
     STREAM_SECURITY, false},
    {"another address to answer to", "Reply-To: a@x.test\r\n" HEAD "\r\nx\r\n", "Reply-To: b@x.test\r\n" HEAD "\r\nx\r\n",
     STREAM_SECURITY, false},

    {"another link to the same", HEAD "\r\nhttps://club.test/reset/MQ/" TOKEN_A "/\r\n",
     HEAD "\r\nhttps://club.test/reset/MQ/" TOKEN_B "/\r\n", STREAM_SECURITY, true},
    {"a link without digits", HEAD "\r\n?t=AbCdEfGhIjKlMnOpQr\r\n", HEAD "\r\n?t=sTuVwXyZaBcDeFgHiJ\r\n", STREAM_SECURITY, true},
    {"a link to another page", HEAD "\r\nhttps://club.test/reset/" TOKEN_A "/\r\n",
     HEAD "\r\nhttps://club.test/confirm/" TOKEN_A "/\r\n", STREAM_SECURITY, false},
    {"another code", HEAD "\r\nYour code: 482913.\r\n", HEAD "\r\nYour code: 001734.\r\n", STREAM_SECURITY, true},
    {"a code in the subject", "From: <a@x.test>\r\nSubject: 482913 is your code\r\n\r\nx\r\n",
     "From: <a@x.test>\r\nSubject: 771020 is your code\r\n\r\nx\r\n", STREAM_SECURITY, true},
    {"a code in an encoded subject", "From: <a@x.test>\r\nSubject: =?utf-8?B?Q29kZSA0ODI5MTM=?=\r\n\r\nx\r\n",
     "From: <a@x.test>\r\nSubject: =?utf-8?Q?Code_771020?=\r\n\r\nx\r\n", STREAM_SECURITY, true},
    {"another time", HEAD "\r\nSigned in at 10:32\r\n", HEAD "\r\nSigned in at 10:47\r\n", STREAM_SECURITY, false},
    {"another day", HEAD "\r\nYou play on 2026-11-23\r\n", HEAD "\r\nYou play on 2026-11-24\r\n", STREAM_SECURITY, false},
    {"another number", HEAD "\r\nYou paid 20 EUR\r\n", HEAD "\r\nYou paid 9999 EUR\r\n", STREAM_SECURITY, false},
    {"a long ordinary word", HEAD "\r\nMitgliederversammlung\r\n", HEAD "\r\nMitgliederverwaltung\r\n", STREAM_SECURITY, false},

    {"two bookings", HEAD "\r\nBooking 48291377\r\n", HEAD "\r\nBooking 48291378\r\n", STREAM_NOTIFICATION, false},
    {"two links of a confirmation", HEAD "\r\nhttps://club.test/b/" TOKEN_A "\r\n", HEAD "\r\nhttps://club.test/b/" TOKEN_B "\r\n",
     STREAM_CONFIRMATION, false},

    {"quoted-printable and plain", HEAD QP "\r\nGr=C3=BC=\r\n=C3=9Fe, 1+1=3D2\r\n", HEAD "\r\nGr\xc3\xbc\xc3\x9f"
     "e, 1+1=2\r\n", STREAM_NOTIFICATION, true},
    {"base64 and plain", HEAD B64 "\r\nR3LDvMOf\r\nZQ==\r\n", HEAD "\r\nGr\xc3\xbc\xc3\x9f" "e\r\n", STREAM_NOTIFICATION, true},
    {"codes in base64", HEAD B64 "\r\nWW91ciBjb2RlOiA0ODI5MTMu\r\n", HEAD B64 "\r\nWW91ciBjb2RlOiA3NzEwMjAu\r\n", STREAM_SECURITY,
     true},
    {"words in base64", HEAD B64 "\r\nWW91ciBjb2RlIGlzIHJlYWR5\r\n", HEAD B64 "\r\nWW91ciBjb2RlIGlzIHdyb25n\r\n", STREAM_SECURITY,
     false},
    {"malformed base64", HEAD B64 "\r\nnot base64 a\r\n", HEAD B64 "\r\nnot base64 b\r\n", STREAM_SECURITY, false},

    {"another boundary", HEAD MIXED("abc") "\r\n" PART("abc", "text/plain", "x") "--abc--\r\n",
     HEAD MIXED("def") "\r\n" PART("def", "text/plain", "x") "--def--\r\n", STREAM_NOTIFICATION, true},
    {"the second part counts", HEAD MIXED("abc") "\r\n" PART("abc", "text/plain", "x") PART("abc", "text/html", "y") "--abc--\r\n",
     HEAD MIXED("abc") "\r\n" PART("abc", "text/plain", "x") PART("abc", "text/html", "z") "--abc--\r\n", STREAM_SECURITY, false},
    {"a part that is not closed counts", HEAD MIXED("abc") "\r\n" PART("abc", "text/plain", "x"),
     HEAD MIXED("abc") "\r\n" PART("abc", "text/plain", "y"), STREAM_SECURITY, false},
    {"a multipart without parts is text", HEAD MIXED("abc") "\r\nx\r\n", HEAD MIXED("abc") "\r\ny\r\n", STREAM_SECURITY, false},
    {"attachments count as they are", HEAD "Content-Type: application/pdf\r\n\r\nJVBERi0xLjQ4MjkxMzQ4MjkxMw\r\n",
     HEAD "Content-Type: application/pdf\r\n\r\nJVBERi0xLjQ4MjkxMzQ4MjkxNA\r\n", STREAM_SECURITY, false},
    {"one part is not two", HEAD MIXED("abc") "\r\n" PART("abc", "text/plain", "x text/plain:y") "--abc--\r\n",
     HEAD MIXED("abc") "\r\n" PART("abc", "text/plain", "x") PART("abc", "text/plain", "y") "--abc--\r\n", STREAM_SECURITY, false},
};

static void make(const char *message, enum stream_class class, unsigned char print_r[FINGERPRINT_BYTES])
{
    size_t length = 0;
    assert_true(message_header_length(span_of(message), &length));
    fingerprint_make(span_first(span_of(message), length), span_from(span_of(message), length + 2), class, print_r);
}

static void pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char a[FINGERPRINT_BYTES];
        unsigned char b[FINGERPRINT_BYTES];
        make(rows[i].a, rows[i].class, a);
        make(rows[i].b, rows[i].class, b);
        EXPECT((memcmp(a, b, sizeof(a)) == 0) == rows[i].same, rows[i].name);
    }
}

static void classes_have_their_own(void **state)
{
    (void)state;
    unsigned char a[FINGERPRINT_BYTES];
    unsigned char b[FINGERPRINT_BYTES];
    make(HEAD "\r\nx\r\n", STREAM_DIGEST, a);
    make(HEAD "\r\nx\r\n", STREAM_INVITATION, b);
    assert_memory_not_equal(a, b, sizeof(a));
}

/* The conversion to seven bits changes the encodings only. */
static void encodings_do_not_count(void **state)
{
    static const char header[] = HEAD MIXED("abc") "Content-Transfer-Encoding: 8bit\r\n";
    static const char body[] = PART("abc", "text/plain", "Gr\xc3\xbc\xc3\x9f" "e = From me.") PART("abc", "text/html", "<b>\xc3\xa4</b>")
        "--abc--\r\n";
    unsigned char a[FINGERPRINT_BYTES];
    unsigned char b[FINGERPRINT_BYTES];
    struct buf new_header;
    struct buf new_body;
    (void)state;
    buf_init(&new_header, 10000);
    buf_init(&new_body, 10000);
    struct sevenbit *c = sevenbit_new(SPAN(header), true);
    sevenbit_read(c, SPAN(body));
    sevenbit_read_end(c);
    assert_null(sevenbit_obstacle(c));
    sevenbit_write_header(c, &new_header);
    sevenbit_write(c, SPAN(body), &new_body);
    sevenbit_write_end(c, &new_body);
    sevenbit_free(c);
    fingerprint_make(SPAN(header), SPAN(body), STREAM_NOTIFICATION, a);
    fingerprint_make(buf_span(&new_header), buf_span(&new_body), STREAM_NOTIFICATION, b);
    assert_memory_equal(a, b, sizeof(a));
    buf_fini(&new_header);
    buf_fini(&new_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(classes_have_their_own),
        cmocka_unit_test(encodings_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
