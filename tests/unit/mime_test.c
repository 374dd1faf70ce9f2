// SPDX-License-Identifier: BSD-2-Clause
/* mime_test.c - What an entity says of itself, written in every way that RFC 2045 and 2231 allow, and in those that
 * they do not. */
#include "table.h"

#include "mime.h"
#include "mime_parameter.h"

#include <stdlib.h>

static void parameters(void **state)
{
    static const struct {
        const char *value, *says; /* NULL: there is none */
    } rows[] = {
        {"text/plain; b=x", "x"},
        {"text/plain;b = x ;c=y", "x"},
        {"text/plain; B=\"x; b=y\"", "x; b=y"},
        {"text/plain; a=\"; b=no\"; b=x", "x"},
        {"text/plain; (; b=no) b (a) = (b) x (c)", "x"},
        {"text/plain (; b=no); b=x", "x"},
        {"text/plain; b=\"\\\"x\\\\\"", "\"x\\"},
        {"text/plain;\r\n\tb=\r\n\tx", "x"},
        {"text/plain; b=\"x", "x"},
        {"text/plain; b==x=", "=x="},
        {"text/plain; b=x y", "x y"},
        {"text/plain (1(2(3(4; b=no)))); b=x", "x"},
        {"text/plain (1(2(3(4(5; b=5))))); b=x", "x"}, /* the outer parenthesis is none */
        {"text/plain (\\(; b=x", "x"},
        {"text/plain \\\\; b=x", "x"},
        {"text/plain; b=(x", "(x"},
        {"text/plain; b=x; b=y", "x"},
        {"text/plain; b=\"\"; b=y", NULL},
        {"text/plain; b", NULL},
        {"text/plain; bb=x; b*=x", NULL},
        {"text/plain; b=0123456789012345678901234567890", NULL}, /* more than there is room for */
        {"b=x", NULL},
        {"", NULL},
        {";;;", NULL},
        {"; \"b=x", NULL},
    };
    char text[20];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool found = mime_parameter(span_of(rows[i].value), SPAN("b"), text, sizeof(text));
        EXPECT(found == (rows[i].says != NULL) && (!found || strcmp(text, rows[i].says) == 0), rows[i].value);
    }
}

/* A value that is cut anywhere is read to its end, and no further. */
static void every_end(void **state)
{
    static const char whole[] = "a/b (\\); (c)) ; b*0*=utf-8''%C3%; \"q\\\"=\\; x=\"\\\\\"; y=(((; z = (;) \"w\" (v";
    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        char *copy = malloc(len + 1); /* so that AddressSanitizer sees whoever looks further */
        memcpy(copy, whole, len);
        struct span rest = {copy, len};
        struct mime_parameter p;
        struct buf text;
        size_t steps = 0;
        buf_init(&text, 3 * len + 1);
        rest = span_from(rest, mime_parameter_length(rest) + 1);
        while (mime_parameter_next(&rest, &p)) {
            mime_parameter_text(p.value, &text);
            mime_parameter_decode(p.value, &text);
            EXPECT(++steps <= len && p.value.len <= p.raw.len && !text.overflow, whole);
            buf_clear(&text);
        }
        buf_fini(&text);
        free(copy);
    }
}

static void sections(void **state)
{
    static const struct {
        const char *name, *base;
        bool numbered, extended;
        unsigned number;
    } rows[] = {{"a", "a", false, false, 0},     {"a*", "a", false, true, 0},  {"a*0", "a", true, false, 0},
                {"a*12*", "a", true, true, 12},  {"a*x*", "a*x", false, true, 0}, {"a**", "a*", false, true, 0},
                {"a*-1", "a*-1", false, false, 0}, {"a*99999999999999999999", "a*99999999999999999999", false, false, 0},
                {"*", "", false, true, 0},       {"", "", false, false, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mime_section s;
        mime_parameter_section(span_of(rows[i].name), &s);
        EXPECT(span_equal(s.base, span_of(rows[i].base)) && s.numbered == rows[i].numbered &&
                   s.extended == rows[i].extended && (!s.numbered || s.number == rows[i].number),
               rows[i].name);
    }
}

static void encodings(void **state)
{
    static const struct {
        const char *how, *text, *says;
    } rows[] = {{"quoted-printable", "Gr=C3=BC=c3=9fe=\r\n!", "Gr\xc3\xbc\xc3\x9f" "e!"},
                {"QUOTED-PRINTABLE", "=", "="},
                {"quoted-printable", "=C", "=C"},
                {"quoted-printable", "=XY=3D", "=XY="},
                {"base64", "R3LDvMOf\r\nZQ==\r\n", "Gr\xc3\xbc\xc3\x9f" "e"},
                {"base64", "R3L*", "R3L*"}, /* malformed: as it stands */
                {"7bit", "=C3", "=C3"},
                {"", "=C3", "=C3"},
                {"x-unknown", "=C3", "=C3"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 100);
        mime_decode(span_of(rows[i].how), span_of(rows[i].text), &out);
        EXPECT(span_equal(buf_span(&out), span_of(rows[i].says)), rows[i].text);
        buf_fini(&out);
    }
}

static void count_leaf(void *context, const struct mime_entity *leaf)
{
    size_t *count = context;
    CHECK(leaf->depth <= MIME_DEPTH_MAX);
    ++*count;
}

/* However deep it claims to be, and whatever is missing, each leaf is seen once. */
static void nesting(void **state)
{
    (void)state;
    for (size_t depth = 1; depth < 60; depth++) {
        struct buf text;
        size_t count = 0;
        buf_init(&text, 100000);
        for (size_t i = 1; i < depth; i++)
            buf_addf(&text, "--b%zu\r\nContent-Type: multipart/mixed; boundary=b%zu\r\n\r\n", i - 1, i);
        buf_addf(&text, "--b%zu\r\n\r\nleaf\r\n", depth - 1);
        mime_leaves(SPAN("Content-Type: multipart/mixed; boundary=b0\r\n"), buf_span(&text), count_leaf, &count);
        assert_int_equal(count, 1);
        buf_fini(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parameters), cmocka_unit_test(every_end), cmocka_unit_test(sections),
                                       cmocka_unit_test(encodings), cmocka_unit_test(nesting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
