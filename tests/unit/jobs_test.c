// SPDX-License-Identifier: BSD-2-Clause
/* jobs_test.c - A job outlives what it was made from: whoever tells the store something goes on
 * at once, and what he has told from may be gone when it is written. */
#include "table.h"

#include "jobs.h"

#include <stdlib.h>
#include <string.h>

/* Each text of its own, in memory that is overwritten and freed before the job is looked at. */
static const char *borrowed(char *memory, size_t size, const char *text)
{
    size_t len = strlen(text) + 1;
    assert_true(len <= size);
    return memcpy(memory, text, len);
}

static void what_is_told_is_its_own(void **state)
{
    enum { TEXTS = 9, SIZE = 32 };
    char *memory = calloc(TEXTS, SIZE);
    assert_non_null(memory);
    (void)state;
    struct database_event event = {
        .kind = borrowed(memory, SIZE, "delivered"),
        .recipient = borrowed(memory + 1 * SIZE, SIZE, "bob@dest.test"),
        .enhanced = borrowed(memory + 2 * SIZE, SIZE, "2.0.0"),
        .reply = borrowed(memory + 3 * SIZE, SIZE, "taken"),
        .remote = borrowed(memory + 4 * SIZE, SIZE, "mx.dest.test"),
        .credential = borrowed(memory + 5 * SIZE, SIZE, "app@club.test"),
        .message_id = borrowed(memory + 6 * SIZE, SIZE, "<1@club.test>"),
        .sender = borrowed(memory + 7 * SIZE, SIZE, "news@club.test"),
        .tenant = borrowed(memory + 8 * SIZE, SIZE, "club"),
    };
    struct store_tell *told = store_tell_new(&event);
    memset(memory, 'x', TEXTS * SIZE);
    free(memory);
    assert_string_equal(told->event.kind, "delivered");
    assert_string_equal(told->event.recipient, "bob@dest.test");
    assert_string_equal(told->event.enhanced, "2.0.0");
    assert_string_equal(told->event.reply, "taken");
    assert_string_equal(told->event.remote, "mx.dest.test");
    assert_string_equal(told->event.credential, "app@club.test");
    assert_string_equal(told->event.message_id, "<1@club.test>");
    assert_string_equal(told->event.sender, "news@club.test");
    assert_string_equal(told->event.tenant, "club");
    store_job_free(&told->job);
}

static void what_is_not_told_is_not_there(void **state)
{
    (void)state;
    struct store_tell *told = store_tell_new(&(struct database_event){.kind = "dialogue"});
    assert_string_equal(told->event.kind, "dialogue");
    assert_string_equal(told->event.recipient, "");
    assert_null(told->event.tenant);
    store_job_free(&told->job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_is_its_own),
        cmocka_unit_test(what_is_not_told_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
