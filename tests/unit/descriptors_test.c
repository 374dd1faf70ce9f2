// SPDX-License-Identifier: BSD-2-Clause
/* descriptors_test.c - However many descriptors there are, all uses together never have more. */
#include "table.h"

#include "descriptors.h"

#include <stdio.h>

static const unsigned shards[] = {1, 2, 3, 8, 64};
static const unsigned listeners[] = {1, 3, 12};

static void check(unsigned all, const struct config *config)
{
    struct descriptors d;
    char text[80];
    bool enough = descriptors_divide(all, config, &d);
    snprintf(text, sizeof(text), "%u for %u shards with %zu listeners", all, config->shards, config->listener_count);
    EXPECT(enough == (all >= d.needed), text);
    if (!enough)
        return;
    EXPECT(descriptors_sum(&d, config) <= all, text);
    EXPECT(d.clients > 0 && d.mail_open > d.clients, text);
    EXPECT(d.http_connections > 0 && d.http_open > d.http_connections, text);
    EXPECT(d.attempts > 0 && d.commands > 0 && d.queries > 1 && d.tcp_queries > 0, text);
    EXPECT(d.probes > 0 && d.probe_servers > 0, text);
}

static void all_uses_together_have_no_more_than_there_are(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(shards); i++) {
        for (unsigned k = 0; k < COUNT_OF(listeners); k++) {
            const struct config config = {.shards = shards[i], .listener_count = listeners[k], .takes_returns = k == 1};
            for (unsigned all = 0; all < 3000; all++)
                check(all, &config);
            for (unsigned all = 3000; all <= 1000000; all += 997)
                check(all, &config);
        }
    }
}

static void what_there_is_is_used(void **state)
{
    const struct config config = {.shards = 2, .listener_count = 3};
    struct descriptors d;
    (void)state;
    assert_true(descriptors_divide(65536, &config, &d));
    assert_true(descriptors_sum(&d, &config) > 65536 / 2);
    assert_true(d.clients > 10000 && d.attempts == 4000 && d.http_connections > 800 && d.queries == 512 && d.tcp_queries == 64);
    assert_false(descriptors_divide(317, &config, &d));
    assert_int_equal(d.needed, 318);
    assert_true(descriptors_divide(318, &config, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_uses_together_have_no_more_than_there_are),
        cmocka_unit_test(what_there_is_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
