// SPDX-License-Identifier: BSD-2-Clause
/* queue_sources_test.c - Mail that leaves from several of our addresses to the same hosts. The kind: what a receiver does to
 * one of them, or what a provider allows it, is taken for all. */
#include "table.h"

#include "hop.h"
#include "queue_connection.h"
#include "queue_view.h"

enum { TENANTS = 8, OPENED_MAX = 64 };

struct opened {
    uint64_t connection;
    char source[HOP_SOURCE];
};

struct scene {
    struct queue *queue;
    struct opened all[OPENED_MAX];
    size_t count;
    int64_t now_ms, message;
};

static void begin(struct scene *s)
{
    const struct queue_settings settings = {.connections = 40, .shards = 2};
    *s = (struct scene){.now_ms = 1000};
    s->queue = queue_new(&settings, s->now_ms);
}

static void resolve(struct scene *s, const char *name, const char *host)
{
    const char *const hosts[] = {host};
    char copy[HOP_TEXT];
    char source[HOP_SOURCE];
    char route[HOP_TEXT] = "";
    snprintf(copy, sizeof(copy), "%s", name);
    hop_source(copy, source);
    if (source[0])
        snprintf(route, sizeof(route), "source=%s", source);
    const struct queue_answer answer = {
        .hosts = hosts, .host_count = 1, .port = 25, .route = route, .source = source, .trust = 1, .valid_ms = 600000};
    assert_true(queue_resolved(s->queue, copy, &answer, s->now_ms));
}

static void decide(struct scene *s, const char *host)
{
    struct queue_decision d;
    while (queue_decide(s->queue, &d, s->now_ms))
        if (d.kind == QUEUE_RESOLVE) {
            resolve(s, d.domain, host);
        } else if (d.kind == QUEUE_OPEN) {
            assert_true(s->count < OPENED_MAX);
            struct opened *o = &s->all[s->count++];
            o->connection = d.connection;
            hop_source(d.destination, o->source);
        }
}

/* One message of each of many tenants. */
static void add(struct scene *s, const char *source)
{
    char hop[HOP_TEXT];
    char tenant[20];
    hop_print("dest.test", TLS_NEED_NONE, source, hop);
    for (int i = 0; i < TENANTS; i++) {
        snprintf(tenant, sizeof(tenant), "t%d", i);
        const struct queue_entry e = {.message = ++s->message,
                                      .class = STREAM_NOTIFICATION,
                                      .tenant = tenant,
                                      .domain = hop,
                                      .due_ms = s->now_ms,
                                      .expires_ms = s->now_ms + 3600000};
        queue_add(s->queue, &e, 1, s->now_ms);
    }
}

static size_t opened(const struct scene *s, const char *source)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        count += strcmp(s->all[i].source, source) == 0;
    return count;
}

static const struct opened *first(const struct scene *s, const char *source)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->all[i].source, source) == 0)
            return &s->all[i];
    fail();
    return NULL;
}

/* A provider counts the connections from each address. */
static void a_providers_limit_is_each_sources(void **state)
{
    static const char *const sources[] = {"", "a", "b"};
    struct queue_destination_view view;
    struct scene s;
    (void)state;
    begin(&s);
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        add(&s, sources[i]);
        decide(&s, "smtp-in.orange.fr");
    }
    assert_true(opened(&s, "") >= 1 && opened(&s, "") <= 2);
    assert_int_equal(opened(&s, "a"), opened(&s, ""));
    assert_int_equal(opened(&s, "b"), opened(&s, ""));
    assert_true(s.count > 2); /* which is what it allows one */
    assert_true(queue_find_destination(s.queue, "orange:25 source=a", &view, s.now_ms));
    assert_int_equal(view.limit, 2);
    assert_string_equal(view.provider, "orange");
    queue_free(s.queue);
}

/* What is learned of a receiver's address holds for the one of ours that it was called from. */
static void an_address_rests_for_its_source_alone(void **state)
{
    struct queue_address to = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1}, .port = 25, .from = 7};
    struct queue_address other = to;
    struct scene s;
    size_t which = 9;
    bool probes = true;
    unsigned failures = 0;
    (void)state;
    other.from = 8;
    begin(&s);
    add(&s, "a");
    add(&s, "b");
    decide(&s, "mx.dest.test");
    const struct opened *a = first(&s, "a");
    const struct opened *b = first(&s, "b");
    assert_true(queue_address_take(s.queue, a->connection, &to, 1, &which, &probes, s.now_ms));
    queue_address_failed(s.queue, a->connection, &to, s.now_ms);
    assert_true(queue_address_rest_ms(s.queue, &to, &failures, s.now_ms) > 0);
    assert_int_equal(failures, 1);
    assert_int_equal(queue_address_rest_ms(s.queue, &other, &failures, s.now_ms), 0);
    assert_int_equal(failures, 0);
    probes = true;
    assert_true(queue_address_take(s.queue, b->connection, &other, 1, &which, &probes, s.now_ms));
    assert_false(probes);
    (void)!queue_connection_failed(s.queue, a->connection, QUEUE_FAIL_CONNECT, "refused", s.now_ms);
    decide(&s, "mx.dest.test");
    for (size_t i = 0; i < s.count; i++)
        if (strcmp(s.all[i].source, "a") == 0 && s.all[i].connection != a->connection)
            (void)!queue_connection_failed(s.queue, s.all[i].connection, QUEUE_FAIL_CONNECT, "refused", s.now_ms);
    struct queue_destination_view view;
    assert_true(queue_find_destination(s.queue, "mx.dest.test:25 source=a", &view, s.now_ms));
    assert_true(view.rest_ms > 0);
    assert_true(queue_find_destination(s.queue, "mx.dest.test:25 source=b", &view, s.now_ms));
    assert_int_equal(view.rest_ms, 0);
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_providers_limit_is_each_sources),
        cmocka_unit_test(an_address_rests_for_its_source_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
