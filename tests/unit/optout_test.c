// SPDX-License-Identifier: BSD-2-Clause
/* optout_test.c - What a recipient ends by the page and who may take it back: only the one with the mark, only while
 * nobody else has asked for the same, and only what that one has ended.
 */
#include "store_stage.h"

#include "optout.h"
#include "suppressions.h"

#include <stdlib.h>

enum { NOW = 1000000, DAY = 24 * 3600 * 1000 };

static void with_database(store_on_change *run)
{
    struct err err = {0};
    if (!store_run_alone(place, run, NULL, &err))
        fail_msg("%s", err.text);
}

#define RUNS(name)                    \
    static void name(void **state)    \
    {                                 \
        (void)state;                  \
        with_database(in_##name);     \
    }

static struct optout who_of(const char *recipient)
{
    return (struct optout){.recipient = recipient, .tenant = "shop", .stream = "news"};
}

/* The mark. */
static int64_t end(struct database *db, const struct optout *who, enum optout_kind kind, bool one_click, int64_t now_ms)
{
    struct err err = {0};
    int64_t mark = -1;
    if (!database_optout(db, who, kind, one_click, now_ms, &mark, &err))
        fail_msg("%s", err.text);
    return mark;
}

static int64_t undo(struct database *db, const struct optout *who, int64_t now_ms)
{
    struct err err = {0};
    int64_t n = -1;
    if (!database_optout_undo(db, who, now_ms, &n, &err))
        fail_msg("%s", err.text);
    return n;
}

static struct optout_standing stands(struct database *db, const struct optout *who, int64_t now_ms)
{
    struct err err = {0};
    struct optout_standing s;
    if (!database_optout_standing(db, who, now_ms, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

static void note_entry(void *context, const struct suppress_entry *e)
{
    *(struct suppress_entry *)context = *e;
}

/* The one entry of this address, which must be the only one; created_ms 0: none. */
static struct suppress_entry entry_of(struct database *db, const char *address)
{
    struct err err = {0};
    struct suppress_entry e = {0};
    struct suppressions_filter f = {.address = address, .reason = -1};
    assert_true(database_suppressions(db, &f, 10, note_entry, &e, &err));
    return e;
}

static bool in_each_kind_is_ended_and_taken_back(struct database *db, void *context, struct err *err)
{
    (void)context;
    (void)err;
    for (unsigned kind = 0; kind < OPTOUT_KINDS; kind++) {
        struct optout me = who_of("bob@example.org");
        struct optout other = who_of("bob@example.org");
        me.marks[kind] = end(db, &me, (enum optout_kind)kind, false, NOW);
        assert_int_equal(me.marks[kind], NOW);
        struct optout_standing s = stands(db, &me, NOW + 1);
        for (unsigned k = 0; k < OPTOUT_KINDS; k++)
            assert_int_equal(s.since_ms[k], k == kind ? NOW : 0);
        assert_int_equal(s.until_ms, kind == OPTOUT_FLOOD ? NOW + DAY : 0);
        assert_true(s.can_undo && s.is_new);
        assert_false(stands(db, &other, NOW + 1).can_undo);
        assert_int_equal(undo(db, &other, NOW + 1), 0);
        assert_int_equal(undo(db, &me, NOW), 0); /* not in the millisecond in which it was made */
        assert_int_equal(undo(db, &me, NOW + 1), 1);
        assert_int_equal(undo(db, &me, NOW + 2), 0); /* once */
        s = stands(db, &me, NOW + 2);
        assert_true(s.since_ms[kind] == 0 && !s.can_undo && !s.is_new);
    }
    return true;
}
RUNS(each_kind_is_ended_and_taken_back)

/* All of one person's marks at once; another tenant, stream or mailbox is not touched. */
static bool in_what_is_taken_back_is_ones_own(struct database *db, void *context, struct err *err)
{
    struct optout me = who_of("bob@example.org");
    struct optout far = {.recipient = "bob@example.org", .tenant = "bank", .stream = "news"};
    struct optout next = {.recipient = "bob@example.org", .tenant = "shop", .stream = "offers"};
    struct optout ann = who_of("ann@example.org");
    (void)context;
    (void)err;
    for (unsigned kind = 0; kind < OPTOUT_KINDS; kind++)
        me.marks[kind] = end(db, &me, (enum optout_kind)kind, false, NOW + kind);
    far.marks[OPTOUT_STREAM] = end(db, &far, OPTOUT_STREAM, false, NOW);
    next.marks[OPTOUT_STREAM] = end(db, &next, OPTOUT_STREAM, false, NOW);
    ann.marks[OPTOUT_ALL] = end(db, &ann, OPTOUT_ALL, false, NOW);
    struct optout thief = who_of("ann@example.org");
    memcpy(thief.marks, me.marks, sizeof(thief.marks)); /* of another mailbox */
    thief.marks[OPTOUT_ALL] = NOW + 7;
    assert_int_equal(undo(db, &thief, NOW + 10), 0);
    assert_int_equal(undo(db, &me, NOW + 10), 3);
    assert_int_equal(stands(db, &far, NOW + 10).since_ms[OPTOUT_STREAM], NOW);
    assert_int_equal(stands(db, &next, NOW + 10).since_ms[OPTOUT_STREAM], NOW);
    assert_int_equal(stands(db, &ann, NOW + 10).since_ms[OPTOUT_ALL], NOW);
    assert_int_equal(stands(db, &me, NOW + 10).since_ms[OPTOUT_STREAM], 0);
    return true;
}
RUNS(what_is_taken_back_is_ones_own)

/* Whoever asks again without the mark (a link that was forwarded) takes it from everybody. */
static bool in_a_request_by_another_ends_the_right_to_undo(struct database *db, void *context, struct err *err)
{
    struct optout me = who_of("bob@example.org");
    struct optout other = who_of("bob@example.org");
    (void)context;
    (void)err;
    me.marks[OPTOUT_ALL] = end(db, &me, OPTOUT_ALL, false, NOW);
    assert_int_equal(end(db, &other, OPTOUT_ALL, false, NOW + 5), 0);
    assert_false(stands(db, &me, NOW + 6).can_undo);
    assert_int_equal(undo(db, &me, NOW + 6), 0);
    assert_int_equal(end(db, &me, OPTOUT_ALL, false, NOW + 7), 0); /* nor does it come back */
    assert_int_equal(undo(db, &me, NOW + 8), 0);
    assert_string_equal(entry_of(db, "bob@example.org").source, "page, repeated");
    assert_int_equal(entry_of(db, "bob@example.org").created_ms, NOW);
    return true;
}
RUNS(a_request_by_another_ends_the_right_to_undo)

static bool in_asking_again_with_the_mark_makes_a_new_one(struct database *db, void *context, struct err *err)
{
    struct optout me = who_of("bob@example.org");
    (void)context;
    (void)err;
    me.marks[OPTOUT_STREAM] = end(db, &me, OPTOUT_STREAM, false, NOW);
    struct optout old = me;
    me.marks[OPTOUT_STREAM] = end(db, &me, OPTOUT_STREAM, false, NOW + 5);
    assert_int_equal(me.marks[OPTOUT_STREAM], NOW + 5);
    assert_int_equal(undo(db, &old, NOW + 6), 0);
    assert_int_equal(undo(db, &me, NOW + 6), 1);
    return true;
}
RUNS(asking_again_with_the_mark_makes_a_new_one)

/* It is a mail program's: nobody gets a mark, and what somebody had by the page stays theirs. */
static bool in_one_click(struct database *db, void *context, struct err *err)
{
    struct optout me = who_of("bob@example.org");
    struct optout marks = {.recipient = "bob@example.org", .tenant = "shop", .stream = "news", .marks = {NOW, NOW, NOW}};
    (void)context;
    (void)err;
    assert_int_equal(end(db, &me, OPTOUT_STREAM, true, NOW), 0);
    assert_string_equal(entry_of(db, "bob@example.org").source, "one-click");
    assert_true(!stands(db, &marks, NOW + 1).can_undo && !stands(db, &marks, NOW + 1).is_new);
    assert_int_equal(undo(db, &marks, NOW + 1), 0);
    assert_int_equal(end(db, &me, OPTOUT_STREAM, false, NOW + 2), 0); /* it was ended already */
    assert_string_equal(entry_of(db, "bob@example.org").source, "one-click");
    return true;
}
RUNS(one_click)

static bool in_a_pause_ends_by_itself_and_begins_anew(struct database *db, void *context, struct err *err)
{
    struct optout me = who_of("bob@example.org");
    (void)context;
    (void)err;
    me.marks[OPTOUT_FLOOD] = end(db, &me, OPTOUT_FLOOD, false, NOW);
    assert_int_equal(end(db, &me, OPTOUT_FLOOD, false, NOW + 1000), NOW + 1000); /* again: longer */
    assert_int_equal(stands(db, &me, NOW + 1001).until_ms, NOW + 1000 + DAY);
    assert_int_equal(stands(db, &me, NOW + 1000 + DAY - 1).until_ms, NOW + 1000 + DAY);
    struct optout_standing s = stands(db, &me, NOW + 1000 + DAY);
    assert_true(s.since_ms[OPTOUT_FLOOD] == 0 && s.until_ms == 0);
    struct optout other = who_of("bob@example.org");
    assert_int_equal(end(db, &other, OPTOUT_FLOOD, false, NOW + 2 * DAY), NOW + 2 * DAY); /* nobody has it any more */
    assert_int_equal(stands(db, &other, NOW + 2 * DAY + 1).until_ms, NOW + 3 * DAY);
    return true;
}
RUNS(a_pause_ends_by_itself_and_begins_anew)

/* A pause holds for every spelling of the mailbox; an unsubscription for that which was written to. */
static bool in_spellings(struct database *db, void *context, struct err *err)
{
    struct optout me = who_of("J.Doe+Shop@GMail.com");
    struct optout same = who_of("j.doe+shop@gmail.com");
    struct optout counted = who_of("jdoe@googlemail.com");
    (void)context;
    (void)err;
    me.marks[OPTOUT_FLOOD] = end(db, &me, OPTOUT_FLOOD, false, NOW);
    assert_int_equal(stands(db, &counted, NOW + 1).since_ms[OPTOUT_FLOOD], NOW);
    counted.marks[OPTOUT_FLOOD] = NOW;
    assert_true(stands(db, &counted, NOW + 1).can_undo);
    assert_int_equal(undo(db, &counted, NOW + 1), 1);
    me.marks[OPTOUT_STREAM] = end(db, &me, OPTOUT_STREAM, false, NOW + 2);
    assert_int_equal(stands(db, &same, NOW + 3).since_ms[OPTOUT_STREAM], NOW + 2);
    assert_int_equal(stands(db, &counted, NOW + 3).since_ms[OPTOUT_STREAM], 0);
    return true;
}
RUNS(spellings)

/* Entries of others are shown as they hold, and never taken back. */
static bool in_what_an_operator_has_entered_stays(struct database *db, void *context, struct err *err)
{
    struct suppress_entry e = {.reason = SUPPRESS_UNSUBSCRIBE, .tenant = "shop", .source = "command",
                               .address = "bob@example.org", .created_ms = NOW};
    struct optout me = {.recipient = "bob@example.org", .tenant = "shop", .stream = "news", .marks = {NOW, NOW, NOW}};
    bool changed = false;
    (void)context;
    assert_true(database_suppress(db, &e, NOW, &changed, err) && changed);
    struct optout_standing s = stands(db, &me, NOW + 1);
    assert_true(s.since_ms[OPTOUT_ALL] == NOW && !s.can_undo && !s.is_new);
    assert_int_equal(end(db, &me, OPTOUT_ALL, false, NOW + 2), 0);
    assert_int_equal(undo(db, &me, NOW + 3), 0);
    assert_string_equal(entry_of(db, "bob@example.org").source, "command");
    return true;
}
RUNS(what_an_operator_has_entered_stays)

/* Whatever the link says, it is a name. */
static bool in_hostile_names(struct database *db, void *context, struct err *err)
{
    char longest[ADDRESS_MAX + 1];
    const char *const names[] = {"'; DROP TABLE suppression; --@x.test", "%@%", "", "@", "no address", "\xff\xfe@x.test",
                                 longest};
    (void)context;
    (void)err;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    memcpy(longest + 60, "@x.test", 7);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (unsigned kind = 0; kind < OPTOUT_KINDS; kind++) {
            struct optout me = {.recipient = names[i], .tenant = "it's", .stream = "%"};
            struct optout other = {.recipient = "bob@example.org", .tenant = "it's", .stream = "%"};
            me.marks[kind] = end(db, &me, (enum optout_kind)kind, false, NOW);
            EXPECT(stands(db, &other, NOW + 1).since_ms[kind] == 0, names[i]);
            EXPECT(undo(db, &me, NOW + 1) == 1, names[i]);
        }
    return true;
}
RUNS(hostile_names)

/* Marks that were never given: zero, negative, of the future. */
static bool in_marks_cannot_be_guessed_by_trying_none(struct database *db, void *context, struct err *err)
{
    static const int64_t marks[] = {0, -1, INT64_MIN, INT64_MAX, NOW - 1, NOW + 1};
    struct optout me = who_of("bob@example.org");
    (void)context;
    (void)err;
    assert_int_equal(end(db, &me, OPTOUT_ALL, false, NOW), NOW);
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        me.marks[OPTOUT_ALL] = marks[i];
        assert_false(stands(db, &me, NOW + 5).can_undo);
        assert_int_equal(undo(db, &me, NOW + 5), 0);
    }
    return true;
}
RUNS(marks_cannot_be_guessed_by_trying_none)

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_is_ended_and_taken_back),
        TEST(what_is_taken_back_is_ones_own),
        TEST(a_request_by_another_ends_the_right_to_undo),
        TEST(asking_again_with_the_mark_makes_a_new_one),
        TEST(one_click),
        TEST(a_pause_ends_by_itself_and_begins_anew),
        TEST(spellings),
        TEST(what_an_operator_has_entered_stays),
        TEST(hostile_names),
        TEST(marks_cannot_be_guessed_by_trying_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
