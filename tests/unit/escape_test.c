// SPDX-License-Identifier: BSD-2-Clause
/* escape_test.c - What a terminal and the log get to see of what others wrote. */
#include "table.h"

#include "escape.h"

#include <stdlib.h>

static void rows(void **state)
{
    static const struct {
        const char *label, *text, *shown, *json; /* NULL: as shown */
    } rows[] = {
        {"ASCII", "a \"b\" \\ ~", "a \"b\" \\ ~", NULL},
        {"letters", "J\xc3\xbcrgen \xd9\x85 \xe7\x94\xa8", "J\xc3\xbcrgen \xd9\x85 \xe7\x94\xa8", NULL},
        {"an emoji with a variant", "\xe2\x9d\xa4\xef\xb8\x8f", "\xe2\x9d\xa4\xef\xb8\x8f", NULL},
        {"C0", "\x1b[2J\r\t", "\\x1b[2J\\x0d\\x09", "\\u001b[2J\\u000d\\u0009"},
        {"a line end", "a\nb", "a\\x0ab", "a\nb"},
        {"DEL", "\x7f", "\\x7f", "\\u007f"},
        {"C1: CSI", "\xc2\x9b" "2J", "\\u009b2J", NULL},
        {"C1: NEL", "\xc2\x85", "\\u0085", NULL},
        {"right-to-left override", "a\xe2\x80\xae" "b", "a\\u202eb", NULL},
        {"isolate", "\xe2\x81\xa7", "\\u2067", NULL},
        {"right-to-left mark", "\xe2\x80\x8f", "\\u200f", NULL},
        {"Arabic letter mark", "\xd8\x9c", "\\u061c", NULL},
        {"line separator", "\xe2\x80\xa8", "\\u2028", NULL},
        {"zero width space", "\xe2\x80\x8b", "\\u200b", NULL},
        {"byte order mark", "\xef\xbb\xbf", "\\ufeff", NULL},
        {"tag character", "\xf3\xa0\x81\x81", "\\U000e0041", "\\udb40\\udc41"},
        {"noncharacter", "\xef\xbf\xbf", "\\uffff", NULL},
        {"a byte that is no UTF-8", "a\x9b" "b", "a\\x9bb", NULL},
        {"overlong", "\xc0\xaf", "\\xc0\\xaf", NULL},
        {"a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", NULL},
        {"cut short", "a\xe2\x80", "a\\xe2\\x80", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int json = 0; json < 2; json++) {
            struct buf out;
            const char *want = json && rows[i].json ? rows[i].json : rows[i].shown;
            buf_init(&out, 1000);
            escape(span_of(rows[i].text), json ? ESCAPE_JSON : ESCAPE_TEXT, &out);
            EXPECT(span_equal(buf_span(&out), span_of(want)), rows[i].label);
            buf_fini(&out);
        }
    }
}

/* Any bytes at all: what comes out is valid UTF-8 without controls, and short enough for its place. */
static void any_bytes(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 20000; round++) {
        char bytes[24];
        char piece[ESCAPE_MAX];
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)(rand() % (round % 2 ? 256 : 4) + (round % 2 ? 0 : 0x7e));
        struct span rest = {bytes, sizeof(bytes)};
        while (rest.len > 0) {
            size_t before = rest.len;
            size_t len = escape_next(&rest, round % 3 ? ESCAPE_TEXT : ESCAPE_JSON, piece);
            assert_true(len > 0 && len < ESCAPE_MAX && rest.len < before && strlen(piece) == len);
            assert_true(span_is_utf8((struct span){piece, len}));
            assert_true(((unsigned char)piece[0] >= ' ' || piece[0] == '\n') && piece[0] != 0x7f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(any_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
