// SPDX-License-Identifier: BSD-2-Clause
/* base_test.c - Spans, bufs, ids, secrets, checksums: the ground that the rest stands on. */
#include "table.h"

#include "bounce.h"
#include "buf.h"
#include "mail.h"
#include "base64.h"
#include "secret.h"
#include "spool_record.h"

#include <stdlib.h>

static void bufs_keep_their_limit(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 10);
    assert_true(buf_add(&b, SPAN("12345")));
    assert_false(buf_add(&b, SPAN("1234567")));
    assert_true(b.overflow);
    assert_int_equal(b.len, 5);
    buf_drop(&b, 3);
    assert_true(span_equal(buf_span(&b), SPAN("45")));
    assert_true(buf_add(&b, SPAN("abcdefgh")));
    assert_true(span_equal(buf_span(&b), SPAN("45abcdefgh")));
    buf_clear(&b);
    assert_false(b.overflow);
    buf_fini(&b);
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t want;
    } rows[] = {{"0", true, 0},   {"42", true, 42}, {"18446744073709551615", true, UINT64_MAX},
                {"", false, 0},   {"-1", false, 0}, {"18446744073709551616", false, 0},
                {"1 ", false, 0}, {"+1", false, 0}, {"0x1", false, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t number = 0;
        EXPECT(span_number(span_of(rows[i].text), &number) == rows[i].ok, rows[i].text);
        EXPECT(!rows[i].ok || number == rows[i].want, rows[i].text);
    }
}

/* At every length, with the byte that ends it at every place, and with one that is not ASCII before it. */
static void text_runs(void **state)
{
    static const char ends[] = {'\r', '\n', '\0'};
    char text[70];
    (void)state;
    for (size_t len = 0; len <= sizeof(text); len++) {
        for (size_t at = 0; at <= len; at++) {
            bool has_8bit = false;
            memset(text, 'a', sizeof(text));
            if (at < len)
                text[at] = ends[at % sizeof(ends)];
            assert_int_equal(span_text_run((struct span){text, len}, &has_8bit), at);
            assert_false(has_8bit);
            if (at == 0)
                continue;
            text[at / 2] = '\x80';
            assert_int_equal(span_text_run((struct span){text, len}, &has_8bit), at);
            assert_true(has_8bit);
        }
    }
    bool has_8bit = false;
    assert_int_equal(span_text_run(SPAN("abc\r\xff"), &has_8bit), 3);
    assert_false(has_8bit); /* what comes behind the run does not count */
}

/* Bytes that differ in the bit that tells small letters from capitals, but are no letters, differ. */
static void case_is_of_letters(void **state)
{
    (void)state;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            const char one[] = {(char)a, 'x'}, other[] = {(char)b, 'X'};
            bool letters = (a | 0x20) == (b | 0x20) && (a | 0x20) >= 'a' && (a | 0x20) <= 'z';
            assert_int_equal(span_equal_nocase((struct span){one, 2}, (struct span){other, 2}), a == b || letters);
        }
    assert_true(span_equal_nocase(SPAN_NONE, SPAN("")) && !span_equal_nocase(SPAN("a"), SPAN("")));
}

/* With and without something to fill in: one line of printable ASCII, as long as there is room. */
static void verdicts(void **state)
{
    char text[1000];
    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct verdict v[] = {verdict_make(550, "5.1.1", "no\r\n\x01\xc3\xa9"),
                          verdict_make(550, "5.1.1", "%s\xc3\xa9", "no\r\n\x01")};
    for (size_t i = 0; i < COUNT_OF(v); i++) {
        assert_string_equal(v[i].text, "no?????");
        assert_string_equal(v[i].enhanced, "5.1.1");
        assert_true(v[i].what == VERDICT_REJECT && v[i].code == 550 && !v[i].heard);
    }
    assert_int_equal(strlen(verdict_make(451, "", "%s", text).text), sizeof(v[0].text) - 1);
    v[0] = verdict_make(250, "2.0.0.123456789", "one that is longer than there is room for its code");
    assert_string_equal(v[0].enhanced, "2.0.0.12345");
}

static void ids_come_back(void **state)
{
    static const int64_t ids[] = {1, 31, 32, INT64_C(1795414602000) << 16, INT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char text[MAIL_ID_TEXT];
        int64_t id = 0;
        mail_id_print(ids[i], text);
        EXPECT(strlen(text) == 13 && mail_id_parse(span_of(text), &id) && id == ids[i], text);
    }
    int64_t id = 0;
    assert_false(mail_id_parse(SPAN("zzzzzzzzzzzzz"), &id));
    assert_false(mail_id_parse(SPAN("0123456789ab"), &id));
    assert_false(mail_id_parse(SPAN("0123456789abu"), &id));
}

static void checksum(void **state)
{
    (void)state;
    assert_int_equal(spool_crc(0, SPAN("123456789")), 0xe3069283); /* the check value of CRC-32C */
    assert_int_equal(spool_crc(spool_crc(0, SPAN("1234")), SPAN("56789")), 0xe3069283);
    char bytes[10000];
    srand(3);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)rand();
    /* however long it is, and wherever it lies: as its definition says, bit by bit */
    for (size_t len = 0; len < sizeof(bytes) - 8; len += len < 40 ? 1 : 211) {
        struct span part = {bytes + len % 8, len};
        uint32_t crc = UINT32_MAX;
        for (size_t bit = 0; bit < 8 * len; bit++) {
            uint32_t in = (uint32_t)(unsigned char)part.ptr[bit / 8] >> bit % 8 & 1;
            crc = crc >> 1 ^ ((crc ^ in) & 1 ? 0x82f63b78 : 0);
        }
        assert_int_equal(spool_crc(0, part), ~crc);
        size_t cut = len / 3;
        assert_int_equal(spool_crc(spool_crc(0, span_first(part, cut)), span_from(part, cut)), ~crc);
    }
}

static void secrets(void **state)
{
    char secret[SECRET_TEXT];
    char hash[SECRET_HASH];
    struct err err = {0};
    (void)state;
    secret_generate(secret);
    secret_hash_generated(span_of(secret), hash);
    assert_true(secret_verify(hash, span_of(secret)));
    assert_false(secret_verify(hash, SPAN("wrong")));
    assert_false(secret_is_slow(hash));
    assert_true(secret_hash_chosen(SPAN("a chosen password"), hash, &err));
    assert_true(secret_is_slow(hash) && strncmp(hash, "$y$", 3) == 0);
    assert_true(secret_verify(hash, SPAN("a chosen password")));
    assert_false(secret_verify(hash, SPAN("a chosen passwore")));
    assert_false(secret_hash_chosen(SPAN("short"), hash, &err));
    assert_false(secret_verify(secret_nobody, SPAN("")));
    assert_false(secret_verify("", SPAN("")));
}

static void a_prepared_key_makes_the_same_names(void **state)
{
    static const char *const texts[] = {"", "what do ya want for nothing?", "", "x"};
    (void)state;
    struct secret_keyed *k = secret_keyed_new(SPAN("Jefe"));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        unsigned char a[16];
        unsigned char b[16];
        secret_mac(SPAN("Jefe"), span_of(texts[i]), a);
        secret_keyed_mac(k, span_of(texts[i]), b);
        assert_memory_equal(a, b, sizeof(a));
        if (i == 1) /* RFC 4231 section 4.3 */
            assert_memory_equal(a, "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7",
                                sizeof(a));
    }
    secret_keyed_free(k);
}

static void base64(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: malformed */
    } rows[] = {{"", ""},      {"Zg==", "f"},  {"Zm8=", "fo"}, {"Zm9v", "foo"},
                {"Zg=", NULL}, {"Z===", NULL}, {"Zm9", NULL},  {"Zm 9v", NULL}, {"Zg==Zg==", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        bool ok = base64_decode(span_of(rows[i].text), &out);
        EXPECT(ok == (rows[i].want != NULL), rows[i].text);
        EXPECT(!ok || span_equal(buf_span(&out), span_of(rows[i].want)), rows[i].text);
        buf_fini(&out);
    }
}

static void xtext(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: malformed */
    } rows[] = {{"abc", "abc"}, {"a+2Bb", "a+b"}, {"a+0Ab", "a?b"}, {"a+ZZ", NULL}, {"a+2", NULL}, {"a=b", NULL}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        bool ok = bounce_xtext_decode(span_of(rows[i].text), &out);
        EXPECT(ok == (rows[i].want != NULL), rows[i].text);
        EXPECT(!ok || span_equal(buf_span(&out), span_of(rows[i].want)), rows[i].text);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bufs_keep_their_limit), cmocka_unit_test(numbers),
        cmocka_unit_test(case_is_of_letters), cmocka_unit_test(verdicts),
                                       cmocka_unit_test(text_runs),
        cmocka_unit_test(ids_come_back), cmocka_unit_test(checksum),
                                       cmocka_unit_test(secrets),
        cmocka_unit_test(a_prepared_key_makes_the_same_names), cmocka_unit_test(base64), cmocka_unit_test(xtext)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
