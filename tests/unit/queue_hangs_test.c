// SPDX-License-Identifier: BSD-2-Clause
/* queue_hangs_test.c - A destination that takes messages, or connections, and answers nothing: who runs the relay is told once,
 * after a minute. The kind of fault is a destination that does not work and never fails, either. */
#include "queue_stage.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const struct stage_server servers[] = {
    {.host = "mx.stall*", .kind = SERVER_STALLS},
    {.host = "mx.mute*", .kind = SERVER_MUTE},
    {.host = "mx.slow*", .message_ms = 45 * SECOND},
    {.host = "*", .message_ms = 50},
    {0},
};

static const struct stage_domain domains[] = {{0}};

static size_t count_told(const struct stage *s, const char *what)
{
    size_t count = 0;
    for (const char *at = s->trace ? strstr(s->trace, what) : NULL; at; at = strstr(at + 1, what))
        count++;
    return count;
}

static void what_answers_nothing_is_told_once(void **state)
{
    static const struct {
        const char *domain;
        int64_t messages;
        size_t told;
    } rows[] = {{"stall1.test", 10, 1}, {"mute1.test", 10, 1}, {"slow1.test", 30, 0}, {"good.test", 100, 0}, {"stall2.test", 2, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct queue_settings settings = {0};
        struct stage *s = stage_new(&settings, domains, servers);
        struct queue_destination_view view;
        char told[80];
        snprintf(told, sizeof(told), "mx.%s:25 hangs: no answer on ", rows[i].domain);
        for (int64_t m = 1; m <= rows[i].messages; m++)
            stage_add(s, m, "bob", rows[i].domain, STREAM_NOTIFICATION);
        stage_run(s, 55 * SECOND);
        EXPECT(count_told(s, "hangs") == 0, "not yet");
        stage_run(s, 30 * SECOND);
        EXPECT(count_told(s, told) == rows[i].told, rows[i].domain);
        snprintf(told, sizeof(told), "mx.%s:25", rows[i].domain);
        assert_true(queue_find_destination(s->queue, told, &view, s->now_ms));
        if (rows[i].told > 0)
            EXPECT(view.stuck >= 3 && view.longest_ms >= MINUTE && strstr(view.why, "no answer on ") == view.why, "and shown");
        stage_run(s, 2 * MINUTE);
        EXPECT(count_told(s, "hangs") == rows[i].told, "once");
        stage_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_answers_nothing_is_told_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
