// SPDX-License-Identifier: BSD-2-Clause
/* queue_memory_test.c - What each recipient that waits costs in memory, and that it is given back.
 *
 * At a million it is less: tables are at their emptiest just after they have grown. tests/bench/scale --only memory
 * shows that.
 */
#include "table.h"

#include "names.h"
#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"

#include <malloc.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static size_t allocated(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
#endif
}

enum { WAITING = 90000, BYTES_MAX = 120, DUE = 3 * WAITING, DUE_BYTES_MAX = 150 };

static void add_some(struct queue *q, int64_t first, size_t count, size_t domains, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        char domain[40];
        char tenant[16];
        snprintf(domain, sizeof(domain), "mail%zu.customer.example", (size_t)first + i * 7919 % domains);
        snprintf(tenant, sizeof(tenant), "t%zu", i % 10);
        struct queue_entry e = {.message = first + (int64_t)i,
                                .class = (enum stream_class)(i % STREAM_CLASSES),
                                .tenant = tenant,
                                .domain = domain,
                                .due_ms = now_ms + 3600000 + (int64_t)(i * 31337 % 3600000),
                                .expires_ms = now_ms + 86400000};
        queue_add(q, &e, 1, now_ms);
    }
}

static void add_all(struct queue *q, size_t domains, int64_t now_ms)
{
    add_some(q, 0, WAITING, domains, now_ms);
}

static void drop_all(struct queue *q, int64_t now_ms)
{
    for (size_t i = 0; i < WAITING; i++)
        queue_drop(q, (int64_t)i, 0, now_ms);
}

static void each_that_waits_costs_little(void **state)
{
    static const size_t domains[] = {1, 1000, WAITING};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(domains); i++) {
        struct queue_settings settings = {0};
        struct queue_counts counts;
        size_t before = allocated();
        struct queue *q = queue_new(&settings, 0);
        add_all(q, domains[i], 0);
        size_t each = (allocated() - before) / WAITING;
        queue_count(q, &counts, 0);
        if (each > BYTES_MAX || counts.waiting != WAITING)
            fail_msg("%zu domains: %zu bytes each", domains[i], each);
        queue_free(q);
    }
}

/* All of them are due at once, each at a domain of its own: it waits for a lookup, or for a connection. */
static void each_that_is_due_costs_little(void **state)
{
    (void)state;
    for (int resolved = 0; resolved <= 1; resolved++) {
        struct queue_settings settings = {0};
        struct queue_counts counts;
        struct queue_decision d;
        size_t before = allocated();
        struct queue *q = queue_new(&settings, 0);
        for (int64_t m = 0; m < DUE; m += WAITING)
            add_some(q, m, WAITING, WAITING, 0);
        do {
            while (queue_decide(q, &d, 2 * 3600000)) {
                char host[60];
                const char *const hosts[] = {host};
                struct queue_answer answer = {.hosts = hosts, .host_count = 1, .port = 25, .trust = 1, .valid_ms = 3600000};
                if (d.kind != QUEUE_RESOLVE || !resolved)
                    continue;
                snprintf(host, sizeof(host), "mx.%s", d.domain);
                queue_resolved(q, d.domain, &answer, 2 * 3600000);
            }
        } while (queue_wake_ms(q) <= 2 * 3600000);
        size_t each = (allocated() - before) / DUE;
        queue_count(q, &counts, 0);
        if (each > DUE_BYTES_MAX || counts.waiting != 0 || counts.ready + counts.under_way != DUE ||
            (counts.under_way > 300) != resolved)
            fail_msg("%s: %zu bytes each; %zu wait, %zu are due, %zu under way", resolved ? "resolved" : "not resolved", each,
                     counts.waiting, counts.ready, counts.under_way);
        queue_free(q);
    }
}

static void what_is_over_leaves_nothing_but_room_for_others(void **state)
{
    struct queue_settings settings = {0};
    struct queue *q = queue_new(&settings, 0);
    (void)state;
    add_all(q, WAITING, 0);
    size_t full = allocated();
    drop_all(q, 0);
    size_t emptied = full - allocated();
    add_all(q, WAITING, 0);
    assert_in_range(allocated(), 0, full + full / 100);
    assert_in_range(emptied / WAITING, 40, BYTES_MAX); /* all but the entries themselves */
    queue_free(q);
}

/* Of many lengths. */
static void print_name(size_t i, char *text_r, size_t size)
{
    snprintf(text_r, size, "%.*s%zu", (int)(i % 30), "..............................", i);
}

static void names_are_shared_and_their_room_is_used_again(void **state)
{
    struct names n = {0};
    char text[40];
    uint32_t names[300];
    (void)state;
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            print_name(i, text, sizeof(text));
            names[i] = names_hold(&n, text);
            assert_int_not_equal(names[i], 0);
            assert_int_equal(names_hold(&n, text), names[i]);
            assert_string_equal(names_text(&n, names[i]), text);
        }
        assert_int_equal(n.count, COUNT_OF(names));
        assert_int_equal(n.chunk_count, 1);
        for (size_t i = round % 2; i < COUNT_OF(names); i += 2) { /* the others stay found */
            names_drop(&n, names[i]);
            names_drop(&n, names[i]);
        }
        for (size_t i = 1 - round % 2; i < COUNT_OF(names); i += 2) {
            print_name(i, text, sizeof(text));
            assert_int_equal(names_hold(&n, text), names[i]);
            names_drop(&n, names[i]);
            names_drop(&n, names[i]);
            names_drop(&n, names[i]);
        }
        assert_int_equal(n.count, 0);
    }
    names_fini(&n);
}

/* ---- domains that never lead to the same place for long ---- */

enum { FLAPPING = 10000, ROUNDS = 7, SETTLED = 3, ROUND_MS = 20 * 60 * 1000 };

struct flaps {
    struct queue *q;
    int64_t now_ms;
    unsigned round;
};

/* To hosts of its own, of a provider's, shared ones, more than have room in a name, or nowhere; others in each round. */
static void lead_somewhere(const struct flaps *f, const char *domain)
{
    char host[80];
    const char *const hosts[] = {host};
    unsigned long i = strtoul(domain + 1, NULL, 10);
    struct queue_answer answer = {.hosts = hosts, .host_count = 1, .port = 25, .trust = 1 + f->round % 2, .valid_ms = 60000};
    struct queue_address at = {.ip = {1, (uint8_t)f->round, (uint8_t)(i >> 8), (uint8_t)i}, .port = 25};
    snprintf(host, sizeof(host), "mx%u.d%lu.test", f->round, i);
    answer.addresses = &at;
    answer.address_count = 1;
    switch ((i + f->round) % 5) {
    case 0:
        queue_unresolvable(f->q, domain, &(struct queue_no_answer){.result = 1, .text = host, .retry_ms = 10000}, f->now_ms);
        return;
    case 1:
        snprintf(host, sizeof(host), "d%lu-%u.mail.protection.outlook.com", i, f->round);
        break;
    case 2:
        snprintf(host, sizeof(host), "mx.shared%lu.test", i % 100);
        break;
    case 3:
        answer.alone = domain;
        break;
    }
    queue_resolved(f->q, domain, &answer, f->now_ms);
}

/* It fails in one way or another, or the message goes through. */
static void fail_somehow(const struct flaps *f, const struct queue_decision *d)
{
    static const enum queue_failure hows[] = {QUEUE_FAIL_CONNECT, QUEUE_FAIL_REFUSED, QUEUE_FAIL_LOST, QUEUE_FAIL_BROKE};
    unsigned long i = strtoul(d->attempt->domain + 1, NULL, 10);
    const struct queue_address at = {.ip = {1, (uint8_t)f->round, (uint8_t)(i >> 8), (uint8_t)i}, .port = 25};
    const struct queue_attempt *next = NULL;
    const struct queue_attempt *attempt = d->attempt;
    size_t index = 0;
    bool probes = false;
    unsigned how = (unsigned)(i / 5 + f->round) % 6;
    bool taken = d->kind == QUEUE_OPEN && queue_address_take(f->q, d->connection, &at, 1, &index, &probes, f->now_ms);
    if (taken && how == 0)
        queue_address_failed(f->q, d->connection, &at, f->now_ms);
    if (how > 0 && !(d->kind == QUEUE_OPEN ? queue_opened(f->q, d->connection, &at, f->now_ms) : true))
        how = 0;
    if (how < COUNT_OF(hows)) {
        if (!queue_connection_failed(f->q, d->connection, hows[how], "421 4.7.0 not you", f->now_ms))
            queue_settled(f->q, attempt, NULL, f->now_ms);
        return;
    }
    if (queue_message_done(f->q, d->connection, QUEUE_SPOKEN, how == 4, &next, f->now_ms) == QUEUE_NEXT_CLOSE)
        queue_connection_closed(f->q, d->connection, f->now_ms);
    queue_settled(f->q, attempt, NULL, f->now_ms);
    if (next)
        queue_connection_closed(f->q, next->connection, f->now_ms);
}

static void decide_all(const struct flaps *f)
{
    struct queue_decision d;
    while (queue_decide(f->q, &d, f->now_ms)) {
        if (d.kind == QUEUE_RESOLVE)
            lead_somewhere(f, d.domain);
        else if (d.kind == QUEUE_OPEN || d.kind == QUEUE_SEND)
            fail_somehow(f, &d);
        else if (d.kind == QUEUE_SETTLE)
            queue_settled(f->q, d.attempt, NULL, f->now_ms);
        else if (d.kind == QUEUE_CLOSE)
            queue_connection_closed(f->q, d.connection, f->now_ms);
    }
}

static void one_round(struct flaps *f)
{
    for (unsigned i = 0; i < FLAPPING; i++) {
        char domain[40];
        char tenant[16];
        snprintf(domain, sizeof(domain), "d%u.test", i);
        snprintf(tenant, sizeof(tenant), "t%u", (i + f->round) % 30);
        const struct queue_entry e = {.message = (int64_t)f->round * FLAPPING + i,
                                      .class = (enum stream_class)(i % STREAM_CLASSES),
                                      .tenant = tenant,
                                      .domain = domain,
                                      .due_ms = f->now_ms,
                                      .expires_ms = f->now_ms + ROUND_MS / 2};
        queue_add(f->q, &e, 1, f->now_ms);
        if (i % 100 == 0) {
            snprintf(domain, sizeof(domain), "mx%u.d%u.test", f->round, i);
            queue_rest_host(f->q, domain, 5000, "it burns", f->now_ms);
        }
        decide_all(f);
    }
    for (int64_t end_ms = f->now_ms + ROUND_MS; f->now_ms < end_ms; f->now_ms += 5000)
        decide_all(f);
}

/* What was learned of places where nothing leads any more is kept for few, and not for ever. */
static void what_flaps_leaves_no_more_each_time(void **state)
{
    const struct queue_settings settings = {0};
    struct flaps f = {.now_ms = 1000};
    struct queue_counts counts;
    size_t before = allocated();
    size_t settled = 0;
    (void)state;
    f.q = queue_new(&settings, f.now_ms);
    for (; f.round < ROUNDS; f.round++) {
        one_round(&f);
        queue_count(f.q, &counts, f.now_ms);
        assert_int_equal(counts.waiting + counts.ready + counts.under_way + counts.connections, 0);
        size_t now = allocated() - before;
        if (f.round == SETTLED)
            settled = now;
        if (settled > 0 && now > settled + settled / 20)
            fail_msg("round %u: %zu bytes, %zu in round %u", f.round, now, settled, (unsigned)SETTLED);
    }
    queue_free(f.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_that_waits_costs_little),
        cmocka_unit_test(each_that_is_due_costs_little),
        cmocka_unit_test(what_is_over_leaves_nothing_but_room_for_others),
        cmocka_unit_test(names_are_shared_and_their_room_is_used_again),
        cmocka_unit_test(what_flaps_leaves_no_more_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
