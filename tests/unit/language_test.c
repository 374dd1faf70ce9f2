// SPDX-License-Identifier: BSD-2-Clause
/* language_test.c - Each language says all that English says, in well-formed UTF-8, with the same placeholders; dates; which
 * language a reader gets. */
#include "table.h"

#include "language.h"

#include <stdlib.h>

enum { KEYS_MAX = 64 };

struct keys {
    struct span names[KEYS_MAX], texts[KEYS_MAX];
    size_t count;
};

static void read_keys(enum language language, struct keys *k)
{
    struct span rest = language_file(language);
    k->count = 0;
    assert_true(rest.len > 1000 && span_is_utf8(rest));
    while (rest.len > 0) {
        struct span line = span_take(&rest, '\n');
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        size_t at = span_search(line, SPAN(" = "));
        EXPECT(at > 0 && at + 3 < line.len, language_name(language));
        assert_true(k->count < KEYS_MAX);
        k->names[k->count] = span_first(line, at);
        k->texts[k->count++] = span_from(line, at + 3);
    }
}

/* How often a text has this placeholder. */
static unsigned marks(struct span text, struct span mark)
{
    unsigned count = 0;
    for (size_t at; (at = span_search(text, mark)) < text.len; count++)
        text = span_from(text, at + mark.len);
    return count;
}

static void each_file_is_complete(void **state)
{
    static const char *const placeholders[] = {"{sender}", "{stream}", "{address}", "{date}", "{moment}", "{clock}", "{day}", "{month}", "{year}", "{"};
    struct keys english;
    (void)state;
    read_keys(LANGUAGE_EN, &english);
    assert_true(english.count >= 25);
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        struct keys own;
        const char *name = language_name((enum language)i);
        read_keys((enum language)i, &own);
        EXPECT(own.count == english.count, name);
        for (size_t k = 0; k < english.count; k++) {
            char label[100];
            char key[40];
            assert_true(span_copy(english.names[k], key, sizeof(key)));
            snprintf(label, sizeof(label), "%s: %s", name, key);
            struct span text = language_text((enum language)i, key);
            EXPECT(text.len > 0 && span_equal(own.names[k], english.names[k]), label); /* in the same order */
            EXPECT(span_equal(text, own.texts[k]), label);                              /* once */
            EXPECT(span_trim(text).len == text.len && span_find(text, '<') == text.len && span_find(text, '&') == text.len, label);
            for (size_t m = 0; m < COUNT_OF(placeholders); m++)
                EXPECT(marks(text, span_of(placeholders[m])) == marks(english.texts[k], span_of(placeholders[m])), label);
            if (i != LANGUAGE_EN && english.texts[k].len > 20 && strcmp(key, "moment") != 0)
                EXPECT(!span_equal(text, english.texts[k]), label); /* translated */
        }
        struct span months = language_text((enum language)i, "months");
        struct span digits = language_text((enum language)i, "digits");
        struct span direction = language_text((enum language)i, "direction");
        EXPECT(marks(months, SPAN("|")) == 11 && digits.len % 10 == 0, name);
        EXPECT(span_equal(direction, SPAN("ltr")) || span_equal(direction, SPAN("rtl")), name);
        EXPECT(span_starts_nocase(language_text((enum language)i, "lang"), span_of(name)), name);
    }
    assert_int_equal(language_text(LANGUAGE_EN, "done").len, 0); /* not the beginning of a key */
    assert_int_equal(language_text(LANGUAGE_EN, "").len, 0);
}

static void dates(void **state)
{
    static const struct {
        enum language language;
        int64_t at_s;
        const char *date, *moment;
    } rows[] = {{LANGUAGE_EN, 1795703999, "26 November 2026", "26 November 2026, 14:39 UTC"},
                {LANGUAGE_DE, 1795703999, "26. November 2026", "26. November 2026, 14:39 Uhr UTC"},
                {LANGUAGE_FR, 1793491200, "1er novembre 2026", "1er novembre 2026 à 00:00 UTC"},
                {LANGUAGE_JA, 1793491200, "2026年11月1日", "2026年11月1日 00:00（UTC）"},
                {LANGUAGE_PL, 1772323200, "1 marca 2026", "1 marca 2026, godz. 00:00 UTC"},
                {LANGUAGE_RU, 1798761599, "31 декабря 2026 г.", "23:59 UTC 31 декабря 2026 г."},
                {LANGUAGE_BN, 1795703999, "২৬ নভেম্বর ২০২৬", "২৬ নভেম্বর ২০২৬, ১৪:৩৯ UTC"},
                {LANGUAGE_FA, 1793491200, "۱ نوامبر ۲۰۲۶", "۱ نوامبر ۲۰۲۶، ساعت ۰۰:۰۰ (UTC)"},
                {LANGUAGE_AR, 0, "1 يناير 1970", "1 يناير 1970، الساعة 00:00 (UTC)"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b;
        buf_init(&b, 200);
        language_date(rows[i].language, rows[i].at_s * 1000, &b);
        EXPECT(strcmp(buf_text(&b), rows[i].date) == 0, buf_text(&b));
        buf_clear(&b);
        language_moment(rows[i].language, rows[i].at_s * 1000, &b);
        EXPECT(strcmp(buf_text(&b), rows[i].moment) == 0, buf_text(&b));
        buf_fini(&b);
    }
}

static void what_a_reader_gets(void **state)
{
    static const struct {
        const char *accept;
        enum language language;
    } rows[] = {{"", LANGUAGE_EN},
                {"*", LANGUAGE_EN},
                {"de", LANGUAGE_DE},
                {"DE-at", LANGUAGE_DE},
                {"zh-Hant-TW", LANGUAGE_ZH},
                {"in", LANGUAGE_ID},
                {"ind", LANGUAGE_EN},
                {"fr;q=0.4,es;q=0.6", LANGUAGE_ES},
                {"fr ; q=0.6 , es ; q=0.60", LANGUAGE_FR},
                {"fr;q=0.599,es;q=0.6", LANGUAGE_ES},
                {"fr;q=0", LANGUAGE_EN},
                {"eo,vi;q=0.001", LANGUAGE_VI},
                {"fr;q=7,es;q=1", LANGUAGE_FR},
                {"fr;q=x,es;q=0.1", LANGUAGE_ES},
                {",,;;,q=1,=,-", LANGUAGE_EN}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(language_accept(span_of(rows[i].accept)) == rows[i].language, rows[i].accept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_is_complete),
        cmocka_unit_test(dates),
        cmocka_unit_test(what_a_reader_gets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
