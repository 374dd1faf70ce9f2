// SPDX-License-Identifier: BSD-2-Clause
/* queue_held_test.c - Who is due while very many domains stand is held aside: not for ever, and not for the sake of what
 * is tried again and again. The kind in all: an order in which what was there before goes first each time. */
#include "queue_stage.h"

/* To `count` domains "PREFIXn.test". Returns the last message. */
static int64_t add_many(struct stage *s, int64_t message, const char *prefix, size_t count, enum stream_class class)
{
    char name[40];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%zu.test", prefix, i);
        stage_add(s, ++message, "eve", name, class);
    }
    return message;
}

/* Names that have no answer are asked for again by their schedule; that is no reason for later mail to wait behind all of
 * them once more. */
static void what_is_tried_again_goes_after_what_came_meanwhile(void **state)
{
    static const struct stage_domain mute[] = {{.name = "mute*", .mute = true}, {0}};
    static const enum stream_class classes[] = {STREAM_SECURITY, STREAM_DIGEST};
    static const unsigned standing[] = {1, 2, 4, 16};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(classes) * COUNT_OF(standing); i++) {
        const struct queue_settings settings = {.standing = standing[i / 2], .lookups = 20};
        struct stage *s = stage_new(&settings, mute, NULL);
        enum stream_class class = classes[i % 2];
        size_t names = 250;
        s->tracing = false;
        int64_t last = add_many(s, 0, "mute", names, class);
        stage_run(s, 30000);
        stage_add(s, last + 1, "eve", "well.test", class);
        int64_t took_ms = stage_run_until(s, last + 1, last + 1, 3000000);
        if (took_ms > 600000)
            fail_msg("%u stand: class %d took %lld ms", standing[i / 2], (int)class, (long long)took_ms);
        stage_free(s);
    }
}

/* A name whose lookup is slow has had its turn: there may be many. */
static void slow_lookups_do_not_stand(void **state)
{
    static const struct stage_domain mute[] = {{.name = "mute*", .mute = true}, {0}};
    const struct queue_settings settings = {.standing = 4, .lookups = 20};
    struct stage *s = stage_new(&settings, mute, NULL);
    (void)state;
    int64_t last = add_many(s, 0, "mute", 40, STREAM_NOTIFICATION);
    stage_add(s, last + 1, "eve", "well.test", STREAM_NOTIFICATION);
    assert_true(stage_run_until(s, last + 1, last + 1, 3000000) < 60000);
    stage_free(s);
}

/* Of one tenant's: class goes first, but not always. */
static void no_class_is_held_without_end(void **state)
{
    static const enum stream_class floods[] = {STREAM_CONFIRMATION, STREAM_INVITATION};
    const struct queue_settings settings = {.standing = 4, .lookups = 2};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(floods); i++) {
        struct stage *s = stage_new(&settings, NULL, NULL);
        s->tracing = false;
        int64_t last = add_many(s, 0, "many", 5000, floods[i]);
        stage_add(s, last + 1, "eve", "well.test", STREAM_DIGEST);
        stage_add(s, last + 2, "eve", "fine.test", floods[i]);
        int64_t digest_ms = stage_run_until(s, last + 1, last + 1, 600000);
        if (digest_ms > 2000 || s->done_ms[last + 2] >= 0)
            fail_msg("behind class %d: %lld ms", (int)floods[i], (long long)digest_ms);
        stage_free(s);
    }
}

static void a_more_urgent_class_is_held_for_less(void **state)
{
    const struct queue_settings settings = {.standing = 4, .lookups = 2};
    struct stage *s = stage_new(&settings, NULL, NULL);
    (void)state;
    s->tracing = false;
    int64_t last = add_many(s, 0, "many", 5000, STREAM_DIGEST);
    stage_add(s, last + 1, "eve", "well.test", STREAM_CONFIRMATION);
    assert_true(stage_run_until(s, last + 1, last + 1, 600000) < 2000);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_tried_again_goes_after_what_came_meanwhile),
        cmocka_unit_test(slow_lookups_do_not_stand),
        cmocka_unit_test(no_class_is_held_without_end),
        cmocka_unit_test(a_more_urgent_class_is_held_for_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
