// SPDX-License-Identifier: BSD-2-Clause
/* dots_test.c - What a message is does not depend on how its bytes come: whole, as when a run of lines is looked through at once,
 * or one by one, as when each is decided about. */
#include "table.h"

#include "dots.h"

#include <stdlib.h>

enum { WIRES = 20000, WIRE_MAX = 6000 };

#define END(text)              \
    {                          \
        text, sizeof(text) - 1 \
    }

/* Lines of any length around one vector and around the limit, with some of what is not allowed. */
static struct span random_wire(unsigned seed, char *to)
{
    static const struct span ends[] = {
        END("\r\n"),  END("\r\n"),   END("\r\n"),    END("\r\n"), END("\r\n"), END("\r\n\r\n"),
        END("\r\n."), END("\r\n.."), END("\r\n.\r"), END("\n"),   END("\r"),   END("\r\n\0")};
    size_t len = 0;
    srand(seed);
    while (len < WIRE_MAX - 1200 && rand() % 40 != 0) {
        size_t line =
            rand() % 30 == 0 ? 980 + (size_t)rand() % 40 : (size_t)rand() % (seed % 2 ? 70 : 20);
        for (size_t i = 0; i < line; i++)
            to[len++] = (char)(seed % 3 == 0 && rand() % 50 == 0    ? 0xc3
                               : seed % 5 == 0 && rand() % 200 == 0 ? '\0'
                                                                    : 'a' + rand() % 26);
        struct span end = ends[(size_t)rand() % (seed % 4 == 0 ? COUNT_OF(ends) : 8)];
        memcpy(to + len, end.ptr, end.len);
        len += end.len;
    }
    memcpy(to + len, "\r\n.\r\n", 5);
    return (struct span){to, len + 5};
}

static size_t take_all(struct dots_in *d, struct span wire, size_t piece, struct buf *body)
{
    size_t used = 0;
    bool ended = false;
    dots_start(d);
    while (!ended && used < wire.len) {
        size_t taken =
            dots_take(d, span_first(span_from(wire, used), piece), body, 1024 * 1024, &ended);
        assert_true(taken > 0);
        used += taken;
    }
    assert_true(ended);
    return used;
}

static void received_whole_and_byte_by_byte(void **state)
{
    static char text[WIRE_MAX];
    static const size_t pieces[] = {1, 15, 16, 17, 100, 1009};
    (void)state;
    for (unsigned seed = 0; seed < WIRES; seed++) {
        struct span wire = random_wire(seed, text);
        struct dots_in whole;
        struct dots_in cut;
        struct buf one;
        struct buf other;
        buf_init(&one, 1024 * 1024);
        buf_init(&other, 1024 * 1024);
        size_t used = take_all(&whole, wire, wire.len, &one);
        size_t piece = seed % 2 == 0 ? 1 : pieces[seed / 2 % COUNT_OF(pieces)];
        assert_int_equal(take_all(&cut, wire, piece, &other), used);
        assert_true(span_equal(buf_span(&one), buf_span(&other)));
        EXPECT(whole.line == cut.line && whole.column == cut.column && whole.state == cut.state,
               "where it ended");
        EXPECT(whole.in_body == cut.in_body && whole.has_nul == cut.has_nul, "what was in it");
        EXPECT(whole.bare_line_end == cut.bare_line_end && whole.has_8bit == cut.has_8bit,
               "what was in it");
        EXPECT(whole.long_header.line == cut.long_header.line &&
                   whole.long_header.octets == cut.long_header.octets &&
                   whole.long_body.line == cut.long_body.line &&
                   whole.long_body.octets == cut.long_body.octets,
               "its long lines");
        buf_fini(&one);
        buf_fini(&other);
    }
}

static bool put_all(struct span body, size_t piece, struct buf *wire)
{
    struct dots_out d = {0};
    for (; body.len > 0; body = span_from(body, piece))
        if (!dots_put(&d, span_first(body, piece), wire))
            return false;
    return dots_end(&d, wire);
}

/* What is refused byte by byte is refused whole; what is not comes back as it was. */
static void sent_whole_and_byte_by_byte(void **state)
{
    static char text[WIRE_MAX];
    (void)state;
    size_t sent = 0;
    for (unsigned seed = 0; seed < WIRES; seed++) {
        struct span body = random_wire(seed, text);
        struct dots_in in;
        struct buf one;
        struct buf other;
        struct buf again;
        buf_init(&one, 1024 * 1024);
        buf_init(&other, 1024 * 1024);
        buf_init(&again, 1024 * 1024);
        bool ok = put_all(body, body.len, &one);
        assert_true(put_all(body, 1 + seed % 3 * 20, &other) == ok);
        if (ok) {
            assert_true(span_equal(buf_span(&one), buf_span(&other)));
            assert_int_equal(take_all(&in, buf_span(&one), one.len, &again), one.len);
            assert_true(span_equal(buf_span(&again), body) && !in.bare_line_end && !in.has_nul);
            sent++;
        }
        buf_fini(&one);
        buf_fini(&other);
        buf_fini(&again);
    }
    assert_in_range(sent, WIRES / 4, WIRES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(received_whole_and_byte_by_byte),
        cmocka_unit_test(sent_whole_and_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
