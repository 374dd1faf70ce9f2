// SPDX-License-Identifier: BSD-2-Clause
/* return_line_test.c - Who brings many messages waits for his own; nobody's first one waits for others' second ones. */
#include "table.h"

#include "return_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct return_waiting *wait_in(struct return_line *line, const char *peer)
{
    struct return_waiting *w = xcalloc(1, sizeof(*w));
    return_line_add(line, w, peer);
    return w;
}

static void expect_next(struct return_line *line, struct return_waiting *w)
{
    assert_ptr_equal(return_line_take(line), w);
    free(w);
}

static void addresses_take_turns(void **state)
{
    struct return_line line = {0};
    struct return_waiting *many[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        many[i] = wait_in(&line, i % 2 ? "2001:db8::1" : "2001:db8::2"); /* one /64 */
    struct return_waiting *one = wait_in(&line, "192.0.2.1");
    struct return_waiting *other = wait_in(&line, "192.0.2.2");
    expect_next(&line, many[0]);
    expect_next(&line, one);
    expect_next(&line, other);
    expect_next(&line, many[1]);
    one = wait_in(&line, "192.0.2.1");
    expect_next(&line, many[2]);
    expect_next(&line, one);
    expect_next(&line, many[3]);
    assert_null(return_line_take(&line));
}

/* Many addresses that come again and again hold up nobody for ever. */
static void whoever_waits_is_reached(void **state)
{
    struct return_line line = {0};
    struct return_waiting *first = wait_in(&line, "192.0.2.1");
    struct return_waiting *second = wait_in(&line, "192.0.2.1");
    char peer[32];
    unsigned others = 0;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(peer, sizeof(peer), "198.51.100.%u", i);
        wait_in(&line, peer);
        struct return_waiting *w = return_line_take(&line);
        others += w != first && w != second;
        if (w == second)
            break;
        free(w);
    }
    assert_in_range(others, 0, 2);
    free(second);
    struct return_waiting *w;
    while ((w = return_line_take(&line)))
        free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_take_turns),
        cmocka_unit_test(whoever_waits_is_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
