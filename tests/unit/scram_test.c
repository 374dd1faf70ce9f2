// SPDX-License-Identifier: BSD-2-Clause
/* scram_test.c - The example of RFC 7677 section 3, octet for octet, and what must be refused (C14). */
#include "table.h"

#include "scram.h"
#include "secret.h"

/* "pencil" with the RFC's salt and 4096 iterations. */
static const char pencil[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                             "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
static const char server_nonce[] = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const unsigned char binding[SCRAM_BINDING] = "0123456789abcdef0123456789abcde";

static void example(void **state)
{
    struct scram s;
    struct buf name;
    struct buf out;
    (void)state;
    scram_init(&s, false, NULL);
    buf_init(&name, 300);
    buf_init(&out, 4096);
    assert_int_equal(scram_first(&s, SPAN("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &name), SCRAM_OK);
    assert_string_equal(buf_text(&name), "user");
    scram_challenge(&s, pencil, span_of(server_nonce), &out);
    assert_string_equal(buf_text(&out), "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    buf_clear(&out);
    assert_int_equal(scram_final(&s, SPAN("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                          "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), &out), SCRAM_OK);
    assert_string_equal(buf_text(&out), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    buf_fini(&name);
    buf_fini(&out);
    scram_fini(&s);
}

static void first_messages(void **state)
{
    static const struct {
        const char *message;
        bool plus, offered;
        enum scram_fault fault;
        const char *name;
    } rows[] = {
        {"n,,n=user,r=abc", false, false, SCRAM_OK, "user"},
        {"n,,n=user,r=abc", false, true, SCRAM_OK, "user"},
        {"y,,n=user,r=abc", false, false, SCRAM_OK, "user"},
        {"y,,n=user,r=abc", false, true, SCRAM_REFUSED, ""}, /* somebody took the PLUS out of what we offered */
        {"p=tls-exporter,,n=user,r=abc", true, true, SCRAM_OK, "user"},
        {"p=tls-exporter,,n=user,r=abc", false, true, SCRAM_MALFORMED, ""},
        {"p=tls-unique,,n=user,r=abc", true, true, SCRAM_REFUSED, ""},
        {"n,,n=user,r=abc", true, true, SCRAM_MALFORMED, ""},
        {"y,,n=user,r=abc", true, true, SCRAM_MALFORMED, ""},
        {"n,a=user,n=user,r=abc", false, false, SCRAM_OK, "user"},
        {"n,a=root,n=user,r=abc", false, false, SCRAM_IDENTITY, "user"},
        {"n,b=user,n=user,r=abc", false, false, SCRAM_MALFORMED, "user"},
        {"n,,n=a=2Cb=3Dc,r=abc", false, false, SCRAM_OK, "a,b=c"},
        {"n,,n=a=2Db,r=abc", false, false, SCRAM_MALFORMED, "a"},
        {"n,,n=a=,r=abc", false, false, SCRAM_MALFORMED, "a"},
        {"n,,n=,r=abc", false, false, SCRAM_MALFORMED, ""},
        {"n,,n=user,r=", false, false, SCRAM_MALFORMED, "user"},
        {"n,,n=user", false, false, SCRAM_MALFORMED, "user"},
        {"n,,m=x,n=user,r=abc", false, false, SCRAM_MALFORMED, ""}, /* an extension that must be understood */
        {"n,,n=us\ner,r=abc", false, false, SCRAM_MALFORMED, "us"},
        {"n,,n=us\xffr,r=abc", false, false, SCRAM_MALFORMED, ""},
        {"n,,n=user,r=a b", false, false, SCRAM_MALFORMED, "user"},
        {"n,", false, false, SCRAM_MALFORMED, ""},
        {"n", false, false, SCRAM_MALFORMED, ""},
        {"", false, false, SCRAM_MALFORMED, ""},
        {",,,,,", false, false, SCRAM_MALFORMED, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scram s;
        struct buf name;
        buf_init(&name, 300);
        scram_init(&s, rows[i].plus, rows[i].offered ? binding : NULL);
        enum scram_fault fault = scram_first(&s, span_of(rows[i].message), &name);
        EXPECT(fault == rows[i].fault, rows[i].message);
        EXPECT(fault != SCRAM_OK || strcmp(buf_text(&name), rows[i].name) == 0, rows[i].message);
        buf_fini(&name);
        scram_fini(&s);
    }
}

static void last_messages(void **state)
{
    static const struct {
        const char *keys, *message;
        enum scram_fault fault;
    } rows[] = {
        {pencil, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_OK},
        {pencil, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED},
        {pencil, "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED},
        {pencil, "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED},
        {pencil, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", SCRAM_MALFORMED},
        {pencil, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=", SCRAM_MALFORMED},
        {pencil, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA", SCRAM_MALFORMED},
        {pencil, "", SCRAM_MALFORMED},
        {"", "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED},
        {"SCRAM-SHA-256$1:$:", "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scram s;
        struct buf out;
        buf_init(&out, 4096);
        scram_init(&s, false, NULL);
        assert_int_equal(scram_first(&s, SPAN("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &out), SCRAM_OK);
        scram_challenge(&s, rows[i].keys, span_of(server_nonce), &out);
        buf_clear(&out);
        EXPECT(scram_final(&s, span_of(rows[i].message), &out) == rows[i].fault, rows[i].message);
        EXPECT((out.len > 0) == (rows[i].fault == SCRAM_OK), rows[i].message); /* our proof is for who has given theirs */
        buf_fini(&out);
        scram_fini(&s);
    }
}

/* A name that is nobody's looks like one that is somebody's, and the same each time. */
static void nobody(void **state)
{
    char one[SCRAM_KEYS_TEXT];
    char again[SCRAM_KEYS_TEXT];
    char other[SCRAM_KEYS_TEXT];
    char real[SCRAM_KEYS_TEXT];
    (void)state;
    scram_keys_nobody(SPAN("seed"), one);
    scram_keys_nobody(SPAN("seed"), again);
    scram_keys_nobody(SPAN("another"), other);
    scram_keys_make(SPAN("pencil"), real);
    size_t salt = (size_t)(strrchr(one, '$') - one);
    assert_int_equal(strlen(one), strlen(real));
    assert_memory_equal(one, again, salt);
    assert_memory_not_equal(one, other, salt);
    assert_memory_equal(one, real, sizeof("SCRAM-SHA-256$15000:") - 1);
    assert_string_not_equal(one, again); /* no password fits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(example), cmocka_unit_test(first_messages),
                                       cmocka_unit_test(last_messages), cmocka_unit_test(nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
