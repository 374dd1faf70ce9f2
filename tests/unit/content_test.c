// SPDX-License-Identifier: BSD-2-Clause
/* content_test.c - Which differences make another message; and that it does not matter in which
 * pieces a message comes. */
#include "table.h"

#include "content.h"

#define HEAD "From: <a@club.test>\r\nSubject: Booking\r\n"
#define MIXED(mark) "Content-Type: multipart/mixed; boundary=\"" mark "\"\r\n"
#define FOLDED(mark) "Content-Type: multipart/mixed;\r\n\tboundary=" mark "; charset=x\r\n"
#define PART(mark, text) "--" mark "\r\nContent-Type: text/plain\r\n\r\n" text "\r\n"
#define INNER(mark, in) \
    "--" mark "\r\n" MIXED(in) "\r\n" PART(in, "x") "--" in "--\r\n--" mark "--\r\n"

static const unsigned char key[CONTENT_KEY] = {1, 2, 3};

static const struct {
    const char *name, *a, *b;
    bool same;
} rows[] = {
    {"the same", HEAD "\r\nx\r\n", HEAD "\r\nx\r\n", true},
    {"date, id and trace", "Date: 1\r\nMessage-ID: <1@x>\r\n" HEAD "\r\nx\r\n",
     "Received: from a\r\n\tby b\r\nDate: 2\r\n" HEAD "Message-ID: <2@x>\r\n\r\nx\r\n", true},
    {"a field that goes on", "Received: a\r\n b\r\n" HEAD "\r\nx\r\n", "Received: a\r\n c\r\n" HEAD "\r\nx\r\n", true},
    {"another subject", HEAD "\r\nx\r\n", "From: <a@club.test>\r\nSubject: Booking\r\n 2\r\n\r\nx\r\n", false},
    {"another name in To", "To: A <b@x.test>\r\n" HEAD "\r\nx\r\n", "To: B <b@x.test>\r\n" HEAD "\r\nx\r\n", false},
    {"another body", HEAD "\r\nx\r\n", HEAD "\r\ny\r\n", false},
    {"a body that looks like a field", HEAD "\r\nDate: 1\r\n", HEAD "\r\nDate: 2\r\n", false},
    {"another end", HEAD "\r\nx\r\n", HEAD "\r\nx\r\n\r\n", false},
    {"without a last line end", HEAD "\r\nx", HEAD "\r\ny", false},
    {"another boundary", HEAD MIXED("abc") "\r\n" PART("abc", "x") "--abc--\r\n", HEAD MIXED("d.e") "\r\n" PART("d.e", "x") "--d.e--\r\n",
     true},
    {"in a folded line", HEAD FOLDED("abc") "\r\n" PART("abc", "x") "--abc--\r\n", HEAD FOLDED("de") "\r\n" PART("de", "x") "--de--\r\n",
     true},
    {"two levels", HEAD MIXED("abc") "\r\n" INNER("abc", "in"), HEAD MIXED("de") "\r\n" INNER("de", "out"), true},
    {"another part", HEAD MIXED("abc") "\r\n" PART("abc", "x") "--abc--\r\n", HEAD MIXED("abc") "\r\n" PART("abc", "y") "--abc--\r\n",
     false},
    {"one part more", HEAD MIXED("abc") "\r\n" PART("abc", "x") "--abc--\r\n",
     HEAD MIXED("abc") "\r\n" PART("abc", "x") PART("abc", "") "--abc--\r\n", false},
    {"the end is no part", HEAD MIXED("abc") "\r\n" PART("abc", "x") "--abc--\r\n", HEAD MIXED("abc") "\r\n" PART("abc", "x") "--abc\r\n",
     false},
    {"a line that only begins so", HEAD "\r\n--option\r\n", HEAD "\r\n--other\r\n", false},
    {"a text about boundaries", HEAD "\r\n boundary=1\r\n", HEAD "\r\n boundary=2\r\n", false},
    {"another type", HEAD "Content-Type: text/plain\r\n\r\nx\r\n", HEAD "Content-Type: text/html\r\n\r\nx\r\n", false},
};

static void digest(struct span text, size_t piece, unsigned char digest_r[CONTENT_BYTES])
{
    struct content *c = content_new(key);
    while (text.len > 0) {
        size_t len = piece < text.len ? piece : text.len;
        content_add(c, span_first(text, len));
        text = span_from(text, len);
    }
    content_end(c, digest_r);
}

static void pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char a[CONTENT_BYTES];
        unsigned char b[CONTENT_BYTES];
        digest(span_of(rows[i].a), SIZE_MAX, a);
        for (size_t piece = 1; piece < 30; piece++) {
            digest(span_of(rows[i].b), piece, b);
            EXPECT((memcmp(a, b, sizeof(a)) == 0) == rows[i].same, rows[i].name);
        }
    }
}

/* Around the limit of a line, and with nothing but one. */
static void long_lines(void **state)
{
    static char a[3 * CONTENT_LINE_MAX];
    (void)state;
    for (size_t len = CONTENT_LINE_MAX - 4; len < 2 * CONTENT_LINE_MAX + 4; len++) {
        unsigned char one[CONTENT_BYTES];
        unsigned char other[CONTENT_BYTES];
        const size_t head = sizeof(HEAD "\r\n") - 1;
        memcpy(a, HEAD "\r\n", head);
        memset(a + head, 'x', len);
        struct span whole = {a, head + len};
        digest(whole, SIZE_MAX, one);
        digest(whole, 7, other);
        assert_memory_equal(one, other, sizeof(one));
        a[head + len - 1] = 'y';
        digest(whole, 333, other);
        assert_memory_not_equal(one, other, sizeof(one));
    }
    content_free(content_new(key));
    content_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pairs), cmocka_unit_test(long_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
