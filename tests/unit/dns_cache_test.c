// SPDX-License-Identifier: BSD-2-Clause
/* dns_cache_test.c - What waits for its turn has not been asked yet; and whoever waits for an answer hears that there is
 * none. The questions end here, not at libunbound, and time passes when the test says so. */
#include "table.h"

#include "dns_cache.h"
#include "dns_query.h"

#include <stdlib.h>

enum { TIMERS_RUN_FASTER = 100, QUESTIONS_MAX = 256, NAME_ROOM = 300 };

struct dns_query {
    dns_query_on_answer *done;
    void *context;
    bool open;
};

static struct dns_query questions[QUESTIONS_MAX];
static size_t asked, changes;
static int64_t now_ms;

int64_t __wrap_clock_steady_ms(void);
int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t after_ms, uint64_t repeat_ms);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t after_ms, uint64_t repeat_ms);

int64_t __wrap_clock_steady_ms(void)
{
    return now_ms;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t after_ms, uint64_t repeat_ms)
{
    return __real_uv_timer_start(timer, run, after_ms / TIMERS_RUN_FASTER, repeat_ms / TIMERS_RUN_FASTER);
}

/* ---- in libunbound's place ---- */

unsigned dns_queries_most(const struct config *config, const struct dns_queries_stub *stub)
{
    (void)config;
    return stub->queries;
}

bool dns_queries_new(uv_loop_t *loop, const struct config *config, const struct dns_queries_stub *stub,
                     struct dns_queries **dns_queries_r, struct err *err)
{
    (void)loop, (void)config, (void)stub, (void)err;
    *dns_queries_r = NULL;
    return true;
}

void dns_queries_free(struct dns_queries *l)
{
    (void)l;
}

struct dns_query *dns_query_start(struct dns_queries *l, const char *name, enum dns_type type, dns_query_on_answer *done,
                                  void *context)
{
    (void)l, (void)name, (void)type;
    CHECK(asked < QUESTIONS_MAX);
    struct dns_query *q = &questions[asked++];
    *q = (struct dns_query){.done = done, .context = context, .open = true};
    return q;
}

void dns_query_cancel(struct dns_query *q)
{
    if (q)
        q->open = false;
}

/* ---- the stage ---- */

static void on_changed(void *context)
{
    (void)context;
    changes++;
}

static uv_loop_t loop;
static struct dns_cache *cache;

static void begin(const struct dns_queries_stub *stub)
{
    const struct config config = {.memory_mb = 1};
    struct err err;
    asked = changes = 0;
    now_ms = 1000000;
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(dns_cache_new(&loop, &config, stub, on_changed, NULL, &cache, &err));
}

static void end(void)
{
    dns_cache_free(cache);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
}

/* The ticks of that time, and all that is due at once. */
static void pass(int64_t ms)
{
    now_ms += ms;
    uint64_t until = uv_hrtime() + 20 * 1000000;
    while (uv_hrtime() < until)
        uv_run(&loop, UV_RUN_NOWAIT);
}

static enum dns_status ask(const char *name)
{
    const struct dns *dns = dns_cache_dns(cache);
    return dns->ask(dns->context, name, DNS_TXT)->status;
}

/* The first that is open. */
static bool answer(enum dns_status status)
{
    for (size_t i = 0; i < asked; i++) {
        if (!questions[i].open)
            continue;
        questions[i].open = false;
        questions[i].done(questions[i].context, dns_answer_new(status, 300));
        return true;
    }
    return false;
}

/* ---- turns ---- */

static void what_waits_for_its_turn_has_all_its_time_when_it_is_asked(void **state)
{
    static const char *const names[] = {"a.example", "b.example", "c.example", "d.example"};
    const struct dns_queries_stub few = {.queries = 4};
    const struct dns_queries_stub server = {.zone = "example", .ip = "192.0.2.1", .queries = 4};
    const struct dns_queries_stub *const stubs[] = {&few, &server};
    (void)state;
    for (size_t s = 0; s < COUNT_OF(stubs); s++) {
        begin(stubs[s]);
        for (size_t i = 0; i < COUNT_OF(names); i++)
            EXPECT(ask(names[i]) == DNS_PENDING, names[i]);
        pass(0);
        EXPECT(asked < COUNT_OF(names), "they take turns");
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            pass(9000); /* the server is slow, but answers each */
            EXPECT(answer(DNS_NODATA), names[i]);
            pass(0);
        }
        for (size_t i = 0; i < COUNT_OF(names); i++)
            EXPECT(ask(names[i]) == DNS_NODATA, names[i]);
        end();
    }
}

static void what_is_asked_and_not_answered_ends(void **state)
{
    const struct dns_queries_stub few = {.queries = 4};
    (void)state;
    begin(&few);
    EXPECT(ask("a.example") == DNS_PENDING, "asked");
    EXPECT(ask("b.example") == DNS_PENDING, "waits");
    pass(0);
    pass(10001);
    EXPECT(ask("a.example") == DNS_FAILED && changes == 1, "after ten seconds");
    EXPECT(ask("b.example") == DNS_PENDING, "it was not asked until now");
    EXPECT(answer(DNS_NODATA) && ask("b.example") == DNS_NODATA, "and is answered");
    end();
}

/* ---- one server ---- */

static void a_server_that_answers_others_is_not_silent_for_one_name(void **state)
{
    const struct dns_queries_stub server = {.zone = "example", .ip = "192.0.2.1", .queries = 4};
    (void)state;
    begin(&server);
    EXPECT(ask("a.example") == DNS_PENDING, "asked");
    pass(0);
    EXPECT(answer(DNS_NODATA), "and answered");
    EXPECT(ask("b.example") == DNS_PENDING && ask("c.example") == DNS_PENDING, "asked, and waits");
    pass(0);
    pass(10001);
    EXPECT(ask("b.example") == DNS_FAILED, "not answered");
    EXPECT(ask("c.example") == DNS_PENDING, "another name");
    EXPECT(answer(DNS_NODATA) && ask("c.example") == DNS_NODATA, "is answered");
    end();
}

static void a_server_that_never_answers_is_asked_no_more(void **state)
{
    const struct dns_queries_stub server = {.zone = "example", .ip = "192.0.2.1", .queries = 4};
    (void)state;
    begin(&server);
    EXPECT(ask("a.example") == DNS_PENDING && ask("b.example") == DNS_PENDING, "asked, and waits");
    pass(0);
    pass(10001);
    size_t before = asked;
    EXPECT(ask("a.example") == DNS_FAILED && ask("b.example") == DNS_FAILED, "both");
    EXPECT(ask("c.example") == DNS_FAILED, "and all others");
    pass(0);
    EXPECT(asked == before, "without a question");
    end();
}

/* ---- too much ---- */

static void whoever_waits_for_what_is_forgotten_hears_it(void **state)
{
    enum { NAMES = 100 }; /* more than a megabyte's part has room for */
    const struct dns_queries_stub some = {.queries = 16};
    char names[NAMES][NAME_ROOM];
    size_t failed = 0;
    size_t waiting = 0;
    (void)state;
    begin(&some);
    dns_cache_ask_for(cache, "eve");
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof(names[i]), "%zu.example", i);
        EXPECT(ask(names[i]) == DNS_PENDING, names[i]);
    }
    dns_cache_ask_for(cache, "bob");
    EXPECT(ask("bob.example") == DNS_PENDING, "another tenant");
    pass(0);
    EXPECT(changes > 0, "somebody was told");
    dns_cache_ask_for(cache, "eve");
    for (size_t i = 0; i < NAMES; i++) {
        enum dns_status status = ask(names[i]);
        failed += status == DNS_FAILED;
        waiting += status == DNS_PENDING;
    }
    EXPECT(failed > 0 && waiting > 0 && failed + waiting == NAMES, "the oldest have failed");
    for (size_t i = 0; i < 4 * NAMES; i++) {
        (void)answer(DNS_NODATA);
        pass(0);
        if (ask("bob.example") == DNS_NODATA)
            break;
    }
    EXPECT(ask("bob.example") == DNS_NODATA, "the other tenant's was asked");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_for_its_turn_has_all_its_time_when_it_is_asked),
        cmocka_unit_test(what_is_asked_and_not_answered_ends),
        cmocka_unit_test(a_server_that_answers_others_is_not_silent_for_one_name),
        cmocka_unit_test(a_server_that_never_answers_is_asked_no_more),
        cmocka_unit_test(whoever_waits_for_what_is_forgotten_hears_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
