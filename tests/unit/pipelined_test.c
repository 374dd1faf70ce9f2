// SPDX-License-Identifier: BSD-2-Clause
/* pipelined_test.c - Recipients that a client has sent ahead are found up to what comes between. */
#include "table.h"

#include "submission.h"

static void recipients_ahead_are_found(void **state)
{
    static const struct {
        const char *label, *in, *want;
    } rows[] = {
        {"nothing waits", "", ""},
        {"one", "RCPT TO:<a@dest.test>\r\n", "a@dest.test "},
        {"two, in any case, one with a parameter",
         "rcpt to:<a@dest.test>\r\nRcpt To:<B@Dest.test> NOTIFY=NEVER\r\n",
         "a@dest.test B@Dest.test "},
        {"the last one is not whole", "RCPT TO:<a@dest.test>\r\nRCPT TO:<b@dest.test>",
         "a@dest.test "},
        {"its line end is not whole", "RCPT TO:<a@dest.test>\r", ""},
        {"another command comes first", "DATA\r\nRCPT TO:<a@dest.test>\r\n", ""},
        {"another command comes between",
         "RCPT TO:<a@dest.test>\r\nNOOP\r\nRCPT TO:<b@dest.test>\r\n", "a@dest.test "},
        {"one that will be refused ends it", "RCPT TO:a\r\nRCPT TO:<b@dest.test>\r\n", ""},
        {"a longer word", "RCPTS TO:<a@dest.test>\r\n", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct submission s = {0};
        struct buf found;
        struct span address;
        size_t at = 0;
        buf_init(&s.in, 4096);
        buf_init(&found, 4096);
        buf_add(&s.in, span_of(rows[i].in));
        while (submission_next_rcpt(&s, &at, &address))
            buf_addf(&found, "%.*s ", SPAN_ARG(address));
        if (strcmp(buf_text(&found), rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].label, buf_text(&found));
        buf_fini(&found);
        buf_fini(&s.in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(recipients_ahead_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
