// SPDX-License-Identifier: BSD-2-Clause
/* queue_lasting_limits_test.c - A limit at MAIL that goes on is asked about less and less often, and soon again when something was
 * taken; a tenant with many of them asks but so often over all. The kind of fault is a server that is asked for ever. */
#include "queue_mail_stage.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_REST_MS = 2000, LAST_REST_MS = 5 * 60 * 1000, MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

/* All is refused for so long. Returns how often. */
static unsigned refuse_for(struct stage *s, int64_t for_ms)
{
    unsigned asked = 0;
    int64_t end_ms = s->now_ms + for_ms;
    for (; s->now_ms < end_ms; stage_wait(s, 1000))
        for (; s->count > 0; asked++)
            (void)stage_refused(s, 0);
    return asked;
}

static void one_that_lasts_is_asked_less_often(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 50);
    stage_refuse_all(&s);
    unsigned first = refuse_for(&s, MINUTE_MS / 3);
    EXPECT(first >= 8 && first <= 10, "often at first");
    unsigned minute = first + refuse_for(&s, MINUTE_MS * 2 / 3);
    EXPECT(minute >= 12 && minute <= 20, "in a minute");
    unsigned day = refuse_for(&s, 24 * HOUR_MS);
    EXPECT(day >= 100 && day < 400, "a few hundred times a day");
    EXPECT(s.rest_ms == LAST_REST_MS, "with so long between");
    stage_wait(&s, LAST_REST_MS);
    EXPECT(s.count == 1, "it asks");
    stage_taken(&s, 0);
    stage_refuse_all(&s);
    EXPECT(s.rest_ms == FIRST_REST_MS, "and all begins anew");
    queue_free(s.queue);
}

/* However long it has lasted: a new code asks soon, once, and waits no longer than the rest that is left. */
static void a_new_code_asks_soon(void **state)
{
    (void)state;
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 50);
    stage_refuse_all(&s);
    (void)refuse_for(&s, 6 * HOUR_MS);
    while (s.count == 0)
        stage_wait(&s, 1000);
    stage_refuse_all(&s);
    stage_wait(&s, 1000);
    stage_add_of(&s, "bob", STREAM_SECURITY);
    int64_t code = s.message;
    stage_wait(&s, LAST_REST_MS / 8);
    EXPECT(s.count == 1 && s.works[0].attempt->message == code, "it asks");
    stage_refuse_all(&s);
    unsigned asked = 0;
    for (unsigned n = 0; n < 3600; n++) {
        stage_add_of(&s, "bob", STREAM_SECURITY);
        asked += refuse_for(&s, 1000);
    }
    EXPECT(asked > 60 && asked < 120, "but so often, whatever comes");
    queue_free(s.queue);
}

/* It takes one message every seven seconds: so do all go. */
static void one_that_lifts_now_and_then_goes_on(void **state)
{
    (void)state;
    enum { CODES = 25, GOES = CODES - 2, LIFTS_MS = 7000 };
    struct stage s;
    stage_begin(&s);
    stage_add(&s, "bob", 1);
    stage_taken(&s, 0);
    for (unsigned n = 0; n < CODES; n++)
        stage_add_of(&s, "bob", STREAM_SECURITY);
    stage_go_on(&s);
    unsigned taken = 0;
    int64_t begun_ms = s.now_ms;
    int64_t lifted_ms = s.now_ms;
    for (; taken < GOES && s.now_ms < begun_ms + GOES * (LIFTS_MS + FIRST_REST_MS); stage_wait(&s, 100))
        while (s.count > 0)
            if (s.now_ms >= lifted_ms + LIFTS_MS) {
                stage_taken(&s, 0);
                lifted_ms = s.now_ms;
                taken++;
            } else {
                (void)stage_refused(&s, 0);
            }
    EXPECT(taken == GOES, "all but what showed it");
    queue_free(s.queue);
}

/* Of a hundred and fifty servers that refuse her mail. */
static void a_tenant_asks_so_often_over_all(void **state)
{
    (void)state;
    enum { SERVERS = 150, STEP_MS = 50, PER_SECOND = 10, FOR_S = 20 };
    struct stage s;
    char domain[16];
    stage_begin(&s);
    for (unsigned i = 0; i < SERVERS; i++) {
        snprintf(domain, sizeof(domain), "d%u.test", i);
        stage_add_to(&s, "eve", domain, 5);
        stage_refuse_all(&s);
    }
    stage_add(&s, "bob", 5);
    stage_refuse_all(&s);
    unsigned hers = 0;
    unsigned his = 0;
    for (unsigned n = 0; n < FOR_S * 1000 / STEP_MS; n++) {
        stage_wait(&s, STEP_MS);
        while (s.count > 0) {
            bool eve = stage_carries(&s, "eve");
            hers += eve;
            his += !eve;
            (void)stage_refused(&s, 0);
        }
    }
    EXPECT(hers >= FOR_S * PER_SECOND / 2 && hers <= FOR_S * PER_SECOND + 1, "so many at most");
    EXPECT(his >= 7, "and his are asked as if she were not there");
    queue_free(s.queue);
}

/* How long until the one at `domain` is asked, while all others are refused as they ask. */
static int64_t until_asked(struct stage *s, const char *domain, unsigned *others_r)
{
    enum { STEP_MS = 50 };
    int64_t begun_ms = s->now_ms;
    *others_r = 0;
    for (; s->now_ms < begun_ms + 5 * MINUTE_MS; stage_wait(s, STEP_MS))
        while (s->count > 0) {
            if (strcmp(s->works[0].attempt->domain, domain) == 0)
                return s->now_ms - begun_ms;
            (void)stage_refused(s, 0);
            ++*others_r;
        }
    return INT64_MAX;
}

/* A thousand servers refuse her mail for good, and one for a moment: that one is not asked behind all of them, which are asked on. */
static void what_is_young_or_awaited_is_asked_first(void **state)
{
    (void)state;
    enum { SERVERS = 1000, LATE_MS = 1000 };
    struct stage s;
    char domain[16];
    unsigned others = 0;
    stage_begin(&s);
    for (unsigned i = 0; i < SERVERS; i++) {
        snprintf(domain, sizeof(domain), "d%u.test", i);
        stage_add_to(&s, "eve", domain, 4);
        stage_refuse_all(&s);
    }
    (void)until_asked(&s, "", &others);
    EXPECT(others > 2000, "all the time, as often as one tenant may");
    stage_add_to(&s, "eve", "young.test", 5);
    stage_refuse_all(&s);
    int64_t rest_ms = s.rest_ms;
    EXPECT(until_asked(&s, "young.test", &others) <= rest_ms + LATE_MS, "the youngest, when its rest is over");
    stage_all_taken(&s);
    stage_add(&s, "eve", 10);
    (void)until_asked(&s, "", &others); /* it has lasted as long as the others have, nearly */
    stage_add_of(&s, "eve", STREAM_SECURITY);
    stage_go_on(&s);
    EXPECT(until_asked(&s, "d.test", &others) <= 5 * MINUTE_MS / 8 + LATE_MS, "the one that a code waits for");
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_lasts_is_asked_less_often),
        cmocka_unit_test(a_new_code_asks_soon),
        cmocka_unit_test(one_that_lifts_now_and_then_goes_on),
        cmocka_unit_test(a_tenant_asks_so_often_over_all),
        cmocka_unit_test(what_is_young_or_awaited_is_asked_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
