// SPDX-License-Identifier: BSD-2-Clause
/* queue_memory_test.c - What each recipient that waits costs in memory, and that it is given back.
 *
 * At a million it is less: tables are at their emptiest just after they have grown. tests/bench/scale --only memory
 * shows that.
 */
#include "table.h"

#include "names.h"
#include "queue.h"
#include "queue_view.h"

#include <malloc.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_that_waits_costs_little),
        cmocka_unit_test(each_that_is_due_costs_little),
        cmocka_unit_test(what_is_over_leaves_nothing_but_room_for_others),
        cmocka_unit_test(names_are_shared_and_their_room_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
