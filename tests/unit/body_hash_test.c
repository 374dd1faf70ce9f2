// SPDX-License-Identifier: BSD-2-Clause
/* body_hash_test.c - The hash of a body is libopendkim's, bit for bit and cut anywhere: in the relaxed form of bodies that keep the
 * rules and of others, in the simple form of those that may be signed. */
#include "table.h"

#include <stdlib.h>

#include "library_hash.h"

enum { BODIES = 10000, BODY_MAX = 20000 };

static const char *const mode_names[] = {[BODY_SIMPLE] = "simple", [BODY_RELAXED] = "relaxed"};

/* What a cut is made by: pieces of one length; or random ones; or two pieces. */
struct cuts {
    size_t each, first;
    unsigned state;
    unsigned most;
};

static unsigned draw(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static size_t next_chunk(void *context, size_t left)
{
    struct cuts *c = context;
    size_t len = c->most > 0    ? 1 + draw(&c->state) % c->most
                 : c->each > 0  ? c->each
                 : c->first > 0 ? c->first
                                : left;
    c->first = 0;
    return len < left ? len : left;
}

static void same(enum body_canon canon, struct span body, struct cuts cuts, const char *what)
{
    unsigned char theirs[BODY_HASH] = {0};
    unsigned char ours[BODY_HASH];
    struct cuts again = cuts;
    static char text[BODY_MAX];
    if (canon == BODY_SIMPLE)
        body = signable(body, text);
    bool has_one = library_hash(canon, body, next_chunk, &cuts, theirs);
    bool ok = our_hash(canon, body, next_chunk, &again, ours) == has_one &&
              (!has_one || memcmp(ours, theirs, BODY_HASH) == 0);
    if (!ok) {
        printf("%s, %s:", what, mode_names[canon]);
        for (size_t i = 0; i < body.len && i < 400; i++)
            printf(body.ptr[i] > ' ' && body.ptr[i] <= '~' && body.ptr[i] != '\\' ? "%c" : "\\%02x",
                   (unsigned char)body.ptr[i]);
        printf("\n");
    }
    assert_true(ok);
}

#define BODY(text)             \
    {                          \
        text, sizeof(text) - 1 \
    }

static const struct span bodies[] = {
    BODY(""),
    BODY("\r\n"),
    BODY("\r\n\r\n"),
    BODY(" \r\n"),
    BODY("\t \r\n \r\n"),
    BODY("x\r\n"),
    BODY("x \r\n\t\r\n\r\n"),
    BODY(" C \r\nD \t E\r\n\r\n\r\n"), /* RFC 6376 section 3.4.5 */
    BODY("\r\n\r\nx\r\n"),
    BODY(" x\r\n  y\r\n"),
    BODY("x  y \t z\r\n"),
    BODY("no line end"),
    BODY("text, then a blank "),
    BODY("text, then a CR\r"),
    BODY("text\r\nno line end"),
    BODY("\r"),
    BODY("\n"),
    BODY("\r\r\n"),
    BODY("\n\r\n"),
    BODY("x\ny\r\n"),
    BODY("x\n\r\ny\n\nz\r\n"),
    BODY("x\ry\r\n"),
    BODY("x \ry\r\n"),
    BODY("x\r y\r\n"),
    BODY("x\r\r\ny\r\r\r\n"),
    BODY("\r\n\rx\r\n"),
    BODY("\r\n\r x\r\n"),
    BODY("\r\n\r \r\nx\r\n"),
    BODY("x\0y\0\r\n\0\r\n"),
    BODY("x\r\n\r\n\r\ny\r\n"),
    BODY("x \t \0y\r\n"),
    BODY("\xc3\xa4 \xff\r\n"),
    BODY(".\r\n..\r\n"),
};

static void bodies_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        for (enum body_canon canon = BODY_SIMPLE; canon <= BODY_RELAXED; canon++) {
            same(canon, bodies[i], (struct cuts){.each = 1}, "byte by byte");
            for (size_t first = 0; first < bodies[i].len; first++)
                same(canon, bodies[i], (struct cuts){.first = first}, "cut in two");
        }
}

/* What stands in the middle of text, at each place that it can have in a vector, and in those before and behind it. */
static void troubles_at_each_place(void **state)
{
    static const struct span troubles[] = {BODY("  "),       BODY("\t"),     BODY(" \r\n"),
                                           BODY("\r\n\r\n"), BODY("\r\n x"), BODY("\r\n\r\n \r\nx"),
                                           BODY("\ry"),      BODY("\ny"),    BODY("\r\r\n"),
                                           BODY("\n\r\n"),   BODY(" \r"),    BODY("\r\n.\r\n"),
                                           BODY("\r\n\t"),   BODY("\0\xff"), BODY("\r\n\n")};
    char body[100];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(troubles); i++)
        for (size_t at = 0; at < 36; at++) {
            memset(body, 'a', sizeof(body));
            memcpy(body + at, troubles[i].ptr, troubles[i].len);
            memcpy(body + sizeof(body) - 2, "\r\n", 2);
            same(BODY_RELAXED, (struct span){body, sizeof(body)}, (struct cuts){0}, "at a place");
            same(BODY_SIMPLE, (struct span){body, sizeof(body)}, (struct cuts){0}, "at a place");
        }
}

/* Four kinds: nothing but what troubles; that between words; lines of text with some of it; what a mail program writes. */
static struct span random_body(unsigned seed, char *to)
{
    static const char *const alphabets[] = {"\r\n \tx.", "\r\r\n\n  \t\txyzabcdefgh\xff",
                                            "abcdefghijklmnopqrstuvwxyz     \r"};
    unsigned state = seed * 2654435761u;
    unsigned kind = seed % 4;
    size_t most = seed % 16 == 15 ? BODY_MAX : seed % 16 > 11 ? 2000 : 120;
    size_t len = draw(&state) % (most - 100);
    size_t column = 0;
    for (size_t i = 0; i < len; i++) {
        const char *alphabet = alphabets[kind % COUNT_OF(alphabets)];
        unsigned drawn = draw(&state);
        to[i] = kind == 3 ? (char)('a' + drawn % 26) : alphabet[drawn % strlen(alphabet)];
        if (kind == 3 && drawn % 97 == 0)
            to[i] = "\r\n\t \0."[drawn / 97 % 6];
        if (kind >= 2 && ++column > 40 + drawn % 40 && i + 2 < len) {
            for (unsigned lines = drawn % 7 == 0 ? 3 : 1 + drawn % 5 / 4; lines > 0 && i + 2 < len;
                 lines--) {
                to[i++] = '\r';
                to[i++] = '\n';
            }
            column = 0;
            to[i] = drawn % 5 == 0 ? ' ' : 'w';
        }
    }
    if (seed % 5 != 0 && len >= 2)
        memcpy(to + len - 2, "\r\n", 2);
    return (struct span){to, len};
}

static void ten_thousand_bodies(void **state)
{
    static char text[BODY_MAX];
    (void)state;
    for (unsigned seed = 0; seed < BODIES; seed++) {
        struct span body = random_body(seed, text);
        const unsigned mosts[] = {1, 3, 17, 100, 5000};
        struct cuts cuts = {.state = seed, .most = mosts[seed % COUNT_OF(mosts)]};
        same(BODY_SIMPLE, body, cuts, "random");
        same(BODY_RELAXED, body, cuts, "random");
    }
}

/* The relaxed form does not depend on the cuts: the same body whole, in single bytes, and around a vector's length. */
static void relaxed_cut_otherwise(void **state)
{
    static char text[BODY_MAX];
    static const size_t lengths[] = {1, 2, 15, 16, 17, 33, 1000};
    (void)state;
    for (unsigned seed = 0; seed < 2000; seed++) {
        unsigned char whole[BODY_HASH];
        unsigned char cut[BODY_HASH];
        struct span body = random_body(seed, text);
        struct cuts none = {0};
        bool ok = our_hash(BODY_RELAXED, body, next_chunk, &none, whole);
        for (size_t i = 0; i < COUNT_OF(lengths); i++) {
            struct cuts cuts = {.each = lengths[i]};
            assert_true(our_hash(BODY_RELAXED, body, next_chunk, &cuts, cut) == ok);
            assert_memory_equal(whole, cut, BODY_HASH);
        }
    }
}

static void what_is_begun_may_be_given_up(void **state)
{
    (void)state;
    struct body_hash *h = body_hash_begin(BODY_RELAXED);
    body_hash_add(h, SPAN("text"));
    body_hash_free(h);
    body_hash_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_cut_anywhere),           cmocka_unit_test(troubles_at_each_place),
        cmocka_unit_test(ten_thousand_bodies),           cmocka_unit_test(relaxed_cut_otherwise),
        cmocka_unit_test(what_is_begun_may_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
