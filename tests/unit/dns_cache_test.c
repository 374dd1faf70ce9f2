// SPDX-License-Identifier: BSD-2-Clause
/* dns_cache_test.c - What waits for its turn has not been asked yet; and whoever waits for an answer hears that there is
 * none. The questions end here, not at libunbound, and time passes when the test says so. */
#include "dns_stage.h"

#include "dns_cache.h"

static size_t changes;

enum { NAME_ROOM = 300, TIMERS_FASTER = 100 };

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
    changes = 0;
    dns_stage_begin(TIMERS_FASTER);
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
    dns_stage_pass(&loop, ms);
}

static enum dns_status ask(const char *name)
{
    const struct dns *dns = dns_cache_dns(cache);
    return dns->ask(dns->context, name, DNS_TXT)->status;
}

static bool answer(enum dns_status status)
{
    return dns_stage_answer(dns_answer_new(status, 300));
}

/* ---- turns ---- */

static void what_waits_for_its_turn_has_all_its_time_when_it_is_asked(void **state)
{
    static const char *const names[] = {"a.example", "b.example", "c.example", "d.example"};
    const struct dns_queries_stub server = {.zone = "example", .ip = "192.0.2.1", .queries = 4};
    (void)state;
    begin(&server);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        EXPECT(ask(names[i]) == DNS_PENDING, names[i]);
    pass(0);
    EXPECT(dns_stage_asked() < COUNT_OF(names), "they take turns");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        pass(9000); /* the server is slow, but answers each */
        EXPECT(answer(DNS_NODATA), names[i]);
        pass(0);
    }
    for (size_t i = 0; i < COUNT_OF(names); i++)
        EXPECT(ask(names[i]) == DNS_NODATA, names[i]);
    end();
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
    EXPECT(ask("a.example") == DNS_FAILED && ask("b.example") == DNS_FAILED, "after ten seconds, and so long in vain");
    EXPECT(ask("c.example") == DNS_PENDING, "others are asked");
    pass(0);
    EXPECT(answer(DNS_NODATA) && ask("c.example") == DNS_NODATA, "and answered");
    end();
}

/* libunbound goes on with it, and so it takes room from others. */
static void what_nobody_waits_for_keeps_its_turn_until_it_has_ended(void **state)
{
    const struct dns_queries_stub few = {.queries = 4};
    (void)state;
    begin(&few);
    dns_stage_go_on_with_left();
    EXPECT(ask("a.example") == DNS_PENDING, "asked");
    pass(0);
    pass(10001);
    EXPECT(ask("a.example") == DNS_FAILED && ask("b.example") == DNS_PENDING, "in vain, and another name waits");
    pass(0);
    EXPECT(!dns_stage_was_asked("b.example"), "for its turn");
    EXPECT(dns_stage_end_left() == 1, "the one");
    pass(0);
    EXPECT(answer(DNS_NODATA) && ask("b.example") == DNS_NODATA, "asked, and answered");
    EXPECT(ask("c.example") == DNS_PENDING, "asked");
    pass(0);
    pass(10001); /* and left, when all ends */
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
    size_t before = dns_stage_asked();
    EXPECT(ask("a.example") == DNS_FAILED && ask("b.example") == DNS_FAILED, "both");
    EXPECT(ask("c.example") == DNS_FAILED, "and all others");
    pass(0);
    EXPECT(dns_stage_asked() == before, "without a question");
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
        cmocka_unit_test(what_nobody_waits_for_keeps_its_turn_until_it_has_ended),
        cmocka_unit_test(a_server_that_answers_others_is_not_silent_for_one_name),
        cmocka_unit_test(a_server_that_never_answers_is_asked_no_more),
        cmocka_unit_test(whoever_waits_for_what_is_forgotten_hears_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
