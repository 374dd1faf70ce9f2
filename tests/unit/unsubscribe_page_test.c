// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_page_test.c - The page as text: what it shows in each state and language, that nothing given to it
 * becomes markup, that an address is never shown, and that its colours can be read.
 */
#include "table.h"

#include "unsubscribe_page.h"

#include <math.h>
#include <stdlib.h>

static const struct unsubscribe_view plain = {
    .sender = "Club", .stream = "News", .recipient = "bob@example.org", .color = 0x336699};

/* Borrowed until the next call. */
static const char *page_of(const struct unsubscribe_view *view)
{
    static struct buf out;
    buf_fini(&out);
    buf_init(&out, 1024 * 1024);
    unsubscribe_page(view, &out);
    assert_false(out.overflow);
    return buf_text(&out);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (text = strstr(text, what); text; text = strstr(text + 1, what))
        n++;
    return n;
}

/* Every element that is begun is ended, within the one around it. */
static void expect_nested(const char *html, const char *label)
{
    static const char *const alone[] = {"meta", "link", "!doctype"};
    char open[50][16];
    size_t depth = 0;
    for (const char *at = strchr(html, '<'); at; at = strchr(at + 1, '<')) {
        char name[16] = "";
        bool ends = at[1] == '/';
        bool is_alone = false;
        EXPECT(sscanf(at + 1 + ends, "%15[!a-z0-9]", name) == 1, label);
        for (size_t i = 0; i < COUNT_OF(alone); i++)
            is_alone = is_alone || strcmp(name, alone[i]) == 0;
        if (is_alone)
            continue;
        if (ends)
            EXPECT(depth > 0 && strcmp(open[--depth], name) == 0, name);
        else
            snprintf(open[depth++], sizeof(open[0]), "%s", name);
        EXPECT(depth < COUNT_OF(open), label);
    }
    EXPECT(depth == 0, label);
}

static void every_result_in_every_language(void **state)
{
    (void)state;
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++)
        for (unsigned result = 0; result < UNSUBSCRIBE_RESULTS; result++)
            for (unsigned bits = 0; bits < 16; bits++) {
                struct unsubscribe_view v = plain;
                v.language = (enum language)language;
                v.result = (enum unsubscribe_result)result;
                v.stream_since_ms = bits & 1 ? 1700000000000 : 0;
                v.all_since_ms = bits & 2 ? 1700000000000 : 0;
                v.flood_until_ms = bits & 4 ? 1700000000000 : 0;
                v.can_undo = bits & 8;
                v.recipient = (bits + result) % 2 ? "bob@example.org" : "";
                const char *html = page_of(&v);
                const char *name = language_name(v.language);
                expect_nested(html, name);
                EXPECT(!strchr(html, '{') && !strchr(html, '}'), name);
                EXPECT(span_is_utf8(span_of(html)), name);
                EXPECT(count(html, "<form") == (result != UNSUBSCRIBE_INVALID), name);
                EXPECT(!strstr(html, "bob") && !strstr(html, "example.org"), name);
            }
}

/* Buttons by how things stand: nobody is offered what is so already, or what is not theirs. */
static void what_can_be_asked_for(void **state)
{
    static const struct {
        const char *label;
        int64_t stream, all, flood;
        bool can_undo;
        const char *buttons; /* first letters: stream, all, flood, undo */
    } rows[] = {
        {"nothing is stopped", 0, 0, 0, false, "saf"},
        {"the stream is, by somebody else", 1, 0, 0, false, "af"},
        {"the stream is, by who asks", 1, 0, 0, true, "uaf"},
        {"all is", 0, 1, 0, false, "f"},
        {"all and the stream", 1, 1, 0, true, "uf"},
        {"a pause", 0, 0, 1, true, "usa"},
        {"everything", 1, 1, 1, false, ""},
        {"everything, by who asks", 1, 1, 1, true, "u"},
        {"a mark for nothing", 0, 0, 0, true, "saf"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct unsubscribe_view v = plain;
        char buttons[8] = "";
        size_t n = 0;
        v.stream_since_ms = rows[i].stream;
        v.all_since_ms = rows[i].all;
        v.flood_until_ms = rows[i].flood;
        v.can_undo = rows[i].can_undo;
        const char *html = page_of(&v);
        for (const char *at = strstr(html, "value=\""); at && n < 7; at = strstr(at + 1, "value=\""))
            buttons[n++] = at[7];
        EXPECT(strcmp(buttons, rows[i].buttons) == 0, rows[i].label);
    }
}

static void nothing_given_becomes_markup(void **state)
{
    static const char evil[] = "</title><script>alert('1')</script>\"&{sender}{say title}@if x";
    struct unsubscribe_view v = plain;
    (void)state;
    v.sender = v.stream = evil;
    v.recipient = "\"<b>\"@<i>.<u>";
    for (unsigned result = 0; result < UNSUBSCRIBE_RESULTS; result++) {
        v.result = (enum unsubscribe_result)result;
        const char *html = page_of(&v);
        expect_nested(html, "hostile names");
        EXPECT(!strstr(html, "<script") && !strstr(html, "<b>") && !strstr(html, "<i>") && !strstr(html, "<u>"), html);
        EXPECT(count(html, "<title>") == 1 && count(html, "</title>") == 1, html);
        EXPECT(!strstr(html, "alert('1')"), html);
    }
    v.result = UNSUBSCRIBE_SHOWN;
    assert_non_null(strstr(page_of(&v), "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;{sender}"));
}

static void addresses_are_masked(void **state)
{
    static const struct {
        const char *address, *shown;
    } rows[] = {
        {"bob@example.org", "b…b@e…e.org"},
        {"bo@ex.org", "b…@e….org"},
        {"b@e.org", "…@….org"},
        {"@e.org", "…@….org"},
        {"bob@localhost", "b…b@l…t"},
        {"bob@mail.example.co", "b…b@m…e.co"},
        {"a@b@club.test", "a…b@c…b.test"},
        {"bob", "…"},
        {"bob@", "b…b@…"},
        {"bob@.", "b…b@…."},
        {"žofie@žába.test", "ž…e@ž…a.test"},
        {"žž@žž.test", "ž…@ž….test"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct unsubscribe_view v = plain;
        char shown[100];
        v.recipient = rows[i].address;
        snprintf(shown, sizeof(shown), "<bdi dir=\"ltr\">%s</bdi>", rows[i].shown);
        EXPECT(strstr(page_of(&v), shown), rows[i].address);
    }
}

/* Octets that are no UTF-8, very long names, times before and after all that a calendar has. */
static void whatever_is_given(void **state)
{
    static const int64_t times[] = {1, -1, INT64_MIN, INT64_MAX, 253402300800000};
    char *name = calloc(1, 20001);
    struct unsubscribe_view v = plain;
    (void)state;
    assert_non_null(name);
    memset(name, '\x80', 300);
    v.sender = v.stream = v.recipient = name;
    assert_true(page_of(&v)[0]);
    memset(name, '&', 20000);
    v.recipient = "x@x";
    assert_true(count(page_of(&v), "&amp;&amp;") > 20000);
    v.sender = v.stream = "";
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        v.stream_since_ms = v.all_since_ms = v.flood_until_ms = times[i];
        expect_nested(page_of(&v), "times");
    }
    free(name);
}

/* A page that does not fit is known as such. */
static void a_limit_is_kept(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 100);
    unsubscribe_page(&plain, &out);
    assert_true(out.overflow && out.len <= 100);
    buf_fini(&out);
}

/* ---- colours ---- */

static void colours_are_read_as_written(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint32_t color;
    } rows[] = {
        {"#000000", true, 0}, {"#FFffFf", true, 0xffffff}, {"#0a1B2c", true, 0x0a1b2c}, {"#12345", false, 0},
        {"#1234567", false, 0}, {"123456", false, 0}, {"#12345g", false, 0}, {"", false, 0}, {"#", false, 0},
        {"#12 456", false, 0}, {"red", false, 0}, {"# 12345", false, 0}, {"#-12345", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint32_t rgb = 0;
        EXPECT(unsubscribe_color(span_of(rows[i].text), &rgb) == rows[i].ok && rgb == rows[i].color, rows[i].text);
    }
}

static double luminance(unsigned rgb)
{
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double c = (double)(rgb >> (16 - 8 * i) & 0xff) / 255;
        sum += weights[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static double contrast(unsigned a, unsigned b)
{
    double la = luminance(a) + 0.05;
    double lb = luminance(b) + 0.05;
    return la > lb ? la / lb : lb / la;
}

static unsigned color_after(const char *css, const char *name)
{
    unsigned rgb = 0;
    const char *at = strstr(css, name);
    if (!at || sscanf(at + strlen(name), " #%6x", &rgb) != 1)
        fail_msg("no %s in %s", name, css);
    return rgb;
}

/* WCAG 2.2, 1.4.3: 4.5 to 1, on the colour itself and on the cards, whatever the colour is. */
static void text_can_be_read_on_any_colour(void **state)
{
    (void)state;
    for (uint32_t color = 0; color <= 0xffffff; color += 0x0d0b07) {
        struct buf css;
        buf_init(&css, 64 * 1024);
        unsubscribe_style(color, &css);
        const char *text = buf_text(&css);
        assert_null(strpbrk(text, "<>"));
        assert_int_equal(color_after(text, "--area:"), color);
        assert_true(contrast(color, color_after(text, "--on:")) >= 4.5);
        assert_true(contrast(color_after(text, "--ink:"), 0xffffff) >= 4.5);
        buf_fini(&css);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_in_every_language),
        cmocka_unit_test(what_can_be_asked_for),
        cmocka_unit_test(nothing_given_becomes_markup),
        cmocka_unit_test(addresses_are_masked),
        cmocka_unit_test(whatever_is_given),
        cmocka_unit_test(a_limit_is_kept),
        cmocka_unit_test(colours_are_read_as_written),
        cmocka_unit_test(text_can_be_read_on_any_colour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
