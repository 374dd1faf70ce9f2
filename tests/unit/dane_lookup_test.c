// SPDX-License-Identifier: BSD-2-Clause
/* dane_lookup_test.c - Lookups of TLSA records: the kind of fault is one that is held up by others, and then counts as not
 * answered, so that a host is not used. */
#include "dns_stage.h"

#include "dane_lookup.h"

enum { LOOKUPS_MAX = 64, PATIENCE = 1000 };

static uv_loop_t loop;
static struct resolver *resolver;
static struct config config;
static struct lookup {
    char host_name[64];
    bool done, early; /* early: it has failed before it was asked */
    enum dane_state state;
    struct dane_lookup *lookup;
} lookups[LOOKUPS_MAX];
static size_t started;

static void begin(unsigned queries, unsigned faster)
{
    struct err err;
    started = 0;
    dns_stage_begin(faster);
    config = (struct config){.queries = queries};
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(resolver_new(&loop, &config, &resolver, &err));
}

static void end(void)
{
    for (size_t i = 0; i < started; i++)
        if (!lookups[i].done)
            dane_lookup_cancel(lookups[i].lookup);
    resolver_free(resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
}

static bool is_asked(const char *host)
{
    char name[80];
    snprintf(name, sizeof(name), "_25._tcp.%s", host);
    return dns_stage_was_asked(name);
}

static void on_answer(void *context, struct dane_answer *answer)
{
    struct lookup *l = context;
    l->done = true;
    l->state = answer->state;
    l->early = answer->state == DANE_FAILED && !is_asked(l->host_name);
    dane_answer_fini(answer);
}

static struct lookup *look_up(const char *tenant, const char *name, bool fresh)
{
    struct lookup *l = &lookups[started++];
    *l = (struct lookup){.done = false};
    snprintf(l->host_name, sizeof(l->host_name), "%s", name);
    const struct host host = {.name = l->host_name, .secure = true};
    const struct dane_lookup_query query = {.host = &host, .domain = "club.test", .tenant = tenant, .port = 25, .fresh = fresh ? &config : NULL};
    l->lookup = dane_lookup_start(resolver, &query, on_answer, l);
    return l;
}

static bool wait_for(const bool *done)
{
    for (int i = 0; i < PATIENCE && !*done; i++)
        dns_stage_pass(&loop, 0);
    return *done;
}

static void answer(const char *host)
{
    char name[80];
    struct dns_answer *a = dns_answer_new(DNS_NODATA, 300);
    a->secure = true;
    snprintf(name, sizeof(name), "_25._tcp.%s", host);
    EXPECT(dns_stage_answer_name(name, a), host);
}

/* One is asked at a time, and none is answered. */
static void what_waits_for_its_turn_has_all_its_time_when_it_is_asked(void **state)
{
    static const char *const hosts[] = {"mx.a.test", "mx.b.test", "mx.c.test", "mx.d.test"};
    (void)state;
    begin(4, 100);
    for (size_t i = 0; i < COUNT_OF(hosts); i++)
        look_up("eve", hosts[i], false);
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        EXPECT(wait_for(&lookups[i].done) && lookups[i].state == DANE_FAILED, hosts[i]);
        EXPECT(!lookups[i].early, hosts[i]);
    }
    end();
}

/* Past the caches there are few sockets: eve's silent names leave one to bob. */
static void past_the_caches_each_tenant_has_a_share(void **state)
{
    enum { EVES = 40 };
    char host[40];
    (void)state;
    begin(64, 1);
    for (int i = 0; i < EVES; i++) {
        snprintf(host, sizeof(host), "mx%d.eve.test", i);
        look_up("eve", host, true);
    }
    dns_stage_pass(&loop, 0);
    EXPECT(dns_stage_open_fresh() < DNS_QUERIES_FRESH / 2, "no more than there are sockets for");
    const struct lookup *bobs = look_up("bob", "mx.bob.test", true);
    dns_stage_pass(&loop, 0);
    EXPECT(is_asked("mx.bob.test"), "at once");
    answer("mx.bob.test");
    EXPECT(bobs->done && bobs->state == DANE_NONE, "and answered");
    end();
}

/* libunbound goes on with what eve wants no more: that has its sockets, which are her part until it has ended. */
static void check_left(bool fresh)
{
    enum { EVES = 8, QUERIES = 2 * DNS_QUERIES_FRESH };
    char host[40];
    begin(QUERIES, 1);
    dns_stage_go_on_with_left();
    for (int i = 0; i < EVES; i++) {
        snprintf(host, sizeof(host), "mx%d.eve.test", i);
        look_up("eve", host, fresh);
    }
    dns_stage_pass(&loop, 0);
    size_t part = dns_stage_asked();
    EXPECT(part > 0 && part < EVES, "she has a part");
    for (size_t i = 0; i < part; i++) {
        dane_lookup_cancel(lookups[i].lookup);
        lookups[i].done = true;
    }
    dns_stage_pass(&loop, 0);
    EXPECT(dns_stage_asked() == part, "no more of hers");
    look_up("bob", "mx.bob.test", fresh);
    dns_stage_pass(&loop, 0);
    EXPECT(is_asked("mx.bob.test"), "bob's at once");
    answer("mx.bob.test");
    EXPECT(dns_stage_end_left() == part, "hers end");
    dns_stage_pass(&loop, 0);
    EXPECT(dns_stage_asked() > part + 1, "others of hers begin");
    end();
}

static void what_nobody_waits_for_keeps_its_turn_until_it_has_ended(void **state)
{
    (void)state;
    check_left(false);
    check_left(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_for_its_turn_has_all_its_time_when_it_is_asked),
        cmocka_unit_test(past_the_caches_each_tenant_has_a_share),
        cmocka_unit_test(what_nobody_waits_for_keeps_its_turn_until_it_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
