// SPDX-License-Identifier: BSD-2-Clause
/* stream_test.c - The names of what a stream may be, and how long its mail is tried. */
#include "table.h"

#include "stream.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static void names_go_both_ways(void **state)
{
    static const char *const none[] = {"", "Security", "secure", "pace ", "none\n", "one_click", "digests"};
    (void)state;
    for (int i = 0; i < STREAM_CLASSES; i++) {
        enum stream_class class = STREAM_CLASSES;
        EXPECT(stream_class_parse(span_of(stream_class_name((enum stream_class)i)), &class), "class");
        assert_int_equal(class, i);
    }
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        enum stream_class class;
        EXPECT(!stream_class_parse(span_of(none[i]), &class), none[i]);
    }
}

/* Stored in the database: never renumbered. */
static void classes_keep_their_numbers(void **state)
{
    static const char *const names[] = {"security", "confirmation", "notification", "invitation", "digest"};
    (void)state;
    assert_int_equal(COUNT_OF(names), STREAM_CLASSES);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(stream_class_name((enum stream_class)i), names[i]);
}

/* No wait is shorter than the one before it; the life of login mail is minutes, of the rest days
 * (RFC 5321 section 4.5.4.1 asks for 4 to 5 days of mail that nobody waits for: an operator may say so). */
static void waits_grow_and_end(void **state)
{
    (void)state;
    for (enum stream_class class = STREAM_SECURITY; class < STREAM_CLASSES; class++) {
        int64_t before_ms = 0;
        for (unsigned failed = 1; failed < 1000; failed++) {
            int64_t ms = stream_delay_ms(NULL, class, failed);
            assert_true(ms >= before_ms && ms > 0);
            before_ms = ms;
        }
        assert_int_equal(before_ms, class == STREAM_SECURITY ? 5 * MINUTE : 2 * HOUR);
        assert_int_equal(stream_lifetime_ms(NULL, class), class == STREAM_SECURITY ? 30 * MINUTE : 72 * HOUR);
    }
    assert_int_equal(stream_delay_ms(NULL, STREAM_SECURITY, 1), 15 * 1000);
    assert_int_equal(stream_delay_ms(NULL, STREAM_DIGEST, 1), 1 * MINUTE);
}

static void a_stream_may_say_its_own(void **state)
{
    const struct stream s = {.name = "reset", .class = STREAM_SECURITY, .lifetime_ms = 7, .retries_ms = {10, 20, 5}, .retry_count = 3};
    const struct stream plain = {.name = "news", .class = STREAM_DIGEST};
    static const int64_t want[] = {10, 20, 5, 5, 5};
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(want); i++)
        assert_int_equal(stream_delay_ms(&s, STREAM_SECURITY, i + 1), want[i]);
    assert_int_equal(stream_delay_ms(&s, STREAM_SECURITY, UINT32_MAX), 5);
    assert_int_equal(stream_lifetime_ms(&s, STREAM_SECURITY), 7);
    assert_int_equal(stream_lifetime_ms(&plain, STREAM_DIGEST), 72 * HOUR);
    assert_int_equal(stream_delay_ms(&plain, STREAM_DIGEST, 1), 1 * MINUTE);
}

/* Who waits for a code is told within minutes, who has sent a digest the day after; never when it is about to be returned. */
static void senders_are_told_of_a_delay_by_class(void **state)
{
    static const int64_t late[STREAM_CLASSES] = {5 * MINUTE, 1 * HOUR, 4 * HOUR, 4 * HOUR, 24 * HOUR};
    const struct stream hasty = {.class = STREAM_DIGEST, .lifetime_ms = 10 * MINUTE};
    const struct stream said = {.class = STREAM_DIGEST, .lifetime_ms = 10 * MINUTE, .delay_notice_ms = 9 * MINUTE};
    (void)state;
    for (enum stream_class class = STREAM_SECURITY; class < STREAM_CLASSES; class++) {
        assert_int_equal(stream_late_ms(NULL, class), late[class]);
        assert_true(stream_late_ms(NULL, class) <= stream_lifetime_ms(NULL, class) / 2);
    }
    assert_int_equal(stream_late_ms(&hasty, STREAM_DIGEST), 5 * MINUTE);
    assert_int_equal(stream_late_ms(&said, STREAM_DIGEST), 9 * MINUTE);
}

static void found_by_name_and_called_by_title(void **state)
{
    struct stream all[2] = {{.name = "reset"}, {.name = "news"}};
    (void)state;
    assert_ptr_equal(stream_find(all, 2, SPAN("news")), &all[1]);
    assert_null(stream_find(all, 2, SPAN("News")));
    assert_null(stream_find(all, 2, SPAN("new")));
    assert_null(stream_find(all, 0, SPAN("news")));
    assert_string_equal(stream_title(&all[1], LANGUAGE_DE), "news");
    snprintf(all[1].titles[LANGUAGE_EN], sizeof(all[1].titles[LANGUAGE_EN]), "News");
    assert_string_equal(stream_title(&all[1], LANGUAGE_DE), "News");
    snprintf(all[1].titles[LANGUAGE_DE], sizeof(all[1].titles[LANGUAGE_DE]), "Neues");
    assert_string_equal(stream_title(&all[1], LANGUAGE_DE), "Neues");
    assert_string_equal(stream_title(&all[1], LANGUAGE_EN), "News");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(classes_keep_their_numbers),
        cmocka_unit_test(waits_grow_and_end),
        cmocka_unit_test(a_stream_may_say_its_own),
        cmocka_unit_test(senders_are_told_of_a_delay_by_class),
        cmocka_unit_test(found_by_name_and_called_by_title),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
